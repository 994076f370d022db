use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::audit::Actor;
use crate::domain::ids::UserId;
use crate::service::Services;
use crate::store::audit::EventFilter;
use crate::store::audit::chain::Linked;
use crate::store::db::tests::{Fresh, both, sqlite_fresh};
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
async fn a_trail_that_nobody_touched_holds() {
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

/// What somebody with access to the database does, at which place it is found, and in which words.
const TAMPERINGS: &[(&[&str], i64, &str)] = &[
    (
        &[
            "UPDATE audit_events SET body = REPLACE(body, 'user.updated', 'user.deleted') WHERE position = 4",
        ],
        4,
        "text or its hash was changed",
    ),
    (
        &["UPDATE audit_events SET type = 'user.deleted' WHERE position = 4"],
        4,
        "column type was changed",
    ),
    (
        &["UPDATE audit_events SET actor_id = NULL WHERE position = 14"],
        14,
        "column actor_id was changed",
    ),
    (
        &[
            "UPDATE audit_events SET hash = (SELECT e.hash FROM audit_events e WHERE e.position = 9) WHERE position = 8",
        ],
        8,
        "text or its hash was changed",
    ),
    (
        &["DELETE FROM audit_events WHERE position = 8"],
        8,
        "is missing",
    ),
    (
        &["DELETE FROM audit_events WHERE position = 1"],
        1,
        "is missing",
    ),
    (
        &["DELETE FROM audit_events WHERE position = 15"],
        15,
        "is missing",
    ),
    (
        &["DELETE FROM audit_events"],
        1,
        "up to the end at position 15",
    ),
    (
        // Position 3 and 4 change places.
        &[
            "UPDATE audit_events SET position = 99 WHERE position = 3",
            "UPDATE audit_events SET position = 3 WHERE position = 4",
            "UPDATE audit_events SET position = 4 WHERE position = 99",
        ],
        3,
        "another event was put in its place",
    ),
    (
        &["UPDATE audit_events SET position = NULL, hash = NULL WHERE position = 15"],
        15,
        "is missing",
    ),
    (
        &[
            "UPDATE audit_head SET position = 12, hash = (SELECT e.hash FROM audit_events e WHERE e.position = 12)",
        ],
        12,
        "where the chain ends or begins",
    ),
    (
        &[
            "DELETE FROM audit_events",
            "DELETE FROM audit_checkpoints",
            "UPDATE audit_head SET position = 0, hash = NULL, checkpoint = 0, checkpoint_position = 0, checkpoint_at = 0",
        ],
        0,
        "where the chain ends or begins",
    ),
    (
        &["DELETE FROM audit_checkpoints WHERE number = 1"],
        1,
        "checkpoint 1 is missing",
    ),
    (
        &["DELETE FROM audit_checkpoints WHERE number = 2"],
        6,
        "checkpoint 2 is missing",
    ),
    (
        &["UPDATE audit_checkpoints SET jws = REPLACE(jws, '.', '.e') WHERE number = 2"],
        6,
        "checkpoint 2 is not signed by this server",
    ),
    (
        // The first checkpoint poses as the second.
        &[
            "UPDATE audit_checkpoints SET jws = (SELECT c.jws FROM audit_checkpoints c WHERE c.number = 1) WHERE number = 2",
        ],
        6,
        "checkpoint 2 says something else than its row",
    ),
    (
        &[
            "INSERT INTO audit_checkpoints (number, position, jws) SELECT 3, position, jws FROM audit_checkpoints WHERE number = 2",
        ],
        15,
        "checkpoint 3 is not one that Signet made",
    ),
    (
        &["INSERT INTO audit_base (id, jws) SELECT 1, jws FROM audit_checkpoints WHERE number = 1"],
        0,
        "where the chain begins is not signed",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tampering_is_found_and_named() {
    for (number, (acts, position, words)) in TAMPERINGS.iter().enumerate() {
        for fresh in both().await {
            let site = Site::filled(&fresh).await;
            for act in *acts {
                site.run(act).await;
            }
            let broken = site.broken().await;
            assert!(broken.what.contains(words), "{number}: {broken}");
            assert_eq!(broken.position, Some(*position), "{number}: {broken}");
        }
    }
}

#[tokio::test]
async fn a_forged_event_is_found_wherever_it_is_put() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        site.record(minutes(3)).await;
        site.run("UPDATE audit_events SET position = 16, hash = (SELECT e.hash FROM audit_events e WHERE e.position = 15) WHERE position IS NULL").await;
        let broken = site.broken().await;
        assert_eq!(broken.position, Some(16));
        assert!(
            broken.what.contains("behind the end of the chain"),
            "{broken}"
        );
        // In the place of another.
        site.run("DELETE FROM audit_events WHERE position = 7")
            .await;
        site.run("UPDATE audit_events SET position = 7 WHERE position = 16")
            .await;
        let broken = site.broken().await;
        assert_eq!(broken.position, Some(7));
    }
}

#[tokio::test]
async fn an_old_event_that_no_linker_took_is_found() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        site.record(minutes(0).minus(Duration::from_hours(1))).await;
        let broken = site.broken().await;
        assert!(
            broken.what.contains("is not in the chain although"),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn a_forged_head_stays_in_the_trail_for_good() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        // The last three events go, and the head with them.
        site.run("DELETE FROM audit_events WHERE position > 12")
            .await;
        site.run("UPDATE audit_head SET position = 12, hash = (SELECT e.hash FROM audit_events e WHERE e.position = 12)")
            .await;
        site.record(minutes(4)).await;
        assert_eq!(site.link(minutes(4)).await, 2);
        let broken = site.broken().await;
        assert!(
            broken.what.contains("had changed where the chain ends"),
            "{broken}"
        );
        // The head points back, the events are there: linking goes on behind them.
        site.run("UPDATE audit_head SET position = 2").await;
        site.record(minutes(6)).await;
        assert_eq!(site.link(minutes(6)).await, 2);
    }
}

#[tokio::test]
async fn a_checkpoint_kept_outside_finds_what_went_at_the_end() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        let store = &site.services.store;
        let all = store.list_checkpoints(1, 10).await.unwrap();
        let with = async |jws: &str| verify(&site.services, Some(jws)).await.unwrap();
        assert!(with(&all[1].jws).await.is_ok());
        // The whole database as it was behind the sixth event, seal and all.
        let audit = &site.services.audit;
        let mut tx = store.db().begin().await.unwrap();
        let mut head = tx.lock_audit_head().await.unwrap();
        let links = tx.list_links(5, 1).await.unwrap();
        head.link.position = 6;
        head.link.hash = links[0].2.clone().try_into().unwrap();
        (head.checkpoint, head.checkpoint_position) = (1, 6);
        head.seal = Some(audit.sealed(&head));
        tx.save_audit_head(&head).await.unwrap();
        tx.commit().await.unwrap();
        site.run("DELETE FROM audit_events WHERE position > 6")
            .await;
        site.run("DELETE FROM audit_checkpoints WHERE number > 1")
            .await;
        assert!(site.verify().await.is_ok());
        let broken = with(&all[1].jws).await.unwrap_err();
        assert!(broken.what.contains("removed at the end"), "{broken}");
        let broken = with("eyJ.e30.AA").await.unwrap_err();
        assert!(
            broken.what.contains("not one that this server signed"),
            "{broken}"
        );
        // The same places, other events.
        let another = Site::filled(&sqlite_fresh()).await;
        let foreign = another.services.store.list_checkpoints(1, 1).await.unwrap();
        assert!(with(&foreign[0].jws).await.is_err());
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
                    6 => retention::trim(&site.services, at).await.unwrap(),
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
        let linked = |(id, event): &(EventId, Event)| Linked::new(*id, event);
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
async fn retention_leaves_a_signed_beginning_and_nothing_else_passes_for_one() {
    for fresh in both().await {
        let site = Site::new(&fresh, &[("SIGNET_AUDIT_RETENTION", "10m")]).await;
        for n in 0..20 {
            site.record(minutes(n)).await;
            site.link(minutes(n)).await;
        }
        retention::trim(&site.services, minutes(20)).await.unwrap();
        let holds = site.holds().await;
        assert_eq!((holds.base, holds.events, holds.waiting), (10, 10, 1));
        // Again: there is nothing to do.
        retention::trim(&site.services, minutes(20)).await.unwrap();
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
        // Somebody helps retention along.
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
