//! A client that is made under the name of a deleted one inherits nothing.

use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::client::{Authorization, SignedIn, WEB, parameter};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, Server};

const SCOPE: &str = "openid offline_access orders:read";

/// What alice's sign-in at the first client left behind.
struct Inheritance {
    online: SignedIn,
    offline: SignedIn,
    unused: (Authorization, String),
}

on_every_engine! {
    async fn a_client_made_again_under_an_old_name_inherits_nothing(server: Server) {
        let browser = Browser::new(&server);
        let old = sign_in(&server, &browser).await;
        server.assert_active(&old.offline.access_token()).await;

        let file = server.directory().join("without.toml");
        std::fs::write(&file, document(false)).unwrap();
        server.signet_ok(&["apply", "-f", file.to_str().unwrap(), "--prune"]);
        dead(&server, &old).await;
        server.apply(&document(true));
        dead(&server, &old).await;
        // The tokens of the new one count from the next full second on; those of the old one never again.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        dead(&server, &old).await;

        // What alice allowed the old one she did not allow the new one.
        let silent = Authorization::of(&WEB, SCOPE).with("prompt", "none");
        let callback = browser.open(&silent.url(&server)).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("consent_required"));

        // The new one works, and the old tokens are dead beside it.
        let new = sign_in(&server, &browser).await;
        server.assert_active(&new.offline.access_token()).await;
        server.refresh(&WEB, &new.offline.refresh_token()).await.succeeded();
        dead(&server, &old).await;
        server.restart();
        dead(&server, &old).await;
        server.assert_active(&new.offline.access_token()).await;
    }
}

async fn sign_in(server: &Server, browser: &Browser) -> Inheritance {
    let offline = Authorization::of(&WEB, SCOPE).with("prompt", "consent");
    let online = Authorization::of(&WEB, "openid orders:read");
    let unused = Authorization::of(&WEB, SCOPE);
    let offline = server.signed_in_with(browser, &WEB, offline).await;
    let online = server.signed_in_with(browser, &WEB, online).await;
    let callback = browser
        .sign_in_and_authorize(&unused.url(server), ALICE)
        .await;
    let code = parameter(&callback, "code").unwrap();
    Inheritance {
        online,
        offline,
        unused: (unused, code),
    }
}

/// Nothing of it can be used, whoever asks.
async fn dead(server: &Server, old: &Inheritance) {
    for signed_in in [&old.online, &old.offline] {
        let token = signed_in.access_token();
        server.assert_inactive(&token).await;
        assert_eq!(server.userinfo(&token).await.status, 401);
    }
    let refresh_token = old.offline.refresh_token();
    server.assert_inactive(&refresh_token).await;
    let (authorization, code) = &old.unused;
    for answer in [
        server.refresh(&WEB, &refresh_token).await,
        server.redeem(&WEB, authorization, code).await,
    ] {
        let body = answer.json();
        // While there is no client of that name, it cannot authenticate.
        let refused = ["invalid_grant", "invalid_client"];
        let error = body["error"].as_str();
        assert!(
            error.is_some_and(|error| refused.contains(&error)),
            "{answer:?}"
        );
    }
}

fn document(with_web: bool) -> String {
    let fixture = include_str!("../support/fixture.toml");
    if with_web {
        return fixture.to_owned();
    }
    let (before, rest) = fixture
        .split_once("[[clients]]\nclient_id = \"web\"")
        .unwrap();
    let (_, after) = rest.split_once("[[clients]]").unwrap();
    format!("{before}[[clients]]{after}")
}
