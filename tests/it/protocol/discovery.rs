//! `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`

use serde_json::Value;

use signet::doors::{Claim, Place};

use crate::support::client::{Answer, Authentication, Client};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::Server;

/// A client whose tokens say all that can be chosen.
const FULL: Client = Client {
    id: "full",
    redirect_uri: "https://full.example.test/callback",
    authentication: Authentication::Basic("full-secret-that-is-long-enough-for-anyone"),
};

const FULL_DOCUMENT: &str = r#"
[[roles]]
name = "clerk"
permissions = ["order:read"]

[[users]]
username = "alice"
roles = ["clerk"]

[[clients]]
client_id = "full"
client_secret = "full-secret-that-is-long-enough-for-anyone"
client_name = "Full"
redirect_uris = ["https://full.example.test/callback"]
grant_types = ["authorization_code", "refresh_token"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid profile email offline_access orders:read"
id_token_claims = ["roles", "groups", "permissions", "org_id"]
access_token_claims = ["roles", "groups", "permissions", "org_id"]
userinfo_claims = ["roles", "groups", "permissions", "org_id"]
"#;

on_every_engine! {
    async fn metadata_names_the_issuer_and_its_endpoints_rfc8414_2(server: Server) {
        let metadata = metadata(&server).await;
        assert_eq!(metadata["issuer"], server.issuer());
        for (name, path) in [
            ("authorization_endpoint", "/authorize"),
            ("token_endpoint", "/token"),
            ("jwks_uri", "/jwks"),
            ("userinfo_endpoint", "/userinfo"),
            ("introspection_endpoint", "/introspect"),
            ("revocation_endpoint", "/revoke"),
            ("end_session_endpoint", "/logout"),
        ] {
            assert_eq!(metadata[name], format!("{}{path}", server.issuer()), "{name}");
        }
    }

    async fn metadata_advertises_what_is_enabled_and_nothing_else(server: Server) {
        let metadata = metadata(&server).await;
        assert_eq!(metadata["response_types_supported"], serde_json::json!(["code"]));
        assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
        assert_eq!(metadata["subject_types_supported"], serde_json::json!(["public"]));
        assert!(lists(&metadata, "id_token_signing_alg_values_supported", "RS256"));
        assert!(!lists(&metadata, "id_token_signing_alg_values_supported", "none"));
        for grant in ["authorization_code", "refresh_token", "client_credentials"] {
            assert!(lists(&metadata, "grant_types_supported", grant), "{grant}");
        }
        for grant in ["password", "implicit"] {
            assert!(!lists(&metadata, "grant_types_supported", grant), "{grant} (RFC 9700 §2.1.2, §2.4)");
        }
        for method in ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] {
            assert!(lists(&metadata, "token_endpoint_auth_methods_supported", method), "{method}");
        }
        for mode in ["query", "fragment", "form_post"] {
            assert!(lists(&metadata, "response_modes_supported", mode), "{mode}");
        }
    }

    async fn every_claim_that_is_issued_stands_in_the_table(server: Server) {
        server.apply(FULL_DOCUMENT);
        let scope = "openid profile email offline_access orders:read";
        let signed_in = server.signed_in(&FULL, scope).await;
        let refreshed = server.refresh(&FULL, &signed_in.refresh_token()).await.succeeded();
        let metadata = metadata(&server).await;
        let advertised = |name: &str| lists(&metadata, "claims_supported", name);
        for token in [signed_in.id_token(), refreshed.text("id_token")] {
            let claims = Jwt::decode(&token).claims;
            assert!(claims["roles"].is_array() && claims["permissions"].is_array(), "{claims}");
            for name in names(&claims) {
                let place = Claim::parse(&name).map(Claim::place);
                assert!(matches!(place, Some(Place::IdToken | Place::Chosen)), "{name}");
                assert!(advertised(&name), "{name}");
            }
        }
        for token in [signed_in.access_token(), refreshed.text("access_token"), server.machine_token().await] {
            for name in names(&Jwt::decode(&token).claims) {
                let place = Claim::parse(&name).map(Claim::place);
                assert!(
                    matches!(place, Some(Place::IdToken | Place::AccessToken | Place::Revocation | Place::Chosen)),
                    "{name}"
                );
            }
            for name in names(&server.introspect(&token).await) {
                assert_ne!(Claim::parse(&name).map(Claim::place), Some(Place::Revocation), "{name}");
            }
        }
        for name in names(&server.userinfo(&signed_in.access_token()).await.json()) {
            assert!(advertised(&name), "{name}");
        }
    }

    async fn every_advertised_endpoint_exists(server: Server) {
        let metadata = metadata(&server).await;
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                let answer = Answer::to(server.http().get(value.as_str().unwrap())).await;
                assert_ne!(answer.status, 404, "{name}");
                assert!(answer.status < 500, "{name}: {answer:?}");
            }
        }
    }

    async fn both_documents_agree_rfc8414_3(server: Server) {
        let oauth = Answer::to(server.http().get(server.url("/.well-known/oauth-authorization-server"))).await;
        let (oauth, openid) = (oauth.json(), metadata(&server).await);
        for (name, value) in oauth.as_object().unwrap() {
            assert_eq!(openid.get(name), Some(value), "{name}");
        }
    }

    async fn the_issuer_does_not_follow_the_host_header_cwe644(server: Server) {
        let request = server.http().get(server.url("/.well-known/openid-configuration"));
        let request = request.header("host", "attacker.example.test").header("x-forwarded-host", "attacker.example.test");
        let answer = Answer::to(request.header("x-forwarded-proto", "https")).await;
        assert!(!answer.body.contains("attacker"), "{answer:?}");
    }
}

async fn metadata(server: &Server) -> Value {
    let answer = Answer::to(
        server
            .http()
            .get(server.url("/.well-known/openid-configuration")),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer
            .header("content-type")
            .starts_with("application/json")
    );
    answer.json()
}

fn lists(metadata: &Value, name: &str, value: &str) -> bool {
    metadata[name]
        .as_array()
        .is_some_and(|values| values.iter().any(|known| known == value))
}

fn names(claims: &Value) -> Vec<String> {
    claims.as_object().unwrap().keys().cloned().collect()
}
