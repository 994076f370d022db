//! The rule of a sign-in, with a second factor that only these tests have.

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::spec::standard_claims::StandardClaims;

const BEGAN: Ts = Ts(1_000);

fn account(number: u8, factors: &[Factor]) -> Account {
    Account {
        user: User {
            id: UserId::from_bytes([number; 16]),
            username: format!("user{number}"),
            email: None,
            email_verified: false,
            claims: StandardClaims::default(),
            attributes: Map::new(),
            token_version: 7,
            disabled_at: None,
            created_at: Ts(0),
            updated_at: Ts(0),
        },
        factors: factors.iter().copied().collect(),
    }
}

fn wanted(acr: WantedAcr) -> Wanted {
    Wanted {
        acr,
        ..Wanted::any(BEGAN)
    }
}

fn password(at: i64) -> Proof {
    Proof::of(Factor::Password, Ts(at))
}

fn code(at: i64) -> Proof {
    Proof::of(Factor::Code, Ts(at))
}

fn two_factors() -> WantedAcr {
    WantedAcr::Required(vec![Acr::TwoFactors])
}

const BOTH: [Factor; 2] = [Factor::Password, Factor::Code];

fn done(next: Next) -> SignedIn {
    match next {
        Next::Done(signed_in) => *signed_in,
        Next::Ask { .. } | Next::Refuse(_) => panic!("{next:?}"),
    }
}

fn asked(next: Next) -> (Factor, Proofs) {
    match next {
        Next::Ask { factor, proofs } => (factor, proofs),
        Next::Done(_) | Next::Refuse(_) => panic!("{next:?}"),
    }
}

#[test]
fn a_factor_is_read_as_it_is_stored() {
    for factor in Factor::ALL {
        assert_eq!(Factor::parse(factor.as_str()), Some(*factor));
    }
    assert_eq!(Factor::parse("password"), Some(Factor::Password));
    assert_eq!(Factor::parse("of-tomorrow"), None);
    for acr in Acr::ALL {
        assert_eq!(Acr::parse(acr.as_str()), Some(*acr));
    }
    assert_eq!(Acr::parse("urn:of:tomorrow"), None);
}

#[test]
fn a_password_suffices_where_nothing_else_is_wanted() {
    for factors in [&[Factor::Password][..], &BOTH] {
        let account = account(1, factors);
        let proofs = Proofs::add(None, &account, password(2_000));
        let signed_in = done(next(account.clone(), proofs, &Wanted::any(BEGAN)));
        assert_eq!(signed_in.user().id, account.user.id);
        assert_eq!(signed_in.acr().as_str(), "urn:signet:acr:password");
        assert_eq!(signed_in.amr(), ["pwd"]);
        assert_eq!(signed_in.auth_time(), Ts(2_000));
    }
}

#[test]
fn a_second_factor_is_asked_for_and_then_suffices() {
    let account = account(1, &BOTH);
    for acr in [two_factors(), WantedAcr::Preferred(vec![Acr::TwoFactors])] {
        let wanted = wanted(acr);
        let proofs = Proofs::add(None, &account, password(2_000));
        let (factor, so_far) = asked(next(account.clone(), proofs, &wanted));
        assert_eq!(factor, Factor::Code);

        // As it travels through the page of the second factor.
        let sealed = serde_json::to_vec(&so_far).unwrap();
        let so_far = serde_json::from_slice(&sealed).unwrap();
        let proofs = Proofs::add(Some(so_far), &account, code(3_000));
        let signed_in = done(next(account.clone(), proofs, &wanted));
        assert_eq!(signed_in.acr(), Acr::TwoFactors);
        assert_eq!(signed_in.amr(), ["pwd", "otp", "mfa"]);
        assert_eq!(signed_in.auth_time(), Ts(2_000), "of the oldest proof");
    }
}

#[test]
fn the_acr_is_what_was_proven_and_not_only_what_was_wanted() {
    let account = account(1, &BOTH);
    let first = Proofs::add(None, &account, password(2_000));
    let both = Proofs::add(Some(first), &account, code(3_000));
    let signed_in = done(next(account, both, &Wanted::any(BEGAN)));
    assert_eq!(signed_in.acr(), Acr::TwoFactors);
}

#[test]
fn the_second_factor_alone_is_asked_for_the_first() {
    let account = account(1, &BOTH);
    let proofs = Proofs::add(None, &account, code(2_000));
    let (factor, _) = asked(next(account.clone(), proofs, &Wanted::any(BEGAN)));
    assert_eq!(factor, Factor::Password);
}

#[test]
fn an_essential_acr_that_the_account_cannot_reach_is_refused_and_a_voluntary_one_is_not_oidc_core_5_5_1_1()
 {
    let account = account(1, &[Factor::Password]);
    let step = |acr| {
        let proofs = Proofs::add(None, &account, password(2_000));
        next(account.clone(), proofs, &wanted(acr))
    };
    assert!(matches!(step(two_factors()), Next::Refuse(Unmet::Acr)));
    let nothing_known = WantedAcr::Required(Vec::new());
    assert!(nothing_known.is_impossible());
    assert!(matches!(step(nothing_known), Next::Refuse(Unmet::Acr)));
    let voluntary = WantedAcr::Preferred(vec![Acr::TwoFactors]);
    assert_eq!(done(step(voluntary)).acr(), Acr::Password);
}

#[test]
fn a_proof_of_one_account_proves_nothing_for_another() {
    let (alice, bob) = (account(1, &BOTH), account(2, &BOTH));
    let alices = Proofs::add(None, &alice, password(2_000));
    // Handed over whole.
    let (factor, _) = asked(next(bob.clone(), alices.clone(), &Wanted::any(BEGAN)));
    assert_eq!(factor, Factor::Password);
    // Beside a proof of his own.
    let mixed = Proofs::add(Some(alices), &bob, code(3_000));
    let (factor, proofs) = asked(next(bob, mixed, &wanted(two_factors())));
    assert_eq!(factor, Factor::Password);
    assert_eq!(proofs.given, [code(3_000)]);
}

#[test]
fn a_new_password_or_a_sign_out_everywhere_ends_what_was_proven() {
    let before = account(1, &BOTH);
    let proofs = Proofs::add(None, &before, password(2_000));
    let mut after = before;
    after.user.token_version += 1;
    let (factor, _) = asked(next(after.clone(), proofs.clone(), &Wanted::any(BEGAN)));
    assert_eq!(factor, Factor::Password);
    let proofs = Proofs::add(Some(proofs), &after, code(3_000));
    let (factor, _) = asked(next(after, proofs, &wanted(two_factors())));
    assert_eq!(factor, Factor::Password);
}

#[test]
fn a_proof_from_before_the_sign_in_does_not_count() {
    let account = account(1, &BOTH);
    let proofs = Proofs::add(None, &account, password(BEGAN.micros() - 1));
    let (factor, _) = asked(next(account, proofs, &Wanted::any(BEGAN)));
    assert_eq!(factor, Factor::Password);
}

#[test]
fn a_factor_that_the_account_has_lost_is_not_enough() {
    let had = account(1, &BOTH);
    let proofs = Proofs::add(None, &had, password(2_000));
    let proofs = Proofs::add(Some(proofs), &had, code(2_000));
    let has = account(1, &[Factor::Code]);
    let step = next(has, proofs, &Wanted::any(BEGAN));
    assert!(matches!(step, Next::Refuse(Unmet::Acr)), "{step:?}");
}

#[test]
fn a_disabled_account_is_refused_whatever_is_proven() {
    let mut account = account(1, &BOTH);
    account.user.disabled_at = Some(Ts(1));
    let proofs = Proofs::add(None, &account, password(2_000));
    let step = next(account, proofs, &Wanted::any(BEGAN));
    assert!(matches!(step, Next::Refuse(Unmet::Disabled)), "{step:?}");
}

#[test]
fn an_earlier_sign_in_is_recent_enough_by_max_age_and_prompt() {
    let session = |age: i64| Session {
        id: crate::domain::ids::SessionId::from_bytes([1; 16]),
        user_id: UserId::from_bytes([1; 16]),
        username: String::new(),
        user_version: 0,
        auth_time: Ts::from_secs(1_000 - age),
        amr: Vec::new(),
        acr: String::new(),
        expires_at: Ts(i64::MAX),
        last_seen_at: Ts(0),
    };
    let began = Ts::from_secs(1_000);
    let aged = |max_age| Wanted {
        max_age,
        ..Wanted::any(began)
    };
    assert!(aged(None).is_recent(&session(900)));
    assert!(aged(Some(10)).is_recent(&session(9)));
    assert!(!aged(Some(10)).is_recent(&session(10)));
    assert!(!aged(Some(0)).is_recent(&session(0)));
    let again = Wanted {
        again: true,
        ..Wanted::any(began)
    };
    assert!(!again.is_recent(&session(0)));
}

fn proofs() -> impl Strategy<Value = Vec<Proof>> {
    let at = 0_i64..2_000;
    let proof = (any::<bool>(), at).prop_map(
        |(is_code, at)| {
            if is_code { code(at) } else { password(at) }
        },
    );
    prop::collection::vec(proof, 0..4)
}

fn acrs() -> impl Strategy<Value = Vec<Acr>> {
    prop::collection::vec(prop::sample::select(Acr::ALL), 0..3)
}

fn factors() -> impl Strategy<Value = BTreeSet<Factor>> {
    prop::collection::btree_set(prop::sample::select(&BOTH[..]), 0..3)
}

fn wishes() -> impl Strategy<Value = WantedAcr> {
    prop_oneof![
        acrs().prop_map(WantedAcr::Preferred),
        acrs().prop_map(WantedAcr::Required),
    ]
}

proptest! {
    /// What a [`SignedIn`] stands for, said a second time without [`next`].
    #[test]
    fn proofs_that_do_not_suffice_sign_no_user_in(
        proofs in proofs(),
        owner in 1_u8..3,
        version in 7_i64..9,
        factors in factors(),
        acr in wishes(),
        disabled in any::<bool>(),
    ) {
        let mut account = account(1, &[]);
        account.factors = factors.clone();
        account.user.disabled_at = disabled.then_some(Ts(1));
        let given = Proofs { user: UserId::from_bytes([owner; 16]), version, given: proofs.clone() };
        let counts = |proof: &&Proof| owner == 1 && version == 7 && proof.at >= BEGAN;
        let is_proven = |factor| proofs.iter().filter(counts).any(|proof| proof.factor == factor);
        let (has_password, has_code) = (is_proven(Factor::Password), is_proven(Factor::Code));
        match next(account, given, &wanted(acr.clone())) {
            Next::Done(signed_in) => {
                prop_assert!(!disabled && has_password && factors.contains(&Factor::Password));
                let expected = if has_code { Acr::TwoFactors } else { Acr::Password };
                prop_assert_eq!(signed_in.acr(), expected);
                if let WantedAcr::Required(required) = &acr {
                    let reached = |acr: &Acr| match acr {
                        Acr::Password => true,
                        Acr::TwoFactors => has_code && factors.contains(&Factor::Code),
                    };
                    prop_assert!(required.iter().any(reached));
                }
                let counted: Vec<_> = proofs.iter().filter(counts).map(|proof| proof.at).collect();
                prop_assert_eq!(Some(signed_in.auth_time()), counted.into_iter().min());
            }
            Next::Ask { factor, proofs: so_far } => {
                prop_assert!(!disabled && factors.contains(&factor) && !is_proven(factor));
                prop_assert!(so_far.given.iter().all(|proof| counts(&proof)));
            }
            Next::Refuse(Unmet::Disabled) => prop_assert!(disabled),
            Next::Refuse(Unmet::Acr) => {
                let reachable = factors.contains(&Factor::Password);
                let must_be_two = |required: &Vec<Acr>| !required.contains(&Acr::Password);
                let is_required = matches!(&acr, WantedAcr::Required(required)
                    if required.is_empty() || (must_be_two(required) && factors.len() < 2));
                prop_assert!(!disabled && (!reachable || is_required));
            }
        }
    }

    /// However proofs are gathered through the pages, only those of the last account count.
    #[test]
    fn proofs_gathered_through_pages_are_of_one_account(steps in prop::collection::vec((1_u8..3, any::<bool>()), 1..6)) {
        let mut so_far = None;
        let mut expected = BTreeSet::new();
        let mut last = 0;
        for (number, is_code) in steps {
            let account = account(number, &BOTH);
            if number != last {
                expected.clear();
            }
            last = number;
            let proof = if is_code { code(2_000) } else { password(2_000) };
            expected.insert(proof.factor);
            so_far = Some(Proofs::add(so_far, &account, proof));
            let proofs = so_far.clone().unwrap();
            prop_assert_eq!(&proofs.factors(), &expected);
            let step = next(account, proofs, &wanted(two_factors()));
            prop_assert_eq!(matches!(step, Next::Done(_)), expected.len() == 2);
        }
    }
}
