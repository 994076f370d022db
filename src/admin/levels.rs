//! Levels: what people, and members of groups, may do to single resources of the operator's applications.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{ByName, Json, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, MAX_NAME, ResourceName};
use crate::service::administration::Writing;
use crate::store::assignments::Holder;
use crate::store::pages::LevelRow;

const READ: &str = "levels.read";
const WRITE: &str = "levels.write";

/// A level on one resource.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResourceLevel")]
pub(super) struct Shown {
    /// The resource's type.
    resource_type: String,
    /// The resource's id.
    resource_id: String,
    /// `read`, `write`, `delete` or `admin`; each has everything of those before it.
    level: Level,
}

/// A level to give.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewLevel")]
pub(super) struct New {
    /// `read`, `write`, `delete` or `admin`; each has everything of those before it.
    level: Level,
}

/// The levels of a person.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct OfUser {
    /// `sub`.
    id: UserId,
}

/// A person's level on one resource.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UserOn {
    /// `sub`.
    id: UserId,
    /// The resource's type.
    resource_type: String,
    /// The resource's id.
    resource_id: String,
}

/// A group's level on one resource.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GroupOn {
    /// The group's name.
    name: String,
    /// The resource's type.
    resource_type: String,
    /// The resource's id.
    resource_id: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("levels", id, summary, action);
    let list = about("list_user_levels", "List a person's own levels", READ);
    api.add(Method::GET, "/v1/users/{id}/levels", list, list_user);
    let of_user = "/v1/users/{id}/levels/{resource_type}/{resource_id}";
    let yours = "You must have that level, or every permission on that type, yourself.";
    let set = about(
        "set_user_level",
        "Give a person a level on a resource",
        WRITE,
    )
    .details(yours);
    api.add(Method::PUT, of_user, set, set_user);
    let remove = about(
        "remove_user_level",
        "Take a person's level on a resource",
        WRITE,
    );
    api.add(Method::DELETE, of_user, remove, remove_user);
    let list = about("list_group_levels", "List a group's own levels", READ);
    api.add(Method::GET, "/v1/groups/{name}/levels", list, list_group);
    let of_group = "/v1/groups/{name}/levels/{resource_type}/{resource_id}";
    let set = about(
        "set_group_level",
        "Give a group a level on a resource",
        WRITE,
    )
    .details(yours);
    api.add(Method::PUT, of_group, set, set_group);
    let remove = about(
        "remove_group_level",
        "Take a group's level on a resource",
        WRITE,
    );
    api.add(Method::DELETE, of_group, remove, remove_group);
}

async fn list_user(call: Call<OfUser, List, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let (store, id) = (&call.site.services.store, call.path.id);
    if store.find_user(id).await?.is_none() {
        return Err(Problem::not_found("user", id));
    }
    let range = Range::of(&call.query)?;
    let after = after(&range)?;
    let rows = store.page_of_user_levels(id, &after, range.rows());
    Ok(Answer::of(&page(&range, rows.await?)))
}

async fn list_group(call: Call<ByName, List, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let (store, name) = (&call.site.services.store, &call.path.name);
    if store.find_group(name).await?.is_none() {
        return Err(Problem::not_found("group", name));
    }
    let range = Range::of(&call.query)?;
    let after = after(&range)?;
    let rows = store.page_of_group_levels(name, &after, range.rows());
    Ok(Answer::of(&page(&range, rows.await?)))
}

fn after(range: &Range) -> Result<(String, String), Problem> {
    let parts = range.after_parts::<2>()?;
    Ok(parts.map(|[kind, id]| (kind, id)).unwrap_or_default())
}

fn page(range: &Range, rows: Vec<LevelRow>) -> Page<Shown> {
    let key = |row: &LevelRow| json!([row.resource.kind, row.resource.id]).to_string();
    range.page(rows, key, |row| shown(&row.resource, row.level))
}

async fn set_user(call: Call<UserOn, Nothing, Json<New>>) -> Result<Answer<Shown>, Problem> {
    let path = &call.path;
    let resource = resource(&path.resource_type, &path.resource_id)?;
    let mut writing = begun!(call);
    super::users::find(&mut writing, path.id).await?;
    let level = call.body.0.level;
    set(&mut writing, &Holder::User(path.id), &resource, level).await?;
    call.done(writing, &shown(&resource, level)).await
}

async fn set_group(call: Call<GroupOn, Nothing, Json<New>>) -> Result<Answer<Shown>, Problem> {
    let path = &call.path;
    let resource = resource(&path.resource_type, &path.resource_id)?;
    let mut writing = begun!(call);
    known_group(&mut writing, &path.name).await?;
    let (level, holder) = (call.body.0.level, Holder::Group(path.name.clone()));
    set(&mut writing, &holder, &resource, level).await?;
    call.done(writing, &shown(&resource, level)).await
}

async fn remove_user(
    call: Call<UserOn, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let path = &call.path;
    let resource = resource(&path.resource_type, &path.resource_id)?;
    let mut writing = begun!(call);
    remove(&mut writing, &Holder::User(path.id), &resource).await?;
    call.gone(writing).await
}

async fn remove_group(
    call: Call<GroupOn, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let path = &call.path;
    let resource = resource(&path.resource_type, &path.resource_id)?;
    let mut writing = begun!(call);
    remove(&mut writing, &Holder::Group(path.name.clone()), &resource).await?;
    call.gone(writing).await
}

async fn set(
    writing: &mut Writing,
    holder: &Holder,
    resource: &ResourceName,
    level: Level,
) -> Result<(), Problem> {
    writing.rights().may_give_level(resource, level, "level")?;
    let had = writing.tx().find_level(holder, resource).await?;
    if writing
        .tx()
        .set_level(holder, resource, Some(level))
        .await?
    {
        let event = about(writing, EventType::LevelSet, holder).after(view(resource, level));
        let event = match had {
            Some(had) => event.before(view(resource, had)),
            None => event,
        };
        writing.record(event).await?;
    }
    Ok(())
}

async fn remove(
    writing: &mut Writing,
    holder: &Holder,
    resource: &ResourceName,
) -> Result<(), Problem> {
    let had = writing.tx().find_level(holder, resource).await?;
    let had = had.ok_or_else(|| Problem::not_found("level on", resource))?;
    writing.tx().set_level(holder, resource, None).await?;
    let event = about(writing, EventType::LevelRemoved, holder);
    let event = event.before(view(resource, had));
    Ok(writing.record(event).await?)
}

/// What an event says of a level.
fn view(resource: &ResourceName, level: Level) -> Value {
    json!({ "resource": resource.to_string(), "level": level })
}

fn about(writing: &Writing, kind: EventType, holder: &Holder) -> crate::domain::audit::Event {
    let event = writing.event(kind);
    match holder {
        Holder::User(id) => event.target("user", id).user(*id),
        Holder::Group(name) => event.target("group", name),
    }
}

async fn known_group(writing: &mut Writing, name: &str) -> Result<(), Problem> {
    let known = writing.tx().list_groups().await?.contains_key(name);
    known
        .then_some(())
        .ok_or_else(|| Problem::not_found("group", name))
}

/// A resource of the operator's applications; Signet's own administration has no single resources.
pub(super) fn resource(kind: &str, id: &str) -> Result<ResourceName, Problem> {
    let good = |part: &str| (1..=MAX_NAME).contains(&part.len()) && !part.contains('\0');
    let expected = format!("expected 1 to {MAX_NAME} bytes");
    if !good(kind) {
        return Err(Problem::invalid("resource_type", expected));
    }
    if !good(id) {
        return Err(Problem::invalid("resource_id", expected));
    }
    if kind == crate::service::administration::RESOURCE_TYPE {
        let detail = "signet is Signet's own administration; give a role for that";
        return Err(Problem::invalid("resource_type", detail));
    }
    Ok(ResourceName {
        kind: kind.to_owned(),
        id: id.to_owned(),
    })
}

fn shown(resource: &ResourceName, level: Level) -> Shown {
    Shown {
        resource_type: resource.kind.clone(),
        resource_id: resource.id.clone(),
        level,
    }
}
