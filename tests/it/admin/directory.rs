//! Roles, groups, organizations, assignments, levels, objects and policies through the API, down to the decision.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::Api;
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;
use crate::support::patience::within;
use crate::support::server::{ALICE, Server};

/// Asks the server's own command line, which reads the tables anew.
fn may(server: &Server, action: &str, resource: &str) -> bool {
    let arguments = [
        "policy",
        "check",
        "--subject",
        ALICE.0,
        "--action",
        action,
        "--resource",
        resource,
    ];
    server.signet(&arguments).status.success()
}

async fn alice(api: &Api<'_>) -> String {
    let found = api.get("/v1/users?q=alice").await.done(200).json();
    found["data"][0]["id"].as_str().unwrap().to_owned()
}

on_every_engine! {
    async fn a_role_is_made_and_given_and_decides(server: Server) {
        let api = Api::robot(&server).await;
        api.post("/v1/roles", json!({ "name": "reader", "permissions": ["Document:read"] })).await.done(201);
        let created = api.post("/v1/roles", json!({ "name": "editor", "parents": ["reader"], "permissions": ["Document:write"] })).await.done(201);
        assert_eq!(created.header("location"), "/v1/roles/editor");
        let alice = alice(&api).await;
        assert!(!may(&server, "read", "Document:42"));
        let given = api.post("/v1/assignments", json!({ "user_id": alice, "role": "editor" })).await.done(201);
        assert!(may(&server, "read", "Document:42") && may(&server, "write", "Document:42"));
        let listed = api.get(&format!("/v1/assignments?user_id={alice}")).await.done(200).json();
        assert_eq!(listed["data"], json!([given.json()]));

        let role = api.get("/v1/roles/editor").await.done(200).json();
        assert_eq!(role, json!({ "name": "editor", "parents": ["reader"], "permissions": ["Document:write"] }));
        api.patch("/v1/roles/editor", json!({ "parents": [] })).await.done(200);
        assert!(!may(&server, "read", "Document:42") && may(&server, "write", "Document:42"));
        api.delete(given.header("location")).await.done(204);
        assert!(!may(&server, "write", "Document:42"));
        api.delete(given.header("location")).await.problem(404, "not_found");
        api.delete("/v1/roles/editor").await.done(204);
        api.get("/v1/roles/editor").await.problem(404, "not_found");

        let cycle = api.patch("/v1/roles/reader", json!({ "parents": ["reader"] })).await.problem(422, "invalid_param");
        assert_eq!(cycle["param"], "parents");
        let unknown = api.patch("/v1/roles/reader", json!({ "parents": ["reeder"] })).await.problem(422, "unknown_reference");
        assert_eq!(unknown["hint"], "did you mean \"reader\"?");
        let broken = api.patch("/v1/roles/reader", json!({ "permissions": ["read"] })).await.problem(422, "invalid_param");
        assert_eq!(broken["errors"][0]["param"], "permissions");
        api.delete("/v1/roles/admin").await.problem(409, "built_in");
    }

    async fn an_assignment_ends_and_belongs_to_an_organization(server: Server) {
        let api = Api::robot(&server).await;
        let alice = alice(&api).await;
        api.post("/v1/roles", json!({ "name": "reader", "permissions": ["Document:read"] })).await.done(201);
        api.post("/v1/organizations", json!({ "name": "acme" })).await.done(201);
        api.put("/v1/objects/Document/42", json!({ "organization": "acme" })).await.done(200);
        let of = |organization: &str, until: Value| json!({ "user_id": alice, "role": "reader", "organization": organization, "until": until });
        api.post("/v1/assignments", of("acme", json!("2001-01-01T00:00:00Z"))).await.problem(422, "invalid_param");
        api.post("/v1/assignments", of("acme", json!("tomorrow"))).await.problem(422, "invalid_param");
        api.post("/v1/assignments", of("other", Value::Null)).await.problem(422, "unknown_reference");
        let given = api.post("/v1/assignments", of("acme", json!("2999-01-01T00:00:00Z"))).await.done(201);
        assert_eq!(given.json()["until"], "2999-01-01T00:00:00Z");
        assert!(may(&server, "read", "Document:42") && !may(&server, "read", "Document:43"));
        let listed = api.get("/v1/assignments?organization=acme").await.done(200).json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        api.delete("/v1/organizations/acme").await.done(204);
        let listed = api.get("/v1/assignments?organization=acme").await.done(200).json();
        assert_eq!(listed["data"], json!([]));
        api.post("/v1/assignments", json!({ "user_id": alice, "group": "x", "role": "reader" })).await.problem(422, "invalid_param");
        api.post("/v1/assignments", json!({ "role": "reader" })).await.problem(422, "invalid_param");
        api.get("/v1/assignments?cursor=e30").await.problem(400, "invalid_param");
    }

    async fn groups_nest_and_give_roles_and_levels(server: Server) {
        let api = Api::robot(&server).await;
        let alice = alice(&api).await;
        api.post("/v1/roles", json!({ "name": "reader", "permissions": ["Document:read"] })).await.done(201);
        api.post("/v1/groups", json!({ "name": "germany" })).await.done(201);
        api.post("/v1/groups", json!({ "name": "berlin", "parents": ["germany"] })).await.done(201);
        api.post("/v1/assignments", json!({ "group": "germany", "role": "reader" })).await.done(201);
        api.put("/v1/groups/germany/levels/Folder/f%2F1", json!({ "level": "write" })).await.done(200);
        let member = format!("/v1/groups/berlin/members/{alice}");
        assert!(!may(&server, "read", "Document:1"));
        api.put(&member, json!({})).await.done(204);
        api.put(&member, json!({})).await.done(204);
        assert!(may(&server, "read", "Document:1") && may(&server, "write", "Folder:f/1") && !may(&server, "delete", "Folder:f/1"));
        let members = api.get("/v1/groups/berlin/members").await.done(200).json();
        assert_eq!((&members["data"][0]["user_id"], &members["data"][0]["username"]), (&json!(alice), &json!(ALICE.0)));
        let levels = api.get("/v1/groups/germany/levels").await.done(200).json();
        assert_eq!(levels["data"], json!([{ "resource_type": "Folder", "resource_id": "f/1", "level": "write" }]));
        let cycle = api.patch("/v1/groups/germany", json!({ "parents": ["berlin"] })).await.problem(422, "invalid_param");
        assert_eq!(cycle["param"], "parents");
        api.patch("/v1/groups/germany", json!({ "description": "All of it" })).await.done(200);
        assert!(may(&server, "read", "Document:1"), "a description takes nothing away");
        api.delete(&member).await.done(204);
        api.delete(&member).await.problem(404, "not_found");
        assert!(!may(&server, "read", "Document:1"));

        let level = format!("/v1/users/{alice}/levels/Document/9");
        api.put(&level, json!({ "level": "admin" })).await.done(200);
        assert!(may(&server, "publish", "Document:9"));
        api.put(&level, json!({ "level": "king" })).await.problem(422, "invalid_param");
        api.delete(&level).await.done(204);
        assert!(!may(&server, "read", "Document:9"));
        api.put(&format!("/v1/users/{alice}/levels/signet/signet"), json!({ "level": "admin" })).await.problem(400, "invalid_param");
    }

    async fn policies_are_checked_before_they_are_written(server: Server) {
        let api = Api::robot(&server).await;
        let alice = alice(&api).await;
        let text = "permit(principal, action == Action::\"read\", resource is Document) when { principal.department == resource.department };";
        api.post("/v1/policies", json!({ "id": "own-department", "cedar": text })).await.done(201);
        api.patch(&format!("/v1/users/{alice}"), json!({ "attributes": { "department": "sales" } })).await.done(200);
        api.put("/v1/objects/Document/42", json!({ "attributes": { "department": "sales" } })).await.done(200);
        assert!(may(&server, "read", "Document:42"));
        api.patch("/v1/policies/own-department", json!({ "enabled": false })).await.done(200);
        assert!(!may(&server, "read", "Document:42"));
        let broken = api.patch("/v1/policies/own-department", json!({ "cedar": "permit(principal, action, resource" })).await.problem(422, "invalid_param");
        assert_eq!(broken["errors"][0]["param"], "cedar");
        assert!(broken["detail"].as_str().unwrap().contains("line 1"), "{broken}");
        let judged = api.post("/v1/policy_validations", json!({ "cedar": "permit(principal, action, resource" })).await.done(200).json();
        assert_eq!((&judged["valid"], &judged["findings"][0]["line"]), (&json!(false), &json!(1)));
        assert_eq!(api.post("/v1/policy_validations", json!({ "cedar": text })).await.done(200).json()["valid"], json!(true));
        let listed = api.get("/v1/policies").await.done(200).json();
        assert_eq!(listed["data"][0]["id"], "own-department");
        api.delete("/v1/policies/own-department").await.done(204);
        let objects = api.get("/v1/objects?resource_type=Document").await.done(200).json();
        assert_eq!(objects["data"][0]["attributes"], json!({ "department": "sales" }));
        api.delete("/v1/objects/Document/42").await.done(204);
        api.get("/v1/objects/Document/42").await.problem(404, "not_found");
        api.get("/v1/objects").await.problem(400, "invalid_param");
    }

    async fn attributes_are_held_to_what_is_declared(server: Server) {
        let api = Api::robot(&server).await;
        let alice = alice(&api).await;
        let user = format!("/v1/users/{alice}");
        api.patch(&user, json!({ "attributes": { "level": "high" } })).await.done(200);
        let declared = "/v1/attributes/user/level";
        let contradicted = api.put(declared, json!({ "type": "long" })).await.problem(409, "contradicted");
        assert!(contradicted["detail"].as_str().unwrap().contains("alice"), "{contradicted}");
        api.patch(&user, json!({ "attributes": { "level": 3 } })).await.done(200);
        api.put(declared, json!({ "type": "long" })).await.done(200);
        api.patch(&user, json!({ "attributes": { "level": "low" } })).await.problem(422, "invalid_param");
        api.put(declared, json!({ "type": "number" })).await.problem(422, "invalid_param");
        let policy = json!({ "id": "by-level", "cedar": "permit(principal, action, resource) when { principal.levle > 2 };" });
        let misspelt = api.post("/v1/policies", policy).await.problem(422, "invalid_param");
        assert!(misspelt["detail"].as_str().unwrap().contains("level"), "{misspelt}");
        assert_eq!(api.get("/v1/attributes").await.done(200).json()["data"], json!([{ "of": "user", "name": "level", "type": "long", "required": false }]));
        api.delete(declared).await.done(204);
        api.get(declared).await.problem(404, "not_found");
        let clerk = Api::person(&server, "clerk", &["signet:policies.write"]).await;
        clerk.put(declared, json!({ "type": "long" })).await.problem(403, "beyond_your_rights");
    }

    async fn things_are_found_by_how_their_names_begin(server: Server) {
        let api = Api::robot(&server).await;
        for name in ["Alpha-one", "alpha-two", "beta", "al%"] {
            for path in ["/v1/roles", "/v1/groups", "/v1/organizations"] {
                api.post(path, json!({ "name": name })).await.done(201);
            }
            let policy = json!({ "id": name, "cedar": "permit(principal, action == Action::\"x\", resource);" });
            if name != "al%" {
                api.post("/v1/policies", policy).await.done(201);
                let client = json!({ "client_id": name, "grant_types": ["client_credentials"] });
                api.post("/v1/clients", client).await.done(201);
            }
        }
        for (path, id) in [("roles", "name"), ("groups", "name"), ("organizations", "name"), ("policies", "id"), ("clients", "client_id")] {
            let found = async |q: &str| -> Vec<String> {
                let list = api.get(&format!("/v1/{path}?q={q}&limit=10")).await.done(200).json();
                list["data"].as_array().unwrap().iter().map(|one| one[id].as_str().unwrap().to_owned()).collect()
            };
            let mut alphas = found("ALPHA").await;
            alphas.sort_unstable();
            assert_eq!(alphas, ["Alpha-one", "alpha-two"], "{path}");
            assert_eq!(found("beta").await, ["beta"], "{path}");
            assert!(found("lpha").await.is_empty(), "{path}");
            // A sign of a pattern is only itself.
            assert_eq!(found("al%25").await.len(), usize::from(id == "name"), "{path}");
            let first = api.get(&format!("/v1/{path}?q=alpha&limit=1")).await.done(200).json();
            assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (1, &json!(true)), "{path}");
        }
        // A list says as much of an application as the application itself.
        let listed = api.get("/v1/clients?q=beta").await.done(200).json();
        assert_eq!(listed["data"][0], api.get("/v1/clients/beta").await.done(200).json());
        assert_eq!(listed["data"][0]["secrets"].as_array().unwrap().len(), 1);
    }

    async fn every_list_has_pages(server: Server) {
        let api = Api::robot(&server).await;
        for number in 0..5 {
            api.post("/v1/roles", json!({ "name": format!("role-{number}") })).await.done(201);
            api.post("/v1/groups", json!({ "name": format!("group-{number}") })).await.done(201);
            api.post("/v1/organizations", json!({ "name": format!("org-{number}") })).await.done(201);
        }
        for number in 0..5 {
            api.put(&format!("/v1/objects/Thing/{number}"), json!({})).await.done(200);
            api.put(&format!("/v1/groups/group-0/levels/Thing/{number}"), json!({ "level": "read" })).await.done(200);
            api.post("/v1/assignments", json!({ "group": "group-1", "role": format!("role-{number}") })).await.done(201);
            let user = api.post("/v1/users", json!({ "username": format!("user-{number}") })).await.done(201).json();
            let user = user["id"].as_str().unwrap();
            api.put(&format!("/v1/groups/group-2/members/{user}"), json!({})).await.done(204);
            api.put(&format!("/v1/organizations/org-2/members/{user}"), json!({})).await.done(204);
        }
        for (list, count) in [
            ("/v1/roles?", 6), ("/v1/groups?", 5), ("/v1/organizations?", 5), ("/v1/objects?resource_type=Thing&", 5),
            ("/v1/groups/group-0/levels?", 5), ("/v1/assignments?group=group-1&", 5), ("/v1/groups/group-2/members?", 5),
            ("/v1/organizations/org-2/members?", 5), ("/v1/users?organization=org-2&", 5), ("/v1/users?group=group-2&", 5),
        ] {
            let mut seen: Vec<String> = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = api.get(&format!("{list}limit=2{cursor}")).await.done(200).json();
                let data = page["data"].as_array().unwrap();
                assert!(data.len() <= 2, "{list}: {page}");
                seen.extend(data.iter().map(Value::to_string));
                assert_eq!(page["has_more"], json!(page["next_cursor"].is_string()), "{list}: {page}");
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            let all = seen.len();
            seen.sort();
            seen.dedup();
            assert_eq!((seen.len(), all), (count, count), "{list}");
        }
        let settings = api.get("/v1/configuration").await.done(200).json();
        assert!(settings["settings"].as_array().unwrap().iter().any(|setting| setting["key"] == "issuer"), "{settings}");
        assert!(!settings.to_string().contains("postgres:secret"), "{settings}");
    }

    async fn sessions_and_grants_are_listed_and_ended(server: Server) {
        let api = Api::robot(&server).await;
        let alice = alice(&api).await;
        let tokens = server.signed_in(&crate::support::client::WEB, "openid offline_access").await;
        let grants = api.get(&format!("/v1/users/{alice}/grants?client_id=web")).await.done(200).json();
        let grant = &grants["data"][0];
        assert_eq!((&grant["client_id"], &grant["offline"]), (&json!("web"), &json!(true)));
        assert_eq!(api.get(&format!("/v1/users/{alice}/grants?client_id=spa")).await.json()["data"], json!([]));
        let path = format!("/v1/grants/{}", grant["id"].as_str().unwrap());
        api.delete(&path).await.done(204);
        server.assert_inactive(&tokens.access_token()).await;
        api.get(&path).await.problem(404, "not_found");

        let tokens = server.signed_in(&crate::support::client::WEB, "openid").await;
        let sessions = api.get(&format!("/v1/users/{alice}/sessions")).await.done(200).json();
        for session in sessions["data"].as_array().unwrap() {
            assert_eq!(session["amr"], json!(["pwd"]));
            api.delete(&format!("/v1/sessions/{}", session["id"].as_str().unwrap())).await.done(204);
        }
        server.assert_inactive(&tokens.access_token()).await;
        assert_eq!(api.get(&format!("/v1/users/{alice}/sessions")).await.json()["data"], json!([]));
    }

    async fn a_change_counts_on_another_instance_within_a_second(server: Server) {
        if !server.has_postgres() {
            return;
        }
        let other = server.second_instance();
        let api = Api::robot(&server).await;
        let token = api.token().to_owned();
        let alice = alice(&api).await;
        api.post("/v1/roles", json!({ "name": "reader", "permissions": ["Document:read"] })).await.done(201);
        let ask = async || {
            let body = json!({ "subject": { "type": "user", "id": ALICE.0 }, "action": { "name": "read" }, "resource": { "type": "Document", "id": "1" } });
            let request = other.http().post(other.url("/access/v1/evaluation")).basic_auth("judge", Some("judge-secret-that-is-long-enough-for-anyone"));
            Answer::to(request.json(&body)).await.done(200).json()["decision"].as_bool().unwrap()
        };
        server.apply("[[clients]]\nclient_id = \"judge\"\nclient_secret = \"judge-secret-that-is-long-enough-for-anyone\"\ngrant_types = [\"client_credentials\"]\nscope = \"signet:decide\"\n");
        assert!(!ask().await);
        api.post("/v1/assignments", json!({ "user_id": alice, "role": "reader" })).await.done(201);
        within(Duration::from_secs(1), "the assignment counts", ask).await;
        // Disabling a client holds at once, on every instance.
        api.patch("/v1/clients/judge", json!({ "disabled": true })).await.done(200);
        let request = other.http().request(Method::GET, other.url("/v1/users")).bearer_auth(&token);
        Answer::to(request).await.done(200);
        api.patch("/v1/clients/robot", json!({ "disabled": true })).await.done(200);
        let request = other.http().request(Method::GET, other.url("/v1/users")).bearer_auth(&token);
        Answer::to(request).await.problem(401, "invalid_token");
    }
}
