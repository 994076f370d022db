//! What every page carries (RFC 9700 §4.2, §4.16; OWASP).

use crate::support::browser::{Browser, Page};
use crate::support::client::{Authorization, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::ALICE;

on_every_engine! {
    async fn no_page_is_framed_cached_or_leaked_rfc9700_4_16(server: Server) {
        let browser = Browser::new(&server);
        let login = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        guarded(&login);
        let consent = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        assert!(consent.has("consent-allow"), "{consent:?}");
        guarded(&consent);
        guarded(&browser.open("/logout").await);
        guarded(&browser.open("/authorize").await);
        guarded(&browser.open("/no/such/page").await);
    }

    async fn the_request_id_is_in_the_header_and_on_the_page(server: Server) {
        let page = Browser::new(&server).open("/authorize?client_id=nobody").await;
        let id = page.header("x-request-id");
        assert!(!id.is_empty() && page.text_of("main").contains(id), "{page:?}");
        server.log().find(id).expect("the log knows the request");
    }

    async fn hints_and_errors_are_text_rfc9700_4_16(server: Server) {
        let markup = "\"'><script>alert(1)</script>";
        let browser = Browser::new(&server);
        for name in ["login_hint", "client_id", "redirect_uri", "scope", "prompt", "ui_locales", "unheard_of"] {
            let page = browser.open(&Authorization::of(&WEB, "openid").with(name, markup).url(&server)).await;
            assert!(!page.body.contains("<script>alert"), "{name}: {}", page.body);
        }
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let page = browser.submit(&page, "login-submit", &[("username", markup), ("password", "x")]).await;
        assert!(!page.body.contains("<script>alert"), "{}", page.body);
    }

    async fn paths_do_not_wander_cwe22(server: Server) {
        let browser = Browser::new(&server);
        for path in ["/assets/../Cargo.toml", "/assets/%2e%2e/%2e%2e/etc/passwd", "//attacker.example.test/", "/%00", "/\\attacker.example.test"] {
            let page = browser.get(&format!("{}{path}", server.url("").trim_end_matches('/'))).await;
            assert!((400..500).contains(&page.status), "{path}: {}", page.status);
        }
    }

    async fn cookies_are_out_of_reach_of_scripts_and_other_sites(server: Server) {
        let browser = Browser::new(&server);
        browser.sign_in_and_authorize(&Authorization::of(&WEB, "openid").url(&server), ALICE).await;
        let cookies = browser.set_cookies();
        assert!(cookies.iter().any(|cookie| cookie.starts_with("signet-session=")), "{cookies:?}");
        for cookie in cookies {
            let cookie = cookie.to_ascii_lowercase();
            for attribute in ["httponly", "samesite=lax", "path=/"] {
                assert!(cookie.contains(attribute), "{attribute} in {cookie}");
            }
            assert!(!cookie.contains("domain="), "{cookie}");
        }
    }

    async fn an_https_issuer_sets_host_cookies(server: Server) {
        let server = server.with_settings(&[("SIGNET_ISSUER", "https://id.example.test")]);
        let browser = Browser::new(&server);
        browser.get(&Authorization::of(&WEB, "openid").url(&server)).await;
        let cookies = browser.set_cookies();
        assert!(!cookies.is_empty());
        for cookie in cookies {
            assert!(cookie.starts_with("__Host-signet-"), "{cookie}");
            assert!(cookie.to_ascii_lowercase().contains("secure"), "{cookie}");
        }
    }
}

fn guarded(page: &Page) {
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{page:?}");
    assert!(
        !policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"),
        "{policy}"
    );
    assert_eq!(page.header("referrer-policy"), "no-referrer", "{page:?}");
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{page:?}");
    assert!(
        page.header("cache-control").contains("no-store"),
        "{page:?}"
    );
    assert!(!page.header("x-request-id").is_empty(), "{page:?}");
    assert!(!page.header("date").is_empty(), "{page:?}");
    assert!(
        page.headers.get("access-control-allow-origin").is_none(),
        "{page:?}"
    );
    assert!(
        !page.body.contains(" style=\"") && !page.body.contains(" onclick="),
        "inline code: {}",
        page.body
    );
}
