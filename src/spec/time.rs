//! Time as one integer that sorts, and the clock that hands it in.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant: microseconds since the Unix epoch.
///
/// One integer on both engines, because a text form of time does not sort on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub i64);

impl Ts {
    /// The instant `secs` whole seconds after the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since the Unix epoch, rounded down: a JWT's `NumericDate` (RFC 7519 §2).
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant, later by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This instant, earlier by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// How long `earlier` lies back; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 text with its time zone, such as `2027-01-01T00:00:00Z`.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let micros = i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
        Some(Self(micros))
    }

    /// This instant as RFC 3339 text in UTC, to the second.
    #[must_use]
    pub fn rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp(self.secs())
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.secs().to_string())
    }

    /// This instant as RFC 3339 text in UTC, to the microsecond, always of the same length.
    #[must_use]
    pub fn rfc3339_micros(self) -> String {
        let seconds = self.rfc3339();
        let whole = seconds.trim_end_matches('Z');
        format!("{whole}.{:06}Z", self.0.rem_euclid(1_000_000))
    }
}

fn micros(by: Duration) -> i64 {
    i64::try_from(by.as_micros()).unwrap_or(i64::MAX)
}

/// Where requests read the time, once each.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    #[cfg(test)]
    Fixed(std::sync::Arc<std::sync::atomic::AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is told otherwise through the shared cell (microseconds).
    #[cfg(test)]
    #[must_use]
    pub const fn fixed(at: std::sync::Arc<std::sync::atomic::AtomicI64>) -> Self {
        Self(Source::Fixed(at))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Ts {
        match &self.0 {
            Source::System => {
                let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
                Ts(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
            }
            #[cfg(test)]
            Source::Fixed(at) => Ts(at.load(std::sync::atomic::Ordering::SeqCst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_and_differences_never_go_negative() {
        let at = Ts(1_999_999);
        assert_eq!(at.secs(), 1);
        assert_eq!(Ts(0).since(at), Duration::ZERO);
        assert_eq!(at.since(Ts(999_999)), Duration::from_secs(1));
        assert_eq!(Ts::from_secs(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(at.rfc3339_micros(), "1970-01-01T00:00:01.999999Z");
        assert_eq!(Ts(-1).rfc3339_micros(), "1969-12-31T23:59:59.999999Z");
        let noon = Ts::parse_rfc3339("1970-01-01T12:00:00.000001+12:00");
        assert_eq!(noon, Some(Ts(1)));
        for broken in ["1970-01-01T12:00:00", "1970-01-01", "noon", ""] {
            assert_eq!(Ts::parse_rfc3339(broken), None, "{broken}");
        }
    }
}
