//! What a request presents about its client, before anything is proven.

use axum::http::HeaderMap;

use super::secret::{Basic, Half, Secret};
use super::{UNKNOWN_OR_WRONG, private_key_jwt, secret};
use crate::domain::ids::ClientId;
use crate::http::error::OAuthError;
use crate::spec::auth_method::AuthMethod;
use crate::spec::params::Params;

/// What a request presents about its client.
pub(super) struct Presented {
    /// Whom it claims to come from: one id, or two where a Basic header can be read in two ways.
    pub(super) claimed: Claimed,
    pub(super) credential: Credential,
}

pub(super) struct Claimed {
    first: ClientId,
    other: Option<ClientId>,
}

impl Claimed {
    /// The likelier one.
    pub(super) const fn first(&self) -> &ClientId {
        &self.first
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ClientId> {
        std::iter::once(&self.first).chain(&self.other)
    }
}

pub(super) enum Credential {
    Basic(Secret),
    Post(Secret),
    Assertion(String),
    Nothing,
}

impl Credential {
    pub(super) const fn method(&self) -> AuthMethod {
        match self {
            Self::Basic(_) => AuthMethod::ClientSecretBasic,
            Self::Post(_) => AuthMethod::ClientSecretPost,
            Self::Assertion(_) => AuthMethod::PrivateKeyJwt,
            Self::Nothing => AuthMethod::None,
        }
    }
}

impl Presented {
    /// Reads the one credential of the request; two of them are refused (RFC 6749 §2.3), and so are two names.
    pub(super) fn read(headers: &HeaderMap, params: &Params) -> Result<Self, OAuthError> {
        let basic = secret::basic(headers)?;
        let post = params.find("client_secret");
        let assertion = params.find("client_assertion");
        let ways = [basic.is_some(), post.is_some(), assertion.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(OAuthError::invalid_request(
                "the request authenticates its client in more than one way; use exactly one of Authorization, client_secret and client_assertion",
            ));
        }
        let named = params.find("client_id");
        let (ids, credential): (Vec<String>, Credential) = if let Some(Basic { id, secret }) = basic
        {
            (of_half(&id, named), Credential::Basic(secret))
        } else if let Some(secret) = post {
            let id = named.ok_or_else(|| {
                OAuthError::invalid_request("client_id is missing beside client_secret")
            })?;
            (vec![id.to_owned()], Credential::Post(Secret::plain(secret)))
        } else if let Some(assertion) = assertion {
            let id = private_key_jwt::claimed_client(params, assertion)?;
            (vec![id], Credential::Assertion(assertion.to_owned()))
        } else {
            let id = named.ok_or_else(|| {
                    OAuthError::invalid_client("the request does not say which client sends it: client authentication or client_id is missing")
                })?;
            (vec![id.to_owned()], Credential::Nothing)
        };
        if let Some(named) = named
            && !ids.iter().any(|id| id == named)
        {
            return Err(OAuthError::invalid_request(
                "client_id is not the client that the request authenticates",
            ));
        }
        let mut ids = ids.iter().filter_map(|id| ClientId::parse(id));
        let first = ids
            .next()
            .ok_or_else(|| OAuthError::invalid_client(UNKNOWN_OR_WRONG))?;
        let other = ids.next();
        Ok(Self {
            claimed: Claimed { first, other },
            credential,
        })
    }
}

/// The readings of an id; where `client_id` stands beside it, it says which is meant.
fn of_half(id: &Half, named: Option<&str>) -> Vec<String> {
    let all: Vec<String> = id.readings().map(str::to_owned).collect();
    match named.filter(|named| all.iter().any(|id| id == named)) {
        Some(named) => vec![named.to_owned()],
        None => all,
    }
}
