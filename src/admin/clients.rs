//! Applications, under the names of RFC 7591, and their secrets.

use std::time::Duration;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, Context, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{Page, Search};
use super::problem::Problem;
use super::users::WRITE_ATTRIBUTES;
use crate::config::Secret;
use crate::crypto::random;
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::service::administration::Writing;
use crate::service::apply::{Desired, DesiredClient};
use crate::service::registry::client_secrets;
use crate::service::tokens::revoke::ClientStanding;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;
use crate::spec::time::Ts;

const READ: &str = "clients.read";
const WRITE: &str = "clients.write";

/// What can be changed of an application.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ClientFields")]
pub(super) struct Fields {
    /// Whether nobody may use it. Disabling ends everything of its.
    #[serde(default)]
    disabled: bool,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// An application.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Client")]
pub(super) struct Shown {
    /// Its identifier.
    client_id: String,
    #[serde(flatten)]
    fields: Fields,
    /// Its secrets, without the secrets.
    secrets: Vec<ShownSecret>,
}

/// A secret, without the secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClientSecret")]
pub(super) struct ShownSecret {
    /// When it was made, RFC 3339.
    created_at: String,
    /// Until when it is valid, RFC 3339; for good without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// An application to register.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewClient")]
pub(super) struct New {
    /// Its identifier; a random one without it.
    #[serde(default)]
    client_id: Option<String>,
    /// Its secret; a random one without it, if it needs one.
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// An application that was registered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredClient")]
pub(super) struct Registered {
    #[serde(flatten)]
    client: Shown,
    /// The secret that was made, told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// How to change over to a new secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Rotation")]
pub(super) struct Rotation {
    /// How long the secrets of before stay valid, in seconds; a day without it.
    #[serde(default)]
    keep: Option<u32>,
}

/// A new secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewClientSecret")]
pub(super) struct NewSecret {
    /// The secret, told this once.
    client_secret: String,
    /// All secrets that are valid now, without the secrets.
    secrets: Vec<ShownSecret>,
}

/// One application.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// Its identifier.
    client_id: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("clients", id, summary, action);
    let list_clients = about("list_clients", "List applications", READ);
    api.add(Method::GET, "/v1/clients", list_clients, list);
    let create_client = about("create_client", "Register an application", WRITE).details(
        "The members are those of RFC 7591 and OpenID Connect, beside Signet's own. A scope of `signet:` and \
         `may_introspect` need `signet:*`.",
    );
    api.add(Method::POST, "/v1/clients", create_client, create);
    let one = "/v1/clients/{client_id}";
    let get_client = about("get_client", "Read an application", READ);
    api.add(Method::GET, one, get_client, get);
    let update_client = about("update_client", "Change an application", WRITE)
        .details("One that has a scope of `signet:` or may introspect needs `signet:*`.");
    api.add(Method::PATCH, one, update_client.guarded(), update);
    let delete_client =
        about("delete_client", "Delete an application", WRITE).details("Ends everything of its.");
    api.add(Method::DELETE, one, delete_client.guarded(), delete);
    let rotate = about(
        "rotate_client_secret",
        "Give an application a new secret",
        WRITE,
    )
    .details("The secret of before stays valid for a while, so that nobody is locked out.");
    api.add(
        Method::POST,
        "/v1/clients/{client_id}/secrets",
        rotate,
        rotate_secret,
    );
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let begins = call.query.begins();
    let rows = store
        .page_of_clients(begins, range.after(), range.rows())
        .await?;
    let key = |client: &Client| client.id.as_str().to_owned();
    let page = range.page(rows, key, |client| shown(&client, call.now));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let id = id(&call.path.client_id)?;
    let found = call.site.services.store.find_client(&id).await?;
    let client = found.ok_or_else(|| Problem::not_found("client", id.as_str()))?;
    Ok(Answer::of(&shown(&client, call.now)))
}

async fn create(
    call: Call<Nothing, Nothing, Json<New>>,
) -> Result<Answer<Registered, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    powerful(&mut writing, &new.metadata).await?;
    if !new.metadata.attributes.is_empty() {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    let client_id = match &new.client_id {
        Some(id) => id.clone(),
        None => random::token().expose().to_owned(),
    };
    let desired = Desired {
        clients: vec![DesiredClient {
            id: client_id.clone(),
            secret: new.client_secret.clone().map(Secret::new),
            metadata: new.metadata.clone(),
        }],
        ..Desired::default()
    };
    let report = writing.apply(&desired, true).await?;
    let client = find(&mut writing, &client_id).await?;
    let made = report.generated.first();
    let registered = Registered {
        client: shown(&client, writing.now()),
        client_secret: made.map(|made| made.secret.expose().to_owned()),
    };
    let location = super::location("clients", &client_id);
    call.told_once(writing, &registered, location).await
}

async fn update(call: Call<ById, Nothing, Patch<Fields>>) -> Result<Answer<Shown>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.client_id).await?;
    powerful(&mut writing, &was.metadata).await?;
    let before = shown(&was, writing.now());
    call.must_match(&before)?;
    let wanted = call.body.onto(&before.fields)?;
    powerful(&mut writing, &wanted.metadata).await?;
    if wanted.metadata.attributes != was.metadata.attributes {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    if wanted.metadata.required_permission != was.metadata.required_permission {
        freed(&writing, &was.metadata)?;
    }
    let desired = Desired {
        clients: vec![DesiredClient {
            id: was.id.as_str().to_owned(),
            secret: None,
            metadata: wanted.metadata.clone(),
        }],
        ..Desired::default()
    };
    writing.apply(&desired, false).await?;
    let (before_it, now) = (&was.metadata, &wanted.metadata);
    if before_it.redirect_uris != now.redirect_uris
        || before_it.token_endpoint_auth_method != now.token_endpoint_auth_method
        || (&before_it.jwks, &before_it.jwks_uri) != (&now.jwks, &now.jwks_uri)
    {
        writing.ask_again(&was.id).await?;
    }
    if wanted.disabled != was.disabled_at.is_some() {
        let standing = if wanted.disabled {
            ClientStanding::Disabled
        } else {
            ClientStanding::Enabled
        };
        writing.set_client_standing(&was.id, standing).await?;
    }
    let is = find(&mut writing, was.id.as_str()).await?;
    let is = shown(&is, writing.now());
    call.done(writing, &is).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.client_id).await?;
    powerful(&mut writing, &was.metadata).await?;
    call.must_match(&shown(&was, writing.now()))?;
    // Whoever makes it again makes it without these.
    unguarded(&call, &writing, &was.metadata).await?;
    writing.delete_client(&was.id).await?;
    call.gone(writing).await
}

async fn rotate_secret(
    call: Call<ById, Nothing, Json<Rotation>>,
) -> Result<Answer<NewSecret, 201>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.client_id).await?;
    powerful(&mut writing, &was.metadata).await?;
    if !was.auth_method.uses_secret() {
        let detail = format!(
            "this client authenticates with {}, which needs no secret",
            was.auth_method.as_str()
        );
        return Err(Problem::conflict("no_secret", detail));
    }
    let keep = call.body.0.keep.map(u64::from).map(Duration::from_secs);
    let keep = keep.unwrap_or(client_secrets::KEEP);
    let secret = writing.rotate_client_secret(&was.id, keep).await?;
    let is = find(&mut writing, was.id.as_str()).await?;
    let new = NewSecret {
        client_secret: secret.expose().to_owned(),
        secrets: shown(&is, writing.now()).secrets,
    };
    let location = super::location("clients", was.id.as_str());
    call.told_once(writing, &new, location).await
}

/// A client that may administrate, decide or introspect is as strong as whoever may do everything: its secrets and
/// redirect URIs are keys to that. One that acts for itself has the permissions that its scopes require of people.
async fn powerful(writing: &mut Writing, metadata: &ClientMetadata) -> Result<(), Problem> {
    let scope = metadata.scope.clone().unwrap_or_default();
    if scope.iter().any(|token| token.starts_with("signet:")) {
        writing.rights().must_be_full("scope")?;
    }
    if metadata.may_introspect {
        writing.rights().must_be_full("may_introspect")?;
    }
    let mut types = metadata.grant_types.iter().flatten();
    let by_itself = types.any(|kind| *kind == GrantType::ClientCredentials);
    // Nor are people asked before a first party gets what they have.
    if by_itself || metadata.first_party {
        for resource in writing.tx().list_resources().await? {
            for (token, permission) in &resource.scope_permissions {
                if scope.contains(token) {
                    writing.rights().may_give_permission(permission, "scope")?;
                }
            }
        }
    }
    Ok(())
}

/// Refuses whoever may not take away what guards a client: the permission that it requires, and what policies ask of it.
async fn unguarded(call: &Context, writing: &Writing, was: &ClientMetadata) -> Result<(), Problem> {
    if !was.attributes.is_empty() {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    freed(writing, was)
}

fn freed(writing: &Writing, was: &ClientMetadata) -> Result<(), Problem> {
    let rights = writing.rights();
    if let Some(permission) = &was.required_permission {
        rights.may_give_permission(permission, "required_permission")?;
    }
    Ok(())
}

fn id(text: &str) -> Result<ClientId, Problem> {
    ClientId::parse(text).ok_or_else(|| Problem::not_found("client", text))
}

async fn find(writing: &mut Writing, text: &str) -> Result<Client, Problem> {
    let id = id(text)?;
    let found = writing.tx().find_client(&id).await?;
    found.ok_or_else(|| Problem::not_found("client", text))
}

fn shown(client: &Client, now: Ts) -> Shown {
    let secrets = client.secrets.iter();
    let valid = secrets.filter(|secret| secret.expires_at.is_none_or(|end| end > now));
    Shown {
        client_id: client.id.as_str().to_owned(),
        fields: Fields {
            disabled: client.disabled_at.is_some(),
            metadata: client.metadata.clone(),
        },
        secrets: valid
            .map(|secret| ShownSecret {
                created_at: secret.created_at.rfc3339(),
                expires_at: secret.expires_at.map(Ts::rfc3339),
            })
            .collect(),
    }
}
