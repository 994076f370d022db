//! Client authentication at `/token`

use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::support::client::{
    Answer, Authentication, Client, LEGACY, MACHINE, ODD, POST, WEB, basic,
};
use crate::support::engines::on_every_engine;
use crate::support::script::{assertion, now, register_signer};
use crate::support::server::Server;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
/// Spoils the claims of an assertion; the number is the current time in seconds.
type Change = fn(&mut serde_json::Value, i64);

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

on_every_engine! {
    async fn basic_is_form_url_encoded_first_rfc6749_2_3_1(server: Server) {
        server.token(&ODD, &[GRANT]).await.succeeded();
    }

    async fn a_wrong_secret_is_invalid_client_with_a_challenge_rfc6749_5_2(server: Server) {
        for secret in ["", "wrong", "web-secret-that-is-long-enough-for-anyone"] {
            let client = Client { authentication: Authentication::Basic(secret), ..MACHINE };
            server.token(&client, &[GRANT]).await.failed(401, "invalid_client").challenged();
        }
        let unknown = Client { id: "nobody", ..MACHINE };
        server.token(&unknown, &[GRANT]).await.failed(401, "invalid_client").challenged();
    }

    async fn malformed_basic_is_invalid_client_never_a_5xx(server: Server) {
        for header in ["Basic", "Basic !!!", "Basic bWFjaGluZQ==", "Basic /////w==", "Basic bWFjaGluZTol", "Bearer x", "Basic OjpnOg=="] {
            let request = server.http().post(server.url("/token")).header(AUTHORIZATION, header).form(&[GRANT]);
            let answer = Answer::to(request).await;
            assert!(answer.status == 401 || answer.status == 400, "{header}: {answer:?}");
            assert!(["invalid_client", "invalid_request"].contains(&answer.text("error").as_str()), "{header}: {answer:?}");
        }
    }

    async fn a_client_uses_exactly_the_method_it_registered_oidc_registration_2(server: Server) {
        let code = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "https://x.example.test")];
        let Authentication::Basic(secret) = WEB.authentication else { unreachable!() };
        let in_the_body = Client { authentication: Authentication::Post(secret), ..WEB };
        server.token(&in_the_body, &code).await.failed(401, "invalid_client");
        let Authentication::Post(secret) = POST.authentication else { unreachable!() };
        let in_the_header = Client { authentication: Authentication::Basic(secret), ..POST };
        server.token(&in_the_header, &code).await.failed(401, "invalid_client");
        for client in [WEB, POST, LEGACY] {
            let nameless = Client { authentication: Authentication::None, ..client };
            server.token(&nameless, &code).await.failed(401, "invalid_client");
        }
    }

    async fn two_methods_at_once_are_invalid_request_rfc6749_2_3(server: Server) {
        let Authentication::Basic(secret) = MACHINE.authentication else { unreachable!() };
        let both = [GRANT, ("client_id", "machine"), ("client_secret", secret)];
        server.token(&MACHINE, &both).await.failed(400, "invalid_request");
        let assertion = [GRANT, ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "a.b.c")];
        server.token(&MACHINE, &assertion).await.failed(400, "invalid_request");
    }

    async fn a_contradicting_client_id_is_refused_rfc6749_2_3(server: Server) {
        let answer = server.token(&MACHINE, &[GRANT, ("client_id", "web")]).await;
        assert!(answer.status == 400 || answer.status == 401, "{answer:?}");
        server.token(&MACHINE, &[GRANT, ("client_id", "machine")]).await.succeeded();
    }

    async fn credentials_in_the_address_are_refused_rfc6749_2_3_1(server: Server) {
        let Authentication::Post(secret) = POST.authentication else { unreachable!() };
        let url = format!("{}?client_id=post&client_secret={secret}", server.url("/token"));
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        let answer = Answer::to(server.http().post(url).form(&form)).await;
        assert!(answer.status == 400 || answer.status == 401, "{answer:?}");
        assert_ne!(answer.text("error"), "invalid_grant", "the client was authenticated");
        assert!(!server.log().contains(secret), "a secret is in the log");
    }

    async fn private_key_jwt_works_for_both_audiences_rfc7523_3(server: Server) {
        let signer = register_signer(&server, "https://signer.example.test/callback");
        for audience in [server.issuer().to_owned(), format!("{}/token", server.issuer())] {
            assert_answer(&server, &assertion(&server, &signer, |claims| claims["aud"] = audience.into())).await.succeeded();
        }
    }

    async fn an_assertion_is_good_once_rfc7523_3(server: Server) {
        let signer = register_signer(&server, "https://signer.example.test/callback");
        let assertion = assertion(&server, &signer, |_| ());
        assert_answer(&server, &assertion).await.succeeded();
        assert_answer(&server, &assertion).await.failed(401, "invalid_client");
    }

    async fn a_bad_assertion_is_invalid_client_rfc7523_3(server: Server) {
        let signer = register_signer(&server, "https://signer.example.test/callback");
        let now = now();
        let bad: [(&str, Change); 9] = [
            ("expired", |claims, now| claims["exp"] = (now - 120).into()),
            ("from the future", |claims, now| claims["iat"] = (now + 120).into()),
            ("not yet valid", |claims, now| claims["nbf"] = (now + 120).into()),
            ("good for a year", |claims, now| claims["exp"] = (now + 31_536_000).into()),
            ("for someone else", |claims, _| claims["aud"] = "https://other.example.test".into()),
            ("for several", |claims, _| claims["aud"] = json!([claims["aud"], "https://other.example.test"])),
            ("of another issuer", |claims, _| claims["iss"] = "web".into()),
            ("about another subject", |claims, _| claims["sub"] = "web".into()),
            ("without exp", |claims, _| { claims.as_object_mut().unwrap().remove("exp"); }),
        ];
        for (what, change) in bad {
            let assertion = assertion(&server, &signer, |claims| change(claims, now));
            let answer = assert_answer(&server, &assertion).await;
            assert_eq!((answer.status, answer.text("error").as_str()), (401, "invalid_client"), "{what}");
        }
        for garbage in ["", "a", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é.é.é", &"x".repeat(30_000)] {
            let answer = assert_answer(&server, garbage).await;
            assert!(answer.status == 401 || answer.status == 400, "{garbage}: {answer:?}");
        }
        // A little skew is the client's clock (± 10 s).
        let skewed = assertion(&server, &signer, |claims| claims["iat"] = (now + 8).into());
        assert_answer(&server, &skewed).await.succeeded();
    }

    async fn a_foreign_key_is_invalid_client(server: Server) {
        let old = register_signer(&server, "https://signer.example.test/callback");
        let new = register_signer(&server, "https://signer.example.test/callback");
        assert_answer(&server, &assertion(&server, &old, |_| ())).await.failed(401, "invalid_client");
        assert_answer(&server, &assertion(&server, &new, |_| ())).await.succeeded();
    }

    async fn two_secrets_are_valid_while_rotating(server: Server) {
        let printed = server.signet_ok(&["client", "rotate-secret", "machine", "--json"]);
        let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let secret = printed["client_secret"].as_str().expect("client_secret");
        assert!(secret.starts_with("sgs_"), "secret scanners find it by its prefix");
        server.token(&MACHINE, &[GRANT]).await.succeeded();
        let request = server.http().post(server.url("/token")).header(AUTHORIZATION, basic("machine", secret));
        Answer::to(request.form(&[GRANT])).await.succeeded();
    }

    async fn unknown_and_missing_grants_rfc6749_5_2(server: Server) {
        server.token(&MACHINE, &[]).await.failed(400, "invalid_request");
        server.token(&MACHINE, &[("grant_type", "")]).await.failed(400, "invalid_request");
        server.token(&MACHINE, &[("grant_type", "nonsense")]).await.failed(400, "unsupported_grant_type");
        let password = [("grant_type", "password"), ("username", "alice"), ("password", "correct horse battery staple")];
        server.token(&MACHINE, &password).await.failed(400, "unsupported_grant_type");
        server.token(&MACHINE, &[GRANT, GRANT]).await.failed(400, "invalid_request");
    }

    async fn only_a_form_is_read_rfc6749_3_2(server: Server) {
        let get = Answer::to(server.http().get(server.url("/token"))).await;
        assert_eq!(get.status, 405, "{get:?}");
        let json = server.http().post(server.url("/token")).json(&json!({ "grant_type": "client_credentials" }));
        let json = Answer::to(json).await;
        assert!((400..500).contains(&json.status), "{json:?}");
        let broken = server.http().post(server.url("/token")).header("content-type", "application/x-www-form-urlencoded");
        let broken = Answer::to(broken.body(b"grant_type=%ff%fe&\xff=\xfe&&==".to_vec())).await;
        assert!((400..500).contains(&broken.status), "{broken:?}");
        let huge = server.token(&MACHINE, &[GRANT, ("scope", &"x".repeat(1_000_000))]).await;
        assert!(huge.status == 413 || huge.status == 400, "{huge:?}");
        server.token(&MACHINE, &[GRANT]).await.succeeded();
    }
}

async fn assert_answer(server: &Server, assertion: &str) -> Answer {
    let form = [
        GRANT,
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    Answer::to(server.http().post(server.url("/token")).form(&form)).await
}
