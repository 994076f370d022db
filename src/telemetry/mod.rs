//! What Signet says about itself: logs on standard error, metrics for Prometheus.

pub mod logs;
pub mod metrics;

pub use logs::{LogFormat, init, parse_filter};
