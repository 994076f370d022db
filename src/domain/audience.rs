//! For whom an access token is: the one decision of its audience
//! ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2),
//! [RFC 9068 §3](https://www.rfc-editor.org/rfc/rfc9068#section-3)).
//!
//! In this order: what the request names in `resource`, the client's `default_resource`, the one resource server to
//! which all API scopes asked for belong, Signet itself. Scopes about people (`openid`, `email`, …) never count and
//! are never taken away; API scopes remain only where they mean something.

use std::collections::BTreeMap;

use thiserror::Error;

use super::client::{Client, DEFAULT_SCOPE};
use super::resource::{AccessTokenTyp, Resource, canonical, is_same};
use crate::spec::alg::SigningAlg;
use crate::spec::scope::Scope;

/// Every resource server there is, and Signet itself.
#[derive(Clone, Copy, Debug)]
pub struct Servers<'a> {
    /// The registered ones.
    pub all: &'a [Resource],
    /// The issuer: Signet's own identifier.
    pub issuer: &'a str,
}

/// For whom a token is. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The resource servers; none: Signet itself alone.
    servers: Vec<Resource>,
    /// The issuer, as it stands in `aud`.
    issuer: String,
    /// Whether Signet was named beside them.
    with_issuer: bool,
    /// Whether the request named it in `resource`.
    named: bool,
    /// The algorithm of the client's access tokens.
    client_alg: SigningAlg,
}

/// What a token is made of: its audience, and what of the scope means something there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targeted {
    /// For whom.
    pub audience: Audience,
    /// What it is good for.
    pub scope: Scope,
}

/// How an access token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Its `typ`.
    pub typ: AccessTokenTyp,
    /// Its `alg`.
    pub alg: SigningAlg,
}

/// Why there is no audience: `invalid_target` (RFC 8707 §2). The texts speak to the client's developer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AudienceError {
    /// Not a resource server of this client's.
    #[error(
        "resource is not a resource server of which this client may have a scope; add one of its scopes to the \
         client's scope, or register it as the client's default_resource"
    )]
    NotForClient,
    /// What was granted does not cover it.
    #[error(
        "resource is not a resource server of this grant; name it in the authorization request too, at /authorize"
    )]
    NotGranted,
    /// Several resource servers have the scope.
    #[error(
        "scope {scope} belongs to several resource servers; send resource with the one meant: {servers}"
    )]
    Ambiguous {
        /// Which scope.
        scope: String,
        /// Their identifiers.
        servers: String,
    },
    /// The resource servers do not take one and the same token.
    #[error(
        "no access token suits all of these resource servers: their {setting} differ; ask for one token for each, \
         with one resource in each request"
    )]
    Differ {
        /// `access_token_typ` or `access_token_signing_alg`.
        setting: &'static str,
    },
}

impl Targeted {
    /// What a client is told whose scope means nothing to the audience: that is no request for a token without scope.
    #[must_use]
    pub fn nothing_left(&self) -> String {
        let identifiers = self.audience.identifiers().join(" ");
        format!(
            "scope names nothing that means something to {identifiers}; send the resource to which it belongs"
        )
    }
}

impl Audience {
    /// Decides the audience of what a client asks for: `named` in `resource`, with this scope.
    pub fn decide<'a>(
        servers: Servers<'_>,
        client: &Client,
        named: impl IntoIterator<Item = &'a str>,
        scope: &Scope,
    ) -> Result<Targeted, AudienceError> {
        let mut named = named.into_iter().peekable();
        let audience = if named.peek().is_some() {
            servers.named(client, named)?
        } else if let Some(default) = servers.default_of(client) {
            default
        } else {
            servers.inferred(client, scope)?
        };
        let audience = audience.agreed()?;
        let scope = audience.means(servers, scope);
        Ok(Targeted { audience, scope })
    }

    /// Decides the audience of a token of a grant: `named` in `resource`, each of which was `granted`; else all that
    /// was granted and is still there for the client.
    ///
    /// Nothing granted stands for a grant of before audiences were stored: it is for what is the default today. If
    /// nothing of it is left, the token is one for Signet itself, with what says who the person is.
    pub fn of_grant<'a>(
        servers: Servers<'_>,
        client: &Client,
        granted: &[String],
        named: impl IntoIterator<Item = &'a str>,
        scope: &Scope,
    ) -> Result<Targeted, AudienceError> {
        let before;
        let granted = if granted.is_empty() {
            let default = Self::decide(servers, client, [], scope);
            before = default.map_or_else(
                |_| vec![servers.issuer.to_owned()],
                |targeted| targeted.audience.identifiers(),
            );
            before.as_slice()
        } else {
            granted
        };
        let mut named = named.into_iter().peekable();
        let audience = if named.peek().is_some() {
            let named: Vec<&str> = named.collect();
            let is_granted = |name: &&str| granted.iter().any(|granted| is_same(granted, name));
            if !named.iter().all(is_granted) {
                return Err(AudienceError::NotGranted);
            }
            servers.named(client, named)?
        } else {
            let left = granted.iter().map(String::as_str);
            let left = left.filter(|name| servers.is_for(client, name));
            let left = servers.named(client, left)?;
            let only_own = granted.iter().all(|name| is_same(name, servers.issuer));
            if left.servers.is_empty() && !only_own {
                let scope = scope.intersection(&about_people());
                let audience = servers.itself(client);
                return Ok(Targeted { audience, scope });
            }
            Self {
                named: false,
                ..left
            }
        };
        let audience = audience.agreed()?;
        let scope = audience.means(servers, scope);
        Ok(Targeted { audience, scope })
    }

    /// What is left of it when the scope of a person is cut from `before` to `after`: resource servers of which they
    /// can give nothing go. `None` when none is left of those that were named.
    #[must_use]
    pub fn left_with(&self, before: &Scope, after: &Scope) -> Option<Self> {
        let some_of = |server: &Resource, scope: &Scope| {
            let mut scopes = server.scopes.iter();
            scopes.any(|token| scope.contains(token))
        };
        let mut left = self.clone();
        left.servers
            .retain(|server| !some_of(server, before) || some_of(server, after));
        let lost_all = left.servers.is_empty() && !self.servers.is_empty();
        (!(lost_all && self.named && !self.with_issuer)).then_some(left)
    }

    /// The resource servers that it names; none where it is Signet itself alone.
    #[must_use]
    pub fn servers(&self) -> &[Resource] {
        &self.servers
    }

    /// Whether the request named it in `resource`.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.named
    }

    /// What a grant keeps of it: the identifiers as they are registered, never none.
    #[must_use]
    pub fn identifiers(&self) -> Vec<String> {
        let servers = self.servers.iter();
        let own = self.with_issuer || self.servers.is_empty();
        servers
            .map(|server| server.identifier.clone())
            .chain(own.then(|| self.issuer.clone()))
            .collect()
    }

    /// `aud` of a token with that scope: a token of an OpenID Connect request is good for `/userinfo` too, so Signet
    /// stands beside the resource servers (OpenID Connect Core §5.3).
    #[must_use]
    pub fn aud(&self, scope: &Scope) -> Vec<&str> {
        let own = self.with_issuer || self.servers.is_empty() || scope.is_openid();
        let servers = self.servers.iter();
        servers
            .map(|server| server.identifier.as_str())
            .chain(own.then_some(self.issuer.as_str()))
            .collect()
    }

    /// How its tokens are signed. A resource server's own algorithm goes before the client's.
    #[must_use]
    pub fn format(&self) -> Format {
        let servers = self.servers.iter();
        let typ = self.servers.first().map(|server| server.access_token_typ);
        let mut algs = servers.filter_map(|server| server.access_token_signing_alg);
        Format {
            typ: typ.unwrap_or_default(),
            alg: algs.next().unwrap_or(self.client_alg),
        }
    }

    /// Itself, if all of its resource servers take one and the same token.
    fn agreed(self) -> Result<Self, AudienceError> {
        let typs = self.servers.iter().map(|server| server.access_token_typ);
        let algs = self.servers.iter();
        let algs = algs.filter_map(|server| server.access_token_signing_alg);
        let setting = if !all_same(typs) {
            "access_token_typ"
        } else if !all_same(algs) {
            "access_token_signing_alg"
        } else {
            return Ok(self);
        };
        Err(AudienceError::Differ { setting })
    }

    /// By resource server, under its canonical identifier: what of a scope means something to it. What is about the
    /// person belongs to none; where the audience is Signet itself, the rest stands under the issuer.
    #[must_use]
    pub fn shares(&self, scope: &Scope) -> BTreeMap<String, Scope> {
        let people = about_people();
        let mut shares: BTreeMap<String, Scope> = BTreeMap::new();
        for server in &self.servers {
            let share = scope.intersection(&server.scopes);
            shares.insert(canonical(&server.identifier).to_owned(), share);
        }
        if self.with_issuer || self.servers.is_empty() {
            let taken = |token: &str| self.servers.iter().any(|it| it.scopes.contains(token));
            let own = scope.iter().filter(|token| !people.contains(token));
            let own: Scope = own.filter(|token| !taken(token)).collect();
            if !own.is_empty() {
                shares.insert(canonical(&self.issuer).to_owned(), own);
            }
        }
        shares
    }

    /// What of a scope means something here.
    fn means(&self, servers: Servers<'_>, scope: &Scope) -> Scope {
        let people = about_people();
        let remains = |token: &&str| {
            people.contains(token)
                || if self.servers.is_empty() {
                    // Named itself, Signet gives what is its own; where nothing was named, all stays as it is.
                    !self.named || !servers.others().any(|it| it.scopes.contains(token))
                } else {
                    self.servers.iter().any(|it| it.scopes.contains(token))
                }
        };
        scope.iter().filter(remains).collect()
    }
}

impl<'a> Servers<'a> {
    /// Whether this client may have tokens for it: Signet itself, the client's own default, or a resource server of
    /// which the client may have a scope. Nothing is granted without that (RFC 8707 §3).
    #[must_use]
    pub fn is_for(self, client: &Client, identifier: &str) -> bool {
        is_same(identifier, self.issuer)
            || self
                .find(identifier)
                .is_some_and(|server| may_have(client, server))
    }

    /// Every resource server that is not registered under Signet's own identifier.
    fn others(self) -> impl Iterator<Item = &'a Resource> {
        let all = self.all.iter();
        all.filter(move |it| !is_same(&it.identifier, self.issuer))
    }

    fn find(self, identifier: &str) -> Option<&'a Resource> {
        let exact = self.others().find(|it| it.identifier == identifier);
        exact.or_else(|| self.others().find(|it| is_same(&it.identifier, identifier)))
    }

    fn named<'b>(
        self,
        client: &Client,
        names: impl IntoIterator<Item = &'b str>,
    ) -> Result<Audience, AudienceError> {
        let mut audience = Audience {
            named: true,
            ..self.itself(client)
        };
        for name in names {
            if is_same(name, self.issuer) {
                audience.with_issuer = true;
                continue;
            }
            let found = self.find(name).filter(|server| may_have(client, server));
            let found = found.ok_or(AudienceError::NotForClient)?;
            if !audience.servers.contains(found) {
                audience.servers.push(found.clone());
            }
        }
        Ok(audience)
    }

    /// The client's `default_resource`, as long as it is registered.
    fn default_of(self, client: &Client) -> Option<Audience> {
        let default = client.metadata.default_resource.as_deref()?;
        if is_same(default, self.issuer) {
            return Some(self.itself(client));
        }
        self.find(default).map(|found| self.one(client, found))
    }

    /// The one resource server to which every API scope belongs (RFC 9068 §3), else Signet itself.
    fn inferred(self, client: &Client, scope: &Scope) -> Result<Audience, AudienceError> {
        let people = about_people();
        let mut own = false;
        let mut counted: Vec<(&str, Vec<&'a Resource>)> = Vec::new();
        for token in scope.iter().filter(|token| !people.contains(token)) {
            let owners = self.others().filter(|it| it.scopes.contains(token));
            let owners: Vec<&'a Resource> = owners.collect();
            if is_own(token) {
                own = true;
            } else if !owners.is_empty() {
                counted.push((token, owners));
            }
        }
        let Some((_, first)) = counted.first() else {
            return Ok(self.itself(client));
        };
        let has_all = |server: &&&Resource| {
            let mut scopes = counted.iter();
            !own && scopes.all(|(token, _)| server.scopes.contains(token))
        };
        let candidates: Vec<&&Resource> = first.iter().filter(has_all).collect();
        if let [only] = candidates.as_slice() {
            return Ok(self.one(client, only));
        }
        match counted.iter().find(|(_, owners)| owners.len() > 1) {
            None => Ok(self.itself(client)),
            Some((token, owners)) => {
                let names = owners.iter().map(|it| it.identifier.as_str());
                Err(AudienceError::Ambiguous {
                    scope: (*token).to_owned(),
                    servers: names.collect::<Vec<_>>().join(", "),
                })
            }
        }
    }

    fn one(self, client: &Client, server: &Resource) -> Audience {
        Audience {
            servers: vec![server.clone()],
            ..self.itself(client)
        }
    }

    fn itself(self, client: &Client) -> Audience {
        Audience {
            servers: Vec::new(),
            issuer: self.issuer.to_owned(),
            with_issuer: false,
            named: false,
            client_alg: client.access_token_alg(),
        }
    }
}

fn may_have(client: &Client, server: &Resource) -> bool {
    let default = client.metadata.default_resource.as_deref();
    default.is_some_and(|default| is_same(default, &server.identifier))
        || server
            .scopes
            .iter()
            .any(|token| client.scope.contains(token))
}

fn all_same<T: PartialEq>(mut values: impl Iterator<Item = T>) -> bool {
    let first = values.next();
    values.all(|value| first.as_ref() == Some(&value))
}

/// The scopes that say who a person is.
#[must_use]
pub fn about_people() -> Scope {
    DEFAULT_SCOPE.split(' ').collect()
}

/// Whether a scope is good for Signet itself alone.
fn is_own(token: &str) -> bool {
    [Scope::ADMIN, Scope::DECIDE].contains(&token)
}

#[cfg(test)]
mod tests;
