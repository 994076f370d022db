//! What comes next with an authorization request.

use super::*;
use crate::domain::audience::Servers;
use crate::domain::ids::{ClientId, SessionId};
use crate::domain::pending::Purpose;
use crate::domain::sign_in::{Acr, WantedAcr};
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::time::Ts;

const BEGAN: Ts = Ts(10_000_000);
const BEFORE: Ts = Ts(4_000_000);
const AFTER: Ts = Ts(11_000_000);

/// A request, and everything that decides about it: without consent, and signed in before it began.
struct Case {
    request: AuthorizationRequest,
    pending: Pending,
    client: Client,
    session: Option<Session>,
    consent: Option<Scope>,
}

fn user() -> UserId {
    UserId::from_bytes([1; 16])
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn asked() -> Case {
    let uri = "https://app.example.test/callback".to_owned();
    let metadata = ClientMetadata {
        redirect_uris: vec![uri.clone()],
        ..ClientMetadata::default()
    };
    let client = Client::register(ClientId::parse("app").unwrap(), metadata).unwrap();
    let params = Vec::new();
    let servers = Servers {
        all: &[],
        issuer: "https://id.example.test",
    };
    let audience = Audience::decide(servers, &client, [], &Scope::default());
    let audience = audience.unwrap().audience;
    Case {
        request: AuthorizationRequest {
            target: ResponseTarget {
                redirect: client.trust(&uri).unwrap(),
                mode: ResponseMode::Query,
                state: None,
            },
            scope: scope("openid profile"),
            audience,
            nonce: None,
            code_challenge: None,
            prompt: Prompt::default(),
            expected_users: None,
            auth_times: None,
            wanted: Wanted::any(BEGAN),
            claims: ClaimsRequest::default(),
        },
        pending: Pending::begin(Purpose::Authorize { params }, None, BEGAN),
        client,
        session: Some(Session {
            id: SessionId::from_bytes([2; 16]),
            user_id: user(),
            username: "alice".to_owned(),
            user_version: 1,
            auth_time: BEFORE,
            amr: vec!["pwd".to_owned()],
            acr: Acr::Password.as_str().to_owned(),
            expires_at: Ts(i64::MAX),
            last_seen_at: BEFORE,
        }),
        consent: None,
    }
}

impl Case {
    /// With everything allowed that is asked for.
    fn allowed(mut self) -> Self {
        self.consent = Some(self.request.asked());
        self
    }

    fn prompt(mut self, text: &str) -> Self {
        self.request.prompt = Prompt::parse(text).unwrap();
        self
    }

    /// In the session that began with a sign-in for this very request, by a clock that may be behind.
    fn signed_in_for_it(mut self) -> Self {
        self.pending.signed_in = self.session.as_ref().map(|session| session.id);
        self
    }

    fn next(&self) -> Step {
        next_step(
            &self.request,
            &self.pending,
            &self.client,
            self.session.as_ref(),
            self.consent.as_ref(),
        )
    }
}

#[test]
fn without_a_session_the_user_signs_in() {
    let mut it = asked().allowed();
    it.session = None;
    assert_eq!(it.next(), Step::Login);
    assert_eq!(it.prompt("none").next(), Step::Refuse(Unmet::Login));
}

#[test]
fn a_session_and_consent_suffice() {
    assert_eq!(asked().allowed().next(), Step::Respond);
    assert_eq!(asked().allowed().prompt("none").next(), Step::Respond);
}

#[test]
fn consent_is_asked_for_unless_all_of_it_was_given() {
    assert_eq!(asked().next(), Step::Consent);
    assert_eq!(asked().prompt("none").next(), Step::Refuse(Unmet::Consent));
    let mut it = asked();
    it.consent = Some(scope("openid"));
    assert_eq!(it.next(), Step::Consent);
    it.consent = Some(scope("email openid profile"));
    assert_eq!(it.next(), Step::Respond);

    // Claims asked for by name count too.
    it.consent = Some(scope("openid profile"));
    it.request.claims = serde_json::from_str(r#"{ "userinfo": { "email": null } }"#).unwrap();
    assert!(it.request.asked().contains("email"));
    assert!(it.request.asked().contains("profile"));
    assert_eq!(it.next(), Step::Consent);
}

#[test]
fn a_first_party_asks_only_when_it_wants_to() {
    let mut it = asked();
    it.client.metadata.first_party = true;
    assert_eq!(it.next(), Step::Respond);
    let mut it = it.prompt("consent");
    assert_eq!(it.next(), Step::Consent);
    it.pending.consented = it.session.as_ref().map(|session| session.id);
    assert_eq!(it.next(), Step::Respond);
    // In another session it was another answer.
    it.pending.consented = Some(SessionId::from_bytes([9; 16]));
    assert_eq!(it.next(), Step::Consent);
}

#[test]
fn what_was_answered_counts_only_until_it_is_taken_back() {
    let mut it = asked().prompt("consent");
    it.pending.consented = it.session.as_ref().map(|session| session.id);
    assert_eq!(it.next(), Step::Consent);
    assert_eq!(it.allowed().next(), Step::Respond);
}

#[test]
fn a_refusal_by_the_user_ends_it() {
    let mut it = asked().allowed();
    it.pending.denied = true;
    assert_eq!(it.next(), Step::Refuse(Unmet::Denied));
    it.session = None;
    assert_eq!(it.next(), Step::Refuse(Unmet::Denied));
}

#[test]
fn another_user_signs_in_and_is_refused_if_it_is_the_wrong_one_again() {
    for expected in [
        Vec::new(),
        vec![UserId::from_bytes([7; 16])],
        vec![UserId::from_bytes([7; 16]), UserId::from_bytes([8; 16])],
    ] {
        let other = || {
            let mut it = asked().allowed();
            it.request.expected_users = Some(expected.clone());
            it
        };
        assert_eq!(other().next(), Step::Login);
        let refused = Step::Refuse(Unmet::Login);
        assert_eq!(other().prompt("none").next(), refused);
        assert_eq!(other().signed_in_for_it().next(), refused);
        let mut it = other();
        if let Some(session) = &mut it.session {
            session.auth_time = BEGAN;
        }
        assert_eq!(it.next(), refused);
    }
    let mut it = asked().allowed();
    it.request.expected_users = Some(vec![UserId::from_bytes([7; 16]), user()]);
    assert_eq!(it.next(), Step::Respond);
}

#[test]
fn a_time_of_sign_in_that_was_not_is_refused_oidc_core_5_5_1() {
    let at = |times: &[i64]| {
        let mut it = asked().allowed();
        it.request.auth_times = Some(times.to_vec());
        it
    };
    assert_eq!(at(&[3, BEFORE.secs()]).next(), Step::Respond);
    let refused = Step::Refuse(Unmet::AuthTime);
    for times in [&[][..], &[3], &[AFTER.secs()]] {
        assert_eq!(at(times).next(), refused);
        assert_eq!(at(times).prompt("none").next(), refused);
        assert_eq!(at(times).signed_in_for_it().next(), refused);
    }
    // A sign-in now would be in vain.
    let mut it = at(&[3]);
    it.session = None;
    assert_eq!(it.next(), refused);
    assert_eq!(it.prompt("none").next(), Step::Refuse(Unmet::Login));
}

#[test]
fn a_sign_in_for_the_request_is_always_recent_enough() {
    let again = || {
        let mut it = asked().allowed();
        it.request.wanted.again = true;
        it
    };
    assert_eq!(again().next(), Step::Login);
    assert_eq!(again().prompt("none").next(), Step::Refuse(Unmet::Login));
    assert_eq!(again().signed_in_for_it().next(), Step::Respond);
    let mut it = again();
    // The sign-in for another request does not count.
    it.pending.signed_in = Some(SessionId::from_bytes([9; 16]));
    assert_eq!(it.next(), Step::Login);
    for (auth_time, step) in [
        (Ts(BEGAN.0 - 1), Step::Login),
        (BEGAN, Step::Respond),
        (AFTER, Step::Respond),
    ] {
        if let Some(session) = &mut it.session {
            session.auth_time = auth_time;
        }
        assert_eq!(it.next(), step, "{auth_time:?}");
    }

    let mut it = asked().allowed();
    it.request.wanted.max_age = Some(6);
    assert_eq!(it.next(), Step::Login);
    it.request.wanted.max_age = Some(7);
    assert_eq!(it.next(), Step::Respond);
}

#[test]
fn an_acr_is_signed_in_for_once() {
    let acr = |acr| {
        let mut it = asked().allowed();
        it.request.wanted.acr = acr;
        it
    };
    let impossible = || acr(WantedAcr::Required(Vec::new()));
    assert_eq!(impossible().next(), Step::Refuse(Unmet::Acr));
    let mut it = impossible();
    it.session = None;
    assert_eq!(it.next(), Step::Refuse(Unmet::Acr));

    let two = || acr(WantedAcr::Required(vec![Acr::TwoFactors]));
    assert_eq!(two().next(), Step::Login);
    assert_eq!(two().prompt("none").next(), Step::Refuse(Unmet::Login));
    assert_eq!(two().signed_in_for_it().next(), Step::Refuse(Unmet::Acr));
    // A sign-in for another request after this one began may reach more the next time.
    let mut it = two();
    if let Some(session) = &mut it.session {
        session.auth_time = AFTER;
    }
    assert_eq!(it.next(), Step::Login);
    let password = acr(WantedAcr::Required(vec![Acr::Password]));
    assert_eq!(password.next(), Step::Respond);
}

#[test]
fn an_account_is_chosen_once() {
    let select = || asked().allowed().prompt("select_account");
    assert_eq!(select().next(), Step::SelectAccount);
    assert_eq!(select().signed_in_for_it().next(), Step::Respond);
    let mut it = select();
    it.pending.selected = Some(SessionId::from_bytes([9; 16]));
    assert_eq!(it.next(), Step::SelectAccount);
    it.pending.selected = it.session.as_ref().map(|session| session.id);
    assert_eq!(it.next(), Step::Respond);
    assert_eq!(asked().allowed().next(), Step::Respond);
}
