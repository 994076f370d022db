//! `/introspect`

use crate::support::client::{API, Answer, Authentication, Client, MACHINE, OWN, SPA, WEB};
use crate::support::engines::on_every_engine;
use crate::support::jwt::{Jwt, forged};

on_every_engine! {
    async fn an_active_token_says_whose_it_is_rfc7662_2_2(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid orders:read").await;
        let claims = Jwt::decode(&signed_in.access_token()).claims;
        let answer = server.introspect(&signed_in.access_token()).await;
        assert_eq!(answer["active"], true);
        for claim in ["iss", "sub", "client_id", "exp", "iat", "jti", "aud", "scope"] {
            assert_eq!(answer[claim], claims[claim], "{claim}");
        }
        assert!(answer["token_type"].is_string());
    }

    async fn refresh_tokens_are_known_too_rfc7662_2_1(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let answer = server.introspect(&signed_in.refresh_token()).await;
        assert_eq!((&answer["active"], &answer["client_id"]), (&true.into(), &"web".into()), "{answer}");
        server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
    }

    async fn dead_and_unknown_tokens_are_exactly_inactive_rfc7662_2_2(server: Server) {
        let token = server.signed_in(&WEB, "openid").await;
        for unknown in ["x", "a.b.c", "sgr_AAAA", "sgc_AAAA", "é", &"x".repeat(20_000)] {
            server.assert_inactive(unknown).await;
        }
        server.assert_inactive(&token.id_token()).await;
        server.assert_inactive(&token.code).await;
        server.assert_inactive(&forged(&token.access_token(), |claims| claims["scope"] = "admin".into())).await;
        server.assert_inactive(&format!("{}=", token.access_token())).await;
        server.assert_active(&token.access_token()).await;
    }

    async fn an_expired_token_is_inactive(server: Server) {
        let server = server.with_settings(&[("SIGNET_ACCESS_TOKEN_LIFETIME", "1s")]);
        let token = server.machine_token().await;
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        server.assert_inactive(&token).await;
    }

    async fn the_caller_must_authenticate_rfc7662_4(server: Server) {
        let token = server.machine_token().await;
        let nobody = server.http().post(server.url("/introspect")).form(&[("token", &token)]);
        Answer::to(nobody).await.failed(401, "invalid_client");
        let wrong = Client { authentication: Authentication::Basic("wrong"), ..API };
        Answer::to(server.post("/introspect", &wrong, &[("token", &token)])).await.failed(401, "invalid_client");
        let public = Answer::to(server.post("/introspect", &SPA, &[("token", &token)])).await;
        assert!(public.status == 401 || public.status == 403, "a public client may not scan: {public:?}");
    }

    async fn a_foreign_client_learns_nothing_cve_2026_37979(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid").await;
        for foreign in [MACHINE, OWN] {
            let answer = Answer::to(server.post("/introspect", &foreign, &[("token", &signed_in.access_token())])).await;
            assert_eq!(answer.json(), serde_json::json!({ "active": false }));
        }
    }

    async fn bad_requests_name_the_parameter(server: Server) {
        let missing = Answer::to(server.post("/introspect", &API, &[])).await.failed(400, "invalid_request");
        assert!(missing.text("error_description").contains("token"));
        let repeated = [("token", "x"), ("token", "y")];
        Answer::to(server.post("/introspect", &API, &repeated)).await.failed(400, "invalid_request");
        let hint = [("token", "x"), ("token_type_hint", "nonsense")];
        assert_eq!(Answer::to(server.post("/introspect", &API, &hint)).await.status, 200, "a hint is only a hint");
        let get = server.http().get(format!("{}?token=x", server.url("/introspect")));
        assert_eq!(Answer::to(get).await.status, 405);
    }
}
