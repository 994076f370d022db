//! `signet serve`.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::answer;
use crate::app;
use crate::config::Config;
use crate::domain::audit::Origin;
use crate::service::Services;
use crate::service::administration::demo::{self, DemoCredentials};
use crate::service::administration::setup;
use crate::telemetry::metrics;

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// For trying out: create a demo user and demo clients, and serve a playground and the manual.
    #[arg(long)]
    pub dev: bool,
}

/// Serves until a signal asks to stop.
pub async fn run(config: Config, dev: bool, json: bool) -> anyhow::Result<()> {
    // First, so that a signal while starting is not lost.
    let shutdown = app::shutdown::on_signals().context("signals cannot be handled")?;
    metrics::install().context("metrics cannot be collected")?;
    anyhow::ensure!(
        !dev || !config.issuer.is_https(),
        "serve --dev creates an account whose password is public, so it serves only an issuer on this machine \
         (http://localhost…), not {}",
        config.issuer
    );
    let services = Services::start(config).await?;
    let demo = if dev {
        Some(
            demo::seed(&services)
                .await
                .context("the demo cannot be set up")?,
        )
    } else {
        None
    };
    let greeting = greeting(&services, demo.as_ref(), json).await?;
    let options = app::router::Options { demo, manual: dev };
    app::run(services, options, shutdown, move || {
        let _ = answer::print(&greeting);
    })
    .await?;
    Ok(())
}

/// What to do next, for the person who started the server.
async fn greeting(
    services: &Arc<Services>,
    demo: Option<&DemoCredentials>,
    json: bool,
) -> anyhow::Result<String> {
    let issuer = &services.config.issuer;
    if let Some(demo) = demo {
        return Ok(if json {
            json!({
                "issuer": issuer.as_str(),
                "url": demo.url,
                "username": demo.username,
                "password": demo.password,
            })
            .to_string()
        } else {
            format!(
                "\n  Signet is ready to try:  {}\n\n  user name  {}\n  password   {}\n\n  \
                 This is a demonstration: the password is public.\n",
                demo.url, demo.username, demo.password
            )
        });
    }
    if setup::is_needed(services).await? {
        let link = setup::new_link(services, &Origin::system(), services.clock.now()).await?;
        return Ok(if json {
            json!({ "issuer": issuer.as_str(), "setup_link": link }).to_string()
        } else {
            format!(
                "\n  There is no administrator yet. Create one at this link, which works once, within 24 hours:\n\n  \
                 {link}\n\n  signet admin recover prints a new one.\n"
            )
        });
    }
    Ok(if json {
        json!({ "issuer": issuer.as_str() }).to_string()
    } else {
        format!("Signet serves {issuer}")
    })
}
