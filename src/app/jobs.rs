//! Everything that a server does beside the requests: one list of jobs.
//!
//! A job is a turn that is taken again and again. A turn that fails is logged once and tried again later; one that
//! panics ends, and neither the job nor the others end with it. `/metrics` says of each job when it last succeeded, how
//! often it failed and how long its turns take.

mod runner;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::audit::{linker, retention};
use crate::service::outbox::{self, Outbox};
use crate::service::tokens::keys;
use crate::service::{Services, administration, decisions, registry};
use crate::store::revocations;
use crate::telemetry::metrics;
use runner::{Failure, Job, NextTurn, Running};

/// How often gauges and histograms are brought up to date.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// How often rows that are of no use any more are deleted, and how soon again while there are many.
const SWEEP_EVERY: Duration = Duration::from_secs(20);
const SWEEP_ON: Duration = Duration::from_secs(1);

/// At most so many rows of each kind are deleted in one sweep.
const SWEPT: i64 = 500;

/// How soon more messages of the version before this one are moved while there are many.
const ADOPT_ON: Duration = Duration::from_millis(50);

/// Ended rows stay this long, so that a replay is still told apart from garbage when clocks disagree.
const ENDED_STAY: Duration = Duration::from_hours(1);

/// How long stopping waits for messages that are on their way.
const SENDING_GRACE: Duration = Duration::from_secs(6);

/// How long stopping waits for the last audit events to be written.
const LINKING_GRACE: Duration = Duration::from_secs(30);

/// The jobs of a server, running.
pub struct Jobs(Running);

impl Jobs {
    /// Starts every job, until `stop`.
    pub fn start(services: &Arc<Services>, stop: &CancellationToken) -> Self {
        Self(Running::start(list(services), stop))
    }

    /// Waits for the jobs that must finish. Call it after the last request was answered: every request may leave
    /// audit events, and those are linked last.
    pub async fn finish(self) {
        self.0.finish().await;
    }
}

/// Every job. What a turn does stands in `service`; how often, and what happens at the end, stands here.
fn list(services: &Arc<Services>) -> Vec<Job> {
    let outbox = Arc::new(Outbox::new(Arc::clone(services), services.clock.clone()));
    let mut jobs = vec![
        Job::new(
            "signing_keys",
            keys::REFRESH_EVERY,
            "signing keys cannot be made, rotated or read; the ones in memory go on",
            with(services, |services| async move {
                usual(services.keys.look_after(services.clock.now()).await)
            }),
        ),
        Job::new(
            "policies",
            decisions::LOOK_EVERY,
            "decisions go on by the policies as they were read last, for a few seconds",
            with(services, |services| async move {
                usual(services.decisions.refresh().await)
            }),
        ),
        Job::new(
            "policies_anew",
            decisions::KEPT_FOR,
            "the policies are not read anew",
            with(services, |services| async move {
                usual(services.decisions.read_anew().await)
            }),
        )
        .starts_later(),
        Job::new(
            "sweep",
            SWEEP_EVERY,
            "rows of what has ended are not deleted",
            with(services, sweep),
        )
        .patience(Duration::from_mins(1)),
        Job::new(
            "metrics",
            METRICS_EVERY,
            "metrics are not brought up to date",
            with(services, update_metrics),
        ),
        // Named after the first kind of message, as dashboards know them.
        Job::new(
            "webhooks",
            outbox::EVERY,
            "messages to webhooks wait",
            with(&outbox, |outbox| async move { usual(outbox.turn().await) }),
        )
        .wakes(with(&outbox, |outbox| async move { outbox.woken().await }))
        .finishes(
            SENDING_GRACE,
            with(&outbox, |outbox| async move {
                outbox.drain().await;
                Ok(NextTurn::Usual)
            }),
        ),
        Job::new(
            "webhooks_tidy",
            outbox::TIDY_EVERY,
            "old messages are not deleted, and webhooks for which too much waits are not disabled",
            with(&outbox, |outbox| async move {
                usual(outbox.tidy(outbox::MOST_WAITING).await)
            }),
        ),
        Job::new(
            "webhooks_adopt",
            outbox::EVERY,
            "what an instance of the version before this one wrote for webhooks waits",
            with(services, adopt),
        ),
        Job::new(
            "audit_retention",
            retention::EVERY,
            "old audit events are not removed",
            with(services, trim_audit),
        ),
        Job::new(
            "audit_linking",
            linker::EVERY,
            "audit events wait to be linked",
            with(services, |services| async move {
                usual(linker::turn(&services).await)
            }),
        )
        .wakes(with(services, |services| async move {
            services.audit.filled().await;
        }))
        .finishes(
            LINKING_GRACE,
            with(services, |services| async move {
                usual(linker::flush(&services).await)
            }),
        )
        .after_requests(),
    ];
    if services.revocations.has_copy() {
        jobs.push(revocations_copy(services));
    }
    jobs
}

fn revocations_copy(services: &Arc<Services>) -> Job {
    Job::new(
        "revocations_copy",
        revocations::COPY_EVERY,
        "the copy of revocations in Redis is not kept; checks are answered from SQL",
        with(services, |services| async move {
            usual(services.revocations.keep_copy().await)
        }),
    )
    .wakes(with(services, |services| async move {
        services.revocations.copy_failed().await;
    }))
}

/// Deletes a few rows that are of no use any more.
async fn sweep(services: Arc<Services>) -> Result<NextTurn, Failure> {
    services.limits.sweep();
    let now = services.clock.now();
    let mut gone = services.store.sweep(now.minus(ENDED_STAY)).await?;
    gone += services.revocations.purge_expired(now, SWEPT).await?;
    gone += services.replay.purge_expired(now, SWEPT).await?;
    let forgotten = now.minus(administration::KEPT_FOR);
    gone += services.store.forget_answers(forgotten, SWEPT).await?;
    gone += registry::client_secrets::key_bare_ones(&services, now).await?;
    let full = i64::try_from(gone).is_ok_and(|gone| gone >= SWEPT);
    Ok(if full {
        NextTurn::After(SWEEP_ON)
    } else {
        NextTurn::Usual
    })
}

/// Moves some messages of the version before this one, and soon the next ones.
async fn adopt(services: Arc<Services>) -> Result<NextTurn, Failure> {
    Ok(if outbox::adopt(&services).await? {
        NextTurn::After(ADOPT_ON)
    } else {
        NextTurn::Usual
    })
}

/// Brings gauges and histograms up to date.
async fn update_metrics(services: Arc<Services>) -> Result<NextTurn, Failure> {
    #[expect(clippy::cast_precision_loss, reason = "a queue is short")]
    metrics::password_hash_queue().set(services.passwords.queue_depth() as f64);
    metrics::upkeep();
    Ok(NextTurn::Usual)
}

/// Removes one piece of old audit events, and soon the next one.
async fn trim_audit(services: Arc<Services>) -> Result<NextTurn, Failure> {
    Ok(if retention::turn(&services).await? {
        NextTurn::After(linker::EVERY)
    } else {
        NextTurn::Usual
    })
}

/// An act on something shared, again and again.
fn with<T, F, A: Fn(Arc<T>) -> F>(what: &Arc<T>, act: A) -> impl Fn() -> F + use<T, F, A> {
    let what = Arc::clone(what);
    move || act(Arc::clone(&what))
}

/// A turn after which the job pauses as usual.
fn usual(done: Result<(), impl Into<Failure>>) -> Result<NextTurn, Failure> {
    done.map(|()| NextTurn::Usual).map_err(Into::into)
}
