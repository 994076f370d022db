//! What single values must be; every error says what was expected, never what came.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Secret, parse};

pub(super) fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected address:port, such as 127.0.0.1:8080 or [::]:8080".to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("expected a path".to_owned())
    } else {
        Ok(PathBuf::from(text))
    }
}

pub(super) fn database_url(text: &str) -> Result<Secret, String> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(Secret::new(text))
    } else {
        Err("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME".to_owned())
    }
}

pub(super) fn redis_url(text: &str) -> Result<Secret, String> {
    let known = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(Secret::new(text))
    } else {
        Err("expected redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT".to_owned())
    }
}

pub(super) fn master_key(text: &str) -> Result<Secret, String> {
    match parse::key_bytes(text) {
        Some(_) => Ok(Secret::new(text)),
        None => Err("expected 32 bytes in base64; `openssl rand -base64 32` makes some".to_owned()),
    }
}

pub(super) fn brand_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err("expected 1 to 100 characters on one line".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let single = |address: std::net::IpAddr| ipnet::IpNet::from(address);
    text.parse()
        .or_else(|_| text.parse().map(single))
        .map_err(|_| "expected an address or a network such as 10.0.0.0/8".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "the bounds are numbers")]
pub(super) fn between<N: FromStr + PartialOrd + fmt::Display>(
    text: &str,
    low: N,
    high: N,
) -> Result<N, String> {
    match text.parse::<N>() {
        Ok(number) if number >= low && number <= high => Ok(number),
        Ok(_) | Err(_) => Err(format!("expected a whole number from {low} to {high}")),
    }
}

pub(super) fn hash_threads(text: &str) -> Result<usize, String> {
    match text {
        // One processor stays free, so that hashing never starves the token endpoint.
        "auto" => Ok(
            std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).max(1))
        ),
        _ => between(text, 1, 1024).map_err(|expected| format!("{expected}, or auto")),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}
