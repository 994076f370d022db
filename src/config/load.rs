//! Putting the layers together and understanding them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::keys::{KEYS, KeyDoc};
use super::parse::{self, HostPattern};
use super::source::{Layer, Raw, Source, env_layer, file_layer, flag_layer};
use super::values::{
    address, between, brand_name, database_url, hash_threads, master_key, network, path, redis_url,
    switch,
};
use super::{Config, Issuer, check};
use crate::telemetry;

/// The file that is read when none is named and it exists in the working directory.
pub const DEFAULT_FILE: &str = "signet.toml";

/// One line of `signet config check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// The value, or `***` for a secret; empty when there is none.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// Everything that is wrong with a configuration; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence per problem.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// The process's environment, without variables that are not Unicode (`std::env::vars` would panic).
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Config {
    /// Reads file, environment and flags, the later over the earlier.
    ///
    /// `file` must exist when it is given; otherwise `signet.toml` in the working directory is read
    /// if there is one. Flags are (key, value) pairs.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut values = match read_file(file) {
            Ok(Some((path, text))) => file_layer(&text, &path, &mut problems),
            Ok(None) => Layer::new(),
            Err(problem) => {
                problems.push(problem);
                Layer::new()
            }
        };
        values.extend(env_layer(env, &mut problems));
        values.extend(flag_layer(flags, &mut problems));
        let mut reader = Reader {
            values,
            problems,
            settings: Vec::new(),
        };
        let config = reader.config();
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError {
                problems: reader.problems,
            }),
        }
    }
}

fn read_file(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, String> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "cannot read the configuration file {}: {error}",
            path.display()
        )),
    }
}

struct Reader {
    values: Layer,
    problems: Vec<String>,
    settings: Vec<Setting>,
}

impl Reader {
    /// Understands every key, in the order of the table; `None` when any could not be.
    fn config(&mut self) -> Option<Config> {
        let issuer = self.one("issuer", Issuer::parse);
        let listen = self.one("listen", address);
        let management_listen = self.one("management_listen", address);
        let database_url = self.one("database_url", database_url);
        let redis_url = self.optional("redis_url", redis_url);
        let keys_dir = self.one("keys_dir", path);
        let master_key = self.optional("master_key", master_key);
        let log = self.one("log", telemetry::parse_filter);
        let log_format = self.one("log_format", telemetry::LogFormat::from_str);
        let brand_name = self.one("brand_name", brand_name);
        let access_token_lifetime = self.duration("access_token_lifetime", 1);
        let id_token_lifetime = self.duration("id_token_lifetime", 1);
        let code_lifetime = self.duration("code_lifetime", 1);
        let refresh_token_lifetime = self.duration("refresh_token_lifetime", 1);
        let refresh_token_idle_lifetime = self.duration("refresh_token_idle_lifetime", 1);
        let refresh_retry_window = self.duration("refresh_retry_window", 0);
        let session_lifetime = self.duration("session_lifetime", 1);
        let session_idle_lifetime = self.duration("session_idle_lifetime", 1);
        let login_lifetime = self.duration("login_lifetime", 1);
        let key_rotation_interval = self.duration("key_rotation_interval", 1);
        let key_publish_lead = self.duration("key_publish_lead", 0);
        let audit_retention = self.duration("audit_retention", 0);
        let audit_token_events = self.one("audit_token_events", switch);
        let trusted_proxies = self.list("trusted_proxies", network);
        let rate_limits = self.one("rate_limits", switch);
        let login_delay_max = self.duration("login_delay_max", 1);
        let failures = |text: &str| between(text, 1, 1_000_000);
        let requests = |text: &str| between(text, 0, 10_000_000);
        let login_failures_per_address = self.one("login_failures_per_address", failures);
        let request_failures_per_address = self.one("request_failures_per_address", failures);
        let client_requests_per_minute = self.one("client_requests_per_minute", requests);
        let api_requests_per_minute = self.one("api_requests_per_minute", requests);
        let database_max_connections =
            self.one("database_max_connections", |t| between(t, 1, 10_000));
        let password_hash_threads = self.one("password_hash_threads", hash_threads);
        let password_hash_memory_kib = self.one("password_hash_memory_kib", |t| {
            between(t, 8, 4 * 1024 * 1024)
        });
        let password_hash_iterations = self.one("password_hash_iterations", |t| between(t, 1, 100));
        let fetch_allow_hosts = self.list("fetch_allow_hosts", HostPattern::parse);
        let fetch_ca_file = self.optional("fetch_ca_file", path);
        let max_connections = self.one("max_connections", |t| between(t, 1, 1_000_000));
        let request_timeout = self.duration("request_timeout", 1);
        let header_timeout = self.duration("header_timeout", 1);
        let request_body_limit =
            self.one("request_body_limit", |t| between(t, 1024, 64 * 1024 * 1024));
        let shutdown_timeout = self.duration("shutdown_timeout", 0);
        let config = Config {
            issuer: issuer?,
            listen: listen?,
            management_listen: management_listen?,
            database_url: database_url?,
            redis_url: redis_url?,
            keys_dir: keys_dir?,
            master_key: master_key?,
            log: log?,
            log_format: log_format?,
            brand_name: brand_name?,
            access_token_lifetime: access_token_lifetime?,
            id_token_lifetime: id_token_lifetime?,
            code_lifetime: code_lifetime?,
            refresh_token_lifetime: refresh_token_lifetime?,
            refresh_token_idle_lifetime: refresh_token_idle_lifetime?,
            refresh_retry_window: refresh_retry_window?,
            session_lifetime: session_lifetime?,
            session_idle_lifetime: session_idle_lifetime?,
            login_lifetime: login_lifetime?,
            key_rotation_interval: key_rotation_interval?,
            key_publish_lead: key_publish_lead?,
            audit_retention: audit_retention?,
            audit_token_events: audit_token_events?,
            trusted_proxies: trusted_proxies?,
            rate_limits: rate_limits?,
            login_delay_max: login_delay_max?,
            login_failures_per_address: login_failures_per_address?,
            request_failures_per_address: request_failures_per_address?,
            client_requests_per_minute: client_requests_per_minute?,
            api_requests_per_minute: api_requests_per_minute?,
            database_max_connections: database_max_connections?,
            password_hash_threads: password_hash_threads?,
            password_hash_memory_kib: password_hash_memory_kib?,
            password_hash_iterations: password_hash_iterations?,
            fetch_allow_hosts: fetch_allow_hosts?,
            fetch_ca_file: fetch_ca_file?,
            max_connections: max_connections?,
            request_timeout: request_timeout?,
            header_timeout: header_timeout?,
            request_body_limit: request_body_limit?,
            shutdown_timeout: shutdown_timeout?,
            settings: std::mem::take(&mut self.settings),
        };
        let sources: BTreeMap<_, _> = config
            .settings
            .iter()
            .map(|s| (s.key, s.source.clone()))
            .collect();
        self.problems.extend(check::problems(&config, &sources));
        Some(config)
    }

    /// A value that must be there, from its layer or from the table's default.
    fn one<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (key, raw) = self.raw(name)?;
        match raw.items.as_slice() {
            [text] if !raw.is_list => self.understand(key, text, &raw.source, parse),
            _ => {
                self.problems.push(format!(
                    "`{name}` ({}): expected one {}, got a list",
                    raw.source, key.unit
                ));
                None
            }
        }
    }

    /// A value that may be absent: no value, or an empty one.
    #[expect(
        clippy::option_option,
        reason = "the outer is whether it was understood, the inner whether it is there"
    )]
    fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        self.one(name, |text| {
            if text.is_empty() {
                Ok(None)
            } else {
                parse(text).map(Some)
            }
        })
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (key, raw) = self.raw(name)?;
        let items: Vec<&str> = if raw.is_list {
            raw.items.iter().map(String::as_str).collect()
        } else {
            raw.items
                .iter()
                .flat_map(|text| text.split(','))
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect()
        };
        items
            .into_iter()
            .map(|item| self.understand(key, item, &raw.source, &parse))
            .collect()
    }

    fn duration(&mut self, name: &'static str, at_least: u64) -> Option<Duration> {
        self.one(name, |text| match parse::duration(text)? {
            duration if duration.as_secs() < at_least => {
                Err(format!("expected at least {at_least}s"))
            }
            duration => Ok(duration),
        })
    }

    /// The raw value of a key; also notes it down for [`Config::describe`].
    fn raw(&mut self, name: &'static str) -> Option<(&'static KeyDoc, Raw)> {
        let key = KEYS.iter().find(|key| key.name == name)?;
        let raw = self
            .values
            .get(name)
            .cloned()
            .unwrap_or_else(|| Raw::text(key.default, Source::Default));
        let shown = if key.secret {
            redact(&raw.items.join(""))
        } else {
            raw.items.join(", ")
        };
        self.settings.push(Setting {
            key: name,
            value: shown,
            source: raw.source.clone(),
        });
        Some((key, raw))
    }

    fn understand<T>(
        &mut self,
        key: &KeyDoc,
        text: &str,
        source: &Source,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(expected) if key.secret => {
                self.problems
                    .push(format!("`{}` ({source}): {expected}", key.name));
                None
            }
            Err(expected) => {
                self.problems.push(format!(
                    "`{}` ({source}): {expected}, got {text:?}",
                    key.name
                ));
                None
            }
        }
    }
}

/// Shows which server a URL means, without its credentials; anything else not at all.
fn redact(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Paths of SQLite are no secrets; options behind them might be.
    if text.starts_with("sqlite:") {
        return text.split('?').next().unwrap_or_default().to_owned();
    }
    match url::Url::parse(text) {
        Ok(url) if url.has_host() => {
            let port = url.port().map_or(String::new(), |port| format!(":{port}"));
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        Ok(_) | Err(_) => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests;
