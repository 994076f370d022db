//! Settings: `signet.toml`, overridden by `SIGNET_*` environment variables, overridden by flags.
//!
//! [`KEYS`] is the one table of what can be set; [`Config`] is what comes out when all of it is
//! well-formed and makes sense together. Everything that is wrong is reported at once.

pub mod check;
pub mod issuer;
pub mod keys;
pub mod load;
pub mod parse;
pub mod secret;
pub mod source;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use issuer::Issuer;
pub use keys::KEYS;
pub use load::Setting;
pub use parse::{HostPattern, nearest};
pub use secret::Secret;
pub use source::Source;

use crate::telemetry::LogFormat;

/// Every setting of one running Signet, checked. [`KEYS`] says what each one means.
#[derive(Debug, Clone)]
pub struct Config {
    /// The issuer identifier, byte for byte as it was written.
    pub issuer: Issuer,
    /// Where the public listener binds.
    pub listen: SocketAddr,
    /// Where health and metrics are served; never reachable from outside by default.
    pub management_listen: SocketAddr,
    /// The durable store, with its password.
    pub database_url: Secret,
    /// The shared fast copy of revocations, with its password.
    pub redis_url: Option<Secret>,
    /// Where the master key is generated when none is given.
    pub keys_dir: PathBuf,
    /// The key that seals the signing keys, in base64: 32 bytes.
    pub master_key: Option<Secret>,
    /// What to log, in the words of `RUST_LOG`.
    pub log: String,
    /// How to write logs.
    pub log_format: LogFormat,
    /// The name that pages show.
    pub brand_name: String,
    /// How long an access token is valid.
    pub access_token_lifetime: Duration,
    /// How long an ID token is valid.
    pub id_token_lifetime: Duration,
    /// How long an authorization code is valid.
    pub code_lifetime: Duration,
    /// How long a grant can be refreshed at all.
    pub refresh_token_lifetime: Duration,
    /// How long a grant survives without being refreshed.
    pub refresh_token_idle_lifetime: Duration,
    /// How long the refresh token before the current one is answered with the current one again.
    pub refresh_retry_window: Duration,
    /// How long a browser session lasts at most.
    pub session_lifetime: Duration,
    /// How long a browser session lasts without use.
    pub session_idle_lifetime: Duration,
    /// How long a pending sign-in stays valid.
    pub login_lifetime: Duration,
    /// How long one signing key is the active one.
    pub key_rotation_interval: Duration,
    /// How long the next signing key is published before it signs.
    pub key_publish_lead: Duration,
    /// How long audit events are kept; zero: for ever.
    pub audit_retention: Duration,
    /// Whether every code and token that is issued is an audit event.
    pub audit_token_events: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether anything is limited at all.
    pub rate_limits: bool,
    /// The longest wait that wrong passwords bring about.
    pub login_delay_max: Duration,
    /// Wrong guesses of one address in ten minutes.
    pub login_failures_per_address: u32,
    /// Failed requests of one address in a minute, at one instance.
    pub request_failures_per_address: u32,
    /// Requests of one client in a minute, at one instance; 0: any number.
    pub client_requests_per_minute: u32,
    /// Requests of one caller of the administration API in a minute; 0: any number.
    pub api_requests_per_minute: u32,
    /// Connections to PostgreSQL at most.
    pub database_max_connections: u32,
    /// Threads that hash passwords.
    pub password_hash_threads: usize,
    /// Argon2id memory, in KiB.
    pub password_hash_memory_kib: u32,
    /// Argon2id passes.
    pub password_hash_iterations: u32,
    /// Hosts that outbound fetches may reach although they are private or plain http.
    pub fetch_allow_hosts: Vec<HostPattern>,
    /// PEM certificates trusted for outbound fetches beside the public ones.
    pub fetch_ca_file: Option<PathBuf>,
    /// Open connections at most.
    pub max_connections: usize,
    /// How long one request may take, body and answer.
    pub request_timeout: Duration,
    /// How long a request's header may take to arrive.
    pub header_timeout: Duration,
    /// How many bytes a request body may have.
    pub request_body_limit: usize,
    /// How long shutting down waits for what is in flight.
    pub shutdown_timeout: Duration,
    settings: Vec<Setting>,
}

impl Config {
    /// Every key with its value (secrets redacted) and where it came from, in the order of [`KEYS`].
    pub fn describe(&self) -> &[Setting] {
        &self.settings
    }
}
