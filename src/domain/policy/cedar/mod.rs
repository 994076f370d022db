//! Policies in the [Cedar](https://docs.cedarpolicy.com/) language; the only place that knows `cedar-policy`.
//!
//! A policy sees the person as `User::"<sub>"`, a member of their `Role::"…"`, `Group::"…"` and
//! `Organization::"…"`; the action as `Action::"…"`; the resource under its own type; and the context, with the
//! application in it as `Client::"…"`.

mod analysis;
mod entities;
mod expression;
mod policies;
mod reading;
mod schema;
mod texts;
mod values;

#[cfg(test)]
mod analysis_tests;
#[cfg(test)]
mod tests;

use cedar_policy::{AuthorizationError, Authorizer, Decision, Effect, Policy, Request};
use serde_json::{Map, Value};

use super::decision::Application;
pub use analysis::Named;
use analysis::Statement;
pub(super) use entities::KnownThings;
pub(super) use policies::{Policies, Texts};
pub(super) use reading::{ELSEWHERE, Unknowing};
pub use schema::{Vocabulary, is_type_name, validate};
pub use texts::Problem;
use values::uid;

/// The type of people in policies.
pub(super) const USER: &str = "User";
/// The type of roles.
pub(super) const ROLE: &str = "Role";
/// The type of groups.
pub(super) const GROUP: &str = "Group";
/// The type of organizations.
pub(super) const ORGANIZATION: &str = "Organization";
/// The type of clients.
pub(super) const CLIENT: &str = "Client";
const ACTION: &str = "Action";
/// The attribute with the organization of a person or a resource, as an entity.
const ORG: &str = "org";

/// A policy that is in the store and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub id: String,
    /// Why.
    pub problem: String,
}

/// A question as policies see it.
#[derive(Debug)]
pub(super) struct CedarRequest<'a> {
    /// The person's id.
    pub(super) user: &'a str,
    /// What is known of the person.
    pub(super) user_attributes: &'a Map<String, Value>,
    /// What the person belongs to, as pairs of a type and a name.
    pub(super) memberships: &'a [(&'static str, &'a str)],
    /// The action.
    pub(super) action: &'a str,
    /// The resource's type.
    pub(super) resource_type: &'a str,
    /// The resource's id.
    pub(super) resource_id: &'a str,
    /// What is known of the resource.
    pub(super) resource_attributes: &'a Map<String, Value>,
    /// The organizations of the person.
    pub(super) organizations: &'a [String],
    /// The organization of the resource.
    pub(super) resource_organization: Option<&'a str>,
    /// The application that the person uses.
    pub(super) client: Option<&'a Application>,
    /// Circumstances.
    pub(super) context: &'a Map<String, Value>,
}

/// What the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `permit` policies that hold.
    pub(super) permits: Vec<String>,
    /// `forbid` policies that hold.
    pub(super) forbids: Vec<String>,
    /// Policies that could not be evaluated, and why; `true`: it is a `forbid`.
    pub(super) failed: Vec<(String, String, bool)>,
}

impl Policies {
    /// The `permit` policies that can apply to an action, in the order of their ids.
    #[must_use]
    pub(super) fn permits_for(&self, action: &str) -> Vec<String> {
        let permits = |policy: &&Policy| policy.effect() == Effect::Permit;
        let sets = self.for_action(action);
        let policies = sets
            .flat_map(cedar_policy::PolicySet::policies)
            .filter(permits);
        let mut ids: Vec<String> = policies.map(|policy| policy.id().to_string()).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether some policy names a thing; `forbids`: whether only a `forbid` counts.
    pub(super) fn name(&self, thing: Named<'_>, forbids: bool) -> bool {
        let mut statements = self.statements();
        statements.any(|statement| (statement.forbids || !forbids) && statement.names(thing))
    }

    /// Whether the answer of some policy can depend on an attribute of a thing; `forbids`: whether only a `forbid`
    /// counts.
    pub(super) fn read(&self, thing: Named<'_>, attribute: &str, forbids: bool) -> bool {
        let mut statements = self.statements();
        statements
            .any(|statement| (statement.forbids || !forbids) && statement.reads(thing, attribute))
    }

    /// The `permit` policies that can apply to a resource of that type and id.
    pub(super) fn permits_on<'a>(
        &'a self,
        kind: &'a str,
        id: &'a str,
    ) -> impl Iterator<Item = &'a Statement> {
        let permits = self.statements().filter(|one| !one.forbids);
        permits.filter(move |one| one.is_for(kind, id))
    }

    /// What they say about a question. The error is a sentence: the question cannot be put to them.
    pub(super) fn ask(
        &self,
        asked: &CedarRequest<'_>,
        known: &KnownThings,
    ) -> Result<Verdict, String> {
        let mut sets = self.for_action(asked.action).peekable();
        let mut verdict = Verdict::default();
        if sets.peek().is_none() {
            return Ok(verdict);
        }
        let (principal, resource, entities, context) = known.entities(asked, self)?;
        let action = uid(ACTION, asked.action)?;
        let request = Request::new(principal, action, resource, context, None);
        let request = request.map_err(text)?;
        for set in sets {
            let response = Authorizer::new().is_authorized(&request, set, &entities);
            let reasons = response.diagnostics().reason().map(ToString::to_string);
            match response.decision() {
                Decision::Allow => verdict.permits.extend(reasons),
                Decision::Deny => verdict.forbids.extend(reasons),
            }
            for error in response.diagnostics().errors() {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                let forbids = set
                    .policy(error.policy_id())
                    .is_none_or(|policy| policy.effect() == Effect::Forbid);
                verdict.failed.push((
                    error.policy_id().to_string(),
                    error.inner().to_string(),
                    forbids,
                ));
            }
        }
        verdict.permits.sort_unstable();
        verdict.forbids.sort_unstable();
        verdict.failed.sort_unstable();
        Ok(verdict)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
