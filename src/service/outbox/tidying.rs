//! What is done with the outbox beside sending: old messages and those of receivers that are gone are deleted, what
//! waits for receivers that take nothing is given up. All of it in slices, so that no other writer waits for long.

use std::time::Duration;

use super::{Outbox, kinds, metrics};
use crate::domain::outbox::{Lane, MessageKind, Receiver};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// How long a finished delivery can be looked at and sent again.
pub(super) const KEPT: Duration = Duration::from_hours(30 * 24);

/// At most so many rows are deleted in one transaction,
pub(super) const SLICE: i64 = 500;

/// and so many slices of a receiver that is gone in one turn.
const SLICES: usize = 100;

impl Outbox {
    /// Deletes what was finished long ago and what is left of receivers that are gone, closes receivers that cannot be
    /// read, counts what waits, gives up receivers for which more than `most` waits, and what waits for those that take
    /// nothing.
    pub async fn tidy(&self, most: i64) -> Result<(), StoreError> {
        let (services, now) = (&self.services, self.clock.now());
        let store = &services.store;
        while is_full(store.purge_deliveries(now.minus(KEPT), SLICE).await?) {}
        for kind in MessageKind::ALL {
            kinds::close_unreadable(services, kind, now).await?;
        }
        // A receiver is older than its lane and its name never comes back, so what is not found now is gone for good.
        for lane in store.list_lanes().await? {
            if kinds::receiver(store, &lane).await? == Receiver::Gone {
                delete(services, &lane).await?;
            }
        }
        let waiting = store.count_waiting_deliveries(most.saturating_add(1));
        let waiting = waiting.await?;
        for kind in MessageKind::ALL {
            let of_kind = waiting.iter().filter(|(lane, _)| lane.kind() == kind);
            metrics(kind).waiting(of_kind.map(|(_, count)| *count).sum());
        }
        for (lane, count) in &waiting {
            match kinds::receiver(store, lane).await? {
                Receiver::Open if *count > most => {
                    let mut tx = store.db().begin().await?;
                    tx.lock_lane(lane).await?;
                    let reason = format!("more than {most} messages waited");
                    kinds::close(&mut tx, lane, reason, now).await?;
                    tx.commit().await?;
                }
                Receiver::Closed => {}
                Receiver::Open | Receiver::Gone => continue,
            }
            give_up(services, lane, now).await?;
        }
        Ok(())
    }
}

/// Deletes some of what is left of a receiver that is gone.
async fn delete(services: &Services, lane: &Lane) -> Result<(), StoreError> {
    for _ in 0..SLICES {
        if !is_full(services.store.purge_lane(lane, SLICE).await?) {
            break;
        }
    }
    Ok(())
}

/// Gives up what waits for a receiver, for as long as it takes nothing.
pub(super) async fn give_up(services: &Services, lane: &Lane, now: Ts) -> Result<(), StoreError> {
    loop {
        let mut tx = services.store.db().begin().await?;
        tx.lock_lane(lane).await?;
        let given_up = if kinds::is_closed(&mut tx, lane).await? {
            tx.give_up_deliveries(lane, now).await?
        } else {
            0
        };
        tx.commit().await?;
        metrics(lane.kind()).failed(given_up);
        if given_up == 0 {
            return Ok(());
        }
    }
}

fn is_full(deleted: u64) -> bool {
    i64::try_from(deleted).is_ok_and(|deleted| deleted >= SLICE)
}
