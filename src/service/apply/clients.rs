//! Clients and their secrets.

use std::collections::BTreeSet;

use super::super::audit::views;
use super::check::{Checked, CheckedClient};
use super::{ApplyError, Generated, Kind, Outcome, Problem, Revoked, Work, differing, object};
use crate::crypto::client_secret::StoredSecret;
use crate::crypto::secret::PlainToken;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, UserId};
use crate::service::registry::client_secrets;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::revocations::{Key, last_recorded, record};

pub(super) async fn apply(work: &mut Work, checked: &Checked<'_>) -> Result<(), ApplyError> {
    for desired in &checked.clients {
        match work.tx.find_client(&desired.client.id).await? {
            Some(stored) => change(work, desired, &stored).await?,
            None => create(work, desired).await?,
        }
    }
    if work.options.uncounted {
        return Ok(());
    }
    let named: BTreeSet<&str> = checked
        .clients
        .iter()
        .map(|desired| desired.client.id.as_str())
        .collect();
    for id in work.tx.list_client_ids().await? {
        if !named.contains(id.as_str()) && work.prunes(Kind::Client) {
            delete(work, &id).await?;
        }
    }
    Ok(())
}

async fn create(work: &mut Work, desired: &CheckedClient) -> Result<(), ApplyError> {
    let client = &desired.client;
    // Its tokens carry its name as `sub`, which must not be a person's (RFC 9700 §4.15).
    if let Some(person) = UserId::parse(client.id.as_str())
        && work.tx.find_user(person).await?.is_some()
    {
        return Err(ApplyError::Invalid(vec![Problem {
            kind: Kind::Client,
            name: client.id.as_str().to_owned(),
            field: "client_id".to_owned(),
            problem: "this is the sub of a person; choose another name".to_owned(),
        }]));
    }
    work.tx.insert_client(client, work.now).await?;
    match &desired.secret {
        Some(secret) => {
            let digest = work.secrets.digest(secret);
            work.tx
                .insert_client_secret(&client.id, digest, work.now)
                .await?;
        }
        None if client.auth_method.uses_secret() => generate(work, &client.id).await?,
        None => {}
    }
    // A client of that id was deleted within the hour: its tokens stay dead, so those of the new one count from
    // the next full second on, as after enabling a client.
    let key = Key::Client(client.id.as_str());
    if last_recorded(&mut work.tx, &key).await?.is_some() {
        let from = Ts::from_secs(work.now.secs() + 1);
        work.tx.set_client_disabled(&client.id, None, from).await?;
        let until = work.until();
        record(&mut work.tx, &key, from.micros(), until).await?;
        work.revoked
            .push(Revoked::Client(client.id.clone(), from.micros()));
    }
    work.clients_changed = true;
    let id = client.id.as_str();
    work.note(Kind::Client, id, None, Some(views::client(client)))
        .await?;
    work.report.note(Kind::Client, id, Outcome::Created);
    Ok(())
}

async fn change(
    work: &mut Work,
    desired: &CheckedClient,
    stored: &Client,
) -> Result<(), ApplyError> {
    let client = &desired.client;
    let mut changed = differing(&object(&stored.metadata), &object(&client.metadata));
    if !changed.is_empty() {
        work.tx.update_client(client, work.now).await?;
        let (was, is) = (views::client(stored), views::client(client));
        work.note(Kind::Client, client.id.as_str(), Some(was), Some(is))
            .await?;
    }
    let lasting: Vec<StoredSecret> = stored
        .secrets
        .iter()
        .filter(|secret| secret.expires_at.is_none())
        .map(|secret| secret.digest)
        .collect();
    let is_lasting = |secret: &PlainToken| {
        let presented = work.secrets.present(secret);
        lasting.iter().any(|stored| presented.is(stored))
    };
    match &desired.secret {
        Some(secret) if !is_lasting(secret) => {
            let digest = work.secrets.digest(secret);
            let keep = client_secrets::KEEP;
            client_secrets::replace(&mut work.tx, &client.id, digest, keep, work.now).await?;
            changed.push("client_secret".to_owned());
        }
        None if client.auth_method.uses_secret() && lasting.is_empty() => {
            generate(work, &client.id).await?;
            changed.push("client_secret".to_owned());
        }
        Some(_) | None => {}
    }
    if changed.iter().any(|field| field == "client_secret") {
        let keep = client_secrets::KEEP;
        let event = client_secrets::rotated(&client.id, keep, &work.origin, work.now);
        work.record(event).await?;
    }
    work.clients_changed |= !changed.is_empty();
    work.existed(Kind::Client, client.id.as_str(), changed)
}

async fn generate(work: &mut Work, id: &ClientId) -> Result<(), StoreError> {
    let secret = client_secrets::generate();
    let digest = work.secrets.digest(&secret);
    work.tx.insert_client_secret(id, digest, work.now).await?;
    work.report.generated.push(Generated {
        client_id: id.as_str().to_owned(),
        secret,
    });
    Ok(())
}

pub(in crate::service) async fn delete(work: &mut Work, id: &str) -> Result<(), ApplyError> {
    let broken = || StoreError::Inconsistent {
        table: "clients",
        column: "id",
        id: id.to_owned(),
    };
    let id = ClientId::parse(id).ok_or_else(broken)?;
    let was = work.tx.find_client(&id).await?;
    work.tx.delete_client(&id).await?;
    let was = was.as_ref().map(views::client).unwrap_or_default();
    work.note(Kind::Client, id.as_str(), Some(was), None)
        .await?;
    let (key, until) = (Key::Client(id.as_str()), work.until());
    record(&mut work.tx, &key, i64::MAX, until).await?;
    work.clients_changed = true;
    work.report
        .note(Kind::Client, id.as_str(), Outcome::Deleted);
    work.revoked.push(Revoked::Client(id, i64::MAX));
    Ok(())
}
