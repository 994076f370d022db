//! Signet, an OAuth 2.0 and OpenID Connect identity provider in one small binary.
pub mod app;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod http;
pub mod telemetry;
