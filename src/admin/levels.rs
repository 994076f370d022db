//! Levels: what people, and members of groups, may do to single resources of the operator's applications.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{ByName, Json, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, MAX_NAME, ResourceName};
use crate::store::assignments::Holder;
use crate::store::levels::LevelRow;

const READ: &str = "levels.read";
const WRITE: &str = "levels.write";

/// A level on one resource.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResourceLevel")]
pub(super) struct LevelView {
    /// The resource's type.
    resource_type: String,
    /// The resource's id.
    resource_id: String,
    /// `read`, `write`, `delete` or `admin`; each includes those before it.
    level: Level,
}

/// A level to give.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct NewLevel {
    /// `read`, `write`, `delete` or `admin`; each includes those before it.
    level: Level,
}

/// The levels of a user.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct OfUser {
    /// `sub`.
    id: UserId,
}

/// A user's level on one resource.
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
    let list = about("list_user_levels", "List a user's own levels", READ);
    api.add(Method::GET, "/v1/users/{id}/levels", list, list_user);
    let of_user = "/v1/users/{id}/levels/{resource_type}/{resource_id}";
    let yours = "You must have that level, or every permission on that resource type, yourself.";
    let put = about("set_user_level", "Give a user a level on a resource", WRITE).details(yours);
    api.add(Method::PUT, of_user, put, set::<UserOn>);
    let delete = about(
        "remove_user_level",
        "Remove a user's level on a resource",
        WRITE,
    );
    api.add(Method::DELETE, of_user, delete, remove::<UserOn>);
    let list = about("list_group_levels", "List a group's own levels", READ);
    api.add(Method::GET, "/v1/groups/{name}/levels", list, list_group);
    let of_group = "/v1/groups/{name}/levels/{resource_type}/{resource_id}";
    let put = about(
        "set_group_level",
        "Give a group a level on a resource",
        WRITE,
    )
    .details(yours);
    api.add(Method::PUT, of_group, put, set::<GroupOn>);
    let delete = about(
        "remove_group_level",
        "Remove a group's level on a resource",
        WRITE,
    );
    api.add(Method::DELETE, of_group, delete, remove::<GroupOn>);
}

async fn list_user(call: Call<OfUser, List, Nothing>) -> Result<Answer<Page<LevelView>>, Problem> {
    let (store, id) = (&call.site.services.store, call.path.id);
    if store.find_user(id).await?.is_none() {
        return Err(Problem::not_found("user", id));
    }
    let range = Range::of(&call.query)?;
    let after = after(&range)?;
    let rows = store.page_of_user_levels(id, &after, range.rows());
    Ok(Answer::of(&page(&range, rows.await?)))
}

async fn list_group(call: Call<ByName, List, Nothing>) -> Result<Answer<Page<LevelView>>, Problem> {
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

fn page(range: &Range, rows: Vec<LevelRow>) -> Page<LevelView> {
    let key = |row: &LevelRow| json!([row.resource.kind, row.resource.id]).to_string();
    range.page(rows, key, |row| view(&row.resource, row.level))
}

async fn set<P: LevelPath>(
    call: Call<P, Nothing, Json<NewLevel>>,
) -> Result<Answer<LevelView>, Problem> {
    let (holder, resource) = call.path.parts()?;
    let level = call.body.0.level;
    let mut act = begun!(call);
    act.set_level(&holder, &resource, level).await?;
    call.done(act, &view(&resource, level)).await
}

async fn remove<P: LevelPath>(
    call: Call<P, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let (holder, resource) = call.path.parts()?;
    let mut act = begun!(call);
    if !act.remove_level(&holder, &resource).await? {
        return Err(Problem::not_found("level on", resource));
    }
    call.gone(act).await
}

/// The path of one level: who has it, on what.
trait LevelPath {
    fn parts(&self) -> Result<(Holder, ResourceName), Problem>;
}

impl LevelPath for UserOn {
    fn parts(&self) -> Result<(Holder, ResourceName), Problem> {
        let resource = resource(&self.resource_type, &self.resource_id)?;
        Ok((Holder::User(self.id), resource))
    }
}

impl LevelPath for GroupOn {
    fn parts(&self) -> Result<(Holder, ResourceName), Problem> {
        let resource = resource(&self.resource_type, &self.resource_id)?;
        Ok((Holder::Group(self.name.clone()), resource))
    }
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

fn view(resource: &ResourceName, level: Level) -> LevelView {
    LevelView {
        resource_type: resource.kind.clone(),
        resource_id: resource.id.clone(),
        level,
    }
}
