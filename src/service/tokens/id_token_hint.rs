//! `id_token_hint`: an ID token that Signet issued, given back to say of whom it speaks
//! ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest),
//! [RP-Initiated Logout 1.0 §2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)).
//!
//! Its length is not looked at here: what [`issue`](super::issue) makes, [`KeyRing::verify`](super::keys::KeyRing) reads.

use serde_json::Value;

use super::keys::KeyError;
use super::own_jwt::OwnJwt;
use crate::crypto::jose::JoseError;
use crate::domain::ids::{SessionId, UserId};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// What an ID token says that Signet signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdTokenHint {
    /// `sub`.
    pub user: UserId,
    /// `sid`.
    pub session: SessionId,
    /// `aud`: the client that it was issued to.
    pub audience: String,
}

/// What a hint is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Signed by Signet. It may have expired: that was an end of signing in, not of what it says.
    Ours(IdTokenHint),
    /// Its key is gone or was never there, so it proves nothing. An ID token that is old enough ends up here.
    UnknownKey,
    /// No ID token of this server.
    Foreign,
}

/// Reads a hint.
///
/// # Errors
/// The store, where the keys could not be read.
pub async fn read(services: &Services, hint: &str, now: Ts) -> Result<Read, StoreError> {
    let verified = match services.keys.verify(hint, now).await {
        Ok(verified) if OwnJwt::of(&verified) == OwnJwt::IdToken => verified,
        Err(KeyError::Jose(JoseError::UnknownKid)) => return Ok(Read::UnknownKey),
        Err(KeyError::Store(error)) => return Err(error),
        Ok(_) | Err(_) => return Ok(Read::Foreign),
    };
    let claim = |name: &str| verified.claims.get(name).and_then(Value::as_str);
    if claim("iss") != Some(services.config.issuer.as_str()) {
        return Ok(Read::Foreign);
    }
    // Signed userinfo has our issuer and type too, but no session.
    let user = claim("sub").and_then(UserId::parse);
    let session = claim("sid").and_then(SessionId::parse);
    Ok(match (user, session, claim("aud")) {
        (Some(user), Some(session), Some(audience)) => Read::Ours(IdTokenHint {
            user,
            session,
            audience: audience.to_owned(),
        }),
        (_, _, _) => Read::Foreign,
    })
}
