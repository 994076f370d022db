//! The one gate for access tokens that a request presents ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).

use std::sync::Arc;

use axum::http::HeaderMap;

use super::caller::Caller;
use super::rate_limit::Limited;
use super::site::Site;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::client::Client;
use crate::service::tokens::access_token::{self, AccessToken, TokenError};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// A header that cannot be read, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The token of `Authorization: Bearer` (RFC 6750 §2.1). A header of another scheme, or without a token, carries
/// none; two headers are an error.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unreadable> {
    let mut values = headers.get_all(axum::http::header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let (scheme, token) = value
                .to_str()
                .map_err(|_| Unreadable)?
                .split_once(' ')
                .unwrap_or_default();
            let token = token.trim_matches(' ');
            Ok((scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token))
        }
        (Some(_), Some(_)) => Err(Unreadable),
    }
}

/// What an access token is presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// The administration API.
    Administration,
    /// Asking for decisions.
    Decisions,
    /// Claims about the person (OpenID Connect Core §5.3).
    UserInfo,
}

impl TokenUse {
    /// The scope that it needs.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Administration => Scope::ADMIN,
            Self::Decisions => Scope::DECIDE,
            Self::UserInfo => Scope::OPENID,
        }
    }

    /// The sentence for a token without that scope.
    #[must_use]
    pub const fn lacks_scope(self) -> &'static str {
        match self {
            Self::Administration => {
                "the token does not have the scope signet:admin; add it to the client's scope, and ask for it"
            }
            Self::Decisions => {
                "asking for decisions needs the scope signet:decide, and of a person the permission signet:decide"
            }
            Self::UserInfo => {
                "the token lacks the scope openid; add it to the client's scope, and ask for it"
            }
        }
    }

    const fn other_audience(self) -> &'static str {
        match self {
            Self::Administration | Self::Decisions => {
                "the token is not meant for this server: its aud is another"
            }
            Self::UserInfo => "the token was issued for another audience",
        }
    }
}

/// An access token that is for this server, has the scope, was not revoked, and whose key the request proves; only
/// [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct Admitted {
    token: Arc<AccessToken>,
    client: Arc<Client>,
    origin: Origin,
    at: Ts,
}

impl Admitted {
    /// The token.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// The client to which it was issued.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where an act comes from that is done with it.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// When it was admitted: the time of the request.
    #[must_use]
    pub const fn at(&self) -> Ts {
        self.at
    }

    /// Whether the token was not revoked since, for a request that had to wait for its turn.
    pub async fn is_still_valid(&self, site: &Site) -> Result<bool, StoreError> {
        let keys = self.token.revocation_keys();
        let recorded = site.services.revocations.check(&keys).await?;
        Ok(self.token.is_unrevoked(&recorded))
    }
}

/// Why a token does not suffice. What is the token's fault is written down in the audit trail.
#[derive(Debug)]
pub enum Refused {
    /// 401 `invalid_token`: not one of ours, expired, revoked, for another audience, or bound to another key.
    InvalidToken(&'static str),
    /// 403 `insufficient_scope`: it lacks the scope, or its client is not registered for the scope any more.
    InsufficientScope(&'static str),
    /// 429: too many that did not count came from this address.
    Limited(Limited),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes down that a token did not suffice.
pub fn note_refusal(site: &Site, origin: &Origin, reason: &str, now: Ts) {
    let event = Event::new(EventType::AccessDenied, origin, now);
    site.services.audit.note(event.detail("reason", reason));
}

/// Admits a token for a purpose, once `rest` of the request has come, which is given back with it.
///
/// A token that is not one of ours is refused before the rest is waited for. Everything that can change is asked
/// after it: a caller that holds back the rest of a request cannot make an answer of before a revocation count after it.
pub async fn admit<T>(
    site: &Site,
    caller: &Caller,
    token: &str,
    purpose: TokenUse,
    rest: impl Future<Output = T>,
) -> Result<(Admitted, T), Refused> {
    let services = &site.services;
    let token = recognize(site, caller, token).await?;
    let rest = rest.await;
    let now = services.clock.now();
    let recorded = services.revocations.check(&token.revocation_keys()).await?;
    if let Err(sentence) = token.judge(&recorded, now) {
        return Err(does_not_count(site, caller, sentence, now));
    }
    let origin = token.origin(&caller.origin);
    let refuse = |sentence| {
        note_refusal(site, &origin, sentence, now);
        sentence
    };
    if token.binding != caller.binding {
        let sentence = "the request does not prove the key that the token is bound to";
        return Err(Refused::InvalidToken(refuse(sentence)));
    }
    let own = services.config.issuer.as_str();
    let is_own = |aud: &String| aud == own;
    let meant = match purpose {
        TokenUse::UserInfo => token.audience.iter().any(is_own),
        // Beside a resource server, Signet stands in aud for `/userinfo` alone.
        TokenUse::Administration | TokenUse::Decisions => token.audience.iter().all(is_own),
    };
    if !meant {
        return Err(Refused::InvalidToken(refuse(purpose.other_audience())));
    }
    // A client that lost the scope loses it at once, not when its tokens expire.
    let version = recorded.clients_version;
    let registered = services.clients.find_at(&token.client_id, version).await?;
    let scope = purpose.scope();
    let registered = registered.filter(|client| client.scope.contains(scope));
    let Some(client) = registered.filter(|_| token.scope.contains(scope)) else {
        return Err(Refused::InsufficientScope(refuse(purpose.lacks_scope())));
    };
    let admitted = Admitted {
        token,
        client,
        origin,
        at: now,
    };
    Ok((admitted, rest))
}

/// The access token, if it is ours and has not expired. One that is not counts against the address, and the signature
/// of one that was not seen before is only checked while the address has room for failures.
async fn recognize(site: &Site, caller: &Caller, token: &str) -> Result<Arc<AccessToken>, Refused> {
    let services = &site.services;
    let now = services.clock.now();
    if services.access_tokens.known(token, now).await.is_none() {
        services.limits.room(caller.ip).map_err(Refused::Limited)?;
    }
    match access_token::verify(services, token, now).await {
        Ok(token) => Ok(token),
        Err(TokenError::Store(error)) => Err(error.into()),
        Err(TokenError::Inactive(sentence)) => Err(does_not_count(site, caller, sentence, now)),
    }
}

/// Counts a token that is none, or not any more, against the address.
fn does_not_count(site: &Site, caller: &Caller, sentence: &'static str, now: Ts) -> Refused {
    note_refusal(site, &caller.origin, sentence, now);
    match site.services.limits.failed(caller.ip) {
        Ok(()) => Refused::InvalidToken(sentence),
        Err(limited) => Refused::Limited(limited),
    }
}

#[cfg(test)]
mod tests;
