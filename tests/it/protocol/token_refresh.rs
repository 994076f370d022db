//! `/token` with `grant_type=refresh_token`

use crate::support::client::{OWN, SPA, WEB};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;

on_every_engine! {
    async fn a_refresh_rotates_and_keeps_who_signed_in_oidc_core_12_2(server: Server) {
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        assert_ne!(second.text("refresh_token"), first.refresh_token());
        assert_ne!(second.text("access_token"), first.access_token());
        let (old, new) = (Jwt::decode(&first.id_token()).claims, server.verified(&second.text("id_token")).await.claims);
        for claim in ["iss", "sub", "aud", "azp", "auth_time", "sid"] {
            assert_eq!(old.get(claim), new.get(claim), "{claim}");
        }
        assert!(new["iat"].as_i64() >= old["iat"].as_i64());
        server.assert_active(&second.text("access_token")).await;
    }

    async fn a_lost_answer_is_repeated_with_the_same_successor(server: Server) {
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        let repeated = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        assert_eq!(repeated.text("refresh_token"), second.text("refresh_token"));
        server.refresh(&WEB, &second.text("refresh_token")).await.succeeded();
    }

    async fn a_replayed_token_ends_the_family_rfc9700_4_14_2(server: Server) {
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        let third = server.refresh(&WEB, &second.text("refresh_token")).await.succeeded();
        server.refresh(&WEB, &first.refresh_token()).await.failed(400, "invalid_grant");
        server.refresh(&WEB, &third.text("refresh_token")).await.failed(400, "invalid_grant");
        for token in [first.access_token(), second.text("access_token"), third.text("access_token")] {
            server.assert_inactive(&token).await;
        }
    }

    async fn without_a_retry_window_the_first_repetition_ends_the_family(server: Server) {
        let server = server.with_settings(&[("SIGNET_REFRESH_RETRY_WINDOW", "0")]);
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        server.refresh(&WEB, &first.refresh_token()).await.failed(400, "invalid_grant");
        server.refresh(&WEB, &second.text("refresh_token")).await.failed(400, "invalid_grant");
        server.assert_inactive(&second.text("access_token")).await;
    }

    async fn after_the_retry_window_a_repetition_is_a_replay(server: Server) {
        let server = server.with_settings(&[("SIGNET_REFRESH_RETRY_WINDOW", "1s")]);
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &first.refresh_token()).await.succeeded();
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        server.refresh(&WEB, &first.refresh_token()).await.failed(400, "invalid_grant");
        server.refresh(&WEB, &second.text("refresh_token")).await.failed(400, "invalid_grant");
    }

    async fn another_client_is_refused_and_the_token_unharmed_rfc6749_6(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        server.refresh(&OWN, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
        server.refresh(&SPA, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
        server.assert_active(&signed_in.access_token()).await;
        server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
    }

    async fn scope_may_be_narrowed_and_never_widened_rfc6749_6(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid profile offline_access").await;
        let refresh = |token: String, scope: &'static str| {
            let server = &server;
            async move {
                let form = [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", scope)];
                server.token(&WEB, &form).await
            }
        };
        for wider in ["openid email", "openid profile offline_access orders:read", "unheard:of"] {
            refresh(signed_in.refresh_token(), wider).await.failed(400, "invalid_scope");
        }
        let narrow = refresh(signed_in.refresh_token(), "openid").await.succeeded();
        let access_token = Jwt::decode(&narrow.text("access_token")).claims;
        assert_eq!(access_token["scope"], "openid");
        // The grant itself keeps its scope.
        let whole = server.refresh(&WEB, &narrow.text("refresh_token")).await.succeeded();
        let scope = whole.text("scope");
        assert!(scope.split(' ').any(|word| word == "profile"), "{scope}");
    }

    async fn an_idle_refresh_token_expires(server: Server) {
        let server = server.with_settings(&[("SIGNET_REFRESH_TOKEN_IDLE_LIFETIME", "1s"), ("SIGNET_REFRESH_RETRY_WINDOW", "0")]);
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        server.refresh(&WEB, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
    }

    async fn other_spellings_are_invalid_grant_and_harmless_rfc4648_3_5(server: Server) {
        let signed_in = server.signed_in(&SPA, "openid offline_access").await;
        let token = signed_in.refresh_token();
        let code_like = token.replacen("sgr_", "sgc_", 1);
        let upper = token.to_uppercase();
        for forged in [&code_like, &upper, &format!("{token}="), &format!("{token} "), &format!("{token}A"), "sgr_", "x"] {
            server.refresh(&SPA, forged).await.failed(400, "invalid_grant");
        }
        server.refresh(&SPA, &signed_in.id_token()).await.failed(400, "invalid_grant");
        server.refresh(&SPA, &signed_in.access_token()).await.failed(400, "invalid_grant");
        server.refresh(&SPA, &token).await.succeeded();
    }

    async fn a_refresh_token_outlives_a_restart(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        server.kill9();
        server.restart();
        server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
    }

    async fn a_disabled_user_or_client_ends_at_once(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let at_spa = server.signed_in(&SPA, "openid offline_access").await;
        server.signet_ok(&["client", "disable", "web"]);
        server.refresh(&WEB, &signed_in.refresh_token()).await.failed(401, "invalid_client");
        server.assert_inactive(&signed_in.access_token()).await;
        server.assert_active(&at_spa.access_token()).await;
        server.signet_ok(&["user", "disable", "alice"]);
        server.refresh(&SPA, &at_spa.refresh_token()).await.failed(400, "invalid_grant");
        server.assert_inactive(&at_spa.access_token()).await;
    }
}
