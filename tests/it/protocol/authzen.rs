//! The decision API: OpenID AuthZEN Authorization API 1.0.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::{Authentication, Client, basic};
use crate::support::engines::on_every_engine;
use crate::support::patience::within;
use crate::support::server::Server;

const DOCUMENT: &str = r#"
[[clients]]
client_id = "pep"
client_secret = "pep-secret-that-is-long-enough-for-anyone"
client_name = "Policy enforcement point"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "signet:decide signet:admin orders:read"

[[roles]]
name = "viewer"
permissions = ["account:can_read"]

[[policies]]
id = "own-department"
cedar = 'permit(principal, action == Action::"read", resource is Document) when { principal.department == resource.department };'

[[policies]]
id = "office-hours"
cedar = 'forbid(principal, action == Action::"can_read", resource) when { context has closed && context.closed };'

[[users]]
username = "sally"
roles = ["viewer"]
attributes = { department = "sales" }
levels = { "Document:9" = "write" }

[[users]]
username = "sam"
attributes = { department = "sales" }

[[users]]
username = "finn"
attributes = { department = "finance" }

[[objects]]
resource = "Document:1"
attributes = { department = "sales" }

[[objects]]
resource = "Document:2"
attributes = { department = "finance" }

[[objects]]
resource = "Document:3"
attributes = { department = "sales" }
"#;

const PEP: (&str, &str) = ("pep", "pep-secret-that-is-long-enough-for-anyone");

struct Answer {
    status: StatusCode,
    request_id: String,
    challenge: String,
    json: Value,
}

async fn ask_as(
    server: &Server,
    authorization: Option<String>,
    path: &str,
    body: &Value,
) -> Answer {
    let mut request = server
        .http()
        .post(server.url(path))
        .header("content-type", "application/json")
        .header("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")
        .body(body.to_string());
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let answer = request.send().await.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or(String::new(), |it| it.to_str().unwrap().to_owned())
    };
    Answer {
        status: answer.status(),
        request_id: header("x-request-id"),
        challenge: header("www-authenticate"),
        json: answer.json().await.unwrap_or_default(),
    }
}

async fn ask(server: &Server, path: &str, body: Value) -> Value {
    let answer = ask_as(server, Some(basic(PEP.0, PEP.1)), path, &body).await;
    assert_eq!(answer.status, 200, "{body} {}", answer.json);
    answer.json
}

fn question(user: &str, action: &str, kind: &str, id: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": user },
        "action": { "name": action },
        "resource": { "type": kind, "id": id },
    })
}

on_every_engine! {
    async fn one_evaluation_and_why_authzen_6(server: Server) {
        server.apply(DOCUMENT);
        let allowed = question("sally", "can_read", "account", "123");
        assert_eq!(ask(&server, "/access/v1/evaluation", allowed.clone()).await, json!({ "decision": true }));
        let denied = question("sam", "can_read", "account", "123");
        assert_eq!(ask(&server, "/access/v1/evaluation", denied.clone()).await, json!({ "decision": false }));

        let with = |question: &Value, name: &str, value: Value| {
            let mut question = question.clone();
            question[name] = value;
            question
        };
        let explained = with(&denied, "options", json!({ "explain": true }));
        let answer = ask(&server, "/access/v1/evaluation", explained).await;
        assert_eq!(answer["context"]["reason"], "nothing allows it; a role would allow it: viewer");

        let closed = with(&allowed, "context", json!({ "closed": true, "time": "2024-10-26T01:22-07:00" }));
        assert_eq!(ask(&server, "/access/v1/evaluation", closed).await, json!({ "decision": false }));

        let mut sent = question("sally", "read", "Document", "unknown-to-the-store");
        sent["resource"]["properties"] = json!({ "department": "sales" });
        assert_eq!(ask(&server, "/access/v1/evaluation", sent).await, json!({ "decision": true }));
        let mut lying = question("sally", "read", "Document", "2");
        lying["resource"]["properties"] = json!({ "department": "sales" });
        assert_eq!(ask(&server, "/access/v1/evaluation", lying).await, json!({ "decision": false }), "the store knows better");
        let mut lying = question("finn", "read", "Document", "1");
        lying["subject"]["properties"] = json!({ "department": "sales" });
        assert_eq!(ask(&server, "/access/v1/evaluation", lying).await, json!({ "decision": false }));
        let machine = json!({ "subject": { "type": "robot", "id": "sally" }, "action": { "name": "can_read" }, "resource": { "type": "account", "id": "1" } });
        assert_eq!(ask(&server, "/access/v1/evaluation", machine).await, json!({ "decision": false }));
    }

    async fn several_evaluations_stop_as_asked_authzen_7_1_2(server: Server) {
        server.apply(DOCUMENT);
        let batch = |semantic: Option<&str>| {
            let mut batch = json!({
                "subject": { "type": "user", "id": "sally" },
                "action": { "name": "read" },
                "evaluations": [
                    { "resource": { "type": "Document", "id": "1" } },
                    { "resource": { "type": "Document", "id": "2" } },
                    { "resource": { "type": "Document" } },
                    { "action": { "name": "write" }, "resource": { "type": "Document", "id": "9" } },
                ],
            });
            if let Some(semantic) = semantic {
                batch["options"] = json!({ "evaluations_semantic": semantic });
            }
            batch
        };
        let decisions = |answer: &Value| -> Vec<bool> {
            answer["evaluations"].as_array().unwrap().iter().map(|it| it["decision"].as_bool().unwrap()).collect()
        };
        for semantic in [None, Some("execute_all")] {
            let answer = ask(&server, "/access/v1/evaluations", batch(semantic)).await;
            assert_eq!(decisions(&answer), [true, false, false, true]);
            assert_eq!(answer["evaluations"][2]["context"]["error"]["status"], 400);
            assert!(answer.get("decision").is_none());
        }
        let answer = ask(&server, "/access/v1/evaluations", batch(Some("deny_on_first_deny"))).await;
        assert_eq!(decisions(&answer), [true, false]);
        let answer = ask(&server, "/access/v1/evaluations", batch(Some("permit_on_first_permit"))).await;
        assert_eq!(decisions(&answer), [true]);
        let single = ask(&server, "/access/v1/evaluations", question("sally", "can_read", "account", "1")).await;
        assert_eq!(single, json!({ "decision": true }), "without evaluations it is one (section 7.1)");
        let odd = ask_as(&server, Some(basic(PEP.0, PEP.1)), "/access/v1/evaluations", &batch(Some("sometimes"))).await;
        assert_eq!(odd.status, 400);
        let endless = json!({ "evaluations": vec![json!({}); 501] });
        assert_eq!(ask_as(&server, Some(basic(PEP.0, PEP.1)), "/access/v1/evaluations", &endless).await.status, 400);
    }

    async fn what_a_search_finds_an_evaluation_allows_authzen_8(server: Server) {
        server.apply(DOCUMENT);
        let search = json!({
            "subject": { "type": "user" },
            "action": { "name": "read" },
            "resource": { "type": "Document", "id": "1" },
            "page": { "limit": 1 },
        });
        let first = ask(&server, "/access/v1/search/subject", search.clone()).await;
        let mut next = search.clone();
        next["page"]["token"] = first["page"]["next_token"].clone();
        let second = ask(&server, "/access/v1/search/subject", next.clone()).await;
        let mut found = Vec::new();
        for page in [&first, &second] {
            let results = page["results"].as_array().unwrap();
            assert_eq!(results.len(), 1, "{page}");
            let id = results[0]["id"].as_str().unwrap();
            let decision = ask(&server, "/access/v1/evaluation", question(id, "read", "Document", "1")).await;
            assert_eq!(decision, json!({ "decision": true }));
            found.push(id.to_owned());
        }
        assert_ne!(found[0], found[1]);
        next["page"]["token"] = second["page"]["next_token"].clone();
        let last = ask(&server, "/access/v1/search/subject", next).await;
        assert_eq!((&last["results"], &last["page"]["next_token"]), (&json!([]), &json!("")));

        let mut resources = question("sally", "read", "Document", "ignored");
        let answer = ask(&server, "/access/v1/search/resource", resources.clone()).await;
        let ids: Vec<&str> = answer["results"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["1", "3", "9"]);
        assert_eq!(answer["page"]["next_token"], "");
        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            resources["page"] = json!({ "limit": 1, "token": token });
            let page = ask(&server, "/access/v1/search/resource", resources.clone()).await;
            paged.extend(page["results"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
            page["page"]["next_token"].as_str().unwrap().clone_into(&mut token);
            if token.is_empty() { break; }
        }
        assert_eq!(paged, ["1", "3", "9"]);

        let actions = json!({ "subject": { "type": "user", "id": "sally" }, "resource": { "type": "Document", "id": "9" } });
        let answer = ask(&server, "/access/v1/search/action", actions).await;
        assert_eq!(answer["results"], json!([{ "name": "read" }, { "name": "write" }]));

        let mut bad = search;
        bad["page"]["token"] = json!("%%%");
        assert_eq!(ask_as(&server, Some(basic(PEP.0, PEP.1)), "/access/v1/search/subject", &bad).await.status, 400);
    }

    async fn only_those_who_may_ask_are_answered_rfc6750_3(server: Server) {
        server.apply(DOCUMENT);
        let body = question("sally", "can_read", "account", "123");
        let path = "/access/v1/evaluation";
        let answer = ask_as(&server, None, path, &body).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.request_id, "bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "the caller's id comes back (section 10.1.4)");
        let wrong = basic(PEP.0, "wrong-secret");
        assert_eq!(ask_as(&server, Some(wrong), path, &body).await.status, 401);
        let garbage = ask_as(&server, Some("Bearer garbage".to_owned()), path, &body).await;
        assert_eq!(garbage.status, 401);
        assert!(garbage.challenge.contains("invalid_token"), "{}", garbage.challenge);

        let pep = Client { id: PEP.0, redirect_uri: "", authentication: Authentication::Basic(PEP.1) };
        let token = async |scope: &str| {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            server.token(&pep, &form).await.succeeded().text("access_token")
        };
        let good = token("signet:decide").await;
        assert_eq!(ask_as(&server, Some(format!("Bearer {good}")), path, &body).await.json, json!({ "decision": true }));
        let narrow = ask_as(&server, Some(format!("Bearer {}", token("signet:admin").await)), path, &body).await;
        assert_eq!(narrow.status, 403);
        assert!(narrow.challenge.contains("insufficient_scope"), "{}", narrow.challenge);
        let elsewhere = ask_as(&server, Some(format!("Bearer {}", token("orders:read").await)), path, &body).await;
        assert_eq!(elsewhere.status, 401, "it is for the API of its scope (RFC 9068 section 3)");
        server.revoke(&pep, &good).await.succeeded();
        assert_eq!(ask_as(&server, Some(format!("Bearer {good}")), path, &body).await.status, 401, "revoked is revoked");

        let other = basic("web", "web-secret-that-is-long-enough-for-anyone");
        assert_eq!(ask_as(&server, Some(other), path, &body).await.status, 403);
    }

    async fn what_is_wrong_is_named_and_never_a_server_error(server: Server) {
        server.apply(DOCUMENT);
        let all = question("sally", "can_read", "account", "123");
        for missing in ["subject", "action", "resource"] {
            let mut body = all.clone();
            body.as_object_mut().unwrap().remove(missing);
            let answer = ask_as(&server, Some(basic(PEP.0, PEP.1)), "/access/v1/evaluation", &body).await;
            assert_eq!(answer.status, 400);
            let said = answer.json["error_description"].as_str().unwrap().to_owned();
            assert!(said.contains(missing), "{said}");
        }
        let long = "x".repeat(300);
        for (entity, member, value) in [
            ("subject", "type", json!(7)),
            ("subject", "id", json!("")),
            ("resource", "id", json!(long)),
            ("resource", "type", json!("a\u{0}b")),
            ("action", "name", json!(null)),
            ("resource", "properties", json!("no object")),
        ] {
            let mut body = all.clone();
            body[entity][member] = value;
            let answer = ask_as(&server, Some(basic(PEP.0, PEP.1)), "/access/v1/evaluation", &body).await;
            assert_eq!(answer.status, 400, "{body}");
        }
        // Policies that apply to every action see types that they cannot name.
        server.apply("[[policies]]\nid = \"any\"\ncedar = 'forbid(principal, action, resource is Document) when { false };'\n");
        let odd = question("sally", "can_read", "no cedar name", "1");
        assert_eq!(ask(&server, "/access/v1/evaluation", odd).await, json!({ "decision": false }));
    }

    async fn the_metadata_names_what_is_there_authzen_9(server: Server) {
        let answer = server.http().get(server.url("/.well-known/authzen-configuration")).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["policy_decision_point"], server.issuer());
        let endpoints: Vec<&str> = document.as_object().unwrap().iter()
            .filter(|(name, _)| name.ends_with("_endpoint"))
            .map(|(_, url)| url.as_str().unwrap())
            .collect();
        assert_eq!(endpoints.len(), 5);
        for url in endpoints {
            let path = url.strip_prefix(server.issuer()).unwrap();
            assert_eq!(server.http().post(server.url(path)).send().await.unwrap().status(), 401, "{path}");
        }
    }

    async fn a_change_decides_within_a_second(server: Server) {
        server.apply(DOCUMENT);
        let body = question("sam", "can_read", "account", "123");
        // What is kept of Sam must not outlive the change.
        assert_eq!(ask(&server, "/access/v1/evaluation", body.clone()).await, json!({ "decision": false }));
        for (roles, allowed) in [("[\"viewer\"]", true), ("[]", false)] {
            server.apply(&format!("[[users]]\nusername = \"sam\"\nroles = {roles}\n"));
            let decides = async || ask(&server, "/access/v1/evaluation", body.clone()).await == json!({ "decision": allowed });
            within(Duration::from_secs(1), roles, decides).await;
        }
    }
}
