//! State that the browser carries is sealed, bound and checked again (RFC 9700 §4.7; DESIGN §4).

use crate::support::browser::Browser;
use crate::support::client::{Authorization, WEB, parameter, random};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, BOB};

on_every_engine! {
    async fn a_prepared_link_cannot_be_finished_elsewhere_cve_2026_7507(server: Server) {
        let (attacker, victim) = (Browser::new(&server), Browser::new(&server));
        let page = attacker.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        assert!(page.has("login-submit"));
        let at_victim = victim.open(page.url.as_str()).await;
        assert!(at_victim.status >= 400 || at_victim.location().is_some(), "{at_victim:?}");
        assert!(!at_victim.has("login-submit"), "{at_victim:?}");
    }

    async fn a_form_without_its_csrf_token_is_refused_rfc9700_4_7(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let form = page.form("login-submit");
        for csrf in [None, Some(String::new()), Some(random())] {
            let mut values: Vec<_> = form.values.iter().filter(|(name, _)| name != "csrf").cloned().collect();
            values.extend(csrf.map(|csrf| ("csrf".to_owned(), csrf)));
            for (name, value) in &mut values {
                match name.as_str() {
                    "username" => ALICE.0.clone_into(value),
                    "password" => ALICE.1.clone_into(value),
                    _ => {}
                }
            }
            let answer = browser.post(&form.action, &page, &values).await;
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
        assert!(!browser.cookies().contains_key("signet-session"));
    }

    async fn a_form_posted_from_another_site_is_refused(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let form = page.form("login-submit");
        let cookies: Vec<_> = browser.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = server.http().post(form.action).header("cookie", cookies.join("; ")).form(&form.values);
        let request = request.header("origin", "https://attacker.example.test").header("sec-fetch-site", "cross-site");
        let status = request.send().await.unwrap().status();
        assert!(status.is_client_error(), "{status}");
    }

    async fn the_sealed_request_cannot_be_changed_or_exchanged(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let flow = parameter(&page.url, "flow").expect("the pending request travels in `flow`");
        assert!(!flow.contains("web.example.test") && flow.len() > 43, "sealed: {flow}");
        let mut changed = flow.clone();
        let middle = flow.len() / 2;
        let letter = if flow.as_bytes()[middle] == b'A' { "B" } else { "A" };
        changed.replace_range(middle..=middle, letter);
        for forged in [changed, flow[..flow.len() - 4].to_owned(), random(), "x".repeat(50_000), String::new()] {
            for path in ["/login", "/consent", "/authorize"] {
                let url = url::Url::parse_with_params(&server.url(path), [("flow", &forged)]).unwrap();
                let page = browser.get(url.as_str()).await;
                let redirected_away = page.location().is_some_and(|to| to.origin() != page.url.origin());
                assert!(!redirected_away && page.status < 500, "{page:?}");
                assert!(!page.has("login-submit") && !page.has("consent-allow"), "{page:?}");
            }
        }
    }

    async fn added_form_fields_change_nothing_autentico_185(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&WEB, "openid");
        let login = browser.open(&request.url(&server)).await;
        let mut form = login.form("login-submit");
        for (name, value) in &mut form.values {
            match name.as_str() {
                "username" => ALICE.0.clone_into(value),
                "password" => ALICE.1.clone_into(value),
                _ => {}
            }
        }
        for (name, value) in [("redirect_uri", "https://attacker.test/"), ("scope", "openid email"), ("client_id", "spa")] {
            form.values.push((name.to_owned(), value.to_owned()));
        }
        let answer = browser.post(&form.action, &login, &form.values).await;
        let Some(next) = answer.location() else { return };
        let consent = browser.open(next.as_str()).await;
        let callback = browser.submit(&consent, "consent-allow", &[]).await.left_to();
        assert!(callback.as_str().starts_with(WEB.redirect_uri), "{callback}");
        let tokens = server.redeem(&WEB, &request, &parameter(&callback, "code").unwrap()).await.succeeded();
        assert_eq!(tokens.text("scope"), "openid");
    }

    async fn a_prepared_sign_in_to_the_account_cannot_be_finished_elsewhere(server: Server) {
        let (attacker, victim) = (Browser::new(&server), Browser::new(&server));
        let page = attacker.open(&server.url("/account")).await;
        assert!(page.has("login-submit"), "{page:?}");
        assert!(parameter(&page.url, "flow").is_some(), "it travels sealed: {}", page.url);
        let at_victim = victim.open(page.url.as_str()).await;
        assert!(at_victim.status >= 400 && !at_victim.has("login-submit"), "{at_victim:?}");
    }

    async fn a_sign_in_to_the_account_leads_to_no_application(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&server.url("/account")).await;
        let flow = parameter(&page.url, "flow").unwrap();
        for path in ["/authorize", "/consent"] {
            // The parameters beside it count for nothing.
            let mut url = url::Url::parse(&Authorization::of(&WEB, "openid").url(&server)).unwrap();
            url.set_path(path);
            url.query_pairs_mut().append_pair("flow", &flow);
            let answer = browser.open(url.as_str()).await;
            assert!((400..500).contains(&answer.status), "{answer:?}");
            assert_eq!(answer.url.origin(), page.url.origin());
        }
    }

    async fn no_parameter_makes_a_sign_in_end_on_another_site_cwe601(server: Server) {
        for name in ["path", "next", "return_to", "redirect_uri", "params", "purpose"] {
            for target in ["https://attacker.test/", "//attacker.test", "/\\attacker.test", "%2f%2fattacker.test"] {
                let browser = Browser::new(&server);
                let mut url = url::Url::parse(&server.url("/account")).unwrap();
                url.query_pairs_mut().append_pair(name, target);
                let page = browser.open(url.as_str()).await;
                let mut form = page.form("login-submit");
                form.values.retain(|(name, _)| name != "username" && name != "password");
                for (name, value) in [("username", ALICE.0), ("password", ALICE.1), (name, target)] {
                    form.values.push((name.to_owned(), value.to_owned()));
                }
                let answer = browser.post(&form.action, &page, &form.values).await;
                let Some(to) = answer.location() else { continue };
                assert_eq!((to.origin(), to.path()), (page.url.origin(), "/account"), "{name}={target}");
            }
        }
    }

    async fn consent_needs_its_own_sign_in(server: Server) {
        let browser = Browser::new(&server);
        let login = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let flow = parameter(&login.url, "flow").unwrap();
        let url = url::Url::parse_with_params(&server.url("/consent"), [("flow", &flow)]).unwrap();
        let page = browser.open(url.as_str()).await;
        assert!(!page.has("consent-allow"), "{page:?}");
    }

    async fn the_session_is_new_after_every_sign_in_cve_2025_12390(server: Server) {
        let browser = Browser::new(&server);
        browser.set_cookie("signet-session", &random());
        browser.sign_in_and_authorize(&Authorization::of(&WEB, "openid").url(&server), ALICE).await;
        let first = browser.cookies()["signet-session"].clone();
        let again = Authorization::of(&WEB, "openid").with("prompt", "login");
        browser.sign_in_and_authorize(&again.url(&server), BOB).await;
        let second = browser.cookies()["signet-session"].clone();
        assert_ne!(first, second);
        assert!(first.len() >= 22, "at least 128 bits: {first}");
        let thief = Browser::new(&server);
        thief.set_cookie("signet-session", &first);
        let silent = Authorization::of(&WEB, "openid").with("prompt", "none");
        let callback = thief.open(&silent.url(&server)).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("login_required"), "the old session is over");
    }

    async fn malformed_cookies_are_no_session_cve_2026_25748(server: Server) {
        for value in ["", "x", "=", "\"", "%00", "a.b.c", &"x".repeat(4000)] {
            let browser = Browser::new(&server);
            browser.set_cookie("signet-session", value);
            browser.set_cookie("signet-browser", value);
            let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
            assert!(page.has("login-submit"), "{value}: {page:?}");
        }
    }

    async fn nothing_is_stored_before_someone_signs_in(server: Server) {
        if !server.has_postgres() {
            return;
        }
        let rows = || server.database().sql(COUNT);
        let before = rows();
        for _ in 0..20 {
            let page = Browser::new(&server).open(&Authorization::of(&WEB, "openid").url(&server)).await;
            assert!(page.has("login-submit"));
        }
        assert_eq!(rows(), before);
    }
}

/// The rows of every table.
const COUNT: &str = "
    SELECT table_name, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', table_name), false, true, '')))[1]
    FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'audit_checkpoints' ORDER BY table_name";
