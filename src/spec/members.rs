//! Reading a record out of its members, so that every member that does not fit is named at once.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A member that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its name.
    pub field: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

impl Rejected {
    /// One member.
    #[must_use]
    pub fn one(field: &str, problem: &(impl ToString + ?Sized)) -> Vec<Self> {
        vec![Self {
            field: field.to_owned(),
            problem: problem.to_string(),
        }]
    }
}

/// The record, or every member that does not fit.
pub fn read<T: DeserializeOwned>(mut members: Map<String, Value>) -> Result<T, Vec<Rejected>> {
    let mut rejected = Vec::new();
    loop {
        let value = Value::Object(members.clone());
        let error = match serde_path_to_error::deserialize::<_, T>(value) {
            Ok(_) if !rejected.is_empty() => return Err(rejected),
            Ok(record) => return Ok(record),
            Err(error) => error,
        };
        let path = error.path().to_string();
        let inner = error.inner().to_string();
        let mut field = field(&path, &inner).to_owned();
        if field.is_empty() {
            field = culprit::<T>(&members, &inner).unwrap_or_default();
        }
        // It is missing because it was taken out.
        if rejected.iter().any(|one: &Rejected| one.field == field) {
            return Err(rejected);
        }
        rejected.push(Rejected {
            problem: words(&inner),
            field: field.clone(),
        });
        if members.remove(&field).is_none() {
            return Err(rejected);
        }
    }
}

/// The member that a mistake is in: its path leads there, unless the member is missing.
fn field<'a>(path: &'a str, problem: &'a str) -> &'a str {
    let missing = problem.strip_prefix("missing field `");
    if let Some((name, _)) = missing.and_then(|rest| rest.split_once('`')) {
        return name;
    }
    path.split(['.', '[']).next().unwrap_or_default()
}

/// The member that a mistake is in where serde loses the path, as it does inside a flattened record. With another value
/// of that member the mistake is another; so it is where a member that is read before has a wrong value. Members are
/// read in their order.
fn culprit<T: DeserializeOwned>(members: &Map<String, Value>, problem: &str) -> Option<String> {
    let is_before = |name: &&String| {
        let mut changed = members.clone();
        let other = match members.get(*name) {
            Some(Value::Array(_)) => Value::Bool(true),
            Some(_) | None => Value::Array(vec![Value::Array(Vec::new())]),
        };
        changed.insert((*name).clone(), other);
        match serde_path_to_error::deserialize::<_, T>(Value::Object(changed)) {
            Ok(_) => true,
            Err(error) => {
                let inner = error.inner().to_string();
                inner != problem && field(&error.path().to_string(), &inner).is_empty()
            }
        }
    };
    members.keys().rfind(is_before).cloned()
}

/// What serde says, as other mistakes are said: words out of a closed list, and types without the value, which may be a
/// secret.
fn words(problem: &str) -> String {
    if let Some(came) = problem.strip_prefix("invalid type: ")
        && let Some((came, expected)) = came.rsplit_once(", expected ")
    {
        let kind = came.split(['`', '"']).next().unwrap_or_default().trim();
        return format!("invalid type: {kind}, expected {expected}");
    }
    let Some((came, expected)) = problem
        .strip_prefix("unknown variant `")
        .and_then(|rest| rest.split_once("`, expected "))
    else {
        return problem.to_owned();
    };
    let expected = match expected.strip_prefix("one of ") {
        Some(several) => several.replace('`', ""),
        None => expected.to_owned(),
    };
    format!("unknown {came:?}; expected {expected}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::spec::alg::SigningAlg;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether they are read matters")]
    struct Record {
        name: String,
        alg: SigningAlg,
        #[serde(default)]
        count: u32,
    }

    #[test]
    fn every_member_that_does_not_fit_is_named() {
        let members = json!({ "alg": "HS256", "count": "x" });
        let rejected = read::<Record>(members.as_object().unwrap().clone()).unwrap_err();
        let fields: Vec<&str> = rejected.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["alg", "count", "name"]);
        assert_eq!(
            rejected[0].problem,
            "unknown \"HS256\"; expected RS256, ES256, PS256, EdDSA"
        );
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether they are read matters")]
    struct Outer {
        id: String,
        #[serde(flatten)]
        record: Record,
    }

    #[test]
    fn members_of_a_flattened_record_are_named_too() {
        let members =
            json!({ "id": "1", "name": 1, "alg": "RS256", "count": "x", "other": [1, 2] });
        let rejected = read::<Outer>(members.as_object().unwrap().clone()).unwrap_err();
        let mut fields: Vec<&str> = rejected.iter().map(|it| it.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["count", "name"]);
        // Two with the same mistake.
        let members = json!({ "id": "1", "name": 1, "alg": 1, "count": "x" });
        let rejected = read::<Outer>(members.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(rejected.len(), 3);
    }

    #[test]
    fn a_value_of_another_type_is_not_repeated() {
        let members = json!({ "name": 987_654, "alg": "RS256", "count": "secret" });
        let rejected = read::<Record>(members.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(
            rejected[0].problem,
            "invalid type: integer, expected a string"
        );
        assert_eq!(rejected[1].problem, "invalid type: string, expected u32");
    }
}
