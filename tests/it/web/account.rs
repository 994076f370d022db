//! `/account`: what a person allowed, and taking it back.

use crate::support::browser::Browser;
use crate::support::client::{Authorization, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::ALICE;

on_every_engine! {
    async fn removing_an_app_ends_its_tokens_and_it_has_to_ask_again(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&WEB, "openid offline_access");
        let tokens = server.signed_in_with(&browser, &WEB, request.clone()).await;
        server.assert_active(&tokens.access_token()).await;

        let account = browser.open(&server.url("/account")).await;
        let account = browser.submit(&account, "account-remove-1", &[]).await;
        assert!(!account.has("account-remove-1"), "{account:?}");
        server.assert_inactive(&tokens.access_token()).await;
        server.refresh(&WEB, &tokens.refresh_token()).await.failed(400, "invalid_grant");

        let page = browser.open(&request.url(&server)).await;
        assert!(page.has("consent-allow"), "{page:?}");
    }

    async fn signing_in_to_the_account_leads_back_to_it(server: Server) {
        let browser = Browser::new(&server);
        let login = browser.open(&server.url("/account")).await;
        assert!(login.has("login-submit") && !login.has("login-cancel"), "{login:?}");
        // A wrong password does not lose the way.
        let again = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", "wrong")]).await;
        let account = browser.submit(&again, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        assert_eq!((account.url.path(), account.url.query()), ("/account", None));
        assert!(account.text_of("main").contains(ALICE.0), "{account:?}");
    }

    async fn a_form_of_the_version_before_without_flow_leads_to_the_account(server: Server) {
        let browser = Browser::new(&server);
        let login = browser.open(&server.url("/login")).await;
        let mut form = login.form("login-submit");
        form.values.retain(|(name, _)| name != "flow" && name != "username" && name != "password");
        for (name, value) in [("username", ALICE.0), ("password", ALICE.1)] {
            form.values.push((name.to_owned(), value.to_owned()));
        }
        let answer = browser.post(&form.action, &login, &form.values).await;
        assert_eq!(answer.location().expect("signed in").path(), "/account");
    }

    async fn access_taken_back_before_the_code_was_made_is_asked_for_again(server: Server) {
        let browser = Browser::new(&server);
        let request = Authorization::of(&WEB, "openid");
        let login = browser.open(&request.url(&server)).await;
        let consent = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        let allowed = browser.submit_once(&consent, "consent-allow", &[]).await;
        let on = allowed.location().unwrap();
        assert_eq!(on.path(), "/authorize");

        // In another tab.
        let account = browser.open(&server.url("/account")).await;
        browser.submit(&account, "account-remove-1", &[]).await;

        let page = browser.open(on.as_str()).await;
        assert!(page.has("consent-allow"), "{page:?}");
        let callback = browser.submit(&page, "consent-allow", &[]).await.left_to();
        assert!(callback.as_str().contains("code="), "{callback}");
    }
}
