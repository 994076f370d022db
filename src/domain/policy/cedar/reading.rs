//! The strongest reading of a policy: whether it may apply to a person with everything about the context, the client
//! and the time left unknown. A small evaluator of our own, because Cedar's partial evaluation is experimental; what
//! it does not know may be anything, so it errs to yes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::super::attributes::{AttributeType, Declarations, Of};
use super::expression::{Expression, Operator, Uid, Var};
use super::{ACTION, ORG, ORGANIZATION, USER};

/// What is known of a question; the rest is not.
#[derive(Debug)]
pub(in super::super) struct Unknowing<'a> {
    /// The person's id.
    pub(in super::super) user: &'a str,
    /// What is known of the person.
    pub(in super::super) user_attributes: &'a Map<String, Json>,
    /// The person's organization, if there is exactly one.
    pub(in super::super) user_organization: Option<&'a str>,
    /// What the person belongs to or could belong to at some resource, as pairs of a type and a name.
    pub(in super::super) memberships: &'a BTreeSet<(&'static str, &'a str)>,
    /// The action.
    pub(in super::super) action: &'a str,
    /// The resource's type.
    pub(in super::super) resource_type: &'a str,
    /// The resource's id.
    pub(in super::super) resource_id: &'a str,
    /// What is known of the resource.
    pub(in super::super) resource_attributes: &'a Map<String, Json>,
    /// The organization of the resource.
    pub(in super::super) resource_organization: Option<&'a str>,
    /// What is declared of attributes.
    pub(in super::super) declarations: &'a Declarations,
}

/// What an expression can be; that it cannot be evaluated is always possible.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Possible {
    /// It cannot be evaluated.
    Never,
    /// This, if anything.
    Is(Value),
    /// Anything.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Bool(bool),
    Long(i64),
    Text(String),
    Entity(Uid),
    Set(Vec<Self>),
    Record(BTreeMap<String, Possible>),
}

const TRUE: Possible = Possible::Is(Value::Bool(true));
const FALSE: Possible = Possible::Is(Value::Bool(false));

impl Possible {
    const fn bool(value: bool) -> Self {
        Self::Is(Value::Bool(value))
    }

    fn entity(kind: &str, id: &str) -> Self {
        Self::Is(Value::Entity(Uid {
            kind: kind.to_owned(),
            id: id.to_owned(),
        }))
    }

    /// What is known of a value that is perhaps true.
    fn perhaps(value: Option<bool>) -> Self {
        value.map_or(Self::Any, Self::bool)
    }

    /// One or the other.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one,
            (one, other) if one == other => one,
            (Self::Is(_) | Self::Any, Self::Is(_) | Self::Any) => Self::Any,
        }
    }

    /// A JSON value as policies see it; of a number that Cedar has as a decimal, nothing is known here.
    fn of_json(json: &Json, declared: Option<AttributeType>) -> Option<Self> {
        let extension = matches!(
            declared,
            Some(AttributeType::Decimal | AttributeType::DateTime | AttributeType::IpAddr)
        );
        Some(match json {
            Json::Null => return None,
            _ if extension => Self::Any,
            Json::Bool(value) => Self::bool(*value),
            Json::Number(number) => number
                .as_i64()
                .map_or(Self::Any, |number| Self::Is(Value::Long(number))),
            Json::String(text) => Self::Is(Value::Text(text.clone())),
            Json::Array(items) => {
                let items = items.iter().filter_map(|item| Self::of_json(item, None));
                Self::set(items.collect())
            }
            Json::Object(members) => {
                let member = |(name, json): (&String, &Json)| {
                    Some((name.clone(), Self::of_json(json, None)?))
                };
                Self::Is(Value::Record(members.iter().filter_map(member).collect()))
            }
        })
    }

    fn set(items: Vec<Self>) -> Self {
        let mut known = Vec::new();
        let mut any = false;
        for item in items {
            match item {
                Self::Never => return Self::Never,
                Self::Is(value) => known.push(value),
                Self::Any => any = true,
            }
        }
        if any {
            return Self::Any;
        }
        Self::Is(Value::Set(known))
    }
}

/// Whether the values are equal; `None`: it is not known.
fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Set(left), Value::Set(right)) => both(
            all(left, |item| contains(right, item)),
            all(right, |item| contains(left, item)),
        ),
        (Value::Record(left), Value::Record(right)) => {
            if !left.keys().eq(right.keys()) {
                return Some(false);
            }
            let pairs: Vec<_> = left.values().zip(right.values()).collect();
            all(&pairs, |(left, right)| match (left, right) {
                (Possible::Is(left), Possible::Is(right)) => equal(left, right),
                _ => None,
            })
        }
        (left, right) => Some(left == right),
    }
}

fn contains(set: &[Value], value: &Value) -> Option<bool> {
    all(set, |item| equal(item, value).map(|equal| !equal)).map(|none| !none)
}

/// Whether all hold: no if one surely does not, not known if one is not known.
fn all<T>(items: &[T], holds: impl Fn(&T) -> Option<bool>) -> Option<bool> {
    // A later no decides although one before it is not known.
    let mut so_far = Some(true);
    for item in items {
        so_far = both(so_far, holds(item));
    }
    so_far
}

const fn both(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

impl Unknowing<'_> {
    /// Whether the policy may hold.
    pub(super) fn may_hold(&self, applies: &Expression) -> bool {
        matches!(self.value(applies), Possible::Any | TRUE)
    }

    fn value(&self, asked: &Expression) -> Possible {
        match asked {
            Expression::Bool(value) => Possible::bool(*value),
            Expression::Long(value) => Possible::Is(Value::Long(*value)),
            Expression::Text(text) => Possible::Is(Value::Text(text.clone())),
            Expression::Entity(uid) => Possible::Is(Value::Entity(uid.clone())),
            Expression::Var(Var::Principal) => Possible::entity(USER, self.user),
            Expression::Var(Var::Action) => Possible::entity(ACTION, self.action),
            Expression::Var(Var::Resource) => {
                Possible::entity(self.resource_type, self.resource_id)
            }
            Expression::Var(Var::Context) | Expression::Opaque => Possible::Any,
            Expression::Call(parts) => {
                let fails = parts.iter().any(|part| self.value(part) == Possible::Never);
                if fails {
                    Possible::Never
                } else {
                    Possible::Any
                }
            }
            Expression::Not(part) => match self.value(part) {
                Possible::Is(Value::Bool(value)) => Possible::bool(!value),
                Possible::Is(_) | Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::Negative(part) => match self.value(part) {
                Possible::Is(Value::Long(value)) => long(value.checked_neg()),
                Possible::Is(_) | Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::And(parts) => self.chain(parts, true),
            Expression::Or(parts) => self.chain(parts, false),
            Expression::If(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                match self.value(condition) {
                    TRUE => self.value(then),
                    FALSE => self.value(otherwise),
                    Possible::Is(_) | Possible::Never => Possible::Never,
                    Possible::Any => self.value(then).or(self.value(otherwise)),
                }
            }
            Expression::Binary(operator, parts) => {
                let [left, right] = parts.as_ref();
                match (self.value(left), self.value(right)) {
                    (Possible::Never, _) | (_, Possible::Never) => Possible::Never,
                    (Possible::Is(left), Possible::Is(right)) => {
                        self.binary(*operator, &left, &right)
                    }
                    (Possible::Is(_) | Possible::Any, Possible::Is(_) | Possible::Any) => {
                        Possible::Any
                    }
                }
            }
            Expression::IsEmpty(part) => match self.value(part) {
                Possible::Is(Value::Set(items)) => Possible::bool(items.is_empty()),
                Possible::Is(_) | Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::Get(part, name) => match self.value(part) {
                Possible::Is(value) => self.member(&value, name).unwrap_or(Possible::Never),
                Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::Has(part, names) => self.has(self.value(part), names),
            Expression::Like(part, pattern) => match self.value(part) {
                Possible::Is(Value::Text(text)) if text == ELSEWHERE => Possible::Any,
                Possible::Is(Value::Text(text)) => Possible::bool(pattern.fits(&text)),
                Possible::Is(_) | Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::Is(part, kind, within) => match self.value(part) {
                Possible::Is(Value::Entity(uid)) => match within {
                    _ if uid.kind != *kind => FALSE,
                    None => TRUE,
                    Some(within) => match self.value(within) {
                        Possible::Is(within) => self.within(&uid, &within),
                        unknown => unknown,
                    },
                },
                Possible::Is(_) | Possible::Never => Possible::Never,
                Possible::Any => Possible::Any,
            },
            Expression::Set(parts) => {
                Possible::set(parts.iter().map(|part| self.value(part)).collect())
            }
            Expression::Record(members) => {
                let mut known = BTreeMap::new();
                for (name, part) in members {
                    match self.value(part) {
                        Possible::Never => return Possible::Never,
                        value => known.insert(name.clone(), value),
                    };
                }
                Possible::Is(Value::Record(known))
            }
        }
    }

    /// A chain of `&&` (`whole` is true) or of `||`: the first part that is not `whole` decides.
    fn chain(&self, parts: &[Expression], whole: bool) -> Possible {
        let mut known = Possible::bool(whole);
        for part in parts {
            match (self.value(part), &known) {
                (Possible::Is(Value::Bool(value)), _) if value != whole => {
                    // Parts before it may have decided the other way only by being the same.
                    return Possible::bool(!whole);
                }
                (Possible::Is(Value::Bool(_)), _) => {}
                (Possible::Any, _) => known = Possible::Any,
                // What comes before may decide first; else there is no value.
                (Possible::Is(_) | Possible::Never, Possible::Any) => {
                    return Possible::bool(!whole);
                }
                (Possible::Is(_) | Possible::Never, _) => return Possible::Never,
            }
        }
        known
    }

    fn binary(&self, operator: Operator, left: &Value, right: &Value) -> Possible {
        match (operator, left, right) {
            (Operator::Equal, ..) => Possible::perhaps(equal(left, right)),
            (Operator::NotEqual, ..) => Possible::perhaps(equal(left, right).map(|equal| !equal)),
            (Operator::In, Value::Entity(uid), _) => self.within(uid, right),
            (Operator::Less, Value::Long(left), Value::Long(right)) => Possible::bool(left < right),
            (Operator::LessOrEqual, Value::Long(left), Value::Long(right)) => {
                Possible::bool(left <= right)
            }
            (Operator::Greater, Value::Long(left), Value::Long(right)) => {
                Possible::bool(left > right)
            }
            (Operator::GreaterOrEqual, Value::Long(left), Value::Long(right)) => {
                Possible::bool(left >= right)
            }
            (Operator::Add, Value::Long(left), Value::Long(right)) => {
                long(left.checked_add(*right))
            }
            (Operator::Subtract, Value::Long(left), Value::Long(right)) => {
                long(left.checked_sub(*right))
            }
            (Operator::Multiply, Value::Long(left), Value::Long(right)) => {
                long(left.checked_mul(*right))
            }
            (Operator::Contains, Value::Set(set), value) => Possible::perhaps(contains(set, value)),
            (Operator::ContainsAll, Value::Set(set), Value::Set(items)) => {
                Possible::perhaps(all(items, |item| contains(set, item)))
            }
            (Operator::ContainsAny, Value::Set(set), Value::Set(items)) => {
                let none = all(items, |item| contains(set, item).map(|there| !there));
                Possible::perhaps(none.map(|none| !none))
            }
            _ => Possible::Never,
        }
    }

    /// Whether an entity is one of these or belongs to one.
    fn within(&self, uid: &Uid, places: &Value) -> Possible {
        let places = match places {
            Value::Entity(one) => std::slice::from_ref(one).to_vec(),
            Value::Set(several) => {
                let mut places = Vec::new();
                for one in several {
                    let Value::Entity(one) = one else {
                        return Possible::Never;
                    };
                    places.push(one.clone());
                }
                places
            }
            Value::Bool(_) | Value::Long(_) | Value::Text(_) | Value::Record(_) => {
                return Possible::Never;
            }
        };
        if places.contains(uid) {
            return TRUE;
        }
        let belongs = |place: &Uid| {
            if self.is_person(uid) {
                let mut memberships = self.memberships.iter();
                return memberships.any(|(kind, name)| place.kind == *kind && place.id == *name);
            }
            if self.is_resource(uid) {
                return place.kind == ORGANIZATION
                    && Some(place.id.as_str()) == self.resource_organization;
            }
            false
        };
        if places.iter().any(belongs) {
            return TRUE;
        }
        // What others and groups belong to is not looked up.
        if uid.kind == ACTION || self.is_known(uid) {
            FALSE
        } else {
            Possible::Any
        }
    }

    /// An attribute; `None`: there is none.
    fn member(&self, value: &Value, name: &str) -> Option<Possible> {
        let organization =
            |name: Option<&str>| name.map(|name| Possible::entity(ORGANIZATION, name));
        match value {
            Value::Record(members) => members.get(name).cloned(),
            Value::Entity(uid) if self.is_person(uid) => {
                let declared = self.declarations.kind(&Of::User, name);
                let written = self.user_attributes.get(name);
                let written = written.and_then(|json| Possible::of_json(json, declared));
                written.or_else(|| organization(self.user_organization).filter(|_| name == ORG))
            }
            Value::Entity(uid) if self.is_resource(uid) => {
                let of = Of::Resource(self.resource_type.to_owned());
                let declared = self.declarations.kind(&of, name);
                let written = self.resource_attributes.get(name);
                let written = written.and_then(|json| Possible::of_json(json, declared));
                written.or_else(|| organization(self.resource_organization).filter(|_| name == ORG))
            }
            Value::Entity(_) => Some(Possible::Any),
            Value::Bool(_) | Value::Long(_) | Value::Text(_) | Value::Set(_) => {
                Some(Possible::Never)
            }
        }
    }

    fn has(&self, value: Possible, names: &[String]) -> Possible {
        let mut current = value;
        for (number, name) in names.iter().enumerate() {
            current = match current {
                Possible::Any => return Possible::Any,
                Possible::Is(value @ (Value::Record(_) | Value::Entity(_))) => {
                    // Of what is known nothing of, an attribute may be there or not.
                    match self.member(&value, name) {
                        None => return FALSE,
                        Some(Possible::Any) if number + 1 == names.len() => {
                            let open = matches!(&value, Value::Entity(uid) if !self.is_known(uid));
                            return if open { Possible::Any } else { TRUE };
                        }
                        Some(member) => member,
                    }
                }
                Possible::Never | Possible::Is(_) => return Possible::Never,
            };
        }
        TRUE
    }

    /// Whether it is the person or the resource of the question.
    fn is_known(&self, uid: &Uid) -> bool {
        self.is_person(uid) || self.is_resource(uid)
    }

    fn is_person(&self, uid: &Uid) -> bool {
        uid.kind == USER && uid.id == self.user
    }

    fn is_resource(&self, uid: &Uid) -> bool {
        uid.kind == self.resource_type && uid.id == self.resource_id
    }
}

/// Stands for every organization that a policy does not tell from others: it is equal to no name that is written.
pub(in super::super) const ELSEWHERE: &str = "\u{0}elsewhere";

fn long(value: Option<i64>) -> Possible {
    value.map_or(Possible::Never, |value| Possible::Is(Value::Long(value)))
}
