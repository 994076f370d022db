//! What an operator sees: health, metrics, starting, stopping, the command line.

use std::time::Duration;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::client::{API, Answer, Authorization, MACHINE, WEB};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::{ALICE, Server};

on_every_engine! {
    async fn health_and_metrics_are_on_the_management_listener_only(server: Server) {
        for path in ["/health/live", "/health/ready", "/metrics"] {
            let inside = Answer::to(server.http().get(server.management_url(path))).await;
            assert_eq!(inside.status, 200, "{path}: {inside:?}");
            let outside = Answer::to(server.http().get(server.url(path))).await;
            assert_eq!(outside.status, 404, "{path}: {outside:?}");
        }
        let metrics = Answer::to(server.http().get(server.management_url("/metrics"))).await;
        assert!(metrics.body.contains("# TYPE "), "Prometheus text: {}", metrics.body);
        // What is done beside the requests: each job says when it last succeeded.
        for job in ["signing_keys", "policies", "sweep", "webhooks", "audit_linking"] {
            let line = format!("signet_job_last_success_timestamp_seconds{{job=\"{job}\"}} 1");
            let mut seen = metrics.body.clone();
            // A busy machine may not have come to it yet.
            for _ in 0..100 {
                if seen.contains(&line) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                seen = Answer::to(server.http().get(server.management_url("/metrics"))).await.body;
            }
            assert!(seen.contains(&line), "{line} is not in {seen}");
        }
    }

    async fn every_response_has_a_request_id_that_the_log_knows(server: Server) {
        let answer = server.token(&MACHINE, &[("grant_type", "nonsense")]).await;
        let id = answer.header("x-request-id");
        assert!(!id.is_empty(), "{answer:?}");
        assert!(server.log().contains(id), "the log does not know {id}");
    }

    async fn an_empty_store_is_set_up_with_a_link_that_works_once(server: Server) {
        server.stop();
        let engine = server.engine();
        let server = Server::start_empty(engine, &[]);
        let log = server.log();
        let at = log.find("/setup?token=").unwrap_or_else(|| panic!("no set-up link in {log}"));
        let token: String = log[at..].chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
        let browser = Browser::new(&server);
        let page = browser.open(&token).await;
        assert!(page.has("setup-submit"), "{page:?}");
        let password = "some quite long pass phrase";
        let fields = [("username", "root"), ("password", password), ("password_again", password)];
        let done = browser.submit(&page, "setup-submit", &fields).await;
        assert_eq!(done.status, 200, "{done:?}");
        let again = Browser::new(&server).open(&token).await;
        assert!(!again.has("setup-submit"), "{again:?}");
        let users: Value = serde_json::from_str(&server.signet_ok(&["user", "list", "--json"])).unwrap();
        assert!(users.to_string().contains("root"), "{users}");
    }

    async fn applying_twice_changes_nothing(server: Server) {
        let fixture = include_str!("support/fixture.toml");
        let said = server.apply(fixture);
        assert!(!said.contains("creat") || said.contains("0 created"), "{said}");
        let dry = server.directory().join("dry.toml");
        std::fs::write(&dry, "[[users]]\nusername = \"dora\"\npassword = \"correct horse battery\"\n").unwrap();
        server.signet_ok(&["apply", "-f", dry.to_str().unwrap(), "--dry-run"]);
        assert!(!server.signet_ok(&["user", "list"]).contains("dora"), "--dry-run writes nothing");
        assert_eq!(server.token(&MACHINE, &[("grant_type", "client_credentials")]).await.status, 200);
    }

    async fn a_bad_document_is_refused_as_a_whole_and_names_what_is_wrong(server: Server) {
        for (document, named) in [
            ("[[clients]]\nclient_id = \"new\"\nredirect_urls = []\n", "redirect_uris"),
            ("[[users]]\nusername = \"eve\"\npassword = \"long enough pass phrase\"\n[[clients]]\nclient_id = 1\n", "client_id"),
            ("[[clients]]\nclient_id = \"new\"\nredirect_uris = [\"javascript:alert(1)\"]\n", "redirect_uri"),
            ("[[clients]]\nclient_id = \"new\"\nredirect_uris = [\"https://x.test/#f\"]\n", "redirect_uri"),
            ("[[client]]\n", "clients"),
            ("not toml", "line"),
        ] {
            let file = server.directory().join("bad.toml");
            std::fs::write(&file, document).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{document}");
            assert!(said.contains(named), "{named} is not in: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
        assert!(!server.signet_ok(&["user", "list"]).contains("eve"), "half of a document was written");
    }

    async fn prune_ends_what_the_document_does_not_name(server: Server) {
        let grant = [("grant_type", "client_credentials")];
        let before = server.token(&MACHINE, &grant).await.json()["access_token"].as_str().unwrap().to_owned();
        server.assert_active(&before).await;
        let hash = "$argon2id$v=19$m=512,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$1oKHvYa9Xl0bhNzQ6HfW9rKcGQf3sYkq0mOaT2o6S0M";
        let rest = format!(
            "[[clients]]\nclient_id = \"api\"\ngrant_types = [\"client_credentials\"]\nmay_introspect = true\n\
             [[users]]\nusername = \"root\"\npassword_hash = \"{hash}\"\nroles = [\"admin\"]\n"
        );
        server.apply(&rest);
        assert!(server.apply(&rest).contains("Nothing to change"), "a hash is applied once");
        let file = server.directory().join("rest.toml");
        let file = file.to_str().unwrap();
        std::fs::write(file, "").unwrap();
        assert_eq!(server.signet(&["apply", "-f", file, "--prune"]).status.code(), Some(1), "the last administrator stays");

        std::fs::write(file, &rest).unwrap();
        server.signet_ok(&["apply", "-f", file, "--prune"]);
        server.token(&MACHINE, &grant).await.failed(401, "invalid_client");
        assert_eq!(server.introspect(&before).await["active"], false);
        let users = server.signet_ok(&["user", "list"]);
        assert!(users.contains("root") && !users.contains("alice"), "{users}");

        // A client of the same name is another one; its tokens count from the next full second on.
        server.apply(include_str!("support/fixture.toml"));
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let after = server.token(&MACHINE, &grant).await.json()["access_token"].as_str().unwrap().to_owned();
        server.assert_active(&after).await;
        assert_eq!(server.introspect(&before).await["active"], false);
    }

    async fn a_user_is_managed_from_the_command_line(server: Server) {
        let password = "another long pass phrase";
        let made = server.signet_with_input(&["user", "create", "carol", "--email", "carol@example.test"], &format!("{password}\n"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let request = Authorization::of(&WEB, "openid");
        Browser::new(&server).sign_in_and_authorize(&request.url(&server), ("carol", password)).await;
        let changed = server.signet_with_input(&["user", "set-password", "carol"], "a third long pass phrase\n");
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
        let browser = Browser::new(&server);
        let page = browser.open(&request.url(&server)).await;
        let page = browser.submit(&page, "login-submit", &[("username", "carol"), ("password", password)]).await;
        assert!(page.has("login-submit"), "the old password is over: {page:?}");
        assert_eq!(server.signet(&["user", "disable", "nobody-of-that-name"]).status.code(), Some(1));
        assert_eq!(server.signet(&["user", "frobnicate"]).status.code(), Some(2));
    }

    async fn sigterm_finishes_what_is_in_flight(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let sign_in = async { browser.submit_once(&page, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await };
        let stop = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            tokio::task::yield_now().await;
            server.terminate();
        };
        let (answer, ()) = tokio::join!(sign_in, stop);
        assert_eq!(answer.status, 303, "{answer:?}");
        server.stop();
    }
}

#[tokio::test]
async fn unknown_settings_name_the_nearest_known_key() {
    let server = Server::not_started(Engine::Sqlite, &[("SIGNET_ISSUR", "http://localhost")]);
    let output = server.signet(&["config", "check"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(said.contains("issur") && said.contains("issuer"), "{said}");
}

#[tokio::test]
async fn the_master_key_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start_empty(Engine::Sqlite, &[]);
    let mut keys = 0;
    for entry in std::fs::read_dir(server.directory().join("keys")).unwrap() {
        let file = entry.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            file.path().display()
        );
        keys += 1;
    }
    assert!(keys > 0);
}

/// Security checklist 128: PostgreSQL crashes and comes back; what was acknowledged holds.
///
/// The cluster is this test's own: the others run on the shared one.
#[tokio::test]
async fn a_crashed_postgres_is_503_for_a_while_and_loses_nothing() {
    let server = Server::on_own_cluster();
    let signed_in = server.signed_in(&WEB, "openid offline_access").await;
    let second = server
        .refresh(&WEB, &signed_in.refresh_token())
        .await
        .succeeded();
    server.cluster().stop();
    let answer = server.refresh(&WEB, &second.text("refresh_token")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    let introspected = Answer::to(server.post(
        "/introspect",
        &API,
        &[("token", &second.text("access_token"))],
    ))
    .await;
    assert_eq!(
        introspected.status, 503,
        "neither vouched for nor denied: {introspected:?}"
    );
    assert_eq!(
        Answer::to(server.http().get(server.management_url("/health/ready")))
            .await
            .status,
        503
    );
    assert_eq!(
        Answer::to(server.http().get(server.management_url("/health/live")))
            .await
            .status,
        200
    );
    server.cluster().restart();
    let patience = std::time::Instant::now() + Duration::from_secs(15);
    loop {
        let answer = server.refresh(&WEB, &second.text("refresh_token")).await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503, "never refused for good: {answer:?}");
        assert!(std::time::Instant::now() < patience, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Security checklist 127: whenever the process dies, the old or the new token is good, never neither.
#[tokio::test]
async fn kill_9_in_the_middle_of_rotations_loses_no_family() {
    for engine in [Engine::Sqlite, Engine::PostgresRedis] {
        let server = Server::start(engine);
        let mut token = server
            .signed_in(&WEB, "openid offline_access")
            .await
            .refresh_token();
        for round in 0..5_u64 {
            let request = server.post(
                "/token",
                &WEB,
                &[("grant_type", "refresh_token"), ("refresh_token", &token)],
            );
            let rotation = tokio::spawn(async move {
                let response = request.send().await.ok()?;
                let body: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
                Some(body["refresh_token"].as_str()?.to_owned())
            });
            tokio::time::sleep(Duration::from_micros(300 * round)).await;
            server.kill9();
            if let Some(successor) = rotation.await.unwrap() {
                token = successor;
            }
            server.restart();
            token = server
                .refresh(&WEB, &token)
                .await
                .succeeded()
                .text("refresh_token");
        }
    }
}
