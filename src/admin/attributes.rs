//! Declared attributes: what policies may ask of people, groups, organizations, applications and resources.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::policy::{Declaration, Declarations, Of};
use crate::service::administration::{AttributeKey, Kind as _};

const READ: &str = "policies.read";
const WRITE: &str = "policies.write";

/// A declared attribute.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attribute")]
pub(super) struct AttributeView {
    /// What has the attribute: `user`, `group`, `organization`, `client`, or a resource type.
    of: String,
    /// Its name.
    name: String,
    #[serde(flatten)]
    declaration: Declaration,
}

/// One attribute.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByName {
    /// What has the attribute: `user`, `group`, `organization`, `client`, or a resource type.
    of: String,
    /// Its name.
    name: String,
}

impl ByName {
    fn key(&self) -> AttributeKey {
        AttributeKey {
            of: Of::parse(&self.of),
            name: self.name.clone(),
        }
    }
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("attributes", id, summary, action);
    let list_attributes = about("list_attributes", "List declared attributes", READ);
    api.add(Method::GET, "/v1/attributes", list_attributes, list);
    let one = "/v1/attributes/{of}/{name}";
    let get_attribute = about(
        "get_attribute",
        "Read the declaration of an attribute",
        READ,
    );
    api.add(Method::GET, one, get_attribute, get);
    let declare = about("declare_attribute", "Declare an attribute", WRITE).details(
        "Refused if a stored value has another type, or a stored policy would become invalid. Needs `signet:*`.",
    ).guarded();
    api.add(Method::PUT, one, declare, put);
    let undeclare = about(
        "undeclare_attribute",
        "Delete the declaration of an attribute",
        WRITE,
    )
    .details("Needs `signet:*`.")
    .guarded();
    api.add(Method::DELETE, one, undeclare, delete);
}

async fn list(call: Call<Nothing, List, Nothing>) -> Result<Answer<Page<AttributeView>>, Problem> {
    let range = Range::of(&call.query)?;
    let mut all = flat(call.site.services.store.list_declarations().await?);
    all.retain(|attribute| key(attribute).as_str() > range.after());
    Ok(Answer::of(&range.page(all, key, |attribute| attribute)))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<AttributeView>, Problem> {
    let key = call.path.key();
    let store = &call.site.services.store;
    let found = store.find_declaration(&key.of, &key.name).await?;
    let declaration = found.ok_or_else(|| Problem::not_found("declared attribute", &key))?;
    Ok(Answer::of(&view(&key, declaration)))
}

async fn put(
    call: Call<ByName, Nothing, Json<Declaration>>,
) -> Result<Answer<AttributeView>, Problem> {
    let (key, Json(wanted)) = (call.path.key(), &call.body);
    let mut act = begun!(call);
    let was = Declaration::find(act.tx(), &key).await?;
    let seen = was.map(|was| view(&key, was));
    call.must_match_if_any(seen.as_ref())?;
    act.change(&key, was.as_ref(), *wanted).await?;
    call.done(act, &view(&key, *wanted)).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let key = call.path.key();
    let mut act = begun!(call);
    let was = act.find::<Declaration>(&key).await?;
    call.must_match(&view(&key, was))?;
    act.remove::<Declaration>(&key).await?;
    call.gone(act).await
}

/// The key of lists.
fn key(attribute: &AttributeView) -> String {
    json!([attribute.of, attribute.name]).to_string()
}

fn flat(all: Declarations) -> Vec<AttributeView> {
    let each = all.0.into_iter().flat_map(|(of, declared)| {
        declared.into_iter().map(move |(name, declaration)| {
            let key = AttributeKey {
                of: of.clone(),
                name,
            };
            view(&key, declaration)
        })
    });
    let mut all: Vec<AttributeView> = each.collect();
    all.sort_by_key(key);
    all
}

fn view(key: &AttributeKey, declaration: Declaration) -> AttributeView {
    AttributeView {
        of: key.of.as_str().to_owned(),
        name: key.name.clone(),
        declaration,
    }
}
