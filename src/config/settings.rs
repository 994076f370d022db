//! The table of settings: the one place that names them, with what they mean, their types, defaults, units and forms.
//!
//! A duration is written `30s`, `5m`, `12h`, `30d` or as whole seconds; a list as a TOML array or, in an environment
//! variable or flag, separated by commas.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use ipnet::IpNet;

use super::keys::{KeyDoc, key, secret, sentence};
use super::parse::{self, HostPattern};
use super::reader::{Reader, Setting};
use super::values::{
    address, between, brand_name, database_url, hash_threads, master_key, network, path, redis_url,
    switch,
};
use super::{Issuer, Secret};
use crate::telemetry::{LogFormat, parse_filter};

/// Makes the settings, their documentation and the function that reads them of one row each:
/// `key NAME: TYPE = DEFAULT, UNIT, FORM(HOW);`, where `FORM` is a method of [`Reader`] and `secret` in the place of
/// `key` says that the value is never shown.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $kind:ident $name:ident: $type:ty = $default:literal, $unit:literal, $form:ident($how:expr);)+) => {
        /// Every setting of one running Signet, checked.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $name: $type,)+
            settings: Vec<Setting>,
        }

        /// Every setting there is, in the order in which they are documented.
        pub const KEYS: &[KeyDoc] = &[
            $($kind(stringify!($name), $default, $unit, sentence(concat!($($doc),+))),)+
        ];

        impl Config {
            /// Understands every key, in the order of the table; `None` when any could not be.
            pub(super) fn read(reader: &mut Reader) -> Option<Self> {
                // All of them are read before the first that is missing ends it: every problem is told.
                let mut keys = KEYS.iter();
                $(let $name = reader.$form(keys.next()?, $how);)+
                Some(Self {
                    $($name: $name?,)+
                    settings: reader.take_settings(),
                })
            }
        }
    };
}

settings! {
    /// The issuer identifier: the address under which browsers and applications reach Signet. https, except on this machine.
    key issuer: Issuer = "http://localhost:8080", "URL", one(Issuer::parse);

    /// Where the public listener binds.
    key listen: SocketAddr = "127.0.0.1:8080", "address:port", one(address);

    /// Where /health/live, /health/ready and /metrics are served. Keep it off the Internet.
    key management_listen: SocketAddr = "127.0.0.1:9090", "address:port", one(address);

    /// The durable store: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME.
    secret database_url: Secret = "sqlite://data/signet.db", "URL", one(database_url);

    /// What instances share beside the database: the fast copy of revocations, and counts of attempts. redis:// or rediss://. Without it every check of a token reads the database, and each instance counts attempts alone.
    secret redis_url: Option<Secret> = "", "URL", optional(redis_url);

    /// Where the master key is generated at the first start when master_key is not set.
    key keys_dir: PathBuf = "keys", "path", one(path);

    /// The key that seals the private signing keys.
    secret master_key: Option<Secret> = "", "base64 of 32 bytes", optional(master_key);

    /// What to log, as a RUST_LOG filter: info, or info,signet=debug.
    key log: String = "info", "filter", one(parse_filter);

    /// How logs are written: auto is pretty on a terminal and JSON otherwise.
    key log_format: LogFormat = "auto", "auto, pretty or json", one(LogFormat::from_str);

    /// The name that the pages show.
    key brand_name: String = "Signet", "text", one(brand_name);

    /// How long an access token is valid.
    key access_token_lifetime: Duration = "5m", "duration", duration(1);

    /// How long an ID token is valid.
    key id_token_lifetime: Duration = "5m", "duration", duration(1);

    /// How long an authorization code is valid; 10 minutes at most.
    key code_lifetime: Duration = "60s", "duration", duration(1);

    /// How long a sign-in can be refreshed, counted from the sign-in.
    key refresh_token_lifetime: Duration = "30d", "duration", duration(1);

    /// How long a sign-in stays refreshable without being refreshed.
    key refresh_token_idle_lifetime: Duration = "14d", "duration", duration(1);

    /// How long a repeated refresh gets the same answer again; 0 turns it off.
    key refresh_retry_window: Duration = "30s", "duration", duration(0);

    /// How long a browser stays signed in, counted from the sign-in.
    key session_lifetime: Duration = "12h", "duration", duration(1);

    /// How long a browser stays signed in without being used.
    key session_idle_lifetime: Duration = "2h", "duration", duration(1);

    /// How long a sign-in page that was opened can still be finished.
    key login_lifetime: Duration = "1h", "duration", duration(1);

    /// How long one signing key signs before the next takes over.
    key key_rotation_interval: Duration = "90d", "duration", duration(1);

    /// How long the next signing key is published before it signs.
    key key_publish_lead: Duration = "24h", "duration", duration(0);

    /// How long audit events are kept; 0 keeps them for ever.
    key audit_retention: Duration = "365d", "duration", duration(0);

    /// Whether every code and token that is issued is an audit event; refusals and replays always are.
    key audit_token_events: bool = "true", "true or false", one(switch);

    /// Networks of the proxies in front of Signet; their X-Forwarded-For is trusted.
    key trusted_proxies: Vec<IpNet> = "", "list of networks", list(network);

    /// Whether guessing and flooding are limited. Turn it off only if a proxy in front of Signet limits them.
    key rate_limits: bool = "true", "true or false", one(switch);

    /// Longest wait before the next attempt at an account after wrong passwords.
    key login_delay_max: Duration = "5m", "duration", duration(1);

    /// How many wrong passwords and set-up links one address (IPv6: one /64) may try, over all accounts.
    key login_failures_per_address: u32 = "100", "failures in 10 minutes", one(|t| between(t, 1, 1_000_000));

    /// How many requests with wrong client credentials, codes or tokens one address may send to one instance. Requests with valid ones are not counted.
    key request_failures_per_address: u32 = "600", "failures a minute", one(|t| between(t, 1, 1_000_000));

    /// How many requests one client may send to one instance's token, introspection and revocation endpoints together; 0: any number.
    key client_requests_per_minute: u32 = "0", "requests a minute", one(|t| between(t, 0, 10_000_000));

    /// How many requests one caller of the administration API may send; 0: any number.
    key api_requests_per_minute: u32 = "600", "requests a minute", one(|t| between(t, 0, 10_000_000));

    /// How many connections to PostgreSQL are opened at most.
    key database_max_connections: u32 = "32", "connections", one(|t| between(t, 1, 10_000));

    /// How many passwords are hashed at once; auto is one less than the processors, and at least one.
    key password_hash_threads: usize = "auto", "threads", one(hash_threads);

    /// Argon2id memory for one hash.
    key password_hash_memory_kib: u32 = "19456", "KiB", one(|t| between(t, 8, 4 * 1024 * 1024));

    /// Argon2id passes for one hash.
    key password_hash_iterations: u32 = "2", "passes", one(|t| between(t, 1, 100));

    /// Hosts (host or host:port) that Signet may fetch from although their addresses are private or they use plain http.
    key fetch_allow_hosts: Vec<HostPattern> = "", "list of hosts", list(HostPattern::parse);

    /// PEM certificates that outbound fetches trust beside the public ones.
    key fetch_ca_file: Option<PathBuf> = "", "path", optional(path);

    /// How many connections are open at once; more wait to be accepted.
    key max_connections: usize = "10000", "connections", one(|t| between(t, 1, 1_000_000));

    /// How long one request may take, reading its body included.
    key request_timeout: Duration = "30s", "duration", duration(1);

    /// How long the header of a request may take to arrive.
    key header_timeout: Duration = "10s", "duration", duration(1);

    /// How long a request body may be.
    key request_body_limit: usize = "65536", "bytes", one(|t| between(t, 1024, 64 * 1024 * 1024));

    /// How long shutting down waits for requests in flight.
    key shutdown_timeout: Duration = "30s", "duration", duration(0);
}

impl Config {
    /// Every key with its value (secrets redacted) and where it came from, in the order of [`KEYS`].
    pub fn describe(&self) -> &[Setting] {
        &self.settings
    }
}

impl KeyDoc {
    /// The row of `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The row whose name is nearest to `name`, if one is near.
    pub(super) fn nearest(name: &str) -> Option<&'static Self> {
        parse::nearest(name, KEYS.iter().map(|key| key.name)).and_then(Self::find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lower_snake_case() {
        for (i, row) in KEYS.iter().enumerate() {
            assert!(
                row.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{}",
                row.name
            );
            assert!(
                KEYS[..i].iter().all(|earlier| earlier.name != row.name),
                "{}",
                row.name
            );
            assert!(
                row.doc.ends_with('.') && !row.unit.is_empty(),
                "{}",
                row.name
            );
        }
    }
}
