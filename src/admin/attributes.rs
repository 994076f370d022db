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
use crate::domain::audit::EventType;
use crate::domain::policy::{AttributeType, Declaration, Declarations, Of};
use crate::service::attributes::{DeclareError, declare, undeclare};

const READ: &str = "policies.read";
const WRITE: &str = "policies.write";

/// What is declared of an attribute.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AttributeFields")]
pub(super) struct Fields {
    /// `string`, `long`, `bool`, `set<string>`, `decimal`, `datetime` or `ipaddr`.
    r#type: String,
    /// Whether it must be there.
    #[serde(default)]
    required: bool,
}

/// A declared attribute.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attribute")]
pub(super) struct Shown {
    /// Of what: `user`, `group`, `organization`, `client`, or a type of resources.
    of: String,
    /// Its name.
    name: String,
    #[serde(flatten)]
    fields: Fields,
}

/// One attribute.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByName {
    /// Of what: `user`, `group`, `organization`, `client`, or a type of resources.
    of: String,
    /// Its name.
    name: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("attributes", id, summary, action);
    let list_attributes = about("list_attributes", "List declared attributes", READ);
    api.add(Method::GET, "/v1/attributes", list_attributes, list);
    let one = "/v1/attributes/{of}/{name}";
    let get_attribute = about(
        "get_attribute",
        "Read what is declared of an attribute",
        READ,
    );
    api.add(Method::GET, one, get_attribute, get);
    let declare = about("declare_attribute", "Declare an attribute", WRITE).details(
        "Refused if something that is stored contradicts it, or a policy could not live with it. Needs `signet:*`.",
    ).guarded();
    api.add(Method::PUT, one, declare, put);
    let undeclare = about("undeclare_attribute", "Take a declaration back", WRITE)
        .details("Needs `signet:*`.")
        .guarded();
    api.add(Method::DELETE, one, undeclare, delete);
}

async fn list(call: Call<Nothing, List, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = Range::of(&call.query)?;
    let mut all = flat(call.site.services.store.list_declarations().await?);
    all.retain(|attribute| key(attribute).as_str() > range.after());
    Ok(Answer::of(&range.page(all, key, |attribute| attribute)))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let all = call.site.services.store.list_declarations().await?;
    let ByName { of, name } = &call.path;
    let found = all.of(&Of::parse(of)).and_then(|all| all.get(name));
    let declaration = found.ok_or_else(|| unknown(&call.path))?;
    Ok(Answer::of(&shown(of, name, *declaration)))
}

async fn put(call: Call<ByName, Nothing, Json<Fields>>) -> Result<Answer<Shown>, Problem> {
    let ByName { of, name } = &call.path;
    let Json(wanted) = &call.body;
    let kind = AttributeType::parse(&wanted.r#type).ok_or_else(|| {
        let known = AttributeType::ALL.map(AttributeType::as_str).join(", ");
        Problem::unprocessable("type", format!("expected one of {known}"))
    })?;
    let declaration = Declaration {
        kind,
        required: wanted.required,
    };
    let mut writing = begun!(call);
    writing.rights().must_be_full("name")?;
    let parsed = Of::parse(of);
    let was = writing.tx().list_declarations().await?;
    let was = was.of(&parsed).and_then(|all| all.get(name));
    let was = was.map(|was| shown(of, name, *was));
    call.must_match_if_any(was.as_ref())?;
    declare(writing.tx(), &parsed, name, declaration).await?;
    let kind = match &was {
        None => EventType::AttributeCreated,
        Some(_) => EventType::AttributeUpdated,
    };
    let event = writing.event(kind).target("attribute", &title(&call.path));
    let event = event.after(json!(shown(of, name, declaration)));
    let event = match was {
        Some(was) => event.before(json!(was)),
        None => event,
    };
    writing.record(event).await?;
    call.done(writing, &shown(of, name, declaration)).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    writing.rights().must_be_full("name")?;
    let ByName { of, name } = &call.path;
    let parsed = Of::parse(of);
    let was = writing.tx().list_declarations().await?;
    let was = was.of(&parsed).and_then(|all| all.get(name));
    let was = shown(of, name, *was.ok_or_else(|| unknown(&call.path))?);
    call.must_match(&was)?;
    undeclare(writing.tx(), &parsed, name).await?;
    let event = writing.event(EventType::AttributeDeleted);
    let event = event.target("attribute", &title(&call.path));
    writing.record(event.before(json!(was))).await?;
    call.gone(writing).await
}

impl From<DeclareError> for Problem {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Store(error) => error.into(),
            DeclareError::Impossible(detail) => Self::unprocessable("name", detail),
            other => Self::conflict("contradicted", other.to_string()),
        }
    }
}

fn unknown(path: &ByName) -> Problem {
    Problem::not_found("declared attribute", title(path))
}

fn title(path: &ByName) -> String {
    format!("{}.{}", path.of, path.name)
}

/// The key of lists.
fn key(attribute: &Shown) -> String {
    json!([attribute.of, attribute.name]).to_string()
}

fn flat(all: Declarations) -> Vec<Shown> {
    let each = all.0.into_iter().flat_map(|(of, declared)| {
        let of = of.as_str().to_owned();
        declared
            .into_iter()
            .map(move |(name, declaration)| shown(&of, &name, declaration))
    });
    let mut all: Vec<Shown> = each.collect();
    all.sort_by_key(key);
    all
}

fn shown(of: &str, name: &str, declaration: Declaration) -> Shown {
    Shown {
        of: of.to_owned(),
        name: name.to_owned(),
        fields: Fields {
            r#type: declaration.kind.as_str().to_owned(),
            required: declaration.required,
        },
    }
}
