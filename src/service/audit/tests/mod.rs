mod tampering;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::audit::Actor;
use crate::domain::ids::UserId;
use crate::service::Services;
use crate::store::audit::EventFilter;
use crate::store::audit::linking::Linked;
use crate::store::db::tests::{Fresh, both, sqlite_fresh};
use retention::Trimmed;
use verify::{Broken, Holds, Verdict, verify};

struct Site {
    services: Arc<Services>,
    directory: tempfile::TempDir,
}

impl Site {
    async fn new(fresh: &Fresh, more: &[(&str, &str)]) -> Self {
        Self::beside(fresh, more, tempfile::tempdir().unwrap()).await
    }

    async fn beside(fresh: &Fresh, more: &[(&str, &str)], directory: tempfile::TempDir) -> Self {
        let keys = directory.path().join("keys").display().to_string();
        let settings = [
            ("SIGNET_DATABASE_URL", fresh.url.as_str()),
            ("SIGNET_KEYS_DIR", keys.as_str()),
            ("SIGNET_DATABASE_MAX_CONNECTIONS", "4"),
        ];
        let file = directory.path().join("signet.toml");
        std::fs::write(&file, "").unwrap();
        let env = settings.into_iter().chain(more.iter().copied());
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(Some(&file), env, Vec::new()).unwrap();
        Self {
            services: Services::start(config).await.unwrap(),
            directory,
        }
    }

    /// Another instance with the same store and master key.
    async fn another(&self, fresh: &Fresh) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("keys")).unwrap();
        for entry in std::fs::read_dir(self.directory.path().join("keys")).unwrap() {
            let entry = entry.unwrap();
            let to = directory.path().join("keys").join(entry.file_name());
            std::fs::copy(entry.path(), to).unwrap();
        }
        Self::beside(fresh, &[], directory).await
    }

    async fn record(&self, at: Ts) {
        let mut tx = self.services.store.db().begin().await.unwrap();
        tx.record_event(&event(at)).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn link(&self, now: Ts) -> usize {
        let services = &self.services;
        services.audit.link(&services.store, now).await.unwrap()
    }

    async fn trim(&self, now: Ts) {
        assert_eq!(
            retention::trim(&self.services, now).await.unwrap(),
            Trimmed::Done
        );
    }

    async fn verify(&self) -> Verdict {
        verify(&self.services, None).await.unwrap()
    }

    async fn holds(&self) -> Holds {
        self.verify().await.unwrap()
    }

    async fn broken(&self) -> Broken {
        self.verify().await.unwrap_err()
    }

    async fn run(&self, sql: &'static str) {
        self.services.store.db().w(sql).exec().await.unwrap();
    }

    /// Fifteen events: a checkpoint behind the sixth, another behind the twelfth, none behind the rest.
    async fn filled(fresh: &Fresh) -> Self {
        let site = Self::new(fresh, &[]).await;
        for (minute, events) in [(0, 6), (2, 6), (2, 3)] {
            for n in 0..events {
                if n % 2 == 0 {
                    site.record(minutes(minute)).await;
                } else {
                    site.services.audit.note(event(minutes(minute)));
                }
            }
            assert_eq!(site.link(minutes(minute)).await, events);
        }
        site
    }
}

fn event(at: Ts) -> Event {
    let user = UserId::from_random([7; 16]);
    let origin = Origin::system().by(Actor::Person(user));
    Event::new(EventType::UserUpdated, &origin, at)
        .target("user", &user)
        .user(user)
}

/// From a time that no retention reaches.
fn minutes(n: u64) -> Ts {
    let start = crate::spec::time::Clock::system().now();
    Ts::from_secs(start.secs() - start.secs() % 3600).plus(Duration::from_secs(n * 60))
}

#[tokio::test]
async fn an_unchanged_trail_holds() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        let holds = site.holds().await;
        assert_eq!((holds.events, holds.base, holds.checkpoint), (15, 0, 2));
        assert_eq!((holds.head.position, holds.waiting), (15, 0));
        site.record(minutes(3)).await;
        assert_eq!(site.holds().await.waiting, 1);
        assert_eq!(site.link(minutes(3)).await, 1);
        assert_eq!(site.link(minutes(3)).await, 0);
        assert_eq!(site.holds().await.checkpoint, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_link_at_once_and_nothing_is_lost_or_doubled() {
    for fresh in both().await {
        let one = Arc::new(Site::new(&fresh, &[]).await);
        let two = Arc::new(one.another(&fresh).await);
        let mut acting = Vec::new();
        for site in [&one, &two] {
            for _ in 0..3 {
                let site = Arc::clone(site);
                acting.push(tokio::spawn(async move {
                    for n in 0..20 {
                        site.record(minutes(n)).await;
                        site.services.audit.note(event(minutes(n)));
                        if n % 3 == 0 {
                            site.link(minutes(n)).await;
                        }
                    }
                }));
            }
        }
        for acting in acting {
            acting.await.unwrap();
        }
        one.link(minutes(30)).await;
        two.link(minutes(30)).await;
        let holds = two.holds().await;
        assert_eq!((holds.events, holds.waiting), (2 * 3 * 20 * 2, 0));
    }
}

#[tokio::test]
async fn any_order_of_writing_linking_dropping_and_trimming_holds() {
    for fresh in both().await {
        let site = Site::new(&fresh, &[("SIGNET_AUDIT_RETENTION", "20m")]).await;
        for seed in 1..=12_u64 {
            let (mut state, mut minute) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), seed * 100);
            for _ in 0..60 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = minutes(minute);
                match state % 8 {
                    0 | 1 => site.record(at).await,
                    2 | 3 => site.services.audit.note(event(at)),
                    4 => minute += 3,
                    5 => {
                        // Killed between the steps of a link.
                        let mut tx = site.services.store.db().begin().await.unwrap();
                        let head = tx.lock_audit_head().await.unwrap();
                        let waiting = tx.list_unlinked(10).await.unwrap();
                        let mut last = head.link;
                        let links: Vec<_> = waiting
                            .iter()
                            .map(|event| {
                                last = last.next(&event.body);
                                (event.id, last)
                            })
                            .collect();
                        tx.link_events(&links).await.unwrap();
                    }
                    6 => site.trim(at).await,
                    _ => {
                        site.link(at).await;
                    }
                }
            }
            site.link(minutes(minute)).await;
            let holds = site.verify().await;
            assert!(holds.is_ok(), "seed {seed}: {}", holds.unwrap_err());
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    for fresh in both().await {
        let site = Site::new(&fresh, &[]).await;
        let audit = &site.services.audit;
        audit.note(event(minutes(0)));
        audit.note(event(minutes(0)));
        let taken = audit.take(10, minutes(0));
        let linked = |(id, event): &(EventId, Event)| Linked::new(*id, event).unwrap();
        for (id, event) in &taken {
            audit.queue().events.push_back((*id, event.clone()));
        }
        assert_eq!(site.link(minutes(0)).await, 2);
        let mut linking = audit.linking.lock().await;
        *linking = linker::Taken::lost(taken.iter().map(linked).collect());
        drop(linking);
        site.record(minutes(1)).await;
        assert_eq!(site.link(minutes(1)).await, 1);
        assert_eq!(site.holds().await.events, 3);
    }
}

#[tokio::test]
async fn what_has_no_room_is_counted_in_the_trail_itself() {
    let fresh = sqlite_fresh();
    let site = Site::new(&fresh, &[]).await;
    for _ in 0..QUEUED + 7 {
        site.services.audit.note(event(minutes(0)));
    }
    linker::flush(&site.services).await.unwrap();
    let filter = EventFilter {
        kind: Some(EventType::AuditDropped),
        ..EventFilter::default()
    };
    let found = site
        .services
        .store
        .list_events(&filter, None, 10)
        .await
        .unwrap();
    let body: Value = serde_json::from_str(&found[0].body).unwrap();
    assert_eq!(body["detail"]["count"], 7);
    assert_eq!(
        site.holds().await.events,
        i64::try_from(QUEUED).unwrap() + 1
    );
}

#[tokio::test]
async fn who_is_refused_again_and_again_fills_neither_the_queue_nor_the_table() {
    let fresh = sqlite_fresh();
    let site = Site::new(&fresh, &[]).await;
    for kind in [EventType::SignInRefused, EventType::TokenRefused] {
        for _ in 0..1500 {
            let event = Event::new(kind, &Origin::system(), minutes(0));
            site.services.audit.note(event);
        }
    }
    // What is not a refusal still finds its place.
    let issued = Event::new(EventType::TokenIssued, &Origin::system(), minutes(0));
    site.services.audit.note(issued);
    while site.link(minutes(0)).await > 0 {}
    let filter = EventFilter {
        kind: Some(EventType::AuditDropped),
        ..EventFilter::default()
    };
    let store = &site.services.store;
    let dropped = store.list_events(&filter, None, 10).await.unwrap();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].json()["detail"]["count"], 1000);
    // The refusals, the token, and the count itself.
    assert_eq!(site.holds().await.events, 2002);
}

#[tokio::test]
async fn retention_leaves_a_signed_beginning_and_nothing_else_passes_for_one() {
    for fresh in both().await {
        let site = Site::new(&fresh, &[("SIGNET_AUDIT_RETENTION", "10m")]).await;
        for n in 0..20 {
            site.record(minutes(n)).await;
            site.link(minutes(n)).await;
        }
        site.trim(minutes(20)).await;
        let holds = site.holds().await;
        assert_eq!((holds.base, holds.events, holds.waiting), (10, 10, 1));
        // Again: there is nothing to do.
        site.trim(minutes(20)).await;
        assert_eq!(site.holds().await.waiting, 1);
        site.link(minutes(20)).await;
        let filter = EventFilter {
            kind: Some(EventType::AuditTrimmed),
            ..EventFilter::default()
        };
        let found = site
            .services
            .store
            .list_events(&filter, None, 10)
            .await
            .unwrap();
        let body: Value = serde_json::from_str(&found[0].body).unwrap();
        assert_eq!(body["detail"]["removed"], 10);
        // Retention is helped along.
        site.run("DELETE FROM audit_events WHERE position = 11")
            .await;
        assert_eq!(site.broken().await.position, Some(11));
        site.run("DELETE FROM audit_base").await;
        assert!(site.broken().await.what.contains("not signed"));
    }
}

#[tokio::test]
async fn without_token_events_only_refusals_and_replays_are_noted() {
    let fresh = sqlite_fresh();
    let site = Site::new(&fresh, &[("SIGNET_AUDIT_TOKEN_EVENTS", "false")]).await;
    for kind in [
        EventType::TokenIssued,
        EventType::TokenRefreshed,
        EventType::CodeIssued,
    ] {
        site.services
            .audit
            .note(Event::new(kind, &Origin::system(), minutes(0)));
    }
    assert!(!site.services.audit.is_waiting());
    for kind in [EventType::TokenRefused, EventType::TokenReplayed] {
        site.services
            .audit
            .note(Event::new(kind, &Origin::system(), minutes(0)));
    }
    assert_eq!(site.link(minutes(0)).await, 2);
}
