//! `/revoke`

use crate::support::client::{Answer, Authentication, Client, OWN, SPA, WEB};
use crate::support::engines::on_every_engine;

on_every_engine! {
    async fn a_revoked_refresh_token_takes_its_access_tokens_along_rfc7009_2_1(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        assert_eq!(server.revoke(&WEB, &second.text("refresh_token")).await.status, 200);
        for token in [signed_in.access_token(), second.text("access_token"), second.text("refresh_token")] {
            server.assert_inactive(&token).await;
        }
        server.refresh(&WEB, &second.text("refresh_token")).await.failed(400, "invalid_grant");
        assert_eq!(server.userinfo(&second.text("access_token")).await.status, 401);
    }

    async fn a_revoked_access_token_is_dead_and_its_siblings_live(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        assert_eq!(server.revoke(&WEB, &signed_in.access_token()).await.status, 200);
        server.assert_inactive(&signed_in.access_token()).await;
        assert_eq!(server.userinfo(&signed_in.access_token()).await.status, 401);
        server.assert_active(&second.text("access_token")).await;
        server.refresh(&WEB, &second.text("refresh_token")).await.succeeded();
    }

    async fn an_older_refresh_token_revokes_its_grant_too(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let second = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        assert_eq!(server.revoke(&WEB, &signed_in.refresh_token()).await.status, 200);
        server.refresh(&WEB, &second.text("refresh_token")).await.failed(400, "invalid_grant");
    }

    async fn a_foreign_client_revokes_nothing_rfc7009_2_1(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        for foreign in [OWN, SPA] {
            for token in [signed_in.access_token(), signed_in.refresh_token()] {
                let answer = server.revoke(&foreign, &token).await;
                assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
            }
        }
        server.assert_active(&signed_in.access_token()).await;
        server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
    }

    async fn unknown_tokens_are_fine_and_callers_are_checked_rfc7009_2_2(server: Server) {
        for unknown in ["x", "a.b.c", "sgr_AAAA", "é"] {
            assert_eq!(server.revoke(&WEB, unknown).await.status, 200);
        }
        let wrong = Client { authentication: Authentication::Basic("wrong"), ..WEB };
        server.revoke(&wrong, "x").await.failed(401, "invalid_client").challenged();
        Answer::to(server.post("/revoke", &WEB, &[])).await.failed(400, "invalid_request");
        let twice = [("token", "x"), ("token", "y")];
        Answer::to(server.post("/revoke", &WEB, &twice)).await.failed(400, "invalid_request");
    }

    async fn a_wrong_hint_changes_nothing_rfc7009_2_1(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        let form = [("token", &*signed_in.refresh_token()), ("token_type_hint", "access_token")];
        assert_eq!(Answer::to(server.post("/revoke", &WEB, &form)).await.status, 200);
        server.refresh(&WEB, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
    }

    async fn a_public_client_revokes_its_own(server: Server) {
        let signed_in = server.signed_in(&SPA, "openid offline_access").await;
        assert_eq!(server.revoke(&SPA, &signed_in.refresh_token()).await.status, 200);
        server.refresh(&SPA, &signed_in.refresh_token()).await.failed(400, "invalid_grant");
    }
}
