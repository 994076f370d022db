//! Records as the store keeps them.

use crate::domain::directory::{Object, Organization, OrganizationName, Policy, Role, RoleName};
use crate::domain::policy::Permission;
use crate::store::groups::OrganizationRecord;
use crate::store::objects::ObjectRecord;
use crate::store::roles::{PolicyRecord, RoleRecord};

impl From<RoleRecord> for Role {
    fn from(role: RoleRecord) -> Self {
        Self {
            description: role.description,
            parents: role.parents.into_iter().map(RoleName::stored).collect(),
            // A permission that cannot be read gives nothing.
            permissions: role
                .permissions
                .iter()
                .filter_map(|text| Permission::parse(text))
                .collect(),
        }
    }
}

impl From<&Role> for RoleRecord {
    fn from(role: &Role) -> Self {
        Self {
            description: role.description.clone(),
            parents: role.parents.iter().map(ToString::to_string).collect(),
            permissions: role.permissions.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<PolicyRecord> for Policy {
    fn from(policy: PolicyRecord) -> Self {
        Self {
            cedar: policy.cedar,
            description: policy.description,
            enabled: policy.enabled,
        }
    }
}

impl From<&Policy> for PolicyRecord {
    fn from(policy: &Policy) -> Self {
        Self {
            cedar: policy.cedar.clone(),
            description: policy.description.clone(),
            enabled: policy.enabled,
        }
    }
}

impl From<OrganizationRecord> for Organization {
    fn from(organization: OrganizationRecord) -> Self {
        Self {
            description: organization.description,
            attributes: organization.attributes,
        }
    }
}

impl From<&Organization> for OrganizationRecord {
    fn from(organization: &Organization) -> Self {
        Self {
            description: organization.description.clone(),
            attributes: organization.attributes.clone(),
        }
    }
}

impl From<ObjectRecord> for Object {
    fn from(object: ObjectRecord) -> Self {
        Self {
            organization: object.organization.map(OrganizationName::stored),
            attributes: object.attributes,
        }
    }
}

impl From<&Object> for ObjectRecord {
    fn from(object: &Object) -> Self {
        Self {
            organization: object.organization.clone().map(String::from),
            attributes: object.attributes.clone(),
        }
    }
}
