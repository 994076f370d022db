//! `signet key list|rotate`.

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, Failure, table};
use super::operator::operator;
use crate::service::Services;
use crate::service::administration::signing_keys;
use crate::spec::alg::SigningAlg;

/// Signing keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show every key that signs, will sign or still verifies.
    List,
    /// Make new keys now instead of when they are due.
    Rotate {
        /// Only this algorithm: RS256, ES256, PS256 or EdDSA.
        #[arg(long)]
        alg: Option<SigningAlg>,
        /// Sign with them at once instead of after key_publish_lead, as when a key has leaked. Running servers pick
        /// them up within seconds; resource servers must read /jwks again when a key is unknown.
        #[arg(long)]
        now: bool,
    },
}

/// Does it, and shows how the keys stand.
pub async fn run(services: &Arc<Services>, command: KeyCommand) -> Result<Answer, Failure> {
    let at = services.clock.now();
    services.keys.ensure(at).await?;
    if let KeyCommand::Rotate { alg, now } = command {
        let lead = if now {
            Duration::ZERO
        } else {
            services.config.key_publish_lead
        };
        signing_keys::rotate(services, alg, lead, &operator(), at).await?;
    }
    let keys = services.keys.report(services.clock.now()).await?;
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            vec![
                key.kid.clone(),
                key.alg.to_string(),
                key.state.as_str().to_owned(),
                key.activates_at.rfc3339(),
            ]
        })
        .collect();
    let shown: Vec<_> = keys
        .iter()
        .map(|key| {
            json!({
                "kid": key.kid,
                "alg": key.alg,
                "state": key.state.as_str(),
                "activates_at": key.activates_at.rfc3339(),
            })
        })
        .collect();
    Ok(Answer::new(
        table(&["kid", "alg", "state", "activates at"], &rows),
        json!({ "keys": shown }),
    ))
}
