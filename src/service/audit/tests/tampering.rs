//! Whatever somebody does who can write to the database, it is found and named.

use super::*;

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
