//! Policies in the [Cedar](https://docs.cedarpolicy.com/) language; the only place that knows `cedar-policy`.
//!
//! A policy sees the person as `User::"<sub>"`, a member of their `Role::"…"`, `Group::"…"` and
//! `Organization::"…"`; the action as `Action::"…"`; the resource under its own type; and the context, with the
//! application in it as `Client::"…"`.

mod analysis;
mod entities;
mod expression;
mod reading;
mod schema;
mod texts;
mod values;

#[cfg(test)]
mod analysis_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, Effect, EntityUid, Policy,
    PolicyId, PolicySet, Request,
};
use serde_json::{Map, Value};

use super::decision::Application;
pub use analysis::Named;
use analysis::Statement;
pub(super) use entities::Known;
use expression::Expression;
pub(super) use reading::{ELSEWHERE, Unknowing};
pub use schema::{Vocabulary, is_type_name, validate};
pub use texts::{Problem, check_text};
use texts::{deep, parse};
pub(super) use values::is_extension_value;
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

/// All policies, by the actions to which they can apply.
#[derive(Debug, Default)]
pub(super) struct Policies {
    naming: HashMap<String, PolicySet>,
    any_action: PolicySet,
    /// Groups and organizations that they name in their conditions.
    mentioned: BTreeSet<(&'static str, String)>,
    /// Every `permit` and `forbid`, as guards of changes read it.
    statements: Vec<Statement>,
    /// Whether some policy may ask about the client.
    speak_of_clients: bool,
}

/// A question as policies see it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
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
    /// Compiles the texts by their ids; what cannot be used is named.
    #[must_use]
    pub(super) fn compile(texts: &BTreeMap<String, String>) -> (Self, Vec<Broken>) {
        let compiled = deep(|| {
            let (mut all, mut broken) = (Self::default(), Vec::new());
            for (id, text) in texts {
                if let Err(problem) = all.add(id, text) {
                    let id = id.clone();
                    broken.push(Broken { id, problem });
                }
            }
            (all, broken)
        });
        compiled.unwrap_or_else(|problem| {
            let id = "every policy".to_owned();
            (Self::default(), vec![Broken { id, problem }])
        })
    }

    fn add(&mut self, id: &str, text: &str) -> Result<(), String> {
        let policies = parse(text).map_err(|problem| problem.to_string())?;
        let several = policies.len() > 1;
        for (number, policy) in policies.into_iter().enumerate() {
            let id = if several {
                format!("{id}#{}", number + 1)
            } else {
                id.to_owned()
            };
            let written = policy.to_json().unwrap_or_default();
            entities::mentioned(&written, &mut self.mentioned);
            let forbids = policy.effect() == Effect::Forbid;
            let statement = Statement::new(forbids, Expression::of_policy(&written));
            self.speak_of_clients |= statement.asks_about_clients();
            self.statements.push(statement);
            let actions = actions(&policy.action_constraint());
            let policy = policy.new_id(PolicyId::new(id));
            for set in match actions {
                None => vec![&mut self.any_action],
                Some(actions) => {
                    for action in &actions {
                        self.naming.entry(action.clone()).or_default();
                    }
                    let named = self.naming.iter_mut();
                    named
                        .filter(|(action, _)| actions.contains(*action))
                        .map(|(_, set)| set)
                        .collect()
                }
            } {
                set.add(policy.clone()).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// The `permit` policies that can apply to an action, in the order of their ids.
    #[must_use]
    pub(super) fn permits_for(&self, action: &str) -> Vec<String> {
        let permits = |policy: &&Policy| policy.effect() == Effect::Permit;
        let sets = self.for_action(action);
        let policies = sets.flat_map(PolicySet::policies).filter(permits);
        let mut ids: Vec<String> = policies.map(|policy| policy.id().to_string()).collect();
        ids.sort_unstable();
        ids
    }

    /// The actions that some policy names.
    pub(super) fn named_actions(&self) -> impl Iterator<Item = &str> {
        self.naming.keys().map(String::as_str)
    }

    /// Whether some policy names a thing; `forbids`: whether only a `forbid` counts.
    pub(super) fn name(&self, thing: Named<'_>, forbids: bool) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| (statement.forbids || !forbids) && statement.names(thing))
    }

    /// Whether the answer of some policy can depend on an attribute of a thing.
    pub(super) fn read(&self, thing: Named<'_>, attribute: &str) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| statement.reads(thing, attribute))
    }

    /// The `permit` policies that can apply to a resource of that type and id.
    pub(super) fn permits_on<'a>(
        &'a self,
        kind: &'a str,
        id: &'a str,
    ) -> impl Iterator<Item = &'a Statement> {
        let permits = self.statements.iter().filter(|one| !one.forbids);
        permits.filter(move |one| one.is_for(kind, id))
    }

    /// Whether some policy may ask about the client.
    pub(super) const fn speak_of_clients(&self) -> bool {
        self.speak_of_clients
    }

    /// The policies that name the action, and those for every one.
    fn for_action(&self, action: &str) -> impl Iterator<Item = &PolicySet> {
        let named = self.naming.get(action).into_iter();
        named
            .chain([&self.any_action])
            .filter(|set| !set.is_empty())
    }

    /// What they say about a question. The error is a sentence: the question cannot be put to them.
    pub(super) fn ask(&self, asked: &Asked<'_>, known: &Known) -> Result<Verdict, String> {
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

/// The actions that a policy names; `None` when it applies to every one.
fn actions(constraint: &ActionConstraint) -> Option<BTreeSet<String>> {
    let name = |uid: &EntityUid| uid.id().unescaped().to_owned();
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(one) => Some(BTreeSet::from([name(one)])),
        ActionConstraint::In(several) => Some(several.iter().map(name).collect()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
