//! Settings as flags: the last word over the environment and the file.

use std::path::PathBuf;

use clap::Args;

use super::answer::Failure;
use crate::config::load::environment;
use crate::config::{Config, KEYS};

/// Settings over the environment and the file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// The configuration file [default: signet.toml, if there is one].
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Any setting: --set access_token_lifetime=10m. Secrets are set in the environment or in files.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// The issuer identifier.
    #[arg(long, value_name = "URL", global = true)]
    pub issuer: Option<String>,
    /// Where the public listener binds.
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    pub listen: Option<String>,
    /// Where health and metrics are served.
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    pub management_listen: Option<String>,
    /// The durable store; an URL with a password belongs into SIGNET_DATABASE_URL or a file.
    #[arg(long, value_name = "URL", global = true)]
    pub database_url: Option<String>,
    /// Where the master key is.
    #[arg(long, value_name = "DIRECTORY", global = true)]
    pub keys_dir: Option<String>,
    /// What to log.
    #[arg(long, value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How to write logs: auto, pretty or json.
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
}

impl SettingsArgs {
    /// The configuration of file, environment and flags.
    pub fn load(&self) -> Result<Config, Failure> {
        let named = [
            ("issuer", &self.issuer),
            ("listen", &self.listen),
            ("management_listen", &self.management_listen),
            ("database_url", &self.database_url),
            ("keys_dir", &self.keys_dir),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        let flags: Vec<(String, String)> = self.set.iter().cloned().chain(named).collect();
        if let Some((key, _)) = flags.iter().find(|(key, value)| is_secret(key, value)) {
            let variable = format!("SIGNET_{}", key.to_uppercase().replace('-', "_"));
            return Err(Failure::new(format!(
                "{key} is a secret, and every process can read the arguments of others"
            ))
            .hint(format!(
                "set {variable}, or {variable}_FILE to a file with it"
            )));
        }
        Config::load(self.config.as_deref(), environment(), flags).map_err(|error| {
            Failure::with_problems("the configuration cannot be used", error.problems)
        })
    }
}

/// An address is no secret unless a password is in it.
fn is_secret(key: &str, value: &str) -> bool {
    let key = key.trim_start_matches('-').replace('-', "_");
    let secret = KEYS.iter().any(|known| known.name == key && known.secret);
    let has_password = || {
        value.contains("password=")
            || url::Url::parse(value).map_or(value.contains('@'), |url| url.password().is_some())
    };
    secret && (!key.ends_with("_url") || has_password())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected KEY=VALUE".to_owned()),
    }
}
