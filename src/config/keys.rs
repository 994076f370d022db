//! The table of settings: the one place that names them, their defaults and their units.

/// One setting: the row behind `signet config check`, the manual and the parser's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key in `signet.toml`; upper-cased behind `SIGNET_` it is the environment variable.
    pub name: &'static str,
    /// The default as one would write it; empty where there is none.
    pub default: &'static str,
    /// What the value is: `duration`, `bytes`, `URL`, …
    pub unit: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// Never shown, and also read from the file that `SIGNET_<KEY>_FILE` names.
    pub secret: bool,
}

impl KeyDoc {
    /// The row of `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("SIGNET_{}", self.name.to_ascii_uppercase())
    }
}

const fn key(
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> KeyDoc {
    KeyDoc {
        name,
        default,
        unit,
        doc,
        secret: false,
    }
}

const fn secret(
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> KeyDoc {
    KeyDoc {
        name,
        default,
        unit,
        doc,
        secret: true,
    }
}

/// Every setting there is, in the order in which they are documented.
///
/// A duration is written `30s`, `5m`, `12h`, `30d` or as whole seconds; a list as a TOML array or,
/// in an environment variable or flag, separated by commas.
pub const KEYS: &[KeyDoc] = &[
    key(
        "issuer",
        "http://localhost:8080",
        "URL",
        "The issuer identifier: the address under which browsers and applications reach Signet. https, except on this machine.",
    ),
    key(
        "listen",
        "127.0.0.1:8080",
        "address:port",
        "Where the public listener binds.",
    ),
    key(
        "management_listen",
        "127.0.0.1:9090",
        "address:port",
        "Where /health/live, /health/ready and /metrics are served. Keep it off the Internet.",
    ),
    secret(
        "database_url",
        "sqlite://data/signet.db",
        "URL",
        "The durable store: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME.",
    ),
    secret(
        "redis_url",
        "",
        "URL",
        "What instances share beside the database: the fast copy of revocations, and counts of attempts. redis:// or rediss://. Without it every check of a token reads the database, and each instance counts attempts alone.",
    ),
    key(
        "keys_dir",
        "keys",
        "path",
        "Where the master key is generated at the first start when master_key is not set.",
    ),
    secret(
        "master_key",
        "",
        "base64 of 32 bytes",
        "The key that seals the private signing keys.",
    ),
    key(
        "log",
        "info",
        "filter",
        "What to log, as a RUST_LOG filter: info, or info,signet=debug.",
    ),
    key(
        "log_format",
        "auto",
        "auto, pretty or json",
        "How logs are written: auto is pretty on a terminal and JSON otherwise.",
    ),
    key(
        "brand_name",
        "Signet",
        "text",
        "The name that the pages show.",
    ),
    key(
        "access_token_lifetime",
        "5m",
        "duration",
        "How long an access token is valid.",
    ),
    key(
        "id_token_lifetime",
        "5m",
        "duration",
        "How long an ID token is valid.",
    ),
    key(
        "code_lifetime",
        "60s",
        "duration",
        "How long an authorization code is valid; 10 minutes at most.",
    ),
    key(
        "refresh_token_lifetime",
        "30d",
        "duration",
        "How long a sign-in can be refreshed, counted from the sign-in.",
    ),
    key(
        "refresh_token_idle_lifetime",
        "14d",
        "duration",
        "How long a sign-in stays refreshable without being refreshed.",
    ),
    key(
        "refresh_retry_window",
        "30s",
        "duration",
        "How long a repeated refresh gets the same answer again; 0 turns it off.",
    ),
    key(
        "session_lifetime",
        "12h",
        "duration",
        "How long a browser stays signed in, counted from the sign-in.",
    ),
    key(
        "session_idle_lifetime",
        "2h",
        "duration",
        "How long a browser stays signed in without being used.",
    ),
    key(
        "login_lifetime",
        "1h",
        "duration",
        "How long a sign-in page that was opened can still be finished.",
    ),
    key(
        "key_rotation_interval",
        "90d",
        "duration",
        "How long one signing key signs before the next takes over.",
    ),
    key(
        "key_publish_lead",
        "24h",
        "duration",
        "How long the next signing key is published before it signs.",
    ),
    key(
        "audit_retention",
        "365d",
        "duration",
        "How long audit events are kept; 0 keeps them for ever.",
    ),
    key(
        "audit_token_events",
        "true",
        "true or false",
        "Whether every code and token that is issued is an audit event; refusals and replays always are.",
    ),
    key(
        "trusted_proxies",
        "",
        "list of networks",
        "Networks of the proxies in front of Signet; their X-Forwarded-For is trusted.",
    ),
    key(
        "rate_limits",
        "true",
        "true or false",
        "Whether guessing and flooding are limited. Turn it off only if a proxy in front of Signet limits them.",
    ),
    key(
        "login_delay_max",
        "5m",
        "duration",
        "Longest wait before the next attempt at an account after wrong passwords.",
    ),
    key(
        "login_failures_per_address",
        "100",
        "failures in 10 minutes",
        "How many wrong passwords and set-up links one address (IPv6: one /64) may try, over all accounts.",
    ),
    key(
        "request_failures_per_address",
        "600",
        "failures a minute",
        "How many requests with wrong client credentials, codes or tokens one address may send to one instance. Requests with valid ones are not counted.",
    ),
    key(
        "client_requests_per_minute",
        "0",
        "requests a minute",
        "How many requests one client may send to one instance's token, introspection and revocation endpoints together; 0: any number.",
    ),
    key(
        "api_requests_per_minute",
        "600",
        "requests a minute",
        "How many requests one caller of the administration API may send; 0: any number.",
    ),
    key(
        "database_max_connections",
        "32",
        "connections",
        "How many connections to PostgreSQL are opened at most.",
    ),
    key(
        "password_hash_threads",
        "auto",
        "threads",
        "How many passwords are hashed at once; auto is one less than the processors, and at least one.",
    ),
    key(
        "password_hash_memory_kib",
        "19456",
        "KiB",
        "Argon2id memory for one hash.",
    ),
    key(
        "password_hash_iterations",
        "2",
        "passes",
        "Argon2id passes for one hash.",
    ),
    key(
        "fetch_allow_hosts",
        "",
        "list of hosts",
        "Hosts (host or host:port) that Signet may fetch from although their addresses are private or they use plain http.",
    ),
    key(
        "fetch_ca_file",
        "",
        "path",
        "PEM certificates that outbound fetches trust beside the public ones.",
    ),
    key(
        "max_connections",
        "10000",
        "connections",
        "How many connections are open at once; more wait to be accepted.",
    ),
    key(
        "request_timeout",
        "30s",
        "duration",
        "How long one request may take, reading its body included.",
    ),
    key(
        "header_timeout",
        "10s",
        "duration",
        "How long the header of a request may take to arrive.",
    ),
    key(
        "request_body_limit",
        "65536",
        "bytes",
        "How long a request body may be.",
    ),
    key(
        "shutdown_timeout",
        "30s",
        "duration",
        "How long shutting down waits for requests in flight.",
    ),
];

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

    #[test]
    fn every_field_of_config_has_a_row_and_the_other_way_round() {
        let source = include_str!("mod.rs");
        let body = source
            .split("pub struct Config {")
            .nth(1)
            .unwrap()
            .split("settings:")
            .next()
            .unwrap();
        let fields: Vec<&str> = body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub "))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let names: Vec<&str> = KEYS.iter().map(|row| row.name).collect();
        assert_eq!(fields, names);
    }
}
