//! The guard of a grant.

use proptest::prelude::*;

use super::*;
use crate::domain::binding::Thumbprint;

const LIMITS: GrantLimits = GrantLimits {
    retry_window: Duration::from_secs(30),
    idle: Duration::from_secs(1000),
};

fn grant() -> Grant {
    Grant {
        id: GrantId::from_random([1; 16]),
        client_id: ClientId::parse("web").unwrap(),
        user_id: UserId::from_random([2; 16]),
        user_version: 0,
        session_id: SessionId::from_random([3; 16]),
        offline: true,
        scope: Scope::default(),
        resources: Vec::new(),
        nonce: None,
        claims: ClaimsRequest::default(),
        bound_to: code_binding("https://a.example/cb"),
        binding: Binding::None,
        auth_time: Ts(0),
        acr: String::new(),
        ip: None,
        amr: Vec::new(),
        generation: 0,
        created_at: Ts(0),
        advanced_at: Ts(0),
        code_expires_at: Ts::from_secs(60),
        expires_at: Ts::from_secs(10_000),
        revoked_at: None,
    }
}

impl Grant {
    /// Redeems in memory, exactly as the store's statement does.
    fn redeem(
        &mut self,
        presented: &Presented,
        alive: bool,
        now: Ts,
        limits: GrantLimits,
    ) -> Verdict {
        let verdict = self.classify(presented, alive, now, limits);
        match verdict {
            Verdict::Advance => {
                self.generation += i64::from(presented.rotate);
                self.advanced_at = now;
            }
            Verdict::Refused(Refusal::Replayed) => self.revoked_at = Some(now),
            Verdict::Retry | Verdict::Refused(_) => {}
        }
        verdict
    }
}

fn code_binding(redirect_uri: &str) -> CodeBinding {
    CodeBinding {
        redirect_uri: redirect_uri.to_owned(),
        code_challenge: CodeChallenge::parse(&"a".repeat(43)),
    }
}

fn proofs(redirect_uri: Option<&str>, code_challenge: Option<&CodeChallenge>) -> CodeProofs {
    CodeProofs {
        redirect_uri: redirect_uri.map(str::to_owned),
        code_challenge: code_challenge.cloned(),
    }
}

fn presented(generation: i64) -> Presented {
    let grant = grant();
    let bound_to = grant.bound_to;
    let code = (generation == 0).then(|| {
        proofs(
            Some(&bound_to.redirect_uri),
            bound_to.code_challenge.as_ref(),
        )
    });
    Presented {
        grant_id: grant.id,
        generation,
        client_id: grant.client_id,
        code,
        binding: Binding::None,
        rotate: true,
    }
}

#[test]
fn a_code_has_no_retry_window_rfc6749_4_1_2() {
    let mut grant = grant();
    assert_eq!(
        grant.redeem(&presented(0), true, Ts::from_secs(1), LIMITS),
        Verdict::Advance
    );
    assert_eq!(
        grant.redeem(&presented(0), true, Ts::from_secs(1), LIMITS),
        Verdict::Refused(Refusal::Replayed)
    );
    assert!(grant.revoked_at.is_some());
}

#[test]
fn a_wrong_proof_neither_wins_nor_burns() {
    let mut grant = grant();
    let mut wrong = presented(0);
    wrong.code = Some(proofs(Some("https://a.example/cb"), None));
    assert_eq!(
        grant.redeem(&wrong, true, Ts::from_secs(1), LIMITS),
        Verdict::Refused(Refusal::CodeVerifier)
    );
    assert_eq!(
        grant.redeem(&presented(0), true, Ts::from_secs(1), LIMITS),
        Verdict::Advance
    );
    assert_eq!(
        grant.redeem(&wrong, true, Ts::from_secs(1), LIMITS),
        Verdict::Refused(Refusal::CodeVerifier)
    );
    assert_eq!(grant.revoked_at, None);
}

#[test]
fn a_bound_grant_is_neither_redeemed_nor_burned_without_its_key_rfc9449_5() {
    let [key, other] = [
        Binding::Jkt(Thumbprint([1; 32])),
        Binding::X5t(Thumbprint([1; 32])),
    ];
    let mut grant = Grant {
        binding: key,
        ..grant()
    };
    let with = |generation: i64, binding| Presented {
        binding,
        ..presented(generation)
    };
    let now = Ts::from_secs(1);
    for generation in [0, 1] {
        for wrong in [Binding::None, other, Binding::Jkt(Thumbprint([2; 32]))] {
            let verdict = grant.redeem(&with(generation, wrong), true, now, LIMITS);
            assert_eq!(verdict, Verdict::Refused(Refusal::Binding));
        }
        let verdict = grant.redeem(&with(generation, key), true, now, LIMITS);
        assert_eq!(verdict, Verdict::Advance);
        // Not even the credential of before kills the family in other hands, nor is it answered again.
        let verdict = grant.redeem(&with(generation, Binding::None), true, now, LIMITS);
        assert_eq!(verdict, Verdict::Refused(Refusal::Binding));
    }
    assert_eq!((grant.generation, grant.revoked_at), (2, None));
    let verdict = grant.redeem(&with(1, key), true, now, LIMITS);
    assert_eq!(verdict, Verdict::Retry);
}

#[test]
fn a_verifier_proves_a_code_without_its_redirect_uri_and_nothing_else_does() {
    let bound = grant().bound_to;
    let challenge = bound.code_challenge.as_ref();
    let other = CodeChallenge::parse(&"b".repeat(43));
    let with = |code| Presented {
        code: Some(code),
        ..presented(0)
    };
    let now = Ts::from_secs(1);
    let judged = |grant: &Grant, code| grant.classify(&with(code), true, now, LIMITS);
    let refused = Verdict::Refused;
    for (code, verdict) in [
        (proofs(None, challenge), Verdict::Advance),
        (
            proofs(Some(&bound.redirect_uri), challenge),
            Verdict::Advance,
        ),
        (
            proofs(Some("https://b.example/cb"), challenge),
            refused(Refusal::RedirectUri),
        ),
        (proofs(None, other.as_ref()), refused(Refusal::CodeVerifier)),
        (
            proofs(Some(&bound.redirect_uri), None),
            refused(Refusal::CodeVerifier),
        ),
    ] {
        assert_eq!(judged(&grant(), code.clone()), verdict, "{code:?}");
    }
    // A code without a challenge is proven by its redirect_uri alone.
    let mut plain = grant();
    plain.bound_to.code_challenge = None;
    assert_eq!(
        judged(&plain, proofs(None, challenge)),
        refused(Refusal::CodeVerifier)
    );
    assert_eq!(
        judged(&plain, proofs(Some(&bound.redirect_uri), None)),
        Verdict::Advance
    );
    assert_eq!(CodeProofs::of(None, None), None);
}

#[derive(Clone, Debug)]
enum Act {
    Wait(u8),
    Present {
        back: u8,
        other_client: bool,
        wrong_verifier: bool,
        wrong_key: bool,
    },
    Revoke,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0u8..60).prop_map(Act::Wait),
        (
            0u8..4,
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.1)
        )
            .prop_map(|(back, other_client, wrong_verifier, wrong_key)| {
                Act::Present {
                    back,
                    other_client,
                    wrong_verifier,
                    wrong_key,
                }
            }),
        (0u8..8).prop_map(|n| if n == 0 { Act::Revoke } else { Act::Wait(1) }),
    ]
}

#[test]
fn a_code_ends_before_its_grant_and_a_refresh_token_when_it_is_idle() {
    let at = |generation: i64, seconds: u64| {
        let grant = Grant {
            generation,
            advanced_at: Ts::from_secs(50),
            ..grant()
        };
        let now = Ts(0).plus(Duration::from_secs(seconds));
        grant.classify(&presented(generation), true, now, LIMITS)
    };
    let expired = Verdict::Refused(Refusal::Expired);
    assert_eq!(at(0, 59), Verdict::Advance);
    assert_eq!(at(0, 60), expired);
    // The code's end is not the refresh token's, whose own is 1000 s after its last use.
    for generation in [1, 2] {
        assert_eq!(at(generation, 60), Verdict::Advance);
        assert_eq!(at(generation, 1049), Verdict::Advance);
        assert_eq!(at(generation, 1050), expired);
    }
    // A code is not idle; a grant that has ended gives nothing any more.
    let long = Grant {
        code_expires_at: Ts::from_secs(20_000),
        ..grant()
    };
    let redeemed = |seconds: u64| {
        let now = Ts(0).plus(Duration::from_secs(seconds));
        long.classify(&presented(0), true, now, LIMITS)
    };
    assert_eq!(redeemed(5_000), Verdict::Advance);
    assert_eq!(redeemed(9_999), Verdict::Advance);
    assert_eq!(redeemed(10_000), expired);
}

#[test]
fn a_credential_from_after_the_grants_backup_is_unknown_and_burns_nothing() {
    let mut grant = Grant {
        generation: 1,
        ..grant()
    };
    let unknown = Verdict::Refused(Refusal::Unknown);
    for generation in [2, 3] {
        let credential = presented(generation);
        let verdict = grant.redeem(&credential, true, Ts::from_secs(1), LIMITS);
        assert_eq!(verdict, unknown);
    }
    assert_eq!(grant.revoked_at, None);
}

proptest! {
    /// At most one live family, never two different successors of one credential, and nothing lives after
    /// a replay or a revocation.
    #[test]
    fn any_interleaving_keeps_one_family(acts in prop::collection::vec(act(), 1..80)) {
        let mut grant = grant();
        let mut now = Ts::from_secs(1);
        let mut successors = std::collections::HashMap::new();
        let mut dead = false;
        for act in acts {
            match act {
                Act::Wait(secs) => now = now.plus(Duration::from_secs(u64::from(secs))),
                Act::Revoke => { grant.revoked_at = Some(now); dead = true; }
                Act::Present { back, other_client, wrong_verifier, wrong_key } => {
                    let generation = (grant.generation - i64::from(back)).max(0);
                    let mut credential = presented(generation);
                    if other_client { credential.client_id = ClientId::parse("other").unwrap(); }
                    if wrong_verifier && generation == 0 { credential.code.as_mut().unwrap().code_challenge = None; }
                    if wrong_key { credential.binding = Binding::Jkt(Thumbprint([1; 32])); }
                    let innocent = other_client || wrong_key || (wrong_verifier && generation == 0);
                    let before = grant.generation;
                    let verdict = grant.redeem(&credential, true, now, LIMITS);
                    match verdict {
                        Verdict::Advance | Verdict::Retry => {
                            prop_assert!(!dead && !innocent);
                            let successor = *successors.entry(generation).or_insert(grant.generation);
                            prop_assert_eq!(successor, grant.generation, "two different successors");
                            prop_assert!(generation + 1 == grant.generation);
                        }
                        Verdict::Refused(Refusal::Replayed) => {
                            prop_assert!(generation < before && !innocent);
                            dead = true;
                        }
                        Verdict::Refused(_) => prop_assert_eq!(before, grant.generation),
                    }
                    if dead { prop_assert!(grant.revoked_at.is_some()); }
                }
            }
        }
    }
}
