//! Logs.
//!
//! They go to standard error, one event a line, so that standard output stays for what a command
//! was asked to print (`signet client list --json | jq`).

use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("expected auto, pretty or json".to_owned()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}

/// Checks a filter such as `info` or `info,signet=debug` and gives it back.
pub fn parse_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a filter such as info or info,signet=debug".to_owned()),
    }
}

/// Starts logging for the whole process; fails when it was started before.
///
/// A filter that [`parse_filter`] would refuse is replaced by `info`.
pub fn init(log: &str, format: LogFormat) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder()
        .parse(log)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !terminal,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if json {
        // `flatten_event` puts our fields at the top, where log stores index them; all spans are
        // listed, as the request id is in the outermost one.
        let layer = layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true);
        registry.with(layer).try_init()
    } else {
        registry
            .with(layer.compact().with_ansi(terminal))
            .try_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in [LogFormat::Auto, LogFormat::Pretty, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("yaml".parse::<LogFormat>().is_err());
    }

    #[test]
    fn filters() {
        assert!(parse_filter("info,signet::http=debug").is_ok());
        assert!(parse_filter("signet=loud").is_err());
    }

    #[test]
    fn a_second_start_is_an_error_and_no_panic() {
        let _ = init("off", LogFormat::Json);
        assert!(init("off", LogFormat::Pretty).is_err());
    }
}
