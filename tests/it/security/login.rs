//! Guessing, enumerating and overloading the login page.

use crate::support::browser::{Browser, Page};
use crate::support::client::{Authorization, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, BOB, Server};

on_every_engine! {
    async fn an_unknown_user_a_disabled_one_and_a_wrong_password_look_the_same_cve_2026_4633(server: Server) {
        server.signet_ok(&["user", "disable", "bob"]);
        let mut texts = Vec::new();
        for (name, password) in [(ALICE.0, "wrong"), ("nobody", "wrong"), (BOB.0, "wrong"), (BOB.0, BOB.1), ("", ""), ("\u{0}", "x")] {
            let page = attempt(&server, name, password).await;
            assert!(page.has("login-submit"), "{page:?}");
            texts.push((page.status, page.text_of("[role=alert]")));
        }
        assert!(!texts[0].1.is_empty(), "{texts:?}");
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    }

    async fn a_huge_password_is_refused_before_it_is_hashed_cwe400(server: Server) {
        let began = std::time::Instant::now();
        let page = attempt(&server, ALICE.0, &"x".repeat(50_000)).await;
        assert!(page.status < 500, "{page:?}");
        assert!(began.elapsed().as_secs() < 5);
        let page = attempt(&server, ALICE.0, &"x".repeat(2_000_000)).await;
        assert!((400..500).contains(&page.status), "{page:?}");
    }

    async fn a_password_in_the_address_signs_nobody_in(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let mut url = page.url.clone();
        url.query_pairs_mut().append_pair("username", ALICE.0).append_pair("password", ALICE.1);
        browser.get(url.as_str()).await;
        assert!(!browser.cookies().contains_key("signet-session"));
        assert!(!server.log().contains(ALICE.1) && !server.log().contains("correct%20horse") && !server.log().contains("correct+horse"));
    }

    async fn the_password_post_is_followed_by_a_get_rfc9700_4_12(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let answer = browser.submit_once(&page, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    async fn nothing_secret_is_in_the_log_or_the_store(server: Server) {
        let server = server.with_settings(&[("SIGNET_LOG", "trace")]);
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        server.introspect(&signed_in.access_token()).await;
        let mut everything = server.log();
        if server.has_postgres() {
            everything += &server.database().sql(DUMP);
        } else {
            for file in std::fs::read_dir(server.directory().join("data")).unwrap() {
                everything += &String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap());
            }
        }
        assert!(everything.len() > 1000);
        let tag = |token: &str| token[token.len() - 20..].to_owned();
        for secret in [
            ALICE.1.to_owned(),
            "web-secret-that-is-long-enough-for-anyone".to_owned(),
            tag(&signed_in.code),
            tag(&signed_in.refresh_token()),
            tag(&second.text("refresh_token")),
            tag(&signed_in.access_token()),
            tag(&signed_in.id_token()),
            "BEGIN PRIVATE KEY".to_owned(),
        ] {
            assert!(!everything.contains(&secret), "{secret} is readable");
        }
    }
}

async fn attempt(server: &Server, name: &str, password: &str) -> Page {
    let browser = Browser::new(server);
    let page = browser
        .open(&Authorization::of(&WEB, "openid").url(server))
        .await;
    browser
        .submit(
            &page,
            "login-submit",
            &[("username", name), ("password", password)],
        )
        .await
}

/// Every row of every table as text.
const DUMP: &str = "
    SELECT table_name, query_to_xml(format('SELECT t::text AS row FROM %I t', table_name), false, true, '')
    FROM information_schema.tables WHERE table_schema = 'public'";
