//! For whom access tokens are (RFC 8707, RFC 9068 §3), and how resource servers want them.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::{
    Answer, Authentication, Authorization, Client, MACHINE, WEB, parameter,
};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, Server};

const ORDERS: &str = "https://api.example.test";
const SLASH: &str = "https://slash.example.test/";
const SPRING: &str = "https://spring.example.test";

const DOCUMENT: &str = r#"
[[resources]]
identifier = "https://slash.example.test/"
name = "Slash & sons"
scopes = ["slash:read", "shared"]

[[resources]]
identifier = "https://spring.example.test"
scopes = ["spring:read", "shared"]
access_token_typ = "JWT"
access_token_signing_alg = "RS256"

[[clients]]
client_id = "all"
client_secret = "all-secret-that-is-long-enough-for-anyone"
redirect_uris = ["https://all.example.test/callback"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
scope = "openid profile email offline_access orders:read orders:write slash:read spring:read shared signet:admin signet:decide"

[[clients]]
client_id = "default"
client_secret = "default-secret-that-is-long-enough-for-anyone"
redirect_uris = ["https://default.example.test/callback"]
grant_types = ["authorization_code", "client_credentials"]
scope = "openid orders:read slash:read"
default_resource = "https://slash.example.test"

# A resource server that introspects by its own name, in the other spelling.
[[clients]]
client_id = "https://slash.example.test"
client_secret = "slash-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
scope = ""
"#;

const ALL: Client = Client {
    id: "all",
    redirect_uri: "https://all.example.test/callback",
    authentication: Authentication::Basic("all-secret-that-is-long-enough-for-anyone"),
};
const DEFAULT: Client = Client {
    id: "default",
    redirect_uri: "https://default.example.test/callback",
    authentication: Authentication::Basic("default-secret-that-is-long-enough-for-anyone"),
};
const SLASH_ITSELF: Client = Client {
    id: "https://slash.example.test",
    redirect_uri: "",
    authentication: Authentication::Basic("slash-secret-that-is-long-enough-for-anyone"),
};

/// `aud` and `scope` of an access token, whose scope the answer tells too.
fn targeted(answer: &Answer) -> (Vec<String>, String) {
    let claims = Jwt::decode(&answer.text("access_token")).claims;
    assert_eq!(claims["scope"], answer.text("scope").as_str());
    let aud = match &claims["aud"] {
        Value::String(one) => vec![one.clone()],
        many => serde_json::from_value(many.clone()).unwrap(),
    };
    (aud, answer.text("scope"))
}

async fn for_itself(server: &Server, client: &Client, scope: &str, resources: &[&str]) -> Answer {
    let mut form = vec![("grant_type", "client_credentials"), ("scope", scope)];
    form.extend(resources.iter().map(|resource| ("resource", *resource)));
    server.token(client, &form).await
}

async fn for_alice(server: &Server, client: &Client, scope: &str, resources: &[&str]) -> Answer {
    let request = asking(client, scope, resources);
    let browser = Browser::new(server);
    server
        .signed_in_with(&browser, client, request)
        .await
        .tokens
}

fn asking(client: &Client, scope: &str, resources: &[&str]) -> Authorization {
    let request = Authorization::of(client, scope);
    let resources = resources.iter();
    resources.fold(request, |request, resource| {
        request.repeating("resource", resource)
    })
}

/// What `/authorize` answers without asking anything.
async fn silently(browser: &Browser, server: &Server, request: Authorization) -> Option<String> {
    let request = request.with("prompt", "none");
    parameter(&browser.open(&request.url(server)).await.left_to(), "error")
}

on_every_engine! {
    async fn the_audience_of_a_client_is_decided_in_order_rfc9068_3(server: Server) {
        server.apply(DOCUMENT);
        let issuer = server.issuer().to_owned();
        for (client, scope, resources, aud, left) in [
            (&ALL, "orders:read", &[][..], vec![ORDERS], "orders:read"),
            (&ALL, "slash:read shared", &[], vec![SLASH], "shared slash:read"),
            (&ALL, "orders:read slash:read", &[], vec![issuer.as_str()], "orders:read slash:read"),
            (&ALL, "orders:read slash:read", &["https://slash.example.test"], vec![SLASH], "slash:read"),
            (&ALL, "orders:read slash:read", &["https://api.example.test/"], vec![ORDERS], "orders:read"),
            (&ALL, "orders:read slash:read", &[ORDERS, SLASH], vec![ORDERS, SLASH], "orders:read slash:read"),
            (&ALL, "orders:read signet:admin", &[ORDERS, issuer.as_str()], vec![ORDERS, &issuer], "orders:read"),
            (&ALL, "orders:read signet:admin", &[issuer.as_str()], vec![issuer.as_str()], "signet:admin"),
            (&ALL, "signet:decide", &[], vec![issuer.as_str()], "signet:decide"),
            (&DEFAULT, "slash:read", &[], vec![SLASH], "slash:read"),
            (&DEFAULT, "orders:read slash:read", &[], vec![SLASH], "slash:read"),
            (&DEFAULT, "orders:read", &[ORDERS], vec![ORDERS], "orders:read"),
        ] {
            let answer = for_itself(&server, client, scope, resources).await.succeeded();
            let aud: Vec<String> = aud.into_iter().map(str::to_owned).collect();
            assert_eq!(targeted(&answer), (aud, left.to_owned()), "{scope} {resources:?}");
        }
        for scope in ["shared", "shared orders:read slash:read"] {
            let refused = for_itself(&server, &ALL, scope, &[]).await.failed(400, "invalid_target");
            let said = refused.text("error_description");
            assert!(said.contains("shared") && said.contains("resource") && said.contains(SPRING), "{said}");
        }
        for (client, scope, resource) in [(&ALL, "orders:read", SLASH), (&ALL, "signet:admin", ORDERS)] {
            let refused = for_itself(&server, client, scope, &[resource]).await.failed(400, "invalid_scope");
            assert!(refused.text("error_description").contains("resource"), "{refused:?}");
        }
        for_itself(&server, &ALL, "orders:read", &["https://api.example.test/v1/"]).await.failed(400, "invalid_target");
    }

    async fn the_audience_of_a_person_is_decided_in_order_and_keeps_userinfo_rfc9068_3(server: Server) {
        server.apply(DOCUMENT);
        let issuer = server.issuer().to_owned();
        for (client, scope, resources, aud, left) in [
            (&ALL, "openid email", &[][..], vec![issuer.as_str()], "email openid"),
            (&ALL, "openid email orders:read", &[], vec![ORDERS, &issuer], "email openid orders:read"),
            (&ALL, "orders:read", &[], vec![ORDERS], "orders:read"),
            (&ALL, "openid orders:read slash:read signet:admin", &["https://slash.example.test"], vec![SLASH, &issuer], "openid slash:read"),
            (&DEFAULT, "openid orders:read slash:read", &[], vec![SLASH, &issuer], "openid slash:read"),
        ] {
            let answer = for_alice(&server, client, scope, resources).await;
            let aud: Vec<String> = aud.into_iter().map(str::to_owned).collect();
            assert_eq!(targeted(&answer), (aud, left.to_owned()), "{scope} {resources:?}");
            let userinfo = server.userinfo(&answer.text("access_token")).await;
            assert_eq!(userinfo.status == 200, scope.contains("openid"), "{scope}");
            if let Some(refresh_token) = answer.json().get("refresh_token") {
                let refreshed = server.refresh(client, refresh_token.as_str().unwrap()).await.succeeded();
                assert_eq!(targeted(&refreshed), targeted(&answer), "{scope} {resources:?}");
            }
        }
        let page = Browser::new(&server).open(&asking(&ALL, "openid shared", &[]).url(&server)).await;
        let refused = page.left_to();
        assert_eq!(parameter(&refused, "error").as_deref(), Some("invalid_target"));
        assert!(parameter(&refused, "error_description").unwrap().contains(SPRING));
    }

    async fn consent_for_one_api_never_becomes_a_token_for_another_rfc8707_3(server: Server) {
        server.apply(DOCUMENT);
        let browser = Browser::new(&server);
        let code = async |request: &Authorization| {
            let callback = browser.sign_in_and_authorize(&request.url(&server), ALICE).await;
            parameter(&callback, "code").unwrap()
        };
        // Allowed without resource, it is for the default audience; the token endpoint gives no other.
        let request = asking(&ALL, "openid orders:read slash:read", &[]);
        let redeemed = code(&request).await;
        for other in [ORDERS, SLASH] {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", &redeemed),
                ("redirect_uri", ALL.redirect_uri),
                ("code_verifier", &request.verifier),
                ("resource", other),
            ];
            let refused = server.token(&ALL, &form).await.failed(400, "invalid_target");
            assert!(refused.text("error_description").contains("/authorize"), "{refused:?}");
        }
        let tokens = server.redeem(&ALL, &request, &redeemed).await.succeeded();
        assert_eq!(targeted(&tokens).0, [server.issuer()]);
        let refresh = tokens.text("refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("resource", ORDERS)];
        server.token(&ALL, &form).await.failed(400, "invalid_target");

        // Nor is it asked silently for one.
        let required = Some("consent_required".to_owned());
        assert_eq!(silently(&browser, &server, asking(&ALL, "openid orders:read slash:read", &[])).await, None);
        assert_eq!(silently(&browser, &server, asking(&ALL, "openid orders:read", &[])).await, required);
        assert_eq!(silently(&browser, &server, asking(&ALL, "openid orders:read", &[ORDERS])).await, required);
        assert_eq!(silently(&browser, &server, asking(&ALL, "openid", &[])).await, None);

        // What was allowed of one resource server is not allowed of another that has a scope of that name.
        code(&asking(&ALL, "shared slash:read", &[SLASH])).await;
        code(&asking(&ALL, "spring:read", &[SPRING])).await;
        assert_eq!(silently(&browser, &server, asking(&ALL, "shared", &["https://slash.example.test"])).await, None);
        assert_eq!(silently(&browser, &server, asking(&ALL, "openid slash:read", &[])).await, None);
        assert_eq!(silently(&browser, &server, asking(&ALL, "spring:read", &[SPRING])).await, None);
        assert_eq!(silently(&browser, &server, asking(&ALL, "shared", &[SPRING])).await, required);
    }

    async fn the_consent_page_names_the_resource_servers(server: Server) {
        server.apply(DOCUMENT);
        let browser = Browser::new(&server);
        let page = browser.open(&asking(&ALL, "openid slash:read", &[]).url(&server)).await;
        let page = browser.submit(&page, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        let named = page.text_of("[data-resource=\"https://slash.example.test/\"]");
        assert!(named.contains("Slash & sons") && named.contains(SLASH), "{named}");
        let page = browser.open(&asking(&ALL, "spring:read", &[]).url(&server)).await;
        assert!(page.text_of("[data-resource]").contains(SPRING));
    }

    async fn a_token_beside_another_audience_neither_administrates_nor_decides(server: Server) {
        server.apply(DOCUMENT);
        let issuer = server.issuer().to_owned();
        for resources in [&[ORDERS][..], &[ORDERS, issuer.as_str()]] {
            let answer = for_itself(&server, &ALL, "orders:read signet:admin signet:decide", resources).await.succeeded();
            assert_eq!(targeted(&answer).1, "orders:read");
            let users = server.http().get(server.url("/v1/users")).bearer_auth(answer.text("access_token"));
            assert!([401, 403].contains(&users.send().await.unwrap().status().as_u16()));
        }
        let metadata = Answer::to(server.http().get(server.url("/.well-known/openid-configuration"))).await.json();
        let scopes: Vec<String> = serde_json::from_value(metadata["scopes_supported"].clone()).unwrap();
        assert!(scopes.iter().any(|scope| scope == "orders:read"), "{scopes:?}");
        assert!(!scopes.iter().any(|scope| scope.starts_with("signet:")), "{scopes:?}");
        // A client that asks for all there is gets what it may have.
        let all = for_alice(&server, &WEB, &scopes.join(" "), &[]).await;
        assert_eq!(targeted(&all).0, [ORDERS, &issuer]);
    }

    async fn an_origin_is_one_identifier_wherever_it_is_compared_rfc3986_6_2_3(server: Server) {
        server.apply(DOCUMENT);
        let token = for_itself(&server, &ALL, "slash:read", &[]).await.succeeded().text("access_token");
        let seen = Answer::to(server.post("/introspect", &SLASH_ITSELF, &[("token", &token)])).await;
        assert_eq!(seen.json()["active"], json!(true), "{seen:?}");

        // Two registrations are refused: in one document, and beside the one that is there.
        let both = "[[resources]]\nidentifier = \"https://new.example.test\"\n[[resources]]\nidentifier = \"https://new.example.test/\"\n";
        for document in [both, "[[resources]]\nidentifier = \"https://slash.example.test\"\nscopes = [\"slash:read\"]\n"] {
            let file = server.directory().join("refused.toml");
            std::fs::write(&file, document).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains("3986"), "{said}");
        }
        let form = [("grant_type", "client_credentials"), ("scope", "signet:admin")];
        let admin = server.token(&ALL, &form).await.succeeded().text("access_token");
        let http = server.http();
        let new = json!({ "identifier": "https://slash.example.test", "scopes": [] });
        let refused = Answer::to(http.post(server.url("/v1/resources")).bearer_auth(&admin).json(&new)).await;
        assert_eq!(refused.status, 409, "{refused:?}");

        // The API finds it in either spelling, and it keeps the registered one.
        let one = server.url("/v1/resources/https%3A%2F%2Fslash.example.test");
        let read = Answer::to(http.get(&one).bearer_auth(&admin)).await;
        assert_eq!((read.status, read.text("identifier").as_str()), (200, SLASH));
        let patch = http.patch(&one).bearer_auth(&admin).header("content-type", "application/merge-patch+json");
        let patched = Answer::to(patch.body("{\"name\":\"Other\"}")).await;
        assert_eq!((patched.status, patched.text("identifier").as_str()), (200, SLASH), "{patched:?}");
        let listed = Answer::to(http.get(server.url("/v1/resources")).bearer_auth(&admin)).await.json();
        let begins = |it: &&Value| it["identifier"].as_str().unwrap().starts_with("https://slash");
        assert_eq!(listed["data"].as_array().unwrap().iter().filter(begins).count(), 1, "{listed}");
        let gone = http.delete(&one).bearer_auth(&admin).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        let gone = http.get(server.url("/v1/resources/https%3A%2F%2Fslash.example.test%2F")).bearer_auth(&admin).send().await.unwrap();
        assert_eq!(gone.status(), 404);
    }

    async fn tokens_have_the_typ_and_alg_that_the_resource_server_wants(server: Server) {
        server.apply(DOCUMENT);
        let token = for_itself(&server, &ALL, "spring:read", &[]).await.succeeded().text("access_token");
        let header = server.verified(&token).await.header;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("RS256")));
        server.assert_active(&token).await;
        let token = for_itself(&server, &ALL, "orders:read", &[]).await.succeeded().text("access_token");
        let header = server.verified(&token).await.header;
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));

        let refused = for_itself(&server, &ALL, "orders:read spring:read", &[ORDERS, SPRING]).await;
        let said = refused.failed(400, "invalid_target").text("error_description");
        assert!(said.contains("access_token_typ") && said.contains("one token for each"), "{said}");
        let page = Browser::new(&server).open(&asking(&ALL, "openid", &[ORDERS, SPRING]).url(&server)).await;
        assert_eq!(parameter(&page.left_to(), "error").as_deref(), Some("invalid_target"));

        // The settings change after a grant was given for both: nothing is used up, and each gets its own.
        let answer = for_alice(&server, &ALL, "offline_access orders:read slash:read", &[ORDERS, SLASH]).await;
        server.apply("[[resources]]\nidentifier = \"https://api.example.test\"\nscopes = [\"orders:read\"]\naccess_token_typ = \"JWT\"\n");
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let refresh = answer.text("refresh_token");
        server.refresh(&ALL, &refresh).await.failed(400, "invalid_target");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("resource", ORDERS)];
        let one = server.token(&ALL, &form).await.succeeded();
        assert_eq!(targeted(&one), (vec![ORDERS.to_owned()], "offline_access orders:read".to_owned()));
        assert_eq!(Jwt::decode(&one.text("access_token")).header["typ"], "JWT");
    }

    async fn a_client_named_like_a_resource_server_of_typ_jwt_is_refused(server: Server) {
        server.apply(DOCUMENT);
        let apply = |document: &str| {
            let file = server.directory().join("refused.toml");
            std::fs::write(&file, document).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let client = |id: &str| format!("[[clients]]\nclient_id = \"{id}\"\ngrant_types = [\"client_credentials\"]\n");
        let jwt = |id: &str| format!("[[resources]]\nidentifier = \"{id}\"\naccess_token_typ = \"JWT\"\n");
        for document in [
            client(SPRING),
            client("https://spring.example.test/"),
            jwt("https://slash.example.test/"),
            format!("{}{}", jwt("https://both.example.test"), client("https://both.example.test/")),
        ] {
            let (done, said) = apply(&document);
            assert!(!done && said.contains("ID token"), "{document}: {said}");
        }
        let form = [("grant_type", "client_credentials"), ("scope", "signet:admin")];
        let admin = server.token(&ALL, &form).await.succeeded().text("access_token");
        let http = server.http();
        let body = json!({ "client_id": SPRING, "grant_types": ["client_credentials"] });
        let refused = Answer::to(http.post(server.url("/v1/clients")).bearer_auth(&admin).json(&body)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let patch = http.patch(server.url("/v1/resources/https%3A%2F%2Fslash.example.test%2F")).bearer_auth(&admin);
        let patch = patch.header("content-type", "application/merge-patch+json");
        let refused = Answer::to(patch.body("{\"access_token_typ\":\"JWT\"}")).await;
        assert_eq!(refused.status, 422, "{refused:?}");
    }

    async fn an_access_token_of_typ_jwt_is_no_id_token_and_the_other_way_round_rfc8725_3_12(server: Server) {
        server.apply(DOCUMENT);
        let tokens = for_alice(&server, &ALL, "openid spring:read", &[]).await;
        let (access, id) = (tokens.text("access_token"), tokens.text("id_token"));
        let (access_claims, id_claims) = (Jwt::decode(&access), Jwt::decode(&id));
        assert_eq!((&access_claims.header["typ"], &id_claims.header["typ"]), (&json!("JWT"), &json!("JWT")));
        // What tells them apart: whom they are for, and what each alone says.
        assert_eq!(access_claims.claims["aud"], json!([SPRING, server.issuer()]));
        assert_eq!(id_claims.claims["aud"], "all");
        for claim in ["nonce", "at_hash"] {
            assert!(access_claims.claims.get(claim).is_none() && id_claims.claims.get(claim).is_some(), "{claim}");
        }
        for claim in ["client_id", "scope", "jti"] {
            assert!(access_claims.claims.get(claim).is_some() && id_claims.claims.get(claim).is_none(), "{claim}");
        }
        assert_eq!(server.userinfo(&access).await.status, 200);
        server.userinfo(&id).await.failed(401, "invalid_token");
        server.assert_active(&access).await;
        server.assert_inactive(&id).await;
        let users = server.http().get(server.url("/v1/users")).bearer_auth(&id);
        assert_eq!(users.send().await.unwrap().status(), 401);

        let browser = Browser::new(&server);
        for (hint, accepted) in [(&access, false), (&id, true)] {
            let request = asking(&ALL, "openid", &[]).with("prompt", "none").with("id_token_hint", hint);
            let error = parameter(&browser.open(&request.url(&server)).await.left_to(), "error");
            assert_eq!(error.as_deref() == Some("login_required"), accepted, "{error:?}");
            let page = browser.get(&server.url(&format!("/logout?id_token_hint={hint}"))).await;
            assert_eq!(page.status != 400, accepted, "{page:?}");
        }
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &access),
        ];
        let answer = Answer::to(server.http().post(server.url("/token")).form(&form)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }

    async fn a_machine_without_resource_gets_what_the_only_owner_takes(server: Server) {
        let answer = server.token(&MACHINE, &[("grant_type", "client_credentials")]).await.succeeded();
        assert_eq!(targeted(&answer), (vec![ORDERS.to_owned()], "orders:read orders:write".to_owned()));
    }
}
