//! Waiting for what must hold soon, on a machine that may be busy.

use std::time::{Duration, Instant};

/// Asks again until the answer is yes, at most `bound`. On a busy machine a single question takes long, and what is
/// asked about has to share that machine: twenty times the slowest question is allowed on top.
pub(crate) async fn within(bound: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        if is_so().await {
            return;
        }
        slowest = slowest.max(asked.elapsed());
        let waited = began.elapsed();
        assert!(
            waited < bound + slowest * 20,
            "{what}: not after {waited:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
