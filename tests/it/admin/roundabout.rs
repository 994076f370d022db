//! Attacks on the administration that take a roundabout way: through parents, names, contexts and second accounts.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, PASSWORD, beyond, id_of, policy};
use crate::support::engines::on_every_engine;

on_every_engine! {
    async fn a_forbid_is_not_escaped_through_parents(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/groups", json!({ "name": "suspended" })).await.done(201);
        robot.post("/v1/groups", json!({ "name": "team", "parents": ["suspended"] })).await.done(201);
        robot.post("/v1/roles", json!({ "name": "trainee" })).await.done(201);
        robot.post("/v1/roles", json!({ "name": "contractor", "parents": ["trainee"] })).await.done(201);
        robot.post("/v1/organizations", json!({ "name": "acme", "attributes": { "suspended": true } })).await.done(201);
        let mallory = Api::person(&server, "mallory", &[
            "signet:groups.write", "signet:roles.write", "signet:assignments.write", "signet:organizations.members",
            "signet:organizations.write",
        ]).await;
        let own = id_of(&robot, "mallory").await;
        robot.put(&format!("/v1/groups/team/members/{own}"), json!({})).await.done(204);
        robot.put(&format!("/v1/organizations/acme/members/{own}"), json!({})).await.done(204);
        let given = robot.post("/v1/assignments", json!({ "user_id": own, "role": "contractor" })).await.done(201).json();
        policy(&robot, "suspended", "forbid(principal in Group::\"suspended\", action, resource is Money);").await;
        policy(&robot, "trainees", "forbid(principal in Role::\"trainee\", action, resource is Money);").await;
        let assignment = format!("/v1/assignments/{}", given["id"].as_str().unwrap());
        beyond(&mallory, &[
            (Method::DELETE, format!("/v1/groups/team/members/{own}"), json!({})),
            (Method::PATCH, "/v1/groups/team".to_owned(), json!({ "parents": [] })),
            (Method::DELETE, "/v1/groups/team".to_owned(), json!({})),
            (Method::PATCH, "/v1/roles/contractor".to_owned(), json!({ "parents": [] })),
            (Method::DELETE, "/v1/roles/contractor".to_owned(), json!({})),
            (Method::DELETE, assignment, json!({})),
            // A policy may ask about any organization that somebody belongs to, naming none.
            (Method::DELETE, format!("/v1/organizations/acme/members/{own}"), json!({})),
        ]).await;
        mallory.delete("/v1/organizations/acme").await.problem(403, "forbidden");
    }

    async fn a_forbid_is_not_handed_to_others(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/groups", json!({ "name": "penalty" })).await.done(201);
        robot.post("/v1/roles", json!({ "name": "trainee" })).await.done(201);
        let mallory = Api::person(&server, "mallory", &["signet:groups.write", "signet:roles.write", "signet:assignments.write"]).await;
        server.apply(&format!("[[users]]\nusername = \"boss\"\npassword = \"{PASSWORD}\"\nroles = [\"admin\"]\n"));
        let (own, boss) = (id_of(&robot, "mallory").await, id_of(&robot, "boss").await);
        robot.post("/v1/assignments", json!({ "user_id": own, "role": "trainee" })).await.done(201);
        robot.put(&format!("/v1/groups/penalty/members/{own}"), json!({})).await.done(204);
        policy(&robot, "penalty", "forbid(principal in Group::\"penalty\", action, resource is Money);").await;
        policy(&robot, "trainees", "forbid(principal in Role::\"trainee\", action, resource is Money);").await;
        beyond(&mallory, &[
            (Method::PATCH, "/v1/roles/admin".to_owned(), json!({ "parents": ["trainee"] })),
            (Method::POST, "/v1/assignments".to_owned(), json!({ "user_id": boss, "role": "trainee" })),
            (Method::PUT, format!("/v1/groups/penalty/members/{boss}"), json!({})),
        ]).await;
    }

    async fn what_policies_give_to_the_disabled_or_for_an_organization_counts(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helpdesk", &["signet:users.write", "signet:users.read"]).await;
        robot.post("/v1/groups", json!({ "name": "it" })).await.done(201);
        robot.post("/v1/organizations", json!({ "name": "acme" })).await.done(201);
        policy(&robot, "it", "permit(principal in Group::\"it\", action, resource is signet);").await;
        policy(&robot, "acme", "permit(principal in Organization::\"acme\", action, resource is signet) when { resource has organization && resource.organization == \"acme\" };").await;
        for (name, place) in [("asleep", "/v1/groups/it"), ("local", "/v1/organizations/acme")] {
            robot.post("/v1/users", json!({ "username": name, "password": PASSWORD, "disabled": name == "asleep" })).await.done(201);
            let id = id_of(&robot, name).await;
            robot.put(&format!("{place}/members/{id}"), json!({})).await.done(204);
            beyond(&desk, &[
                (Method::PUT, format!("/v1/users/{id}/password"), json!({ "password": "a pass phrase of mine" })),
                (Method::PATCH, format!("/v1/users/{id}"), json!({ "disabled": false })),
                (Method::POST, format!("/v1/users/{id}/revoke_tokens"), json!({})),
            ]).await;
        }
    }

    async fn a_second_account_is_no_way_to_what_one_lacks(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &["signet:users.write", "signet:users.read", "signet:attributes.write"]).await;
        policy(&robot, "auditor", "permit(principal, action, resource is signet) when { principal.username == \"auditor\" };").await;
        policy(&robot, "corporate", "permit(principal, action, resource is signet) when { principal has email && principal.email == \"it@corp.test\" };").await;
        policy(&robot, "cleared", "permit(principal, action, resource is signet) when { principal has clearance && principal.clearance == \"high\" };").await;
        beyond(&mallory, &[
            (Method::POST, "/v1/users".to_owned(), json!({ "username": "auditor", "password": PASSWORD })),
            (Method::POST, "/v1/users".to_owned(), json!({ "username": "x", "email": "it@corp.test", "password": PASSWORD })),
            (Method::POST, "/v1/users".to_owned(), json!({ "username": "x", "attributes": { "clearance": "high" } })),
        ]).await;
        mallory.post("/v1/users", json!({ "username": "helper", "password": PASSWORD })).await.done(201);
        let helper = id_of(&robot, "helper").await;
        beyond(&mallory, &[
            (Method::PATCH, format!("/v1/users/{helper}"), json!({ "username": "auditor" })),
            (Method::PATCH, format!("/v1/users/{helper}"), json!({ "email": "it@corp.test" })),
            (Method::PATCH, format!("/v1/users/{helper}"), json!({ "attributes": { "clearance": "high" } })),
        ]).await;
        // A name that would be taken for somebody's sub.
        mallory.post("/v1/users", json!({ "username": helper })).await.problem(422, "invalid_param");
    }

    async fn nobody_keeps_somebody_stronger_signed_out(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helpdesk", &["signet:users.write", "signet:sessions.read", "signet:sessions.write"]).await;
        server.apply(&format!("[[users]]\nusername = \"boss\"\npassword = \"{PASSWORD}\"\nroles = [\"admin\"]\n"));
        let signed_in = Api::known(&server, "boss").await;
        let boss = id_of(&robot, "boss").await;
        let first = |list: Value| list["data"][0]["id"].as_str().unwrap().to_owned();
        let session = first(robot.get(&format!("/v1/users/{boss}/sessions")).await.done(200).json());
        let grant = first(robot.get(&format!("/v1/users/{boss}/grants")).await.done(200).json());
        beyond(&desk, &[
            (Method::DELETE, format!("/v1/sessions/{session}"), json!({})),
            (Method::DELETE, format!("/v1/grants/{grant}"), json!({})),
            (Method::POST, format!("/v1/users/{boss}/revoke_tokens"), json!({})),
            (Method::POST, "/v1/global_token_revocation".to_owned(), json!({ "sub_id": { "format": "opaque", "id": boss } })),
        ]).await;
        signed_in.get("/v1/users").await.done(200);
    }

    async fn an_application_is_no_way_to_what_people_have(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/resources", json!({
            "identifier": "https://pay.example.test", "scopes": ["pay:out"], "scope_permissions": { "pay:out": "money:pay" },
        })).await.done(201);
        let guarded = json!({
            "client_id": "vault", "redirect_uris": ["https://vault.example.test/cb"], "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "none", "required_permission": "vault:use",
        });
        robot.post("/v1/clients", guarded).await.done(201);
        let mallory = Api::person(&server, "mallory", &["signet:clients.write"]).await;
        let mine = json!({
            "client_id": "mine", "redirect_uris": ["https://evil.example.test/cb"], "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "none", "scope": "openid pay:out", "first_party": true,
        });
        beyond(&mallory, &[
            (Method::POST, "/v1/clients".to_owned(), mine),
            // Made again, it would require nothing.
            (Method::DELETE, "/v1/clients/vault".to_owned(), json!({})),
        ]).await;
        let key = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA" }] });
        let leaking = json!({ "client_id": "leaking", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt", "jwks": key });
        robot.post("/v1/clients", leaking).await.problem(422, "invalid_param");
    }

    async fn the_last_administrator_may_be_one_through_a_group(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/groups", json!({ "name": "operators" })).await.done(201);
        robot.post("/v1/groups", json!({ "name": "night-shift", "parents": ["operators"] })).await.done(201);
        robot.post("/v1/roles", json!({ "name": "chief", "parents": ["admin"] })).await.done(201);
        let given = robot.post("/v1/assignments", json!({ "group": "operators", "role": "chief" })).await.done(201).json();
        robot.post("/v1/users", json!({ "username": "boss", "password": PASSWORD })).await.done(201);
        let boss = id_of(&robot, "boss").await;
        let member = format!("/v1/groups/night-shift/members/{boss}");
        robot.put(&member, json!({})).await.done(204);
        for path in [member, format!("/v1/users/{boss}"), "/v1/groups/operators".to_owned(), "/v1/roles/chief".to_owned(),
            format!("/v1/assignments/{}", given["id"].as_str().unwrap())] {
            robot.delete(&path).await.problem(409, "last_administrator");
        }
        robot.patch("/v1/groups/night-shift", json!({ "parents": [] })).await.problem(409, "last_administrator");
        let refused = server.signet(&["user", "disable", "boss"]);
        assert!(!refused.status.success(), "{refused:?}");
    }

    async fn policies_see_how_an_administrator_signed_in(server: Server) {
        let robot = Api::robot(&server).await;
        let person = Api::person(&server, "root", &["signet:*"]).await;
        let fresh = "forbid(principal, action, resource is signet) unless { context.auth_age < 3600 && context.amr.contains(\"pwd\") && context.ip == \"127.0.0.1\" && context.client_id == \"desk\" };";
        policy(&robot, "fresh", fresh).await;
        person.get("/v1/users").await.done(200);
        person.patch("/v1/policies/fresh", json!({ "cedar": "forbid(principal, action, resource is signet) when { context.acr != \"mfa\" };" })).await.done(200);
        person.get("/v1/users").await.problem(403, "forbidden");
    }
}
