//! The lists of a document, and how their rows are read.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::Secret;
use crate::domain::directory::{
    Group, GroupName, Object, Organization, OrganizationName, Policy, Role,
};
use crate::domain::policy::{Assignment, Declaration, Level, Of, ResourceName};
use crate::domain::resource::Resource;
use crate::domain::user::username_key;
use crate::service::administration::document::{Document, GroupRow};
use crate::service::administration::{
    AttributeKey, ClientRow, Kind, KindName, NewPassword, UserRow,
};
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::members::{Rejected, read};
use crate::spec::standard_claims::{Address, StandardClaims};
use crate::spec::time::Ts;

/// One list of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// Its name.
    pub(super) list: &'static str,
    /// What its rows are.
    pub(super) kind: KindName,
    /// The member that names a row.
    pub(super) key: &'static str,
    /// The members of a row.
    pub(super) members: fn() -> Vec<String>,
    /// Two members of which only one may be there.
    pub(super) exclusive: Option<(&'static str, &'static str)>,
    /// Names that differ only in case are the same one.
    pub(super) ignore_case: bool,
    /// The member that the name is only unique within.
    pub(super) within: Option<&'static str>,
    /// Reads a row into the document; what it is called in reports.
    pub(super) read: Read,
}

type Read = fn(&mut Document, String, Map<String, Value>) -> Result<String, Vec<Rejected>>;

/// All of them.
pub(super) fn all() -> [Rows; 9] {
    let rows = |list, kind: KindName, members, read| Rows {
        list,
        kind,
        key: kind.key(),
        members,
        exclusive: None,
        ignore_case: false,
        within: None,
        read,
    };
    [
        rows(
            "resources",
            KindName::Resource,
            names::<Resource>,
            |to, name, row| plain(&mut to.resources, "identifier", name, row),
        ),
        Rows {
            // RFC 7591 §2: "The 'jwks_uri' and 'jwks' parameters MUST NOT both be present".
            exclusive: Some(("jwks", "jwks_uri")),
            ..rows("clients", KindName::Client, client_members, client)
        },
        Rows {
            exclusive: Some(("password", "password_hash")),
            ignore_case: true,
            ..rows("users", KindName::User, user_members, user)
        },
        rows("roles", KindName::Role, names::<Role>, |to, name, row| {
            plain(&mut to.roles, "name", name, row)
        }),
        rows(
            "policies",
            KindName::Policy,
            names::<Policy>,
            |to, id, row| plain(&mut to.policies, "id", id, row),
        ),
        rows(
            "organizations",
            KindName::Organization,
            names::<Organization>,
            |to, name, row| plain(&mut to.organizations, "name", name, row),
        ),
        rows("groups", KindName::Group, group_members, group),
        rows(
            "objects",
            KindName::Object,
            names::<Object>,
            |to, name, row| plain(&mut to.objects, "resource", name, row),
        ),
        Rows {
            within: Some("of"),
            ..rows(
                "attributes",
                KindName::Attribute,
                attribute_members,
                attribute,
            )
        },
    ]
}

/// A row that is nothing but its record.
fn plain<K>(
    rows: &mut Vec<(K::Key, K)>,
    key: &str,
    name: String,
    members: Map<String, Value>,
) -> Result<String, Vec<Rejected>>
where
    K: Kind + DeserializeOwned,
    K::Key: TryFrom<String>,
    <K::Key as TryFrom<String>>::Error: ToString,
{
    let title = name.clone();
    let name = K::Key::try_from(name).map_err(|problem| Rejected::one(key, &problem.to_string()));
    let record = read::<K>(members);
    match (name, record) {
        (Ok(name), Ok(record)) => {
            rows.push((name, record));
            Ok(title)
        }
        (one, other) => Err(errors(one).chain(errors(other)).collect()),
    }
}

fn errors<T>(read: Result<T, Vec<Rejected>>) -> impl Iterator<Item = Rejected> {
    read.err().into_iter().flatten()
}

/// A client: its secret beside the metadata of RFC 7591.
fn client(
    to: &mut Document,
    id: String,
    mut members: Map<String, Value>,
) -> Result<String, Vec<Rejected>> {
    #[derive(Deserialize)]
    struct Beside {
        client_secret: Option<Secret>,
    }
    let beside = read::<Beside>(take(&mut members, &["client_secret"]));
    match (beside, read::<ClientMetadata>(members)) {
        (Ok(beside), Ok(metadata)) => {
            to.clients.push(ClientRow {
                id: id.clone(),
                secret: beside.client_secret,
                metadata,
            });
            Ok(id)
        }
        (one, other) => Err(errors(one).chain(errors(other)).collect()),
    }
}

fn client_members() -> Vec<String> {
    let beside = ["client_secret".to_owned()];
    names::<ClientMetadata>()
        .into_iter()
        .chain(beside)
        .collect()
}

/// What is said of a person beside their standard claims.
#[derive(Deserialize)]
struct UserForm {
    password: Option<Secret>,
    password_hash: Option<Secret>,
    email: Option<String>,
    email_verified: Option<bool>,
    preferred_username: Option<String>,
    roles: Option<Vec<AssignmentForm>>,
    groups: Option<BTreeSet<GroupName>>,
    organizations: Option<BTreeSet<OrganizationName>>,
    levels: Option<BTreeMap<ResourceName, Level>>,
    attributes: Option<Map<String, Value>>,
    disabled: Option<bool>,
}

const USER: [&str; 11] = [
    "password",
    "password_hash",
    "email",
    "email_verified",
    "preferred_username",
    "roles",
    "groups",
    "organizations",
    "levels",
    "attributes",
    "disabled",
];

fn user_members() -> Vec<String> {
    let own = USER.map(str::to_owned);
    names::<StandardClaims>().into_iter().chain(own).collect()
}

fn user(
    to: &mut Document,
    username: String,
    mut members: Map<String, Value>,
) -> Result<String, Vec<Rejected>> {
    let form = read::<UserForm>(take(&mut members, &USER)).and_then(|form| {
        let preferred = form.preferred_username.as_ref();
        if preferred.is_some_and(|name| username_key(name) != username_key(&username)) {
            let problem = "it is always the username; leave it out";
            return Err(Rejected::one("preferred_username", problem));
        }
        let roles = form.roles.clone().map(assignments).transpose()?;
        Ok((form, roles))
    });
    match (form, read::<StandardClaims>(members)) {
        (Ok((form, roles)), Ok(claims)) => {
            let password = form.password.map(NewPassword::Plain);
            to.users.push(UserRow {
                username: username.clone(),
                password: password.or(form.password_hash.map(NewPassword::Hash)),
                email: form.email,
                email_verified: form.email_verified,
                claims,
                all_claims: false,
                attributes: form.attributes,
                roles,
                groups: form.groups,
                organizations: form.organizations,
                levels: form.levels,
                disabled: form.disabled,
            });
            Ok(username)
        }
        (one, other) => Err(errors(one).chain(errors(other)).collect()),
    }
}

/// A group: what it gives beside its record.
fn group(
    to: &mut Document,
    name: String,
    mut members: Map<String, Value>,
) -> Result<String, Vec<Rejected>> {
    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Gives {
        roles: Vec<AssignmentForm>,
        levels: BTreeMap<ResourceName, Level>,
    }
    let gives = read::<Gives>(take(&mut members, &GIVES)).and_then(|gives| {
        let roles = assignments(gives.roles)?;
        Ok((roles, gives.levels))
    });
    let parsed = GroupName::parse(&name).map_err(|problem| Rejected::one("name", &problem));
    match (parsed, read::<Group>(members), gives) {
        (Ok(parsed), Ok(group), Ok((roles, levels))) => {
            to.groups.push(GroupRow {
                name: parsed,
                group,
                roles,
                levels,
            });
            Ok(name)
        }
        (one, two, three) => Err(errors(one)
            .chain(errors(two))
            .chain(errors(three))
            .collect()),
    }
}

const GIVES: [&str; 2] = ["roles", "levels"];

fn group_members() -> Vec<String> {
    let gives = GIVES.map(str::to_owned);
    names::<Group>().into_iter().chain(gives).collect()
}

fn attribute(
    to: &mut Document,
    name: String,
    mut members: Map<String, Value>,
) -> Result<String, Vec<Rejected>> {
    #[derive(Deserialize)]
    struct Beside {
        of: String,
    }
    let beside = read::<Beside>(take(&mut members, &["of"]));
    match (beside, read::<Declaration>(members)) {
        (Ok(beside), Ok(declaration)) => {
            let key = AttributeKey {
                of: Of::parse(&beside.of),
                name,
            };
            let title = key.to_string();
            to.attributes.push((key, declaration));
            Ok(title)
        }
        (one, other) => Err(errors(one).chain(errors(other)).collect()),
    }
}

fn attribute_members() -> Vec<String> {
    let of = ["of".to_owned()];
    names::<Declaration>().into_iter().chain(of).collect()
}

/// A role that is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a role, or a table such as { role = \"manager\", organization = \"acme\", until = 2027-01-01T00:00:00Z }"
)]
enum AssignmentForm {
    /// For every organization, without an end.
    Name(String),
    /// With more said of it.
    Table {
        role: String,
        organization: Option<String>,
        until: Option<Value>,
    },
}

/// The members of a table in `roles`.
pub(super) const ASSIGNMENT: [&str; 3] = ["role", "organization", "until"];

/// The members of an `address`.
pub(super) fn address_members() -> Vec<String> {
    names::<Address>()
}

fn assignments(written: Vec<AssignmentForm>) -> Result<BTreeSet<Assignment>, Vec<Rejected>> {
    let mut rejected = Vec::new();
    let mut given = BTreeSet::new();
    for form in written {
        let assignment = match form {
            AssignmentForm::Name(role) => Assignment::of(role),
            AssignmentForm::Table {
                role,
                organization,
                until,
            } => {
                let parsed = until.as_ref().map(|until| {
                    let parsed = until.as_str().and_then(Ts::parse_rfc3339);
                    parsed.ok_or_else(|| format!(
                        "{role}: until = {until}: expected a date and time with its zone, such as 2027-01-01T00:00:00Z"
                    ))
                });
                match parsed.transpose() {
                    Ok(until) => Assignment {
                        role,
                        organization,
                        until,
                    },
                    Err(problem) => {
                        rejected.extend(Rejected::one("roles", &problem));
                        continue;
                    }
                }
            }
        };
        given.insert(assignment);
    }
    if rejected.is_empty() {
        Ok(given)
    } else {
        Err(rejected)
    }
}

/// Takes these members out of the others.
fn take(members: &mut Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let taken = names.iter().filter_map(|name| members.remove_entry(*name));
    taken.collect()
}

/// The members of `T`, as its schema names them: no second list to forget.
fn names<T: JsonSchema>() -> Vec<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let members = schema.get("properties").and_then(Value::as_object);
    members
        .map(|members| members.keys().cloned().collect())
        .unwrap_or_default()
}
