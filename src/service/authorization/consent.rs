//! What people allow clients.

use std::collections::BTreeMap;

use crate::domain::audience::about_people;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::authorization::AuthorizationRequest;
use crate::domain::client::Client;
use crate::domain::ids::UserId;
use crate::service::Services;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::consents::Consent;
use crate::store::error::StoreError;

/// What this person allowed this client before, as far as it counts for this request: what was allowed for one resource
/// server is none for another (RFC 8707 §3).
pub async fn find(
    services: &Services,
    user: UserId,
    client: &Client,
    request: &AuthorizationRequest,
) -> Result<Option<Scope>, StoreError> {
    let consent = services.store.find_consent(user, &client.id).await?;
    Ok(consent.and_then(|consent| counting(&consent, request)))
}

/// What of a consent counts for this request; `None` where a resource server was never allowed.
fn counting(consent: &Consent, request: &AuthorizationRequest) -> Option<Scope> {
    let people = consent.scope.intersection(&about_people());
    let Some(allowed) = &consent.shares else {
        // As the version before this one wrote it: without `resource`, it meant the default audience.
        return if consent.resources.is_empty() && !request.audience.is_named() {
            Some(consent.scope.clone())
        } else {
            let own = request.audience.servers().is_empty();
            own.then_some(people)
        };
    };
    let mut counts = request.asked();
    for (identifier, asked) in request.audience.shares(&counts) {
        let allowed = allowed.get(&identifier)?;
        for token in asked.iter().filter(|token| !allowed.contains(token)) {
            counts = counts.without(token);
        }
    }
    let about = about_people();
    let api: Scope = counts.iter().filter(|it| !about.contains(it)).collect();
    Some(api.union(&people))
}

/// Remembers what a person allows, beside what they allowed before.
pub async fn remember(
    services: &Services,
    user: UserId,
    client: &Client,
    request: &AuthorizationRequest,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let mut event = Event::new(EventType::ConsentGiven, origin, now)
        .target("client", &client.id)
        .user(user)
        .client(&client.id);
    let before = services.store.find_consent(user, &client.id).await?;
    let asked = request.asked();
    let servers = request.audience.servers().iter();
    let mut consent = Consent {
        client_id: client.id.as_str().to_owned(),
        shares: Some(request.audience.shares(&asked)),
        resources: servers.map(|server| server.identifier.clone()).collect(),
        scope: asked,
        granted_at: now,
    };
    if let Some(before) = before {
        event = event.before(view(&before));
        consent = beside(consent, before);
    }
    tracing::info!(user.id = %user, client.id = %client.id, "user {user} allowed client {} {}", client.id, request.scope);
    event = event.after(view(&consent));
    let mut tx = services.store.db().begin().await?;
    tx.save_consent(user, &consent).await?;
    tx.record_event(&event).await?;
    tx.commit().await
}

/// What is allowed now, with what was allowed before.
fn beside(mut consent: Consent, before: Consent) -> Consent {
    consent.scope = consent.scope.union(&before.scope);
    for resource in before.resources {
        if !consent.resources.contains(&resource) {
            consent.resources.push(resource);
        }
    }
    let mut shares: BTreeMap<String, Scope> = before.shares.unwrap_or_default();
    for (identifier, share) in consent.shares.into_iter().flatten() {
        let known = shares.entry(identifier).or_default();
        *known = known.union(&share);
    }
    consent.shares = Some(shares);
    consent
}

/// Notes that a person did not allow what a client asked for.
pub fn note_denial(
    services: &Services,
    user: UserId,
    client: &Client,
    request: &AuthorizationRequest,
    origin: &Origin,
    now: Ts,
) {
    let event = Event::new(EventType::ConsentDenied, origin, now)
        .target("client", &client.id)
        .user(user)
        .client(&client.id);
    services
        .audit
        .note(event.detail("scope", request.asked().to_string()));
}

fn view(consent: &Consent) -> serde_json::Value {
    let shares = consent.shares.as_ref();
    serde_json::json!({ "scope": consent.scope, "resources": consent.resources, "shares": shares })
}
