//! What Signet issues it takes back: no endpoint has a limit that is smaller than what another one makes.

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authentication, Authorization, Client, SignedIn, parameter};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const BIG: Client = Client {
    id: "big",
    redirect_uri: "https://big.example.test/callback",
    authentication: Authentication::Basic("big-secret-that-is-long-enough-for-anyone"),
};

const BYE: &str = "https://big.example.test/bye";

const LARGE: (&str, &str) = ("large", "correct horse battery staple");

/// A client whose tokens carry as much as tokens carry, and a person with much to say of.
fn apply(server: &Server, name: &str) {
    // Just below what chosen claims may have together.
    let team = "t".repeat(4000);
    server.apply(&format!(
        r#"
        [[clients]]
        client_id = "big"
        client_secret = "big-secret-that-is-long-enough-for-anyone"
        redirect_uris = ["https://big.example.test/callback"]
        post_logout_redirect_uris = ["{BYE}"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "openid profile email offline_access"
        id_token_claims = ["attributes.team"]
        access_token_claims = ["attributes.team"]
        first_party = true

        [[users]]
        username = "large"
        password = "correct horse battery staple"
        name = "{name}"
        attributes = {{ team = "{team}" }}
        "#
    ));
}

/// A request whose every parameter is as long as it may be; a quotation mark is two bytes in JSON and three in a query.
fn longest() -> Authorization {
    let text = "\"".repeat(4000);
    Authorization::of(&BIG, "openid profile")
        .with("nonce", &text)
        .with("state", &text)
        .with("ui_locales", &"\"".repeat(3000))
}

on_every_engine! {
    async fn the_longest_id_token_is_a_hint_everywhere(server: Server) {
        apply(&server, "Large");
        let browser = Browser::new(&server);
        let signed_in = sign_in(&server, &browser, longest()).await;
        let hint = signed_in.id_token();
        assert!(hint.len() > 15_000, "{}", hint.len());

        // Asked silently and with the sign-in page between, by GET and by POST.
        let short = Authorization::of(&BIG, "openid").with("id_token_hint", &hint);
        let to = browser.open(&short.clone().with("prompt", "none").url(&server)).await.left_to();
        assert!(parameter(&to, "code").is_some(), "{to}");
        for request in [short, longest().with("id_token_hint", &hint)] {
            let request = request.with("prompt", "login");
            let to = again(&browser, browser.open(&request.url(&server)).await).await;
            assert!(parameter(&to, "code").is_some(), "{to}");
            let page = browser.open("/account").await;
            let posted = browser.post(&server.url("/authorize").parse().unwrap(), &page, request.parameters()).await;
            let next = posted.location().unwrap_or_else(|| panic!("{posted:?}"));
            let to = again(&browser, browser.open(next.as_str()).await).await;
            assert!(parameter(&to, "code").is_some(), "{to}");
        }

        // One that is about another person is still read.
        let stranger = Browser::new(&server);
        let request = Authorization::of(&BIG, "openid").with("id_token_hint", &hint).with("prompt", "none");
        let to = stranger.open(&request.url(&server)).await.left_to();
        assert_eq!(parameter(&to, "error").as_deref(), Some("login_required"));

        let parameters = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
        let form = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let page = browser.open("/account").await;
        let posted = browser.post(&server.url("/logout").parse().unwrap(), &page, &form).await;
        let to = browser.get(posted.location().unwrap_or_else(|| panic!("{posted:?}")).as_str()).await.left_to();
        assert_eq!(to.as_str(), BYE);
        let signed_in = sign_in(&server, &browser, longest()).await;
        let url = url::Url::parse_with_params(&server.url("/logout"), [("id_token_hint", signed_in.id_token())]).unwrap();
        let answer = Answer::to(server.http().get(url)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        server.assert_inactive(&signed_in.access_token()).await;
    }

    async fn the_longest_access_token_is_taken_everywhere(server: Server) {
        apply(&server, "Large");
        let request = longest().with("scope", "openid profile offline_access");
        let signed_in = sign_in(&server, &Browser::new(&server), request).await;
        let token = signed_in.access_token();
        assert!(token.len() > 5_000, "{}", token.len());
        server.assert_active(&token).await;
        assert_eq!(server.userinfo(&token).await.status, 200);
        let form = Answer::to(server.http().post(server.url("/userinfo")).form(&[("access_token", &token)])).await;
        assert_eq!(form.status, 200, "{form:?}");
        assert_eq!(server.revoke(&BIG, &token).await.status, 200);
        server.assert_inactive(&token).await;
        let refreshed = server.refresh(&BIG, &signed_in.refresh_token()).await.succeeded();
        server.assert_active(&refreshed.text("access_token")).await;
    }

    async fn claims_that_would_make_an_id_token_too_long_are_left_to_userinfo(server: Server) {
        let name = "n".repeat(40_000);
        apply(&server, &name);
        let browser = Browser::new(&server);
        let request = Authorization::of(&BIG, "openid profile").with("claims", r#"{"id_token":{"name":null}}"#);
        let signed_in = sign_in(&server, &browser, request).await;
        let claims = server.verified(&signed_in.id_token()).await.claims;
        assert!(claims.get("name").is_none(), "{claims}");
        assert_eq!(server.userinfo(&signed_in.access_token()).await.json()["name"], name.as_str());
        let request = Authorization::of(&BIG, "openid").with("id_token_hint", &signed_in.id_token()).with("prompt", "none");
        let to = browser.open(&request.url(&server)).await.left_to();
        assert!(parameter(&to, "code").is_some(), "{to}");
    }
}

async fn sign_in(server: &Server, browser: &Browser, request: Authorization) -> SignedIn {
    let to = browser
        .sign_in_and_authorize(&request.url(server), LARGE)
        .await;
    let code = parameter(&to, "code").unwrap_or_else(|| panic!("no code in {to}"));
    let tokens = server.redeem(&BIG, &request, &code).await.succeeded();
    SignedIn {
        authorization: request,
        code,
        tokens,
    }
}

/// The same person signs in once more.
async fn again(browser: &Browser, page: crate::support::browser::Page) -> url::Url {
    let fields = [("username", LARGE.0), ("password", LARGE.1)];
    browser
        .submit(&page, "login-submit", &fields)
        .await
        .left_to()
}
