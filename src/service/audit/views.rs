//! How things look in events: everything but secrets.

use serde_json::{Value, json};

use crate::domain::client::Client;
use crate::domain::policy::{Assignment, Level, ResourceName};
use crate::domain::resource::Resource;
use crate::domain::user::User;
use crate::spec::time::Ts;
use crate::store::assignments::Holder;
use crate::store::groups::{GroupRecord, Memberships, OrganizationRecord};
use crate::store::objects::ObjectRecord;
use crate::store::roles::{PolicyRecord, RoleRecord};
use crate::store::users::UserFields;

/// What is to be written of a person.
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

/// What is written of a person.
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

/// A role that somebody holds.
#[must_use]
pub fn held(holder: &Holder, assignment: &Assignment) -> Value {
    let mut view = self::assignment(assignment);
    match holder {
        Holder::User(id) => view["user_id"] = json!(id),
        Holder::Group(name) => view["group"] = json!(name),
    }
    view
}

/// A client as it is registered, and how it authenticates.
#[must_use]
pub fn client(client: &Client) -> Value {
    json!(client.metadata)
}

/// A resource server.
#[must_use]
pub fn resource(resource: &Resource) -> Value {
    json!({
        "name": resource.name,
        "scopes": resource.scopes.to_string(),
        "access_token_claims": resource.access_token_claims,
        "scope_permissions": resource.scope_permissions,
    })
}

/// A role.
#[must_use]
pub fn role(role: &RoleRecord) -> Value {
    json!({
        "description": role.description,
        "parents": role.parents,
        "permissions": role.permissions,
    })
}

/// A group.
#[must_use]
pub fn group(group: &GroupRecord) -> Value {
    json!({
        "description": group.description,
        "parents": group.parents,
        "roles": group.roles.iter().map(assignment).collect::<Vec<_>>(),
        "levels": levels(group.levels.iter()),
        "attributes": group.attributes,
    })
}

/// A role that somebody was given.
#[must_use]
pub fn assignment(assignment: &Assignment) -> Value {
    json!({
        "role": assignment.role,
        "organization": assignment.organization,
        "until": assignment.until.map(Ts::rfc3339),
    })
}

/// An organization.
#[must_use]
pub fn organization(organization: &OrganizationRecord) -> Value {
    json!({ "description": organization.description, "attributes": organization.attributes })
}

/// What is known of a resource.
#[must_use]
pub fn object(object: &ObjectRecord) -> Value {
    json!({ "organization": object.organization, "attributes": object.attributes })
}

/// A policy.
#[must_use]
pub fn policy(policy: &PolicyRecord) -> Value {
    json!({
        "cedar": policy.cedar,
        "description": policy.description,
        "enabled": policy.enabled,
    })
}

fn levels<'a>(levels: impl Iterator<Item = (&'a ResourceName, &'a Level)>) -> Value {
    levels
        .map(|(resource, level)| (resource.to_string(), Value::from(level.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
