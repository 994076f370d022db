//! What somebody wants to be true.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::Secret;
use crate::domain::policy::{Assignment, Declaration, Level, Of, ResourceName};
use crate::domain::resource::Resource;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::standard_claims::StandardClaims;
use crate::store::groups::{GroupRecord, OrganizationRecord};
use crate::store::objects::ObjectRecord;
use crate::store::roles::{PolicyRecord, RoleRecord};

/// Everything that is to be true.
///
/// Resource servers, clients, roles and policies become exactly what is said here: a line that was removed takes
/// effect. Of a person, whatever is not said stays as it is, because people change themselves too.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Resource servers.
    pub resources: Vec<Resource>,
    /// Clients.
    pub clients: Vec<DesiredClient>,
    /// People.
    pub users: Vec<DesiredUser>,
    /// Roles.
    pub roles: Vec<DesiredRole>,
    /// Policies.
    pub policies: Vec<DesiredPolicy>,
    /// Organizations.
    pub organizations: Vec<DesiredOrganization>,
    /// Groups.
    pub groups: Vec<DesiredGroup>,
    /// What is known of resources.
    pub objects: Vec<DesiredObject>,
    /// Declared attributes.
    pub attributes: Vec<DesiredAttribute>,
}

/// A client.
#[derive(Clone, Debug)]
pub struct DesiredClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; where it is absent the client keeps what it has, or gets a random one.
    pub secret: Option<Secret>,
    /// Everything else.
    pub metadata: ClientMetadata,
}

/// A person; `None` leaves what is there.
#[derive(Clone, Debug, Default)]
pub struct DesiredUser {
    /// The name they sign in with.
    pub username: String,
    /// Their password.
    pub password: Option<DesiredPassword>,
    /// Their e-mail address; an empty one removes it.
    pub email: Option<String>,
    /// Whether it is known to be theirs. A new address that nothing is said of is not.
    pub email_verified: Option<bool>,
    /// Standard claims; those that are `None` stay.
    pub claims: StandardClaims,
    /// Whether claims that are `None` go instead.
    pub all_claims: bool,
    /// All their attributes.
    pub attributes: Option<Map<String, Value>>,
    /// All their roles, with the organization and the end of each.
    pub roles: Option<BTreeSet<Assignment>>,
    /// All their groups.
    pub groups: Option<BTreeSet<String>>,
    /// All their organizations.
    pub organizations: Option<BTreeSet<String>>,
    /// What they may do to single resources.
    pub levels: Option<BTreeMap<ResourceName, Level>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
}

/// A password, in one of the two ways in which an operator has it.
#[derive(Clone, Debug)]
pub enum DesiredPassword {
    /// The password itself.
    Plain(Secret),
    /// A PHC string of Argon2id from elsewhere. It is applied once: the hash in the store is replaced when it was
    /// made with other settings than today's, or when the person chooses another password.
    Hash(Secret),
    /// The hash, made just now, of a password that nobody had before.
    Fresh(Secret),
}

/// A role.
#[derive(Clone, Debug, Default)]
pub struct DesiredRole {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: RoleRecord,
}

/// A policy.
#[derive(Clone, Debug)]
pub struct DesiredPolicy {
    /// Its name in explanations.
    pub id: String,
    /// What it is.
    pub policy: PolicyRecord,
}

/// An organization.
#[derive(Clone, Debug)]
pub struct DesiredOrganization {
    /// Its name.
    pub name: String,
    /// What it is.
    pub organization: OrganizationRecord,
}

/// A group.
#[derive(Clone, Debug)]
pub struct DesiredGroup {
    /// Its name.
    pub name: String,
    /// What it is.
    pub group: GroupRecord,
}

/// A resource of which something is known.
#[derive(Clone, Debug)]
pub struct DesiredObject {
    /// Its name.
    pub name: ResourceName,
    /// What is known.
    pub object: ObjectRecord,
}

/// A declared attribute.
#[derive(Clone, Debug)]
pub struct DesiredAttribute {
    /// Of what.
    pub of: Of,
    /// Its name.
    pub name: String,
    /// What is declared.
    pub declaration: Declaration,
}

impl DesiredAttribute {
    /// What it is called in reports, such as `user.department`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}.{}", self.of, self.name)
    }
}
