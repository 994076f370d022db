//! Attacks on what policies go by: circumstances, names in every spelling, and attributes.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, PASSWORD, beyond, id_of, policy};
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;

on_every_engine! {
    async fn power_that_depends_on_circumstances_counts(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helpdesk", &["signet:users.write", "signet:users.read", "signet:organizations.members"]).await;
        robot.post("/v1/groups", json!({ "name": "oncall" })).await.done(201);
        robot.post("/v1/organizations", json!({ "name": "acme" })).await.done(201);
        let made = async |name: &str| {
            let user = json!({ "username": name, "password": PASSWORD });
            robot.post("/v1/users", user).await.done(201).json()["id"].as_str().unwrap().to_owned()
        };
        let (oncall, novice) = (made("oncall-person").await, made("novice").await);
        robot.put(&format!("/v1/groups/oncall/members/{oncall}"), json!({})).await.done(204);
        let password = |id: &str| format!("/v1/users/{id}/password");
        let new = json!({ "password": "a pass phrase of mine" });
        for condition in [
            "context.auth_age < 0",
            "context.ip == \"10.9.9.9\"",
            "ip(context.ip).isInRange(ip(\"10.0.0.0/8\"))",
            "context.now > 99999999999",
            "context.client_id == \"console\"",
            "context has client && context.client has trusted && context.client.trusted",
            "context.amr.contains(\"otp\") && !(context.acr == \"1\")",
            "resource has organization && resource.organization == \"acme\" && context.acr == \"mfa\"",
        ] {
            policy(&robot, "oncall", &format!("permit(principal in Group::\"oncall\", action, resource is signet) when {{ {condition} }};")).await;
            beyond(&desk, &[
                (Method::PUT, password(&oncall), new.clone()),
                (Method::PATCH, format!("/v1/users/{oncall}"), json!({ "email": "mine@evil.test" })),
                (Method::POST, format!("/v1/users/{oncall}/revoke_tokens"), json!({})),
                (Method::DELETE, format!("/v1/users/{oncall}"), json!({})),
            ]).await;
            desk.put(&password(&novice), new.clone()).await.done(204);
            robot.delete("/v1/policies/oncall").await.done(204);
        }
        desk.put(&password(&oncall), new.clone()).await.done(204);
        // What would come with a membership counts too.
        policy(&robot, "members", "permit(principal, action, resource is signet) when { principal has org && principal.org == Organization::\"acme\" && context.acr == \"mfa\" };").await;
        beyond(&desk, &[(Method::PUT, format!("/v1/organizations/acme/members/{novice}"), json!({}))]).await;
    }

    async fn a_broad_permit_makes_nobody_untouchable(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helpdesk", &["signet:users.write", "signet:users.read"]).await;
        robot.post("/v1/organizations", json!({ "name": "acme" })).await.done(201);
        let novice = json!({ "username": "novice", "password": PASSWORD });
        let novice = robot.post("/v1/users", novice).await.done(201).json()["id"].as_str().unwrap().to_owned();
        robot.put(&format!("/v1/organizations/acme/members/{novice}"), json!({})).await.done(204);
        let password = format!("/v1/users/{novice}/password");
        let new = json!({ "password": "a pass phrase of mine" });
        for broad in [
            "permit(principal, action == Action::\"users.read\", resource is signet);",
            "permit(principal, action, resource is signet);",
            "permit(principal, action, resource);",
            "permit(principal, action, resource is signet) when { context.client_id == \"desk\" };",
            "permit(principal, action, resource) when { resource has organization };",
            "permit(principal, action, resource is Document) when { context.acr == \"mfa\" };",
            "permit(principal, action == Action::\"read\", resource) when { context.acr == \"mfa\" };",
        ] {
            policy(&robot, "broad", broad).await;
            desk.put(&password, new.clone()).await.done(204);
            robot.delete("/v1/policies/broad").await.done(204);
        }
        // What the asker lacks right now counts.
        policy(&robot, "broad", "permit(principal, action == Action::\"keys.write\", resource is signet) when { context.client_id == \"console\" };").await;
        beyond(&desk, &[(Method::PUT, password, new)]).await;
    }

    async fn names_are_read_in_every_spelling(server: Server) {
        let robot = Api::robot(&server).await;
        for name in ["o'brien", "suspended", "read", "penalty"] {
            robot.post("/v1/groups", json!({ "name": name })).await.done(201);
        }
        let mallory = Api::person(&server, "mallory", &["signet:groups.write", "signet:users.write", "signet:users.read"]).await;
        let own = id_of(&robot, "mallory").await;
        let member = |group: &str| format!("/v1/groups/{group}/members/{own}");
        for name in ["o'brien", "suspended", "read", "penalty"] {
            robot.put(&member(name), json!({})).await.done(204);
        }
        policy(&robot, "a", r#"forbid(principal in Group::"o\'brien", action, resource is Money);"#).await;
        policy(&robot, "b", r#"forbid(principal, action == Action::"read", resource is Money) when { principal in [Group::"\u{73}uspended"] };"#).await;
        policy(&robot, "c", r#"forbid(principal, action, resource is Money) when { principal.username like "mal*" && context.group == "penalty" };"#).await;
        beyond(&mallory, &[
            (Method::DELETE, member("o'brien"), json!({})),
            (Method::DELETE, member("suspended"), json!({})),
            (Method::DELETE, member("penalty"), json!({})),
            (Method::DELETE, "/v1/groups/o'brien".to_owned(), json!({})),
            // Nor does an accomplice get, or leave, a name that a policy has.
            (Method::POST, "/v1/users".to_owned(), json!({ "username": "malvolio" })),
        ]).await;
        // An action of the same name is no group.
        mallory.delete(&member("read")).await.done(204);
        let full = Api::person(&server, "root", &["signet:*"]).await;
        full.delete(&member("o'brien")).await.done(204);
        full.post("/v1/users", json!({ "username": "malvolio" })).await.done(201);
        let malvolio = id_of(&robot, "malvolio").await;
        beyond(&mallory, &[
            (Method::PATCH, format!("/v1/users/{malvolio}"), json!({ "username": "innocent" })),
            (Method::DELETE, format!("/v1/users/{malvolio}"), json!({})),
        ]).await;
    }

    async fn attributes_that_a_policy_reads_are_guarded(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &[
            "signet:groups.write", "signet:organizations.write", "signet:attributes.write", "signet:users.write", "signet:users.read",
        ]).await;
        let full = Api::person(&server, "root", &["signet:*"]).await;
        let own = id_of(&robot, "mallory").await;
        robot.post("/v1/groups", json!({ "name": "staff", "attributes": { "suspended": true } })).await.done(201);
        robot.put(&format!("/v1/groups/staff/members/{own}"), json!({})).await.done(204);
        robot.post("/v1/organizations", json!({ "name": "acme", "attributes": { "suspended": true } })).await.done(201);
        robot.put(&format!("/v1/organizations/acme/members/{own}"), json!({})).await.done(204);
        robot.put("/v1/objects/Money/1", json!({ "organization": "acme", "attributes": { "frozen": true } })).await.done(200);
        robot.post("/v1/users", json!({ "username": "accomplice", "attributes": { "barred": true } })).await.done(201);
        let accomplice = format!("/v1/users/{}", id_of(&robot, "accomplice").await);

        let keys = "action == Action::\"keys.read\", resource is signet";
        for (id, cedar) in [
            ("group", format!("permit(principal in Group::\"staff\", {keys}) when {{ Group::\"staff\" has trusted && Group::\"staff\".trusted }};")),
            ("organization", format!("permit(principal, {keys}) when {{ principal has org && principal.org has trusted && principal.org.trusted }};")),
            ("object", "permit(principal, action, resource is Safe) when { resource has open && resource.open };".to_owned()),
            ("user", format!("permit(principal, {keys}) when {{ principal has clearance && principal.clearance == 9 }};")),
            ("lift-group", "forbid(principal, action, resource is Money) when { principal in Group::\"staff\" && Group::\"staff\".suspended };".to_owned()),
            ("lift-organization", "forbid(principal, action, resource is Money) when { resource has org && resource.org has suspended && resource.org.suspended };".to_owned()),
            ("lift-object", "forbid(principal, action, resource is Money) when { resource has frozen && resource.frozen };".to_owned()),
            ("lift-user", "forbid(principal, action, resource is Money) when { principal has barred && principal.barred };".to_owned()),
        ] {
            policy(&robot, id, &cedar).await;
        }
        let patch = |path: &str, attributes: Value| (Method::PATCH, path.to_owned(), json!({ "attributes": attributes }));
        let object = |path: &str, body: Value| (Method::PUT, format!("/v1/objects/{path}"), body);
        let changes = [
            patch("/v1/groups/staff", json!({ "trusted": true })),
            patch("/v1/groups/staff", json!({ "suspended": null })),
            patch("/v1/organizations/acme", json!({ "trusted": true })),
            patch("/v1/organizations/acme", json!({ "suspended": false })),
            object("Safe/1", json!({ "attributes": { "open": true } })),
            object("Money/1", json!({ "organization": "acme", "attributes": {} })),
            object("Money/1", json!({ "attributes": { "frozen": true } })),
            object("Money/2", json!({ "attributes": { "frozen": false } })),
            patch(&accomplice, json!({ "barred": null })),
            patch(&accomplice, json!({ "clearance": 9 })),
        ];
        mallory.get("/v1/signing_keys").await.problem(403, "forbidden");
        beyond(&mallory, &changes).await;
        beyond(&mallory, &[
            (Method::POST, "/v1/users".to_owned(), json!({ "username": "second", "attributes": { "clearance": 9 } })),
            (Method::POST, "/v1/organizations".to_owned(), json!({ "name": "mine", "attributes": { "trusted": true } })),
            (Method::DELETE, "/v1/organizations/acme".to_owned(), json!({})),
            (Method::DELETE, "/v1/objects/Money/1".to_owned(), json!({})),
            (Method::DELETE, accomplice.clone(), json!({})),
            (Method::DELETE, "/v1/groups/staff".to_owned(), json!({})),
        ]).await;
        mallory.get("/v1/signing_keys").await.problem(403, "forbidden");
        // What no policy reads is a delegate's to change.
        let floor = json!({ "attributes": { "floor": 3 } });
        for path in ["/v1/groups/staff", "/v1/organizations/acme", &accomplice] {
            mallory.patch(path, floor.clone()).await.done(200);
        }
        mallory.put("/v1/objects/Money/3", floor).await.done(200);
        // A disabled policy reads nothing.
        robot.patch("/v1/policies/lift-user", json!({ "enabled": false })).await.done(200);
        mallory.patch(&accomplice, json!({ "attributes": { "barred": false } })).await.done(200);
        for (method, path, body) in changes {
            let answer = Answer::to(full.request(method, &path).json(&body)).await;
            answer.done(200);
        }
        mallory.get("/v1/signing_keys").await.done(200);
    }
}
