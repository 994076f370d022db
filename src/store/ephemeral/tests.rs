//! The own table, and Redis beside it: a test of Redis starts a server of its own when `STORE_TEST_REDIS` is set.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::store::redis_server::Server;

const LADDER: Rule = Rule::Backoff {
    free: 3,
    first: Duration::from_secs(1),
    longest: Duration::from_mins(5),
};

fn asked(n: u64, rule: Rule) -> Limit {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&n.to_be_bytes());
    Limit {
        key: LimitKey(key),
        rule,
    }
}

fn is_admitted(taken: &Taken) -> bool {
    matches!(taken, Taken::Admitted(_))
}

fn server() -> Option<Server> {
    std::env::var("STORE_TEST_REDIS").ok()?;
    Some(Server::start())
}

#[test]
fn all_keys_are_counted_or_none() {
    let table = Table::new(100);
    let [narrow, wide] = [
        asked(1, Rule::per(1, Duration::from_secs(10))),
        asked(2, LADDER),
    ];
    assert!(is_admitted(&table.take(&[narrow, wide], Ts(0))));
    for _ in 0..9 {
        let Taken::Refused { index, wait, left } = table.take(&[wide, narrow], Ts(0)) else {
            panic!("admitted")
        };
        assert_eq!((index, wait), (1, Duration::from_secs(10)));
        assert_eq!((left.remaining, left.reset), (0, Duration::from_secs(10)));
    }
    // The wide key was not touched by the refusals.
    assert_eq!(
        table.look(&[wide], Ts(0)),
        Taken::Admitted(vec![Left {
            remaining: 2,
            reset: Duration::from_hours(2)
        }])
    );
    table.undo(&[Undo::GiveBack(narrow), Undo::Forget(wide.key)], Ts(0));
    assert!(table.is_empty());
}

#[test]
fn what_redis_refused_does_not_lengthen_the_wait() {
    let table = Table::new(100);
    let key = [asked(1, LADDER)];
    for _ in 0..3 {
        assert!(is_admitted(&table.take(&key, Ts(0))));
    }
    // Three of three: the next may come after a second. Redis refuses it there.
    let second = Ts::from_secs(1);
    for _ in 0..5 {
        let (taken, changes) = table.take_for_now(&key, second);
        assert!(is_admitted(&taken));
        table.restore(&changes, second);
        assert!(is_admitted(&table.look(&key, second)));
    }
    // Another that came in between keeps its own.
    let (_, changes) = table.take_for_now(&key, second);
    assert!(is_admitted(&table.take(&key, Ts::from_secs(3))));
    table.restore(&changes, Ts::from_secs(3));
    let Taken::Refused { wait, .. } = table.look(&key, Ts::from_secs(3)) else {
        panic!("admitted")
    };
    assert_eq!(wait, Duration::from_secs(2));
    // What was never there is gone again.
    let fresh = [asked(2, LADDER)];
    let (_, changes) = table.take_for_now(&fresh, second);
    table.restore(&changes, second);
    assert_eq!(table.number.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_flood_of_keys_stays_within_the_capacity_and_spares_what_was_worked_on() {
    let table = Table::new(1000);
    let victim = asked(u64::MAX, LADDER);
    for second in 0..6 {
        while is_admitted(&table.take(&[victim], Ts::from_secs(second * 100))) {}
    }
    let now = Ts::from_secs(600);
    for n in 0..50_000 {
        table.take(&[asked(n, Rule::per(100, Duration::from_mins(10)))], now);
        assert!(table.number.load(std::sync::atomic::Ordering::Relaxed) <= 1000);
    }
    assert!(!is_admitted(&table.take(&[victim], Ts::from_secs(501))));
    table.sweep(Ts::from_secs(100_000));
    assert!(table.is_empty());
}

#[test]
fn a_flood_of_fresh_delays_spares_a_rate_that_is_used_up() {
    let table = Table::new(1000);
    // As an account that many addresses guess at together.
    let victim = asked(u64::MAX, Rule::per(50, Duration::from_mins(12)));
    let now = Ts::from_secs(600);
    while is_admitted(&table.take(&[victim], now)) {}
    for n in 0..50_000 {
        let account = asked(n + 50_000, Rule::per(50, Duration::from_mins(12)));
        table.take(&[asked(n, LADDER), account], now);
        assert!(table.number.load(std::sync::atomic::Ordering::Relaxed) <= 1000);
    }
    assert!(!is_admitted(&table.take(&[victim], now)));
}

#[test]
fn a_hundred_threads_get_what_one_would() {
    let limiter = Arc::new(Limiter::new(None).unwrap());
    let rule = Rule::per(10, Duration::from_hours(10));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            std::thread::spawn(move || is_admitted(&limiter.take_here(&[asked(1, rule)])))
        })
        .collect();
    let admitted = threads
        .into_iter()
        .filter_map(|thread| thread.join().unwrap().then_some(()))
        .count();
    assert_eq!(admitted, 10);
}

/// Redis judges as [`Rule`] does, whatever happens in whatever order.
#[tokio::test]
async fn redis_and_the_own_table_mean_the_same() {
    let Some(server) = server() else { return };
    let shared = Shared::new(&server.url()).unwrap();
    let rules = [
        Rule::per(3, Duration::from_secs(9)),
        Rule::Rate {
            burst: 1,
            every: Duration::from_micros(1),
        },
        LADDER,
    ];
    let steps = prop::collection::vec((0usize..4, 0usize..3, 0i64..3_000_000), 400);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for round in 0..5u64 {
        let table = Table::new(100);
        // Redis lets keys expire by its own clock, so the test's begins there.
        let mut now = crate::spec::time::Clock::system().now();
        for (step, which, later) in steps.new_tree(&mut runner).unwrap().current() {
            now = now.plus(Duration::from_micros(later.unsigned_abs()));
            let one = asked(round * 10 + which as u64, rules[which]);
            let two = asked(round * 10 + 5, rules[2]);
            let both = if step == 0 { vec![one, two] } else { vec![one] };
            if step == 3 {
                table.undo(&[Undo::GiveBack(one)], now);
                shared.run("back", &[one], Some(now)).await.unwrap();
                continue;
            }
            let expected = table.take(&both, now);
            let (at, marks) = shared.run("take", &both, Some(now)).await.unwrap();
            assert_eq!(at, now);
            let got = match judge(&both, &marks, now) {
                Ok(marks) => admitted(&both, &marks, now),
                Err(refused) => refused,
            };
            assert_eq!(got, expected, "{both:?} at {now:?}");
        }
    }
}

#[tokio::test]
async fn two_instances_share_one_count() {
    let Some(server) = server() else { return };
    let [one, other] = [(); 2].map(|()| Limiter::new(Some(&server.url())).unwrap());
    let all = [
        asked(1, Rule::per(10, Duration::from_hours(10))),
        asked(2, LADDER),
    ];
    for limiter in [&one, &other, &one] {
        assert!(is_admitted(&limiter.take(&all).await));
    }
    let Taken::Refused { index, wait, .. } = other.take(&all).await else {
        panic!("admitted")
    };
    assert_eq!(index, 1);
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    // What the other one refused was not counted there either.
    assert!(is_admitted(&other.take_here(&all)));
    other.undo_here(&all.map(Undo::GiveBack));
    one.undo(&all.map(Undo::GiveBack)).await;
    assert!(is_admitted(&other.take(&all).await));
    one.undo(&[Undo::Forget(all[1].key)]).await;
    assert!(is_admitted(&one.take(&all).await));
    // Every key expires by itself.
    let ::redis::Value::Int(left) =
        server.run(&["PTTL", "{signet}:limit:\0\0\0\0\0\0\0\u{2}\0\0\0\0\0\0\0\0"])
    else {
        panic!()
    };
    assert!((7_000_000..=7_200_000).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_at_once_on_two_instances_get_what_one_would() {
    let Some(server) = server() else { return };
    let limiters = [(); 2].map(|()| Arc::new(Limiter::new(Some(&server.url())).unwrap()));
    let key = asked(1, Rule::per(10, Duration::from_hours(10)));
    for limiter in &limiters {
        limiter.take(&[asked(9, key.rule)]).await;
    }
    let tasks = (0..100).map(|n: usize| {
        let limiter = Arc::clone(&limiters[n % 2]);
        async move { is_admitted(&limiter.take(&[key]).await) }
    });
    let tasks: tokio::task::JoinSet<bool> = tasks.collect();
    let admitted = tasks.join_all().await.into_iter().filter(|it| *it).count();
    assert_eq!(admitted, 10);
}

#[tokio::test]
async fn a_flush_is_no_fresh_start() {
    let Some(server) = server() else { return };
    let limiter = Limiter::new(Some(&server.url())).unwrap();
    let key = [asked(1, Rule::per(2, Duration::from_hours(10)))];
    assert!(is_admitted(&limiter.take(&key).await));
    assert!(is_admitted(&limiter.take(&key).await));
    server.run(&["FLUSHALL"]);
    server.run(&["SCRIPT", "FLUSH"]);
    assert!(!is_admitted(&limiter.take(&key).await));
}

/// Neither open nor closed: each instance goes on with its own quota, and comes back to Redis by itself.
#[tokio::test]
async fn without_redis_each_instance_counts_alone_and_at_once() {
    let Some(mut server) = server() else { return };
    let [one, other] = [(); 2].map(|()| Limiter::new(Some(&server.url())).unwrap());
    let rule = Rule::per(2, Duration::from_hours(10));
    assert!(is_admitted(&one.take(&[asked(1, rule)]).await));
    server.kill();
    let began = std::time::Instant::now();
    assert!(is_admitted(&one.take(&[asked(1, rule)]).await));
    for _ in 0..50 {
        assert!(!is_admitted(&one.take(&[asked(1, rule)]).await));
        other.take(&[asked(1, rule)]).await;
    }
    assert!(!is_admitted(&other.take(&[asked(1, rule)]).await));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    server.start_again();
    let back = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let key = asked(u64::from(rand_word()), rule);
            let first = is_admitted(&one.take(&[key]).await);
            one.take(&[key]).await;
            if first && !is_admitted(&other.take(&[key]).await) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_redis_that_hangs_delays_one_attempt_and_no_more() {
    let Some(server) = server() else { return };
    let limiter = Limiter::new(Some(&server.url())).unwrap();
    let rule = Rule::per(100, Duration::from_hours(10));
    assert!(is_admitted(&limiter.take(&[asked(1, rule)]).await));
    server.run(&["CLIENT", "PAUSE", "6000", "ALL"]);
    let began = std::time::Instant::now();
    for _ in 0..50 {
        assert!(is_admitted(&limiter.take(&[asked(1, rule)]).await));
    }
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_bad_url_is_refused_without_its_password() {
    let error = Limiter::new(Some("reddis://u:hunter2@h/")).err().unwrap();
    assert!(!format!("{error:?}{error}").contains("hunter2"));
}

fn rand_word() -> u32 {
    u32::from_be_bytes(crate::crypto::random::bytes())
}
