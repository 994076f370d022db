//! Judging access tokens: is this one of ours, and does it still stand?
//!
//! Signatures are checked once and remembered by the SHA-256 of the token; whether a token was revoked is asked
//! anew every time.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value};

use crate::crypto::digest::sha256;
use crate::crypto::jose::{JoseError, MAX_JWT_BYTES};
use crate::domain::audit::{Actor, Origin};
use crate::domain::binding::Binding;
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::service::Services;
use crate::service::decisions::access::SignIn;
use crate::service::tokens::claims;
use crate::service::tokens::keys::KeyError;
use crate::service::tokens::own_jwt::OwnJwt;
use crate::spec::claims::{Audience, Claim, ClaimSet, Malformed, Place};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::revocations::{Key, Recorded};

/// Longest access token that is looked at, in bytes.
pub const MAX_BYTES: usize = MAX_JWT_BYTES;

/// Tokens that were verified before.
pub struct AccessTokens {
    cache: Cache<[u8; 32], Arc<AccessToken>>,
}

/// An access token whose signature is ours.
#[derive(Debug)]
pub struct AccessToken {
    /// `client_id`.
    pub client_id: ClientId,
    /// `aud`.
    pub audience: Vec<String>,
    /// `scope`.
    pub scope: Scope,
    /// `jti`.
    pub jti: String,
    /// `iat`.
    pub issued_at: Ts,
    /// `exp`.
    pub expires_at: Ts,
    /// The person, for tokens of a grant.
    pub user_id: Option<UserId>,
    /// The user's token version.
    pub version: i64,
    /// The grant.
    pub grant_id: Option<GrantId>,
    /// The key that its holder must prove (`cnf`).
    pub binding: Binding,
    /// The browser session it lives in.
    pub session_id: Option<SessionId>,
    /// How the person signed in.
    pub sign_in: SignIn,
    /// The claims to which it points, because they are too long for it (OpenID Connect Core §5.6.2).
    pub elsewhere: Vec<String>,
    /// What `/introspect` answers about it while it is_unrevoked, beside the claims that are elsewhere.
    pub introspection: Box<str>,
}

/// Why a token is not vouched for.
#[derive(Debug)]
pub enum TokenError {
    /// Not one of ours, malformed, expired or revoked: the holder learns no more than that.
    Inactive(&'static str),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Malformed> for TokenError {
    fn from(_: Malformed) -> Self {
        Self::Inactive("the token lacks claims")
    }
}

impl AccessTokens {
    pub(in crate::service) fn new() -> Self {
        Self {
            cache: Cache::builder()
                .max_capacity(4096)
                .time_to_live(Duration::from_mins(5))
                .build(),
        }
    }

    /// The access token, if its signature was checked before and it has not expired since.
    pub async fn known(&self, token: &str, now: Ts) -> Option<Arc<AccessToken>> {
        let token = self.cache.get(&sha256(token.as_bytes())).await?;
        (token.expires_at > now).then_some(token)
    }
}

/// The access token, if it is ours and has not expired. Whether it was revoked is another question:
/// [`AccessToken::revocation_keys`] and [`AccessToken::is_unrevoked`].
pub async fn verify(
    services: &Services,
    token: &str,
    now: Ts,
) -> Result<Arc<AccessToken>, TokenError> {
    if token.len() > MAX_BYTES {
        return Err(TokenError::Inactive("the token is too long"));
    }
    let digest = sha256(token.as_bytes());
    let known = services.access_tokens.cache.get(&digest).await;
    let token = if let Some(token) = known {
        token
    } else {
        let token = Arc::new(verify_signature(services, token, now).await?);
        services
            .access_tokens
            .cache
            .insert(digest, Arc::clone(&token))
            .await;
        token
    };
    if token.expires_at <= now {
        return Err(TokenError::Inactive("the token has expired"));
    }
    Ok(token)
}

/// The access token, if it is ours, has not expired and was not revoked in any of the four ways.
pub async fn verify_unrevoked(
    services: &Services,
    token: &str,
    now: Ts,
) -> Result<Arc<AccessToken>, TokenError> {
    let token = verify(services, token, now).await?;
    let recorded = services.revocations.check(&token.revocation_keys()).await?;
    token.judge(&recorded, now).map_err(TokenError::Inactive)?;
    Ok(token)
}

impl AccessToken {
    /// What `/introspect` answers about it while it is unrevoked.
    pub async fn introspected(&self, services: &Services, now: Ts) -> Result<Box<str>, StoreError> {
        let (Some(user), false) = (self.user_id, self.elsewhere.is_empty()) else {
            return Ok(self.introspection.clone());
        };
        // Which groups a client is told of is a setting of its own.
        let Some(client) = services.clients.find(&self.client_id).await? else {
            return Ok(self.introspection.clone());
        };
        let said: Map<String, Value> = serde_json::from_str(&self.introspection)?;
        let mut said = ClaimSet::from(said);
        said.add(claims::pointed_to(services, &client, user, &self.elsewhere, now).await?);
        Ok(said.into_json().into())
    }

    /// Everything whose revocation ends this token.
    #[must_use]
    pub fn revocation_keys(&self) -> Vec<Key<'_>> {
        let mut keys = vec![
            Key::Jti(self.jti.as_bytes()),
            Key::Client(self.client_id.as_str()),
        ];
        keys.extend(self.grant_id.map(|id| Key::Grant(id.bytes())));
        keys.extend(self.session_id.map(|id| Key::Session(id.bytes())));
        keys.extend(self.user_id.map(|id| Key::User(id.bytes())));
        keys
    }

    /// Where an act comes from that is done with this token.
    #[must_use]
    pub fn origin(&self, whence: &Origin) -> Origin {
        let client = self.client_id.clone();
        let actor = self
            .user_id
            .map_or_else(|| Actor::Client(client.clone()), Actor::Person);
        whence.by(actor).through(&client)
    }

    /// Why the token does not count any more, given what was found for [`revocation_keys`](Self::revocation_keys).
    pub fn judge(&self, recorded: &Recorded, now: Ts) -> Result<(), &'static str> {
        if self.expires_at <= now {
            Err("the token has expired")
        } else if self.is_unrevoked(recorded) {
            Ok(())
        } else {
            Err("the token was revoked")
        }
    }

    /// Whether the token is not revoked, given what was found for [`revocation_keys`](Self::revocation_keys).
    #[must_use]
    pub fn is_unrevoked(&self, recorded: &Recorded) -> bool {
        let keys = self.revocation_keys();
        // What was not asked about is not vouched for.
        keys.len() == recorded.values.len()
            && keys
                .iter()
                .zip(&recorded.values)
                .all(|(key, value)| match (key, value) {
                    (_, None) => true,
                    (Key::Client(_), Some(not_before)) => self.issued_at.micros() >= *not_before,
                    (Key::User(_), Some(oldest)) => self.version >= *oldest,
                    (Key::Jti(_) | Key::Grant(_) | Key::Session(_), Some(_)) => false,
                })
    }
}

async fn verify_signature(
    services: &Services,
    token: &str,
    now: Ts,
) -> Result<AccessToken, TokenError> {
    let verified = match services.keys.verify(token, now).await {
        Ok(verified) => verified,
        Err(KeyError::Store(error)) => return Err(TokenError::Store(error)),
        Err(KeyError::Jose(JoseError::UnknownKid)) => {
            return Err(TokenError::Inactive(
                "the token was signed with a key that is not ours",
            ));
        }
        Err(_) => return Err(TokenError::Inactive("the token is not one of ours")),
    };
    // RFC 9068 §4: ID tokens and other JWTs of ours do not pass as access tokens.
    if OwnJwt::of(&verified) != OwnJwt::AccessToken {
        return Err(TokenError::Inactive("the token is not an access token"));
    }
    let claims = ClaimSet::from(verified.claims);
    if claims.require::<&str>(Claim::Iss)? != services.config.issuer.as_str() {
        return Err(TokenError::Inactive("the token is another issuer's"));
    }
    AccessToken::of(claims)
}

impl AccessToken {
    /// The token that says this of itself, as [`issue`](super::issue) writes it.
    fn of(claims: ClaimSet) -> Result<Self, TokenError> {
        let sub: &str = claims.require(Claim::Sub)?;
        let grant_id: Option<GrantId> = claims.find(Claim::GrantId)?;
        let user_id = match grant_id {
            Some(_) => Some(
                UserId::parse(sub).ok_or(TokenError::Inactive("the token lacks its subject"))?,
            ),
            None => None,
        };
        let binding = Binding::of_cnf(claims.value(Claim::Cnf)).ok_or(TokenError::Inactive(
            "the token is bound to a key in a way that this server does not know",
        ))?;
        let audience: Audience = claims.require(Claim::Aud)?;
        Ok(Self {
            client_id: claims.require(Claim::ClientId)?,
            audience: audience.into_vec(),
            scope: claims.require(Claim::Scope)?,
            jti: claims.require(Claim::Jti)?,
            issued_at: Ts::from_secs(claims.require(Claim::Iat)?),
            expires_at: Ts::from_secs(claims.require(Claim::Exp)?),
            user_id,
            version: claims.find(Claim::Ver)?.unwrap_or(0),
            grant_id,
            binding,
            session_id: claims.find(Claim::Sid)?,
            sign_in: SignIn {
                acr: claims.find(Claim::Acr)?,
                amr: claims.find(Claim::Amr)?.unwrap_or_default(),
                auth_time: claims.find(Claim::AuthTime)?.map(Ts::from_secs),
            },
            elsewhere: claims
                .find::<Map<String, Value>>(Claim::ClaimNames)?
                .map(|names| names.into_iter().map(|(name, _)| name).collect())
                .unwrap_or_default(),
            introspection: introspection(claims, binding),
        })
    }
}

/// The claims as they were signed (RFC 7662 §2.2), without what only Signet itself needs for revocation.
fn introspection(mut claims: ClaimSet, binding: Binding) -> Box<str> {
    claims.leave_out(Place::Revocation);
    claims.leave_out(Place::Pointer);
    claims.set(Claim::Active, true);
    claims.set(Claim::TokenType, binding.token_type());
    claims.into_json().into()
}
