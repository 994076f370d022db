//! Applications, under the names of RFC 7591, and their secrets.

use std::time::Duration;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{Page, Search};
use super::problem::Problem;
use crate::config::Secret;
use crate::crypto::random;
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::service::administration::ClientRow;
use crate::service::registry::client_secrets;
use crate::service::tokens::revoke::ClientState;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::time::Ts;

const READ: &str = "clients.read";
const WRITE: &str = "clients.write";

/// The members of a client that can be changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ClientFields {
    /// Whether the client is disabled. Disabling revokes its grants and tokens.
    #[serde(default)]
    disabled: bool,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// A client.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Client")]
pub(super) struct ClientView {
    /// `client_id`.
    client_id: String,
    #[serde(flatten)]
    fields: ClientFields,
    /// Its secrets, without their values.
    secrets: Vec<SecretView>,
}

/// A secret, without its value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClientSecret")]
pub(super) struct SecretView {
    /// Time of creation, RFC 3339.
    created_at: String,
    /// Time of expiry, RFC 3339; absent when it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A client to register.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct NewClient {
    /// `client_id` (default: random).
    #[serde(default)]
    client_id: Option<String>,
    /// Its secret (default: random, where its authentication method needs one).
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// A registered client.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RegisteredClient")]
pub(super) struct Registered {
    #[serde(flatten)]
    client: ClientView,
    /// The generated secret. No later response contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// How to replace a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Rotation")]
pub(super) struct Rotation {
    /// Seconds for which earlier secrets stay valid (default 86400).
    #[serde(default)]
    keep: Option<u32>,
    /// Whether earlier secrets end at once, as with `keep` 0 (default false).
    #[serde(default)]
    revoke_old: bool,
}

/// A new secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewClientSecret")]
pub(super) struct NewSecret {
    /// The secret. No later response contains it.
    client_secret: String,
    /// Until when an earlier secret stays valid, RFC 3339; absent when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_valid_until: Option<String>,
    /// All valid secrets, without their values.
    secrets: Vec<SecretView>,
}

/// One client.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// `client_id`.
    client_id: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("clients", id, summary, action);
    let list_clients = about("list_clients", "List clients", READ);
    api.add(Method::GET, "/v1/clients", list_clients, list);
    let create_client = about("create_client", "Register a client", WRITE).details(
        "The members are those of RFC 7591 and OpenID Connect Dynamic Client Registration, and Signet's own. A client \
         without `token_endpoint_auth_method` authenticates with its secret by header or by body. A scope of \
         `signet:` and `may_introspect` need `signet:*`.",
    );
    api.add(Method::POST, "/v1/clients", create_client, create);
    let one = "/v1/clients/{client_id}";
    let get_client = about("get_client", "Read a client", READ);
    api.add(Method::GET, one, get_client, get);
    let update_client = about("update_client", "Change a client", WRITE).details(
        "Needs `signet:*` for a client that has a scope of `signet:` or `may_introspect`.",
    );
    api.add(Method::PATCH, one, update_client.guarded(), update);
    let delete_client =
        about("delete_client", "Delete a client", WRITE).details("Revokes its grants and tokens.");
    api.add(Method::DELETE, one, delete_client.guarded(), delete);
    let rotate = about(
        "rotate_client_secret",
        "Add a client secret",
        WRITE,
    )
    .details("Earlier secrets stay valid for the time in `keep`, so that running instances can change over; with \
              `revoke_old` they end at once, on every instance.");
    api.add(
        Method::POST,
        "/v1/clients/{client_id}/secrets",
        rotate,
        rotate_secret,
    );
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<ClientView>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let begins = call.query.begins();
    let rows = store
        .page_of_clients(begins, range.after(), range.rows())
        .await?;
    let key = |client: &Client| client.id.as_str().to_owned();
    let page = range.page(rows, key, |client| view(&client, call.now));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<ClientView>, Problem> {
    let id = id(&call.path.client_id)?;
    let found = call.site.services.store.find_client(&id).await?;
    let client = found.ok_or_else(|| Problem::not_found("client", id.as_str()))?;
    Ok(Answer::of(&view(&client, call.now)))
}

async fn create(
    call: Call<Nothing, Nothing, Json<NewClient>>,
) -> Result<Answer<Registered, 201>, Problem> {
    let Json(new) = &call.body;
    let row = ClientRow {
        id: match &new.client_id {
            Some(id) => id.clone(),
            None => random::token().expose().to_owned(),
        },
        secret: new.client_secret.clone().map(Secret::new),
        metadata: new.metadata.clone(),
    };
    let mut act = begun!(call);
    let put = act.create_client(&row).await?;
    let client = act.find_client(&id(&row.id)?).await?;
    let registered = Registered {
        client: view(&client, act.now()),
        client_secret: put.secret.map(|secret| secret.expose().to_owned()),
    };
    let location = super::location("clients", &row.id);
    call.told_once(act, &registered, location).await
}

async fn update(
    call: Call<ById, Nothing, Patch<ClientFields>>,
) -> Result<Answer<ClientView>, Problem> {
    let id = id(&call.path.client_id)?;
    let mut act = begun!(call);
    let was = act.find_client(&id).await?;
    let before = view(&was, act.now());
    call.must_match(&before)?;
    let wanted = call.body.onto(&before.fields)?;
    act.change_client(&was, &wanted.metadata).await?;
    if wanted.disabled != was.disabled_at.is_some() {
        let state = if wanted.disabled {
            ClientState::Disabled
        } else {
            ClientState::Enabled
        };
        act.set_client_state(&was, state).await?;
    }
    let is = view(&act.find_client(&id).await?, act.now());
    call.done(act, &is).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let id = id(&call.path.client_id)?;
    let mut act = begun!(call);
    let was = act.find_client(&id).await?;
    call.must_match(&view(&was, act.now()))?;
    act.remove_client(&was).await?;
    call.gone(act).await
}

async fn rotate_secret(
    call: Call<ById, Nothing, Json<Rotation>>,
) -> Result<Answer<NewSecret, 201>, Problem> {
    let id = id(&call.path.client_id)?;
    let keep = match call.body.0 {
        Rotation {
            keep: Some(1..),
            revoke_old: true,
        } => {
            let detail = "earlier secrets cannot both stay valid and end at once";
            return Err(Problem::unprocessable("revoke_old", detail));
        }
        Rotation {
            revoke_old: true, ..
        } => Duration::ZERO,
        Rotation {
            keep: Some(seconds),
            ..
        } => Duration::from_secs(seconds.into()),
        Rotation { keep: None, .. } => client_secrets::KEEP,
    };
    let mut act = begun!(call);
    let was = act.find_client(&id).await?;
    let secret = act.rotate_client_secret(&was, keep).await?;
    let is = act.find_client(&id).await?;
    let ends = is.secrets.iter().filter_map(|secret| secret.expires_at);
    let new = NewSecret {
        client_secret: secret.expose().to_owned(),
        old_valid_until: ends.filter(|end| *end > act.now()).max().map(Ts::rfc3339),
        secrets: view(&is, act.now()).secrets,
    };
    let location = super::location("clients", id.as_str());
    call.told_once(act, &new, location).await
}

fn id(text: &str) -> Result<ClientId, Problem> {
    ClientId::parse(text).ok_or_else(|| Problem::not_found("client", text))
}

fn view(client: &Client, now: Ts) -> ClientView {
    let secrets = client.secrets.iter();
    let valid = secrets.filter(|secret| secret.expires_at.is_none_or(|end| end > now));
    ClientView {
        client_id: client.id.as_str().to_owned(),
        fields: ClientFields {
            disabled: client.disabled_at.is_some(),
            metadata: client.metadata.clone(),
        },
        secrets: valid
            .map(|secret| SecretView {
                created_at: secret.created_at.rfc3339(),
                expires_at: secret.expires_at.map(Ts::rfc3339),
            })
            .collect(),
    }
}
