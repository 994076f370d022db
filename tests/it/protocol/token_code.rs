//! `/token` with `grant_type=authorization_code`

use crate::support::browser::Browser;
use crate::support::client::{Authorization, LEGACY, POST, SPA, WEB, parameter, random};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, Server};

on_every_engine! {
    async fn a_code_becomes_verifiable_tokens_rfc9068_2_oidc_core_2(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid profile email offline_access").await;
        let answer = signed_in.tokens.json();
        assert_eq!(answer["token_type"], "Bearer");
        assert_eq!(answer["expires_in"], 300);
        assert!(answer["refresh_token"].as_str().is_some_and(|token| token.starts_with("sgr_")));

        let id_token = server.verified(&signed_in.id_token()).await;
        assert_eq!(id_token.header["alg"], "RS256");
        let claims = id_token.claims;
        assert_eq!(claims["iss"], server.issuer());
        assert!(claims["aud"] == "web" || claims["aud"] == serde_json::json!(["web"]), "{claims}");
        assert_eq!(claims["nonce"].as_str(), Some(signed_in.authorization.nonce.as_str()));
        for claim in ["sub", "sid", "at_hash"] {
            assert!(claims[claim].as_str().is_some_and(|value| !value.is_empty()), "{claim} in {claims}");
        }
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
        for claim in ["email", "name"] {
            assert!(claims.get(claim).is_none(), "scope claims are for userinfo (OIDC Core §5.4): {claims}");
        }

        let access_token = server.verified(&signed_in.access_token()).await;
        assert_eq!(access_token.header["typ"], "at+jwt");
        assert_eq!(access_token.header["alg"], "ES256");
        assert_eq!(access_token.claims["sub"], claims["sub"]);
        assert_eq!(access_token.claims["client_id"], "web");
        for claim in ["iss", "aud", "exp", "iat", "jti", "scope", "auth_time"] {
            assert!(access_token.claims.get(claim).is_some(), "{claim} in {}", access_token.claims);
        }
    }

    async fn a_replayed_code_revokes_its_tokens_rfc6749_4_1_2(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        server.assert_active(&signed_in.access_token()).await;
        server.redeem(&WEB, &signed_in.authorization, &signed_in.code).await.failed(400, "invalid_grant");
        server.assert_inactive(&signed_in.access_token()).await;
        server.refresh(&WEB, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
        assert_eq!(server.userinfo(&signed_in.access_token()).await.status, 401);
    }

    async fn a_wrong_proof_is_invalid_grant_and_does_not_burn_the_code_rfc7636_4_6(server: Server) {
        let (request, code) = code(&server, Authorization::of(&WEB, "openid")).await;
        let exchange = |redirect_uri: &'static str, verifier: String| {
            let (server, code) = (&server, code.clone());
            async move {
                let form = [
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", redirect_uri),
                    ("code_verifier", &verifier),
                ];
                server.token(&WEB, &form).await
            }
        };
        exchange(WEB.redirect_uri, random()).await.failed(400, "invalid_grant");
        let other = "https://web.example.test/other?kept=1";
        exchange(other, request.verifier.clone()).await.failed(400, "invalid_grant");
        server.redeem(&POST, &request, &code).await.failed(400, "invalid_grant");
        exchange(WEB.redirect_uri, request.verifier.clone()).await.succeeded();
    }

    async fn a_missing_verifier_is_refused_rfc7636_4_6(server: Server) {
        let (_, code) = code(&server, Authorization::of(&WEB, "openid")).await;
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", WEB.redirect_uri)];
        let answer = server.token(&WEB, &form).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(["invalid_grant", "invalid_request"].contains(&answer.text("error").as_str()), "{answer:?}");
    }

    async fn with_pkce_the_redirect_uri_may_be_left_out_but_not_changed_oauth_2_1_10_2(server: Server) {
        let (request, code) = code(&server, Authorization::of(&WEB, "openid")).await;
        let verifier = ("code_verifier", request.verifier.as_str());
        let form = [("grant_type", "authorization_code"), ("code", &code), verifier];
        for uri in ["https://web.example.test/other?kept=1", "https://web.example.test/callback/", "x"] {
            let mut wrong = form.to_vec();
            wrong.push(("redirect_uri", uri));
            server.token(&WEB, &wrong).await.failed(400, "invalid_grant");
        }
        let other = random();
        let mut wrong = form;
        wrong[2].1 = &other;
        server.token(&WEB, &wrong).await.failed(400, "invalid_grant");
        server.token(&WEB, &form).await.succeeded();
        server.token(&WEB, &form).await.failed(400, "invalid_grant");
    }

    async fn without_pkce_the_redirect_uri_is_required_rfc6749_4_1_3(server: Server) {
        let request = Authorization::of(&LEGACY, "openid").without("code_challenge").without("code_challenge_method");
        let (request, code) = code(&server, request).await;
        let form = [("grant_type", "authorization_code"), ("code", &code)];
        let answer = server.token(&LEGACY, &form).await.failed(400, "invalid_request");
        assert!(answer.text("error_description").contains("redirect_uri"), "{answer:?}");
        // A verifier of a code without a challenge proves nothing.
        let unasked = [form[0], form[1], ("code_verifier", &request.verifier)];
        server.token(&LEGACY, &unasked).await.failed(400, "invalid_grant");
        let whole = [form[0], form[1], ("redirect_uri", LEGACY.redirect_uri)];
        server.token(&LEGACY, &whole).await.succeeded();
    }

    async fn a_verifier_without_a_challenge_is_refused_rfc9700_4_8_2(server: Server) {
        let request = Authorization::of(&LEGACY, "openid").without("code_challenge").without("code_challenge_method");
        let (request, code) = code(&server, request).await;
        server.redeem(&LEGACY, &request, &code).await.failed(400, "invalid_grant");
    }

    async fn a_client_without_pkce_exchanges_with_a_nonce(server: Server) {
        let request = Authorization::of(&LEGACY, "openid").without("code_challenge").without("code_challenge_method");
        let (_, code) = code(&server, request).await;
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", LEGACY.redirect_uri)];
        server.token(&LEGACY, &form).await.succeeded();
    }

    async fn a_code_expires_rfc6749_4_1_2(server: Server) {
        let server = server.with_settings(&[("SIGNET_CODE_LIFETIME", "1s")]);
        let (request, code) = code(&server, Authorization::of(&WEB, "openid")).await;
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        server.redeem(&WEB, &request, &code).await.failed(400, "invalid_grant");
    }

    async fn no_refresh_token_without_offline_access_or_for_a_client_without_the_grant(server: Server) {
        let request = Authorization::of(&LEGACY, "openid offline_access");
        let page = Browser::new(&server).open(&request.url(&server)).await;
        assert!(page.status < 400, "{page:?}");
        let signed_in = server.signed_in(&LEGACY, "openid").await;
        assert!(signed_in.tokens.json().get("refresh_token").is_none());
    }

    async fn without_openid_there_is_no_id_token(server: Server) {
        let signed_in = server.signed_in(&WEB, "orders:read").await;
        assert!(signed_in.tokens.json().get("id_token").is_none());
        assert_eq!(signed_in.tokens.text("scope"), "orders:read");
    }

    async fn malformed_codes_are_invalid_grant_rfc6749_5_2(server: Server) {
        let (request, code) = code(&server, Authorization::of(&SPA, "openid")).await;
        let mut flipped = code.clone();
        let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
        flipped.push(last);
        let refresh_like = code.replacen("sgc_", "sgr_", 1);
        for forged in [&flipped, &refresh_like, &format!("{code}="), &format!("{code}A"), "sgc_", "x", "é"] {
            server.redeem(&SPA, &request, forged).await.failed(400, "invalid_grant");
        }
        server.redeem(&SPA, &request, &"x".repeat(20_000)).await.failed(400, "invalid_grant");
        server.redeem(&SPA, &request, &code).await.succeeded();
    }
}

async fn code(server: &Server, request: Authorization) -> (Authorization, String) {
    let callback = Browser::new(server)
        .sign_in_and_authorize(&request.url(server), ALICE)
        .await;
    let code = parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"));
    (request, code)
}
