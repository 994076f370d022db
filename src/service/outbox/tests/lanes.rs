//! Many receivers beside each other.

use std::sync::atomic::AtomicI64;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::ids::WebhookId;
use crate::store::audit::EventFilter;

/// Whether this comes true within ten seconds.
async fn comes_true(what: impl Fn() -> bool) -> bool {
    for _ in 0..200 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// What a serving process does, as its job does it.
async fn keep_sending(outbox: Outbox, stop: CancellationToken) {
    while !stop.is_cancelled() {
        outbox.turn().await.unwrap();
        tokio::select! {
            () = stop.cancelled() => {}
            () = outbox.woken() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(6), outbox.drain()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_receiver_that_does_not_answer_holds_up_no_other() {
    for fresh in both().await {
        let directory = tempfile::tempdir().unwrap();
        let services = start(&fresh, &directory).await;
        let mut dead = Vec::new();
        for status in [0, 0, 500] {
            let receiver = Receiver::new().await;
            receiver.answers(status);
            created(&services, fields(&receiver.url, &["user.created"])).await;
            dead.push(receiver);
        }
        for n in 0..30 {
            happens(&services, EventType::UserCreated, n).await;
        }
        // Whose messages come last, behind all of those.
        let alive = Receiver::new().await;
        created(&services, fields(&alive.url, &["user.disabled"])).await;
        for n in 0..30 {
            happens(&services, EventType::UserDisabled, n).await;
        }
        let stop = CancellationToken::new();
        let outbox = Outbox::new(Arc::clone(&services), services.clock.clone());
        let sending = tokio::spawn(keep_sending(outbox, stop.clone()));
        assert!(comes_true(|| alive.received().len() == 30).await);
        // Who answered nothing gets no more for a while, however much waits.
        assert!(comes_true(|| dead.iter().all(|dead| dead.received().len() == 10)).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(dead.iter().all(|dead| dead.received().len() == 10));
        stop.cancel();
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn a_webhook_for_which_too_much_waits_is_disabled_and_that_is_an_event() {
    for fresh in both().await {
        let directory = tempfile::tempdir().unwrap();
        let services = start(&fresh, &directory).await;
        let wanted = fields("http://127.0.0.1:9/hook", &["user.created"]);
        let (webhook, _) = created(&services, wanted).await;
        for n in 0..6 {
            happens(&services, EventType::UserCreated, n).await;
        }
        let now = soon(&services);
        outbox(&services, now).tidy(6).await.unwrap();
        assert!(stored(&services, webhook.id).await.enabled);
        outbox(&services, now).tidy(5).await.unwrap();
        let stored = stored(&services, webhook.id).await;
        assert!(!stored.enabled);
        assert_eq!(
            stored.disabled_reason.as_deref(),
            Some("more than 5 messages waited")
        );
        assert!(services.store.list_due_lanes(now).await.unwrap().is_empty());
        let filter = EventFilter {
            kind: Some(EventType::WebhookDisabled),
            ..EventFilter::default()
        };
        let events = services.store.list_events(&filter, None, 9).await.unwrap();
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn a_busy_or_resting_lane_leaves_the_others_open() {
    let lanes = Arc::<Lanes>::default();
    let at = Arc::new(AtomicI64::new(NOW.micros()));
    let clock = Clock::fixed(Arc::clone(&at));
    let [slow, dead, alive] = [1, 2, 3].map(|n| Lane::Webhook(WebhookId::from_random([n; 16])));
    let all = || vec![slow.clone(), dead.clone(), alive.clone()];
    let mut opened = lanes.open(all(), &clock);
    assert_eq!(opened.len(), 3);
    // The first stays open, the second answers nothing, the third is done.
    let _slow = opened.remove(0);
    opened.remove(0).end(Ok(Told {
        tried: 10,
        answered: 0,
    }));
    opened.remove(0).end(Ok(Told {
        tried: 10,
        answered: 1,
    }));
    let open = |all| {
        let opened = lanes.open(all, &clock);
        let names = opened.iter().map(|open| open.lane.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(open(all()), std::slice::from_ref(&alive));
    at.store(NOW.plus(REST).micros(), Ordering::SeqCst);
    assert_eq!(open(all()), [dead, alive]);
}

/// Ten receivers that are away take every lane whenever something is due for them, and little is due at a time.
#[tokio::test]
async fn a_trickle_for_receivers_that_are_away_does_not_starve_one_with_a_backlog() {
    for fresh in both().await {
        let directory = tempfile::tempdir().unwrap();
        let services = start(&fresh, &directory).await;
        let mut dead = Vec::new();
        for _ in 0..LANES {
            let receiver = Receiver::new().await;
            receiver.answers(500);
            created(&services, fields(&receiver.url, &["user.created"])).await;
            dead.push(receiver);
        }
        let alive = Receiver::new().await;
        created(&services, fields(&alive.url, &["user.disabled"])).await;
        for n in 0..30 {
            happens(&services, EventType::UserDisabled, n).await;
        }
        let at = soon(&services).plus(Duration::from_mins(1));
        let clock = Arc::new(AtomicI64::new(at.micros()));
        let outbox = Outbox::new(Arc::clone(&services), Clock::fixed(Arc::clone(&clock)));
        let turn = async || {
            outbox.turn().await.unwrap();
            outbox.drain().await
        };
        assert_eq!(turn().await, 10, "its first messages");
        happens(&services, EventType::UserCreated, 1).await;
        assert_eq!(turn().await, 10, "one of each that is away");
        assert_eq!(turn().await, 10);
        assert_eq!(alive.received().len(), 20);
        // Now all of them have had a turn. Those that answered nothing rest, however little that was.
        happens(&services, EventType::UserCreated, 2).await;
        assert_eq!(turn().await, 10);
        assert_eq!(alive.received().len(), 30);
        assert!(dead.iter().all(|dead| dead.received().len() == 1));
        // The first rest ends in time for the second attempt, the next one is longer.
        clock.store(at.plus(SHORT_REST).micros(), Ordering::SeqCst);
        assert!(turn().await >= 10);
        assert!(dead.iter().all(|dead| dead.received().len() > 1));
        clock.store(at.plus(REST).micros(), Ordering::SeqCst);
        assert_eq!(turn().await, 0);
        clock.store(at.plus(SHORT_REST + REST).micros(), Ordering::SeqCst);
        assert!(turn().await >= 10);
        assert!(dead.iter().all(|dead| dead.received().len() == 4));
    }
}

#[test]
fn a_lane_for_which_nothing_was_due_for_a_while_has_its_turn_after_those_that_waited_longer() {
    let lanes = Arc::<Lanes>::default();
    let clock = Clock::fixed(Arc::new(AtomicI64::new(NOW.micros())));
    let lane = |n| Lane::Webhook(WebhookId::from_random([n; 16]));
    let open = |due: Vec<Lane>| {
        let opened = lanes.open(due, &clock);
        let names: Vec<Lane> = opened.iter().map(|open| open.lane.clone()).collect();
        names
    };
    let backlog = lane(99);
    assert_eq!(open(vec![backlog.clone()]), std::slice::from_ref(&backlog));
    let trickle: Vec<Lane> = (0..10).map(lane).collect();
    // While those are open and nothing more is due for them, they keep their turn.
    let opened = lanes.open(trickle.clone(), &clock);
    assert_eq!(opened.len(), LANES);
    assert_eq!(open(vec![backlog.clone()]), []);
    drop(opened);
    let mut due = trickle;
    due.push(backlog.clone());
    assert_eq!(open(due)[0], backlog);
    // What is remembered has an end.
    for n in 0..10_000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        open(vec![Lane::Webhook(WebhookId::from_random(id))]);
        assert!(lanes.remembered() <= 4096);
    }
    assert!(lanes.remembered() >= 2048);
}
