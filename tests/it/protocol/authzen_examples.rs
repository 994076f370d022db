//! The examples of the OpenID AuthZEN Authorization API 1.0, as they are printed.

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

/// What makes the printed decisions true. Subjects are found by name and named by their `sub` in answers.
const DOCUMENT: &str = r#"
[[clients]]
client_id = "pep"
client_secret = "pep-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
scope = "signet:decide"

[[roles]]
name = "reader"
permissions = ["account:can_read"]

[[roles]]
name = "teller"
parents = ["reader"]
permissions = ["account:can_write"]

[[policies]]
id = "boxcarring"
cedar = 'permit(principal, action == Action::"can_read", resource == document::"boxcarring.md");'

[[policies]]
id = "method"
cedar = 'forbid(principal, action, resource is account) when { context has action && context.action has method && context.action.method != "GET" };'

[[users]]
username = "alice@example.com"
roles = ["teller"]
levels = { "document:1" = "read", "document:3" = "read" }

[[users]]
username = "bob@example.com"
roles = ["reader"]

[[users]]
username = "carol@example.com"

[[objects]]
resource = "account:123"

[[objects]]
resource = "account:456"
"#;

const REQUEST_ID: &str = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716";

async fn ask(server: &Server, path: &str, body: &Value) -> Value {
    let request = server.http().post(server.url(path));
    let request = request.basic_auth("pep", Some("pep-secret-that-is-long-enough-for-anyone"));
    let answer = Answer::to(request.header("x-request-id", REQUEST_ID).json(body)).await;
    assert_eq!(answer.status, 200, "{body} {answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.header("x-request-id"),
        REQUEST_ID,
        "it comes back (section 10.1)"
    );
    answer.json()
}

/// The same with members beside the known ones that nobody has heard of.
fn with_more(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_more).collect(),
        Value::Object(members) => {
            let each = members.iter().map(|(name, value)| {
                // Properties and context are the caller's own.
                let own = name == "properties" || name == "context";
                (
                    name.clone(),
                    if own { value.clone() } else { with_more(value) },
                )
            });
            let unknown = (
                "unheard_of".to_owned(),
                json!({ "nested": [1.5, null, "x"], "decision": true }),
            );
            Value::Object(each.chain([unknown]).collect())
        }
        other => other.clone(),
    }
}

/// Asks as it is printed, and with unknown members; the answer is the same.
async fn asked(server: &Server, path: &str, body: Value) -> Value {
    let answer = ask(server, path, &body).await;
    assert_eq!(ask(server, path, &with_more(&body)).await, answer, "{body}");
    answer
}

fn decisions(answer: &Value) -> Vec<bool> {
    let all = answer["evaluations"]
        .as_array()
        .unwrap_or_else(|| panic!("no evaluations in {answer}"));
    all.iter()
        .map(|it| it["decision"].as_bool().unwrap())
        .collect()
}

fn alice() -> Value {
    json!({ "type": "user", "id": "alice@example.com" })
}

fn document(id: &str) -> Value {
    json!({ "type": "document", "id": id })
}

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";

on_every_engine! {
    async fn one_evaluation_as_printed_authzen_6_1(server: Server) {
        server.apply(DOCUMENT);
        let printed = json!({
            "subject": alice(),
            "resource": { "type": "account", "id": "123" },
            "action": { "name": "can_read", "properties": { "method": "GET" } },
            "context": { "time": "1985-10-26T01:22-07:00" },
        });
        assert_eq!(asked(&server, EVALUATION, printed.clone()).await, json!({ "decision": true }));
        // Not everything is allowed: the method counts, and so does the person.
        let mut other = printed.clone();
        other["action"]["properties"]["method"] = json!("DELETE");
        assert_eq!(asked(&server, EVALUATION, other).await, json!({ "decision": false }));
        let mut other = printed.clone();
        other["subject"]["id"] = json!("carol@example.com");
        assert_eq!(asked(&server, EVALUATION, other).await, json!({ "decision": false }));
        // The same at the other endpoint, without evaluations or with none (section 7.1).
        assert_eq!(asked(&server, EVALUATIONS, printed.clone()).await["decision"], true);
        let mut none = printed;
        none["evaluations"] = json!([]);
        assert_eq!(asked(&server, EVALUATIONS, none).await["decision"], true);
    }

    async fn several_evaluations_as_printed_authzen_7_1(server: Server) {
        server.apply(DOCUMENT);
        let time = json!({ "time": "2024-05-31T15:22-07:00" });
        let (read, edit) = (json!({ "name": "can_read" }), json!({ "name": "can_edit" }));
        let names = ["boxcarring.md", "subject-search.md", "resource-search.md"];
        let complete = names.map(|name| json!({ "subject": alice(), "action": read, "resource": document(name), "context": time }));
        let shared = names.map(|name| json!({ "action": read, "resource": document(name) }));
        for body in [
            json!({ "evaluations": complete }),
            json!({ "subject": alice(), "context": time, "evaluations": shared }),
            json!({
                "subject": alice(), "context": time, "action": read,
                "evaluations": [
                    { "resource": document(names[0]) },
                    { "resource": document(names[1]) },
                    { "action": edit, "resource": document(names[2]) },
                ],
            }),
        ] {
            let answer = asked(&server, EVALUATIONS, body).await;
            assert_eq!(decisions(&answer), [true, false, false], "{answer}");
            assert_eq!(answer.get("decision"), None, "it is left out beside evaluations (section 7.2)");
        }
        // Section 7.1.2: an option that is not known beside one that is, and a question without an action.
        let options = json!({
            "evaluations": [{ "resource": { "type": "doc", "id": "1" }, "subject": { "type": "doc", "id": "2" } }],
            "options": { "evaluations_semantic": "execute_all", "another_option": "value" },
        });
        let answer = asked(&server, EVALUATIONS, options).await;
        assert_eq!(decisions(&answer), [false]);
        assert_eq!(answer["evaluations"][0]["context"]["error"]["status"], 400, "{answer}");
    }

    async fn each_semantic_as_printed_authzen_7_1_2_1(server: Server) {
        server.apply(DOCUMENT);
        let body = |semantic: &str| {
            let documents = ["1", "2", "3"].map(|id| json!({ "resource": document(id) }));
            json!({
                "subject": alice(),
                "action": { "name": "read" },
                "options": { "evaluations_semantic": semantic },
                "evaluations": documents,
            })
        };
        for (semantic, expected) in [
            ("execute_all", [true, false, true].as_slice()),
            ("deny_on_first_deny", [true, false].as_slice()),
            ("permit_on_first_permit", [true].as_slice()),
        ] {
            let answer = asked(&server, EVALUATIONS, body(semantic)).await;
            assert_eq!(decisions(&answer), expected, "{semantic}: {answer}");
        }
        let mut usual = body("execute_all");
        usual.as_object_mut().unwrap().remove("options");
        assert_eq!(decisions(&asked(&server, EVALUATIONS, usual).await), [true, false, true], "execute_all is the default");
    }

    async fn every_search_as_printed_authzen_8(server: Server) {
        server.apply(DOCUMENT);
        let (read, account) = (json!({ "name": "can_read" }), json!({ "type": "account", "id": "123" }));
        let subjects = json!({
            "subject": { "type": "user" }, "action": read, "resource": account,
            "context": { "time": "2024-10-26T01:22-07:00" },
        });
        let answer = asked(&server, "/access/v1/search/subject", subjects.clone()).await;
        let found = answer["results"].as_array().unwrap();
        assert_eq!(found.len(), 2, "alice and bob: {answer}");
        for subject in found {
            assert_eq!(subject["type"], "user");
            let question = json!({ "subject": subject, "action": read, "resource": account });
            assert_eq!(asked(&server, EVALUATION, question).await, json!({ "decision": true }));
        }
        let mut named = subjects;
        named["subject"]["id"] = json!("nobody@example.com");
        assert_eq!(asked(&server, "/access/v1/search/subject", named).await, answer, "an id is ignored (section 8.4.1)");

        let resources = json!({ "subject": alice(), "action": read, "resource": { "type": "account" } });
        let answer = asked(&server, "/access/v1/search/resource", resources.clone()).await;
        let printed = json!([{ "type": "account", "id": "123" }, { "type": "account", "id": "456" }]);
        assert_eq!(answer["results"], printed);
        let mut named = resources.clone();
        named["resource"]["id"] = json!("nothing");
        assert_eq!(asked(&server, "/access/v1/search/resource", named).await["results"], printed);

        let actions = json!({ "subject": alice(), "resource": account, "context": { "time": "2024-10-26T01:22-07:00" } });
        let answer = asked(&server, "/access/v1/search/action", actions).await;
        assert_eq!(answer["results"], json!([{ "name": "can_read" }, { "name": "can_write" }]));

        // Three results on pages of two (section 8.2.3).
        server.apply("[[objects]]\nresource = \"account:789\"\n");
        let mut pages = resources;
        pages["page"] = json!({ "limit": 2 });
        let first = asked(&server, "/access/v1/search/resource", pages.clone()).await;
        assert_eq!((&first["results"], &first["page"]["count"]), (&printed, &json!(2)));
        let next = first["page"]["next_token"].as_str().unwrap();
        assert!(!next.is_empty(), "{first}");
        pages["page"] = json!({ "token": next });
        let second = asked(&server, "/access/v1/search/resource", pages).await;
        assert_eq!(second["results"], json!([{ "type": "account", "id": "789" }]));
        assert_eq!((&second["page"]["next_token"], &second["page"]["count"]), (&json!(""), &json!(1)));
    }

    async fn the_request_id_comes_back_with_a_refusal_too_authzen_10_1(server: Server) {
        server.apply(DOCUMENT);
        for path in [EVALUATION, EVALUATIONS, "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"] {
            for secret in ["pep-secret-that-is-long-enough-for-anyone", "another secret"] {
                let request = server.http().post(server.url(path)).basic_auth("pep", Some(secret));
                let answer = Answer::to(request.header("x-request-id", REQUEST_ID).json(&json!({}))).await;
                assert!((400..=401).contains(&answer.status), "{answer:?}");
                assert_eq!(answer.header("x-request-id"), REQUEST_ID, "{path}");
            }
        }
    }
}
