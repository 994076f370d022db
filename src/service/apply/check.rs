//! Finding every mistake before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ADMIN_ROLE, ApplyError, Desired, DesiredClient, DesiredPassword, DesiredPolicy, DesiredUser,
    Kind, Known, Options, Problem,
};
use crate::crypto::password::{MAX_PASSWORD_BYTES, is_valid_phc};
use crate::crypto::secret::{PlainToken, TokenDigest};
use crate::domain::client::{Client, MAX_ACCESS_TOKEN_LIFETIME};
use crate::domain::ids::ClientId;
use crate::domain::resource::{self, Resource};
use crate::domain::user::username_key;
use crate::service::client_secrets;
use crate::service::users::MIN_PASSWORD_CHARS;
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
    pub(super) warnings: Vec<String>,
}

/// A client that can be registered.
pub(super) struct CheckedClient {
    pub(super) client: Client,
    pub(super) secret: Option<TokenDigest>,
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
) -> Result<Checked<'a>, ApplyError> {
    let mut check = Check {
        desired,
        known,
        options,
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    check.resources();
    let (roles, referred_roles) = check.roles();
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
    check.policies();
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
        warnings: check.warnings,
    })
}

struct Check<'a, 'k> {
    desired: &'a Desired,
    known: &'k Known,
    options: Options,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Check<'a, '_> {
    fn refuse(&mut self, kind: Kind, name: &str, field: &str, problem: impl Into<String>) {
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
                let pair = permission.split_once(':');
                if !is_name(permission) || pair.is_none_or(|(a, b)| a.is_empty() || b.is_empty()) {
                    self.refuse(
                        Kind::Role,
                        &role.name,
                        "permissions",
                        format!(
                            "{permission:?}: expected resource_type:action, such as order:read"
                        ),
                    );
                }
            }
            for parent in &role.role.parents {
                if !is_name(parent) {
                    self.refuse(Kind::Role, &role.name, "parents", NAME);
                }
            }
            referred.extend(role.role.parents.iter().cloned());
            roles.insert(role.name.clone(), role.role.clone());
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
        referred.extend(
            desired
                .users
                .iter()
                .flat_map(|user| user.roles.iter().flatten().cloned()),
        );
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
        let parents = |name: &str| {
            let role = roles.get(name).or_else(|| self.known.roles.get(name));
            role.map(|role| role.parents.clone()).unwrap_or_default()
        };
        let mut found = Vec::new();
        for name in self.desired.roles.iter().map(|role| &role.name) {
            let mut seen = BTreeSet::new();
            let mut next: Vec<String> = parents(name).into_iter().collect();
            while let Some(ancestor) = next.pop() {
                if ancestor == *name {
                    found.push(name.clone());
                    break;
                }
                if seen.insert(ancestor.clone()) {
                    next.extend(parents(&ancestor));
                }
            }
        }
        for name in found {
            let problem = "the role would be among its own parents' parents";
            self.refuse(Kind::Role, &name, "parents", problem);
        }
    }

    fn client(&mut self, desired: &'a DesiredClient) -> Option<CheckedClient> {
        let name = &desired.id;
        let Some(id) = ClientId::parse(name) else {
            self.refuse(
                Kind::Client,
                name,
                "client_id",
                "expected 1 to 255 visible ASCII characters (RFC 6749 appendix A.1)",
            );
            return None;
        };
        let metadata = &desired.metadata;
        let longest = MAX_ACCESS_TOKEN_LIFETIME.as_secs();
        if metadata
            .access_token_lifetime
            .is_some_and(|secs| secs == 0 || u64::from(secs) > longest)
        {
            self.refuse(
                Kind::Client,
                name,
                "access_token_lifetime",
                format!("expected 1 second to {longest} seconds"),
            );
        }
        if let Some(resource) = &metadata.default_resource
            && !self.has_resource(resource)
        {
            self.refuse(
                Kind::Client,
                name,
                "default_resource",
                format!("there is no resource {resource:?}"),
            );
        }
        self.text(
            Kind::Client,
            name,
            "metadata",
            &serde_json::to_string(metadata).unwrap_or_default(),
        );
        let client = match Client::register(id, metadata.clone()) {
            Ok(client) => client,
            Err(error) => {
                self.refuse(Kind::Client, name, error.field, error.problem);
                return None;
            }
        };
        let secret = desired.secret.as_ref().map(|secret| {
            self.secret(&client, secret.expose());
            PlainToken::new(secret.expose()).digest()
        });
        Some(CheckedClient { client, secret })
    }

    fn secret(&mut self, client: &Client, secret: &str) {
        let name = client.id.as_str();
        let mut refuse =
            |problem: String| self.refuse(Kind::Client, name, "client_secret", problem);
        if !client.auth_method.uses_secret() {
            refuse(format!(
                "token_endpoint_auth_method = {:?} uses no secret",
                client.auth_method.as_str()
            ));
        }
        if !secret.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
            refuse("expected visible ASCII characters (RFC 6749 appendix A.2)".to_owned());
        }
        if secret.len() < client_secrets::MIN_BYTES {
            refuse(format!(
                "expected at least {} random characters",
                client_secrets::MIN_BYTES
            ));
        } else if secret.len() < client_secrets::SHORT_BYTES {
            self.warnings.push(format!(
                "the secret of client {name:?} is short; {} random characters cannot be guessed",
                client_secrets::SHORT_BYTES
            ));
        }
    }

    fn has_resource(&self, identifier: &str) -> bool {
        let mut desired = self.desired.resources.iter();
        desired.any(|resource| resource.identifier == identifier)
            || (!self.options.prune && self.known.resources.contains_key(identifier))
    }

    fn user(
        &mut self,
        desired: &'a DesiredUser,
        roles: &BTreeMap<String, RoleRecord>,
    ) -> Option<CheckedUser<'a>> {
        let name = &desired.username;
        match &desired.password {
            Some(DesiredPassword::Plain(password)) => {
                let password = password.expose();
                if password.chars().count() < MIN_PASSWORD_CHARS {
                    let problem = format!("expected at least {MIN_PASSWORD_CHARS} characters");
                    self.refuse(Kind::User, name, "password", problem);
                }
                if password.len() > MAX_PASSWORD_BYTES {
                    let problem = format!("expected at most {MAX_PASSWORD_BYTES} bytes");
                    self.refuse(Kind::User, name, "password", problem);
                }
            }
            Some(DesiredPassword::Hash(phc)) if !is_valid_phc(phc.expose()) => {
                let problem = "expected a PHC string of Argon2id: $argon2id$v=19$m=…,t=…,p=…$…$…";
                self.refuse(Kind::User, name, "password_hash", problem);
            }
            Some(DesiredPassword::Hash(_)) | None => {}
        }
        if desired
            .email
            .as_ref()
            .is_some_and(|email| !email.is_empty() && !is_address(email))
        {
            self.refuse(Kind::User, name, "email", "expected an e-mail address");
        }
        self.text(
            Kind::User,
            name,
            "claims",
            &serde_json::to_string(&(&desired.claims, &desired.attributes)).unwrap_or_default(),
        );
        for role in desired.roles.iter().flatten() {
            if !roles.contains_key(role) && !self.known.roles.contains_key(role) {
                self.refuse(
                    Kind::User,
                    name,
                    "roles",
                    format!("there is no role {role:?}"),
                );
            }
        }
        let Some(key) = username_key(name) else {
            let problem = "expected 1 to 255 bytes without control characters";
            self.refuse(Kind::User, name, "username", problem);
            return None;
        };
        Some(CheckedUser { key, desired })
    }

    fn policies(&mut self) {
        for desired in &self.desired.policies {
            if !is_name(&desired.id) {
                self.refuse(Kind::Policy, &desired.id, "id", NAME);
            }
            if desired.policy.cedar.trim().is_empty() {
                self.refuse(Kind::Policy, &desired.id, "cedar", "expected a policy");
            }
            self.text(Kind::Policy, &desired.id, "cedar", &desired.policy.cedar);
            let description = desired.policy.description.as_deref().unwrap_or_default();
            self.text(Kind::Policy, &desired.id, "description", description);
        }
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
            );
        let mut seen = BTreeSet::new();
        for (kind, name, field) in names {
            if !seen.insert((kind, name.clone())) {
                self.refuse(kind, &name, field, "it is there twice");
            }
        }
    }

    /// No text column of PostgreSQL takes a NUL, nor does its JSON.
    fn text(&mut self, kind: Kind, name: &str, field: &str, text: &str) {
        if text.contains('\0') || text.contains("\\u0000") {
            self.refuse(kind, name, field, "a NUL character cannot be stored");
        }
    }
}

const NAME: &str = "expected 1 to 255 bytes without spaces and control characters";

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_address(text: &str) -> bool {
    text.len() <= 320
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
