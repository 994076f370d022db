use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::browsers::KnownBrowser;
use super::*;
use crate::crypto::secret::PlainToken;
use crate::domain::sign_in::Factor;

const PASSWORD: Guess = Guess::Factor(Factor::Password);

fn limits(settings: &[(&str, &str)]) -> Arc<Limits> {
    let env = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let config = Config::load(Some(empty.path()), env, Vec::new()).unwrap();
    Arc::new(Limits::new(&config, &MasterKey::generate()).unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A wrong guess: whether it was looked at, and else how long to wait.
async fn wrong(limits: &Limits, account: &str, from: &str) -> Result<(), Limited> {
    let guess = limits.guess(PASSWORD, Some(account), ip(from), None);
    guess.await.map(drop)
}

#[test]
fn all_addresses_of_a_64_are_counted_as_one() {
    assert_eq!(block(ip("2001:db8::1")), block(ip("2001:db8::ffff:0:0:2")));
    assert_ne!(block(ip("2001:db8::1")), block(ip("2001:db8:0:1::1")));
    assert_ne!(block(ip("192.0.2.1")), block(ip("192.0.2.2")));
    assert_eq!(block(ip("192.0.2.1")), block(ip("::ffff:192.0.2.1")));
}

#[tokio::test]
async fn after_five_failures_the_waits_grow_for_that_address_and_account_alone() {
    let limits = limits(&[]);
    for _ in 0..5 {
        wrong(&limits, "alice", "192.0.2.1").await.unwrap();
    }
    let began = Instant::now();
    // One second and two are waited here; four are the guesser's.
    for _ in 0..2 {
        wrong(&limits, "alice", "192.0.2.1").await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_secs(3));
    for _ in 0..3 {
        let limited = wrong(&limits, "alice", "192.0.2.1").await.unwrap_err();
        assert_eq!(limited.allowance.policy, "attempts");
        assert!(limited.wait > Duration::from_secs(3) && limited.wait <= Duration::from_secs(4));
    }
    wrong(&limits, "alice", "192.0.2.2").await.unwrap();
    wrong(&limits, "bob", "192.0.2.1").await.unwrap();
    limits
        .guess(Guess::SetupLink, None, ip("192.0.2.1"), None)
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn many_addresses_together_have_one_count_and_a_known_browser_another() {
    let limits = limits(&[]);
    let mut looked_at = 0;
    for n in 0..80 {
        let from = format!("198.51.100.{n}");
        looked_at += u32::from(wrong(&limits, "alice", &from).await.is_ok());
    }
    assert_eq!(looked_at, 50);
    let limited = wrong(&limits, "alice", "203.0.113.1").await.unwrap_err();
    assert_eq!(limited.allowance.policy, "account");
    // An owner at a new browser is not kept out for minutes.
    assert!(limited.wait <= Duration::from_secs(15));
    let known = |number| {
        let browser = Some(KnownBrowser([number; 16]));
        limits.guess(PASSWORD, Some("alice"), ip("198.51.100.1"), browser)
    };
    // Wrong, wrong, right: the owner begins anew.
    for _ in 0..5 {
        drop(known(1).await.unwrap());
        drop(known(1).await.unwrap());
        known(1).await.unwrap().succeeded().await;
    }
    // A stolen cookie is a count of its own.
    for _ in 0..10 {
        drop(known(2).await.unwrap());
    }
    let began = Instant::now();
    drop(known(2).await);
    assert!(began.elapsed() >= Duration::from_millis(900));
    drop(known(1).await.unwrap());
}

#[tokio::test]
async fn one_address_has_one_count_for_all_accounts_and_kinds() {
    let limits = limits(&[("SIGNET_LOGIN_FAILURES_PER_ADDRESS", "30")]);
    for n in 0..29 {
        wrong(&limits, &format!("user{n}"), "2001:db8::1")
            .await
            .unwrap();
    }
    let link = |from| limits.guess(Guess::SetupLink, None, ip(from), None);
    drop(link("2001:db8::2").await.unwrap());
    let limited = wrong(&limits, "user99", "2001:db8::3").await.unwrap_err();
    assert_eq!(limited.allowance.policy, "address");
    assert!(link("2001:db8::4").await.is_err());
    wrong(&limits, "user99", "2001:db8:0:1::3").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_guesses_at_once_get_no_more_than_one_after_the_other() {
    let limits = limits(&[]);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let limits = Arc::clone(&limits);
        tasks.spawn(async move {
            let from = ip("192.0.2.1");
            match limits.guess(PASSWORD, Some("alice"), from, None).await {
                Ok(attempt) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    drop(attempt);
                    true
                }
                Err(_) => false,
            }
        });
    }
    let looked_at = tasks.join_all().await.into_iter().filter(|it| *it).count();
    // Five, and one after the first second.
    assert!((5..=6).contains(&looked_at), "{looked_at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_right_passwords_at_once_all_sign_in() {
    let limits = limits(&[]);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let limits = Arc::clone(&limits);
        tasks.spawn(async move {
            let attempt = limits.guess(PASSWORD, Some("alice"), ip("192.0.2.1"), None);
            let attempt = attempt.await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            attempt.succeeded().await;
        });
    }
    tasks.join_all().await;
    assert!(limits.limiter.is_quiet());
}

#[test]
fn a_secret_that_proved_right_is_never_limited_and_an_old_one_counts_once() {
    let limits = limits(&[("SIGNET_REQUEST_FAILURES_PER_ADDRESS", "40")]);
    let digest = |secret: &str| PlainToken::new(secret).digest();
    let from = ip("192.0.2.1");
    let right = || limits.client_secret("web", digest("right"), from);
    right().unwrap().succeeded();
    for _ in 0..1000 {
        let attempt = limits.client_secret("web", digest("of yesterday"), from);
        attempt.unwrap().failed().unwrap();
    }
    let mut looked_at = 1;
    for n in 0..1000 {
        if let Ok(attempt) = limits.client_secret("web", digest(&format!("guess {n}")), from) {
            attempt.failed().unwrap();
            looked_at += 1;
        }
        right().unwrap().succeeded();
    }
    assert_eq!(looked_at, 20);
    // A caller that never proved anything waits; at another address, or as another client, it does not.
    let other = |client, from| limits.client_secret(client, digest("new"), ip(from));
    assert!(other("web", "192.0.2.1").is_err());
    other("web", "192.0.2.2").unwrap().succeeded();
    other("api", "192.0.2.1").unwrap().succeeded();
    // A secret that is taken away stops being known.
    right().unwrap().failed().unwrap();
    assert!(right().is_err());
}

#[test]
fn a_right_secret_is_let_through_after_a_restart_however_often_its_address_failed() {
    let limits = limits(&[("SIGNET_REQUEST_FAILURES_PER_ADDRESS", "3")]);
    let from = ip("192.0.2.1");
    while limits.failed(from).is_ok() {}
    assert!(limits.room(from).is_err());
    let right = PlainToken::new("right").digest();
    let attempt = limits.client_secret("web", right, from);
    attempt.unwrap().succeeded();
    // A wrong one is not told more than before.
    let wrong = PlainToken::new("wrong").digest();
    let attempt = limits.client_secret("web", wrong, from).unwrap();
    assert_eq!(attempt.failed().unwrap_err().allowance.policy, "failures");
}

#[test]
fn failed_requests_use_up_the_room_of_their_address() {
    let limits = limits(&[("SIGNET_REQUEST_FAILURES_PER_ADDRESS", "3")]);
    let from = ip("192.0.2.1");
    limits.room(from).unwrap();
    limits.client_asserted("known", from);
    for _ in 0..3 {
        limits.failed(from).unwrap();
    }
    assert_eq!(
        limits.failed(from).unwrap_err().allowance.policy,
        "failures"
    );
    assert!(limits.room(from).is_err());
    assert!(limits.client_assertion("unknown", from).is_err());
    limits.client_assertion("known", from).unwrap();
    limits.room(ip("192.0.2.2")).unwrap();
}

#[tokio::test]
async fn callers_have_counts_of_their_own_and_see_what_is_left() {
    let limits = limits(&[("SIGNET_API_REQUESTS_PER_MINUTE", "2")]);
    let left = |admitted: Admitted| admitted.allowance.unwrap().left.remaining;
    assert_eq!(left(limits.check(Policy::Api, "one").await.unwrap()), 1);
    assert_eq!(left(limits.check(Policy::Api, "one").await.unwrap()), 0);
    let limited = limits.check(Policy::Api, "one").await.unwrap_err();
    assert_eq!(
        (limited.allowance.policy, limited.allowance.quota),
        ("api", 2)
    );
    assert!(limited.wait <= Duration::from_secs(30));
    assert_eq!(left(limits.check(Policy::Api, "two").await.unwrap()), 1);
    // Clients are not limited by default.
    for _ in 0..1000 {
        assert_eq!(
            limits.check(Policy::Client, "web").await.unwrap().allowance,
            None
        );
    }
}

#[tokio::test]
async fn the_switch_turns_everything_off() {
    let limits = limits(&[
        ("SIGNET_RATE_LIMITS", "false"),
        ("SIGNET_API_REQUESTS_PER_MINUTE", "1"),
    ]);
    for n in 0..200 {
        wrong(&limits, "alice", "192.0.2.1").await.unwrap();
        limits.check(Policy::Api, "one").await.unwrap();
        limits.failed(ip("192.0.2.1")).unwrap();
        let digest = PlainToken::new(n.to_string()).digest();
        let attempt = limits.client_secret("web", digest, ip("192.0.2.1"));
        attempt.unwrap().failed().unwrap();
    }
    assert!(limits.limiter.is_quiet());
}
