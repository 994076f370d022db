//! What is too much to hold in memory, and what cannot be read.

use super::*;
use crate::domain::policy::Bounded;
use crate::service::decisions::{DecisionRequest, Who};
use crate::store::changes::POLICY;

const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
    INSERT INTO policies (id, cedar, enabled) SELECT 'many' || i, 'forbid(principal, action, resource);', $2 FROM n";

fn question() -> DecisionRequest {
    DecisionRequest {
        subject: Who::Username("alice".to_owned()),
        action: "read".to_owned(),
        resource_type: "order".to_owned(),
        resource_id: "1".to_owned(),
        resource_attributes: Map::new(),
        context: Map::new(),
        client: None,
        why: false,
    }
}

#[tokio::test]
async fn too_many_policies_are_refused_and_those_before_go_on_deciding() {
    let at = Site::new().await;
    at.make(&site()).await;
    let decide = async || {
        let now = at.services.clock.now();
        at.services.decisions.refresh().await.unwrap();
        let asked = question();
        let decision = at.services.decisions.decide(&asked, now);
        decision.await.unwrap().allowed
    };
    assert!(decide().await);
    let mut tx = at.services.store.db().begin().await.unwrap();
    let many = tx.q(MANY).bind(Bounded::Policies.most()).bind(true);
    many.exec().await.unwrap();
    bump_changes(&mut tx, POLICY).await.unwrap();
    tx.commit().await.unwrap();
    // All of them forbid, but none was taken over.
    assert!(decide().await);

    let refused = at.apply(&site(), Options::default()).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("5001 policies; at most 5000"), "{told}");

    // Another process finds nothing that it could decide by.
    let alone = Services::start(at.services.config.clone()).await.unwrap();
    let now = alone.clock.now();
    assert!(alone.decisions.decide(&question(), now).await.is_err());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_takes_nothing_down() {
    const BROKEN: [&str; 2] = [
        "INSERT INTO attribute_types (of_kind, name, type, required) VALUES ('user', 'x', 'of-tomorrow', $1)",
        "INSERT INTO groups (name, attributes) SELECT 'broken', '[]' WHERE NOT $1",
    ];
    for broken in BROKEN {
        let at = Site::new().await;
        at.make(&site()).await;
        let decisions = &at.services.decisions;
        decisions.refresh().await.unwrap();
        let mut tx = at.services.store.db().begin().await.unwrap();
        tx.q(broken).bind(false).exec().await.unwrap();
        bump_changes(&mut tx, POLICY).await.unwrap();
        tx.commit().await.unwrap();
        let decide = async || {
            let asked = question();
            let decision = decisions.decide(&asked, at.services.clock.now());
            decision.await.unwrap().allowed
        };
        decisions.refresh().await.unwrap();
        assert!(decide().await, "{broken}");
        // Longer than decisions are made without looking again.
        tokio::time::sleep(std::time::Duration::from_millis(3300)).await;
        assert!(decide().await, "{broken}");

        // Who has nothing from before decides nothing.
        let alone = Services::start(at.services.config.clone()).await.unwrap();
        let now = alone.clock.now();
        assert!(alone.decisions.decide(&question(), now).await.is_err());
    }
}
