//! Judging policies by what is declared, before they are kept.
//!
//! Cedar's own validator does it, with a schema that is open wherever nothing is declared: an attribute of a kind of
//! which something is declared must be declared, and used as what it was declared as; of other kinds anything may be
//! asked. People can only be `User`, and belong only to `Role`, `Group` and `Organization`, so that every other type
//! there is a mistake.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PolicySet, PrincipalConstraint,
    ResourceConstraint, Schema, ValidationError, ValidationMode, Validator,
};
use serde_json::{Map, Value, json};

use super::super::attributes::{AttributeType, Declaration, Declarations, Of};
use super::texts::{Problem, deep, parse_new, place};
use super::values::OTHER;
use super::{ACTION, CLIENT, GROUP, ORGANIZATION, ROLE, USER, text};

/// What policies may speak of.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// What is declared.
    pub declarations: Declarations,
    /// Actions that roles have, for hints.
    pub actions: BTreeSet<String>,
    /// Resource types that roles, levels or resources have, for hints.
    pub resource_types: BTreeSet<String>,
}

/// Whether a text would be taken as policies: `Ok` with what an operator should look at, or why not.
pub fn validate(cedar: &str, vocabulary: &Vocabulary) -> Result<Vec<Problem>, Problem> {
    deep(|| {
        let mut warnings = Vec::new();
        for policy in parse_new(cedar)? {
            let policy = Judged {
                cedar,
                policy: &policy,
                vocabulary,
            };
            warnings.extend(policy.judge()?);
        }
        Ok(warnings)
    })
    .unwrap_or_else(|message| Err(Problem::plain(message)))
}

/// Whether that can be the type of a resource in policies.
#[must_use]
pub fn is_type_name(kind: &str) -> bool {
    let own = [USER, ROLE, GROUP, ORGANIZATION, CLIENT, ACTION];
    let name = kind.parse::<EntityTypeName>();
    name.is_ok_and(|name| name.to_string() == kind)
        && !own.contains(&kind)
        && schema(&Declarations::default(), "read", &[kind], true).is_ok()
}

struct Judged<'a> {
    cedar: &'a str,
    policy: &'a Policy,
    vocabulary: &'a Vocabulary,
}

impl Judged<'_> {
    fn judge(&self) -> Result<Vec<Problem>, Problem> {
        self.principal()?;
        let declarations = &self.vocabulary.declarations;
        let judge = |required, mode| {
            let schema = schema(
                declarations,
                &self.action(),
                &self.resource_types(),
                required,
            )
            .map_err(|error| Problem::plain(text(error)))?;
            let set = PolicySet::from_policies([self.policy.clone()])
                .map_err(|error| Problem::plain(text(error)))?;
            let result = Validator::new(schema).validate(&set, mode);
            Ok::<Vec<_>, Problem>(result.validation_errors().cloned().collect())
        };
        // As if everything were there: whether an optional attribute is asked for first is a matter of style, because
        // a permit that cannot be evaluated permits nothing, and a forbid forbids.
        if let Some(error) = self.first(&judge(true, ValidationMode::Partial)?) {
            return Err(error);
        }
        // The strict mode refuses much that is right; what it alone finds are comparisons that can never hold.
        let strict = judge(true, ValidationMode::Strict)?.into_iter();
        if let Some(error) = self.first(&strict.filter(never_holds).collect::<Vec<_>>()) {
            return Err(error);
        }
        let mut warnings = self.misspelt();
        let optional = judge(false, ValidationMode::Partial)?.into_iter();
        let unsafe_access = |error: &ValidationError| {
            matches!(error, ValidationError::UnsafeOptionalAttributeAccess(_))
        };
        warnings.extend(self.first(&optional.filter(unsafe_access).collect::<Vec<_>>()));
        Ok(warnings)
    }

    /// The mistake that stands first in the text.
    fn first(&self, errors: &[ValidationError]) -> Option<Problem> {
        let problems = errors.iter().map(|error| Problem::of(self.cedar, error));
        problems.min_by_key(|problem| problem.at)
    }

    /// One action stands for all that the policy names.
    fn action(&self) -> String {
        let name = |uid: &EntityUid| uid.id().unescaped().to_owned();
        match self.policy.action_constraint() {
            ActionConstraint::Any => "read".to_owned(),
            ActionConstraint::Eq(one) => name(&one),
            ActionConstraint::In(several) => several.first().map(name).unwrap_or_default(),
        }
    }

    /// The types of resources to which the policy can apply, as far as they make a difference.
    fn resource_types(&self) -> Vec<String> {
        match self.policy.resource_constraint() {
            ResourceConstraint::Is(one) | ResourceConstraint::IsIn(one, _) => {
                vec![one.to_string()]
            }
            ResourceConstraint::Eq(one) => vec![one.type_name().to_string()],
            ResourceConstraint::Any | ResourceConstraint::In(_) => {
                let declared = self.vocabulary.declarations.0.keys();
                let declared = declared.filter_map(|of| match of {
                    Of::Resource(kind) => Some(kind.clone()),
                    Of::User | Of::Group | Of::Organization | Of::Client => None,
                });
                declared.chain([OTHER.to_owned()]).collect()
            }
        }
    }

    /// Types that people never have, and never belong to.
    fn principal(&self) -> Result<(), Problem> {
        let (is, within) = match self.policy.principal_constraint() {
            PrincipalConstraint::Any => (None, None),
            PrincipalConstraint::Is(one) => (Some(one), None),
            PrincipalConstraint::Eq(one) => (Some(one.type_name().clone()), None),
            PrincipalConstraint::In(one) => (None, Some(one.type_name().clone())),
            PrincipalConstraint::IsIn(one, within) => (Some(one), Some(within.type_name().clone())),
        };
        let mut named: Vec<(String, &[&str])> = Vec::new();
        named.extend(is.map(|one| (one.to_string(), &[USER][..])));
        named.extend(within.map(|one| (one.to_string(), &BELONGING[..])));
        if let Ok(written) = self.policy.to_json() {
            asked_of_principal(&written, &mut named);
        }
        for (kind, possible) in named {
            if !possible.contains(&kind.as_str()) {
                let hint = near(&kind, possible.iter().copied()).map_or_else(
                    || format!("expected {}", possible.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                return Err(Problem {
                    at: place(self.cedar, &kind),
                    message: format!("a principal is never {kind}, nor belongs to one"),
                    hint: Some(hint),
                });
            }
        }
        Ok(())
    }

    /// Names that are much like known ones. They may be right: applications ask about what Signet does not know.
    fn misspelt(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        let mut warn = |kind: &str, name: &str, known: &BTreeSet<String>, shown: String| {
            let near = near(name, known.iter().map(String::as_str));
            if let Some(near) = near.filter(|_| !known.contains(name)) {
                warnings.push(Problem {
                    at: place(self.cedar, &shown),
                    message: format!("no role, level or declaration knows the {kind} {name}"),
                    hint: Some(format!("did you mean {near}?")),
                });
            }
        };
        let actions = match self.policy.action_constraint() {
            ActionConstraint::Any => Vec::new(),
            ActionConstraint::Eq(one) => vec![one],
            ActionConstraint::In(several) => several,
        };
        for action in actions {
            let name: &str = action.id().unescaped();
            warn(
                "action",
                name,
                &self.vocabulary.actions,
                format!("{name:?}"),
            );
        }
        let mut known = self.vocabulary.resource_types.clone();
        known.extend(
            self.vocabulary
                .declarations
                .0
                .keys()
                .map(|of| of.as_str().to_owned()),
        );
        known.extend([USER, GROUP, ORGANIZATION, CLIENT].map(str::to_owned));
        if let ResourceConstraint::Is(one) | ResourceConstraint::IsIn(one, _) =
            self.policy.resource_constraint()
        {
            let name = one.to_string();
            warn("resource type", &name, &known, name.clone());
        }
        warnings
    }
}

/// To what people belong, and what they are.
const BELONGING: [&str; 4] = [USER, ROLE, GROUP, ORGANIZATION];

/// The types to which conditions compare `principal`, and which of them there are, from the policy's JSON form.
fn asked_of_principal(written: &Value, named: &mut Vec<(String, &'static [&'static str])>) {
    match written {
        Value::Array(items) => items
            .iter()
            .for_each(|item| asked_of_principal(item, named)),
        Value::Object(members) => {
            for (operator, operand) in members {
                let of_principal = operand.pointer("/left/Var").and_then(Value::as_str);
                if of_principal == Some("principal") {
                    match operator.as_str() {
                        "in" => literals(operand.get("right"), &BELONGING, named),
                        "==" => literals(operand.get("right"), &[USER], named),
                        "is" => {
                            let kind = operand.get("entity_type").and_then(Value::as_str);
                            named.extend(kind.map(|kind| (kind.to_owned(), &[USER][..])));
                            literals(operand.get("in"), &BELONGING, named);
                        }
                        _ => {}
                    }
                }
                asked_of_principal(operand, named);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The types of the entities that are written there, alone or in a set.
fn literals(
    written: Option<&Value>,
    possible: &'static [&'static str],
    named: &mut Vec<(String, &'static [&'static str])>,
) {
    let Some(written) = written else {
        return;
    };
    let set = written.get("Set").and_then(Value::as_array);
    for one in set.into_iter().flatten().chain([written]) {
        let kind = one.pointer("/Value/__entity/type").and_then(Value::as_str);
        named.extend(kind.map(|kind| (kind.to_owned(), possible)));
    }
}

/// A comparison of values whose types are never equal. Entities of different types are compared on purpose.
fn never_holds(error: &ValidationError) -> bool {
    use miette::Diagnostic as _;
    let help = error
        .help()
        .map(|help| help.to_string())
        .unwrap_or_default();
    matches!(error, ValidationError::IncompatibleTypes(_))
        && !help.contains("ntity")
        && ["`==`", "`contains`", "`containsAll`"]
            .iter()
            .any(|operator| help.contains(operator))
}

/// The schema in Cedar's JSON form: one action, people as principals, these types as resources.
fn schema(
    declarations: &Declarations,
    action: &str,
    resources: &[impl AsRef<str>],
    everything_is_there: bool,
) -> Result<Schema, String> {
    let shape = |of: &Of, entities: &[(&str, &str)]| {
        let declared = declarations.of(of);
        let mut attributes = Map::new();
        for (name, kind) in entities {
            let kind = json!({ "type": "EntityOrCommon", "name": kind });
            attributes.insert((*name).to_owned(), kind);
        }
        for (name, kind) in of.built_in() {
            attributes.insert((*name).to_owned(), typed(*kind, true));
        }
        for (name, Declaration { kind, required }) in declared.into_iter().flatten() {
            let required = *required || everything_is_there;
            attributes.insert(name.clone(), typed(*kind, required));
        }
        json!({ "type": "Record", "attributes": attributes, "additionalAttributes": declared.is_none() })
    };
    let mut namespaces: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut add = |name: &str, entity: Value| {
        let (namespace, base) = name.rsplit_once("::").unwrap_or(("", name));
        let types = namespaces.entry(namespace.to_owned()).or_default();
        types.entry(base).or_insert(entity);
    };
    add(ROLE, json!({}));
    add(
        GROUP,
        json!({ "memberOfTypes": [GROUP], "shape": shape(&Of::Group, &[]) }),
    );
    add(
        ORGANIZATION,
        json!({ "shape": shape(&Of::Organization, &[]) }),
    );
    add(CLIENT, json!({ "shape": shape(&Of::Client, &[]) }));
    let belongs = [ROLE, GROUP, ORGANIZATION];
    let person = shape(&Of::User, &[("org", ORGANIZATION)]);
    add(USER, json!({ "memberOfTypes": belongs, "shape": person }));
    for kind in resources {
        let kind = kind.as_ref();
        let shape = shape(&Of::Resource(kind.to_owned()), &[("org", ORGANIZATION)]);
        add(
            kind,
            json!({ "memberOfTypes": [ORGANIZATION], "shape": shape }),
        );
    }
    let mut schema: Map<String, Value> = namespaces
        .into_iter()
        .map(|(name, types)| (name, json!({ "entityTypes": types, "actions": {} })))
        .collect();
    let mut context: Map<String, Value> = CONTEXT
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), typed(*kind, true)))
        .collect();
    context.insert(
        "client".to_owned(),
        json!({ "type": "EntityOrCommon", "name": CLIENT }),
    );
    let resources: Vec<&str> = resources.iter().map(AsRef::as_ref).collect();
    let applies = json!({ action: { "appliesTo": {
        "principalTypes": [USER],
        "resourceTypes": resources,
        "context": { "type": "Record", "attributes": context, "additionalAttributes": true },
    } } });
    if let Some(root) = schema.get_mut("").and_then(Value::as_object_mut) {
        root.insert("actions".to_owned(), applies);
    }
    Schema::from_json_value(Value::Object(schema)).map_err(text)
}

/// What Signet itself puts into the context.
const CONTEXT: [(&str, AttributeType); 6] = [
    ("now", AttributeType::Long),
    ("ip", AttributeType::String),
    ("acr", AttributeType::String),
    ("amr", AttributeType::StringSet),
    ("auth_age", AttributeType::Long),
    ("client_id", AttributeType::String),
];

fn typed(kind: AttributeType, required: bool) -> Value {
    let mut kind = match kind {
        AttributeType::String => json!({ "type": "String" }),
        AttributeType::Long => json!({ "type": "Long" }),
        AttributeType::Bool => json!({ "type": "Boolean" }),
        AttributeType::StringSet => json!({ "type": "Set", "element": { "type": "String" } }),
        AttributeType::Decimal => json!({ "type": "Extension", "name": "decimal" }),
        AttributeType::DateTime => json!({ "type": "Extension", "name": "datetime" }),
        AttributeType::IpAddr => json!({ "type": "Extension", "name": "ipaddr" }),
    };
    if let Some(kind) = kind.as_object_mut() {
        kind.insert("required".to_owned(), required.into());
    }
    kind
}

/// The known name that was probably meant: one letter away, two in a long name.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = name.chars().count();
    let most = if letters < 3 {
        0
    } else {
        (letters / 4).clamp(1, 2)
    };
    known
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
