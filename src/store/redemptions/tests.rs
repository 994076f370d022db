//! Both engines redeem alike what is bound to a key.

use std::time::Duration;

use sqlx::types::Json;

use super::super::db::tests::{Fresh, both};
use super::*;
use crate::domain::binding::{Binding, Thumbprint};
use crate::domain::grant::{CodeBinding, CodeProofs};
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::pkce::{CodeChallenge, CodeVerifier};
use crate::spec::scope::Scope;

const LIMITS: GrantLimits = GrantLimits {
    retry_window: Duration::from_secs(30),
    idle: Duration::from_secs(1000),
};

const KEY: Binding = Binding::Jkt(Thumbprint([1; 32]));

/// What proves nothing about [`KEY`].
const WRONG: [Binding; 3] = [
    Binding::None,
    Binding::Jkt(Thumbprint([2; 32])),
    Binding::X5t(Thumbprint([1; 32])),
];

#[tokio::test]
async fn a_bound_grant_is_neither_redeemed_nor_burned_without_its_key_rfc9449_5() {
    for fresh in both().await {
        let store = store(&fresh).await;
        let grant = insert(&store, 1, KEY).await;
        let now = Ts::from_secs(1);
        for generation in [0, 1] {
            for wrong in WRONG {
                let refused = store.redeem(presented(1, generation, wrong), now, LIMITS);
                let refused = refused.await.unwrap();
                assert!(
                    matches!(refused, Redeemed::Refused(Refusal::Binding)),
                    "{refused:?}"
                );
            }
            let right = store.redeem(presented(1, generation, KEY), now, LIMITS);
            let Redeemed::Advanced(advanced) = right.await.unwrap() else {
                panic!("the attempts with other keys burned generation {generation}");
            };
            assert_eq!(
                (advanced.generation, advanced.binding),
                (generation + 1, KEY)
            );
        }
        // Neither does a used credential in other hands end the family.
        let used = store.redeem(presented(1, 0, Binding::None), now, LIMITS);
        assert!(matches!(
            used.await.unwrap(),
            Redeemed::Refused(Refusal::Binding)
        ));
        let found = store
            .find_grant(grant.id, now)
            .await
            .unwrap()
            .unwrap()
            .grant;
        assert_eq!(
            (found.generation, found.revoked_at, found.binding),
            (2, None, KEY)
        );
    }
}

#[tokio::test]
async fn a_key_that_is_proven_beside_a_grant_without_one_is_no_proof_of_it() {
    for fresh in both().await {
        let store = store(&fresh).await;
        insert(&store, 1, Binding::None).await;
        let now = Ts::from_secs(1);
        let refused = store.redeem(presented(1, 0, KEY), now, LIMITS).await;
        assert!(matches!(
            refused.unwrap(),
            Redeemed::Refused(Refusal::Binding)
        ));
        let right = store.redeem(presented(1, 0, Binding::None), now, LIMITS);
        assert!(matches!(right.await.unwrap(), Redeemed::Advanced(_)));
    }
}

#[tokio::test]
async fn redemptions_with_and_without_the_key_share_a_batch() {
    for fresh in both().await {
        let store = store(&fresh).await;
        for number in 1..=20 {
            let binding = if number % 2 == 0 { KEY } else { Binding::None };
            insert(&store, number, binding).await;
        }
        let mut running = tokio::task::JoinSet::new();
        for number in 1..=20 {
            for binding in [KEY, Binding::None] {
                let store = store.clone();
                running.spawn(async move {
                    let presented = presented(number, 0, binding);
                    let redeemed = store.redeem(presented, Ts::from_secs(1), LIMITS).await;
                    (number, binding, redeemed.unwrap())
                });
            }
        }
        while let Some(done) = running.join_next().await {
            let (number, binding, redeemed) = done.unwrap();
            let fits = (number % 2 == 0) == (binding == KEY);
            let won = matches!(redeemed, Redeemed::Advanced(_));
            assert_eq!(won, fits, "{number} {binding:?}: {redeemed:?}");
        }
    }
}

/// The guard of the statement itself: what it lets through is what [`Grant::classify`] calls an advance.
#[tokio::test]
async fn a_verifier_alone_redeems_a_code_that_has_a_challenge() {
    let verifiers = ["a".repeat(43), "b".repeat(43)];
    for fresh in both().await {
        let store = store(&fresh).await;
        let mut number = 0;
        for bound in [None, Some(verifiers[0].as_str())] {
            for uri in [None, Some(REDIRECT), Some("https://web.example.test/other")] {
                for verifier in [
                    None,
                    Some(verifiers[0].as_str()),
                    Some(verifiers[1].as_str()),
                ] {
                    if uri.is_none() && verifier.is_none() {
                        continue;
                    }
                    number += 1;
                    let challenge = bound.map(|text| {
                        let proven = proofs(None, Some(text));
                        CodeChallenge::parse(proven.code_challenge().unwrap()).unwrap()
                    });
                    let bound_to = CodeBinding {
                        code_challenge: challenge,
                        ..code()
                    };
                    insert_bound(&store, number, Binding::None, bound_to).await;
                    let presented = Presented {
                        code: Some(proofs(uri, verifier)),
                        ..presented(number, 0, Binding::None)
                    };
                    let redeemed = store.redeem(presented, Ts::from_secs(1), LIMITS).await;
                    let redeemed = redeemed.unwrap();
                    let fits = verifier == bound && uri.is_none_or(|uri| uri == REDIRECT);
                    let won = matches!(redeemed, Redeemed::Advanced(_));
                    assert_eq!(won, fits, "{bound:?} {uri:?} {verifier:?}: {redeemed:?}");
                }
            }
        }
        assert_eq!(number, 16);
    }
}

fn presented(number: u8, generation: i64, binding: Binding) -> Presented {
    Presented {
        grant_id: GrantId::from_random([number; 16]),
        generation,
        client_id: client(),
        code: (generation == 0).then(|| proofs(Some(REDIRECT), None)),
        binding,
        rotate: true,
    }
}

fn client() -> ClientId {
    ClientId::parse("web").unwrap()
}

const REDIRECT: &str = "https://web.example.test/callback";

fn code() -> CodeBinding {
    CodeBinding {
        redirect_uri: REDIRECT.to_owned(),
        code_challenge: None,
    }
}

fn proofs(redirect_uri: Option<&str>, verifier: Option<&str>) -> CodeProofs {
    let verifier = verifier.map(|text| CodeVerifier::parse(text).unwrap());
    CodeProofs::of(redirect_uri, verifier.as_ref()).unwrap()
}

fn user() -> UserId {
    UserId::from_random([2; 16])
}

fn session() -> SessionId {
    SessionId::from_random([3; 16])
}

/// A store with the person, the client and the session behind every grant here.
async fn store(fresh: &Fresh) -> Store {
    let store = Store::open(&fresh.url, 4).await.unwrap();
    store.migrate().await.unwrap();
    let empty = || Json(serde_json::json!({}));
    let db = store.db();
    let person = db.w(USER).bind(user().0).bind(false);
    person.bind(empty()).bind(empty()).exec().await.unwrap();
    db.w(CLIENT).bind(empty()).exec().await.unwrap();
    let browser = db.w(SESSION).bind(session().0).bind(&b"digest"[..]);
    browser.bind(user().0).bind(empty()).exec().await.unwrap();
    store
}

async fn insert(store: &Store, number: u8, binding: Binding) -> Grant {
    insert_bound(store, number, binding, code()).await
}

async fn insert_bound(store: &Store, number: u8, binding: Binding, bound_to: CodeBinding) -> Grant {
    let grant = Grant {
        id: GrantId::from_random([number; 16]),
        client_id: client(),
        user_id: user(),
        user_version: 0,
        session_id: session(),
        offline: true,
        scope: Scope::default(),
        resources: Vec::new(),
        nonce: None,
        claims: ClaimsRequest::default(),
        bound_to,
        binding,
        auth_time: Ts(0),
        acr: String::new(),
        amr: Vec::new(),
        ip: None,
        generation: 0,
        created_at: Ts(1),
        advanced_at: Ts(1),
        code_expires_at: Ts::from_secs(60),
        expires_at: Ts::from_secs(10_000),
        revoked_at: None,
    };
    assert!(store.insert_grant(&grant, false).await.unwrap());
    grant
}

const USER: &str = "INSERT INTO users (id, username, username_key, email_verified, claims, attributes, token_version, \
    created_at, updated_at) VALUES ($1, 'alice', 'alice', $2, $3, $4, 0, 0, 0)";

const CLIENT: &str = "INSERT INTO clients (id, metadata, not_before, created_at, updated_at) VALUES ('web', $1, 0, 0, 0)";

const SESSION: &str = "INSERT INTO sessions (id, token_digest, user_id, user_version, auth_time, acr, amr, created_at, \
    last_seen_at, expires_at) VALUES ($1, $2, $3, 0, 0, '', $4, 0, 0, 9000000000000000)";
