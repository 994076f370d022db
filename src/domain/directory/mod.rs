//! What administrators describe beside people and clients: roles, groups, organizations, resource servers, policies,
//! facts about resources and declared attributes.
//!
//! Each record is one type everywhere: the row of `[[roles]]` in `signet apply`, the body of `/v1/roles`, the `before`
//! and `after` of its events, and its schema in OpenAPI. Its name stands beside it, never inside.

mod names;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use names::{GroupName, OrganizationName, PolicyId, RoleName};

use super::policy::Permission;

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Role {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Roles whose permissions it has too.
    pub parents: BTreeSet<RoleName>,
    /// `resource_type:action`; the action `*` is every action.
    pub permissions: BTreeSet<Permission>,
}

/// A group of people. Its roles and levels are assignments of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Group {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Groups whose members its members are too.
    pub parents: BTreeSet<GroupName>,
    /// What policies may ask about it; changing it needs `signet:attributes.write`.
    pub attributes: Map<String, Value>,
}

/// An organization.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Organization {
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What policies may ask about it; changing it needs `signet:attributes.write`.
    pub attributes: Map<String, Value>,
}

/// A policy as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// The policy in Cedar, at most 16 KiB.
    pub cedar: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it counts (default true).
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// What is known of a resource of the operator's applications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Object {
    /// To which organization it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationName>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

const fn yes() -> bool {
    true
}
