use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;

const SOON: Duration = Duration::from_millis(5);

/// Whether this comes true within ten seconds.
async fn comes_true(what: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        if what() {
            return true;
        }
        tokio::time::sleep(SOON).await;
    }
    false
}

/// A job that counts its turns and ends them as `end` says of the count.
fn counting(
    name: &'static str,
    turns: &Arc<AtomicUsize>,
    end: impl Fn(usize) -> Result<NextTurn, Failure> + Clone + Send + Sync + 'static,
) -> Job {
    Job::new(
        name,
        SOON,
        "a test goes on",
        with(turns, move |turns| {
            let end = end.clone();
            async move { end(turns.fetch_add(1, Ordering::SeqCst) + 1) }
        }),
    )
}

fn metric(line: &str) -> bool {
    metrics::render().lines().any(|found| found == line)
}

#[tokio::test]
async fn a_job_that_panics_or_fails_runs_again_and_stops_no_other() {
    metrics::install().unwrap();
    let stop = CancellationToken::new();
    let [panics, fails, works] = [(); 3].map(|()| Arc::<AtomicUsize>::default());
    let jobs = vec![
        counting("test_panics", &panics, |turn| {
            assert!(turn > 2, "turn {turn}");
            Ok(NextTurn::Usual)
        }),
        counting("test_fails", &fails, |turn| match turn {
            1..=3 => Err(format!("turn {turn}").into()),
            _ => Ok(NextTurn::Usual),
        }),
        counting("test_works", &works, |_| Ok(NextTurn::Usual)),
    ];
    let running = Running::start(jobs, &stop);
    for turns in [&panics, &fails, &works] {
        assert!(comes_true(|| turns.load(Ordering::SeqCst) >= 6).await);
    }
    stop.cancel();
    running.finish().await;
    for line in [
        r#"signet_job_failures_total{job="test_panics"} 2"#,
        r#"signet_job_failures_total{job="test_fails"} 3"#,
        r#"signet_job_failures_total{job="test_works"} 0"#,
    ] {
        assert!(metric(line), "{line} is not in\n{}", metrics::render());
    }
    let text = metrics::render();
    for series in [
        r#"signet_job_last_success_timestamp_seconds{job="test_panics"} 1"#,
        r#"signet_job_seconds_bucket{job="test_fails",le="60"} "#,
    ] {
        assert!(text.contains(series), "{series} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_job_that_fails_pauses_longer_each_time_but_never_longer_than_its_patience() {
    let stop = CancellationToken::new();
    let turns = Arc::<AtomicUsize>::default();
    let job = counting("test_backs_off", &turns, |_| Err("always".into()));
    let running = Running::start(vec![job.patience(Duration::from_millis(40))], &stop);
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.cancel();
    running.finish().await;
    let turns = turns.load(Ordering::SeqCst);
    // 5, 10, 20, 40, 40, … ms: without pauses that grow it would be a hundred.
    assert!((4..=16).contains(&turns), "{turns}");
}

#[tokio::test]
async fn a_job_is_woken_before_its_pause_is_over() {
    let stop = CancellationToken::new();
    let turns = Arc::<AtomicUsize>::default();
    let bell = Arc::<tokio::sync::Notify>::default();
    let job = Job::new(
        "test_wakes",
        Duration::from_hours(1),
        "a test goes on",
        with(&turns, |turns| async move {
            turns.fetch_add(1, Ordering::SeqCst);
            Ok(NextTurn::Usual)
        }),
    );
    let job = job.wakes(with(&bell, |bell| async move { bell.notified().await }));
    let running = Running::start(vec![job], &stop);
    for turn in 1..5 {
        assert!(comes_true(|| turns.load(Ordering::SeqCst) == turn).await);
        bell.notify_one();
    }
    stop.cancel();
    running.finish().await;
}

#[tokio::test]
async fn stopping_waits_for_what_must_finish_and_only_for_so_long() {
    type Done = Mutex<Vec<&'static str>>;
    let note = |done: &Arc<Done>, what| done.lock().unwrap().push(what);
    let stop = CancellationToken::new();
    let done = Arc::<Done>::default();
    let slow = Duration::from_millis(300);
    let hour = Duration::from_hours(1);
    let job = |name, what| {
        let turn = with(&done, move |done| async move {
            tokio::time::sleep(slow).await;
            note(&done, what);
            Ok(NextTurn::Usual)
        });
        Job::new(name, hour, "a test goes on", turn)
    };
    let last = |what| {
        with(&done, move |done| async move {
            note(&done, what);
            Ok(NextTurn::Usual)
        })
    };
    let hangs = || async {
        std::future::pending::<()>().await;
        Ok(NextTurn::Usual)
    };
    let jobs = vec![
        job("test_links", "linked")
            .finishes(hour, last("last link"))
            .after_requests(),
        job("test_dropped", "dropped"),
        job("test_sends", "sent").finishes(hour, last("last message")),
        Job::new("test_hangs", hour, "a test goes on", hangs).finishes(slow * 2, hangs),
    ];
    let began = Instant::now();
    let running = Running::start(jobs, &stop);
    tokio::time::sleep(slow / 3).await;
    stop.cancel();
    running.finish().await;
    assert!(began.elapsed() < Duration::from_secs(30));
    let done = done.lock().unwrap().clone();
    assert_eq!(done.len(), 4, "{done:?}");
    let place = |what| done.iter().position(|it| *it == what).unwrap();
    assert!(place("sent") < place("last message"), "{done:?}");
    assert!(place("linked") < place("last link"), "{done:?}");
    // What the others leave to be linked is linked.
    assert_eq!(place("last link"), 3, "{done:?}");
}

#[tokio::test]
async fn a_job_after_requests_goes_on_until_the_others_have_ended() {
    let stop = CancellationToken::new();
    let turns = Arc::<AtomicUsize>::default();
    let job = counting("test_goes_on", &turns, |_| Ok(NextTurn::Usual)).after_requests();
    let running = Running::start(vec![job], &stop);
    stop.cancel();
    tokio::time::sleep(SOON).await;
    let before = turns.load(Ordering::SeqCst);
    assert!(comes_true(|| turns.load(Ordering::SeqCst) > before + 3).await);
    running.finish().await;
    let after = turns.load(Ordering::SeqCst);
    tokio::time::sleep(SOON * 4).await;
    assert_eq!(turns.load(Ordering::SeqCst), after);
}
