//! Clients and their secrets.

use std::time::Duration;

use serde_json::{Map, Value};

use super::act::Revoked;
use super::checking::Checking;
use super::client_rules::{CheckedClient, ClientRow, check_client};
use super::kind::{differing, view};
use super::{Act, AdministrationError, KindName, Named, Outcome};
use crate::crypto::client_secret::StoredSecret;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::EventType;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, UserId};
use crate::service::registry::client_secrets;
use crate::service::tokens::claims;
use crate::service::tokens::revoke::{self, ClientState};
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::revocations::{Key, last_recorded, record};

/// What became of a client, and the secret that was made for it, told this once.
pub struct ClientPut {
    /// What became of it.
    pub outcome: Outcome,
    /// The secret.
    pub secret: Option<PlainToken>,
    /// Until when the secret stays valid that was replaced.
    pub older_valid_until: Option<Ts>,
    /// What an operator should look at.
    pub warnings: Vec<String>,
}

impl Act {
    /// The client of that id.
    pub async fn find_client(&mut self, id: &ClientId) -> Result<Client, AdministrationError> {
        let found = self.tx.find_client(id).await?;
        found.ok_or_else(|| AdministrationError::NotFound {
            kind: KindName::Client,
            name: id.as_str().to_owned(),
        })
    }

    /// Registers a client.
    pub async fn create_client(
        &mut self,
        row: &ClientRow,
    ) -> Result<ClientPut, AdministrationError> {
        self.judge_client(&row.id, None, Some(&row.metadata))
            .await?;
        let (checked, warnings) = self.check_client(row, None).await?;
        if self.tx.find_client(&checked.client.id).await?.is_some() {
            return Err(AdministrationError::Exists {
                kind: KindName::Client,
                name: row.id.clone(),
            });
        }
        let put = self.insert_client(&checked).await?;
        Ok(ClientPut { warnings, ..put })
    }

    /// Changes a client's metadata; what people allowed is asked again where it is another application now.
    pub async fn change_client(
        &mut self,
        was: &Client,
        metadata: &ClientMetadata,
    ) -> Result<Outcome, AdministrationError> {
        let id = was.id.as_str();
        self.judge_client(id, Some(was), Some(metadata)).await?;
        let row = ClientRow {
            id: id.to_owned(),
            secret: None,
            metadata: metadata.clone(),
        };
        let (checked, _) = self.check_client(&row, Some(was)).await?;
        self.update_client(&checked, was)
            .await
            .map(|put| put.outcome)
    }

    /// Asks people again whom the client served as another application.
    async fn ask_of_another(
        &mut self,
        was: &Client,
        metadata: &ClientMetadata,
    ) -> Result<(), AdministrationError> {
        let before = &was.metadata;
        let proves = |it: &ClientMetadata| {
            let keys = (it.jwks.clone(), it.jwks_uri.clone());
            (it.token_endpoint_auth_method, keys)
        };
        // Where its answers go, and to what kind of program.
        let answers = |it: &ClientMetadata| (it.redirect_uris.clone(), it.application_type);
        let gets = |it: &ClientMetadata| {
            // Standard claims stand where the scopes cover them that people allowed.
            let mut of_id_tokens = it.id_token_claims.clone();
            of_id_tokens.retain(|claim| !claims::is_standard(claim));
            let of_tokens = (it.access_token_claims.clone(), of_id_tokens);
            (of_tokens, it.userinfo_claims.clone(), it.groups.clone())
        };
        if answers(before) != answers(metadata)
            || proves(before) != proves(metadata)
            || gets(before) != gets(metadata)
        {
            self.ask_again(&was.id).await?;
        }
        Ok(())
    }

    /// Disables a client and revokes its grants and tokens, or enables it.
    pub async fn set_client_state(
        &mut self,
        was: &Client,
        state: ClientState,
    ) -> Result<(), AdministrationError> {
        self.judge_client(was.id.as_str(), Some(was), Some(&was.metadata))
            .await?;
        let changed = revoke::client_in(&mut self.tx, &was.id, state, &self.origin, self.now);
        if let Some(version) = changed.await? {
            self.revoked.push(Revoked::Client(was.id.clone(), version));
            self.clients_changed = true;
        }
        Ok(())
    }

    /// Gives a client a new secret; every other one of its ends after `keep`.
    pub async fn rotate_client_secret(
        &mut self,
        was: &Client,
        keep: Duration,
    ) -> Result<PlainToken, AdministrationError> {
        self.judge_client(was.id.as_str(), Some(was), Some(&was.metadata))
            .await?;
        if !was.auth_method.uses_secret() {
            return Err(AdministrationError::NoSecret {
                id: was.id.clone(),
                method: was.auth_method.name(),
            });
        }
        if was.metadata.first_party {
            self.rights.require_all_rights("first_party")?;
        }
        self.rights
            .require_if_policies_name(Named::Client(was.id.as_str()), "client_id")?;
        let secret = client_secrets::generate();
        let digest = self.services.client_secrets.digest(&secret);
        client_secrets::replace(&mut self.tx, &was.id, digest, keep, self.now).await?;
        self.clients_changed = true;
        self.tell_rotated(&was.id, keep).await?;
        Ok(secret)
    }

    /// Removes a client and ends everything of its.
    pub async fn remove_client(&mut self, was: &Client) -> Result<(), AdministrationError> {
        self.judge_client(was.id.as_str(), Some(was), None).await?;
        self.delete_client(was).await
    }

    /// Whether a client can be registered so.
    async fn check_client(
        &mut self,
        row: &ClientRow,
        was: Option<&Client>,
    ) -> Result<(CheckedClient, Vec<String>), AdministrationError> {
        let mut checking = Checking::one(&mut self.tx, self.now, true);
        let checked = check_client(&mut checking, row, was).await?;
        let warnings = checking.done()?;
        // A client that cannot be registered has left a mistake.
        let checked = checked.ok_or(AdministrationError::Invalid(Vec::new()))?;
        Ok((checked, warnings))
    }

    /// What a document says of a client and has checked: registers it, or changes what differs.
    pub(super) async fn put_client(
        &mut self,
        wanted: &CheckedClient,
        was: Option<&Client>,
    ) -> Result<ClientPut, AdministrationError> {
        let Client { id, metadata, .. } = &wanted.client;
        self.judge_client(id.as_str(), was, Some(metadata)).await?;
        match was {
            None => self.insert_client(wanted).await,
            Some(was) => self.update_client(wanted, was).await,
        }
    }

    async fn insert_client(
        &mut self,
        wanted: &CheckedClient,
    ) -> Result<ClientPut, AdministrationError> {
        let client = &wanted.client;
        self.algs.extend(client.named_algs());
        // Its tokens carry its name as `sub`, which must not be a person's (RFC 9700 §4.15).
        if let Some(person) = UserId::parse(client.id.as_str())
            && self.tx.find_user(person).await?.is_some()
        {
            return Err(AdministrationError::mistake(
                KindName::Client,
                client.id.as_str(),
                "client_id",
                "this is the sub of a user; choose another client_id",
            ));
        }
        self.tx.insert_client(client, self.now).await?;
        let secret = match &wanted.secret {
            Some(secret) => {
                let digest = self.services.client_secrets.digest(secret);
                let insert = self.tx.insert_client_secret(&client.id, digest, self.now);
                insert.await?;
                None
            }
            None if client.auth_method.uses_secret() => Some(self.generate(&client.id).await?),
            None => None,
        };
        // A client of that id was deleted within the hour: its tokens stay dead, so those of the new one count from
        // the next full second on, as after enabling a client.
        let key = Key::Client(client.id.as_str());
        if last_recorded(&mut self.tx, &key).await?.is_some() {
            let from = Ts::from_secs(self.now.secs() + 1);
            self.tx.set_client_disabled(&client.id, None, from).await?;
            let until = self.until();
            record(&mut self.tx, &key, from.micros(), until).await?;
            let revoked = Revoked::Client(client.id.clone(), from.micros());
            self.revoked.push(revoked);
        }
        self.clients_changed = true;
        let after = Some(view(&client.metadata)?);
        self.tell_client(EventType::ClientCreated, &client.id, None, after)
            .await?;
        Ok(ClientPut {
            outcome: Outcome::Created,
            secret,
            older_valid_until: None,
            warnings: Vec::new(),
        })
    }

    async fn update_client(
        &mut self,
        wanted: &CheckedClient,
        was: &Client,
    ) -> Result<ClientPut, AdministrationError> {
        let client = &wanted.client;
        self.algs.extend(client.named_algs());
        let (before, after) = (view(&was.metadata)?, view(&client.metadata)?);
        let mut changed = differing(&before, &after);
        if !changed.is_empty() {
            self.tx.update_client(client, self.now).await?;
            let kind = EventType::ClientUpdated;
            self.tell_client(kind, &client.id, Some(before), Some(after))
                .await?;
            self.ask_of_another(was, &client.metadata).await?;
        }
        let lasting: Vec<StoredSecret> = was
            .secrets
            .iter()
            .filter(|secret| secret.expires_at.is_none())
            .map(|secret| secret.digest)
            .collect();
        let keep = client_secrets::KEEP;
        let mut made = None;
        let secrets = self.services.client_secrets.clone();
        let is_lasting = |secret: &PlainToken| {
            let presented = secrets.present(secret);
            lasting.iter().any(|stored| presented.is(stored))
        };
        let renewed = match &wanted.secret {
            Some(secret) if !is_lasting(secret) => {
                let digest = secrets.digest(secret);
                client_secrets::replace(&mut self.tx, &client.id, digest, keep, self.now).await?;
                true
            }
            None if client.auth_method.uses_secret() && lasting.is_empty() => {
                made = Some(self.generate(&client.id).await?);
                true
            }
            Some(_) | None => false,
        };
        if renewed {
            changed.push("client_secret".to_owned());
            self.tell_rotated(&client.id, keep).await?;
        }
        self.clients_changed |= !changed.is_empty();
        let replaced = renewed && !lasting.is_empty();
        Ok(ClientPut {
            outcome: Outcome::of(changed),
            secret: made,
            older_valid_until: replaced.then(|| self.now.plus(keep)),
            warnings: Vec::new(),
        })
    }

    async fn generate(&mut self, id: &ClientId) -> Result<PlainToken, StoreError> {
        let secret = client_secrets::generate();
        let digest = self.services.client_secrets.digest(&secret);
        self.tx.insert_client_secret(id, digest, self.now).await?;
        Ok(secret)
    }

    /// Deletes a client that was judged.
    async fn delete_client(&mut self, was: &Client) -> Result<(), AdministrationError> {
        let id = &was.id;
        self.tx.delete_client(id).await?;
        let before = Some(view(&was.metadata)?);
        self.tell_client(EventType::ClientDeleted, id, before, None)
            .await?;
        let until = self.until();
        record(&mut self.tx, &Key::Client(id.as_str()), i64::MAX, until).await?;
        self.clients_changed = true;
        self.revoked.push(Revoked::Client(id.clone(), i64::MAX));
        Ok(())
    }

    /// What people allowed a client they did not allow one that answers elsewhere, or proves to be it in another way:
    /// they are asked again, unless an administrator changes it who may do everything.
    async fn ask_again(&mut self, id: &ClientId) -> Result<(), AdministrationError> {
        if self.rights.require_all_rights("redirect_uris").is_ok() {
            return Ok(());
        }
        if self.tx.delete_consents_to(id).await? > 0 {
            let event = self.event(EventType::ConsentRevoked).client(id);
            let event = event.target("client", id.as_str());
            self.record(event.detail("reason", "client changed"))
                .await?;
        }
        Ok(())
    }

    async fn tell_rotated(
        &mut self,
        id: &ClientId,
        keep: Duration,
    ) -> Result<(), AdministrationError> {
        self.record(client_secrets::rotated(id, keep, &self.origin, self.now))
            .await
    }

    async fn tell_client(
        &mut self,
        kind: EventType,
        id: &ClientId,
        before: Option<Map<String, Value>>,
        after: Option<Map<String, Value>>,
    ) -> Result<(), AdministrationError> {
        let mut event = self.event(kind).target("client", id.as_str()).client(id);
        if let Some(before) = before {
            event = event.before(Value::Object(before));
        }
        if let Some(after) = after {
            event = event.after(Value::Object(after));
        }
        self.record(event).await
    }
}
