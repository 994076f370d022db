//! People through the API.

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::support::{Api, PASSWORD};
use crate::support::client::{Answer, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::ALICE;

on_every_engine! {
    async fn a_person_is_created_read_changed_and_deleted(server: Server) {
        let api = Api::robot(&server).await;
        let created = api.post("/v1/users", json!({
            "username": "Carol", "password": PASSWORD, "email": "carol@example.test", "name": "Carol Example",
            "attributes": { "department": "sales" },
        })).await.done(201);
        let carol = created.json();
        let path = created.header("location").to_owned();
        assert_eq!(path, format!("/v1/users/{}", carol["id"].as_str().unwrap()));
        assert_eq!((&carol["name"], &carol["has_password"]), (&json!("Carol Example"), &json!(true)));
        assert!(!created.body.contains("argon2"), "{created:?}");

        let read = api.get(&path).await.done(200);
        assert_eq!((read.json(), read.header("etag")), (carol.clone(), created.header("etag")));
        let unchanged = api.request(Method::GET, &path).header("if-none-match", read.header("etag"));
        assert_eq!(Answer::to(unchanged).await.status, 304);

        let changed = api.patch(&path, json!({
            "username": "caroline", "email": null, "attributes": { "department": null, "floor": 3 }, "name": "Caroline",
        })).await.done(200).json();
        assert_eq!((&changed["username"], &changed["attributes"]), (&json!("caroline"), &json!({ "floor": 3 })));
        assert_eq!((changed.get("email"), &changed["name"]), (None, &json!("Caroline")));
        let claim = api.patch(&path, json!({ "name": null })).await.done(200).json();
        assert_eq!(claim.get("name"), None);

        api.patch(&path, json!({ "email": "one@example.test", "email_verified": true })).await.done(200);
        let moved = api.patch(&path, json!({ "email": "two@example.test" })).await.done(200).json();
        assert_eq!(moved["email_verified"], json!(false), "nobody has proven the new address");

        Api::known(&server, "caroline").await;
        api.put(&format!("{path}/password"), json!({ "password": "another pass phrase" })).await.done(204);
        api.delete(&path).await.done(204);
        api.get(&path).await.problem(404, "not_found");
        api.delete(&path).await.problem(404, "not_found");
    }

    async fn what_is_wrong_is_named(server: Server) {
        let api = Api::robot(&server).await;
        let wrong = api.post("/v1/users", json!({ "username": "dave", "emial": "x@example.test" })).await;
        let problem = wrong.problem(400, "unknown_param");
        assert_eq!((&problem["param"], &problem["hint"]), (&json!("emial"), &json!("did you mean \"email\"?")));
        let problem = api.post("/v1/users", json!({ "username": 7 })).await.problem(422, "invalid_param");
        assert!(problem["detail"].as_str().unwrap().contains("string"), "{problem}");
        let problem = api.post("/v1/users", json!({ "username": "dave", "email": "nowhere" })).await.problem(422, "invalid_param");
        assert_eq!(problem["errors"][0]["param"], "email");
        let problem = api.post("/v1/users", json!({ "username": "dave", "password": "short" })).await.problem(422, "invalid_param");
        assert_eq!(problem["param"], "password");
        api.post("/v1/users", json!({ "username": " ALICE " })).await.problem(409, "exists");
        api.post("/v1/users", json!({ "username": "dave\u{0}" })).await.problem(422, "invalid_param");
        let not_json = api.request(Method::POST, "/v1/users").body("username=dave");
        Answer::to(not_json).await.problem(415, "unsupported_media_type");
        let broken = api.request(Method::POST, "/v1/users").header("content-type", "application/json").body("{");
        Answer::to(broken).await.problem(400, "invalid_body");
        api.get("/v1/users/nobody").await.problem(404, "not_found");
        api.get("/v1/users/00000000-0000-4000-8000-000000000000").await.problem(404, "not_found");
        api.get("/v1/users?limit=0").await.problem(400, "invalid_param");
        api.get("/v1/users?limit=many").await.problem(400, "invalid_param");
        api.get("/v1/users?limit=1&limit=2").await.problem(400, "invalid_param");
        api.get("/v1/users?sort=name").await.problem(400, "unknown_param");
        api.get("/v1/users?cursor=%00").await.problem(400, "invalid_param");
        api.get("/v1/nothing").await.problem(404, "not_found");
        Answer::to(api.request(Method::PUT, "/v1/users")).await.problem(405, "method_not_allowed");
    }

    async fn a_list_is_read_page_by_page_while_others_insert(server: Server) {
        let api = Api::robot(&server).await;
        for number in 0..25 {
            let name = format!("person-{number:02}");
            api.post("/v1/users", json!({ "username": name, "email": format!("{number}@people.test") })).await.done(201);
        }
        let first = api.get("/v1/users?q=PERSON-&limit=10").await.done(200).json();
        assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (10, &json!(true)));
        api.post("/v1/users", json!({ "username": "person-00a" })).await.done(201);
        api.post("/v1/users", json!({ "username": "person-10a" })).await.done(201);
        let mut names: Vec<String> = Vec::new();
        let mut page = first;
        loop {
            names.extend(page["data"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            page = api.get(&format!("/v1/users?q=person-&limit=10&cursor={cursor}")).await.done(200).json();
        }
        assert_eq!((names.len(), &page["has_more"]), (26, &json!(false)));
        assert!(names.is_sorted() && names.contains(&"person-10a".to_owned()), "{names:?}");
        let by_email = api.get("/v1/users?q=7@people").await.done(200).json();
        assert_eq!(by_email["data"][0]["username"], "person-07");
        assert_eq!(api.get("/v1/users?q=per%25").await.done(200).json()["data"], json!([]));
        assert_eq!(api.get("/v1/users?disabled=true").await.done(200).json()["data"], json!([]));
    }

    async fn nobody_without_a_good_token_learns_anything(server: Server) {
        let api = Api::robot(&server).await;
        let none = Answer::to(server.http().get(server.url("/v1/users"))).await;
        assert!(none.header("www-authenticate").starts_with("Bearer realm=\"signet\", scope="), "{none:?}");
        none.problem(401, "missing_token");
        Api::with_token(&server, "nonsense").get("/v1/users").await.problem(401, "invalid_token");
        let tokens = server.signed_in(&WEB, "openid").await;
        let ordinary = Api::with_token(&server, &tokens.access_token());
        ordinary.get("/v1/users").await.problem(403, "insufficient_scope");

        // The scope alone is not enough: the person needs the permission.
        let clerk = Api::person(&server, "clerk", &["order:read"]).await;
        let refused = clerk.get("/v1/users").await.problem(403, "forbidden");
        assert!(refused["detail"].as_str().unwrap().contains("signet:users.read"), "{refused}");
        let known = clerk.get(&alice(&api).await).await;
        let unknown = clerk.get("/v1/users/00000000-0000-4000-8000-000000000000").await;
        assert_eq!((known.status, unknown.status), (403, 403));
        assert_eq!(known.json()["detail"], unknown.json()["detail"]);
        clerk.post("/v1/users", json!({ "username": "eve" })).await.problem(403, "forbidden");
        clerk.delete(&alice(&api).await).await.problem(403, "forbidden");
    }

    async fn a_change_is_guarded_by_what_was_seen(server: Server) {
        let api = Api::robot(&server).await;
        let path = alice(&api).await;
        let seen = api.get(&path).await.done(200).header("etag").to_owned();
        let guarded = async |tag: &str, name: &str| {
            let request = api.request(Method::PATCH, &path).header("if-match", tag).json(&json!({ "name": name }));
            Answer::to(request).await
        };
        guarded(&seen, "First").await.done(200);
        guarded(&seen, "Second").await.problem(412, "precondition_failed");
        guarded("*", "Third").await.done(200);
        assert_eq!(api.get(&path).await.json()["name"], "Third");
    }

    async fn a_repeated_request_is_done_once(server: Server) {
        let api = Api::robot(&server).await;
        let create = async |key: &str, name: &str| {
            let request = api.request(Method::POST, "/v1/users").header("idempotency-key", key);
            Answer::to(request.json(&json!({ "username": name, "password": PASSWORD }))).await
        };
        let first = create("key-1", "frank").await.done(201);
        let again = create("\"key-1\"", "frank").await.done(201);
        assert_eq!((&first.body, first.header("location"), first.header("etag")), (&again.body, again.header("location"), again.header("etag")));
        create("key-1", "grace").await.problem(422, "idempotency_key_reused");
        create("key-2", "frank").await.problem(409, "exists");
        create("key-2", "grace").await.done(201);
        // Keys are the caller's own.
        let other = Api::person(&server, "root", &["signet:*"]).await;
        let request = other.request(Method::POST, "/v1/users").header("idempotency-key", "key-1");
        Answer::to(request.json(&json!({ "username": "heidi" }))).await.done(201);

        // Many at once: one is done, the others are told so or get its answer.
        let racing = (0..20).map(|_| {
            let request = api.request(Method::POST, "/v1/users").header("idempotency-key", "key-3");
            // Without a password: hashing twenty of them takes longer than a request may on a busy machine.
            Answer::to(request.json(&json!({ "username": "ivan" })))
        });
        let answers = racing.collect::<JoinSet<_>>().join_all().await;
        let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(!created.is_empty() && created.iter().all(|answer| answer.body == created[0].body), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 409), "{answers:?}");
    }

    async fn ending_everything_of_a_person_ends_it(server: Server) {
        let api = Api::robot(&server).await;
        let path = alice(&api).await;
        for end in ["revoke_tokens", "password", "disable"] {
            let tokens = server.signed_in(&WEB, "openid").await;
            server.assert_active(&tokens.access_token()).await;
            match end {
                "revoke_tokens" => api.post(&format!("{path}/revoke_tokens"), json!({})).await.done(204),
                "password" => api.put(&format!("{path}/password"), json!({ "password": ALICE.1 })).await.done(204),
                _ => api.patch(&path, json!({ "disabled": true })).await.done(200),
            };
            server.assert_inactive(&tokens.access_token()).await;
            let refreshed = server.refresh(&WEB, &tokens.refresh_token()).await;
            refreshed.failed(400, "invalid_grant");
        }
    }

    async fn a_costly_password_hash_needs_every_right(server: Server) {
        let robot = Api::robot(&server).await;
        let desk = Api::person(&server, "helper", &["signet:users.read", "signet:users.write"]).await;
        let hash = |cost: &str| format!("$argon2id$v=19${cost}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
        let new = |name: &str, cost: &str| json!({ "username": name, "password_hash": hash(cost) });
        let costly = "m=262144,t=16,p=1";
        let refused = desk.post("/v1/users", new("carol", costly)).await.problem(403, "beyond_your_rights");
        assert_eq!(refused["param"], "password_hash", "{refused}");
        assert_eq!(robot.get("/v1/users?q=carol").await.json()["data"], json!([]));
        desk.post("/v1/users", new("carol", "m=64,t=1,p=1")).await.done(201);
        robot.post("/v1/users", new("dave", costly)).await.done(201);
        // The operator is told.
        let document = format!("[[users]]\nusername = \"erin\"\npassword_hash = \"{}\"\n", hash(costly));
        let file = server.directory().join("costly.toml");
        std::fs::write(&file, document).unwrap();
        let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8(said).unwrap().contains("erin\" costs more than 4 times"));
    }
}

async fn alice(api: &Api<'_>) -> String {
    let found = api.get("/v1/users?q=alice").await.done(200).json();
    format!("/v1/users/{}", found["data"][0]["id"].as_str().unwrap())
}
