//! Finding every mistake before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ADMIN_ROLE, ApplyError, Desired, DesiredAttribute, DesiredGroup, DesiredObject,
    DesiredOrganization, DesiredPolicy, DesiredUser, Kind, Known, Options, Problem,
};
use crate::crypto::secret::PlainToken;
use crate::domain::client::{Client, DEFAULT_SCOPE};
use crate::domain::policy::{ADMIN_PERMISSION, Declarations, Permission, in_cycles};
use crate::domain::resource::{self, Resource};
use crate::domain::user::username_key;
use crate::spec::time::Ts;
use crate::store::roles::RoleRecord;

/// What may be written.
pub(super) struct Checked<'a> {
    pub(super) resources: &'a [Resource],
    /// Those of the document, and those that exist only because something refers to them.
    pub(super) roles: BTreeMap<String, RoleRecord>,
    /// Every role that something in the document refers to.
    pub(super) referred_roles: BTreeSet<String>,
    pub(super) clients: Vec<CheckedClient>,
    pub(super) users: Vec<CheckedUser<'a>>,
    pub(super) policies: &'a [DesiredPolicy],
    pub(super) organizations: &'a [DesiredOrganization],
    pub(super) groups: &'a [DesiredGroup],
    pub(super) objects: &'a [DesiredObject],
    pub(super) attributes: &'a [DesiredAttribute],
    /// What is declared afterwards.
    pub(super) declarations: Declarations,
    pub(super) warnings: Vec<String>,
}

/// A client that can be registered.
pub(super) struct CheckedClient {
    pub(super) client: Client,
    pub(super) secret: Option<PlainToken>,
}

/// A person with the name under which they are found.
pub(super) struct CheckedUser<'a> {
    pub(super) key: String,
    pub(super) desired: &'a DesiredUser,
}

pub(super) fn check<'a>(
    desired: &'a Desired,
    known: &Known,
    options: Options,
    now: Ts,
) -> Result<Checked<'a>, ApplyError> {
    let mut check = Check {
        desired,
        known,
        options,
        now,
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    check.resources();
    let (roles, referred_roles) = check.roles();
    check.organizations();
    check.groups(&roles);
    check.objects();
    let clients = desired
        .clients
        .iter()
        .filter_map(|client| check.client(client))
        .collect();
    let users = desired
        .users
        .iter()
        .filter_map(|user| check.user(user, &roles))
        .collect();
    let declarations = check.declarations();
    check.values(&declarations);
    check.policies(declarations.clone());
    check.duplicates();
    if !check.problems.is_empty() {
        return Err(ApplyError::Invalid(check.problems));
    }
    Ok(Checked {
        resources: &desired.resources,
        roles,
        referred_roles,
        clients,
        users,
        policies: &desired.policies,
        organizations: &desired.organizations,
        groups: &desired.groups,
        objects: &desired.objects,
        attributes: &desired.attributes,
        declarations,
        warnings: check.warnings,
    })
}

pub(super) struct Check<'a, 'k> {
    pub(super) desired: &'a Desired,
    pub(super) known: &'k Known,
    pub(super) options: Options,
    pub(super) now: Ts,
    problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Check<'_, '_> {
    pub(super) fn refuse(
        &mut self,
        kind: Kind,
        name: &str,
        field: &str,
        problem: impl Into<String>,
    ) {
        self.problems.push(Problem {
            kind,
            name: name.to_owned(),
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    fn resources(&mut self) {
        for resource in &self.desired.resources {
            let name = &resource.identifier;
            if let Err(problem) = resource::check_identifier(name) {
                self.refuse(Kind::Resource, name, "identifier", problem);
            }
            for (scope, permission) in &resource.scope_permissions {
                let problem = if !resource.scopes.contains(scope) {
                    format!("{scope:?} is not among the scopes")
                } else if Permission::parse(permission).is_none() {
                    format!("{permission:?}: {PERMISSION}")
                } else {
                    continue;
                };
                self.refuse(Kind::Resource, name, "scope_permissions", problem);
            }
            let own = |scope: &&str| {
                scope.starts_with("signet:") || DEFAULT_SCOPE.split(' ').any(|own| own == *scope)
            };
            if let Some(scope) = resource.scopes.iter().find(own) {
                let problem = format!("{scope:?} is a scope of Signet itself");
                self.refuse(Kind::Resource, name, "scopes", problem);
            }
            let claims = &resource.access_token_claims;
            self.claims(Kind::Resource, name, "access_token_claims", claims);
            self.text(
                Kind::Resource,
                name,
                "name",
                resource.name.as_deref().unwrap_or_default(),
            );
        }
    }

    /// The roles to write, and all names that are referred to.
    fn roles(&mut self) -> (BTreeMap<String, RoleRecord>, BTreeSet<String>) {
        let desired = self.desired;
        let mut roles: BTreeMap<String, RoleRecord> = BTreeMap::new();
        let mut referred = BTreeSet::new();
        for role in &desired.roles {
            if !is_name(&role.name) {
                self.refuse(Kind::Role, &role.name, "name", NAME);
            }
            self.text(
                Kind::Role,
                &role.name,
                "description",
                role.role.description.as_deref().unwrap_or_default(),
            );
            for permission in &role.role.permissions {
                if Permission::parse(permission).is_none() {
                    self.refuse(
                        Kind::Role,
                        &role.name,
                        "permissions",
                        format!("{permission:?}: {PERMISSION}"),
                    );
                }
            }
            for parent in &role.role.parents {
                if !is_name(parent) {
                    self.refuse(Kind::Role, &role.name, "parents", NAME);
                }
            }
            referred.extend(role.role.parents.iter().cloned());
            let mut record = role.role.clone();
            if role.name == ADMIN_ROLE {
                record.permissions.insert(ADMIN_PERMISSION.to_owned());
            }
            roles.insert(role.name.clone(), record);
        }
        for parent in &referred {
            if parent != ADMIN_ROLE
                && !roles.contains_key(parent)
                && !self.known.roles.contains_key(parent)
            {
                // It gives nobody anything, so a document may speak of it before it is described.
                self.warnings.push(format!(
                    "role {parent:?} is a parent but is described nowhere; it has no permissions"
                ));
            }
        }
        let users = desired.users.iter();
        let given = users.flat_map(|user| user.roles.iter().flatten());
        referred.extend(given.map(|assignment| assignment.role.clone()));
        let groups = desired.groups.iter();
        let given = groups.flat_map(|group| &group.group.roles);
        referred.extend(given.map(|assignment| assignment.role.clone()));
        let parents = desired.roles.iter().flat_map(|role| &role.role.parents);
        let built_in = referred.iter().filter(|name| *name == ADMIN_ROLE);
        let implied: Vec<String> = parents.chain(built_in).cloned().collect();
        for name in implied {
            if !self.known.roles.contains_key(&name) {
                let description = (name == ADMIN_ROLE).then(|| "May do everything".to_owned());
                roles.entry(name).or_insert(RoleRecord {
                    description,
                    ..RoleRecord::default()
                });
            }
        }
        self.cycles(&roles);
        (roles, referred)
    }

    /// Refuses roles that are their own ancestors, as the store would be afterwards.
    fn cycles(&mut self, roles: &BTreeMap<String, RoleRecord>) {
        let known = self.known.roles.iter();
        let all: BTreeMap<&str, &BTreeSet<String>> = known
            .chain(roles)
            .map(|(name, role)| (name.as_str(), &role.parents))
            .collect();
        for name in in_cycles(&all) {
            let problem = "the role would be among its own parents' parents";
            self.refuse(Kind::Role, &name, "parents", problem);
        }
    }

    pub(super) fn has_resource(&self, identifier: &str) -> bool {
        let mut desired = self.desired.resources.iter();
        desired.any(|resource| resource.identifier == identifier)
            || (!self.options.prune && self.known.resources.contains_key(identifier))
    }

    fn duplicates(&mut self) {
        let desired = self.desired;
        let names = desired
            .resources
            .iter()
            .map(|resource| (Kind::Resource, resource.identifier.clone(), "identifier"))
            .chain(
                desired
                    .clients
                    .iter()
                    .map(|client| (Kind::Client, client.id.clone(), "client_id")),
            )
            .chain(desired.users.iter().map(|user| {
                let key = username_key(&user.username);
                (Kind::User, key.unwrap_or_default(), "username")
            }))
            .chain(
                desired
                    .roles
                    .iter()
                    .map(|role| (Kind::Role, role.name.clone(), "name")),
            )
            .chain(
                desired
                    .policies
                    .iter()
                    .map(|policy| (Kind::Policy, policy.id.clone(), "id")),
            )
            .chain(
                desired
                    .organizations
                    .iter()
                    .map(|it| (Kind::Organization, it.name.clone(), "name")),
            )
            .chain(
                desired
                    .groups
                    .iter()
                    .map(|it| (Kind::Group, it.name.clone(), "name")),
            )
            .chain(
                desired
                    .objects
                    .iter()
                    .map(|it| (Kind::Object, it.name.to_string(), "resource")),
            )
            .chain(
                desired
                    .attributes
                    .iter()
                    .map(|it| (Kind::Attribute, it.title(), "name")),
            );
        let mut seen = BTreeSet::new();
        for (kind, name, field) in names {
            if !seen.insert((kind, name.clone())) {
                self.refuse(kind, &name, field, "it is there twice");
            }
        }
    }

    /// No text column of PostgreSQL takes a NUL, nor does its JSON; and what is held in memory has its bounds.
    pub(super) fn text(&mut self, kind: Kind, name: &str, field: &str, text: &str) {
        let most = match field {
            "description" => MAX_DESCRIPTION,
            "attributes" => MAX_ATTRIBUTES,
            _ => usize::MAX,
        };
        if text.len() > most {
            let problem = format!("expected at most {most} bytes, got {}", text.len());
            self.refuse(kind, name, field, problem);
        }
        if text.contains('\0') || text.contains("\\u0000") {
            self.refuse(kind, name, field, "a NUL character cannot be stored");
        }
    }
}

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 2 * 1024;

/// Longest attributes of one thing, in bytes of JSON.
const MAX_ATTRIBUTES: usize = 16 * 1024;

pub(super) const PERMISSION: &str = "expected resource_type:action, such as order:read";

pub(super) const NAME: &str = "expected 1 to 255 bytes without spaces and control characters";

pub(super) fn is_name(text: &str) -> bool {
    // Clients take . and .. out of a path before they send it.
    (1..=255).contains(&text.len())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && !matches!(text, "." | "..")
}
