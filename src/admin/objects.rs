//! What is known of resources of the operator's applications: what policies may ask about them.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing};
use super::levels::resource;
use super::page::{Page, Range};
use super::problem::Problem;
use crate::domain::directory::Object;
use crate::domain::policy::ResourceName;
use crate::service::administration::Kind as _;

const READ: &str = "objects.read";
/// As with attributes of people: what policies may ask can open as much as a role.
const WRITE: &str = "attributes.write";

/// A resource of the operator's applications, with its attributes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Object")]
pub(super) struct ObjectView {
    /// Its type.
    resource_type: String,
    /// Its id.
    resource_id: String,
    #[serde(flatten)]
    object: Object,
}

/// Selects resources.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ObjectQuery {
    /// Only resources of this type.
    resource_type: String,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// One resource.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByName {
    /// Its type.
    resource_type: String,
    /// Its id.
    resource_id: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("objects", id, summary, action);
    let list_objects = about("list_objects", "List the resources of a type", READ);
    api.add(Method::GET, "/v1/objects", list_objects, list);
    let one = "/v1/objects/{resource_type}/{resource_id}";
    let get_object = about("get_object", "Read a resource's attributes", READ);
    api.add(Method::GET, one, get_object, get);
    let put_object = about("put_object", "Store a resource's attributes", WRITE)
        .details("Replaces what was stored.")
        .guarded();
    api.add(Method::PUT, one, put_object, put);
    let delete_object = about("delete_object", "Delete a resource's attributes", WRITE).guarded();
    api.add(Method::DELETE, one, delete_object, delete);
}

async fn list(
    call: Call<Nothing, ObjectQuery, Nothing>,
) -> Result<Answer<Page<ObjectView>>, Problem> {
    let query = &call.query;
    let range = Range::new(query.cursor.as_deref(), query.limit)?;
    let store = &call.site.services.store;
    let rows = store.page_of_objects(&query.resource_type, range.after(), range.rows());
    let key = |row: &(ResourceName, Object)| row.0.id.clone();
    let page = range.page(rows.await?, key, |(name, object)| view(name, object));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<ObjectView>, Problem> {
    let ByName {
        resource_type,
        resource_id,
    } = &call.path;
    let name = resource(resource_type, resource_id)?;
    let found = call.site.services.store.find_object_record(&name).await?;
    let record = found.ok_or_else(|| Problem::not_found("object", &name))?;
    Ok(Answer::of(&view(name, record)))
}

async fn put(call: Call<ByName, Nothing, Json<Object>>) -> Result<Answer<ObjectView>, Problem> {
    let name = resource(&call.path.resource_type, &call.path.resource_id)?;
    let Json(wanted) = &call.body;
    let mut act = begun!(call);
    let was = Object::find(act.tx(), &name).await?;
    let seen = was.clone().map(|was| view(name.clone(), was));
    call.must_match_if_any(seen.as_ref())?;
    act.change(&name, was.as_ref(), wanted.clone()).await?;
    call.done(act, &view(name, wanted.clone())).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let name = resource(&call.path.resource_type, &call.path.resource_id)?;
    let mut act = begun!(call);
    let was = act.find::<Object>(&name).await?;
    call.must_match(&view(name.clone(), was))?;
    act.remove::<Object>(&name).await?;
    call.gone(act).await
}

fn view(name: ResourceName, object: Object) -> ObjectView {
    ObjectView {
        resource_type: name.kind,
        resource_id: name.id,
        object,
    }
}
