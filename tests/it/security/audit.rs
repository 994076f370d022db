//! The audit trail: every act is in it, no secret is, and nobody changes it unseen.

use std::time::Duration;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, MACHINE, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, Server};

on_every_engine! {
    async fn what_people_and_clients_do_is_in_the_trail(server: Server) {
        let server = server.with_settings(&[("SIGNET_REFRESH_RETRY_WINDOW", "0")]);
        let browser = Browser::new(&server);
        let page = browser.open("/login").await;
        let wrong = "not the password of alice";
        browser.submit(&page, "login-submit", &[("username", ALICE.0), ("password", wrong)]).await;
        browser.submit(&page, "login-submit", &[("username", "nobody-of-that-name"), ("password", wrong)]).await;
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let refreshed = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        server.refresh(&WEB, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
        let machine = server.token(&MACHINE, &[("grant_type", "client_credentials")]).await;
        let given_back = machine.text("access_token");
        assert_eq!(server.revoke(&MACHINE, &given_back).await.status, 200);
        server.token(&MACHINE, &[("grant_type", "client_credentials"), ("scope", "openid")]).await.failed(400, "invalid_scope");
        let forged = server.http().post(server.url("/token")).basic_auth("machine", Some("wrong-secret-of-machine"));
        let form = forged.form(&[("grant_type", "client_credentials")]);
        Answer::to(form).await.failed(401, "invalid_client");
        let deny = Authorization::of(&WEB, "openid email profile");
        let browser = Browser::new(&server);
        let page = browser.open(&deny.url(&server)).await;
        let page = browser.submit(&page, "login-submit", &[("username", "bob"), ("password", "a wholly different pass phrase")]).await;
        browser.submit(&page, "consent-deny", &[]).await;

        let events = settled(&server).await;
        for (kind, of, count) in [
            ("sign_in.refused", "alice", 1),
            ("sign_in.refused", "unknown", 1),
            ("session.created", "", 2),
            ("consent.given", "web", 1),
            ("consent.denied", "web", 1),
            ("code.issued", "web", 1),
            ("token.issued", "web", 1),
            ("token.refreshed", "web", 1),
            ("token.replayed", "web", 1),
            ("grant.revoked", "web", 1),
            ("token.refused", "invalid_scope", 1),
            ("token.issued", "client_credentials", 1),
            ("token.revoked", "machine", 1),
            ("client.refused", "machine", 1),
            ("user.created", "Alice Example", 1),
            ("client.created", "https://web.example.test/callback", 1),
            ("resource.created", "orders:write", 1),
            ("key.rotated", "ES256", 1),
        ] {
            let found = events.iter().filter(|event| event["type"] == kind && event.to_string().contains(of)).count();
            assert_eq!(found, count, "{kind} {of}: {events:#?}");
        }
        let sign_in = events.iter().find(|event| event["type"] == "session.created").unwrap();
        assert_eq!(sign_in["ip"], "127.0.0.1");
        assert_eq!(sign_in["actor"]["id"], sign_in["user_id"]);
        assert!(sign_in["request_id"].as_str().is_some_and(|id| server.log().contains(id)), "{sign_in}");

        let all = Value::from(events).to_string();
        for secret in [
            ALICE.1, wrong, "nobody-of-that-name", "web-secret-that-is", "machine-secret-that-is", "wrong-secret-of-machine",
            "$argon2id$", &signed_in.code, &signed_in.access_token(), &signed_in.refresh_token(),
            &refreshed.text("refresh_token"), &given_back,
        ] {
            assert!(!all.contains(secret), "a secret is in the trail: {secret}");
        }
    }

    async fn what_operators_do_is_in_the_trail_with_before_and_after(server: Server) {
        server.apply("[[users]]\nusername = \"alice\"\nname = \"Alice Changed\"\nroles = [\"admin\"]\n");
        server.apply("[[roles]]\nname = \"clerk\"\npermissions = [\"order:read\"]\n");
        server.apply("[[policies]]\nid = \"p\"\ncedar = 'permit(principal, action, resource);'\nenabled = false\n");
        server.signet_ok(&["client", "rotate-secret", "web"]);
        server.signet_ok(&["client", "disable", "spa"]);
        server.signet_ok(&["client", "enable", "spa"]);
        server.signet_ok(&["user", "revoke-tokens", "bob"]);
        server.signet_ok(&["user", "disable", "bob"]);
        server.signet_ok(&["user", "enable", "bob"]);
        server.signet_with_input(&["user", "set-password", "bob", "--password-stdin"], "another long pass phrase");
        server.signet_ok(&["key", "rotate", "--alg", "ES256"]);
        server.signet_ok(&["admin", "recover"]);
        let events = settled(&server).await;
        for kind in [
            "user.updated", "assignment.created", "role.created", "policy.created", "client.secret_rotated",
            "client.disabled", "client.enabled", "user.tokens_revoked", "user.disabled", "user.enabled",
            "user.password_set", "admin.recovered",
        ] {
            let found: Vec<_> = events.iter().filter(|event| event["type"] == kind).collect();
            assert_eq!(found.len(), 1, "{kind}: {found:#?}");
            assert_eq!(found[0]["actor"]["kind"], "operator", "{kind}");
        }
        let updated = events.iter().find(|event| event["type"] == "user.updated").unwrap();
        assert_eq!(updated["before"]["claims"]["name"], "Alice Example");
        assert_eq!(updated["after"]["claims"]["name"], "Alice Changed");
        let listed = server.signet_ok(&["audit", "list", "--type", "user.disabled", "--user", "bob"]);
        assert!(listed.contains("user.disabled") && listed.contains("operator"), "{listed}");
        assert!(!server.signet_ok(&["audit", "list", "--user", "alice"]).contains("user.disabled"));
    }

    async fn the_trail_holds_through_kill_9_and_two_instances_and_a_changed_row_is_named(server: Server) {
        let other = server.second_instance();
        for round in 0..3 {
            for at in [&server, &other] {
                for _ in 0..5 {
                    at.token(&MACHINE, &[("grant_type", "client_credentials")]).await.succeeded();
                }
            }
            server.signet_ok(&["client", if round % 2 == 0 { "disable" } else { "enable" }, "spa"]);
            server.kill9();
            server.restart();
        }
        settled(&server).await;
        let verified: Value = serde_json::from_str(&server.signet_ok(&["audit", "verify", "--json"])).unwrap();
        assert_eq!((&verified["holds"], &verified["waiting"]), (&Value::Bool(true), &0.into()), "{verified}");

        // What was kept elsewhere is part of the trail.
        let jws = sql(&server, "SELECT jws FROM audit_checkpoints ORDER BY number LIMIT 1").await;
        let file = server.directory().join("kept.jws");
        std::fs::write(&file, jws.trim()).unwrap();
        server.signet_ok(&["audit", "verify", "--checkpoint", file.to_str().unwrap()]);
        let key: Value = serde_json::from_str(&server.signet_ok(&["audit", "key"])).unwrap();
        assert_eq!((&key["crv"], key.get("d")), (&Value::from("Ed25519"), None), "{key}");

        other.stop();
        server.stop();
        sql(&server, "UPDATE audit_events SET body = REPLACE(body, 'client.disabled', 'client.enabled') WHERE type = 'client.disabled'").await;
        let output = server.signet(&["audit", "verify", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let broken: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(broken["holds"], false);
        assert!(broken["broken"]["position"].as_i64() > Some(0), "{broken}");
        assert!(broken["broken"]["id"].is_string() && broken["broken"]["time"].is_string(), "{broken}");
        let said = String::from_utf8(server.signet(&["audit", "verify"]).stdout).unwrap();
        assert!(said.contains("is broken: position"), "{said}");
    }
}

/// Every event, once all of them are linked.
async fn settled(server: &Server) -> Vec<Value> {
    for _ in 0..100 {
        let listed = server.signet_ok(&["audit", "list", "--json", "--limit", "5000"]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let events = listed["events"].as_array().unwrap();
        if events.iter().all(|event| event["position"].is_i64()) {
            // What waits in memory is there a moment later.
            tokio::time::sleep(Duration::from_millis(600)).await;
            let listed = server.signet_ok(&["audit", "list", "--json", "--limit", "5000"]);
            let listed: Value = serde_json::from_str(&listed).unwrap();
            return listed["events"].as_array().unwrap().clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the events were not linked: {}", server.log());
}

/// What somebody does who can reach the database; the first value that comes back.
async fn sql(server: &Server, text: &str) -> String {
    if server.has_postgres() {
        return server.database().sql(text);
    }
    let file = server.directory().join("data/signet.db");
    let url = format!("sqlite://{}", file.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let asked = sqlx::query_scalar(sqlx::AssertSqlSafe(text.to_owned()));
    let answer: Option<String> = asked.fetch_optional(&pool).await.unwrap();
    pool.close().await;
    answer.unwrap_or_default()
}
