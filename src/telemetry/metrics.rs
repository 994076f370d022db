//! Metrics in Prometheus' text format.
//!
//! Call sites hold handles (`metrics::Counter` and friends are one atomic behind an `Arc`), so that
//! counting costs nanoseconds: labels are looked up once, when a handle is made. Every label has a
//! bounded set of values: routes are templates (`/v1/users/{id}`), never paths.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds. A static document takes microseconds and a password hash a few hundred milliseconds.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Seconds. A job's turn finds nothing to do in a millisecond, or is stopped by a slow database.
const JOB_BUCKETS: [f64; 6] = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts collecting, once for the process; later calls do nothing.
///
/// Handles made before this call count into nothing, so call it before the router is built.
pub fn install() -> Result<(), BuildError> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("signet_http_request_seconds".to_owned()),
            &BUCKETS,
        )?
        .set_buckets_for_metric(Matcher::Full("signet_job_seconds".to_owned()), &JOB_BUCKETS)?;
    match builder.install_recorder() {
        Ok(handle) => {
            // Losing this race would mean that another recorder was installed, which is an error.
            let _ = RECORDER.set(handle);
            describe();
            gauge!("process_start_time_seconds").set(unix_time());
            Ok(())
        }
        Err(_) if RECORDER.get().is_some() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Everything collected so far; empty when [`install`] was not called.
pub fn render() -> String {
    let Some(handle) = RECORDER.get() else {
        return String::new();
    };
    if let Some(bytes) = resident_memory() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Prometheus counts in f64; 2^53 bytes are enough"
        )]
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    handle.render()
}

/// Folds recorded samples into their buckets. [`render`] does it too: call this every few seconds
/// so that memory stays bounded when nothing scrapes.
pub fn upkeep() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// Counts one issued access token.
pub fn token_issued(grant_type: &str) {
    static HANDLES: LazyLock<Labelled> =
        LazyLock::new(|| Labelled::new("signet_tokens_issued_total", "grant_type"));
    HANDLES.of(grant_type).increment(1);
}

/// Counts one redemption of a code or refresh token: `advanced`, `retry`, `replayed`, …
pub fn grant_redeemed(outcome: &str) {
    static HANDLES: LazyLock<Labelled> =
        LazyLock::new(|| Labelled::new("signet_grant_redemptions_total", "outcome"));
    HANDLES.of(outcome).increment(1);
}

/// Counts one revocation: `token`, `grant`, `session`, `user`, `client`.
pub fn revoked(kind: &str) {
    static HANDLES: LazyLock<Labelled> =
        LazyLock::new(|| Labelled::new("signet_revocations_total", "kind"));
    HANDLES.of(kind).increment(1);
}

/// Counts one attempt to sign in: `success`, `wrong_password`, `disabled`, `overloaded`, …
pub fn login(outcome: &str) {
    static HANDLES: LazyLock<Labelled> =
        LazyLock::new(|| Labelled::new("signet_logins_total", "outcome"));
    HANDLES.of(outcome).increment(1);
}

/// Counts one request that was refused because there were too many, by the name of the policy.
pub fn rate_limited(policy: &str) {
    static HANDLES: LazyLock<Labelled> =
        LazyLock::new(|| Labelled::new("signet_rate_limited_total", "policy"));
    HANDLES.of(policy).increment(1);
}

/// Counts audit events that were dropped because too many waited.
pub fn audit_dropped() -> &'static Counter {
    static HANDLE: LazyLock<Counter> =
        LazyLock::new(|| counter!("signet_audit_events_dropped_total"));
    &HANDLE
}

/// The number of passwords that wait to be hashed.
pub fn password_hash_queue() -> &'static Gauge {
    static HANDLE: LazyLock<Gauge> = LazyLock::new(|| gauge!("signet_password_hash_queue"));
    &HANDLE
}

/// The number of open connections of the public listener.
pub fn open_connections() -> &'static Gauge {
    static HANDLE: LazyLock<Gauge> = LazyLock::new(|| gauge!("signet_http_connections"));
    &HANDLE
}

/// Counts one answered request. `route` is a template, never a path: it must come from a bounded set.
pub fn http_request(route: &str, method: &'static str, status: u16, took: Duration) {
    static ROUTES: LazyLock<RwLock<HashMap<Box<str>, Arc<Route>>>> = LazyLock::new(RwLock::default);
    let known = ROUTES
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(route)
        .cloned();
    let route = known.unwrap_or_else(|| {
        let mut routes = ROUTES.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            routes
                .entry(route.into())
                .or_insert_with(|| Arc::new(Route::new(route))),
        )
    });
    route.record(method, status, took);
}

/// What is counted of one background job.
pub struct JobMetrics {
    seconds: Histogram,
    failures: Counter,
    succeeded: Gauge,
}

impl JobMetrics {
    /// The handles of a job; its name must come from a bounded set.
    pub fn new(job: &'static str) -> Self {
        let failures = counter!("signet_job_failures_total", "job" => job);
        // So that the series is there before the first failure.
        failures.increment(0);
        Self {
            seconds: histogram!("signet_job_seconds", "job" => job),
            failures,
            succeeded: gauge!("signet_job_last_success_timestamp_seconds", "job" => job),
        }
    }

    /// Records how long a turn took.
    pub fn took(&self, took: Duration) {
        self.seconds.record(took.as_secs_f64());
    }

    /// Notes that a turn has just succeeded.
    pub fn succeeded(&self) {
        self.succeeded.set(unix_time());
    }

    /// Counts a turn that failed or panicked.
    pub fn failed(&self) {
        self.failures.increment(1);
    }
}

/// What is counted of one kind of message in the outbox.
pub struct OutboxMetrics {
    waiting: Gauge,
    delivered: Counter,
    retried: Counter,
    failed: Counter,
}

impl OutboxMetrics {
    /// The handles of a kind; its name must come from a bounded set.
    pub fn new(kind: &'static str) -> Self {
        let metrics = Self {
            waiting: gauge!("signet_outbox_waiting", "kind" => kind),
            delivered: counter!("signet_outbox_delivered_total", "kind" => kind),
            retried: counter!("signet_outbox_retried_total", "kind" => kind),
            failed: counter!("signet_outbox_failed_total", "kind" => kind),
        };
        // So that the series are there before the first message.
        for counter in [&metrics.delivered, &metrics.retried, &metrics.failed] {
            counter.increment(0);
        }
        metrics
    }

    /// Sets the number of messages that wait, in the store that all instances share.
    pub fn waiting(&self, count: i64) {
        #[expect(clippy::cast_precision_loss, reason = "2^53 messages are enough")]
        self.waiting.set(count as f64);
    }

    /// Counts a message that was delivered.
    pub fn delivered(&self) {
        self.delivered.increment(1);
    }

    /// Counts an attempt that failed and is repeated.
    pub fn retried(&self) {
        self.retried.increment(1);
    }

    /// Counts messages that were given up.
    pub fn failed(&self, count: u64) {
        self.failed.increment(count);
    }
}

struct Route {
    name: Box<str>,
    seconds: Histogram,
    requests: RwLock<HashMap<(&'static str, u16), Counter>>,
}

impl Route {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            seconds: histogram!("signet_http_request_seconds", "route" => name.to_owned()),
            requests: RwLock::default(),
        }
    }

    fn record(&self, method: &'static str, status: u16, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        {
            let requests = self.requests.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(counter) = requests.get(&(method, status)) {
                counter.increment(1);
                return;
            }
        }
        let counter = counter!(
            "signet_http_requests_total",
            "route" => self.name.to_string(), "method" => method, "status" => status.to_string()
        );
        counter.increment(1);
        self.requests
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((method, status), counter);
    }
}

/// Counters of one metric with one label.
struct Labelled {
    metric: &'static str,
    label: &'static str,
    handles: RwLock<HashMap<Box<str>, Counter>>,
}

impl Labelled {
    fn new(metric: &'static str, label: &'static str) -> Self {
        Self {
            metric,
            label,
            handles: RwLock::default(),
        }
    }

    fn of(&self, value: &str) -> Counter {
        let known = self
            .handles
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(value)
            .cloned();
        known.unwrap_or_else(|| {
            let counter = counter!(self.metric, self.label => value.to_owned());
            let mut handles = self.handles.write().unwrap_or_else(PoisonError::into_inner);
            handles.entry(value.into()).or_insert(counter).clone()
        })
    }
}

fn describe() {
    describe_counter!(
        "signet_http_requests_total",
        "Answered requests by route, method and status"
    );
    describe_histogram!(
        "signet_http_request_seconds",
        "Seconds from a request's header to its answer"
    );
    describe_gauge!(
        "signet_http_connections",
        "Open connections of the public listener"
    );
    describe_counter!(
        "signet_tokens_issued_total",
        "Access tokens issued by grant type"
    );
    describe_counter!(
        "signet_grant_redemptions_total",
        "Codes and refresh tokens presented, by outcome"
    );
    describe_counter!(
        "signet_revocations_total",
        "Revocations by what was revoked"
    );
    describe_gauge!(
        "signet_password_hash_queue",
        "Passwords waiting to be hashed"
    );
    describe_counter!(
        "signet_audit_events_dropped_total",
        "Audit events dropped because too many waited"
    );
    describe_counter!("signet_logins_total", "Attempts to sign in by outcome");
    describe_counter!(
        "signet_rate_limited_total",
        "Requests refused because there were too many, by policy"
    );
    describe_histogram!(
        "signet_job_seconds",
        "Seconds that one turn of a background job took"
    );
    describe_counter!(
        "signet_job_failures_total",
        "Turns of a background job that failed or panicked"
    );
    describe_gauge!(
        "signet_job_last_success_timestamp_seconds",
        "When a background job last succeeded, in seconds since 1970"
    );
    describe_gauge!(
        "signet_outbox_waiting",
        "Messages that wait to be sent, by kind; every instance tells the same number"
    );
    describe_counter!(
        "signet_outbox_delivered_total",
        "Messages that were delivered, by kind"
    );
    describe_counter!(
        "signet_outbox_retried_total",
        "Attempts to send a message that failed and are repeated, by kind"
    );
    describe_counter!(
        "signet_outbox_failed_total",
        "Messages that were given up, by kind"
    );
    describe_gauge!(
        "process_resident_memory_bytes",
        "Resident memory of this process in bytes"
    );
    describe_gauge!(
        "process_start_time_seconds",
        "When this process started, in seconds since 1970"
    );
}

fn unix_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// Linux tells resident memory in `/proc/self/status`, in KiB; elsewhere there is no figure.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        install().unwrap();
        install().unwrap();
        http_request("/token", "POST", 200, Duration::from_millis(3));
        http_request("/token", "POST", 400, Duration::from_millis(3));
        token_issued("of_this_test");
        token_issued("of_this_test");
        login("success");
        password_hash_queue().set(3.0);
        upkeep();
        let text = render();
        for line in [
            r#"signet_http_requests_total{route="/token",method="POST",status="200"} 1"#,
            r#"signet_http_request_seconds_bucket{route="/token",le="0.0025"} 0"#,
            r#"signet_http_request_seconds_count{route="/token"} 2"#,
            r#"signet_tokens_issued_total{grant_type="of_this_test"} 2"#,
            "signet_password_hash_queue 3",
            "# TYPE signet_logins_total counter",
            "process_resident_memory_bytes ",
            "process_start_time_seconds 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
