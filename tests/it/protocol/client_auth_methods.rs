//! How a client may authenticate that registered a method, or none, at every endpoint that authenticates clients.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authentication, Authorization, Client, basic, parameter};
use crate::support::engines::on_every_engine;
use crate::support::script::register_signer;
use crate::support::server::{ALICE, Server};

const SECRET: &str = "either-secret-that-is-long-enough-for-anyone";

/// One registration that says nothing of authentication, and one for each method of a secret.
const DOCUMENT: &str = r#"
[[clients]]
client_id = "either"
client_secret = "either-secret-that-is-long-enough-for-anyone"
redirect_uris = ["https://either.example.test/callback"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
scope = "openid profile email offline_access signet:decide signet:admin"
may_introspect = true
first_party = true

[[clients]]
client_id = "header"
client_secret = "either-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "signet:decide"
may_introspect = true

[[clients]]
client_id = "body"
client_secret = "either-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "client_secret_post"
scope = "signet:decide"
may_introspect = true
"#;

const EITHER: Client = Client {
    id: "either",
    redirect_uri: "https://either.example.test/callback",
    authentication: Authentication::Basic(SECRET),
};

/// The endpoints that take a form.
const FORMS: [(&str, &[(&str, &str)]); 3] = [
    ("/token", &[("grant_type", "client_credentials")]),
    ("/introspect", &[("token", "unknown")]),
    ("/revoke", &[("token", "unknown")]),
];

/// How a secret can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Header,
    Body,
    Both,
    Neither,
}

fn form(
    server: &Server,
    path: &str,
    fields: &[(&str, &str)],
    id: &str,
    way: Way,
) -> RequestBuilder {
    let mut fields = fields.to_vec();
    let mut request = server.http().request(Method::POST, server.url(path));
    if way == Way::Header || way == Way::Both {
        request = request.header(AUTHORIZATION, basic(id, SECRET));
    }
    if way == Way::Body || way == Way::Both {
        fields.push(("client_secret", SECRET));
    }
    if way != Way::Header {
        fields.push(("client_id", id));
    }
    request.form(&fields)
}

/// A question to the decision API, whose body is JSON, so that only the header can carry a secret.
fn decision(server: &Server, authorization: &str) -> RequestBuilder {
    let question = json!({
        "subject": { "type": "user", "id": "alice" },
        "action": { "name": "read" },
        "resource": { "type": "document", "id": "1" },
    });
    let request = server.http().post(server.url("/access/v1/evaluation"));
    request.header(AUTHORIZATION, authorization).json(&question)
}

/// Basic as `curl -u` sends it: nothing is form-encoded.
fn raw(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

async fn events(server: &Server, kind: &str, client: &str) -> Vec<Value> {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "signet:admin"),
    ];
    let token = server
        .token(&EITHER, &form)
        .await
        .succeeded()
        .text("access_token");
    let url = server.url(&format!("/v1/audit_events?limit=100&type={kind}"));
    let mut found = Vec::new();
    // Events of tokens are written within a quarter of a second.
    for _ in 0..40 {
        let answer = Answer::to(server.http().get(&url).bearer_auth(&token)).await;
        let all = answer.json()["data"].as_array().unwrap().clone();
        found = all
            .into_iter()
            .filter(|event| event["actor"]["id"] == client || event["target"]["id"] == client)
            .collect();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    found
}

on_every_engine! {
    async fn a_client_that_registered_no_method_sends_its_secret_by_header_or_by_body_at_every_endpoint(server: Server) {
        server.apply(DOCUMENT);
        for (path, fields) in FORMS {
            for way in [Way::Header, Way::Body] {
                let answer = Answer::to(form(&server, path, fields, "either", way)).await;
                assert_eq!(answer.status, 200, "{path} {way:?}: {answer:?}");
            }
            Answer::to(form(&server, path, fields, "either", Way::Both)).await.failed(400, "invalid_request");
            // It is never taken for a public client.
            let answer = Answer::to(form(&server, path, fields, "either", Way::Neither)).await.failed(401, "invalid_client");
            assert!(answer.text("error_description").contains("token_endpoint_auth_method = none"), "{answer:?}");
        }
        let answer = Answer::to(decision(&server, &basic("either", SECRET))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for way in [Way::Header, Way::Body] {
            let wrong = [("grant_type", "client_credentials"), ("client_id", "either"), ("client_secret", "wrong-secret-that-is-long-enough")];
            let request = server.http().post(server.url("/token"));
            let request = if way == Way::Header { request.header(AUTHORIZATION, basic("either", "wrong")).form(&wrong[..1]) } else { request.form(&wrong) };
            Answer::to(request).await.failed(401, "invalid_client");
        }
    }

    async fn a_sign_in_may_begin_with_one_way_and_go_on_with_the_other(server: Server) {
        server.apply(DOCUMENT);
        let in_the_body = Client { authentication: Authentication::Post(SECRET), ..EITHER };
        let request = Authorization::of(&EITHER, "openid offline_access");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        let code = parameter(&callback, "code").unwrap();
        let tokens = server.redeem(&in_the_body, &request, &code).await.succeeded();
        let tokens = server.refresh(&EITHER, &tokens.text("refresh_token")).await.succeeded();
        let tokens = server.refresh(&in_the_body, &tokens.text("refresh_token")).await.succeeded();
        let asked = server.post("/introspect", &in_the_body, &[("token", &tokens.text("access_token"))]);
        assert_eq!(Answer::to(asked).await.succeeded().json()["active"], true);
        assert_eq!(server.revoke(&in_the_body, &tokens.text("refresh_token")).await.status, 200);
        server.refresh(&EITHER, &tokens.text("refresh_token")).await.failed(400, "invalid_grant");
    }

    async fn a_written_method_is_the_only_one_at_every_endpoint_and_the_refusal_names_the_switch(server: Server) {
        server.apply(DOCUMENT);
        for (id, right, wrong, registered, came) in [
            ("header", Way::Header, Way::Body, "client_secret_basic", "client_secret_post"),
            ("body", Way::Body, Way::Header, "client_secret_post", "client_secret_basic"),
        ] {
            for (path, fields) in FORMS {
                let answer = Answer::to(form(&server, path, fields, id, right)).await;
                assert_eq!(answer.status, 200, "{path} {id}: {answer:?}");
                let answer = Answer::to(form(&server, path, fields, id, wrong)).await.failed(401, "invalid_client");
                let told = answer.text("error_description");
                for word in [&format!("token_endpoint_auth_method = {registered},"), came, "remove that setting"] {
                    assert!(told.contains(word), "{path} {id}: {told}");
                }
                Answer::to(form(&server, path, fields, id, Way::Neither)).await.failed(401, "invalid_client");
            }
        }
        assert_eq!(Answer::to(decision(&server, &basic("header", SECRET))).await.status, 200);
        let answer = Answer::to(decision(&server, &basic("body", SECRET))).await.failed(401, "invalid_client").challenged();
        assert!(answer.text("error_description").contains("client_secret_post"), "{answer:?}");
    }

    async fn a_client_with_keys_and_no_method_has_the_default_of_rfc7591_2(server: Server) {
        server.apply(
            r#"
            [[clients]]
            client_id = "either"
            client_secret = "either-secret-that-is-long-enough-for-anyone"
            grant_types = ["client_credentials"]
            jwks_uri = "https://either.example.test/jwks"
            "#,
        );
        let (path, fields) = FORMS[0];
        assert_eq!(Answer::to(form(&server, path, fields, "either", Way::Header)).await.status, 200);
        let answer = Answer::to(form(&server, path, fields, "either", Way::Body)).await.failed(401, "invalid_client");
        let told = answer.text("error_description");
        assert!(told.contains("= client_secret_basic,") && !told.contains("remove that setting"), "{told}");
        register_signer(&server, "https://signer.example.test/callback");
        let answer = Answer::to(form(&server, path, fields, "signer", Way::Body)).await.failed(401, "invalid_client");
        assert!(answer.text("error_description").contains("= private_key_jwt,"), "{answer:?}");
    }

    async fn a_secret_that_was_not_form_encoded_is_taken_as_it_came_rfc7617_2(server: Server) {
        for (id, secret) in [
            ("plus+minus", "a+secret+with+plus+signs+0123456789"),
            ("percent", "100%25+of+it+and+50%41+more+0123456789"),
            ("broken", "50% off and %zz and 0123456789-0123456789"),
        ] {
            server.apply(&format!(
                "[[clients]]\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\ngrant_types = [\"client_credentials\"]\nmay_introspect = true\nscope = \"signet:decide\"\n"
            ));
            for header in [basic(id, secret), raw(id, secret)] {
                for (path, fields) in FORMS {
                    let request = server.http().post(server.url(path)).header(AUTHORIZATION, &header).form(fields);
                    assert_eq!(Answer::to(request).await.status, 200, "{path} {id}");
                    let named: Vec<_> = fields.iter().copied().chain([("client_id", id)]).collect();
                    let request = server.http().post(server.url(path)).header(AUTHORIZATION, &header).form(&named);
                    assert_eq!(Answer::to(request).await.status, 200, "{path} {id}");
                    let named: Vec<_> = fields.iter().copied().chain([("client_id", "either")]).collect();
                    let request = server.http().post(server.url(path)).header(AUTHORIZATION, &header).form(&named);
                    Answer::to(request).await.failed(400, "invalid_request");
                }
                assert_eq!(Answer::to(decision(&server, &header)).await.status, 200, "{id}");
            }
            // The body is form-encoded once, and read once.
            let decoded = secret.replace('+', " ");
            let request = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", &decoded)];
            let answer = Answer::to(server.http().post(server.url("/token")).form(&request)).await;
            assert_eq!(answer.status == 200, decoded == secret, "{id}");
        }
    }

    async fn a_secret_with_two_readings_is_one_guess_and_every_pair_is_counted(server: Server) {
        // Twenty are looked at; all of these have the same first reading, and another second one.
        let variants = (0..5_u8).flat_map(|n| {
            let letter = format!("%{:02X}", b'a' + n);
            let plain = char::from(b'a' + n).to_string();
            let words: [String; 5] = std::array::from_fn(|m| {
                (0..5).map(|k| if k == m { letter.clone() } else { plain.clone() }).collect()
            });
            words
        });
        let mut looked_at = 0;
        for guess in variants {
            let request = server.http().post(server.url("/token")).header(AUTHORIZATION, raw("machine", &guess));
            let answer = Answer::to(request.form(&[("grant_type", "client_credentials")])).await;
            assert!(answer.status == 401 || answer.status == 429, "{answer:?}");
            looked_at += u32::from(answer.status == 401);
        }
        assert!((20..=21).contains(&looked_at), "{looked_at}");
    }

    async fn the_event_says_which_method_was_used(server: Server) {
        server.apply(DOCUMENT);
        let in_the_body = Client { authentication: Authentication::Post(SECRET), ..EITHER };
        let request = Authorization::of(&EITHER, "openid offline_access");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        let code = parameter(&callback, "code").unwrap();
        let tokens = server.redeem(&in_the_body, &request, &code).await.succeeded();
        let tokens = server.refresh(&EITHER, &tokens.text("refresh_token")).await.succeeded();
        server.revoke(&in_the_body, &tokens.text("refresh_token")).await;
        server.token(&in_the_body, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.failed(400, "invalid_grant");
        for (kind, method) in [
            ("token.refreshed", "client_secret_basic"),
            ("grant.revoked", "client_secret_post"),
            ("token.refused", "client_secret_post"),
        ] {
            let events = events(&server, kind, "either").await;
            assert!(!events.is_empty(), "{kind}");
            for event in events {
                assert_eq!(event["actor"]["auth_method"], method, "{event}");
            }
        }
        let mut issued = Vec::new();
        let by = |issued: &[Value], method: &str| issued.iter().any(|event| event["actor"]["auth_method"] == method);
        let by_both = |issued: &[Value]| by(issued, "client_secret_post") && by(issued, "client_secret_basic");
        // Events of tokens are written within a quarter of a second.
        for _ in 0..40 {
            issued = events(&server, "token.issued", "either").await;
            if by_both(&issued) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(by_both(&issued), "{issued:?}");
        let (path, fields) = FORMS[0];
        Answer::to(form(&server, path, fields, "header", Way::Body)).await.failed(401, "invalid_client");
        let refused = events(&server, "client.refused", "header").await;
        assert_eq!(refused[0]["detail"]["method"], "client_secret_post", "{refused:?}");
    }
}
