//! What a JWT of ours is: `typ` alone does not say it, since resource servers may want access tokens of `typ` `JWT`.

use crate::crypto::jose::Verified;
use crate::spec::claims::Claim;

/// A kind of JWT that Signet signs with its published keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnJwt {
    /// An access token (RFC 9068 §2).
    AccessToken,
    /// An ID token (OpenID Connect Core §2).
    IdToken,
    /// Neither, such as a signed answer of `/userinfo`.
    Other,
}

impl OwnJwt {
    /// What a verified JWT is. One of `typ` `JWT` is an ID token if it speaks of an access token (`at_hash`) and an
    /// access token if it says what such tokens say and ID tokens never do; never both
    /// ([RFC 8725 §3.12](https://www.rfc-editor.org/rfc/rfc8725#section-3.12)).
    #[must_use]
    pub fn of(verified: &Verified) -> Self {
        let says = |claim: Claim| verified.claims.contains_key(claim.name());
        let access_claims = [Claim::ClientId, Claim::Jti, Claim::Scope];
        if verified.is_typ("at+jwt") {
            Self::AccessToken
        } else if !verified.is_typ("JWT") {
            Self::Other
        } else if access_claims.into_iter().all(says) {
            let of_id_tokens = says(Claim::AtHash) || says(Claim::Nonce);
            if of_id_tokens {
                Self::Other
            } else {
                Self::AccessToken
            }
        } else if says(Claim::AtHash) && !access_claims.into_iter().any(says) {
            Self::IdToken
        } else {
            Self::Other
        }
    }
}
