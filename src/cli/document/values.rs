//! Values of TOML as values of JSON.

use serde_json::Value;
use toml::de::DeValue;

use crate::config::parse;

/// A value of TOML as one of JSON: dates become their text, durations whole seconds.
pub(super) fn json(name: &str, value: &DeValue<'_>) -> Result<Value, String> {
    if name == "access_token_lifetime" {
        return lifetime(value);
    }
    plainly(value)
}

fn plainly(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let digits: String = number.as_str().chars().filter(|c| *c != '_').collect();
            let number = i64::from_str_radix(digits.trim_start_matches('+'), number.radix());
            let number = number.map_err(|_| format!("{digits} is no whole number of 64 bits"))?;
            Value::from(number)
        }
        DeValue::Float(number) => {
            let digits: String = number.as_str().chars().filter(|c| *c != '_').collect();
            let number: f64 = digits.parse().unwrap_or(f64::NAN);
            // Neither JSON nor a policy knows infinities.
            let number = serde_json::Number::from_f64(number);
            Value::from(number.ok_or_else(|| format!("{digits} is no finite number"))?)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| plainly(item.get_ref()));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let members = table.iter().map(|(name, value)| {
                let value = plainly(value.get_ref())?;
                Ok::<_, String>((name.get_ref().to_string(), value))
            });
            Value::Object(members.collect::<Result<_, _>>()?)
        }
    })
}

fn lifetime(value: &DeValue<'_>) -> Result<Value, String> {
    match plainly(value)? {
        Value::String(text) => parse::duration(&text).map(|lifetime| lifetime.as_secs().into()),
        number @ Value::Number(_) => Ok(number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err("expected a duration such as 5m or whole seconds".to_owned())
        }
    }
}

/// What a value is, without the value: it may be a secret.
pub(super) const fn shape(value: Option<&Value>) -> &'static str {
    match value {
        None | Some(Value::Null) => "nothing",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "table",
    }
}
