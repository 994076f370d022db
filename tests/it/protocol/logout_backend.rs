//! `/logout` as an application's own server asks it, and what an address that is not registered changes.

use reqwest::{Method, RequestBuilder};

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, POST, SignedIn, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::jwt::forged;
use crate::support::server::Server;

const BYE: &str = "https://web.example.test/bye";

on_every_engine! {
    async fn an_application_s_own_server_ends_the_session_that_its_hint_names(server: Server) {
        let second = server.second_instance();
        for parameters in [&[][..], &[("client_id", "web")], &[("post_logout_redirect_uri", BYE), ("state", "s")]] {
            let (browser, signed_in) = signed_in(&server).await;
            let offline = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid offline_access")).await;
            let mut parameters = parameters.to_vec();
            let hint = signed_in.id_token();
            parameters.push(("id_token_hint", &hint));
            for attempt in 0..2 {
                let answer = Answer::to(server.http().get(url(&server, &parameters))).await;
                if parameters.iter().any(|(name, _)| *name == "post_logout_redirect_uri") {
                    assert_eq!((answer.status, answer.header("location")), (303, "https://web.example.test/bye?state=s"), "{attempt}");
                } else {
                    assert_eq!(answer.status, 200, "{attempt}: {answer:?}");
                    assert!(answer.body.contains("You are signed out"), "{answer:?}");
                }
            }
            second.assert_inactive(&signed_in.access_token()).await;
            server.assert_inactive(&signed_in.access_token()).await;
            assert!(!is_signed_in(&second, &browser).await);
            // What outlives a session outlives its end.
            server.assert_active(&offline.access_token()).await;
        }
    }

    async fn an_expired_hint_still_names_its_session_rp_logout_2(server: Server) {
        let server = server.with_settings(&[("SIGNET_ID_TOKEN_LIFETIME", "1s")]);
        let (browser, signed_in) = signed_in(&server).await;
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        let answer = Answer::to(program(&server, Method::GET, &signed_in.id_token())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!is_signed_in(&server, &browser).await);
    }

    async fn every_sign_of_a_browser_is_asked(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let hint = signed_in.id_token();
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "image"),
            ("sec-fetch-user", "?1"),
            ("origin", "https://web.example.test"),
            ("origin", "null"),
            ("referer", "https://web.example.test/"),
            ("cookie", "other=1"),
            ("sec-ch-ua", "\"Chromium\""),
            ("sec-purpose", "prefetch"),
            ("upgrade-insecure-requests", "1"),
        ] {
            let answer = Answer::to(program(&server, Method::GET, &hint).header(name, value)).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert!(answer.body.contains("id=\"logout-confirm\""), "{name}: {answer:?}");
            assert!(is_signed_in(&server, &browser).await, "{name}");
        }
        // Another browser, which has no session, may end the one that the hint names, if its person says so.
        let other = Browser::new(&server);
        other.set_cookie("other", "1");
        let page = other.open(&url(&server, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)])).await;
        assert!(page.has("logout-confirm") && !page.body.contains("alice"), "{page:?}");
        let to = other.submit(&page, "logout-confirm", &[]).await.left_to();
        assert_eq!(to.as_str(), BYE);
        assert!(!is_signed_in(&server, &browser).await);
        server.assert_inactive(&signed_in.access_token()).await;
        // The session has ended, so nothing is left to ask.
        let page = other.open(&url(&server, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)])).await;
        assert_eq!(page.left_to().as_str(), BYE);
    }

    async fn what_only_looks_ends_nothing_rfc9110_9_2_1(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let hint = signed_in.id_token();
        let cookies: Vec<_> = browser.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        for cookie in [None, Some(cookies.join("; "))] {
            let with_cookie = |request: RequestBuilder| match &cookie {
                Some(cookie) => request.header("cookie", cookie),
                None => request,
            };
            let head = with_cookie(program(&server, Method::HEAD, &hint)).send().await.unwrap();
            assert_eq!(head.status(), 200, "{head:?}");
            for (name, value) in [("sec-purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
                let answer = Answer::to(with_cookie(program(&server, Method::GET, &hint)).header(name, value)).await;
                assert!(answer.body.contains("id=\"logout-confirm\""), "{name}: {answer:?}");
            }
            assert!(is_signed_in(&server, &browser).await);
            server.assert_active(&signed_in.access_token()).await;
        }
    }

    async fn nothing_but_an_id_token_of_the_client_has_this_power(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let id_token = signed_in.id_token();
        let other = server.signed_in_with(&browser, &POST, Authorization::of(&POST, "openid")).await;
        let refused = [
            vec![("id_token_hint", signed_in.access_token())],
            vec![("id_token_hint", forged(&id_token, |claims| claims["sid"] = claims["sub"].clone()))],
            vec![("id_token_hint", format!("eyJhbGciOiJub25lIn0.{}.", id_token.split('.').nth(1).unwrap()))],
            vec![("id_token_hint", "x".to_owned())],
            vec![("id_token_hint", id_token.clone()), ("client_id", "spa".to_owned())],
            vec![("id_token_hint", id_token.clone()), ("id_token_hint", id_token.clone())],
        ];
        for parameters in refused {
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            for method in [Method::GET, Method::POST] {
                let request = if method == Method::GET {
                    server.http().get(url(&server, &parameters))
                } else {
                    server.http().post(server.url("/logout")).form(&parameters)
                };
                let answer = Answer::to(request).await;
                assert_eq!(answer.status, 400, "{parameters:?}: {answer:?}");
                assert!(is_signed_in(&server, &browser).await, "{parameters:?}");
            }
        }
        // A key that was never there is that of a token that is too old: nothing was ended, and so it is said.
        let header = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im9sZCIsInR5cCI6IkpXVCJ9";
        let mut parts = id_token.splitn(2, '.');
        let old = format!("{header}.{}", parts.nth(1).unwrap());
        let answer = Answer::to(program(&server, Method::GET, &old)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("nothing was ended"), "{answer:?}");
        // Nor has the token of a client that is not there any more.
        server.signet_ok(&["client", "disable", POST.id]);
        let answer = Answer::to(program(&server, Method::GET, &other.id_token())).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("nothing was ended"), "{answer:?}");
        assert!(is_signed_in(&server, &browser).await);
    }

    async fn an_application_s_own_server_may_post_as_well_rp_logout_2(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let form = [("id_token_hint", signed_in.id_token())];
        let from_page = server.http().post(server.url("/logout")).header("origin", "https://web.example.test").form(&form);
        let answer = Answer::to(from_page).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(is_signed_in(&server, &browser).await);
        let answer = Answer::to(server.http().post(server.url("/logout")).form(&form)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!is_signed_in(&server, &browser).await);
    }

    async fn an_address_that_is_not_registered_is_left_out_with_the_reason_rp_logout_3(server: Server) {
        for (uri, client, reason) in [
            ("https://web.example.test/bye/", None, "the final /"),
            ("https://web.example.test/Bye", None, "upper and lower case"),
            ("https://attacker.example.test/bye", None, "the host"),
            (BYE, Some("nobody"), "known client_id"),
        ] {
            // By the client's own hint the person is signed out, without it they are asked.
            let (browser, signed_in) = signed_in(&server).await;
            let hint = signed_in.id_token();
            let mut parameters = vec![("post_logout_redirect_uri", uri), ("state", "s")];
            match client {
                Some(client) => parameters.push(("client_id", client)),
                None => parameters.push(("id_token_hint", &hint)),
            }
            let mut page = browser.open(&url(&server, &parameters)).await;
            if client.is_some() {
                assert!(page.text_of("#logout-left-out").contains(reason), "{page:?}");
                assert!(is_signed_in(&server, &browser).await);
                page = browser.submit(&page, "logout-confirm", &[]).await;
            }
            assert_eq!(page.status, 200, "{page:?}");
            assert!(page.text_of("#signed-out-left-out").contains(reason), "{page:?}");
            assert!(!page.has("signed-out-return") && !page.body.contains(&format!("href=\"{uri}")), "{page:?}");
            assert!(!is_signed_in(&server, &browser).await);
        }
    }

    async fn a_logout_hint_is_told_and_never_an_answer_rp_logout_2(server: Server) {
        let (browser, signed_in) = signed_in(&server).await;
        let claims = server.verified(&signed_in.id_token()).await.claims;
        let (sub, sid) = (claims["sub"].as_str().unwrap(), claims["sid"].as_str().unwrap());
        for (hint, same) in [("alice", true), ("ALICE", true), ("alice@example.test", true), (sub, true), (sid, true), ("bob", false), ("<b>", false)] {
            let parameters = [("client_id", WEB.id), ("logout_hint", hint), ("ui_locales", "de fr")];
            let page = browser.open(&url(&server, &parameters)).await;
            assert!(page.has("logout-confirm"), "{page:?}");
            assert_eq!(page.has("logout-another"), !same, "{hint}: {page:?}");
            assert!(is_signed_in(&server, &browser).await, "{hint}");
        }
        let parameters = [("client_id", WEB.id), ("logout_hint", sid)];
        let answer = Answer::to(server.http().get(url(&server, &parameters))).await;
        assert!(answer.status < 500 && is_signed_in(&server, &browser).await, "{answer:?}");
    }
}

fn program(server: &Server, method: Method, hint: &str) -> RequestBuilder {
    server
        .http()
        .request(method, url(server, &[("id_token_hint", hint)]))
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

async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    let request = Authorization::of(&WEB, "openid").with("prompt", "none");
    let callback = browser.open(&request.url(server)).await.left_to();
    match parameter(&callback, "error").as_deref() {
        None => true,
        Some("login_required") => false,
        Some(error) => panic!("{error}"),
    }
}
