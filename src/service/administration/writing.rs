//! One act of an administrator: a transaction that nobody else's act overlaps, with the answer written beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::idempotency::Running;
use super::{AdministrationError, Administrator, KEPT_FOR, RequestKey, Rights};
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Event, EventType};
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::domain::policy::{Assignment, ResourceName};
use crate::service::Services;
use crate::service::apply::{self, Desired, Kind, Options, Report, Revoked, Work};
use crate::service::registry::client_secrets;
use crate::service::tokens::keys;
use crate::service::tokens::revoke::{self, ClientStanding};
use crate::spec::time::Ts;
use crate::store::assignments::Holder;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::idempotency::StoredAnswer;
use crate::store::signing_keys::StoredKey;

/// What was answered to an act.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// What is kept of an act: its answer, and what every instance had to learn before it was given.
#[derive(Serialize, Deserialize)]
struct Kept {
    answer: Answered,
    revoked: Vec<Revoked>,
}

/// Whether there is still something to do.
pub enum Begun {
    /// It was done before; this is what was answered then.
    Before(Answered),
    /// It is to be done.
    Now(Box<Writing>),
}

/// An act that has begun. Dropping it undoes everything.
pub struct Writing {
    pub(super) work: Work,
    pub(super) rights: Rights,
    caller: String,
    key: Option<RequestKey>,
    /// Nobody else works on the same request meanwhile.
    _running: Option<Running>,
    /// Nobody else acts in this process meanwhile.
    _turn: OwnedSemaphorePermit,
}

/// Begins an act. Administrators act one after the other, on every instance.
pub async fn begin(
    services: &Services,
    by: &Administrator,
    key: Option<RequestKey>,
    now: Ts,
) -> Result<Begun, AdministrationError> {
    let caller = by.name();
    let running = match &key {
        Some(key) => Some(
            services
                .idempotency
                .begin(&caller, key)
                .ok_or(AdministrationError::Running)?,
        ),
        None => None,
    };
    // One at a time in this process: whoever waits for another holds no connection meanwhile.
    let turn = services.idempotency.turn().await?;
    let mut tx = services.store.db().begin().await?;
    if let Some(key) = &key
        && !tx.claim_key(&caller, &key.key).await?
    {
        return Err(AdministrationError::Running);
    }
    let mut work = Work::begin(services, tx, Options::default(), &by.origin, now).await?;
    let now = work.now;
    if let Some(key) = &key
        && let Some(stored) = work
            .tx
            .find_answer(&caller, &key.key, now.minus(KEPT_FOR))
            .await?
    {
        drop(work);
        return again(services, &caller, key, &stored, now)
            .await
            .map(Begun::Before);
    }
    let rights = Rights::read(services, by, now).await?;
    Ok(Begun::Now(Box::new(Writing {
        work,
        rights,
        caller,
        key,
        _running: running,
        _turn: turn,
    })))
}

/// The answer of before. The one who gave it may not have come to tell every instance what was revoked.
async fn again(
    services: &Services,
    caller: &str,
    key: &RequestKey,
    stored: &StoredAnswer,
    now: Ts,
) -> Result<Answered, AdministrationError> {
    if !services.idempotency.is_same(caller, key, stored) {
        return Err(AdministrationError::KeyReused);
    }
    let broken = || StoreError::Inconsistent {
        table: "idempotency_keys",
        column: "answer",
        id: caller.to_owned(),
    };
    let sealer = &services.idempotency.sealer;
    let plain = sealer
        .open(&sealed_for(caller, key), &stored.answer)
        .ok_or_else(broken)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(|_| broken())?;
    let until = now.plus(crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME);
    apply::publish(services, &kept.revoked, until).await?;
    Ok(kept.answer)
}

fn sealed_for(caller: &str, key: &RequestKey) -> Vec<u8> {
    [caller.as_bytes(), &key.key, &key.request].concat()
}

impl Writing {
    /// The transaction.
    pub const fn tx(&mut self) -> &mut Tx {
        &mut self.work.tx
    }

    /// When it is done.
    #[must_use]
    pub const fn now(&self) -> Ts {
        self.work.now
    }

    /// An event of this act, to be [recorded](Self::record).
    #[must_use]
    pub fn event(&self, kind: EventType) -> Event {
        self.work.event(kind)
    }

    /// Writes an event beside the act.
    pub async fn record(&mut self, event: Event) -> Result<(), AdministrationError> {
        self.work.tx.record_event(&event).await?;
        Ok(())
    }

    /// What the administrator has.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Makes true what is desired, with all the checks of `signet apply`.
    pub async fn apply(
        &mut self,
        desired: &Desired,
        only_new: bool,
    ) -> Result<Report, AdministrationError> {
        let options = Options {
            only_new,
            uncounted: true,
            ..Options::default()
        };
        Box::pin(self.work.perform(desired, options)).await?;
        Ok(std::mem::take(&mut self.work.report))
    }

    /// Removes a person and ends everything of theirs.
    pub async fn delete_user(&mut self, id: UserId, key: &str) -> Result<(), AdministrationError> {
        Ok(apply::users::delete(&mut self.work, id, key).await?)
    }

    /// Removes a client and ends everything of its.
    pub async fn delete_client(&mut self, id: &ClientId) -> Result<(), AdministrationError> {
        Ok(apply::clients::delete(&mut self.work, id.as_str()).await?)
    }

    /// Removes a role from everybody and everywhere. `was` is how it was, for the audit trail, as with the others.
    pub async fn delete_role(&mut self, name: &str, was: Value) -> Result<(), AdministrationError> {
        self.work.tx.delete_role(name).await?;
        Ok(self.work.note(Kind::Role, name, Some(was), None).await?)
    }

    /// Removes a group.
    pub async fn delete_group(
        &mut self,
        name: &str,
        was: Value,
    ) -> Result<(), AdministrationError> {
        self.work.tx.delete_group(name).await?;
        Ok(self.work.note(Kind::Group, name, Some(was), None).await?)
    }

    /// Removes an organization, and what was given for it.
    pub async fn delete_organization(
        &mut self,
        name: &str,
        was: Value,
    ) -> Result<(), AdministrationError> {
        self.work.tx.delete_organization(name).await?;
        Ok(self
            .work
            .note(Kind::Organization, name, Some(was), None)
            .await?)
    }

    /// Writes down that somebody was given a role, has it until another time, or lost it.
    pub async fn note_assignment(
        &mut self,
        holder: &Holder,
        before: Option<&Assignment>,
        after: Option<&Assignment>,
    ) -> Result<(), AdministrationError> {
        Ok(self.work.note_assignment(holder, before, after).await?)
    }

    /// Removes a policy.
    pub async fn delete_policy(&mut self, id: &str, was: Value) -> Result<(), AdministrationError> {
        self.work.tx.delete_policy(id).await?;
        Ok(self.work.note(Kind::Policy, id, Some(was), None).await?)
    }

    /// Removes a resource server.
    pub async fn delete_resource(
        &mut self,
        identifier: &str,
        was: Value,
    ) -> Result<(), AdministrationError> {
        self.work.tx.delete_resource(identifier).await?;
        Ok(self
            .work
            .note(Kind::Resource, identifier, Some(was), None)
            .await?)
    }

    /// Forgets what is known of a resource; whether anything was.
    pub async fn delete_object(
        &mut self,
        name: &ResourceName,
        was: Value,
    ) -> Result<bool, AdministrationError> {
        if !self.work.tx.delete_object(name).await? {
            return Ok(false);
        }
        let name = name.to_string();
        self.work.note(Kind::Object, &name, Some(was), None).await?;
        Ok(true)
    }

    /// Stores a new signing key; `false` when another one was stored in its place first.
    pub async fn add_signing_key(&mut self, key: &StoredKey) -> Result<bool, AdministrationError> {
        if !self.work.tx.insert_signing_key(key).await? {
            return Ok(false);
        }
        let event = keys::about(self.event(EventType::KeyRotated), key);
        self.record(event).await?;
        Ok(true)
    }

    /// Ends every session, grant and token of a person.
    pub async fn revoke_user(&mut self, id: UserId) -> Result<(), AdministrationError> {
        if let Some(version) = revoke::raise_version(&mut self.work.tx, id, self.work.now).await? {
            self.work.revoked.push(Revoked::User(id, version));
            self.work.note_act(EventType::UserTokensRevoked, id).await?;
        }
        Ok(())
    }

    /// Ends a browser session with every token that lives in it.
    pub async fn end_session(&mut self, id: SessionId) -> Result<(), AdministrationError> {
        let Work {
            tx, origin, now, ..
        } = &mut self.work;
        revoke::session_in(tx, id, origin, *now).await?;
        self.work.revoked.push(Revoked::Session(id));
        Ok(())
    }

    /// Revokes a grant with every token made from it.
    pub async fn revoke_grant(&mut self, id: GrantId) -> Result<(), AdministrationError> {
        let Work {
            tx, origin, now, ..
        } = &mut self.work;
        revoke::grant_in(tx, id, origin, *now).await?;
        self.work.revoked.push(Revoked::Grant(id));
        Ok(())
    }

    /// Lets nobody use a client any more and ends everything of its, or lets it be used again.
    pub async fn set_client_standing(
        &mut self,
        id: &ClientId,
        standing: ClientStanding,
    ) -> Result<(), AdministrationError> {
        let Work {
            tx, origin, now, ..
        } = &mut self.work;
        if let Some(version) = revoke::client_in(tx, id, standing, origin, *now).await? {
            self.work.revoked.push(Revoked::Client(id.clone(), version));
            self.work.clients_changed = true;
        }
        Ok(())
    }

    /// What people allowed a client they did not allow whoever answers elsewhere, or can prove to be it in another way:
    /// they are asked again, unless somebody changes it who may do everything.
    pub async fn ask_again(&mut self, id: &ClientId) -> Result<(), AdministrationError> {
        if self.rights.must_be_full("redirect_uris").is_ok() {
            return Ok(());
        }
        if self.work.tx.delete_consents_to(id).await? > 0 {
            let event = self.event(EventType::ConsentRevoked).client(id);
            let event = event.target("client", id.as_str());
            self.record(event.detail("reason", "client changed"))
                .await?;
        }
        Ok(())
    }

    /// Gives a client a new secret; every other one of its ends after `keep`.
    pub async fn rotate_client_secret(
        &mut self,
        id: &ClientId,
        keep: Duration,
    ) -> Result<PlainToken, AdministrationError> {
        let secret = client_secrets::generate();
        let (tx, now) = (&mut self.work.tx, self.work.now);
        let digest = self.work.secrets.digest(&secret);
        client_secrets::replace(tx, id, digest, keep, now).await?;
        self.work.clients_changed = true;
        let event = self.event(EventType::ClientSecretRotated).client(id);
        let event = event.target("client", id.as_str());
        self.record(event.detail("keep_seconds", keep.as_secs()))
            .await?;
        Ok(secret)
    }

    /// Writes it with its answer, makes every instance know, and only then gives the answer back.
    pub async fn finish(
        mut self: Box<Self>,
        services: &Services,
        answer: Answered,
    ) -> Result<Answered, AdministrationError> {
        let kept = Kept {
            answer,
            revoked: self.work.revoked.clone(),
        };
        if let Some(key) = &self.key {
            let plain = serde_json::to_vec(&kept).unwrap_or_default();
            let sealer = &services.idempotency.sealer;
            let stored = StoredAnswer {
                request: services.idempotency.digest(&self.caller, key),
                answer: sealer.seal(&sealed_for(&self.caller, key), &plain),
            };
            let now = self.work.now;
            self.work
                .tx
                .save_answer(&self.caller, &key.key, &stored, now)
                .await?;
        }
        self.work.finish(services).await?;
        // Decisions of this instance know at once; if that fails, they do in a moment.
        let _ = services.decisions.refresh().await;
        Ok(kept.answer)
    }
}
