//! Whether this instance should get requests.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long one check may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// One question to one component; the error says in plain words what is not ready.
pub type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Makes a [`Check`] of an async closure.
pub fn check<F, Fut>(ask: F) -> Check
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || Box::pin(ask()))
}

/// All components that must work before requests make sense.
#[derive(Clone)]
pub struct Readiness {
    checks: Arc<[(&'static str, Check)]>,
    shutdown: CancellationToken,
    patience: Duration,
}

impl Readiness {
    /// Ready when every check passes and `shutdown` has not begun.
    pub fn new(checks: Vec<(&'static str, Check)>, shutdown: CancellationToken) -> Self {
        Self {
            checks: checks.into(),
            shutdown,
            patience: PATIENCE,
        }
    }

    /// Asks every component, all at the same time.
    pub async fn report(&self) -> Report {
        let mut asked = JoinSet::new();
        for (name, check) in self.checks.iter() {
            let (name, answer, patience) = (*name, check(), self.patience);
            asked.spawn(async move { (name, tokio::time::timeout(patience, answer).await) });
        }
        // A check that panics never answers; it stays what it is said to be here.
        let mut checks: BTreeMap<&'static str, String> = self
            .checks
            .iter()
            .map(|(name, _)| (*name, "the check failed".to_owned()))
            .collect();
        while let Some(answer) = asked.join_next().await {
            if let Ok((name, answer)) = answer {
                let text = match answer {
                    Ok(Ok(())) => "ok".to_owned(),
                    Ok(Err(reason)) => reason,
                    Err(_) => format!("no answer within {:?}", self.patience),
                };
                checks.insert(name, text);
            }
        }
        if self.shutdown.is_cancelled() {
            checks.insert("shutdown", "shutting down".to_owned());
        }
        let ready = checks.values().all(|answer| answer == "ok");
        Report {
            status: if ready { "ready" } else { "not ready" },
            checks,
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.checks.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ready` or `not ready`.
    pub status: &'static str,
    /// Per component `ok`, or what is wrong.
    pub checks: BTreeMap<&'static str, String>,
}

impl Report {
    /// Whether requests should come.
    pub fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_says_what_is_not_ready() {
        let checks = vec![
            ("database", check(|| async { Ok(()) })),
            (
                "redis",
                check(|| async { Err("connection refused".to_owned()) }),
            ),
            ("keys", check(|| async { std::future::pending().await })),
            ("broken", check(|| async { panic!("no") })),
        ];
        let mut readiness = Readiness::new(checks, CancellationToken::new());
        readiness.patience = Duration::from_millis(20);
        let report = readiness.report().await;
        assert!(!report.is_ready());
        let texts: Vec<&str> = report.checks.values().map(String::as_str).collect();
        assert_eq!(
            texts,
            [
                "the check failed",
                "ok",
                "no answer within 20ms",
                "connection refused"
            ]
        );
    }

    #[tokio::test]
    async fn an_instance_that_shuts_down_is_not_ready() {
        let shutdown = CancellationToken::new();
        let readiness = Readiness::new(
            vec![("database", check(|| async { Ok(()) }))],
            shutdown.clone(),
        );
        assert!(readiness.report().await.is_ready());
        shutdown.cancel();
        assert!(!readiness.report().await.is_ready());
    }
}
