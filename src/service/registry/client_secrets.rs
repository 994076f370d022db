//! Client secrets: made here, told once, two valid at a time while an operator changes over.

use std::time::Duration;

use crate::crypto::random;
use crate::crypto::secret::{KeyedDigest, PlainToken};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::ids::ClientId;
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// What a secret that Signet made begins with.
pub const PREFIX: &str = "sgs_";

/// Shortest secret that an operator may choose, in bytes.
pub const MIN_BYTES: usize = 16;

/// Secrets shorter than this, in bytes, are accepted with a warning: a random one is longer.
pub const SHORT_BYTES: usize = 32;

/// How long a replaced secret stays valid unless something else is asked for.
pub const KEEP: Duration = Duration::from_hours(24);

/// A new random secret.
#[must_use]
pub fn generate() -> PlainToken {
    random::prefixed(PREFIX)
}

/// The event of a new secret.
pub(in crate::service) fn rotated(
    id: &ClientId,
    keep: Duration,
    origin: &Origin,
    now: Ts,
) -> Event {
    Event::new(EventType::ClientSecretRotated, origin, now)
        .target("client", id)
        .client(id)
        .detail("older_valid_until", now.plus(keep).rfc3339())
}

/// Makes a secret the client's lasting one, in the caller's transaction; follow it with a bump of `CLIENTS`.
pub(in crate::service) async fn replace(
    tx: &mut Tx,
    id: &ClientId,
    digest: KeyedDigest,
    keep: Duration,
    now: Ts,
) -> Result<(), StoreError> {
    tx.insert_client_secret(id, digest, now).await?;
    tx.expire_client_secrets(id, digest, now.plus(keep)).await?;
    tx.delete_expired_client_secrets(id, now).await?;
    tx.delete_older_client_secrets(id).await
}

/// How long versions that store bare digests may run beside this one, counted from its migration.
const OLDER_VERSIONS_END: Duration = Duration::from_hours(24);

/// Puts some of the digests that an older version stored under the master key; returns how many. Until then they are
/// compared as they are.
pub async fn key_bare_ones(services: &Services, now: Ts) -> Result<u64, StoreError> {
    let store = &services.store;
    let before = now.minus(OLDER_VERSIONS_END);
    let bare = store.list_bare_client_secrets(before, 100).await?;
    let mut keyed = 0;
    for (id, digest) in bare {
        let mut tx = store.db().begin().await?;
        let upgraded = services.client_secrets.upgrade(digest);
        tx.key_client_secret(&id, digest, upgraded, now).await?;
        tx.commit().await?;
        keyed += 1;
    }
    Ok(keyed)
}
