//! Refusals are counted and logged, a flood of them as one line.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::rate::{Mark, Rule};
use crate::spec::time::Ts;
use crate::telemetry::metrics;

/// How many lines are written: ten at once, then one every five seconds.
const LINES: Rule = Rule::Rate {
    burst: 10,
    every: Duration::from_secs(5),
};

pub(super) struct Log {
    began: Instant,
    state: Mutex<(Option<Mark>, u64)>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            state: Mutex::default(),
        }
    }
}

impl Log {
    /// Notes one refusal.
    pub(super) fn refused(&self, policy: &'static str, wait: Duration) {
        metrics::rate_limited(policy);
        if let Some(unsaid) = self.line(Ts(0).plus(self.began.elapsed())) {
            let seconds = wait.as_secs().saturating_add(1);
            tracing::warn!(
                policy,
                seconds,
                unsaid,
                "refused for {seconds} s: too many requests under the policy {policy} ({unsaid} more refusals were not logged)"
            );
        }
    }

    /// How many were not logged, if this one is.
    fn line(&self, now: Ts) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(mark) = LINES.take(state.0, now) {
            let unsaid = state.1;
            *state = (Some(mark), 0);
            Some(unsaid)
        } else {
            state.1 = state.1.saturating_add(1);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_few_lines() {
        let log = Log::default();
        let lines: Vec<u64> = (0..100_000)
            .filter_map(|n: i64| log.line(Ts(n * 100)))
            .collect();
        assert!((10..=13).contains(&lines.len()), "{lines:?}");
        assert!(lines.iter().sum::<u64>() > 40_000);
    }
}
