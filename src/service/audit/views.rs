//! How things look in events: everything but secrets.

use serde_json::{Value, json};

use crate::domain::policy::{Assignment, Level, ResourceName};
use crate::domain::user::User;
use crate::spec::time::Ts;
use crate::store::assignments::Holder;
use crate::store::users::{Memberships, UserFields};

/// A person in audit events, before they are stored.
#[must_use]
pub fn user(fields: &UserFields) -> Value {
    json!({
        "username": fields.username,
        "email": fields.email,
        "email_verified": fields.email_verified,
        "claims": fields.claims,
        "attributes": fields.attributes,
    })
}

/// A person in audit events, as stored.
#[must_use]
pub fn stored_user(user: &User) -> Value {
    json!({
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "claims": user.claims,
        "attributes": user.attributes,
    })
}

/// To what a person belongs.
#[must_use]
pub fn memberships(memberships: &Memberships) -> Value {
    json!({
        "groups": memberships.groups,
        "organizations": memberships.organizations,
        "levels": levels(memberships.levels.iter()),
    })
}

/// A role with its holder.
#[must_use]
pub fn held(holder: &Holder, assignment: &Assignment) -> Value {
    let mut view = self::assignment(assignment);
    match holder {
        Holder::User(id) => view["user_id"] = json!(id),
        Holder::Group(name) => view["group"] = json!(name),
    }
    view
}

/// An assignment.
#[must_use]
pub fn assignment(assignment: &Assignment) -> Value {
    json!({
        "role": assignment.role,
        "organization": assignment.organization,
        "until": assignment.until.map(Ts::rfc3339),
    })
}

/// Levels, by the names of the resources.
pub fn levels<'a>(levels: impl Iterator<Item = (&'a ResourceName, &'a Level)>) -> Value {
    levels
        .map(|(resource, level)| (resource.to_string(), Value::from(level.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
