//! `signet config check`.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, table};
use crate::config::{Config, Setting};

/// The configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting and where it comes from; fails when they cannot be used.
    Check,
}

/// `config` is proof that it can be used: the rest is to show it.
#[must_use]
pub fn run(command: &ConfigCommand, config: &Config) -> Answer {
    match command {
        ConfigCommand::Check => check(config),
    }
}

fn check(config: &Config) -> Answer {
    let settings = config.describe();
    let rows: Vec<Vec<String>> = settings
        .iter()
        .map(|setting| {
            vec![
                setting.key.to_owned(),
                setting.value.clone(),
                setting.source.to_string(),
            ]
        })
        .collect();
    let warnings = warnings(config);
    let mut text = table(&["key", "value", "source"], &rows);
    for warning in &warnings {
        text.push_str("\nwarning: ");
        text.push_str(warning);
    }
    let shown = |setting: &Setting| {
        json!({
            "key": setting.key,
            "value": setting.value,
            "source": setting.source.kind(),
            "from": setting.source.to_string(),
        })
    };
    let settings: Vec<_> = settings.iter().map(shown).collect();
    Answer::new(text, json!({ "settings": settings, "warnings": warnings }))
}

/// What works, but hardly as meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let sqlite = config.database_url.expose().starts_with("sqlite:");
    if !config.issuer.is_https() {
        warnings.push(format!(
            "issuer {} is reachable from this machine only",
            config.issuer
        ));
    }
    if !config.management_listen.ip().is_loopback() {
        warnings.push(format!(
            "management_listen {} answers other machines: health and metrics are not for the Internet",
            config.management_listen
        ));
    }
    if sqlite && config.redis_url.is_some() {
        warnings.push("redis_url is not used beside SQLite".to_owned());
    }
    if !sqlite && config.redis_url.is_none() {
        warnings.push(
            "without redis_url every check for revocations reads the database; that is right, only slower"
                .to_owned(),
        );
    }
    if config.issuer.is_https() && config.trusted_proxies.is_empty() {
        warnings.push(
            "trusted_proxies is empty: behind a proxy that speaks TLS, all people seem to come from the proxy"
                .to_owned(),
        );
    }
    if sqlite && config.issuer.is_https() {
        warnings.push("SQLite serves one instance; PostgreSQL serves several".to_owned());
    }
    warnings
}
