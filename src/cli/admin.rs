//! `signet admin recover`.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure};
use super::operator::operator;
use crate::service::Services;
use crate::service::administration::setup;

/// Administrators.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Print a one-time link at which a new administrator is created.
    Recover,
}

/// Does it.
pub async fn run(services: &Arc<Services>, command: &AdminCommand) -> Result<Answer, Failure> {
    match command {
        AdminCommand::Recover => {
            let link = setup::new_link(services, &operator(), services.clock.now()).await?;
            let seconds = setup::LINK_LIFETIME.as_secs();
            let text = format!(
                "Open this link to create an administrator; it works once, within {} hours:\n\n  {link}\n",
                seconds / 3600
            );
            Ok(Answer::new(
                text,
                json!({ "link": link, "expires_in": seconds }),
            ))
        }
    }
}
