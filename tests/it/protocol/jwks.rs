//! `/jwks`

use std::collections::BTreeSet;

use crate::support::client::{Answer, WEB};
use crate::support::engines::on_every_engine;
use crate::support::jwt::bytes;
use crate::support::server::Server;

on_every_engine! {
    async fn only_public_parts_are_published_rfc7517_9(server: Server) {
        for key in server.jwks().await {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(key.get(private).is_none(), "{private} in {key}");
            }
        }
    }

    async fn every_key_says_what_it_is_for_and_is_strong_enough_rfc7518_3(server: Server) {
        let keys = server.jwks().await;
        let kids: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().expect("kid")).collect();
        assert_eq!(kids.len(), keys.len(), "kid is unique");
        for key in &keys {
            assert_eq!(key["use"], "sig", "{key}");
            assert!(key["alg"].is_string(), "{key}");
            if key["kty"] == "RSA" {
                assert!(bytes(key["n"].as_str().unwrap()).len() >= 256, "RSA of less than 2048 bits: {key}");
            }
        }
        assert!(keys.iter().any(|key| key["alg"] == "RS256"));
        assert!(keys.iter().any(|key| key["alg"] == "ES256"));
    }

    async fn the_well_known_spelling_is_the_same_document(server: Server) {
        let answer = Answer::to(server.http().get(server.url("/.well-known/jwks.json"))).await;
        assert_eq!(answer.json()["keys"].as_array(), Some(&server.jwks().await));
    }

    async fn rotation_publishes_a_new_key_and_keeps_the_old_oidc_core_10_1_1(server: Server) {
        let before = server.signed_in(&WEB, "openid").await;
        let old: BTreeSet<_> = kids(&server).await;
        server.signet_ok(&["key", "rotate"]);
        server.restart();
        let after = server.signed_in(&WEB, "openid").await;
        let new = kids(&server).await;
        assert!(new.is_superset(&old), "{old:?} then {new:?}");
        assert!(new.len() > old.len(), "{old:?} then {new:?}");
        server.verified(&before.id_token()).await;
        server.verified(&before.access_token()).await;
        server.verified(&after.id_token()).await;
        server.assert_active(&before.access_token()).await;
    }
}

async fn kids(server: &Server) -> BTreeSet<String> {
    server
        .jwks()
        .await
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}
