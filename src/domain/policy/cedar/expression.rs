//! The scope and conditions of one parsed policy as a single expression, read from Cedar's JSON form
//! ([docs](https://docs.cedarpolicy.com/policies/json-format.html)), never from the text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Deepest nesting that is kept; beyond it an expression is [`Opaque`](Expression::Opaque). Chains of `&&` and `||`
/// count as one.
const MAX_DEPTH: usize = 200;

/// What a policy asks. Walking it descends at most [`MAX_DEPTH`] times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Bool(bool),
    Long(i64),
    Text(String),
    Entity(Uid),
    Var(Var),
    Not(Box<Self>),
    Negative(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    /// Condition, value if it holds, value if not.
    If(Box<[Self; 3]>),
    Binary(Operator, Box<[Self; 2]>),
    IsEmpty(Box<Self>),
    Get(Box<Self>, String),
    /// `has a.b.c`.
    Has(Box<Self>, Vec<String>),
    Like(Box<Self>, Pattern),
    /// `is Type`, or `is Type in …`.
    Is(Box<Self>, String, Option<Box<Self>>),
    Set(Vec<Self>),
    Record(BTreeMap<String, Self>),
    /// A function or method of Cedar's extensions (`ip`, `decimal`, `datetime` …) with its arguments.
    Call(Vec<Self>),
    /// What this version cannot read: it may be and ask anything.
    Opaque,
}

/// An entity: its type and its id, without escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Uid {
    pub(super) kind: String,
    pub(super) id: String,
}

/// The four variables of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Var {
    Principal,
    Action,
    Resource,
    Context,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    In,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Contains,
    ContainsAll,
    ContainsAny,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "in" => Self::In,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "contains" => Self::Contains,
            "containsAll" => Self::ContainsAll,
            "containsAny" => Self::ContainsAny,
            _ => return None,
        })
    }
}

/// The pattern of `like`: texts with anything between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<String>);

impl Pattern {
    fn parse(written: &Value) -> Option<Self> {
        let mut texts = vec![String::new()];
        for element in written.as_array()? {
            if element.as_str() == Some("Wildcard") {
                texts.push(String::new());
            } else {
                let literal = element.get("Literal")?.as_str()?;
                texts.last_mut()?.push_str(literal);
            }
        }
        Some(Self(texts))
    }

    /// Whether a text fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        for part in middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

impl Expression {
    /// The scope and all conditions of a policy: it applies where this holds.
    pub(super) fn of_policy(written: &Value) -> Self {
        let scope = |member: &str, var| {
            let written = written.get(member)?;
            Self::scope(written, var)
        };
        let scopes = [
            scope("resource", Var::Resource),
            scope("action", Var::Action),
            scope("principal", Var::Principal),
        ];
        let Some(scopes) = scopes.into_iter().collect::<Option<Vec<_>>>() else {
            return Self::Opaque;
        };
        let conditions = written.get("conditions").and_then(Value::as_array);
        let conditions = conditions.into_iter().flatten().map(|condition| {
            let body = condition.get("body").map_or(Self::Opaque, Self::parse);
            match condition.get("kind").and_then(Value::as_str) {
                Some("when") => body,
                Some("unless") => Self::Not(Box::new(body)),
                Some(_) | None => Self::Opaque,
            }
        });
        let all = Self::And(scopes.into_iter().flatten().chain(conditions).collect());
        all.bounded(0)
    }

    /// The scope of one variable as a condition; an empty list for every one, `None` for what cannot be read.
    fn scope(written: &Value, var: Var) -> Option<Vec<Self>> {
        let var = Self::Var(var);
        let entity = || written.get("entity").and_then(Self::entity);
        let within = |left, right| Self::Binary(Operator::In, Box::new([left, right]));
        Some(vec![match written.get("op")?.as_str()? {
            "All" => return Some(Vec::new()),
            "==" => Self::Binary(Operator::Equal, Box::new([var, entity()?])),
            "in" => match written.get("entities").and_then(Value::as_array) {
                Some(several) => {
                    let several = several.iter().map(Self::entity).collect::<Option<_>>()?;
                    within(var, Self::Set(several))
                }
                None => within(var, entity()?),
            },
            "is" => {
                let kind = written.get("entity_type")?.as_str()?.to_owned();
                let within = match written.get("in") {
                    None => None,
                    Some(within) => Some(Box::new(Self::entity(within.get("entity")?)?)),
                };
                Self::Is(Box::new(var), kind, within)
            }
            _ => return None,
        }])
    }

    fn entity(written: &Value) -> Option<Self> {
        let written = written.get("__entity").unwrap_or(written);
        let member = |name| Some(written.get(name)?.as_str()?.to_owned());
        let (kind, id) = (member("type")?, member("id")?);
        Some(Self::Entity(Uid { kind, id }))
    }

    fn parse(written: &Value) -> Self {
        Self::try_parse(written).unwrap_or(Self::Opaque)
    }

    fn try_parse(written: &Value) -> Option<Self> {
        let (operator, operand) = single(written.as_object()?)?;
        let part = |name: &str| operand.get(name).map(Self::parse);
        let boxed = |name: &str| part(name).map(Box::new);
        let text = |name: &str| Some(operand.get(name)?.as_str()?.to_owned());
        Some(match operator {
            "Value" => Self::literal(operand)?,
            "Var" => Self::Var(match operand.as_str()? {
                "principal" => Var::Principal,
                "action" => Var::Action,
                "resource" => Var::Resource,
                "context" => Var::Context,
                _ => return None,
            }),
            "!" => Self::Not(boxed("arg")?),
            "neg" => Self::Negative(boxed("arg")?),
            "&&" => {
                let (left, right) = (part("left")?, part("right")?);
                Self::And(match left {
                    Self::And(mut all) => {
                        all.push(right);
                        all
                    }
                    left => vec![left, right],
                })
            }
            "||" => {
                let (left, right) = (part("left")?, part("right")?);
                Self::Or(match left {
                    Self::Or(mut all) => {
                        all.push(right);
                        all
                    }
                    left => vec![left, right],
                })
            }
            "if-then-else" => Self::If(Box::new([part("if")?, part("then")?, part("else")?])),
            "isEmpty" => Self::IsEmpty(boxed("arg")?),
            "." => Self::Get(boxed("left")?, text("attr")?),
            "has" => {
                let names = match operand.get("attr")? {
                    Value::String(name) => vec![name.clone()],
                    Value::Array(names) => {
                        let text = |name: &Value| name.as_str().map(str::to_owned);
                        names.iter().map(text).collect::<Option<_>>()?
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                        return None;
                    }
                };
                Self::Has(boxed("left")?, names)
            }
            "like" => Self::Like(boxed("left")?, Pattern::parse(operand.get("pattern")?)?),
            "is" => Self::Is(boxed("left")?, text("entity_type")?, boxed("in")),
            "Set" => Self::Set(operand.as_array()?.iter().map(Self::parse).collect()),
            "Record" => {
                let members = operand.as_object()?.iter();
                let members = members.map(|(name, value)| (name.clone(), Self::parse(value)));
                Self::Record(members.collect())
            }
            // Entities have no tags here, and what a later Cedar has is not known.
            "getTag" | "hasTag" | "Slot" => return None,
            other => match (Operator::parse(other), operand.as_array()) {
                (Some(operator), _) => {
                    Self::Binary(operator, Box::new([part("left")?, part("right")?]))
                }
                (None, Some(arguments)) => Self::Call(arguments.iter().map(Self::parse).collect()),
                (None, None) => return None,
            },
        })
    }

    fn literal(written: &Value) -> Option<Self> {
        Some(match written {
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Long(number.as_i64()?),
            Value::String(text) => Self::Text(text.clone()),
            Value::Object(_) => Self::entity(written.get("__entity")?)?,
            Value::Array(_) | Value::Null => return None,
        })
    }

    /// The same, with what is nested too deeply left out.
    fn bounded(self, depth: usize) -> Self {
        if depth > MAX_DEPTH {
            return Self::Opaque;
        }
        let one = |part: Box<Self>| Box::new(part.bounded(depth + 1));
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.bounded(depth + 1));
        match self {
            Self::Bool(_)
            | Self::Long(_)
            | Self::Text(_)
            | Self::Entity(_)
            | Self::Var(_)
            | Self::Opaque => self,
            Self::Not(part) => Self::Not(one(part)),
            Self::Negative(part) => Self::Negative(one(part)),
            Self::And(parts) => Self::And(all(parts).collect()),
            Self::Or(parts) => Self::Or(all(parts).collect()),
            Self::If(parts) => Self::If(Box::new(parts.map(|part| part.bounded(depth + 1)))),
            Self::Binary(operator, parts) => Self::Binary(
                operator,
                Box::new(parts.map(|part| part.bounded(depth + 1))),
            ),
            Self::IsEmpty(part) => Self::IsEmpty(one(part)),
            Self::Get(part, name) => Self::Get(one(part), name),
            Self::Has(part, names) => Self::Has(one(part), names),
            Self::Like(part, pattern) => Self::Like(one(part), pattern),
            Self::Is(part, kind, within) => Self::Is(one(part), kind, within.map(one)),
            Self::Set(parts) => Self::Set(all(parts).collect()),
            Self::Record(members) => {
                let members = members.into_iter();
                let members = members.map(|(name, part)| (name, part.bounded(depth + 1)));
                Self::Record(members.collect())
            }
            Self::Call(parts) => Self::Call(all(parts).collect()),
        }
    }

    /// The parts of which it is made.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Bool(_)
            | Self::Long(_)
            | Self::Text(_)
            | Self::Entity(_)
            | Self::Var(_)
            | Self::Opaque => Vec::new(),
            Self::Not(part)
            | Self::Negative(part)
            | Self::IsEmpty(part)
            | Self::Get(part, _)
            | Self::Has(part, _)
            | Self::Like(part, _) => vec![part],
            Self::And(parts) | Self::Or(parts) | Self::Set(parts) | Self::Call(parts) => {
                parts.iter().collect()
            }
            Self::If(parts) => parts.iter().collect(),
            Self::Binary(_, parts) => parts.iter().collect(),
            Self::Is(part, _, within) => {
                let part: &Self = part;
                std::iter::once(part).chain(within.as_deref()).collect()
            }
            Self::Record(members) => members.values().collect(),
        }
    }
}

/// The only member of an object.
fn single(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = members.iter();
    let (name, value) = all.next()?;
    all.next().is_none().then_some((name.as_str(), value))
}
