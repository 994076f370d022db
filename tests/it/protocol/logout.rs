//! `/logout` (OpenID Connect RP-Initiated Logout 1.0)

use crate::support::browser::{Browser, Page};
use crate::support::client::{Authorization, SPA, SignedIn, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::jwt::forged;
use crate::support::server::Server;

const BYE: &str = "https://web.example.test/bye";

on_every_engine! {
    async fn a_hint_signs_out_and_returns_with_state_only_rp_logout_2(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let url = url(&server, &[("id_token_hint", &signed_in.id_token()), ("post_logout_redirect_uri", BYE), ("state", "s &1")]);
        let to = confirmed(&browser, browser.open(&url).await).await.left_to();
        assert!(to.as_str().starts_with(BYE), "{to}");
        assert_eq!(parameter(&to, "state").as_deref(), Some("s &1"));
        assert_eq!(to.query_pairs().count(), 1, "{to}");
        assert!(!is_signed_in(&server, &browser).await);
    }

    async fn without_a_hint_the_person_is_asked_rp_logout_2(server: Server) {
        let (browser, _) = signed_in(&server).await;
        let page = browser.open("/logout").await;
        assert!(page.has("logout-confirm"), "{page:?}");
        assert!(is_signed_in(&server, &browser).await, "asking signs nobody out");
        let page = browser.submit(&page, "logout-confirm", &[]).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!is_signed_in(&server, &browser).await);
    }

    async fn an_unregistered_address_is_never_followed_rp_logout_3(server: Server) {
        for uri in ["https://attacker.example.test/", "https://web.example.test/bye/../x", "javascript:alert(1)", "//x", "https://web.example.test/bye?x"] {
            let (browser, signed_in) = signed_in(&server).await;
            let url = url(&server, &[("id_token_hint", &signed_in.id_token()), ("post_logout_redirect_uri", uri)]);
            let page = confirmed(&browser, browser.open(&url).await).await;
            assert_eq!(page.location(), None, "{uri}: {page:?}");
            assert!(page.status < 500, "{page:?}");
            assert!(!page.body.contains("href=\"javascript"), "{page:?}");
        }
    }

    async fn a_forged_hint_signs_nobody_out_rp_logout_2(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let id_token = signed_in.id_token();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", id_token.split('.').nth(1).unwrap());
        let changed = forged(&id_token, |claims| claims["aud"] = "spa".into());
        for hint in [unsigned, changed, signed_in.access_token(), "x".to_owned(), String::new()] {
            let page = browser.get(&url(&server, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)])).await;
            assert!(page.location().is_none_or(|to| to.origin() == page.url.origin()), "{page:?}");
            assert!(page.status < 500);
            assert!(is_signed_in(&server, &browser).await, "{hint}");
        }
    }

    async fn another_clients_address_is_not_followed(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let uri = "https://spa.example.test/";
        let url = url(&server, &[("id_token_hint", &signed_in.id_token()), ("client_id", SPA.id), ("post_logout_redirect_uri", uri)]);
        let page = confirmed(&browser, browser.open(&url).await).await;
        assert_eq!(page.location(), None, "{page:?}");
    }

    async fn an_old_cookie_is_dead_after_logout_cwe613(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let stolen = browser.cookies();
        confirmed(&browser, browser.open(&url(&server, &[("id_token_hint", &signed_in.id_token())])).await).await;
        let thief = Browser::new(&server);
        for (name, value) in stolen {
            thief.set_cookie(&name, &value);
        }
        assert!(!is_signed_in(&server, &thief).await);
    }

    async fn the_session_s_tokens_end_with_it(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        server.assert_active(&signed_in.access_token()).await;
        confirmed(&browser, browser.open(&url(&server, &[("id_token_hint", &signed_in.id_token())])).await).await;
        server.assert_inactive(&signed_in.access_token()).await;
    }
}

async fn signed_in(server: &Server) -> (Browser, SignedIn) {
    let browser = Browser::new(server);
    let signed_in = server
        .signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid"))
        .await;
    (browser, signed_in)
}

fn url(server: &Server, parameters: &[(&str, &str)]) -> String {
    url::Url::parse_with_params(&server.url("/logout"), parameters)
        .unwrap()
        .into()
}

/// Where a confirmation is asked for, it is given.
async fn confirmed(browser: &Browser, page: Page) -> Page {
    if page.has("logout-confirm") {
        browser.submit(&page, "logout-confirm", &[]).await
    } else {
        page
    }
}

async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    let request = Authorization::of(&WEB, "openid").with("prompt", "none");
    let callback = browser.open(&request.url(server)).await.left_to();
    match parameter(&callback, "error").as_deref() {
        None => true,
        Some("login_required") => false,
        Some(error) => panic!("{error}"),
    }
}
