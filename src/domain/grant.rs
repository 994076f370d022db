//! Grants: one user, one client, one sign-in, and a counter.
//!
//! An authorization code is generation 0 of a grant, the n-th refresh token is generation n. Redeeming
//! advances the counter, guarded by everything that was presented, so exactly one of any number of racing
//! requests wins; the losers are told apart here. The store runs the guard as one statement;
//! [`Grant::redeem`] is the same rule in memory, which the tests hold against it.

use std::net::IpAddr;
use std::time::Duration;

use super::binding::Binding;
use super::ids::{ClientId, GrantId, SessionId, UserId};
use crate::crypto::digest::sha256_b64;
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::pkce::{CodeChallenge, CodeVerifier};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// A grant as it is stored: one row for its whole life.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name, inside every credential made from it.
    pub id: GrantId,
    /// To whom it was given.
    pub client_id: ClientId,
    /// Who gave it.
    pub user_id: UserId,
    /// The user's token version when they gave it; a higher one kills the grant.
    pub user_version: i64,
    /// The browser session in which they gave it.
    pub session_id: SessionId,
    /// Whether it outlives that session (`offline_access`).
    pub offline: bool,
    /// What was granted.
    pub scope: Scope,
    /// For which resource servers (RFC 8707).
    pub resources: Vec<String>,
    /// The `nonce` of the authorization request.
    pub nonce: Option<String>,
    /// The `claims` of the authorization request.
    pub claims: ClaimsRequest,
    /// What the code is bound to.
    pub bound_to: CodeBinding,
    /// The key that it and its tokens are bound to.
    pub binding: Binding,
    /// When the person had last proven who they are.
    pub auth_time: Ts,
    /// How strongly.
    pub acr: String,
    /// How.
    pub amr: Vec<String>,
    /// From which address they gave it.
    pub ip: Option<IpAddr>,
    /// How many credentials have been redeemed.
    pub generation: i64,
    /// When it was given.
    pub created_at: Ts,
    /// When the counter last moved.
    pub advanced_at: Ts,
    /// Until when the code is valid.
    pub code_expires_at: Ts,
    /// When the grant ends; this never moves.
    pub expires_at: Ts,
    /// When it was revoked.
    pub revoked_at: Option<Ts>,
}

/// What an authorization code is bound to (RFC 6749 §4.1.3, RFC 7636 §4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBinding {
    /// `redirect_uri` of the authorization request.
    pub redirect_uri: String,
    /// `code_challenge` of the authorization request.
    pub code_challenge: Option<CodeChallenge>,
}

/// What a token request proves of a code's binding: the `redirect_uri` that it names, the challenge made from its
/// `code_verifier` (RFC 7636 §4.6), or both; never nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeProofs {
    redirect_uri: Option<String>,
    code_challenge: Option<CodeChallenge>,
}

impl CodeProofs {
    /// What these prove. Without a `code_verifier` the `redirect_uri` is needed (RFC 6749 §4.1.3); with one it may be
    /// left out, because the verifier proves more
    /// ([OAuth 2.1 §10.2](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1#section-10.2)).
    #[must_use]
    pub fn of(redirect_uri: Option<&str>, verifier: Option<&CodeVerifier>) -> Option<Self> {
        let challenge =
            |verifier: &CodeVerifier| CodeChallenge::parse(&sha256_b64(verifier.as_bytes()));
        let proof = Self {
            redirect_uri: redirect_uri.map(str::to_owned),
            code_challenge: verifier.and_then(challenge),
        };
        (proof.redirect_uri.is_some() || proof.code_challenge.is_some()).then_some(proof)
    }

    /// The `redirect_uri`, if it was sent.
    #[must_use]
    pub fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// The challenge, if a verifier was sent.
    #[must_use]
    pub fn code_challenge(&self) -> Option<&str> {
        self.code_challenge.as_ref().map(CodeChallenge::as_str)
    }
}

/// A credential with the proofs that came along, ready for the guard.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The grant it names.
    pub grant_id: GrantId,
    /// The generation it names: 0 for a code.
    pub generation: i64,
    /// The authenticated client that presents it.
    pub client_id: ClientId,
    /// For a code: what is proven of its binding.
    pub code: Option<CodeProofs>,
    /// The key that the request has proven to hold.
    pub binding: Binding,
    /// Whether the counter moves: always for a code, and for clients whose refresh tokens rotate.
    pub rotate: bool,
}

/// How long things around a grant last.
#[derive(Clone, Copy, Debug)]
pub struct GrantLimits {
    /// How long a lost refresh answer may be asked for again; zero turns it off.
    pub retry_window: Duration,
    /// How long a refresh token may lie unused.
    pub idle: Duration,
}

/// What became of a redemption.
#[derive(Clone, Debug)]
pub enum Redeemed {
    /// The counter moved: this request won. The grant is as it is now.
    Advanced(Box<Grant>),
    /// The answer to this very credential was lost: give the same successor again.
    Retry(Box<Grant>),
    /// It does not count.
    Refused(Refusal),
}

/// Why a credential does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such grant.
    Unknown,
    /// Another client's grant; nothing happens to it.
    OtherClient,
    /// The code is bound to another `redirect_uri`; nothing happens to it.
    RedirectUri,
    /// The `code_verifier` does not fit, is missing, or was not expected; nothing happens to the code.
    CodeVerifier,
    /// The grant is bound to another key than the request proves, or one of them to none; nothing happens to it.
    Binding,
    /// Too late.
    Expired,
    /// The grant, its session, its user or its client was ended.
    Revoked,
    /// Used before: the grant must be revoked (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
    Replayed,
}

impl Grant {
    /// Tells why the guard did not let `presented` pass, given the grant as it stands. `alive` says whether
    /// the user, the session and the client behind the grant still stand.
    #[must_use]
    pub fn classify(
        &self,
        presented: &Presented,
        alive: bool,
        now: Ts,
        limits: GrantLimits,
    ) -> Verdict {
        if self.client_id != presented.client_id {
            return Verdict::Refused(Refusal::OtherClient);
        }
        if let Some(code) = &presented.code {
            // A wrong proof neither wins nor burns the code, even one that was used.
            let bound_to = self.bound_to.redirect_uri.as_str();
            if code.redirect_uri().is_some_and(|uri| uri != bound_to) {
                return Verdict::Refused(Refusal::RedirectUri);
            }
            if code.code_challenge != self.bound_to.code_challenge {
                return Verdict::Refused(Refusal::CodeVerifier);
            }
        }
        if self.binding != presented.binding {
            return Verdict::Refused(Refusal::Binding);
        }
        if self.revoked_at.is_some() || !alive {
            return Verdict::Refused(Refusal::Revoked);
        }
        let behind = self.generation - presented.generation;
        if behind == 0 {
            let code_late = presented.generation == 0 && now >= self.code_expires_at;
            let late = now >= self.expires_at
                || code_late
                || (presented.generation > 0 && self.is_idle(now, limits));
            return if late {
                Verdict::Refused(Refusal::Expired)
            } else {
                Verdict::Advance
            };
        }
        if behind < 0 {
            // Only Signet makes credentials, so this is a grant restored from an old backup.
            return Verdict::Refused(Refusal::Unknown);
        }
        if now >= self.expires_at {
            return Verdict::Refused(Refusal::Expired);
        }
        let retry = behind == 1
            && presented.generation > 0
            && !limits.retry_window.is_zero()
            && now.since(self.advanced_at) <= limits.retry_window;
        if retry {
            Verdict::Retry
        } else {
            Verdict::Refused(Refusal::Replayed)
        }
    }

    /// Whether its refresh token has lain unused for too long.
    #[must_use]
    pub fn is_idle(&self, now: Ts, limits: GrantLimits) -> bool {
        now >= self.advanced_at.plus(limits.idle)
    }
}

/// What the guard says about a presented credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The counter moves.
    Advance,
    /// The same successor is given again.
    Retry,
    /// It does not count.
    Refused(Refusal),
}

#[cfg(test)]
mod tests;
