//! Every type of event happens, and says what was before and after.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::document::Document;
use super::support::{Api, PASSWORD};
use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, MACHINE, WEB};
use crate::support::engines::on_every_engine;
use crate::support::receiver::Receiver;
use crate::support::server::{ALICE, Server};

/// What does not happen here.
const EXCEPTIONS: [(&str, &str); 4] = [
    (
        "audit.dropped",
        "happens when the database takes no event for so long that memory is full",
    ),
    (
        "audit.trimmed",
        "happens when events are older than audit_retention, and is looked after every ten minutes",
    ),
    (
        "audit.tampered",
        "happens when a row was changed beside Signet",
    ),
    (
        "key.deleted",
        "happens when the last token of a retired key has expired",
    ),
];

/// Every event, newest first.
async fn all(api: &Api<'_>) -> Vec<Value> {
    let mut events = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!("/v1/audit_events?limit=100{cursor}"))
            .await
            .done(200)
            .json();
        events.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

fn types(events: &[Value]) -> BTreeSet<String> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

/// An administrator through the link in the log, and a link for when there is none any more.
async fn set_up(server: &Server) {
    let log = server.log();
    let at = log
        .rfind("/setup?token=")
        .unwrap_or_else(|| panic!("no set-up link in {log}"));
    let link: String = log[at..]
        .chars()
        .take_while(|it| !it.is_whitespace() && *it != '"')
        .collect();
    let browser = Browser::new(server);
    let page = browser.open(&link).await;
    let fields = [
        ("username", "first"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    assert_eq!(
        browser.submit(&page, "setup-submit", &fields).await.status,
        200
    );
    server.signet_ok(&["admin", "recover"]);
}

async fn people(api: &Api<'_>) {
    let created = api
        .post(
            "/v1/users",
            json!({ "username": "carol", "password": PASSWORD }),
        )
        .await
        .done(201);
    let (carol, id) = (created.header("location"), created.text("id"));
    api.patch(carol, json!({ "email": "carol@example.test" }))
        .await
        .done(200);
    api.patch(carol, json!({ "disabled": true }))
        .await
        .done(200);
    api.patch(carol, json!({ "disabled": false }))
        .await
        .done(200);
    api.put(
        &format!("{carol}/password"),
        json!({ "password": "another pass phrase" }),
    )
    .await
    .done(204);
    api.post(&format!("{carol}/revoke_tokens"), json!({}))
        .await
        .done(204);

    api.post("/v1/roles", json!({ "name": "reader" }))
        .await
        .done(201);
    api.patch(
        "/v1/roles/reader",
        json!({ "permissions": ["Document:read"] }),
    )
    .await
    .done(200);
    api.post("/v1/organizations", json!({ "name": "acme" }))
        .await
        .done(201);
    api.patch("/v1/organizations/acme", json!({ "description": "Acme" }))
        .await
        .done(200);
    api.post("/v1/groups", json!({ "name": "staff" }))
        .await
        .done(201);
    api.patch(
        "/v1/groups/staff",
        json!({ "description": "All", "attributes": { "floor": 3 } }),
    )
    .await
    .done(200);
    let given = json!({ "user_id": id, "role": "reader", "organization": "acme" });
    let given = api.post("/v1/assignments", given).await.done(201);
    let member = [
        format!("/v1/groups/staff/members/{id}"),
        format!("/v1/organizations/acme/members/{id}"),
    ];
    for member in &member {
        api.put(member, json!({})).await.done(204);
    }
    let level = format!("{carol}/levels/Document/7");
    api.put(&level, json!({ "level": "read" })).await.done(200);
    api.put(&level, json!({ "level": "write" })).await.done(200);
    api.delete(&level).await.done(204);
    api.delete(given.header("location")).await.done(204);
    for path in &member {
        api.delete(path).await.done(204);
    }
    let role = json!({ "group": "staff", "role": "reader", "organization": "acme" });
    api.post("/v1/assignments", role).await.done(201);
    let level = "/v1/groups/staff/levels/Document/8";
    api.put(level, json!({ "level": "delete" })).await.done(200);
    for path in [
        "/v1/groups/staff",
        "/v1/organizations/acme",
        "/v1/roles/reader",
        carol,
    ] {
        api.delete(path).await.done(204);
    }
}

async fn things(api: &Api<'_>) {
    let cedar = "permit(principal, action, resource is Document);";
    api.post("/v1/policies", json!({ "id": "all", "cedar": cedar }))
        .await
        .done(201);
    api.patch("/v1/policies/all", json!({ "enabled": false }))
        .await
        .done(200);
    let identifier = "https://files.example.test";
    let resource = api
        .post("/v1/resources", json!({ "identifier": identifier }))
        .await
        .done(201);
    let resource = resource.header("location");
    api.patch(resource, json!({ "name": "Files" }))
        .await
        .done(200);
    let (attribute, object) = ("/v1/attributes/user/floor", "/v1/objects/Document/42");
    api.put(attribute, json!({ "type": "long" }))
        .await
        .done(200);
    api.put(attribute, json!({ "type": "string" }))
        .await
        .done(200);
    api.put(object, json!({})).await.done(200);
    api.put(object, json!({ "attributes": { "secret": true } }))
        .await
        .done(200);
    let client = "/v1/clients/job";
    api.post(
        "/v1/clients",
        json!({ "client_id": "job", "grant_types": ["client_credentials"] }),
    )
    .await
    .done(201);
    api.patch(client, json!({ "client_name": "Job" }))
        .await
        .done(200);
    api.patch(client, json!({ "disabled": true }))
        .await
        .done(200);
    api.patch(client, json!({ "disabled": false }))
        .await
        .done(200);
    api.post(&format!("{client}/secrets"), json!({}))
        .await
        .done(201);
    for path in [client, object, attribute, resource, "/v1/policies/all"] {
        api.delete(path).await.done(204);
    }
    api.post("/v1/signing_keys", json!({ "alg": "ES256" }))
        .await
        .done(201);
}

/// One webhook is told, told again and says that it is gone.
async fn webhooks(api: &Api<'_>, receiver: &Receiver) {
    let fields = json!({ "url": receiver.url(), "event_types": ["webhook.updated"] });
    let created = api.post("/v1/webhooks", fields).await.done(201);
    let path = created.header("location");
    api.patch(path, json!({ "description": "Ours" }))
        .await
        .done(200);
    api.post(&format!("{path}/secrets"), json!({}))
        .await
        .done(201);
    receiver.messages(1).await;
    let deliveries = api
        .get(&format!("{path}/deliveries"))
        .await
        .done(200)
        .json();
    let delivery = deliveries["data"][0]["id"].as_str().unwrap();
    receiver.answer(StatusCode::GONE);
    api.post(
        &format!("{path}/deliveries/{delivery}/redeliver"),
        json!({}),
    )
    .await
    .done(200);
    receiver.messages(2).await;
    let began = Instant::now();
    while api.get(path).await.done(200).json()["enabled"] == true {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "who is gone is still told"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    api.delete(path).await.done(204);
}

/// What people and clients do without the API.
async fn tokens(server: &Server) {
    let (name, _) = ALICE;
    let browser = Browser::new(server);
    let page = browser.open("/login").await;
    browser
        .submit(
            &page,
            "login-submit",
            &[("username", name), ("password", "not hers")],
        )
        .await;
    let request = Authorization::of(&WEB, "openid offline_access");
    let tokens = server.signed_in_with(&browser, &WEB, request).await;
    let again = Authorization::of(&WEB, "openid offline_access").with("prompt", "login");
    server.signed_in_with(&browser, &WEB, again).await;
    server
        .refresh(&WEB, &tokens.refresh_token())
        .await
        .succeeded();
    server
        .refresh(&WEB, &tokens.refresh_token())
        .await
        .failed(400, "invalid_grant");
    let machine = server.machine_token().await;
    server.revoke(&MACHINE, &machine).await;
    let form = [("grant_type", "client_credentials"), ("scope", "openid")];
    server
        .token(&MACHINE, &form)
        .await
        .failed(400, "invalid_scope");
    let forged = server
        .http()
        .post(server.url("/token"))
        .basic_auth("machine", Some("not its secret"));
    Answer::to(forged.form(&form))
        .await
        .failed(401, "invalid_client");
    let asking = Authorization::of(&WEB, "openid email").with("prompt", "consent");
    let page = browser.open(&asking.url(server)).await;
    browser.submit(&page, "consent-deny", &[]).await;
    let account = browser.open("/account").await;
    browser.submit(&account, "account-remove-1", &[]).await;
    let page = browser.open("/logout").await;
    browser.submit(&page, "logout-confirm", &[]).await;
}

fn of<'a>(events: &'a [Value], kind: &str, user: bool) -> Vec<&'a Value> {
    let mut found: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == kind && (!user || event["user_id"].is_string()))
        .collect();
    found.reverse();
    found
}

on_every_engine! {
    async fn every_type_of_event_happens(server: Server) {
        let receiver = Receiver::start().await;
        let settings = [("SIGNET_FETCH_ALLOW_HOSTS", receiver.host.as_str()), ("SIGNET_REFRESH_RETRY_WINDOW", "0")];
        let server = server.with_settings(&settings);
        set_up(&server).await;
        let robot = Api::robot(&server).await;
        let nobody = Api::person(&server, "nobody", &[]).await;
        nobody.get("/v1/users").await.problem(403, "forbidden");
        people(&robot).await;
        things(&robot).await;
        webhooks(&robot, &receiver).await;
        tokens(&server).await;

        let known = Document::read(&server).await.allowed("list_audit_events", "type");
        let exceptions = EXCEPTIONS.map(|(name, _)| name.to_owned());
        let expected: BTreeSet<_> = known.into_iter().filter(|name| !exceptions.contains(name)).collect();
        // What only tells of tokens waits in memory for a moment.
        let began = Instant::now();
        let events = loop {
            let events = all(&robot).await;
            let seen = types(&events);
            if seen == expected {
                break events;
            }
            let missing: Vec<_> = expected.difference(&seen).collect();
            let more: Vec<_> = seen.difference(&expected).collect();
            assert!(began.elapsed() < Duration::from_secs(10), "missing: {missing:?}, more: {more:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let ids: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), events.len(), "an event is on one page");

        let said = |event: &Value| (event.get("before").cloned(), event.get("after").cloned());
        let levels = of(&events, "level.set", true);
        let level = |level: &str| Some(json!({ "resource": "Document:7", "level": level }));
        assert_eq!(said(levels[0]), (None, level("read")), "{levels:#?}");
        assert_eq!(said(levels[1]), (level("read"), level("write")), "{levels:#?}");
        let removed = of(&events, "level.removed", true);
        assert_eq!((removed.len(), said(removed[0])), (1, (level("write"), None)), "{removed:#?}");

        let given: Vec<_> = of(&events, "assignment.created", true).into_iter().filter(|it| it["organization"] == "acme").collect();
        let taken = of(&events, "assignment.deleted", true);
        assert_eq!((given.len(), taken.len()), (1, 1), "{given:#?} {taken:#?}");
        for (name, organization) in [("role", "reader"), ("organization", "acme")] {
            assert_eq!(given[0]["after"][name], organization, "{given:#?}");
            assert_eq!(taken[0]["before"][name], organization, "{taken:#?}");
        }
        assert_eq!((given[0].get("before"), taken[0].get("after")), (None, None));
        assert_eq!(given[0]["after"], taken[0]["before"]);
        assert_eq!(given[0]["after"]["user_id"], given[0]["user_id"]);

        let gone = of(&events, "group.deleted", false);
        assert_eq!((gone.len(), &gone[0]["target"]["id"], gone[0].get("after")), (1, &json!("staff"), None), "{gone:#?}");
        // What it gave its members is gone with it, and is told.
        let was = &gone[0]["before"];
        assert_eq!((&was["description"], &was["attributes"]), (&json!("All"), &json!({ "floor": 3 })), "{was:#}");
        assert_eq!((&was["roles"][0]["role"], &was["roles"][0]["organization"]), (&json!("reader"), &json!("acme")), "{was:#}");
        let levels = was["levels"].to_string();
        assert!(levels.contains("Document:8") && levels.contains("delete"), "{was:#}");
        for kind in ["role.deleted", "organization.deleted", "policy.deleted", "object.deleted", "attribute.deleted", "resource.deleted", "webhook.deleted", "client.deleted", "user.deleted"] {
            for event in of(&events, kind, false) {
                assert!(event["before"].is_object() && event.get("after").is_none(), "{kind}: {event:#}");
            }
        }
    }
}
