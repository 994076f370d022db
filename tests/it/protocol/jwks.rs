//! `/jwks`

use std::collections::BTreeSet;

use crate::support::client::{Answer, Authentication, Client, WEB};
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

    async fn keys_of_other_algorithms_are_made_when_a_client_needs_them(server: Server) {
        let other = server.second_instance();
        assert_eq!(algs(&server).await, ["ES256", "RS256"]);
        // Nothing needs it, so there is none to rotate.
        let output = server.signet(&["key", "rotate", "--alg", "EdDSA"]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("needs a EdDSA key"));

        server.apply(&client("EdDSA"));
        // Published everywhere before the first token, which every instance signs and knows.
        for instance in [&other, &server] {
            assert_eq!(algs(instance).await, ["ES256", "EdDSA", "RS256"]);
        }
        for instance in [&other, &server] {
            let answer = instance.token(&KEYED, &[("grant_type", "client_credentials")]).await.succeeded();
            let token = instance.verified(&answer.text("access_token")).await;
            assert_eq!(token.header["alg"], "EdDSA");
        }
        // A resource server's algorithm is one that is needed, too.
        let identifier = "https://keyed.example.test";
        server.apply(&format!("[[resources]]\nidentifier = \"{identifier}\"\naccess_token_signing_alg = \"PS256\"\n"));
        assert_eq!(algs(&other).await, ["ES256", "EdDSA", "PS256", "RS256"]);
        let discovery = Answer::to(server.http().get(server.url("/.well-known/openid-configuration"))).await;
        let listed = discovery.json()["id_token_signing_alg_values_supported"].clone();
        assert_eq!(listed, serde_json::json!(["RS256", "ES256", "PS256", "EdDSA"]), "what is possible");
    }

    async fn a_key_that_nothing_needs_any_more_retires_in_order_and_comes_back(server: Server) {
        server.apply(&client("EdDSA"));
        let answer = server.token(&KEYED, &[("grant_type", "client_credentials")]).await.succeeded();
        let before = answer.text("access_token");
        let made: Vec<_> = kids(&server).await.into_iter().collect();
        server.apply(&client("ES256"));
        server.restart();
        let listed = server.signet_ok(&["key", "list"]);
        let line = listed.lines().find(|line| line.contains("EdDSA")).unwrap();
        assert!(line.contains("retiring"), "{listed}");
        // What it signed still verifies, and it is published as long as that lives.
        server.verified(&before).await;
        server.assert_active(&before).await;
        server.apply(&client("EdDSA"));
        let listed = server.signet_ok(&["key", "list"]);
        let line = listed.lines().find(|line| line.contains("EdDSA")).unwrap();
        assert!(line.contains("active"), "{listed}");
        assert_eq!(kids(&server).await.into_iter().collect::<Vec<_>>(), made);
        let again = server.token(&KEYED, &[("grant_type", "client_credentials")]).await.succeeded();
        assert_eq!(server.verified(&again.text("access_token")).await.header["alg"], "EdDSA");
    }

    async fn a_rotated_key_is_published_by_every_instance_when_the_command_returns(server: Server) {
        let other = server.second_instance();
        for _ in 0..3 {
            let before = kids(&other).await;
            server.signet_ok(&["key", "rotate", "--alg", "ES256", "--now"]);
            for instance in [&other, &server] {
                let after = kids(instance).await;
                assert_eq!(after.difference(&before).count(), 1, "{before:?} then {after:?}");
            }
        }
    }

    async fn a_fresh_store_never_answers_without_keys(server: Server) {
        // The public listener opens with the first keys: every answer of it, from the first on, has them.
        let fresh = Server::not_started(server.engine(), &[]);
        let url = fresh.url("/jwks");
        let http = fresh.http().clone();
        let first = tokio::spawn(async move {
            loop {
                if let Ok(answer) = http.get(&url).send().await {
                    return answer.status().as_u16();
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        });
        let started = tokio::task::spawn_blocking(move || {
            fresh.restart();
            fresh
        });
        let _running = started.await.unwrap();
        assert_eq!(first.await.unwrap(), 200);
    }
}

const KEYED: Client = Client {
    id: "keyed",
    redirect_uri: "",
    authentication: Authentication::Basic("keyed-secret-that-is-long-enough-for-anyone"),
};

fn client(alg: &str) -> String {
    format!(
        "[[clients]]\nclient_id = \"keyed\"\nclient_secret = \"keyed-secret-that-is-long-enough-for-anyone\"\n\
         grant_types = [\"client_credentials\"]\nscope = \"orders:read\"\naccess_token_signed_response_alg = \"{alg}\"\n"
    )
}

async fn algs(server: &Server) -> Vec<String> {
    let keys = server.jwks().await;
    let algs = keys
        .iter()
        .map(|key| key["alg"].as_str().unwrap().to_owned());
    algs.collect::<BTreeSet<_>>().into_iter().collect()
}

async fn kids(server: &Server) -> BTreeSet<String> {
    server
        .jwks()
        .await
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}
