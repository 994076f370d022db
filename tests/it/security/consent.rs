//! A consent for one resource server is none for another (RFC 8707).

use crate::support::browser::Browser;
use crate::support::client::{Authorization, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::server::ALICE;

const ONE: &str = "https://one.example.test";
const OTHER: &str = "https://other.example.test";

/// Two resource servers with a scope of the same name, so that the scope alone tells no difference.
const DOCUMENT: &str = r#"
[[resources]]
identifier = "https://one.example.test"
scopes = ["files:read"]

[[resources]]
identifier = "https://other.example.test"
scopes = ["files:read"]

[[clients]]
client_id = "web"
client_secret = "web-secret-that-is-long-enough-for-anyone"
client_name = "Web shop"
redirect_uris = ["https://web.example.test/callback"]
grant_types = ["authorization_code", "refresh_token"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid offline_access files:read"
"#;

on_every_engine! {
    async fn consent_for_one_resource_server_is_none_for_another_rfc8707_2(server: Server) {
        server.apply(DOCUMENT);
        let browser = Browser::new(&server);
        let asking = |resources: &[&str]| {
            let request = Authorization::of(&WEB, "openid files:read");
            resources.iter().fold(request, |request, resource| request.repeating("resource", resource))
        };
        let silently = async |resources: &[&str]| {
            let request = asking(resources).with("prompt", "none");
            let callback = browser.open(&request.url(&server)).await.left_to();
            (parameter(&callback, "error"), parameter(&callback, "code").is_some())
        };
        let required = (Some("consent_required".to_owned()), false);
        browser.sign_in_and_authorize(&asking(&[ONE]).url(&server), ALICE).await;

        assert_eq!(silently(&[ONE]).await, (None, true));
        assert_eq!(silently(&[OTHER]).await, required);
        assert_eq!(silently(&[ONE, OTHER]).await, required);
        let page = browser.open(&asking(&[OTHER]).url(&server)).await;
        assert!(page.has("consent-allow"), "{page:?}");

        // Both are allowed once both were asked for.
        browser.submit(&page, "consent-allow", &[]).await.left_to();
        for resources in [&[ONE][..], &[OTHER], &[ONE, OTHER]] {
            assert_eq!(silently(resources).await, (None, true), "{resources:?}");
        }
    }
}
