//! Retention: whole beginnings of the chain are forgotten, never single events.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::LinkError;
use super::statement::Statement;
use super::verify::{Broken, check_event, read_base};
use crate::domain::audit::{Event, EventType, Link, Origin};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::audit::chain::Head;
use crate::store::db::Tx;

/// How often retention looks for events that are old enough.
pub const EVERY: Duration = Duration::from_mins(10);

/// At most so many events are removed in one transaction.
const TRIM: i64 = 1000;

/// How far retention came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trimmed {
    /// There may be more to remove.
    More,
    /// There is nothing more to remove.
    Done,
    /// Nothing was removed, because the trail is not as Signet wrote it.
    Refused(Broken),
}

/// One turn of retention: removes one piece of the chain that is old enough; whether there may be more.
pub async fn turn(services: &Services) -> Result<bool, LinkError> {
    let refused = &services.audit.refused;
    match trim(services, services.clock.now()).await? {
        Trimmed::More => Ok(true),
        Trimmed::Done => {
            refused.store(false, Ordering::Relaxed);
            Ok(false)
        }
        Trimmed::Refused(broken) => {
            if !refused.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    "no audit events are removed, although audit_retention says so, because the trail was \
                     changed: {broken}"
                );
            }
            Ok(false)
        }
    }
}

/// Removes a beginning of the chain that is older than the configuration says, at most [`TRIM`] events; leaves a
/// signed base and an event in the same transaction.
pub(super) async fn trim(services: &Services, now: Ts) -> Result<Trimmed, LinkError> {
    let keep = services.config.audit_retention;
    if keep.is_zero() {
        return Ok(Trimmed::Done);
    }
    let cutoff = now.minus(keep);
    let audit = &services.audit;
    let mut tx = services.store.db().begin().await?;
    let mut head = tx.lock_audit_head().await?;
    // The linker finds that and says so.
    if !audit.is_sealed(&head) {
        return Ok(Trimmed::Done);
    }
    let (last, at) = match find_old(services, &mut tx, &head, cutoff).await? {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Trimmed::Done),
        Err(broken) => return Ok(Trimmed::Refused(broken)),
    };
    let first = tx.first_checkpoint_after(last.position).await?;
    let first = first.unwrap_or(head.checkpoint.saturating_add(1));
    let base = Statement::new(first, last, now);
    let base = audit.statements.sign_base(&base)?;
    let removed = last.position - head.base;
    tx.trim_audit(last.position, &base).await?;
    let event = Event::new(EventType::AuditTrimmed, &Origin::system(), now)
        .target("audit_events", &last.position)
        .detail("removed", removed)
        .detail("until", at.rfc3339_micros());
    tx.record_event(&event).await?;
    head.base = last.position;
    head.seal = Some(audit.sealed(&head));
    tx.save_audit_head(&head).await?;
    tx.commit().await?;
    tracing::info!(
        "removed {removed} audit events until {}: audit_retention",
        at.rfc3339()
    );
    Ok(if removed == TRIM {
        Trimmed::More
    } else {
        Trimmed::Done
    })
}

/// The last of the first events that are older than `cutoff`, and its time. Every event up to there is checked first:
/// no column is believed that the chain does not vouch for, or an attacker who sets `at` back has Signet remove events.
async fn find_old(
    services: &Services,
    tx: &mut Tx,
    head: &Head,
    cutoff: Ts,
) -> Result<Result<Option<(Link, Ts)>, Broken>, LinkError> {
    let bound = match find_bound(services, tx, head).await? {
        Ok(bound) => bound,
        Err(broken) => return Ok(Err(broken)),
    };
    let base = tx.audit_base().await?;
    let mut last = match read_base(&services.audit, base, head) {
        Ok((link, _)) => link,
        Err(broken) => return Ok(Err(broken)),
    };
    let mut old = None;
    for event in tx.list_chain(head.base, TRIM).await? {
        last = last.next(&event.body);
        // After this the column says the same as the text, which the hash covers.
        if let Err(broken) = check_event(&event, last) {
            return Ok(Err(broken));
        }
        if last.position > bound || event.columns.at >= cutoff {
            break;
        }
        old = Some((last, event.columns.at));
    }
    Ok(Ok(old))
}

/// The place of the last checkpoint but one: what follows is never removed, whatever the clock says.
async fn find_bound(
    services: &Services,
    tx: &mut Tx,
    head: &Head,
) -> Result<Result<i64, Broken>, LinkError> {
    let number = head.checkpoint - 1;
    if number < 1 {
        return Ok(Ok(0));
    }
    let stored = tx.find_checkpoint(number).await?;
    let statements = &services.audit.statements;
    let signed = stored.and_then(|checkpoint| statements.read_checkpoint(&checkpoint.jws));
    Ok(match signed {
        Some(signed) if signed.number == number => Ok(signed.position),
        // Retention may have removed it with the events before it, so that nothing more can be removed.
        None if head.base > 0 => Ok(head.base),
        _ => Err(Broken::at(
            head.base,
            format!("checkpoint {number} is missing or not signed by this server"),
        )),
    })
}
