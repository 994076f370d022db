//! An unproven `redirect_uri` never receives a redirect (RFC 9700 §2.1, §4.1).

use crate::support::browser::{Browser, Page};
use crate::support::client::{Authentication, Authorization, Client, NATIVE, SPA, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

on_every_engine! {
    async fn other_spellings_get_a_page_rfc9700_4_1_3(server: Server) {
        for uri in [
            "https://web.example.test/callback/",
            "https://web.example.test/Callback",
            "https://WEB.example.test/callback",
            "http://web.example.test/callback",
            "https://web.example.test:443/callback",
            "https://web.example.test/callback?x=1",
            "https://web.example.test/callback#x",
            "https://web.example.test/callback%20",
            "https://web.example.test/%63allback",
            "https://web.example.test/callback/..;/callback",
            "https://web.example.test/x/%2e%2e/callback",
            "https://web.example.test/other?kept=2",
            "https://web.example.test/other?kept=1&kept=1",
            "https://web.example.test/other",
            "https://web.example.test.attacker.test/callback",
            "https://attacker.test/https://web.example.test/callback",
            "https://web.example.test@attacker.test/callback",
            "https://attacker.test\\@web.example.test/callback",
            "https://a@b@web.example.test/callback",
            "//web.example.test/callback",
            "/callback",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)//https://web.example.test/callback",
            "data:text/html,x",
            "https://web.example.test/callback\u{0}",
            "https://web.example.test/callback\r\nSet-Cookie: x=1",
            " https://web.example.test/callback",
            "https://*.example.test/callback",
            "",
        ] {
            is_page(&server, &Authorization::of(&WEB, "openid").with("redirect_uri", uri)).await;
        }
    }

    async fn a_missing_address_gets_a_page_oidc_core_3_1_2_1(server: Server) {
        is_page(&server, &Authorization::of(&WEB, "openid").without("redirect_uri")).await;
    }

    async fn another_clients_address_gets_a_page_rfc6749_4_1_2_1(server: Server) {
        is_page(&server, &Authorization::of(&WEB, "openid").with("redirect_uri", SPA.redirect_uri)).await;
        is_page(&server, &Authorization::of(&WEB, "openid").with("client_id", "nobody")).await;
        is_page(&server, &Authorization::of(&WEB, "openid").with("client_id", "")).await;
        is_page(&server, &Authorization::of(&WEB, "openid").without("client_id")).await;
    }

    async fn repeated_address_or_client_gets_a_page_rfc6749_3_1(server: Server) {
        is_page(&server, &Authorization::of(&WEB, "openid").repeating("redirect_uri", WEB.redirect_uri)).await;
        is_page(&server, &Authorization::of(&WEB, "openid").repeating("client_id", "web")).await;
    }

    async fn error_paths_do_not_redirect_either_rfc9700_4_11_2(server: Server) {
        let bad = Authorization::of(&WEB, "openid").with("redirect_uri", "https://attacker.test/");
        is_page(&server, &bad.clone().with("prompt", "none")).await;
        is_page(&server, &bad.clone().with("response_type", "token")).await;
        is_page(&server, &bad.clone().with("scope", "nonsense")).await;
        is_page(&server, &bad.clone().with("response_mode", "form_post")).await;
        is_page(&server, &bad.clone().without("code_challenge")).await;
        is_page(&server, &bad.with("request_uri", "https://attacker.test/r")).await;
    }

    async fn only_the_port_of_a_loopback_address_may_vary_rfc8252_7_3(server: Server) {
        for uri in [
            "http://localhost:5000/callback",
            "http://127.0.0.2:5000/callback",
            "http://127.0.0.1:5000/callback/x",
            "http://127.0.0.1:5000/callback?x",
            "https://127.0.0.1:5000/callback",
            "http://127.0.0.1:5000@attacker.test/callback",
            "http://127.0.0.1.attacker.test:5000/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:/callback#x",
        ] {
            is_page(&server, &Authorization::of(&NATIVE, "openid").with("redirect_uri", uri)).await;
        }
        let ipv6 = Authorization::of(&NATIVE, "openid").with("redirect_uri", "http://[::1]:5000/callback");
        assert!(Browser::new(&server).open(&ipv6.url(&server)).await.has("login-submit"));
        let web = Authorization::of(&WEB, "openid").with("redirect_uri", "https://web.example.test:8443/callback");
        is_page(&server, &web).await;
    }

    async fn a_loopback_address_is_one_whatever_the_client_is_rfc8252_7_3(server: Server) {
        server.apply(r#"
            [[clients]]
            client_id = "tool"
            redirect_uris = ["http://localhost:3000/cb", "http://127.0.0.1/cb", "https://localhost/cb"]
            post_logout_redirect_uris = ["http://localhost/bye"]
            grant_types = ["authorization_code"]
            token_endpoint_auth_method = "none"
            scope = "openid"
        "#);
        let tool = Client { id: "tool", redirect_uri: "http://localhost:3000/cb", authentication: Authentication::None };
        let request = Authorization::of(&tool, "openid");
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &tool, request.clone()).await;
        for uri in ["http://localhost:51004/cb", "http://localhost/cb", "http://127.0.0.1:51004/cb"] {
            let to = browser.open(&request.clone().with("redirect_uri", uri).url(&server)).await.left_to();
            assert!(to.as_str().starts_with(&format!("{uri}?code=")), "{to}");
        }
        for uri in ["http://[::1]:51004/cb", "https://localhost:51004/cb", "http://localhost:51004/other", "http://localhost.evil:1/cb"] {
            is_page(&server, &request.clone().with("redirect_uri", uri)).await;
        }
        // What may be redirected to may also ask for tokens from there.
        for (origin, known) in [("http://localhost:51004", true), ("https://localhost:51004", false), ("http://localhost.evil", false)] {
            let answer = server.http().post(server.url("/token")).header("origin", origin).send().await.unwrap();
            let allowed = answer.headers().get("access-control-allow-origin");
            assert_eq!(allowed.is_some_and(|allowed| allowed == origin), known, "{origin}");
        }
    }

    async fn bytes_that_are_no_text_are_refused_cwe20(server: Server) {
        for query in ["client_id=%ff", "client_id=web&redirect_uri=%c0%af", "%", "client_id=web%00", "a=%0d%0aSet-Cookie:x=1"] {
            let page = Browser::new(&server).get(&format!("/authorize?{query}")).await;
            page.is_error_page(400);
            assert!(!page.headers.contains_key("x"), "{page:?}");
        }
        let long = Browser::new(&server).get(&format!("/authorize?client_id=web&state={}", "x".repeat(50_000))).await;
        assert!((400..500).contains(&long.status), "{}", long.status);
    }
}

async fn is_page(server: &Server, request: &Authorization) -> Page {
    let page = Browser::new(server).get(&request.url(server)).await;
    assert!(page.status == 400, "{} gets {page:?}", request.url(server));
    page.is_error_page(400);
    assert!(
        !page.body.contains("attacker.test/\""),
        "a link to the address: {}",
        page.body
    );
    page
}
