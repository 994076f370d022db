//! What differs between kinds of message: how one is sent, and what it means for a receiver to be given up.

use crate::domain::outbox::{Lane, MessageKind, Receiver, Sent};
use crate::service::{Services, webhooks};
use crate::spec::time::{Clock, Ts};
use crate::store::Store;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;

/// Sends a message once. After an error, when it is not known whether it was sent, it is sent again.
pub(super) async fn send(
    services: &Services,
    delivery: &Delivery,
    clock: &Clock,
) -> Result<Sent, StoreError> {
    match &delivery.lane {
        Lane::Webhook(id) => webhooks::sender::send(services, *id, delivery, clock).await,
    }
}

/// Notes that a receiver is given up, with the reason as a sentence. The caller has locked the lane.
pub(super) async fn close(
    tx: &mut Tx,
    lane: &Lane,
    reason: String,
    now: Ts,
) -> Result<(), StoreError> {
    match lane {
        Lane::Webhook(id) => webhooks::sender::disable(tx, *id, reason, now).await,
    }
}

/// Closes the receivers of a kind whose rows cannot be read.
pub(super) async fn close_unreadable(
    services: &Services,
    kind: MessageKind,
    now: Ts,
) -> Result<(), StoreError> {
    match kind {
        MessageKind::Webhook => webhooks::sender::disable_unreadable(services, now).await,
    }
}

/// Whether a receiver takes messages.
pub(super) async fn receiver(store: &Store, lane: &Lane) -> Result<Receiver, StoreError> {
    match lane {
        Lane::Webhook(id) => webhooks::sender::receiver(store, *id).await,
    }
}

/// Whether a receiver takes none, which stays so until the transaction ends. The caller has locked the lane.
pub(super) async fn is_closed(tx: &mut Tx, lane: &Lane) -> Result<bool, StoreError> {
    match lane {
        Lane::Webhook(id) => webhooks::sender::is_disabled(tx, *id).await,
    }
}
