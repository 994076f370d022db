//! `/authorize`: prompts, errors, response modes, what the client gets back.

use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::client::{
    Authentication, Authorization, Client, LEGACY, NATIVE, OWN, SPA, WEB, parameter,
};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, BOB, Server};

on_every_engine! {
    async fn the_response_carries_code_state_and_iss_rfc6749_4_1_2_rfc9207(server: Server) {
        let state: String = "ÿ~%+&= \"".chars().chain("x".repeat(119).chars()).collect();
        let request = Authorization::of(&WEB, "openid").with("state", &state);
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        assert!(callback.as_str().starts_with(WEB.redirect_uri));
        assert_eq!(parameter(&callback, "state"), Some(state));
        assert_eq!(parameter(&callback, "iss").as_deref(), Some(server.issuer()));
        let code = parameter(&callback, "code").unwrap();
        assert!(code.len() >= 43, "at least 128 visibly random bits: {code}");
        assert_eq!(callback.fragment(), None);
        assert_eq!(callback.query_pairs().count(), 3, "{callback}");
    }

    async fn a_registered_query_is_kept_rfc6749_3_1_2(server: Server) {
        let request = Authorization::of(&WEB, "openid").with("redirect_uri", "https://web.example.test/other?kept=1");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        assert_eq!(parameter(&callback, "kept").as_deref(), Some("1"));
        assert!(parameter(&callback, "code").is_some());
    }

    async fn post_works_like_get_oidc_core_3_1_2_1(server: Server) {
        let request = Authorization::of(&WEB, "openid");
        let answer = server.http().post(server.url("/authorize")).form(request.parameters()).send().await.unwrap();
        assert_eq!(answer.status(), 303, "a post is followed by a get (RFC 9700 §4.12)");
        // Sealed, and without a cookie: browsers bring none along with another site's form.
        let on = answer.headers()["location"].to_str().unwrap();
        assert!(on.starts_with("/authorize?flow="), "{on}");
        let callback = Browser::new(&server).sign_in_and_authorize(&server.url(on), ALICE).await;
        assert!(parameter(&callback, "code").is_some(), "{callback}");
    }

    async fn a_native_client_may_choose_its_port_rfc8252_7_3(server: Server) {
        let request = Authorization::of(&NATIVE, "openid").with("redirect_uri", "http://127.0.0.1:51004/callback");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        assert_eq!(callback.port(), Some(51004));
        assert!(parameter(&callback, "code").is_some());
    }

    async fn prompt_none_without_a_session_is_login_required_oidc_core_3_1_2_6(server: Server) {
        let request = Authorization::of(&WEB, "openid").with("prompt", "none");
        let callback = error(&server, &request, "login_required").await;
        let allowed = ["error", "error_description", "error_uri", "state", "iss"];
        assert!(callback.query_pairs().all(|(name, _)| allowed.contains(&&*name)), "{callback}");
    }

    async fn consent_is_remembered_and_silent_sso_keeps_auth_time(server: Server) {
        let browser = Browser::new(&server);
        let first = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid profile")).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let silent = Authorization::of(&WEB, "openid profile").with("prompt", "none").with("max_age", "15000");
        let second = server.signed_in_with(&browser, &WEB, silent).await;
        let (first, second) = (Jwt::decode(&first.id_token()).claims, Jwt::decode(&second.id_token()).claims);
        assert_eq!(first["sub"], second["sub"]);
        assert_eq!(first["sid"], second["sid"]);
        assert!(second["auth_time"].is_i64(), "max_age was given (OIDC Core §2): {second}");
        assert_eq!(first["auth_time"], second["auth_time"]);
    }

    async fn consent_is_not_widened_silently_oidc_core_3_1_2_4(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let wider = Authorization::of(&WEB, "openid email").with("prompt", "none");
        let callback = browser.open(&wider.url(&server)).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("consent_required"));
    }

    async fn claims_are_asked_for_like_scopes_oidc_core_5_5(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let claims = r#"{"userinfo":{"email":null},"id_token":{"email":{"essential":true}}}"#;
        let asking = Authorization::of(&WEB, "openid").with("claims", claims);
        let silent = browser.open(&asking.clone().with("prompt", "none").url(&server)).await.left_to();
        assert_eq!(parameter(&silent, "error").as_deref(), Some("consent_required"));
        let page = browser.open(&asking.url(&server)).await;
        assert!(page.has("consent-allow") && page.body.contains("email address"), "{}", page.body);
    }

    async fn a_nul_in_claims_harms_nobody(server: Server) {
        let browser = Browser::new(&server);
        let claims = r#"{"userinfo":{"x\u0000":null,"name":{"value":"\u0000"}}}"#;
        let request = Authorization::of(&WEB, "openid").with("claims", claims);
        let callback = browser.sign_in_and_authorize(&request.url(&server), ALICE).await;
        assert!(parameter(&callback, "code").is_some(), "{callback}");
    }

    async fn an_answer_counts_for_whom_the_page_showed(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&WEB, "openid email");
        let page = browser.open(&request.url(&server)).await;
        let fields = [("username", ALICE.0), ("password", ALICE.1)];
        let shown_to_alice = browser.submit(&page, "login-submit", &fields).await;
        assert!(shown_to_alice.has("consent-allow"), "{}", shown_to_alice.body);
        // In another tab, somebody else signs in.
        let other = browser.open(&Authorization::of(&WEB, "openid").with("prompt", "login").url(&server)).await;
        browser.submit(&other, "login-submit", &[("username", BOB.0), ("password", BOB.1)]).await;
        let again = browser.submit(&shown_to_alice, "consent-allow", &[]).await;
        assert!(again.has("consent-allow") && again.body.contains(BOB.0), "asked anew, as bob: {}", again.body);
    }

    async fn a_first_party_client_asks_for_no_consent(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&OWN, "openid profile");
        let page = browser.open(&request.url(&server)).await;
        let fields = [("username", ALICE.0), ("password", ALICE.1)];
        let callback = browser.submit(&page, "login-submit", &fields).await.left_to();
        assert!(parameter(&callback, "code").is_some(), "{callback}");
    }

    async fn prompt_consent_asks_again_and_a_denial_is_access_denied_rfc6749_4_1_2_1(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let request = Authorization::of(&WEB, "openid").with("prompt", "consent");
        let page = browser.open(&request.url(&server)).await;
        assert!(page.has("consent-allow") && page.body.contains("Web shop"), "{}", page.body);
        let callback = browser.submit(&page, "consent-deny", &[]).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&callback, "state"), Some(request.state));
        assert_eq!(parameter(&callback, "iss").as_deref(), Some(server.issuer()));
        assert_eq!(parameter(&callback, "code"), None);
    }

    async fn cancel_on_the_login_page_is_access_denied(server: Server) {
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let callback = browser.submit(&page, "login-cancel", &[]).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
    }

    async fn prompt_login_and_max_age_sign_in_again_without_a_loop_oidc_core_3_1_2_1(server: Server) {
        let browser = Browser::new(&server);
        let first = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let mut last = Jwt::decode(&first.id_token()).claims["auth_time"].as_i64().expect("auth_time");
        for (name, value) in [("prompt", "login"), ("max_age", "1")] {
            tokio::time::sleep(Duration::from_millis(2100)).await;
            let request = Authorization::of(&WEB, "openid").with(name, value);
            let page = browser.open(&request.url(&server)).await;
            assert!(page.has("login-submit"), "{name}={value} shows the login page: {page:?}");
            let again = server.signed_in_with(&browser, &WEB, request).await;
            let auth_time = Jwt::decode(&again.id_token()).claims["auth_time"].as_i64().expect("auth_time");
            assert!(auth_time > last, "{auth_time} after {last}");
            last = auth_time;
        }
    }

    async fn max_age_zero_signs_in_again(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let request = Authorization::of(&WEB, "openid").with("max_age", "0");
        assert!(browser.open(&request.url(&server)).await.has("login-submit"));
        server.signed_in_with(&browser, &WEB, request).await;
    }

    async fn id_token_hint_of_the_same_person_succeeds_of_another_is_login_required(server: Server) {
        let (browser, other) = (Browser::new(&server), Browser::new(&server));
        let alice = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let request = Authorization::of(&WEB, "openid");
        let callback = other.sign_in_and_authorize(&request.url(&server), BOB).await;
        let bob = server.redeem(&WEB, &request, &parameter(&callback, "code").unwrap()).await.succeeded();

        let silent = Authorization::of(&WEB, "openid").with("prompt", "none");
        let same = browser.open(&silent.clone().with("id_token_hint", &alice.id_token()).url(&server)).await.left_to();
        assert!(parameter(&same, "code").is_some(), "{same}");
        let foreign = silent.with("id_token_hint", &bob.text("id_token"));
        let foreign = browser.open(&foreign.url(&server)).await.left_to();
        assert_eq!(parameter(&foreign, "error").as_deref(), Some("login_required"));
    }

    async fn login_hint_prefills_and_unknown_parameters_do_no_harm(server: Server) {
        let request = Authorization::of(&WEB, "openid").with("login_hint", "alice@example.test");
        let request = request.with("ui_locales", "xx-YY de").with("claims_locales", "fr").with("display", "touch");
        let request = request.with("unheard_of", "1").with("acr_values", "urn:nobody:knows");
        let page = Browser::new(&server).open(&request.url(&server)).await;
        assert!(page.has("login-submit"), "{page:?}");
        assert_eq!(page.value_of("username"), "alice@example.test");
    }

    async fn an_essential_acr_that_cannot_be_reached_is_unmet_oidc_core_5_5_1_1(server: Server) {
        let acr = |wish: serde_json::Value| serde_json::json!({ "id_token": { "acr": wish } }).to_string();
        let unknown = acr(serde_json::json!({ "essential": true, "values": ["urn:nobody:knows"] }));
        let request = Authorization::of(&WEB, "openid").with("claims", &unknown);
        error(&server, &request, "unmet_authentication_requirements").await;
        error(&server, &request.with("prompt", "none"), "unmet_authentication_requirements").await;

        // Where one of the values can be reached, and where the client can do without, the sign-in goes on.
        let known = "urn:signet:acr:password";
        for wish in [
            serde_json::json!({ "essential": true, "values": ["urn:nobody:knows", known] }),
            serde_json::json!({ "essential": true, "value": known }),
            serde_json::json!({ "essential": true }),
            serde_json::json!({ "values": ["urn:nobody:knows"] }),
        ] {
            let request = Authorization::of(&WEB, "openid").with("claims", &acr(wish));
            let tokens = server.signed_in_with(&Browser::new(&server), &WEB, request).await;
            let claims = Jwt::decode(&tokens.id_token()).claims;
            assert_eq!((claims["acr"].as_str(), &claims["amr"]), (Some(known), &serde_json::json!(["pwd"])));
        }
    }

    async fn default_acr_values_are_a_voluntary_wish_oidc_registration_2(server: Server) {
        let (known, unknown) = ("urn:signet:acr:password", "urn:nobody:knows");
        for (defaults, said) in [
            // The request says nothing: the default counts, and the client can do without what cannot be reached.
            (vec![known], None),
            (vec![unknown], None),
            (vec![unknown, known], None),
            // What the request says goes before it.
            (vec![unknown], Some(("acr_values", known.to_owned()))),
            (vec![known], Some(("acr_values", unknown.to_owned()))),
            (vec![unknown], Some(("claims", essential_acr(known)))),
        ] {
            register_strict(&server, &defaults);
            let request = Authorization::of(&STRICT, "openid");
            let request = match &said {
                Some((name, value)) => request.with(name, value),
                None => request,
            };
            let tokens = server.signed_in_with(&Browser::new(&server), &STRICT, request).await;
            let claims = Jwt::decode(&tokens.id_token()).claims;
            assert_eq!(claims["acr"], known, "{defaults:?} {said:?}");
        }
        // An essential claim goes before a default that could be reached, too.
        register_strict(&server, &[known]);
        let request = Authorization::of(&STRICT, "openid").with("claims", &essential_acr(unknown));
        error(&server, &request, "unmet_authentication_requirements").await;
    }

    async fn form_post_sends_the_response_in_a_form_oauth_form_post_2(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let request = Authorization::of(&WEB, "openid").with("response_mode", "form_post");
        let page = browser.open(&request.url(&server)).await;
        assert_eq!(page.status, 200, "{page:?}");
        let form = page.form("form-post-continue");
        assert_eq!((form.action.as_str(), form.method.as_str()), (WEB.redirect_uri, "POST"));
        let value = |name: &str| form.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!(value("state").as_ref(), Some(&request.state));
        assert_eq!(value("iss").as_deref(), Some(server.issuer()));
        server.redeem(&WEB, &request, &value("code").unwrap()).await.succeeded();
    }

    async fn fragment_keeps_the_response_from_servers_oauth_multiple_response_types_2_1(server: Server) {
        let browser = Browser::new(&server);
        server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        for uri in [WEB.redirect_uri, "https://web.example.test/other?kept=1"] {
            let request = Authorization::of(&WEB, "openid").with("redirect_uri", uri).with("response_mode", "fragment");
            let read = |to: &url::Url| {
                let (before, fragment) = to.as_str().split_once('#').unwrap();
                assert_eq!(before, uri, "{to}");
                let pairs = url::form_urlencoded::parse(fragment.as_bytes()).into_owned();
                pairs.collect::<std::collections::BTreeMap<String, String>>()
            };
            let page = browser.open(&request.url(&server)).await;
            assert_eq!(page.status, 303, "{page:?}");
            let told = read(&page.left_to());
            assert_eq!((&told["state"], told["iss"].as_str()), (&request.state, server.issuer()));
            let form = [("grant_type", "authorization_code"), ("code", &told["code"]), ("code_verifier", &request.verifier)];
            server.token(&WEB, &form).await.succeeded();
            let refused = request.clone().with("prompt", "nonsense");
            let told = read(&browser.open(&refused.url(&server)).await.left_to());
            assert_eq!((told["error"].as_str(), &told["state"]), ("invalid_request", &request.state));
        }
        let metadata = server.http().get(server.url("/.well-known/openid-configuration")).send().await.unwrap();
        let metadata: serde_json::Value = metadata.json().await.unwrap();
        assert_eq!(metadata["response_modes_supported"], serde_json::json!(["query", "fragment", "form_post"]));
    }

    async fn pkce_is_required_unless_the_client_says_otherwise_rfc9700_2_1_1(server: Server) {
        for client in [WEB, SPA] {
            let request = Authorization::of(&client, "openid").without("code_challenge").without("code_challenge_method");
            error(&server, &request, "invalid_request").await;
        }
        let request = Authorization::of(&LEGACY, "openid").without("code_challenge").without("code_challenge_method");
        assert!(Browser::new(&server).open(&request.url(&server)).await.has("login-submit"));
    }

    async fn plain_and_malformed_challenges_are_invalid_request_rfc7636_4_4_1(server: Server) {
        let valid = Authorization::of(&SPA, "openid");
        error(&server, &valid.clone().with("code_challenge_method", "plain"), "invalid_request").await;
        // Without a method it is `plain`.
        error(&server, &valid.clone().without("code_challenge_method"), "invalid_request").await;
        for challenge in ["short", "", &"x".repeat(44), &format!("{}=", "x".repeat(43)), &"ü".repeat(43)] {
            error(&server, &valid.clone().with("code_challenge", challenge), "invalid_request").await;
        }
        error(&server, &valid.without("code_challenge"), "invalid_request").await;
    }

    async fn other_response_types_are_unsupported_and_answered_in_the_query_rfc9700_2_1_2(server: Server) {
        for response_type in ["token", "id_token", "code token", "code id_token", "nonsense"] {
            let request = Authorization::of(&WEB, "openid").with("response_type", response_type);
            error(&server, &request, "unsupported_response_type").await;
        }
        let request = Authorization::of(&WEB, "openid").without("response_type");
        let callback = Browser::new(&server).open(&request.url(&server)).await.left_to();
        let error = parameter(&callback, "error").expect("an error in the query");
        assert!(error == "invalid_request" || error == "unsupported_response_type", "{callback}");
    }

    async fn bad_values_are_invalid_request_and_name_the_parameter(server: Server) {
        for (name, value) in [
            ("prompt", "none login"),
            ("prompt", "nonsense"),
            ("max_age", "-1"),
            ("max_age", "soon"),
            ("response_mode", "fragment.jwt"),
            ("response_mode", "nonsense"),
            ("claims", "{not json"),
            ("id_token_hint", "not.a.token"),
        ] {
            let request = Authorization::of(&WEB, "openid").with(name, value);
            let callback = error(&server, &request, "invalid_request").await;
            let description = parameter(&callback, "error_description").unwrap_or_default();
            assert!(description.contains(name), "{name}={value}: {description}");
        }
    }

    async fn repeated_parameters_are_invalid_request_rfc6749_3_1(server: Server) {
        for name in ["scope", "state", "nonce", "response_type", "code_challenge", "prompt"] {
            let request = Authorization::of(&WEB, "openid").with("prompt", "login").repeating(name, "again");
            error(&server, &request, "invalid_request").await;
        }
    }

    async fn a_scope_the_client_may_not_have_is_never_granted_rfc6749_3_3(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&WEB, "openid orders:write");
        let page = browser.open(&request.url(&server)).await;
        if let Some(callback) = page.location() {
            assert_eq!(parameter(&callback, "error").as_deref(), Some("invalid_scope"));
        } else {
            let signed_in = server.signed_in_with(&browser, &WEB, request).await;
            assert_eq!(signed_in.tokens.text("scope"), "openid");
        }
    }

    async fn request_objects_are_refused_while_they_are_not_advertised_oidc_core_6(server: Server) {
        for (name, code) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
            let request = Authorization::of(&WEB, "openid").with(name, "https://client.example.test/r");
            error(&server, &request, code).await;
        }
    }
}

/// A client that each test registers as it needs it.
const STRICT: Client = Client {
    id: "strict",
    redirect_uri: "https://strict.example.test/callback",
    authentication: Authentication::None,
};

fn register_strict(server: &Server, default_acr_values: &[&str]) {
    server.apply(&format!(
        "[[clients]]\nclient_id = \"strict\"\nredirect_uris = [{:?}]\ngrant_types = [\"authorization_code\"]\n\
         token_endpoint_auth_method = \"none\"\nscope = \"openid\"\ndefault_acr_values = {default_acr_values:?}\n",
        STRICT.redirect_uri
    ));
}

fn essential_acr(value: &str) -> String {
    serde_json::json!({ "id_token": { "acr": { "essential": true, "value": value } } }).to_string()
}

/// The request is answered at the client's redirect_uri with this error, before anyone signs in.
async fn error(server: &Server, request: &Authorization, error: &str) -> url::Url {
    let page = Browser::new(server).open(&request.url(server)).await;
    let callback = page
        .location()
        .unwrap_or_else(|| panic!("no redirect for {}: {page:?}", request.url(server)));
    assert_eq!(
        parameter(&callback, "error").as_deref(),
        Some(error),
        "{callback}"
    );
    assert_eq!(
        parameter(&callback, "iss").as_deref(),
        Some(server.issuer()),
        "RFC 9207 §2: {callback}"
    );
    assert_eq!(parameter(&callback, "code"), None);
    if request
        .parameters()
        .iter()
        .filter(|(name, _)| name == "state")
        .count()
        == 1
    {
        assert_eq!(parameter(&callback, "state").as_ref(), Some(&request.state));
    }
    callback
}
