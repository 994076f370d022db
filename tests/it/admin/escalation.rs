//! Nobody gives, or takes over, what they do not have themselves.

use serde_json::{Value, json};

use super::support::{Api, PASSWORD, id_of};
use crate::support::engines::on_every_engine;

on_every_engine! {
    async fn a_role_that_one_lacks_cannot_be_given_in_any_way(server: Server) {
        let robot = Api::robot(&server).await;
        let permissions = ["signet:users.read", "signet:users.write", "signet:roles.read", "signet:roles.write",
            "signet:assignments.read", "signet:assignments.write", "signet:groups.read", "signet:groups.write",
            "signet:levels.write", "signet:policies.write", "signet:attributes.write", "signet:clients.write"];
        let mallory = Api::person(&server, "mallory", &permissions).await;
        let own = id_of(&robot, "mallory").await;
        robot.post("/v1/roles", json!({ "name": "treasurer", "permissions": ["Money:move"] })).await.done(201);
        robot.post("/v1/groups", json!({ "name": "treasury" })).await.done(201);
        robot.post("/v1/assignments", json!({ "group": "treasury", "role": "treasurer" })).await.done(201);
        robot.post("/v1/groups", json!({ "name": "vault" })).await.done(201);
        robot.put("/v1/groups/vault/levels/Safe/1", json!({ "level": "admin" })).await.done(200);

        let beyond = async |answer: crate::support::client::Answer, what: &str| {
            let problem = answer.problem(403, "beyond_your_rights");
            assert!(problem["detail"].as_str().unwrap().contains(what), "{problem}");
        };
        for role in ["treasurer", "admin"] {
            beyond(mallory.post("/v1/assignments", json!({ "user_id": own, "role": role })).await, role).await;
            beyond(mallory.post("/v1/assignments", json!({ "user_id": own, "role": role, "organization": null })).await, role).await;
            beyond(mallory.patch("/v1/roles/role-of-mallory", json!({ "parents": [role] })).await, role).await;
            beyond(mallory.post("/v1/roles", json!({ "name": "mine", "parents": [role] })).await, role).await;
        }
        beyond(mallory.patch("/v1/roles/role-of-mallory", json!({ "permissions": ["Money:move"] })).await, "Money:move").await;
        beyond(mallory.patch("/v1/roles/role-of-mallory", json!({ "permissions": ["signet:*"] })).await, "signet:*").await;
        beyond(mallory.post("/v1/roles", json!({ "name": "mine", "permissions": ["signet:keys.write"] })).await, "signet:keys.write").await;
        beyond(mallory.put(&format!("/v1/groups/treasury/members/{own}"), json!({})).await, "treasury").await;
        beyond(mallory.put(&format!("/v1/groups/vault/members/{own}"), json!({})).await, "vault").await;
        beyond(mallory.post("/v1/groups", json!({ "name": "mine", "parents": ["treasury"] })).await, "treasury").await;
        beyond(mallory.put(&format!("/v1/users/{own}/levels/Safe/1"), json!({ "level": "read" })).await, "read on Safe:1").await;
        beyond(mallory.post("/v1/policies", json!({ "id": "mine", "cedar": "permit(principal, action, resource);" })).await, "signet:*").await;
        beyond(mallory.patch(&format!("/v1/users/{own}"), json!({ "attributes": { "department": "treasury" } })).await, "signet:*").await;
        beyond(mallory.post("/v1/clients", json!({ "scope": "signet:admin", "grant_types": ["client_credentials"] })).await, "signet:*").await;
        beyond(mallory.patch("/v1/clients/robot", json!({ "client_name": "Mine" })).await, "signet:*").await;
        beyond(mallory.post("/v1/clients/robot/secrets", json!({})).await, "signet:*").await;
        beyond(mallory.patch("/v1/clients/desk", json!({ "redirect_uris": ["https://evil.example.test/"] })).await, "signet:*").await;

        // What is one's own can be given.
        robot.post("/v1/users", json!({ "username": "novice", "password": PASSWORD })).await.done(201);
        let novice = id_of(&robot, "novice").await;
        mallory.post("/v1/assignments", json!({ "user_id": novice, "role": "role-of-mallory" })).await.done(201);
        mallory.post("/v1/roles", json!({ "name": "smaller", "permissions": ["signet:users.read"] })).await.done(201);
    }

    async fn what_ends_gives_nothing_that_lasts(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/organizations", json!({ "name": "acme" })).await.done(201);
        robot.post("/v1/roles", json!({ "name": "deputy", "permissions": ["signet:assignments.write", "signet:roles.write", "signet:policies.write"] })).await.done(201);
        let temp = Api::person(&server, "temp", &["signet:roles.write"]).await;
        let id = id_of(&robot, "temp").await;
        let until = json!("2999-01-01T00:00:00Z");
        robot.post("/v1/assignments", json!({ "user_id": id, "role": "deputy", "until": until })).await.done(201);
        temp.post("/v1/assignments", json!({ "user_id": id, "role": "deputy" })).await.problem(403, "beyond_your_rights");
        let longer = temp.post("/v1/assignments", json!({ "user_id": id, "role": "deputy", "until": "2999-01-02T00:00:00Z" })).await;
        let refused = longer.problem(403, "beyond_your_rights");
        let told = "you cannot grant role \"deputy\" until 2999-01-02T00:00:00Z: you hold it only until 2999-01-01T00:00:00Z";
        assert_eq!(refused["detail"], told);
        temp.patch("/v1/roles/role-of-temp", json!({ "parents": ["deputy"] })).await.problem(403, "beyond_your_rights");
        temp.patch("/v1/roles/role-of-temp", json!({ "permissions": ["signet:roles.write", "signet:assignments.write"] })).await.problem(403, "beyond_your_rights");
        temp.post("/v1/assignments", json!({ "user_id": id, "role": "deputy", "organization": "acme", "until": until })).await.done(201);
        robot.post("/v1/assignments", json!({ "user_id": id, "role": "admin", "until": until })).await.done(201);
        temp.post("/v1/policies", json!({ "id": "mine", "cedar": "permit(principal, action, resource);" })).await.problem(403, "beyond_your_rights");
        temp.post("/v1/assignments", json!({ "user_id": id, "role": "admin" })).await.problem(403, "beyond_your_rights");
    }

    async fn a_client_is_no_way_to_what_one_lacks(server: Server) {
        let robot = Api::robot(&server).await;
        server.apply("[[resources]]\nidentifier = \"https://pay.example.test\"\nscopes = [\"pay:out\"]\nscope_permissions = { \"pay:out\" = \"money:pay\" }\n");
        let mallory = Api::person(&server, "mallory", &["signet:clients.write", "signet:resources.write", "signet:users.read", "signet:users.write"]).await;
        let own = id_of(&robot, "mallory").await;
        let job = |id: &str| json!({ "client_id": id, "grant_types": ["client_credentials"], "scope": "pay:out" });
        mallory.post("/v1/clients", job("mine")).await.problem(403, "beyond_your_rights");
        robot.post("/v1/clients", job("theirs")).await.done(201);
        mallory.post("/v1/clients/theirs/secrets", json!({})).await.problem(403, "beyond_your_rights");
        let resource = "/v1/resources/https%3A%2F%2Fpay.example.test";
        mallory.patch(resource, json!({ "scope_permissions": null })).await.problem(403, "beyond_your_rights");
        mallory.delete(resource).await.problem(403, "beyond_your_rights");
        for scope in ["signet:admin", "openid"] {
            let body = json!({ "identifier": "https://x.example.test", "scopes": [scope] });
            mallory.post("/v1/resources", body).await.problem(422, "invalid_param");
        }
        robot.patch("/v1/clients/web", json!({ "required_permission": "shop:use" })).await.done(200);
        mallory.patch("/v1/clients/web", json!({ "required_permission": null })).await.problem(403, "beyond_your_rights");
        // A client's tokens carry its name as sub.
        let body = json!({ "client_id": own, "grant_types": ["client_credentials"] });
        mallory.post("/v1/clients", body).await.problem(422, "invalid_param");
        // Nor is one's own address what one says it is.
        let path = format!("/v1/users/{own}");
        for change in [json!({ "email": "boss@example.test" }), json!({ "username": "boss" }), json!({ "email_verified": true })] {
            assert_eq!(mallory.patch(&path, change).await.status, 403);
        }
    }

    async fn a_forbid_is_not_escaped_by_leaving_or_deleting(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/groups", json!({ "name": "suspended" })).await.done(201);
        let mallory = Api::person(&server, "mallory", &["signet:groups.read", "signet:groups.write"]).await;
        let own = id_of(&robot, "mallory").await;
        let member = format!("/v1/groups/suspended/members/{own}");
        robot.put(&member, json!({})).await.done(204);
        let cedar = "forbid(principal in Group::\"suspended\", action, resource is Money);";
        robot.post("/v1/policies", json!({ "id": "suspended", "cedar": cedar })).await.done(201);
        mallory.delete(&member).await.problem(403, "beyond_your_rights");
        mallory.delete("/v1/groups/suspended").await.problem(403, "beyond_your_rights");
    }

    async fn a_client_that_lost_the_scope_administrates_no_more(server: Server) {
        let robot = Api::robot(&server).await;
        let admin = Api::person(&server, "root", &["signet:*"]).await;
        admin.patch("/v1/clients/robot", json!({ "scope": "openid" })).await.done(200);
        robot.get("/v1/users").await.problem(403, "insufficient_scope");
    }

    async fn nobody_takes_over_somebody_stronger(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helpdesk", &["signet:users.write", "signet:assignments.write", "signet:users.read"]).await;
        server.apply(&format!("[[users]]\nusername = \"boss\"\npassword = \"{PASSWORD}\"\nroles = [\"admin\"]\n"));
        let boss = id_of(&robot, "boss").await;
        let refused: [(reqwest::Method, String, Value); 4] = [
            (reqwest::Method::PUT, format!("/v1/users/{boss}/password"), json!({ "password": "a pass phrase of mine" })),
            (reqwest::Method::PATCH, format!("/v1/users/{boss}"), json!({ "email": "mine@example.test" })),
            (reqwest::Method::PATCH, format!("/v1/users/{boss}"), json!({ "disabled": true })),
            (reqwest::Method::DELETE, format!("/v1/users/{boss}"), json!({})),
        ];
        for (method, path, body) in refused {
            let request = desk.request(method, &path).json(&body);
            crate::support::client::Answer::to(request).await.problem(403, "beyond_your_rights");
        }
        let given = robot.get(&format!("/v1/assignments?user_id={boss}")).await.done(200).json();
        let path = format!("/v1/assignments/{}", given["data"][0]["id"].as_str().unwrap());
        desk.delete(&path).await.problem(403, "beyond_your_rights");
        // Ordinary people are theirs to help.
        robot.post("/v1/users", json!({ "username": "ordinary" })).await.done(201);
        let ordinary = id_of(&robot, "ordinary").await;
        desk.put(&format!("/v1/users/{ordinary}/password"), json!({ "password": PASSWORD })).await.done(204);
    }

    async fn the_last_administrator_stays(server: Server) {
        let robot = Api::robot(&server).await;
        server.apply(&format!("[[users]]\nusername = \"boss\"\npassword = \"{PASSWORD}\"\nroles = [\"admin\"]\n"));
        let boss = Api::known(&server, "boss").await;
        let id = id_of(&robot, "boss").await;
        let given = robot.get(&format!("/v1/assignments?user_id={id}&role=admin")).await.done(200).json();
        let assignment = format!("/v1/assignments/{}", given["data"][0]["id"].as_str().unwrap());
        for api in [&boss, &robot] {
            api.delete(&assignment).await.problem(409, "last_administrator");
            api.delete(&format!("/v1/users/{id}")).await.problem(409, "last_administrator");
            api.patch(&format!("/v1/users/{id}"), json!({ "disabled": true })).await.problem(409, "last_administrator");
            let ending = json!({ "user_id": id, "role": "admin", "until": "2999-01-01T00:00:00Z" });
            api.post("/v1/assignments", ending).await.problem(409, "last_administrator");
        }
        boss.get("/v1/users").await.done(200);
        robot.post("/v1/users", json!({ "username": "second" })).await.done(201);
        let asleep = id_of(&robot, "second").await;
        boss.post("/v1/assignments", json!({ "user_id": asleep, "role": "admin" })).await.done(201);
        // Who has no password cannot sign in.
        boss.delete(&assignment).await.problem(409, "last_administrator");
        robot.put(&format!("/v1/users/{asleep}/password"), json!({ "password": PASSWORD })).await.done(204);
        let second = id_of(&robot, "second").await;
        boss.post("/v1/assignments", json!({ "user_id": second, "role": "admin" })).await.done(201);
        boss.delete(&assignment).await.done(204);
        // What was given up is gone within a second; here at once.
        boss.get("/v1/users").await.problem(403, "forbidden");
    }

    async fn an_organization_is_administrated_from_within_and_no_further(server: Server) {
        let robot = Api::robot(&server).await;
        for name in ["acme", "globex"] {
            robot.post("/v1/organizations", json!({ "name": name })).await.done(201);
            let user = robot.post("/v1/users", json!({ "username": format!("worker-{name}") })).await.done(201).json();
            let user = user["id"].as_str().unwrap();
            robot.put(&format!("/v1/organizations/{name}/members/{user}"), json!({})).await.done(204);
        }
        let permissions = ["signet:users.read", "signet:organizations.read", "signet:organizations.write",
            "signet:organizations.members", "signet:assignments.read", "signet:assignments.write"];
        robot.post("/v1/roles", json!({ "name": "org-admin", "permissions": permissions })).await.done(201);
        let chief = Api::person(&server, "chief", &[]).await;
        let id = id_of(&robot, "chief").await;
        robot.post("/v1/assignments", json!({ "user_id": id, "role": "org-admin", "organization": "acme" })).await.done(201);
        let (mine, other) = (id_of(&robot, "worker-acme").await, id_of(&robot, "worker-globex").await);

        let listed = chief.get("/v1/users?organization=acme").await.done(200).json();
        assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
        chief.get(&format!("/v1/users/{mine}")).await.done(200);
        chief.get("/v1/organizations/acme").await.done(200);
        chief.patch("/v1/organizations/acme", json!({ "description": "Ours" })).await.done(200);
        chief.get("/v1/organizations/acme/members").await.done(200);
        let given = chief.post("/v1/assignments", json!({ "user_id": mine, "role": "org-admin", "organization": "acme" })).await.done(201);
        chief.delete(given.header("location")).await.done(204);

        for path in ["/v1/users", "/v1/users?organization=globex", &format!("/v1/users/{other}"), "/v1/organizations",
            "/v1/organizations/globex", "/v1/organizations/globex/members", "/v1/assignments", "/v1/assignments?organization=globex",
            "/v1/organizations/nowhere"] {
            chief.get(path).await.problem(403, "forbidden");
        }
        chief.get("/v1/assignments?organization=").await.problem(400, "invalid_param");
        chief.put(&format!("/v1/organizations/acme/members/{other}"), json!({})).await.problem(403, "forbidden");
        chief.patch("/v1/organizations/globex", json!({ "description": "Ours" })).await.problem(403, "forbidden");
        chief.delete("/v1/organizations/acme").await.problem(403, "forbidden");
        for organization in [json!("globex"), Value::Null] {
            let body = json!({ "user_id": mine, "role": "org-admin", "organization": organization });
            chief.post("/v1/assignments", body).await.problem(403, "forbidden");
        }
        chief.post("/v1/assignments", json!({ "user_id": mine, "role": "admin", "organization": "acme" })).await.problem(403, "beyond_your_rights");
    }

    async fn a_person_who_is_disabled_or_stripped_administrates_no_more(server: Server) {
        let robot = Api::robot(&server).await;
        let clerk = Api::person(&server, "clerk", &["signet:users.read"]).await;
        clerk.get("/v1/users").await.done(200);
        let id = id_of(&robot, "clerk").await;
        let given = robot.get(&format!("/v1/assignments?user_id={id}")).await.done(200).json();
        robot.delete(&format!("/v1/assignments/{}", given["data"][0]["id"].as_str().unwrap())).await.done(204);
        clerk.get("/v1/users").await.problem(403, "forbidden");
        robot.patch(&format!("/v1/users/{id}"), json!({ "disabled": true })).await.done(200);
        clerk.get("/v1/users").await.problem(401, "invalid_token");
    }
}
