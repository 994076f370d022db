//! Retention: whole beginnings of the chain are forgotten, never single events.

use super::linker::LinkError;
use super::statement::Statement;
use crate::domain::audit::{Event, EventType, Link, Origin};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// At most so many events are removed in one transaction.
const TRIM: i64 = 1000;

/// Removes what is older than the configuration says.
pub(super) async fn trim(services: &Services, now: Ts) -> Result<(), LinkError> {
    let keep = services.config.audit_retention;
    if keep.is_zero() {
        return Ok(());
    }
    let cutoff = now.minus(keep);
    while trim_some(services, cutoff, now).await? {}
    Ok(())
}

/// Removes a beginning of the chain that is older than `cutoff`, at most [`TRIM`] events; leaves a signed base and an
/// event in the same transaction. Returns whether there may be more.
async fn trim_some(services: &Services, cutoff: Ts, now: Ts) -> Result<bool, LinkError> {
    let audit = &services.audit;
    let mut tx = services.store.db().begin().await?;
    let mut head = tx.lock_audit_head().await?;
    // Nothing is removed from a chain that somebody else has touched.
    if !audit.is_sealed(&head) {
        return Ok(false);
    }
    let links = tx.list_links(head.base, TRIM).await?;
    let old: Vec<_> = links
        .iter()
        .take_while(|(_, at, _)| *at < cutoff.micros())
        .collect();
    let Some((position, at, hash)) = old.last() else {
        return Ok(false);
    };
    let hash = hash
        .as_slice()
        .try_into()
        .map_err(|_| StoreError::Inconsistent {
            table: "audit_events",
            column: "hash",
            id: format!("position {position}"),
        })?;
    let last = Link {
        position: *position,
        hash,
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
        .detail("until", Ts(*at).rfc3339_micros());
    tx.record_event(&event).await?;
    head.base = last.position;
    head.seal = Some(audit.sealed(&head));
    tx.save_audit_head(&head).await?;
    tx.commit().await?;
    tracing::info!(
        "removed {removed} audit events until {}: audit_retention",
        Ts(*at).rfc3339()
    );
    Ok(removed == TRIM)
}
