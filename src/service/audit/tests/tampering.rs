//! Every change by an attacker who can write to the database is found and named.

use super::*;

/// A change in the database, the place at which it is found, and the words that name it.
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
        "changed the beginning or end of the chain",
    ),
    (
        &[
            "DELETE FROM audit_events",
            "DELETE FROM audit_checkpoints",
            "UPDATE audit_head SET position = 0, hash = NULL, checkpoint = 0, checkpoint_position = 0, checkpoint_at = 0",
        ],
        0,
        "changed the beginning or end of the chain",
    ),
    (
        &[
            "DELETE FROM audit_events",
            "DELETE FROM audit_checkpoints",
            "UPDATE audit_head SET position = 0, hash = NULL, checkpoint = 0, checkpoint_position = 0, checkpoint_at = 0, seal = NULL",
        ],
        0,
        "changed the beginning or end of the chain",
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
async fn retention_removes_nothing_that_was_made_to_look_old() {
    for (act, words) in [
        (
            "UPDATE audit_events SET at = 0 WHERE position <= 4",
            "column at was changed",
        ),
        (
            "UPDATE audit_events SET at = 0, body = REPLACE(body, '\"time\":\"20', '\"time\":\"10') WHERE position <= 4",
            "text or its hash was changed",
        ),
        (
            "DELETE FROM audit_checkpoints WHERE number = 1",
            "checkpoint 1 is missing",
        ),
    ] {
        for fresh in both().await {
            let site = Site::filled(&fresh).await;
            site.run(act).await;
            let trimmed = retention::trim(&site.services, minutes(5)).await.unwrap();
            let Trimmed::Refused(broken) = trimmed else {
                panic!("{act}: {trimmed:?}");
            };
            assert!(broken.what.contains(words), "{broken}");
            let store = &site.services.store;
            assert_eq!(store.list_chain(0, 100).await.unwrap().len(), 15);
            assert_eq!(store.audit_base().await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn retention_leaves_the_last_two_checkpoints_whatever_the_clock_says() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        site.trim(minutes(2_000_000)).await;
        let holds = site.holds().await;
        assert_eq!((holds.base, holds.events, holds.checkpoint), (6, 9, 2));
        // Again, when the last checkpoint but one is gone with its events.
        site.trim(minutes(2_000_000)).await;
        assert_eq!(site.holds().await.base, 6);
    }
}

/// A key that was made at that time.
async fn store_key(site: &Site, created_at: Ts) {
    let mut tx = site.services.store.db().begin().await.unwrap();
    let key = crate::store::signing_keys::StoredKey {
        dates: crate::domain::signing_key::KeyDates {
            alg: crate::spec::alg::SigningAlg::Es256,
            number: 1,
            activates_at: created_at,
            unused_since: None,
        },
        kid: "k".to_owned(),
        sealed: vec![0],
        created_at,
    };
    assert!(tx.insert_signing_key(&key).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_trail_that_was_wiped_is_found_at_the_next_start() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        store_key(&site, crate::spec::time::Clock::system().now()).await;
        site.run("DELETE FROM audit_events").await;
        site.run("DELETE FROM audit_checkpoints").await;
        site.run("UPDATE audit_head SET position = 0, hash = NULL, checkpoint = 0, checkpoint_position = 0, checkpoint_at = 0, seal = NULL")
            .await;
        let next = site.another(&fresh).await;
        let broken = next.broken().await;
        assert!(
            broken
                .what
                .contains("changed the beginning or end of the chain"),
            "{broken}"
        );
        assert_eq!(next.link(minutes(4)).await, 1);
        let broken = next.broken().await;
        assert!(
            broken.what.contains("had changed the end of the chain"),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn a_database_that_had_keys_before_it_had_a_trail_was_not_touched() {
    for fresh in both().await {
        let site = Site::new(&fresh, &[]).await;
        let before = crate::spec::time::Clock::system().now();
        store_key(&site, before.minus(Duration::from_hours(1))).await;
        // As the migration leaves it.
        site.run("UPDATE audit_head SET seal = NULL").await;
        let next = site.another(&fresh).await;
        assert_eq!(next.link(minutes(0)).await, 0);
        assert_eq!(next.holds().await.events, 0);
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
async fn an_event_that_no_linker_takes_is_found() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        site.record(minutes(0).minus(Duration::from_hours(1))).await;
        // Without linking, it only waits, however old it is.
        assert_eq!(site.holds().await.waiting, 1);
        let passing_by = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(400)).await;
                link_only_a_new_one(&site).await;
            }
        };
        let (verdict, ()) = tokio::join!(site.verify(), passing_by);
        let broken = verdict.unwrap_err();
        assert!(
            broken.what.contains("is not in the chain although"),
            "{broken}"
        );
    }
}

/// Links an event and none of those that wait.
async fn link_only_a_new_one(site: &Site) {
    let at = minutes(3);
    let mut new = Linked::new(EventId::new(at, random::bytes()), &event(at)).unwrap();
    let mut tx = site.services.store.db().begin().await.unwrap();
    let mut head = tx.lock_audit_head().await.unwrap();
    head.link = head.link.next(&new.body);
    new.link = head.link;
    tx.insert_linked(&[new]).await.unwrap();
    head.seal = Some(site.services.audit.sealed(&head));
    tx.save_audit_head(&head).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_event_from_a_server_whose_clock_is_behind_is_linked_in_its_turn() {
    for fresh in both().await {
        let site = Site::filled(&fresh).await;
        let (verdict, ()) = tokio::join!(site.verify(), async {
            for _ in 0..4 {
                site.record(minutes(0).minus(Duration::from_hours(1))).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                site.link(minutes(3)).await;
            }
        });
        assert!(verdict.is_ok(), "{}", verdict.unwrap_err());
    }
}

#[tokio::test]
async fn a_checkpoint_from_the_future_does_not_keep_the_next_one_away() {
    let fresh = sqlite_fresh();
    let site = Site::filled(&fresh).await;
    site.record(minutes(9)).await;
    site.link(minutes(60)).await;
    assert_eq!(site.holds().await.checkpoint, 3);
    site.record(minutes(9)).await;
    site.link(minutes(9)).await;
    assert_eq!(site.holds().await.checkpoint, 4);
}

#[tokio::test]
async fn the_note_of_tampering_is_linked_before_whatever_waits() {
    let fresh = sqlite_fresh();
    let site = Site::filled(&fresh).await;
    site.run("UPDATE audit_head SET checkpoint_at = 1").await;
    let mut tx = site.services.store.db().begin().await.unwrap();
    for _ in 0..linker::BATCH + 5 {
        let old = minutes(0).minus(Duration::from_hours(1));
        tx.record_event(&event(old)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(site.link(minutes(4)).await, linker::BATCH + 1);
    let next = site.services.store.list_chain(15, 1).await.unwrap();
    assert_eq!(next[0].columns.kind, EventType::AuditTampered.as_str());
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
            broken.what.contains("had changed the end of the chain"),
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
        let events = tx.list_chain(5, 1).await.unwrap();
        head.link.position = 6;
        head.link.hash = events[0].whole_hash().unwrap();
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
