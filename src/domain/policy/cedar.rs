//! Policies in the [Cedar](https://docs.cedarpolicy.com/) language; the only place that knows `cedar-policy`.
//!
//! A policy sees the person as `User::"<sub>"`, a member of their `Role::"…"`, `Group::"…"` and
//! `Organization::"…"`; the action as `Action::"…"`; the resource under its own type; and the context.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::str::FromStr as _;

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity,
    EntityId, EntityTypeName, EntityUid, ParseErrors, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression,
};
use miette::Diagnostic as _;
use serde_json::{Map, Value};

/// The type of people in policies.
pub(super) const USER: &str = "User";
/// The type of roles.
pub(super) const ROLE: &str = "Role";
/// The type of groups.
pub(super) const GROUP: &str = "Group";
/// The type of organizations.
pub(super) const ORGANIZATION: &str = "Organization";
const ACTION: &str = "Action";

/// Longest text of a policy, in bytes.
pub(super) const MAX_TEXT: usize = 64 * 1024;

/// Why a text is not taken as a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from one, in characters.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Checks that a text can be used as policies.
pub fn check_text(cedar: &str) -> Result<(), Problem> {
    parse(cedar).map(|_| ())
}

fn parse(cedar: &str) -> Result<Vec<Policy>, Problem> {
    let whole = |message: &str, hint: &str| Problem {
        at: None,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    };
    if cedar.len() > MAX_TEXT {
        return Err(whole(
            "the text is longer than 64 KiB",
            "write several policies",
        ));
    }
    let set = PolicySet::from_str(cedar).map_err(|errors| located(cedar, &errors))?;
    if set.templates().next().is_some() {
        return Err(whole(
            "templates are not supported",
            "name the principal or resource instead of ?principal and ?resource",
        ));
    }
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    if policies.is_empty() {
        return Err(whole(
            "there is no policy in it",
            "expected permit(…) or forbid(…)",
        ));
    }
    // In the order in which they are written: policy0, policy1, …
    policies.sort_by_key(|policy| {
        let id = policy.id().to_string();
        (id.len(), id)
    });
    Ok(policies)
}

fn located(cedar: &str, errors: &ParseErrors) -> Problem {
    let offset = errors
        .labels()
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset());
    Problem {
        at: offset.and_then(|offset| cedar.get(..offset)).map(|before| {
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let column = before.get(line_start..).unwrap_or_default();
            (before.matches('\n').count() + 1, column.chars().count() + 1)
        }),
        message: errors.to_string(),
        hint: errors.help().map(|help| help.to_string()),
    }
}

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
    /// Compiles the texts by their ids; what cannot be used is left out and named.
    #[must_use]
    pub(super) fn compile(texts: &BTreeMap<String, String>) -> (Self, Vec<Broken>) {
        let mut broken = Vec::new();
        let mut all: Vec<(Policy, Option<BTreeSet<String>>)> = Vec::new();
        for (id, text) in texts {
            match parse(text) {
                Ok(policies) => {
                    let several = policies.len() > 1;
                    for (number, policy) in policies.into_iter().enumerate() {
                        let id = if several {
                            format!("{id}#{}", number + 1)
                        } else {
                            id.clone()
                        };
                        let actions = actions(&policy.action_constraint());
                        all.push((policy.new_id(PolicyId::new(id)), actions));
                    }
                }
                Err(problem) => broken.push(Broken {
                    id: id.clone(),
                    problem: problem.to_string(),
                }),
            }
        }
        let named: BTreeSet<String> = all
            .iter()
            .flat_map(|(_, actions)| actions.iter().flatten().cloned())
            .collect();
        let mut set_of = |wanted: &dyn Fn(Option<&BTreeSet<String>>) -> bool| {
            let mut set = PolicySet::new();
            for (policy, actions) in &all {
                if wanted(actions.as_ref())
                    && let Err(error) = set.add(policy.clone())
                {
                    broken.push(Broken {
                        id: policy.id().to_string(),
                        problem: error.to_string(),
                    });
                }
            }
            set
        };
        let any_action = set_of(&|actions| actions.is_none());
        let naming = named
            .into_iter()
            .map(|action| {
                let set = set_of(&|actions| actions.is_none_or(|names| names.contains(&action)));
                (action, set)
            })
            .collect();
        (Self { naming, any_action }, broken)
    }

    /// The `permit` policies that can apply to an action, in the order of their ids.
    #[must_use]
    pub(super) fn permits_for(&self, action: &str) -> Vec<String> {
        let permits = |policy: &&Policy| policy.effect() == Effect::Permit;
        let set = self.for_action(action).policies().filter(permits);
        let mut ids: Vec<String> = set.map(|policy| policy.id().to_string()).collect();
        ids.sort_unstable();
        ids
    }

    fn for_action(&self, action: &str) -> &PolicySet {
        self.naming.get(action).unwrap_or(&self.any_action)
    }

    /// What they say about a question. The error is a sentence: the question cannot be put to them.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> Result<Verdict, String> {
        let set = self.for_action(asked.action);
        if set.is_empty() {
            return Ok(Verdict::default());
        }
        let principal = uid(USER, asked.user)?;
        let resource = uid(asked.resource_type, asked.resource_id)?;
        let mut parents = HashSet::new();
        for (kind, name) in asked.memberships {
            parents.insert(uid(kind, name)?);
        }
        let attributes = |attributes: &Map<String, Value>| -> HashMap<_, _> {
            attributes
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), expression(value)?)))
                .collect()
        };
        let person = Entity::new(
            principal.clone(),
            attributes(asked.user_attributes),
            parents,
        );
        let thing = Entity::new(
            resource.clone(),
            attributes(asked.resource_attributes),
            HashSet::new(),
        );
        let entities = Entities::from_entities([person.map_err(text)?, thing.map_err(text)?], None);
        let context = Context::from_pairs(attributes(asked.context)).map_err(text)?;
        let request = Request::new(
            principal,
            uid(ACTION, asked.action)?,
            resource,
            context,
            None,
        );
        let response =
            Authorizer::new().is_authorized(&request.map_err(text)?, set, &entities.map_err(text)?);
        let reasons = response.diagnostics().reason().map(ToString::to_string);
        let mut verdict = Verdict::default();
        match response.decision() {
            Decision::Allow => verdict.permits = reasons.collect(),
            Decision::Deny => verdict.forbids = reasons.collect(),
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

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let name = EntityTypeName::from_str(kind).map_err(|_| {
        format!(
            "{kind:?} cannot be a type in policies: expected a name such as Document or Shop::Order"
        )
    })?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

/// A JSON value as Cedar sees it; there is no null and there are no fractions in Cedar, so these are as if they were
/// not there.
fn expression(value: &Value) -> Option<RestrictedExpression> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Value::Number(value) => value.as_i64().map(RestrictedExpression::new_long),
        Value::String(value) => Some(RestrictedExpression::new_string(value.clone())),
        Value::Array(values) => Some(RestrictedExpression::new_set(
            values.iter().filter_map(expression),
        )),
        Value::Object(members) => RestrictedExpression::new_record(
            members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), expression(value)?))),
        )
        .ok(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compiled(texts: &[(&str, &str)]) -> Policies {
        let texts = texts
            .iter()
            .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
            .collect();
        let (policies, broken) = Policies::compile(&texts);
        assert_eq!(broken, []);
        policies
    }

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => unreachable!("{other}"),
        }
    }

    fn ask(policies: &Policies, user: Value, action: &str, resource: Value) -> Verdict {
        let context = object(json!({ "ip": "10.1.2.3" }));
        policies
            .ask(&Asked {
                user: "0190-alice",
                user_attributes: &object(user),
                memberships: &[(ROLE, "support"), (GROUP, "berlin")],
                action,
                resource_type: "Document",
                resource_id: "42",
                resource_attributes: &object(resource),
                context: &context,
            })
            .unwrap()
    }

    #[test]
    fn attributes_memberships_and_context_decide() {
        let policies = compiled(&[
            (
                "own-department",
                r#"permit(principal, action == Action::"read", resource is Document)
                   when { principal.department == resource.department };"#,
            ),
            (
                "berlin-office",
                r#"permit(principal in Group::"berlin", action in [Action::"print", Action::"scan"], resource)
                   when { ip(context.ip).isInRange(ip("10.0.0.0/8")) };"#,
            ),
            (
                "never-secret",
                "forbid(principal, action, resource) when { resource has secret && resource.secret };",
            ),
        ]);
        let sales = json!({ "department": "sales" });
        let verdict = ask(&policies, sales.clone(), "read", sales.clone());
        assert_eq!(verdict.permits, ["own-department"]);
        assert_eq!(policies.permits_for("read"), ["own-department"]);
        assert_eq!(
            ask(&policies, json!({}), "scan", json!({})).permits,
            ["berlin-office"]
        );
        let secret = json!({ "department": "sales", "secret": true });
        let verdict = ask(&policies, sales, "read", secret);
        assert_eq!(
            (verdict.permits.len(), verdict.forbids),
            (0, vec!["never-secret".to_owned()])
        );
        assert_eq!(
            ask(&policies, json!({}), "write", json!({})),
            Verdict::default()
        );
    }

    #[test]
    fn a_policy_that_asks_for_what_is_not_there_is_named() {
        let policies = compiled(&[(
            "level",
            r#"forbid(principal, action == Action::"read", resource) when { principal.level < 3 };"#,
        )]);
        let verdict = ask(&policies, json!({ "level": null }), "read", json!({}));
        let [(id, problem, true)] = verdict.failed.as_slice() else {
            panic!("{verdict:?}")
        };
        assert_eq!(id, "level");
        assert!(problem.contains("level"), "{problem}");
    }

    #[test]
    fn a_mistake_is_located() {
        assert_eq!(
            check_text(r#"permit(principal, action == Action::"read", resource);"#),
            Ok(())
        );
        let problem = check_text("permit(principal, action, resource)\nwhen { principal.x = 1 };")
            .unwrap_err();
        assert_eq!(problem.at.map(|(line, _)| line), Some(2), "{problem}");
        for broken in [
            "",
            "permit",
            "permit(principal, action);",
            "allow(principal, action, resource);",
            "permit(principal == ?principal, action, resource);",
        ] {
            assert!(check_text(broken).is_err(), "{broken}");
        }
        let text = BTreeMap::from([("bad".to_owned(), "permit".to_owned())]);
        assert_eq!(Policies::compile(&text).1[0].id, "bad");
    }

    #[test]
    fn a_type_that_is_no_name_is_an_error_only_where_policies_are_asked() {
        let none = Map::new();
        let asked = Asked {
            user: "a",
            user_attributes: &none,
            memberships: &[],
            action: "read",
            resource_type: "no name",
            resource_id: "1",
            resource_attributes: &none,
            context: &none,
        };
        assert_eq!(Policies::default().ask(&asked), Ok(Verdict::default()));
        let policies = compiled(&[("all", "forbid(principal, action, resource);")]);
        assert!(policies.ask(&asked).is_err());
    }
}
