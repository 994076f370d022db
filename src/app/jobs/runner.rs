//! The machine that runs jobs: turns and pauses, failures, panics, metrics, and the end.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::JobMetrics;

/// The first pause after a failure is no longer; it doubles with every further failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Why a turn failed; it is shown in the log.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a turn came to.
pub(super) type Turn = Result<NextTurn, Failure>;

/// When a job has its next turn, unless it is woken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextTurn {
    /// After its usual pause.
    Usual,
    /// After this pause.
    After(Duration),
}

// Boxed, because a list holds jobs whose futures have different types.
type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Act<T> = Box<dyn Fn() -> Work<T> + Send + Sync>;

/// One thing that is done beside the requests, again and again.
pub(super) struct Job {
    name: &'static str,
    every: Duration,
    patience: Duration,
    failing: &'static str,
    starts_later: bool,
    after_requests: bool,
    grace: Duration,
    turn: Act<Turn>,
    wake: Option<Act<()>>,
    last: Option<Act<Turn>>,
}

impl Job {
    /// A job that has its first turn at once and then one every so often. `failing` says in the log what it means
    /// that a turn failed. When the process stops, its turn is dropped.
    pub(super) fn new<F>(
        name: &'static str,
        every: Duration,
        failing: &'static str,
        turn: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Turn> + Send + 'static,
    {
        Self {
            name,
            every,
            patience: every.max(FIRST_RETRY),
            failing,
            starts_later: false,
            after_requests: false,
            grace: Duration::ZERO,
            turn: Box::new(move || Box::pin(turn())),
            wake: None,
            last: None,
        }
    }

    /// Has its first turn only after one pause.
    pub(super) fn starts_later(self) -> Self {
        Self {
            starts_later: true,
            ..self
        }
    }

    /// Has a turn as soon as `wake` returns, if the last turn did not fail.
    pub(super) fn wakes<F>(self, wake: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            wake: Some(Box::new(move || Box::pin(wake()))),
            ..self
        }
    }

    /// The longest pause while it fails.
    pub(super) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Must finish when the process stops: its turn goes on, and `last` is done after it, each within `grace`.
    pub(super) fn finishes<F>(
        self,
        grace: Duration,
        last: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Turn> + Send + 'static,
    {
        Self {
            grace,
            last: Some(Box::new(move || Box::pin(last()))),
            ..self
        }
    }

    /// Goes on until the last request was answered and the other jobs have ended.
    pub(super) fn after_requests(self) -> Self {
        Self {
            after_requests: true,
            ..self
        }
    }
}

/// Jobs that are running.
pub(super) struct Running {
    beside: JoinSet<()>,
    after: JoinSet<()>,
    stop_after: CancellationToken,
}

impl Running {
    /// Starts every job. With `stop` all stop but those that go on [after the requests](Job::after_requests).
    pub(super) fn start(jobs: Vec<Job>, stop: &CancellationToken) -> Self {
        let mut running = Self {
            beside: JoinSet::new(),
            after: JoinSet::new(),
            stop_after: CancellationToken::new(),
        };
        for job in jobs {
            if job.after_requests {
                let stop = running.stop_after.clone();
                running.after.spawn(run(job, stop));
            } else {
                running.beside.spawn(run(job, stop.clone()));
            }
        }
        running
    }

    /// Waits for what must finish. Call it after `stop`, when the last request was answered.
    pub(super) async fn finish(mut self) {
        while self.beside.join_next().await.is_some() {}
        self.stop_after.cancel();
        while self.after.join_next().await.is_some() {}
    }
}

async fn run(job: Job, stop: CancellationToken) {
    let metrics = JobMetrics::new(job.name);
    let mut streak = Streak::default();
    let mut pause = if job.starts_later {
        Some(job.every)
    } else {
        None
    };
    loop {
        if let Some(pause) = pause {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(pause) => {}
                () = woken(&job), if streak.failures == 0 => {}
            }
        }
        if stop.is_cancelled() {
            break;
        }
        let Some(turn) = take_turn(&job, (job.turn)(), &metrics, &stop).await else {
            return;
        };
        pause = Some(streak.note(&job, &metrics, turn));
    }
    if let Some(last) = &job.last
        && let Some(turn) = take_turn(&job, last(), &metrics, &stop).await
    {
        streak.note(&job, &metrics, turn);
    }
}

async fn woken(job: &Job) {
    match &job.wake {
        Some(wake) => wake().await,
        None => std::future::pending().await,
    }
}

/// How a turn ended that was not dropped.
enum Ended {
    Done(NextTurn),
    Failed(String),
    Panicked(String),
}

/// Runs one turn in a task of its own, so that a panic ends the turn and not the job; `None` if it was dropped because
/// the process stops and it did not finish within the job's grace.
async fn take_turn(
    job: &Job,
    turn: Work<Turn>,
    metrics: &JobMetrics,
    stop: &CancellationToken,
) -> Option<Ended> {
    let began = Instant::now();
    let mut task = tokio::spawn(turn);
    let too_late = async {
        stop.cancelled().await;
        sleep(job.grace).await;
    };
    let ended = tokio::select! {
        ended = &mut task => ended,
        () = too_late => {
            task.abort();
            // What it holds is given back before the store is closed.
            let _ = task.await;
            if !job.grace.is_zero() {
                tracing::warn!(job.name = job.name, "job {} did not finish within {:?} and was ended", job.name, job.grace);
            }
            return None;
        }
    };
    metrics.took(began.elapsed());
    Some(match ended {
        Ok(Ok(next)) => Ended::Done(next),
        Ok(Err(error)) => Ended::Failed(error.to_string()),
        Err(error) => Ended::Panicked(message(error)),
    })
}

/// What a panic said.
fn message(error: JoinError) -> String {
    let text = |panic: Box<dyn Any + Send>| {
        let fixed = panic.downcast_ref::<&'static str>().copied();
        let made = panic.downcast_ref::<String>().map(String::as_str);
        fixed.or(made).unwrap_or("no message").to_owned()
    };
    error
        .try_into_panic()
        .map_or_else(|error| error.to_string(), text)
}

/// Failures in a row.
#[derive(Default)]
struct Streak {
    failures: u32,
    /// What was logged last: the same failure is logged once, not with every turn.
    logged: Option<String>,
}

impl Streak {
    /// Counts and logs how a turn ended; how long the job pauses.
    fn note(&mut self, job: &Job, metrics: &JobMetrics, turn: Ended) -> Duration {
        let (error, panicked) = match turn {
            Ended::Done(next) => {
                metrics.succeeded();
                if self.failures > 0 {
                    tracing::info!(job.name = job.name, "job {} works again", job.name);
                }
                *self = Self::default();
                return match next {
                    NextTurn::Usual => job.every,
                    NextTurn::After(pause) => pause,
                };
            }
            Ended::Failed(error) => (error, false),
            Ended::Panicked(error) => (error, true),
        };
        metrics.failed();
        if self.logged.as_ref() != Some(&error) {
            let (name, failing) = (job.name, job.failing);
            if panicked {
                tracing::error!(job.name = name, %error, "job {name} panicked and runs again: {failing}");
            } else {
                tracing::warn!(job.name = name, %error, "job {name} failed and is tried again: {failing}");
            }
            self.logged = Some(error);
        }
        let doubled = 2_u32.saturating_pow(self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let pause = job.every.min(FIRST_RETRY).saturating_mul(doubled);
        pause.min(job.patience)
    }
}
