//! The `claims` parameter: what it demands of a sign-in, and how it is written (OpenID Connect Core §5.5).

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, BOB, Server};

/// The `sub` of the person who signs in at this browser.
async fn sub_of(server: &Server, browser: &Browser, person: (&str, &str)) -> String {
    let request = Authorization::of(&WEB, "openid");
    let callback = browser
        .sign_in_and_authorize(&request.url(server), person)
        .await;
    let code = parameter(&callback, "code").unwrap();
    let tokens = server.redeem(&WEB, &request, &code).await.succeeded();
    let claims = Jwt::decode(&tokens.text("id_token")).claims;
    claims["sub"].as_str().unwrap().to_owned()
}

fn asking(claims: &Value) -> Authorization {
    Authorization::of(&WEB, "openid").with("claims", &claims.to_string())
}

on_every_engine! {
    async fn only_the_subject_that_is_named_succeeds_oidc_core_5_5_1(server: Server) {
        let browser = Browser::new(&server);
        let alice = sub_of(&server, &browser, ALICE).await;
        let bob = sub_of(&server, &Browser::new(&server), BOB).await;
        let silent = async |claims: Value| {
            browser.open(&asking(&claims).with("prompt", "none").url(&server)).await.left_to()
        };
        for wish in [
            json!({ "value": alice }),
            json!({ "essential": true, "value": alice }),
            json!({ "values": [bob, alice] }),
            json!({ "essential": true }),
            json!(null),
        ] {
            for place in ["id_token", "userinfo"] {
                let callback = silent(json!({ place: { "sub": wish } })).await;
                assert!(parameter(&callback, "code").is_some(), "{place} {wish}: {callback}");
            }
        }
        let others = [
            json!({ "value": bob }),
            json!({ "values": [bob] }),
            json!({ "essential": true, "values": [bob, "nobody"] }),
            json!({ "values": [] }),
            json!({ "value": 5 }),
            json!({ "value": "nobody" }),
        ];
        for wish in &others {
            for place in ["id_token", "userinfo"] {
                let callback = silent(json!({ place: { "sub": wish } })).await;
                assert_eq!(parameter(&callback, "error").as_deref(), Some("login_required"), "{place} {wish}");
                assert_eq!(parameter(&callback, "code"), None);
            }
        }
        // Both places, or a hint beside it: one of whom all of them speak.
        let apart = json!({ "id_token": { "sub": { "value": alice } }, "userinfo": { "sub": { "value": bob } } });
        assert_eq!(parameter(&silent(apart).await, "error").as_deref(), Some("login_required"));
        let tokens = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let wish = json!({ "id_token": { "sub": { "values": [alice, bob] } } });
        let hinted = asking(&wish).with("prompt", "none").with("id_token_hint", &tokens.id_token());
        let callback = browser.open(&hinted.url(&server)).await.left_to();
        assert!(parameter(&callback, "code").is_some(), "{callback}");
        let wish = json!({ "id_token": { "sub": { "values": [bob] } } });
        let hinted = asking(&wish).with("prompt", "none").with("id_token_hint", &tokens.id_token());
        let callback = browser.open(&hinted.url(&server)).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("login_required"));

        // Where a page may be shown, somebody else may sign in; the wrong person again ends it.
        let request = asking(&json!({ "id_token": { "sub": { "values": [bob] } } }));
        let page = browser.open(&request.url(&server)).await;
        assert!(page.has("login-submit"), "{page:?}");
        let fields = [("username", ALICE.0), ("password", ALICE.1)];
        let callback = browser.submit(&page, "login-submit", &fields).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("login_required"));
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), BOB).await;
        assert!(parameter(&callback, "code").is_some(), "{callback}");
    }

    async fn an_essential_auth_time_is_there_or_the_request_is_refused_oidc_core_5_5_1(server: Server) {
        let browser = Browser::new(&server);
        let first = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let auth_time = Jwt::decode(&first.id_token()).claims["auth_time"].clone();
        let ask = |wish: Value| asking(&json!({ "id_token": { "auth_time": wish } }));
        for wish in [
            json!({ "essential": true }),
            json!({ "essential": true, "value": auth_time }),
            json!({ "essential": true, "values": [1, auth_time] }),
            json!({ "value": 1 }),
        ] {
            let again = server.signed_in_with(&browser, &WEB, ask(wish)).await;
            assert_eq!(Jwt::decode(&again.id_token()).claims["auth_time"], auth_time);
        }
        for wish in [
            json!({ "essential": true, "value": 1 }),
            json!({ "essential": true, "values": [] }),
            json!({ "essential": true, "value": "soon" }),
        ] {
            let unmet = Some("unmet_authentication_requirements");
            for request in [ask(wish.clone()), ask(wish.clone()).with("prompt", "none")] {
                let callback = browser.open(&request.url(&server)).await.left_to();
                assert_eq!(parameter(&callback, "error").as_deref(), unmet, "{wish}: {callback}");
            }
            let callback = Browser::new(&server).open(&ask(wish).url(&server)).await.left_to();
            assert_eq!(parameter(&callback, "error").as_deref(), unmet, "without a session: {callback}");
        }
    }

    async fn other_essential_claims_that_are_not_there_are_left_out_oidc_core_5_5_1(server: Server) {
        let claims = json!({
            "id_token": { "email": { "essential": true }, "phone_number": { "essential": true }, "x": { "essential": true } },
            "userinfo": { "picture": { "essential": true }, "email": { "essential": true } },
        });
        let tokens = server.signed_in_with(&Browser::new(&server), &WEB, asking(&claims)).await;
        let id_token = Jwt::decode(&tokens.id_token()).claims;
        assert_eq!(id_token["email"], "alice@example.test");
        assert_eq!((id_token.get("phone_number"), id_token.get("x")), (None, None));
        let userinfo = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!((&userinfo["email"], userinfo.get("picture")), (&json!("alice@example.test"), None));
    }

    async fn line_breaks_and_tabs_in_claims_are_white_space_rfc8259_2(server: Server) {
        let pretty = "\r\n{\r\n\t\"id_token\":\n\t{ \"email\" : null }\r\n}\n";
        let request = Authorization::of(&WEB, "openid").with("claims", pretty);
        let tokens = server.signed_in_with(&Browser::new(&server), &WEB, request.clone()).await;
        assert_eq!(Jwt::decode(&tokens.id_token()).claims["email"], "alice@example.test");
        // By POST, too.
        let posted = Answer::to(server.http().post(server.url("/authorize")).form(request.parameters())).await;
        assert!(posted.status < 400, "{posted:?}");
        // Inside a string they are none, other control characters are none anywhere, and `state` is no JSON.
        for (name, value) in [("claims", "{\"id_token\":{\"a\nb\":null}}"), ("claims", "{\u{b}}"), ("claims", "{}\u{85}"), ("state", "a\nb"), ("scope", "openid\n")] {
            let request = Authorization::of(&WEB, "openid").with(name, value);
            let page = Browser::new(&server).get(&request.url(&server)).await;
            let told = page.location().and_then(|url| parameter(&url, "error"));
            assert!(page.status == 400 || told.as_deref() == Some("invalid_request"), "{name} {value:?}: {page:?}");
        }
    }
}
