//! `/token` with `grant_type=client_credentials`

use crate::support::client::{MACHINE, SPA, WEB};
use crate::support::engines::on_every_engine;

on_every_engine! {
    async fn a_service_gets_an_access_token_and_nothing_else_rfc6749_4_4_3(server: Server) {
        let answer = server.token(&MACHINE, &[("grant_type", "client_credentials")]).await.succeeded();
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none(), "{body}");
        let token = server.verified(&answer.text("access_token")).await;
        assert_eq!(token.header["typ"], "at+jwt");
        assert_eq!(token.claims["client_id"], "machine");
        assert_eq!(token.claims["sub"], "machine", "RFC 9068 §2.2: the client is the subject");
    }

    async fn scope_is_what_was_asked_and_allowed_rfc6749_3_3(server: Server) {
        let ask = |scope: &'static str| {
            let server = &server;
            async move { server.token(&MACHINE, &[("grant_type", "client_credentials"), ("scope", scope)]).await }
        };
        let narrow = ask("orders:read").await.succeeded();
        assert_eq!(narrow.text("scope"), "orders:read");
        assert_eq!(server.verified(&narrow.text("access_token")).await.claims["scope"], "orders:read");
        for refused in ["stock:read", "openid", "orders:read admin", "a\"b", "é"] {
            ask(refused).await.failed(400, "invalid_scope");
        }
    }

    async fn a_resource_becomes_the_audience_rfc8707_2(server: Server) {
        let ask = |resource: &'static str| {
            let server = &server;
            async move { server.token(&MACHINE, &[("grant_type", "client_credentials"), ("resource", resource)]).await }
        };
        let answer = ask("https://api.example.test").await.succeeded();
        let aud = server.verified(&answer.text("access_token")).await.claims["aud"].clone();
        assert!(aud == "https://api.example.test" || aud == serde_json::json!(["https://api.example.test"]), "{aud}");
        for unknown in ["https://unknown.example.test", "not a uri", "https://api.example.test#fragment"] {
            ask(unknown).await.failed(400, "invalid_target");
        }
    }

    async fn a_client_without_the_grant_is_unauthorized_rfc6749_5_2(server: Server) {
        server.token(&WEB, &[("grant_type", "client_credentials")]).await.failed(400, "unauthorized_client");
    }

    async fn a_public_client_has_no_credentials_rfc6749_4_4(server: Server) {
        let answer = server.token(&SPA, &[("grant_type", "client_credentials")]).await;
        assert!(answer.status == 400 || answer.status == 401, "{answer:?}");
        assert!(["unauthorized_client", "invalid_client"].contains(&answer.text("error").as_str()));
    }

    async fn userinfo_knows_no_such_person(server: Server) {
        let answer = server.userinfo(&server.machine_token().await).await;
        assert!(answer.status == 401 || answer.status == 403, "{answer:?}");
    }
}
