//! What people allow clients.

use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::authorization::AuthorizationRequest;
use crate::domain::client::Client;
use crate::domain::ids::UserId;
use crate::service::Services;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// What this person allowed this client before, if it covers the resource servers asked for.
pub async fn find(
    services: &Services,
    user: UserId,
    client: &Client,
    request: &AuthorizationRequest,
) -> Result<Option<Scope>, StoreError> {
    let consent = services.store.find_consent(user, &client.id).await?;
    Ok(consent
        .filter(|consent| {
            request
                .resources
                .iter()
                .all(|resource| consent.resources.contains(resource))
        })
        .map(|consent| consent.scope))
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
    let (mut scope, mut resources) = (request.asked(), request.resources.clone());
    if let Some(before) = before {
        event = event.before(view(&before.scope, &before.resources));
        scope = scope.union(&before.scope);
        resources.extend(
            before
                .resources
                .into_iter()
                .filter(|resource| !request.resources.contains(resource)),
        );
    }
    tracing::info!(user.id = %user, client.id = %client.id, "user {user} allowed client {} {}", client.id, request.scope);
    event = event.after(view(&scope, &resources));
    let mut tx = services.store.db().begin().await?;
    tx.save_consent(user, &client.id, &scope, &resources, now)
        .await?;
    tx.record_event(&event).await?;
    tx.commit().await
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

fn view(scope: &Scope, resources: &[String]) -> serde_json::Value {
    serde_json::json!({ "scope": scope.to_string(), "resources": resources })
}
