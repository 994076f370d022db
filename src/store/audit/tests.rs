use super::super::db::tests::{Fresh, both};
use super::*;
use crate::domain::audit::{Actor, Origin};

pub(super) const NOW: Ts = Ts(1_790_000_000_000_000);

pub(super) async fn store(fresh: &Fresh) -> Store {
    let store = Store::open(&fresh.url, 4).await.unwrap();
    store.migrate().await.unwrap();
    store
}

fn later(millis: u64) -> Ts {
    NOW.plus(Duration::from_millis(millis))
}

async fn record(store: &Store, event: Event) -> EventId {
    let mut tx = store.db().begin().await.unwrap();
    let id = tx.record_event(&event).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn user(n: u8) -> UserId {
    UserId::from_random([n; 16])
}

#[tokio::test]
async fn an_event_lives_and_dies_with_its_transaction() {
    for fresh in both().await {
        let store = store(&fresh).await;
        let event = Event::new(EventType::UserCreated, &Origin::system(), NOW);
        let mut tx = store.db().begin().await.unwrap();
        let gone = tx.record_event(&event).await.unwrap();
        drop(tx);
        let kept = record(&store, event.clone()).await;
        assert!(store.find_event(gone).await.unwrap().is_none());
        let found = store.find_event(kept).await.unwrap().unwrap();
        assert_eq!(found.body, event.body(kept).unwrap());
        assert_eq!(found.columns, event.columns());
        assert_eq!((found.position, found.whole_hash()), (None, None));
    }
}

#[tokio::test]
async fn every_filter_finds_its_own_and_nothing_else() {
    for fresh in both().await {
        let store = store(&fresh).await;
        let web = ClientId::parse("web").unwrap();
        let request = Origin::request([192, 0, 2, 1].into(), "request-1".to_owned());
        let person = request.by(Actor::Person(user(9)));
        let wanted = Event::new(EventType::ConsentGiven, &person, later(5))
            .target("consent", "c1")
            .user(user(1))
            .client(&web)
            .organization("acme");
        let id = record(&store, wanted).await;
        for n in 0..5 {
            let other = Event::new(EventType::UserUpdated, &Origin::system(), later(n * 2));
            record(&store, other.user(user(2)).target("user", &n)).await;
        }
        let set = |change: fn(&mut EventFilter)| {
            let mut filter = EventFilter::default();
            change(&mut filter);
            filter
        };
        for filter in [
            set(|f| f.actor_id = Some(user(9).to_string())),
            set(|f| f.actor_kind = Some("person".to_owned())),
            set(|f| f.user = Some(user(1))),
            set(|f| f.client = ClientId::parse("web")),
            set(|f| f.kind = Some(EventType::ConsentGiven)),
            set(|f| f.target_kind = Some("consent".to_owned())),
            set(|f| f.target_id = Some("c1".to_owned())),
            set(|f| f.organization = Some("acme".to_owned())),
            set(|f| f.request_id = Some("request-1".to_owned())),
            set(|f| (f.since, f.until) = (Some(later(5)), Some(later(6)))),
            set(|f| (f.since, f.until) = (Some(later(5)), Some(Ts(later(5).micros() + 1)))),
            set(|f| {
                f.target_id = Some("c1".to_owned());
                f.until = Some(Ts(i64::MAX));
            }),
        ] {
            let found = store.list_events(&filter, None, 10).await.unwrap();
            let found: Vec<_> = found.iter().map(|event| event.id).collect();
            assert_eq!(found, [id], "{filter:?}");
        }
        let until = set(|f| (f.kind, f.until) = (Some(EventType::ConsentGiven), Some(later(5))));
        assert!(
            store
                .list_events(&until, None, 10)
                .await
                .unwrap()
                .is_empty()
        );
        let both = set(|f| (f.user, f.kind) = (Some(user(1)), Some(EventType::UserUpdated)));
        assert!(store.list_events(&both, None, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn pages_run_from_new_to_old_and_new_events_move_nothing() {
    for fresh in both().await {
        let store = store(&fresh).await;
        let mut ids = Vec::new();
        for n in 0..25 {
            let event = Event::new(EventType::UserUpdated, &Origin::system(), later(n / 3));
            ids.push(record(&store, event.user(user(1))).await);
        }
        ids.sort();
        ids.reverse();
        for filter in [
            EventFilter::default(),
            EventFilter {
                user: Some(user(1)),
                ..EventFilter::default()
            },
        ] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = store.list_events(&filter, before, 4).await.unwrap();
                let Some(last) = page.last() else { break };
                before = Some(last.id);
                seen.extend(page.iter().map(|event| event.id));
                let newer = Event::new(EventType::UserDeleted, &Origin::system(), later(9999));
                record(&store, newer.user(user(1))).await;
            }
            seen.retain(|id| ids.contains(id));
            assert_eq!(seen, ids);
        }
    }
}
