//! From the document's words to what the service understands.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use serde_json::{Map, Value};

use super::client::method;
use super::document::{ClientEntry, Document, RefreshTokenRotation, ResourceEntry, UserEntry};
use crate::domain::resource::Resource;
use crate::domain::user::username_key;
use crate::service::apply::{Desired, DesiredClient, DesiredPassword, DesiredUser, Kind};
use crate::spec::alg::SigningAlg;
use crate::spec::auth_method::AuthMethod;
use crate::spec::client_metadata::{self, ApplicationType, ClientMetadata};
use crate::spec::grant_type::GrantType;
use crate::spec::scope::{Scope, is_token};
use crate::spec::standard_claims::{Address, StandardClaims};

#[path = "desired_access.rs"]
mod access;
use access::{organization, policy, role};

/// What a document wants, and where it says so.
#[derive(Debug)]
pub struct Converted {
    /// What it wants.
    pub desired: Desired,
    lines: BTreeMap<(Kind, String), usize>,
}

impl Converted {
    /// The line where an item begins.
    #[must_use]
    pub fn line(&self, kind: Kind, name: &str) -> Option<usize> {
        self.lines.get(&(kind, name.to_owned())).copied()
    }
}

/// Understands every word of a document, or says of which it cannot.
pub fn convert(document: Document, file_name: &str) -> Result<Converted, Vec<String>> {
    let mut words = Words {
        file_name,
        place: String::new(),
        problems: Vec::new(),
    };
    let mut lines = BTreeMap::new();
    let desired = Desired {
        resources: document
            .resources
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Resource, entry.identifier.clone()), entry.line);
                words.at(Kind::Resource, &entry.identifier, entry.line);
                words.resource(entry)
            })
            .collect(),
        clients: document
            .clients
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Client, entry.client_id.clone()), entry.line);
                words.at(Kind::Client, &entry.client_id, entry.line);
                words.client(entry)
            })
            .collect(),
        users: document
            .users
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::User, entry.username.clone()), entry.line);
                words.at(Kind::User, &entry.username, entry.line);
                words.user(entry)
            })
            .collect(),
        roles: document
            .roles
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Role, entry.name.clone()), entry.line);
                role(entry)
            })
            .collect(),
        policies: document
            .policies
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Policy, entry.id.clone()), entry.line);
                policy(entry)
            })
            .collect(),
        organizations: document
            .organizations
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Organization, entry.name.clone()), entry.line);
                organization(entry)
            })
            .collect(),
        groups: document
            .groups
            .into_iter()
            .map(|entry| {
                lines.insert((Kind::Group, entry.name.clone()), entry.line);
                words.at(Kind::Group, &entry.name, entry.line);
                words.group(entry)
            })
            .collect(),
        objects: document
            .objects
            .into_iter()
            .filter_map(|entry| {
                lines.insert((Kind::Object, entry.resource.clone()), entry.line);
                words.at(Kind::Object, &entry.resource, entry.line);
                words.object(entry)
            })
            .collect(),
        attributes: document
            .attributes
            .into_iter()
            .filter_map(|entry| {
                let title = format!("{}.{}", entry.of, entry.name);
                lines.insert((Kind::Attribute, title.clone()), entry.line);
                words.at(Kind::Attribute, &title, entry.line);
                words.attribute(entry)
            })
            .collect(),
    };
    if words.problems.is_empty() {
        Ok(Converted { desired, lines })
    } else {
        Err(words.problems)
    }
}

struct Words<'a> {
    file_name: &'a str,
    place: String,
    problems: Vec<String>,
}

impl Words<'_> {
    fn at(&mut self, kind: Kind, name: &str, line: usize) {
        self.place = format!("{} line {line}: {kind} {name:?}", self.file_name);
    }

    fn refuse(&mut self, field: &str, problem: &str) {
        self.problems
            .push(format!("{}: {field}: {problem}", self.place));
    }

    fn resource(&mut self, entry: ResourceEntry) -> Resource {
        let scopes = entry.scopes.unwrap_or_default();
        for scope in scopes.iter().filter(|scope| !is_token(scope)) {
            let problem = format!("{scope:?} is no scope (RFC 6749 section 3.3)");
            self.refuse("scopes", &problem);
        }
        Resource {
            identifier: entry.identifier,
            name: entry.name,
            scopes: scopes.iter().map(String::as_str).collect(),
            scope_permissions: entry.scope_permissions.unwrap_or_default(),
            access_token_claims: entry.access_token_claims.unwrap_or_default(),
        }
    }

    fn client(&mut self, entry: ClientEntry) -> DesiredClient {
        let mut metadata = ClientMetadata {
            client_name: entry.client_name,
            client_uri: entry.client_uri,
            logo_uri: entry.logo_uri,
            policy_uri: entry.policy_uri,
            tos_uri: entry.tos_uri,
            contacts: entry.contacts.unwrap_or_default(),
            redirect_uris: entry.redirect_uris.unwrap_or_default(),
            post_logout_redirect_uris: entry.post_logout_redirect_uris.unwrap_or_default(),
            response_types: entry.response_types,
            jwks: entry.jwks,
            jwks_uri: entry.jwks_uri,
            default_max_age: entry.default_max_age,
            require_auth_time: entry.require_auth_time,
            default_acr_values: entry.default_acr_values.unwrap_or_default(),
            require_pkce: entry.require_pkce,
            first_party: entry.first_party.unwrap_or(false),
            may_introspect: entry.may_introspect.unwrap_or(false),
            required_permission: entry.required_permission,
            attributes: entry.attributes.map(attributes).unwrap_or_default(),
            access_token_claims: entry.access_token_claims.unwrap_or_default(),
            id_token_claims: entry.id_token_claims.unwrap_or_default(),
            userinfo_claims: entry.userinfo_claims.unwrap_or_default(),
            default_resource: entry.default_resource,
            refresh_token_rotation: entry.refresh_token_rotation.map(rotation),
            ..ClientMetadata::default()
        };
        metadata.application_type = self.word(
            "application_type",
            entry.application_type,
            |name| match name {
                "web" => Some(ApplicationType::Web),
                "native" => Some(ApplicationType::Native),
                _ => None,
            },
            &["web", "native"],
        );
        metadata.grant_types = entry.grant_types.map(|names| {
            let names = names.into_iter().map(Some);
            let known = GrantType::ALL.map(GrantType::as_str);
            names
                .filter_map(|name| self.word("grant_types", name, GrantType::parse, &known))
                .collect()
        });
        metadata.token_endpoint_auth_method = self.word(
            "token_endpoint_auth_method",
            entry.token_endpoint_auth_method,
            method,
            &AuthMethod::ALL.map(AuthMethod::as_str),
        );
        let algs = [
            (
                "token_endpoint_auth_signing_alg",
                entry.token_endpoint_auth_signing_alg,
                &mut metadata.token_endpoint_auth_signing_alg,
            ),
            (
                "id_token_signed_response_alg",
                entry.id_token_signed_response_alg,
                &mut metadata.id_token_signed_response_alg,
            ),
            (
                "userinfo_signed_response_alg",
                entry.userinfo_signed_response_alg,
                &mut metadata.userinfo_signed_response_alg,
            ),
            (
                "access_token_signed_response_alg",
                entry.access_token_signed_response_alg,
                &mut metadata.access_token_signed_response_alg,
            ),
        ];
        for (field, name, alg) in algs {
            *alg = self.word(
                field,
                name,
                |name| SigningAlg::from_str(name).ok(),
                &SigningAlg::ALL.map(SigningAlg::as_str),
            );
        }
        metadata.scope = entry.scope.and_then(|scope| match Scope::parse(&scope) {
            Ok(scope) => Some(scope),
            Err(error) => {
                self.refuse("scope", &error.to_string());
                None
            }
        });
        metadata.access_token_lifetime = entry
            .access_token_lifetime
            .map(|lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        DesiredClient {
            id: entry.client_id,
            secret: entry.client_secret,
            metadata,
        }
    }

    /// A word out of a closed list.
    fn word<T>(
        &mut self,
        field: &str,
        name: Option<String>,
        parse: impl Fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Option<T> {
        let name = name?;
        let parsed = parse(&name);
        if parsed.is_none() {
            let problem = format!("unknown {name:?}; expected {}", known.join(", "));
            self.refuse(field, &problem);
        }
        parsed
    }

    fn user(&mut self, entry: UserEntry) -> DesiredUser {
        if entry
            .preferred_username
            .as_ref()
            .is_some_and(|name| username_key(name) != username_key(&entry.username))
        {
            let problem = "it is always the username; leave it out";
            self.refuse("preferred_username", problem);
        }
        let password = match (entry.password, entry.password_hash) {
            (Some(password), _) => Some(DesiredPassword::Plain(password)),
            (None, Some(hash)) => Some(DesiredPassword::Hash(hash)),
            (None, None) => None,
        };
        DesiredUser {
            username: entry.username,
            password,
            email: entry.email,
            email_verified: entry.email_verified,
            all_claims: false,
            claims: StandardClaims {
                name: entry.name,
                given_name: entry.given_name,
                family_name: entry.family_name,
                middle_name: entry.middle_name,
                nickname: entry.nickname,
                profile: entry.profile,
                picture: entry.picture,
                website: entry.website,
                gender: entry.gender,
                birthdate: entry.birthdate,
                zoneinfo: entry.zoneinfo,
                locale: entry.locale,
                phone_number: entry.phone_number,
                phone_number_verified: entry.phone_number_verified,
                address: entry.address.map(|address| Address {
                    formatted: address.formatted,
                    street_address: address.street_address,
                    locality: address.locality,
                    region: address.region,
                    postal_code: address.postal_code,
                    country: address.country,
                }),
            },
            attributes: entry.attributes.map(attributes),
            roles: entry.roles.map(|roles| self.assignments(roles)),
            groups: entry.groups.map(|groups| groups.into_iter().collect()),
            organizations: entry.organizations.map(|names| names.into_iter().collect()),
            levels: entry.levels.map(|levels| self.levels(levels)),
            disabled: entry.disabled,
        }
    }
}

fn attributes(written: BTreeMap<String, Value>) -> Map<String, Value> {
    written
        .into_iter()
        .map(|(name, value)| (name, without_dates(value)))
        .collect()
}

fn rotation(written: RefreshTokenRotation) -> client_metadata::RefreshTokenRotation {
    match written {
        RefreshTokenRotation::Rotate => client_metadata::RefreshTokenRotation::Rotate,
        RefreshTokenRotation::None => client_metadata::RefreshTokenRotation::None,
    }
}

/// JSON has no dates: those of TOML arrive as objects of one member and become their text.
fn without_dates(value: Value) -> Value {
    match value {
        Value::Object(members) => match members.get(TOML_DATE) {
            Some(Value::String(date)) => Value::String(date.clone()),
            Some(_) | None => Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, without_dates(value)))
                    .collect::<Map<_, _>>(),
            ),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(without_dates).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

const TOML_DATE: &str = "$__toml_private_datetime";
