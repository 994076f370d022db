//! `/userinfo`

use crate::support::client::{Answer, WEB};
use crate::support::engines::on_every_engine;
use crate::support::jwt::{Jwt, forged};

on_every_engine! {
    async fn claims_follow_the_scope_oidc_core_5_4(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid email").await;
        let answer = server.userinfo(&signed_in.access_token()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("content-type").starts_with("application/json"));
        let claims = answer.json();
        assert_eq!(claims["sub"], Jwt::decode(&signed_in.id_token()).claims["sub"]);
        assert_eq!((&claims["email"], &claims["email_verified"]), (&"alice@example.test".into(), &true.into()));
        assert!(claims.get("name").is_none(), "profile was not asked for: {claims}");
        assert!(claims.as_object().unwrap().values().all(|value| !value.is_null() && value != ""), "{claims}");
    }

    async fn every_way_to_present_the_token_but_the_query_rfc6750_2(server: Server) {
        let token = server.signed_in(&WEB, "openid profile").await.access_token();
        let url = server.url("/userinfo");
        let by_form = Answer::to(server.http().post(&url).form(&[("access_token", &token)])).await;
        assert_eq!(by_form.status, 200, "{by_form:?}");
        assert_eq!(by_form.json()["name"], "Alice Example");
        let by_header = Answer::to(server.http().post(&url).bearer_auth(&token)).await;
        assert_eq!(by_header.status, 200, "{by_header:?}");
        let by_query = Answer::to(server.http().get(format!("{url}?access_token={token}"))).await;
        assert!(by_query.status == 401 || by_query.status == 400, "{by_query:?}");
        let twice = server.http().post(&url).bearer_auth(&token).form(&[("access_token", &token)]);
        assert_eq!(Answer::to(twice).await.status, 400);
    }

    async fn a_bad_token_is_401_with_a_bearer_challenge_rfc6750_3(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid").await;
        let forged = forged(&signed_in.access_token(), |claims| claims["sub"] = "admin".into());
        for token in ["", "x", "a.b.c", &forged, &signed_in.id_token(), &signed_in.code] {
            let answer = server.userinfo(token).await;
            assert_eq!(answer.status, 401, "{token}: {answer:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{token}: {answer:?}");
        }
        let nothing = Answer::to(server.http().get(server.url("/userinfo"))).await;
        assert_eq!(nothing.status, 401);
        assert!(nothing.header("www-authenticate").starts_with("Bearer"));
        assert!(!nothing.header("www-authenticate").contains("error"), "RFC 6750 §3.1: no error without a token");
    }

    async fn without_openid_it_is_insufficient_scope_rfc6750_3_1(server: Server) {
        let token = server.signed_in(&WEB, "profile").await.access_token();
        let answer = server.userinfo(&token).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
        // One for an API is not even for this server (RFC 9068 §3).
        let token = server.signed_in(&WEB, "orders:read").await.access_token();
        let answer = server.userinfo(&token).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{answer:?}");
    }

    async fn a_disabled_person_is_nobody(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid").await;
        server.signet_ok(&["user", "disable", "alice"]);
        assert_eq!(server.userinfo(&signed_in.access_token()).await.status, 401);
    }
}
