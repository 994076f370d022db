//! Names and values as Cedar writes them.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr as _;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

use super::super::attributes::{AttributeType, Declaration};
use super::text;

/// A resource whose type cannot be written in a policy is seen as one of this type, and its id has its type in front.
pub(super) const OTHER: &str = "Signet::Other";

pub(super) fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let name = EntityTypeName::from_str(kind).map_err(|_| {
        format!(
            "{kind:?} cannot be a type in policies: expected a name such as Document or Shop::Order"
        )
    })?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

/// The resource, also if its type cannot be written in a policy: one without a type is for it as well.
pub(super) fn resource_uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    uid(kind, id).or_else(|_| uid(OTHER, &format!("{kind}:{id}")))
}

/// Attributes of a kind of which nothing is declared, or of a context.
pub(super) fn attributes(
    written: &Map<String, Value>,
) -> Result<HashMap<String, RestrictedExpression>, String> {
    typed(written, None)
}

/// Attributes as they were declared; a value that is not of its type is seen as it is, and a policy that asks for it
/// cannot be evaluated.
pub(super) fn typed(
    written: &Map<String, Value>,
    declared: Option<&BTreeMap<String, Declaration>>,
) -> Result<HashMap<String, RestrictedExpression>, String> {
    let mut all = HashMap::new();
    for (name, value) in written {
        let kind = declared.and_then(|declared| declared.get(name));
        if let Some(value) = kind.and_then(|declared| extension(declared.kind, value)) {
            all.insert(name.clone(), value);
            continue;
        }
        let expression = expression(value).map_err(|problem| format!("{name}: {problem}"))?;
        all.extend(expression.map(|expression| (name.clone(), expression)));
    }
    Ok(all)
}

impl AttributeType {
    /// Whether a value is of this type.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::String, Value::String(_)) | (Self::Bool, Value::Bool(_)) => true,
            (Self::Long, Value::Number(number)) => number.as_i64().is_some(),
            (Self::StringSet, Value::Array(items)) => items.iter().all(Value::is_string),
            (Self::Decimal | Self::DateTime | Self::IpAddr, value) => {
                extension(self, value).is_some()
            }
            (Self::String | Self::Bool | Self::Long | Self::StringSet, _) => false,
        }
    }
}

/// The value as one of the types that Cedar has beside those of JSON, if it is one.
fn extension(kind: AttributeType, value: &Value) -> Option<RestrictedExpression> {
    let expression = match (kind, value) {
        (AttributeType::Decimal, Value::Number(number)) => {
            let text = number.to_string();
            if number.as_i64().is_some() {
                RestrictedExpression::new_decimal(format!("{text}.0"))
            } else {
                decimal(&text).ok()?
            }
        }
        (AttributeType::DateTime, Value::String(text)) => RestrictedExpression::new_datetime(text),
        (AttributeType::IpAddr, Value::String(text)) => RestrictedExpression::new_ip(text),
        (
            AttributeType::Decimal
            | AttributeType::DateTime
            | AttributeType::IpAddr
            | AttributeType::String
            | AttributeType::Long
            | AttributeType::Bool
            | AttributeType::StringSet,
            _,
        ) => return None,
    };
    // Only Cedar knows what it can read; a context reads everything that is put into it.
    let tried = [("value".to_owned(), expression.clone())];
    Context::from_pairs(tried).ok().map(|_| expression)
}

/// A JSON value as Cedar sees it. There is no null in Cedar, so it is as if it were not there; a number that Cedar
/// does not have is an error, because a policy that asks for it must not be passed by.
fn expression(value: &Value) -> Result<Option<RestrictedExpression>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => RestrictedExpression::new_long(whole),
            None => decimal(&number.to_string())?,
        },
        Value::String(value) => RestrictedExpression::new_string(value.clone()),
        Value::Array(values) => {
            let mut items = Vec::new();
            for value in values {
                items.extend(expression(value)?);
            }
            RestrictedExpression::new_set(items)
        }
        Value::Object(members) => {
            RestrictedExpression::new_record(attributes(members)?).map_err(text)?
        }
    }))
}

/// A fraction is Cedar's `decimal`: at most four digits after the point.
fn decimal(number: &str) -> Result<RestrictedExpression, String> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or_default();
    let whole_digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits(whole_digits) && whole_digits.len() <= 14 && digits(fraction) && fraction.len() <= 4 {
        return Ok(RestrictedExpression::new_decimal(number));
    }
    Err(format!(
        "{number} is no number that policies know: expected 64 bits without a fraction, or at most four digits after the point"
    ))
}
