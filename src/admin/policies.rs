//! Policies: Cedar texts. Whoever writes one can allow anything, so that takes every permission there is.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{Page, Search};
use super::problem::Problem;
use crate::domain::policy;
use crate::service::administration::Writing;
use crate::service::apply::{Desired, DesiredPolicy};
use crate::service::attributes::validate_policy;
use crate::store::roles::PolicyRecord;

const READ: &str = "policies.read";
const WRITE: &str = "policies.write";

/// What can be changed of a policy.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyFields")]
pub(super) struct Fields {
    /// The policy in Cedar's own words, at most 16 KiB.
    cedar: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Whether it counts.
    #[serde(default = "yes")]
    enabled: bool,
}

/// A policy.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Policy")]
pub(super) struct Shown {
    /// Its name in explanations.
    id: String,
    #[serde(flatten)]
    fields: Fields,
}

/// One policy.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// Its id.
    id: String,
}

/// A policy to look at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyText")]
pub(super) struct Text {
    /// The policy in Cedar's own words.
    cedar: String,
}

/// Whether a policy would be taken.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyVerdict")]
pub(super) struct Judged {
    /// Whether it would be.
    valid: bool,
    /// What is wrong with it, or what to look at.
    findings: Vec<Finding>,
}

/// Something in a policy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyFinding")]
pub(super) struct Finding {
    /// The line, from 1.
    line: Option<usize>,
    /// The column, from 1, in characters.
    column: Option<usize>,
    /// What it is.
    message: String,
    /// What to do about it.
    hint: Option<String>,
}

const fn yes() -> bool {
    true
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("policies", id, summary, action);
    let list_policies = about("list_policies", "List policies", READ);
    api.add(Method::GET, "/v1/policies", list_policies, list);
    let create_policy = about("create_policy", "Create a policy", WRITE)
        .details("Needs `signet:*`, because a policy can allow anything.");
    api.add(Method::POST, "/v1/policies", create_policy, create);
    let get_policy = about("get_policy", "Read a policy", READ);
    api.add(Method::GET, "/v1/policies/{id}", get_policy, get);
    let update_policy =
        about("update_policy", "Change a policy", WRITE).details("Needs `signet:*`.");
    api.add(
        Method::PATCH,
        "/v1/policies/{id}",
        update_policy.guarded(),
        update,
    );
    let validate_policy = about(
        "validate_policy",
        "Say whether a policy would be taken",
        READ,
    )
    .details("Nothing is written.");
    api.add(
        Method::POST,
        "/v1/policy_validations",
        validate_policy,
        validate,
    );
    let delete_policy =
        about("delete_policy", "Delete a policy", WRITE).details("Needs `signet:*`.");
    api.add(
        Method::DELETE,
        "/v1/policies/{id}",
        delete_policy.guarded(),
        delete,
    );
}

async fn validate(call: Call<Nothing, Nothing, Json<Text>>) -> Result<Answer<Judged>, Problem> {
    let judged = validate_policy(&call.site.services, call.body.0.cedar.clone()).await?;
    let (valid, findings) = match judged {
        Ok(warnings) => (true, warnings),
        Err(problem) => (false, vec![problem]),
    };
    let finding = |problem: policy::Problem| Finding {
        line: problem.at.map(|(line, _)| line),
        column: problem.at.map(|(_, column)| column),
        message: problem.message,
        hint: problem.hint,
    };
    Ok(Answer::of(&Judged {
        valid,
        findings: findings.into_iter().map(finding).collect(),
    }))
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let rows = store
        .page_of_policies(call.query.begins(), range.after(), range.rows())
        .await?;
    let page = range.page(rows, |row| row.0.clone(), |(id, policy)| shown(id, policy));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let id = &call.path.id;
    let found = call.site.services.store.find_policy(id).await?;
    let policy = found.ok_or_else(|| Problem::not_found("policy", id))?;
    Ok(Answer::of(&shown(id.clone(), policy)))
}

async fn create(call: Call<Nothing, Nothing, Json<Shown>>) -> Result<Answer<Shown, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    write(&mut writing, &new.id, &new.fields, true).await?;
    let created = find(&mut writing, &new.id).await?;
    let location = super::location("policies", &new.id);
    call.created(writing, &created, location).await
}

async fn update(call: Call<ById, Nothing, Patch<Fields>>) -> Result<Answer<Shown>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.id).await?;
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.fields)?;
    write(&mut writing, &was.id, &wanted, false).await?;
    let is = find(&mut writing, &was.id).await?;
    call.done(writing, &is).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    // Deleting a forbid allows as much as writing a permit.
    writing.rights().must_be_full("id")?;
    let was = find(&mut writing, &call.path.id).await?;
    call.must_match(&was)?;
    writing.delete_policy(&was.id, json!(was)).await?;
    call.gone(writing).await
}

async fn write(
    writing: &mut Writing,
    id: &str,
    wanted: &Fields,
    only_new: bool,
) -> Result<(), Problem> {
    writing.rights().must_be_full("cedar")?;
    let desired = Desired {
        policies: vec![DesiredPolicy {
            id: id.to_owned(),
            policy: PolicyRecord {
                cedar: wanted.cedar.clone(),
                description: wanted.description.clone(),
                enabled: wanted.enabled,
            },
        }],
        ..Desired::default()
    };
    writing.apply(&desired, only_new).await?;
    Ok(())
}

async fn find(writing: &mut Writing, id: &str) -> Result<Shown, Problem> {
    let found = writing.tx().list_policies().await?.remove(id);
    let policy = found.ok_or_else(|| Problem::not_found("policy", id))?;
    Ok(shown(id.to_owned(), policy))
}

fn shown(id: String, policy: PolicyRecord) -> Shown {
    Shown {
        id,
        fields: Fields {
            cedar: policy.cedar,
            description: policy.description,
            enabled: policy.enabled,
        },
    }
}
