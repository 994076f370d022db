//! Policies: Cedar texts. A policy can allow anything, so writing one takes every permission there is.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call};
use super::crud::{self, Collection};
use super::inputs::{Json, Nothing};
use super::problem::Problem;
use crate::domain::directory::{Policy, PolicyId};
use crate::domain::policy;
use crate::service::administration::validate_policy;
use crate::store::Store;
use crate::store::error::StoreError;

const READ: &str = "policies.read";
const WRITE: &str = "policies.write";

/// A policy to validate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyText")]
pub(super) struct Text {
    /// The policy in Cedar.
    cedar: String,
}

/// Whether a policy is valid.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyVerdict")]
pub(super) struct Verdict {
    /// Whether it can be stored.
    valid: bool,
    /// Errors, or warnings about a valid policy.
    findings: Vec<Finding>,
}

/// An error or a warning about a policy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyFinding")]
pub(super) struct Finding {
    /// The line, from 1.
    line: Option<usize>,
    /// The column, from 1, in characters.
    column: Option<usize>,
    /// What is wrong.
    message: String,
    /// How to mend it.
    hint: Option<String>,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("policies", id, summary, action);
    crud::add::<Policy>(
        api,
        ["/v1/policies", "/v1/policies/{id}"],
        &[
            about("list_policies", "List policies", READ),
            about("create_policy", "Create a policy", WRITE)
                .details("Needs `signet:*`, because a policy can allow anything."),
            about("get_policy", "Read a policy", READ),
            about("update_policy", "Change a policy", WRITE).details("Needs `signet:*`."),
            about("delete_policy", "Delete a policy", WRITE).details("Needs `signet:*`."),
        ],
    );
    let validate_policy =
        about("validate_policy", "Validate a policy", READ).details("Nothing is written.");
    let path = "/v1/policy_validations";
    api.add(Method::POST, path, validate_policy, validate);
}

async fn validate(call: Call<Nothing, Nothing, Json<Text>>) -> Result<Answer<Verdict>, Problem> {
    let found = validate_policy(&call.site.services, call.body.0.cedar.clone()).await?;
    let (valid, findings) = match found {
        Ok(warnings) => (true, warnings),
        Err(problem) => (false, vec![problem]),
    };
    let finding = |problem: policy::Problem| Finding {
        line: problem.at.map(|(line, _)| line),
        column: problem.at.map(|(_, column)| column),
        message: problem.message,
        hint: problem.hint,
    };
    Ok(Answer::of(&Verdict {
        valid,
        findings: findings.into_iter().map(finding).collect(),
    }))
}

impl Collection for Policy {
    const NAME: &'static str = "policies";
    const WRITE: &'static str = WRITE;

    async fn read(store: &Store, key: &PolicyId) -> Result<Option<Self>, StoreError> {
        store.find_policy(key).await
    }

    async fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(PolicyId, Self)>, StoreError> {
        store.page_of_policies(begins, after, limit).await
    }
}
