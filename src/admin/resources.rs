//! Resource servers and their scopes.

use std::collections::BTreeMap;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::resource::Resource;
use crate::service::administration::Writing;
use crate::service::apply::Desired;
use crate::spec::scope::Scope;

const READ: &str = "resources.read";
const WRITE: &str = "resources.write";

/// What can be changed of a resource server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ResourceFields")]
pub(super) struct Fields {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The scopes that mean something to it.
    #[serde(default)]
    scopes: Vec<String>,
    /// By scope: the permission that a person needs to give it, `resource_type:action`.
    #[serde(default)]
    scope_permissions: BTreeMap<String, String>,
    /// What access tokens for it say of the person: `roles`, `groups`, `permissions`, `org_id`, `attributes.NAME`.
    #[serde(default)]
    access_token_claims: Vec<String>,
}

/// A resource server (RFC 8707).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Resource")]
pub(super) struct Shown {
    /// Its URI: the `aud` of tokens for it.
    identifier: String,
    #[serde(flatten)]
    fields: Fields,
}

/// One resource server.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByIdentifier {
    /// Its URI, percent-encoded.
    identifier: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("resources", id, summary, action);
    let list_resources = about("list_resources", "List resource servers", READ);
    api.add(Method::GET, "/v1/resources", list_resources, list);
    let create_resource = about("create_resource", "Register a resource server", WRITE);
    api.add(Method::POST, "/v1/resources", create_resource, create);
    let one = "/v1/resources/{identifier}";
    let get_resource = about("get_resource", "Read a resource server", READ);
    api.add(Method::GET, one, get_resource, get);
    let update_resource = about("update_resource", "Change a resource server", WRITE);
    api.add(Method::PATCH, one, update_resource.guarded(), update);
    let delete_resource = about("delete_resource", "Remove a resource server", WRITE)
        .details("Nothing is issued for it any more; what was issued lives until it expires.");
    api.add(Method::DELETE, one, delete_resource.guarded(), delete);
}

async fn list(call: Call<Nothing, List, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = Range::of(&call.query)?;
    let mut all = call.site.services.store.list_resources().await?;
    // There are few of them: every token request looks at them all.
    all.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    all.retain(|resource| resource.identifier.as_str() > range.after());
    let page = range.page(all, |resource| resource.identifier.clone(), shown);
    Ok(Answer::of(&page))
}

async fn get(call: Call<ByIdentifier, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let identifier = &call.path.identifier;
    let all = call.site.services.store.list_resources().await?;
    Ok(Answer::of(&one(all, identifier)?))
}

async fn create(call: Call<Nothing, Nothing, Json<Shown>>) -> Result<Answer<Shown, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    let known = writing.tx().list_resources().await?;
    if known.iter().any(|known| known.identifier == new.identifier) {
        return Err(Problem::exists("resource", &new.identifier).param("identifier"));
    }
    write(&mut writing, &new.identifier, &new.fields).await?;
    let created = one(writing.tx().list_resources().await?, &new.identifier)?;
    let location = super::location("resources", &new.identifier);
    call.created(writing, &created, location).await
}

async fn update(
    call: Call<ByIdentifier, Nothing, Patch<Fields>>,
) -> Result<Answer<Shown>, Problem> {
    let mut writing = begun!(call);
    let identifier = &call.path.identifier;
    let was = one(writing.tx().list_resources().await?, identifier)?;
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.fields)?;
    opened(&writing, &was.fields, &wanted.scope_permissions)?;
    write(&mut writing, identifier, &wanted).await?;
    let is = one(writing.tx().list_resources().await?, identifier)?;
    call.done(writing, &is).await
}

async fn delete(
    call: Call<ByIdentifier, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let identifier = &call.path.identifier;
    let was = one(writing.tx().list_resources().await?, identifier)?;
    call.must_match(&was)?;
    opened(&writing, &was.fields, &BTreeMap::new())?;
    writing.delete_resource(identifier, json!(was)).await?;
    call.gone(writing).await
}

/// What a scope required until now must be the caller's, if it is to require it no more.
fn opened(
    writing: &Writing,
    was: &Fields,
    wanted: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    for (scope, permission) in &was.scope_permissions {
        if wanted.get(scope) != Some(permission) {
            let rights = writing.rights();
            rights.may_give_permission(permission, "scope_permissions")?;
        }
    }
    Ok(())
}

async fn write(writing: &mut Writing, identifier: &str, wanted: &Fields) -> Result<(), Problem> {
    let scopes = Scope::parse(&wanted.scopes.join(" "))
        .map_err(|error| Problem::unprocessable("scopes", error.to_string()))?;
    let desired = Desired {
        resources: vec![Resource {
            identifier: identifier.to_owned(),
            name: wanted.name.clone(),
            scopes,
            scope_permissions: wanted.scope_permissions.clone(),
            access_token_claims: wanted.access_token_claims.clone(),
        }],
        ..Desired::default()
    };
    writing.apply(&desired, false).await?;
    Ok(())
}

fn one(all: Vec<Resource>, identifier: &str) -> Result<Shown, Problem> {
    all.into_iter()
        .find(|resource| resource.identifier == identifier)
        .map(shown)
        .ok_or_else(|| Problem::not_found("resource", identifier))
}

fn shown(resource: Resource) -> Shown {
    Shown {
        identifier: resource.identifier,
        fields: Fields {
            name: resource.name,
            scopes: resource.scopes.iter().map(str::to_owned).collect(),
            scope_permissions: resource.scope_permissions,
            access_token_claims: resource.access_token_claims,
        },
    }
}
