//! People with more groups than a token holds (OpenID Connect Core §5.6.2).

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::{API, Answer, Authentication, Authorization, Client};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, Server};

const SHOP: Client = Client {
    id: "shop",
    redirect_uri: "https://shop.example.test/callback",
    authentication: Authentication::Basic("shop-secret-that-is-long-enough-for-anyone"),
};

const EVERYWHERE: &str = "id_token_claims = [\"groups\", \"roles\"]\naccess_token_claims = [\"groups\", \"roles\"]\nuserinfo_claims = [\"groups\"]";

fn client(settings: &str) -> String {
    format!(
        "[[clients]]\nclient_id = \"shop\"\nclient_secret = \"shop-secret-that-is-long-enough-for-anyone\"\n\
         redirect_uris = [{:?}]\ngrant_types = [\"authorization_code\", \"refresh_token\"]\n\
         scope = \"openid offline_access orders:read\"\n{settings}\n",
        SHOP.redirect_uri
    )
}

/// The names of all groups, as claims list them.
fn names() -> Vec<String> {
    let plain = (0..200).map(|number| format!("department-of-many-people-{number:03}"));
    plain.chain(["shop-admins".to_owned()]).collect()
}

/// Alice in 201 groups and one role.
fn join(server: &Server, settings: &str) {
    let names = names();
    let mut document = client(settings);
    for name in &names {
        write!(document, "[[groups]]\nname = {name:?}\n").unwrap();
    }
    write!(document, "[[roles]]\nname = \"clerk\"\n[[users]]\nusername = {:?}\nroles = [\"clerk\"]\ngroups = {names:?}\n", ALICE.0).unwrap();
    server.apply(&document);
}

fn points_to(claims: &Value, name: &str, endpoint: &str) {
    assert_eq!(claims.get(name), None, "{claims}");
    let source = claims["_claim_names"][name]
        .as_str()
        .unwrap_or_else(|| panic!("{claims}"));
    // No access token: the reader of this token is not to have it.
    assert_eq!(
        claims["_claim_sources"][source],
        json!({ "endpoint": endpoint })
    );
}

const ALL: &str = "openid profile email offline_access";

on_every_engine! {
    async fn claims_that_are_too_long_for_the_token_are_at_userinfo(server: Server) {
        server.apply(&client("id_token_claims = [\"scope\"]").replace("openid offline_access", ALL));
        let picture = format!("https://pictures.example.test/{}", "x".repeat(3000));
        server.apply(&format!("[[users]]\nusername = \"{}\"\npicture = \"{picture}\"\n", ALICE.0));
        let tokens = server.signed_in(&SHOP, ALL).await;
        let claims = Jwt::decode(&tokens.id_token()).claims;
        assert_eq!((claims.get("picture"), &claims["email"]), (None, &json!("alice@example.test")));
        let source = claims["_claim_names"]["picture"].as_str().unwrap();
        assert_eq!(claims["_claim_sources"][source], json!({ "endpoint": server.url("/userinfo") }));
        let told = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!(told["picture"], picture.as_str());
    }


    async fn tokens_say_where_two_hundred_groups_are_oidc_core_5_6_2(server: Server) {
        join(&server, EVERYWHERE);
        let all = json!(names());
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        let refreshed = server.refresh(&SHOP, &tokens.refresh_token()).await.succeeded();
        for token in [tokens.id_token(), tokens.access_token(), refreshed.text("id_token"), refreshed.text("access_token")] {
            let claims = Jwt::decode(&token).claims;
            points_to(&claims, "groups", &server.url("/userinfo"));
            assert_eq!(claims["roles"], json!(["clerk"]), "what fits is there");
            assert!(claims["_claim_names"].get("roles").is_none());
            assert!(token.len() < 4096, "{}", token.len());
        }
        for access_token in [tokens.access_token(), refreshed.text("access_token")] {
            let userinfo = server.userinfo(&access_token).await.succeeded().json();
            assert_eq!(userinfo["groups"], all);
            // The first time and from memory.
            for _ in 0..2 {
                let introspected = server.introspect(&access_token).await;
                assert_eq!((&introspected["groups"], &introspected["roles"]), (&all, &json!(["clerk"])));
                assert!(introspected.get("_claim_names").is_none() && introspected.get("_claim_sources").is_none());
            }
        }
        let metadata = Answer::to(server.http().get(server.url("/.well-known/openid-configuration"))).await.json();
        assert_eq!(metadata["claim_types_supported"], json!(["normal", "distributed"]));
    }

    async fn userinfo_has_what_tokens_point_to_and_nothing_that_fits(server: Server) {
        join(&server, "id_token_claims = [\"groups\", \"roles\"]");
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        points_to(&Jwt::decode(&tokens.id_token()).claims, "groups", &server.url("/userinfo"));
        let userinfo = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!((&userinfo["groups"], userinfo.get("roles")), (&json!(names()), None));
        let introspected = server.introspect(&tokens.access_token()).await;
        assert_eq!(introspected.get("groups"), None, "not chosen for access tokens");

        server.apply(&client("access_token_claims = [\"groups\"]"));
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        let userinfo = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!(userinfo["groups"], json!(names()));

        // With few groups each stands where it was chosen, and nowhere else.
        server.apply(&format!("[[users]]\nusername = {:?}\ngroups = [\"shop-admins\"]\n", ALICE.0));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        let claims = Jwt::decode(&tokens.access_token()).claims;
        assert_eq!((&claims["groups"], claims.get("_claim_names")), (&json!(["shop-admins"]), None));
        let userinfo = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!(userinfo.get("groups"), None);
    }

    async fn a_token_that_userinfo_does_not_take_points_to_introspection(server: Server) {
        join(&server, EVERYWHERE);
        let api = Authorization::of(&SHOP, "orders:read").with("resource", "https://api.example.test");
        let tokens = server.signed_in_with(&Browser::new(&server), &SHOP, api).await;
        let access_token = tokens.access_token();
        points_to(&Jwt::decode(&access_token).claims, "groups", &server.url("/introspect"));
        assert_eq!(server.introspect(&access_token).await["groups"], json!(names()));
        let own = Answer::to(server.post("/introspect", &API, &[("token", &access_token)])).await.json();
        assert_eq!(own["groups"], json!(names()));
    }

    async fn a_client_that_names_groups_gets_these_alone(server: Server) {
        join(&server, &format!("{EVERYWHERE}\ngroups = [\"shop-*\", \"department-of-many-people-007\", \"nobody\"]"));
        let some = json!(["department-of-many-people-007", "shop-admins"]);
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        let refreshed = server.refresh(&SHOP, &tokens.refresh_token()).await.succeeded();
        for token in [tokens.id_token(), tokens.access_token(), refreshed.text("id_token"), refreshed.text("access_token")] {
            let claims = Jwt::decode(&token).claims;
            assert_eq!((&claims["groups"], claims.get("_claim_names")), (&some, None));
        }
        let access_token = refreshed.text("access_token");
        assert_eq!(server.userinfo(&access_token).await.succeeded().json()["groups"], some);
        assert_eq!(server.introspect(&access_token).await["groups"], some);

        // What still does not fit is filtered where it is, too.
        server.apply(&client(&format!("{EVERYWHERE}\ngroups = [\"department-*\"]")));
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        points_to(&Jwt::decode(&tokens.id_token()).claims, "groups", &server.url("/userinfo"));
        let departments = json!(names().into_iter().filter(|name| name != "shop-admins").collect::<Vec<_>>());
        assert_eq!(server.userinfo(&tokens.access_token()).await.succeeded().json()["groups"], departments);
        assert_eq!(server.introspect(&tokens.access_token()).await["groups"], departments);
    }
}

#[tokio::test]
async fn the_command_line_chooses_claims_and_groups() {
    let server = Server::start(Engine::Sqlite);
    let create = |id: &str, more: &[&str]| {
        let common = ["client", "create", id, "--redirect-uri", SHOP.redirect_uri];
        server.signet(&[&common[..], more].concat())
    };
    let groups = ["--group", "shop-*", "--group", "staff"];
    let chosen = create(
        "chosen",
        &[&["--id-token-claims", "email groups"], &groups[..]].concat(),
    );
    assert!(chosen.status.success(), "{chosen:?}");
    assert!(create("quiet", &["--id-token-claims", ""]).status.success());
    let all = server.signet_ok(&["client", "list", "--json"]);
    let all: Value = serde_json::from_str(&all).unwrap();
    let of = |id: &str| {
        let mut clients = all["clients"].as_array().unwrap().iter();
        clients.find(|it| it["client_id"] == id).unwrap().clone()
    };
    assert_eq!(of("chosen")["id_token_claims"], json!(["email", "groups"]));
    assert_eq!(of("chosen")["groups"], json!(["shop-*", "staff"]));
    assert_eq!(of("quiet").get("id_token_claims"), None);
    for (arguments, said) in [
        (["--id-token-claims", "emial"], "did you mean \"email\"?"),
        (
            ["--id-token-claims", "phone"],
            "all that the granted scopes cover",
        ),
        (["--group", ""], "the name of a group, or a pattern"),
        (["--group", "a\tb"], "the name of a group, or a pattern"),
    ] {
        let refused = create("refused", &arguments);
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && stderr.contains(said),
            "{stderr}"
        );
    }
}
