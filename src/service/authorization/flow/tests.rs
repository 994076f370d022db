//! What travels through pages is bound to the browser and to the time.

use serde_json::Map;

use super::*;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::pending::{Hint, OwnPath, Purpose, Shown};
use crate::domain::sign_in::{Account, Factor, Proof, Proofs};
use crate::domain::user::User;
use crate::spec::params::MAX_PARAMS;
use crate::spec::standard_claims::StandardClaims;

const COOKIE: &str = "the cookie of the browser";

fn account() -> Account {
    Account {
        user: User {
            id: UserId::from_bytes([1; 16]),
            username: "alice".to_owned(),
            email: None,
            email_verified: false,
            claims: StandardClaims::default(),
            attributes: Map::new(),
            token_version: 0,
            disabled_at: None,
            created_at: Ts(0),
            updated_at: Ts(0),
        },
        factors: [Factor::Password, Factor::Code].into(),
    }
}

/// A sign-in to `/account` in which the password was right and a second factor is asked for.
fn half_way(now: Ts) -> Pending {
    let purpose = Purpose::Page {
        path: OwnPath::account(),
    };
    Pending {
        proofs: Some(Proofs::add(
            None,
            &account(),
            Proof::of(Factor::Password, now),
        )),
        ..Pending::begin(purpose, Some(browser_digest(COOKIE)), now)
    }
}

fn flows() -> Flows {
    Flows::new(&MasterKey::generate(), Duration::from_mins(10))
}

#[test]
fn proofs_and_purpose_come_back_as_they_were_sealed() {
    let (flows, now) = (flows(), Ts::from_secs(1_000));
    let pending = half_way(now);
    let sealed = flows.seal(&pending).unwrap();
    assert!(!sealed.contains("account"));
    let opened = flows.open(&sealed, Some(COOKIE), now).unwrap();
    assert_eq!(opened.proofs, pending.proofs);
    assert_eq!(opened.purpose, pending.purpose);
}

#[test]
fn proofs_cannot_be_taken_to_another_browser() {
    let (flows, now) = (flows(), Ts::from_secs(1_000));
    let sealed = flows.seal(&half_way(now)).unwrap();
    for browser in [None, Some("another cookie"), Some("")] {
        let error = flows.open(&sealed, browser, now).unwrap_err();
        assert_eq!(error, FlowError::OtherBrowser);
    }
}

#[test]
fn proofs_expire_with_the_sign_in_however_late_they_came() {
    let (flows, now) = (flows(), Ts::from_secs(1_000));
    let proof = Proof::of(Factor::Password, now.plus(Duration::from_mins(9)));
    let late = Pending {
        proofs: Some(Proofs::add(None, &account(), proof)),
        ..half_way(now)
    };
    let sealed = flows.seal(&late).unwrap();
    let opened_at = |minutes| {
        flows.open(
            &sealed,
            Some(COOKIE),
            now.plus(Duration::from_mins(minutes)),
        )
    };
    assert!(opened_at(9).is_ok());
    assert_eq!(opened_at(10).unwrap_err(), FlowError::Expired);
}

#[test]
fn proofs_cannot_be_made_or_changed_outside() {
    let (flows, now) = (flows(), Ts::from_secs(1_000));
    let json = serde_json::to_string(&half_way(now)).unwrap();
    let foreign = super::tests::flows().seal(&half_way(now)).unwrap();
    for forged in [json, foreign, String::new()] {
        let error = flows.open(&forged, Some(COOKIE), now).unwrap_err();
        assert_eq!(error, FlowError::Forged);
    }
}

/// What is sealed is opened, however long the request and all that travels beside it.
#[test]
fn the_longest_request_opens_again() {
    let each = MAX_REQUEST / MAX_PARAMS;
    let params: Vec<_> = (0..MAX_PARAMS)
        .map(|number| {
            let name = format!("{number:02}");
            (name, "\"".repeat(each - 2))
        })
        .collect();
    let length: usize = params.iter().map(|(name, it)| name.len() + it.len()).sum();
    assert_eq!(length, MAX_REQUEST);
    let flows = flows();
    let now = Ts::from_secs(1);
    let shown = Shown {
        session: SessionId::from_random([1; 16]),
        scope: "s".repeat(4096).split(' ').collect(),
        resources: vec!["r".repeat(255); 8],
    };
    let pending = Pending {
        proofs: half_way(now).proofs,
        selected: Some(shown.session),
        consented: Some(shown.session),
        signed_in: Some(shown.session),
        shown: Some(shown),
        denied: true,
        hint: Some(Hint::UnknownKey),
        ..Pending::begin(
            Purpose::Authorize { params },
            Some(browser_digest(COOKIE)),
            now,
        )
    };
    let sealed = flows.seal(&pending).unwrap();
    assert!(sealed.len() > MAX_BYTES / 4 * 3, "{}", sealed.len());
    let opened = flows.open(&sealed, Some(COOKIE), now);
    assert_eq!(opened.unwrap().purpose, pending.purpose);
}
