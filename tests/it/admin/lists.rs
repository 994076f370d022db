//! Every list is read a page at a time, whatever others write meanwhile.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::document::{Document, Operation};
use super::support::Api;
use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, OWN};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, Server};

/// Of everything there are so many, which is more than a page has if nobody says how many.
const MANY: usize = 22;

/// A list of the document, the address at which it is long, and what puts something into it.
struct List {
    template: String,
    address: String,
    insert: Insert,
}

enum Insert {
    Request(Method, String, Value),
    /// Alice signs in once more, and an application asks for her.
    SignIn,
}

async fn sign_in(server: &Server) {
    let request = Authorization::of(&OWN, "openid offline_access");
    server
        .signed_in_with(&Browser::new(server), &OWN, request)
        .await;
}

/// What the command line can make many of in one go.
fn apply_many(server: &Server) {
    let mut document = format!("[[users]]\nusername = \"{}\"\n[users.levels]\n", ALICE.0);
    for at in 0..MANY {
        writeln!(document, "\"Thing:{at:02}\" = \"read\"").unwrap();
    }
    document.push_str("[[groups]]\nname = \"all\"\nroles = [");
    for at in 0..MANY {
        write!(document, "\"role-{at:02}\", ").unwrap();
    }
    document.push_str("]\n[groups.levels]\n");
    for at in 0..MANY {
        writeln!(document, "\"Thing:{at:02}\" = \"read\"").unwrap();
    }
    document.push_str("[[organizations]]\nname = \"everybody\"\n");
    for at in 0..MANY {
        write!(
            document,
            r#"
            [[roles]]
            name = "role-{at:02}"

            [[groups]]
            name = "group-{at:02}"

            [[organizations]]
            name = "org-{at:02}"

            [[resources]]
            identifier = "https://r-{at:02}.example.test"

            [[clients]]
            client_id = "client-{at:02}"
            client_secret = "a secret that is long enough for anyone"
            grant_types = ["client_credentials"]

            [[users]]
            username = "person-{at:02}"
            groups = ["all"]
            organizations = ["everybody"]

            [[objects]]
            resource = "Thing:{at:02}"

            [[attributes]]
            of = "Thing"
            name = "attribute_{at:02}"
            type = "long"

            [[policies]]
            id = "policy-{at:02}"
            cedar = "permit(principal, action, resource is Thing);"
            enabled = false
            "#
        )
        .unwrap();
    }
    server.apply(&document);
}

/// Every list, filled.
async fn furnish(server: &Server, api: &Api<'_>) -> Vec<List> {
    apply_many(server);
    let found = api.get("/v1/users?q=alice").await.done(200).json();
    let alice = found["data"][0]["id"].as_str().unwrap().to_owned();
    let hook = json!({ "url": "https://hooks.example.test/", "event_types": ["webhook.created"] });
    let told = api.post("/v1/webhooks", hook.clone()).await.done(201);
    for _ in 0..MANY {
        api.post("/v1/webhooks", hook.clone()).await.done(201);
        sign_in(server).await;
    }
    for alg in ["PS256", "EdDSA"] {
        server.apply(&format!(
            "[[clients]]\nclient_id = \"of-{alg}\"\ngrant_types = [\"client_credentials\"]\naccess_token_signed_response_alg = \"{alg}\"\n"
        ));
    }
    for alg in ["ES256", "PS256", "EdDSA"] {
        let next = json!({ "alg": alg });
        api.post("/v1/signing_keys", next).await.done(201);
    }
    let later = json!({ "username": "person-10a" });
    let later = api.post("/v1/users", later).await.done(201).text("id");
    let deliveries = format!("{}/deliveries", told.header("location"));
    let mut lists = vec![List::new(
        "/v1/webhooks/{id}/deliveries",
        &deliveries,
        post("webhooks", hook.clone()),
    )];
    lists.extend(of_people(&alice, &later));
    lists.extend(of_things());
    for (template, address) in [
        ("/v1/webhooks", "/v1/webhooks"),
        ("/v1/audit_events", "/v1/audit_events?type=webhook.created"),
    ] {
        lists.push(List::new(template, address, post("webhooks", hook.clone())));
    }
    // Messages are made of events a moment after them.
    let began = Instant::now();
    while names(&lists[0].page(api, "limit=100").await).len() < MANY + 1 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "a webhook is told of itself and of {MANY} others"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lists
}

fn post(collection: &str, body: Value) -> Insert {
    Insert::Request(Method::POST, format!("/v1/{collection}"), body)
}

fn put(path: String, body: Value) -> Insert {
    Insert::Request(Method::PUT, path, body)
}

/// What is new is somewhere between what is there, as far as names have an order.
fn of_people(alice: &str, later: &str) -> Vec<List> {
    let of_alice = |what: &str| format!("/v1/users/{alice}/{what}");
    let level = json!({ "level": "read" });
    let (group, organization) = ("/v1/groups/all", "/v1/organizations/everybody");
    let member = |of: &str| put(format!("{of}/members/{later}"), json!({}));
    let role = json!({ "group": "all", "role": "role-10a" });
    let all = [
        (
            "users",
            "users?q=person-",
            post("users", json!({ "username": "person-10b" })),
        ),
        (
            "users/{id}/sessions",
            &of_alice("sessions")[4..],
            Insert::SignIn,
        ),
        (
            "users/{id}/grants",
            &of_alice("grants")[4..],
            Insert::SignIn,
        ),
        (
            "users/{id}/levels",
            &of_alice("levels")[4..],
            put(of_alice("levels/Thing/10a"), level.clone()),
        ),
        (
            "roles",
            "roles",
            post("roles", json!({ "name": "role-10a" })),
        ),
        (
            "assignments",
            "assignments?group=all",
            post("assignments", role),
        ),
        (
            "groups",
            "groups",
            post("groups", json!({ "name": "group-10a" })),
        ),
        ("groups/{name}/members", "groups/all/members", member(group)),
        (
            "groups/{name}/levels",
            "groups/all/levels",
            put(format!("{group}/levels/Thing/10a"), level),
        ),
        (
            "organizations",
            "organizations",
            post("organizations", json!({ "name": "org-10a" })),
        ),
        (
            "organizations/{name}/members",
            "organizations/everybody/members",
            member(organization),
        ),
    ];
    let each = all.into_iter().map(|(template, address, insert)| {
        List::new(
            &format!("/v1/{template}"),
            &format!("/v1/{address}"),
            insert,
        )
    });
    each.collect()
}

fn of_things() -> Vec<List> {
    let client = json!({ "client_id": "client-10a", "grant_types": ["client_credentials"] });
    let cedar = "permit(principal, action, resource is Thing);";
    let policy = json!({ "id": "policy-10a", "cedar": cedar, "enabled": false });
    let attribute = "/v1/attributes/Thing/attribute_10a".to_owned();
    let all = [
        ("clients", "", post("clients", client)),
        (
            "resources",
            "",
            post(
                "resources",
                json!({ "identifier": "https://r-10a.example.test" }),
            ),
        ),
        (
            "objects",
            "?resource_type=Thing",
            put("/v1/objects/Thing/10a".to_owned(), json!({})),
        ),
        ("policies", "", post("policies", policy)),
        ("attributes", "", put(attribute, json!({ "type": "long" }))),
        (
            "signing_keys",
            "",
            post("signing_keys", json!({ "alg": "RS256" })),
        ),
    ];
    let each = all.into_iter().map(|(template, query, insert)| {
        let template = format!("/v1/{template}");
        List::new(&template, &format!("{template}{query}"), insert)
    });
    each.collect()
}

impl List {
    fn new(template: &str, address: &str, insert: Insert) -> Self {
        let (template, address) = (template.to_owned(), address.to_owned());
        Self {
            template,
            address,
            insert,
        }
    }

    fn with(&self, parameters: &str) -> String {
        let joint = if self.address.contains('?') { '&' } else { '?' };
        format!("{}{joint}{parameters}", self.address)
    }

    async fn page(&self, api: &Api<'_>, parameters: &str) -> Value {
        let page = api.get(&self.with(parameters)).await.done(200).json();
        assert_eq!(
            page["has_more"],
            json!(page["next_cursor"].is_string()),
            "{}: {page}",
            self.address
        );
        page
    }

    async fn insert(&self, server: &Server, api: &Api<'_>) {
        match &self.insert {
            Insert::Request(method, path, body) => {
                let answer = Answer::to(api.request(method.clone(), path).json(body)).await;
                assert!((200..=204).contains(&answer.status), "{path}: {answer:?}");
            }
            Insert::SignIn => sign_in(server).await,
        }
    }
}

/// What names an item, whatever else of it changes meanwhile.
fn name(item: &Value) -> String {
    let members = [
        "id",
        "client_id",
        "identifier",
        "user_id",
        "name",
        "resource_id",
        "kid",
    ];
    let named = members.iter().find(|member| item[**member].is_string());
    item[*named.unwrap_or_else(|| panic!("what names {item}?"))].to_string()
}

fn names(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(name).collect()
}

on_every_engine! {
    async fn every_list_of_the_document_is_read_to_its_end_while_others_write(server: Server) {
        let server = server.with_settings(&[("SIGNET_API_REQUESTS_PER_MINUTE", "0")]);
        let api = Api::robot(&server).await;
        let lists = furnish(&server, &api).await;
        let known: BTreeSet<_> = lists.iter().map(|list| list.template.clone()).collect();
        let all = Document::read(&server).await.operations().into_iter().filter(Operation::is_list);
        assert_eq!(all.map(|list| list.path).collect::<BTreeSet<_>>(), known, "this test knows every list");

        for list in &lists {
            let what = list.template.as_str();
            // There are four algorithms, each with a key that signs and the next.
            let count = if what == "/v1/signing_keys" { 7 } else { MANY };
            let whole = list.page(&api, "limit=100").await;
            let before: BTreeSet<_> = names(&whole).into_iter().collect();
            assert!(before.len() >= count && whole["next_cursor"].is_null(), "{what}: {whole}");
            let usual = api.get(&list.address).await.done(200).json();
            assert_eq!(names(&usual).len(), before.len().min(20), "{what}: 20 if nobody says how many");
            for limit in ["0", "101", "-1", "many", ""] {
                api.get(&list.with(&format!("limit={limit}"))).await.problem(400, "invalid_param");
            }
            api.get(&list.with("cursor=%25")).await.problem(400, "invalid_param");

            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = list.page(&api, &format!("limit=1{cursor}")).await;
                let found = names(&page);
                assert!(found.len() == 1 || page["next_cursor"].is_null(), "{what}: {page}");
                seen.extend(found);
                if seen.len() == 3 {
                    list.insert(&server, &api).await;
                }
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            let once: BTreeSet<_> = seen.iter().cloned().collect();
            assert_eq!(once.len(), seen.len(), "{what}: an item comes once: {seen:?}");
            assert!(before.is_subset(&once), "{what}: {:?} is missing", before.difference(&once));
            assert!(once.len() <= before.len() + 1, "{what}: {seen:?}");
            let inserted = Instant::now();
            loop {
                let after: BTreeSet<_> = names(&list.page(&api, "limit=100").await).into_iter().collect();
                if after.len() == before.len() + 1 && after.is_superset(&once) {
                    break;
                }
                assert!(inserted.elapsed() < Duration::from_secs(5), "{what}: what was inserted is not there: {after:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
