//! What roles and policies say about Signet itself: who may use which client, and which scopes a person can give.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::audit::{Actor, Event, EventType, Origin};
use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::Permission;
use crate::domain::session::Session;
use crate::service::Services;
use crate::service::decisions::{DecisionRequest, Who};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// How a user signed in, as their access token tells it; a client that acts for itself did not.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// `acr`.
    pub acr: Option<String>,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`.
    pub auth_time: Option<Ts>,
}

impl SignIn {
    /// The `context` of policies for a caller with a token, through a client, from an address.
    #[must_use]
    pub fn context(&self, client: &ClientId, ip: IpAddr, now: Ts) -> Map<String, Value> {
        let mut context = match self.auth_time {
            Some(auth_time) => {
                let acr = self.acr.as_deref().unwrap_or_default();
                signed_in(auth_time, acr, &self.amr, now)
            }
            None => Map::from_iter([("now".to_owned(), now.secs().into())]),
        };
        context.insert("client_id".to_owned(), client.as_str().into());
        context.insert("ip".to_owned(), ip.to_string().into());
        context
    }
}

/// When and how a user signed in, and what time it is.
fn signed_in(auth_time: Ts, acr: &str, amr: &[String], now: Ts) -> Map<String, Value> {
    let age = i64::try_from(now.since(auth_time).as_secs()).unwrap_or(i64::MAX);
    let context = [
        ("acr", Value::from(acr)),
        ("amr", Value::from(amr)),
        ("auth_age", Value::from(age)),
        ("now", Value::from(now.secs())),
    ];
    context
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A person and how they are signed in: the `context` of policies.
#[derive(Clone, Debug)]
pub struct Circumstances {
    user: UserId,
    context: Map<String, Value>,
    /// Whether they are there themselves.
    at_browser: bool,
    origin: Origin,
    now: Ts,
}

impl Circumstances {
    /// A user at their browser.
    #[must_use]
    pub fn of_session(session: &Session, origin: &Origin, now: Ts) -> Self {
        let (acr, amr) = (&session.acr, &session.amr);
        let origin = origin.by(Actor::Person(session.user_id));
        let ip = origin.ip;
        Self {
            at_browser: true,
            ..Self::new(
                session.user_id,
                session.auth_time,
                acr,
                amr,
                ip,
                origin,
                now,
            )
        }
    }

    /// A user for whom an application asks, from where they were when they allowed it.
    #[must_use]
    pub fn of_grant(grant: &Grant, origin: &Origin, now: Ts) -> Self {
        let (acr, amr, origin) = (&grant.acr, &grant.amr, origin.clone());
        Self::new(
            grant.user_id,
            grant.auth_time,
            acr,
            amr,
            grant.ip,
            origin,
            now,
        )
    }

    fn new(
        user: UserId,
        auth_time: Ts,
        acr: &str,
        amr: &[String],
        ip: Option<IpAddr>,
        origin: Origin,
        now: Ts,
    ) -> Self {
        let mut context = signed_in(auth_time, acr, amr, now);
        context.extend(ip.map(|ip| ("ip".to_owned(), ip.to_string().into())));
        Self {
            user,
            context,
            at_browser: false,
            origin,
            now,
        }
    }

    /// Notes what the person was refused.
    fn note(&self, services: &Services, client: &Client, what: &'static str, which: &str) {
        let event = Event::new(EventType::AccessDenied, &self.origin, self.now)
            .target("client", &client.id)
            .user(self.user)
            .client(&client.id);
        services.audit.note(event.detail(what, which));
    }
}

/// Whether a person may sign in to a client: everybody may, unless the client requires a permission.
pub async fn may_sign_in_to(
    services: &Services,
    client: &Client,
    circumstances: &Circumstances,
) -> Result<bool, StoreError> {
    match &client.metadata.required_permission {
        None => Ok(true),
        Some(permission) => {
            let id = client.id.as_str();
            let allowed = may(services, permission, id, client, circumstances).await?;
            if !allowed {
                circumstances.note(services, client, "permission", permission);
            }
            Ok(allowed)
        }
    }
}

/// What of a scope a person can give a client: a scope that requires a permission is given only by those who have
/// it.
pub async fn permitted(
    services: &Services,
    scope: &Scope,
    client: &Client,
    circumstances: &Circumstances,
) -> Result<Scope, StoreError> {
    let resources = services.resources.all().await?;
    let (mut permitted, mut withheld) = (Vec::new(), Vec::new());
    for token in scope.iter() {
        let mut allowed = true;
        for resource in resources.iter() {
            if let Some(permission) = resource.scope_permissions.get(token) {
                let id = &resource.identifier;
                allowed &=
                    may(services, &permission.to_string(), id, client, circumstances).await?;
            }
        }
        if allowed {
            permitted.push(token);
        } else {
            withheld.push(token);
        }
    }
    // Once, when they ask, and not with every token.
    if circumstances.at_browser && !withheld.is_empty() {
        circumstances.note(services, client, "scope", &withheld.join(" "));
    }
    Ok(permitted.into_iter().collect())
}

/// One decision. A permission that cannot be read is given to no user.
async fn may(
    services: &Services,
    permission: &str,
    resource_id: &str,
    client: &Client,
    circumstances: &Circumstances,
) -> Result<bool, StoreError> {
    let Some(permission) = Permission::parse(permission) else {
        return Ok(false);
    };
    let mut context = circumstances.context.clone();
    context.insert("client_id".to_owned(), client.id.as_str().into());
    let asked = DecisionRequest {
        subject: Who::Id(circumstances.user),
        action: permission.action,
        resource_type: permission.resource_type,
        resource_id: resource_id.to_owned(),
        resource_attributes: Map::new(),
        context,
        client: Some(Arc::new(client.application())),
        why: false,
    };
    let decision = Box::pin(services.decisions.decide(&asked, circumstances.now)).await?;
    Ok(decision.allowed)
}
