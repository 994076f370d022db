//! The life of signing keys: they are made when something needs them, rotated, retired and forgotten.

use std::sync::PoisonError;
use std::time::Duration;

use super::{ALWAYS, KeyError, KeyRing, about};
use crate::crypto::jose::SigningKey;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::signing_key::{KeyDates, KeyState, state};
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use crate::store::changes::{APPLIED, bump_changes};
use crate::store::db::Tx;
use crate::store::signing_keys::StoredKey;

/// How often it is looked for keys that nothing needs any more.
const UNUSED_EVERY: Duration = Duration::from_mins(10);

impl KeyRing {
    /// Makes every algorithm have a key that something needs, retires the others, and loads the ring. Several starting
    /// instances may race for it.
    pub async fn ensure(&self, now: Ts) -> Result<(), KeyError> {
        self.reload(now).await?;
        let mut needed = self.store.list_named_algs().await?;
        needed.extend(ALWAYS);
        for alg in needed.iter().filter(|alg| !self.ring().is_kept(**alg)) {
            let mut tx = self.store.db().begin().await?;
            bump_changes(&mut tx, APPLIED).await?;
            let made = self.provide_in(&mut tx, *alg, now).await?;
            if let Some(key) = &made {
                let event = Event::new(EventType::KeyRotated, &Origin::system(), now);
                tx.record_event(&about(event, key)).await?;
            }
            tx.commit().await?;
            made.iter().for_each(tell_made);
        }
        self.retire_unused(now).await?;
        self.reload(now).await
    }

    /// Gives an algorithm a key in the transaction of an act, unless it has one: one that nothing needed for a while, or a
    /// new one, which is given back. It signs at once: no earlier key of its algorithm does, and whoever reads `/jwks`
    /// after the commit reads it there.
    pub async fn provide_in(
        &self,
        tx: &mut Tx,
        alg: SigningAlg,
        now: Ts,
    ) -> Result<Option<StoredKey>, KeyError> {
        let stored = tx.list_signing_keys().await?;
        let all: Vec<KeyDates> = stored.iter().map(|key| key.dates.clone()).collect();
        let newest = all.iter().filter(|key| key.alg == alg);
        let newest = newest.max_by_key(|key| key.number);
        let Some(newest) = newest else {
            return self.insert_in(tx, alg, 1, now).await;
        };
        if newest.unused_since.is_none() {
            return Ok(None);
        }
        match state(newest, &all, now, self.longest_token) {
            KeyState::Gone | KeyState::Next => {
                self.insert_in(tx, alg, newest.number + 1, now).await
            }
            KeyState::Active | KeyState::Retiring => {
                tx.reuse_signing_key(alg, newest.number).await?;
                Ok(None)
            }
        }
    }

    async fn insert_in(
        &self,
        tx: &mut Tx,
        alg: SigningAlg,
        number: i64,
        now: Ts,
    ) -> Result<Option<StoredKey>, KeyError> {
        let key = self.make(alg, number, now, now).await?;
        // An instance of the version before this one makes keys without waiting for acts.
        Ok(tx.insert_signing_key(&key).await?.then_some(key))
    }

    /// Lets the keys retire that no client and no resource server needs. No act runs meanwhile that could need one.
    async fn retire_unused(&self, now: Ts) -> Result<(), KeyError> {
        let kept = |alg: &SigningAlg| !ALWAYS.contains(alg) && self.ring().is_kept(*alg);
        if !SigningAlg::ALL.iter().any(kept) {
            return Ok(());
        }
        let mut tx = self.store.db().begin().await?;
        bump_changes(&mut tx, APPLIED).await?;
        let needed = tx.list_named_algs().await?;
        let mut retired = Vec::new();
        for alg in SigningAlg::ALL.into_iter().filter(kept) {
            if !needed.contains(&alg) {
                retired.extend(tx.retire_signing_keys(alg, now).await?);
            }
        }
        tx.commit().await?;
        for kid in retired {
            tracing::info!(key.id = %kid, "signing key {kid} retires: no client and no resource server needs it");
        }
        Ok(())
    }

    /// Whether it is time to look for keys that nothing needs.
    fn is_time_for_unused(&self, now: Ts) -> bool {
        let last = self.looked_for_unused.lock();
        let mut last = last.unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.since(last) >= UNUSED_EVERY);
        if due {
            *last = Some(now);
        }
        due
    }

    /// One turn of looking after the keys: makes the first ones where there are none, rotates what is due and reads
    /// what other instances made.
    pub async fn look_after(&self, now: Ts) -> Result<(), KeyError> {
        if !self.is_ready(now) || self.is_time_for_unused(now) {
            self.ensure(now).await?;
        }
        self.rotate_if_due(now).await
    }

    /// Makes the next key of each algorithm whose active key is old; then reads what others made.
    pub async fn rotate_if_due(&self, now: Ts) -> Result<(), KeyError> {
        self.reload(now).await?;
        for alg in SigningAlg::ALL {
            let newest = self
                .ring()
                .keys
                .iter()
                .filter(|loaded| loaded.dates.alg == alg)
                .map(|loaded| loaded.dates.clone())
                .max_by_key(|d| d.number);
            let Some(newest) = newest.filter(|newest| newest.unused_since.is_none()) else {
                continue;
            };
            let lead = self.publish_lead;
            let due = newest
                .activates_at
                .plus(self.rotation_interval.saturating_sub(lead));
            if now >= due && now >= newest.activates_at {
                self.create(alg, newest.number + 1, now, now.plus(lead))
                    .await?;
            }
        }
        self.reload(now).await?;
        self.forget_gone(now).await
    }

    /// The next key of an algorithm, ready to be stored.
    pub async fn make_next(
        &self,
        alg: SigningAlg,
        lead: Duration,
        now: Ts,
    ) -> Result<StoredKey, KeyError> {
        self.reload(now).await?;
        self.require_kept(alg)?;
        let number = self.newest_number(alg) + 1;
        self.make(alg, number, now, now.plus(lead)).await
    }

    /// Whether something needs keys of that algorithm, as last read.
    #[must_use]
    pub fn is_kept(&self, alg: SigningAlg) -> bool {
        self.ring().is_kept(alg)
    }

    fn require_kept(&self, alg: SigningAlg) -> Result<(), KeyError> {
        let kept = self.is_kept(alg);
        kept.then_some(()).ok_or(KeyError::NotNeeded(alg))
    }

    fn newest_number(&self, alg: SigningAlg) -> i64 {
        let ring = self.ring();
        let of_alg = ring.keys.iter().filter(|loaded| loaded.dates.alg == alg);
        of_alg.map(|loaded| loaded.dates.number).max().unwrap_or(0)
    }

    async fn make(
        &self,
        alg: SigningAlg,
        number: i64,
        now: Ts,
        activates_at: Ts,
    ) -> Result<StoredKey, KeyError> {
        // RSA takes a good part of a second, which no request should wait for.
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(alg))
            .await
            .map_err(|error| KeyError::Generation(error.to_string()))??;
        let sealed = self.sealer.seal(key.kid().as_bytes(), &key.to_pkcs8_der());
        let dates = KeyDates {
            alg,
            number,
            activates_at,
            unused_since: None,
        };
        Ok(StoredKey {
            dates,
            kid: key.kid().to_owned(),
            sealed,
            created_at: now,
        })
    }

    async fn create(
        &self,
        alg: SigningAlg,
        number: i64,
        now: Ts,
        activates_at: Ts,
    ) -> Result<(), KeyError> {
        let stored = self.make(alg, number, now, activates_at).await?;
        let mut tx = self.store.db().begin().await?;
        if tx.insert_signing_key(&stored).await? {
            let event = Event::new(EventType::KeyRotated, &Origin::system(), now);
            tx.record_event(&about(event, &stored)).await?;
            tx.commit().await?;
            tell_made(&stored);
        }
        Ok(())
    }

    async fn forget_gone(&self, now: Ts) -> Result<(), KeyError> {
        let stored = self.store.list_signing_keys().await?;
        let all: Vec<KeyDates> = stored.iter().map(|key| key.dates.clone()).collect();
        for row in stored {
            if state(&row.dates, &all, now, self.longest_token) == KeyState::Gone {
                let mut tx = self.store.db().begin().await?;
                let (alg, number) = (row.dates.alg, row.dates.number);
                if !tx.delete_signing_key(alg, number).await? {
                    // Another instance did, and said so.
                    continue;
                }
                let event = Event::new(EventType::KeyDeleted, &Origin::system(), now);
                tx.record_event(&event.target("signing_key", &row.kid))
                    .await?;
                tx.commit().await?;
                tracing::info!(key.id = %row.kid, "signing key {} is gone: its last token has expired", row.kid);
            }
        }
        Ok(())
    }
}

fn tell_made(key: &StoredKey) {
    let (kid, alg) = (&key.kid, key.dates.alg);
    let from = key.dates.activates_at.rfc3339();
    tracing::info!(key.id = %kid, key.alg = %alg, "made {alg} signing key {kid}, which signs from {from}");
}
