use proptest::prelude::*;

use super::guard::{MAX_BYTES, MAX_NAME_BYTES};
use super::*;

const NOW: Ts = Ts(1_790_000_000_123_456);

type Change = fn(&mut Columns);

fn origin() -> Origin {
    Origin::request([192, 0, 2, 7].into(), "request-1".to_owned())
        .by(Actor::Person(UserId::from_random([1; 16])))
        .through(&ClientId::parse("console").unwrap())
}

#[test]
fn every_type_has_one_name_and_is_read_back() {
    let names: std::collections::HashSet<_> =
        EventType::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), EventType::ALL.len());
    for kind in EventType::ALL {
        assert_eq!(EventType::parse(kind.as_str()), Some(*kind));
        assert!(kind.as_str().contains('.'));
    }
    assert_eq!(EventType::parse("user"), None);
}

#[test]
fn the_body_says_how_a_client_has_authenticated_and_of_nobody_else() {
    let id = ClientId::parse("web").unwrap();
    let client = origin().by_client(&id, AuthMethod::ClientSecretPost);
    let actor = |origin: &Origin| {
        let body = Event::new(EventType::TokenIssued, origin, NOW).body(EventId::new(NOW, [3; 10]));
        let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
        body["actor"].clone()
    };
    let told = actor(&client);
    assert_eq!(told["kind"], "client");
    assert_eq!(told["id"], "web");
    assert_eq!(told["auth_method"], "client_secret_post");
    assert_eq!(actor(&client.by(Actor::System))["auth_method"], Value::Null);
    assert_eq!(actor(&origin())["auth_method"], Value::Null);
}

#[test]
fn the_body_says_who_did_what_to_whom_from_where() {
    let user = UserId::from_random([2; 16]);
    let event = Event::new(EventType::UserUpdated, &origin(), NOW)
        .target("user", &user)
        .user(user)
        .organization("acme")
        .before(json!({ "name": "a" }))
        .after(json!({ "name": "b" }))
        .detail("reason", "asked");
    let id = EventId::new(NOW, [3; 10]);
    let body: Value = serde_json::from_str(&event.body(id).unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "id": id.to_string(),
            "time": "2026-09-21T14:13:20.123456Z",
            "type": "user.updated",
            "actor": { "kind": "person", "id": UserId::from_random([1; 16]).to_string(), "client_id": "console" },
            "ip": "192.0.2.7",
            "request_id": "request-1",
            "target": { "type": "user", "id": user.to_string() },
            "user_id": user.to_string(),
            "organization": "acme",
            "before": { "name": "a" },
            "after": { "name": "b" },
            "detail": { "reason": "asked" },
        })
    );
    assert_eq!(
        event.columns().differs_from(id, &event.body(id).unwrap()),
        None
    );
}

#[test]
fn members_named_like_secrets_never_get_into_a_body() {
    let view = json!({
        "client_secret": "s3cr3t", "password_hash": "s3cr3t", "Token": "s3cr3t", "refresh_token": "s3cr3t",
        "private_key": "s3cr3t", "token_endpoint_auth_method": "none",
        "list": [{ "SECRET": "s3cr3t", "kept": true }],
    });
    let event = Event::new(EventType::ClientUpdated, &origin(), NOW)
        .before(view.clone())
        .after(view)
        .detail("password", "s3cr3t");
    let body = event.body(EventId::new(NOW, [0; 10])).unwrap();
    assert!(!body.contains("s3cr3t"), "{body}");
    assert!(body.contains("token_endpoint_auth_method") && body.contains("kept"));
}

#[test]
fn a_view_that_is_too_long_is_named_by_its_size_and_digest() {
    let long = json!({ "text": "x".repeat(MAX_BYTES), "permissions": ["order:read"] });
    let event = Event::new(EventType::PolicyCreated, &origin(), NOW)
        .target("policy", &"p".repeat(5000))
        .after(long);
    let body = event.body(EventId::new(NOW, [0; 10])).unwrap();
    assert!(body.len() < 3 * MAX_NAME_BYTES, "{}", body.len());
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["after"]["text"]["left_out"]["bytes"], MAX_BYTES + 2);
    // What is short beside it is still told.
    assert_eq!(body["after"]["permissions"], json!(["order:read"]));
    assert_eq!(body["target"]["id"].as_str().unwrap().len(), MAX_NAME_BYTES);
}

#[test]
fn each_column_that_differs_from_the_body_is_named() {
    let event = Event::new(EventType::UserCreated, &origin(), NOW)
        .target("user", "1")
        .user(UserId::from_random([2; 16]))
        .client(&ClientId::parse("web").unwrap());
    let id = EventId::new(NOW, [3; 10]);
    let body = event.body(id).unwrap();
    let changes: [(&str, Change); 10] = [
        ("at", |c| {
            c.at = c.at.plus(std::time::Duration::from_micros(1));
        }),
        ("type", |c| c.kind = "user.deleted".to_owned()),
        ("actor_kind", |c| c.actor_kind = "system".to_owned()),
        ("actor_id", |c| c.actor_id = None),
        ("user_id", |c| c.user_id = None),
        ("client_id", |c| c.client_id = Some("other".to_owned())),
        ("target_kind", |c| c.target_kind = None),
        ("target_id", |c| c.target_id = Some("2".to_owned())),
        ("organization", |c| c.organization = Some("acme".to_owned())),
        ("request_id", |c| c.request_id = None),
    ];
    for (name, change) in changes {
        let mut columns = event.columns();
        change(&mut columns);
        assert_eq!(columns.differs_from(id, &body), Some(name));
    }
    let other = EventId::new(NOW, [4; 10]);
    assert_eq!(event.columns().differs_from(other, &body), Some("id"));
    assert_eq!(event.columns().differs_from(id, "[]"), Some("body"));
}

#[test]
fn ids_sort_by_time() {
    let (early, late) = (NOW, NOW.plus(std::time::Duration::from_millis(1)));
    assert!(EventId::new(early, [255; 10]) < EventId::first_at(late));
    assert!(EventId::first_at(late) <= EventId::new(late, [0; 10]));
    assert!(EventId::new(late, [255; 10]) < EventId::last());
}

proptest! {
    #[test]
    fn a_link_depends_on_everything_before_it(a in ".*", b in ".*") {
        let after_a = Link::START.next(&a);
        prop_assert_eq!(after_a.position, 1);
        prop_assert_eq!(after_a == Link::START.next(&b), a == b);
        prop_assert_ne!(after_a.next(&b).hash, Link::START.next(&b).hash);
    }

    #[test]
    fn columns_always_agree_with_the_body(target in ".*", request in ".*", account in ".*") {
        let mut origin = Origin::operator(Some(account));
        origin.request_id = Some(request);
        let event = Event::new(EventType::RoleCreated, &origin, NOW).target("role", &target);
        let id = EventId::new(NOW, [1; 10]);
        prop_assert_eq!(event.columns().differs_from(id, &event.body(id).unwrap()), None);
    }
}
