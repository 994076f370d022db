//! An authorization request on its way: what was asked, and what comes next.
//!
//! `/authorize` is a function of (request, session): [`next_step`] is that function. Nothing is stored before
//! a person has proven who they are; what must survive a page travels in [`Pending`](super::pending::Pending).

use super::audience::Audience;
use super::client::Client;
use super::ids::UserId;
use super::pending::Pending;
use super::redirect::TrustedRedirect;
use super::session::Session;
use super::sign_in::Wanted;
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::pkce::CodeChallenge;
use crate::spec::prompt::Prompt;
use crate::spec::response_mode::ResponseMode;
use crate::spec::scope::Scope;

/// Where and how the response travels; known before the rest of the request has been checked, so that errors
/// can be sent there too.
#[derive(Clone, Debug)]
pub struct ResponseTarget {
    /// The proven target.
    pub redirect: TrustedRedirect,
    /// Query or form.
    pub mode: ResponseMode,
    /// `state`, given back byte for byte.
    pub state: Option<String>,
}

/// A request that has passed every check that needs no session.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Where the response goes.
    pub target: ResponseTarget,
    /// What is asked for, already cut down to what the client may have.
    pub scope: Scope,
    /// For whom its access tokens are.
    pub audience: Audience,
    /// `nonce`.
    pub nonce: Option<String>,
    /// `code_challenge` (S256).
    pub code_challenge: Option<CodeChallenge>,
    /// `prompt`.
    pub prompt: Prompt,
    /// Who must be signed in, where the request says so: one of these. None of them when it names no user of Signet,
    /// so that it cannot be met.
    pub expected_users: Option<Vec<UserId>>,
    /// When they must have signed in, in seconds, where the request cannot do without: at one of these times.
    pub auth_times: Option<Vec<i64>>,
    /// What a sign-in must reach.
    pub wanted: Wanted,
    /// `claims`.
    pub claims: ClaimsRequest,
}

impl AuthorizationRequest {
    /// What a person is asked to allow: the scope, and what stands for the claims asked for beside it.
    #[must_use]
    pub fn asked(&self) -> Scope {
        self.scope.union(&self.claims.scope())
    }
}

/// What happens next with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The person signs in.
    Login,
    /// The person says whether to go on as who they are.
    SelectAccount,
    /// The person is asked for consent.
    Consent,
    /// The response is sent.
    Respond,
    /// An error is sent: the person said no, or with `prompt=none` nothing may be shown.
    Refuse(Unmet),
}

/// Why a request ends with an error (OpenID Connect Core §3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No suitable user is signed in.
    Login,
    /// The `acr` that the client cannot do without was not reached.
    Acr,
    /// The person did not sign in at the time that the client cannot do without.
    AuthTime,
    /// Consent is missing.
    Consent,
    /// The person said no.
    Denied,
}

/// Decides what happens next. `consent` is what this person allowed this client before.
#[must_use]
pub fn next_step(
    request: &AuthorizationRequest,
    pending: &Pending,
    client: &Client,
    session: Option<&Session>,
    consent: Option<&Scope>,
) -> Step {
    let refuse_or = |unmet: Unmet, step: Step| {
        if request.prompt.none {
            Step::Refuse(unmet)
        } else {
            step
        }
    };
    if pending.denied {
        return Step::Refuse(Unmet::Denied);
    }
    if request.wanted.acr.is_impossible() {
        return Step::Refuse(Unmet::Acr);
    }
    let Some(session) = session else {
        // No sign-in from now on is one of those that were.
        return if request.auth_times.is_some() && !request.prompt.none {
            Step::Refuse(Unmet::AuthTime)
        } else {
            refuse_or(Unmet::Login, Step::Login)
        };
    };
    // A sign-in that happened after the request began always is recent enough, so no request can loop.
    // The mark counts where the clocks of two instances disagree.
    let fresh = pending.signed_in == Some(session.id) || session.auth_time >= pending.started_at;
    if let Some(expected) = &request.expected_users
        && !expected.contains(&session.user_id)
    {
        return if fresh {
            Step::Refuse(Unmet::Login)
        } else {
            refuse_or(Unmet::Login, Step::Login)
        };
    }
    if let Some(times) = &request.auth_times
        && !times.contains(&session.auth_time.secs())
    {
        return Step::Refuse(Unmet::AuthTime);
    }
    if !fresh && !request.wanted.is_recent(session) {
        return refuse_or(Unmet::Login, Step::Login);
    }
    if !request.wanted.acr.is_met_by(&session.acr) {
        // A sign-in for this very request reached what it wanted then; it would not reach more a second time.
        return if pending.signed_in == Some(session.id) {
            Step::Refuse(Unmet::Acr)
        } else {
            refuse_or(Unmet::Login, Step::Login)
        };
    }
    if request.prompt.select_account && !fresh && pending.selected != Some(session.id) {
        return Step::SelectAccount;
    }
    if needs_consent(request, pending, client, session, consent) {
        return refuse_or(Unmet::Consent, Step::Consent);
    }
    Step::Respond
}

/// Whether the person must be asked. The operator's own applications do not ask, unless they request it.
fn needs_consent(
    request: &AuthorizationRequest,
    pending: &Pending,
    client: &Client,
    session: &Session,
    consent: Option<&Scope>,
) -> bool {
    if request.prompt.consent && pending.consented != Some(session.id) {
        return true;
    }
    // What was allowed a moment ago counts only as long as it was not taken back.
    let allowed = consent.is_some_and(|allowed| request.asked().is_within(allowed));
    !client.metadata.first_party && !allowed
}

#[cfg(test)]
mod tests;
