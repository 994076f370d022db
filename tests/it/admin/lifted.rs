//! Ways to lift a `forbid` or to bring about a `permit` without naming the policy: clients, what Signet itself says of
//! users, and memberships.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, beyond, id_of, policy};
use crate::support::engines::on_every_engine;

fn client(id: &str) -> Value {
    json!({ "client_id": id, "redirect_uris": [format!("https://{id}.example.test/callback")] })
}

on_every_engine! {
    async fn a_client_that_a_policy_names_is_not_a_delegates_to_make_or_change(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &["signet:clients.write", "signet:clients.read"]).await;
        for id in ["kiosk", "counter", "till"] {
            robot.post("/v1/clients", client(id)).await.done(201);
        }
        policy(&robot, "a", "forbid(principal, action, resource is Money) unless { context.client_id == \"kiosk\" };").await;
        policy(&robot, "b", "permit(principal, action, resource is Money) when { context has client && context.client == Client::\"counter\" };").await;
        policy(&robot, "c", "permit(principal, action, resource is Money) when { context.client_id == \"unmade\" };").await;
        let mut calls = vec![(Method::POST, "/v1/clients".to_owned(), client("unmade"))];
        for id in ["kiosk", "counter"] {
            let path = format!("/v1/clients/{id}");
            calls.extend([
                (Method::PATCH, path.clone(), json!({ "redirect_uris": ["https://evil.example.test/"] })),
                (Method::PATCH, path.clone(), json!({ "jwks_uri": "https://evil.example.test/jwks" })),
                (Method::PATCH, path.clone(), json!({ "application_type": "native" })),
                (Method::POST, format!("{path}/secrets"), json!({})),
                (Method::DELETE, path, json!({})),
            ]);
        }
        beyond(&mallory, &calls).await;
        mallory.patch("/v1/clients/kiosk", json!({ "client_name": "The kiosk" })).await.done(200);
        // One that no policy names is.
        mallory.patch("/v1/clients/till", json!({ "redirect_uris": ["https://other.example.test/"] })).await.done(200);
        mallory.post("/v1/clients/till/secrets", json!({})).await.done(201);
        mallory.delete("/v1/clients/till").await.done(204);
    }

    async fn what_signet_itself_says_of_a_user_is_guarded_where_a_policy_reads_it(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &["signet:users.write", "signet:users.read", "signet:attributes.write"]).await;
        let user = json!({ "username": "accomplice", "email": "old@example.test", "email_verified": true });
        robot.post("/v1/users", user).await.done(201);
        let path = format!("/v1/users/{}", id_of(&robot, "accomplice").await);
        let verified = json!({ "email_verified": true });
        let unverified = json!({ "email_verified": false });
        let moved = json!({ "email": "new@example.test" });
        let renamed = json!({ "username": "owner" });
        let change = |body: &Value| (Method::PATCH, path.clone(), body.clone());

        for (cedar, refused, free) in [
            ("forbid(principal, action, resource is Money) unless { principal.email_verified };", vec![&unverified, &moved], vec![&renamed]),
            ("forbid(principal, action, resource is Money) when { principal.email_verified };", vec![&unverified, &moved], vec![&renamed]),
            ("permit(principal, action, resource is Money) when { principal.username == resource.owner };", vec![&renamed], vec![&moved, &verified]),
            ("permit(principal, action, resource is Money) when { principal has email && principal.email == resource.owner };", vec![&moved], vec![&renamed]),
        ] {
            policy(&robot, "one", cedar).await;
            let calls: Vec<_> = refused.into_iter().map(change).collect();
            beyond(&mallory, &calls).await;
            for body in free {
                mallory.patch(&path, body.clone()).await.done(200);
            }
            // Nobody is kept from making users because a policy reads what every user has.
            let novice = json!({ "username": "novice" });
            mallory.post("/v1/users", novice).await.done(201);
            mallory.delete(&format!("/v1/users/{}", id_of(&robot, "novice").await)).await.done(204);
            robot.delete("/v1/policies/one").await.done(204);
            let as_before = json!({ "username": "accomplice", "email": "old@example.test", "email_verified": true });
            robot.patch(&path, as_before).await.done(200);
        }
        mallory.patch(&path, unverified).await.done(200);
    }

    async fn a_membership_that_a_forbid_reads_is_guarded_without_being_named(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &["signet:organizations.members", "signet:organizations.write", "signet:users.read", "signet:attributes.write"]).await;
        robot.post("/v1/organizations", json!({ "name": "bad", "attributes": { "suspended": true } })).await.done(201);
        for name in ["plain", "empty"] {
            robot.post("/v1/organizations", json!({ "name": name })).await.done(201);
        }
        robot.post("/v1/users", json!({ "username": "accomplice" })).await.done(201);
        let id = id_of(&robot, "accomplice").await;
        let member = |of: &str| format!("/v1/organizations/{of}/members/{id}");
        robot.put(&member("bad"), json!({})).await.done(204);

        policy(&robot, "one", "forbid(principal, action, resource is Money) when { principal has org && principal.org has suspended && principal.org.suspended };").await;
        beyond(&mallory, &[
            (Method::DELETE, member("bad"), json!({})),
            // A member of two organizations belongs to none.
            (Method::PUT, member("plain"), json!({})),
            (Method::DELETE, "/v1/organizations/bad".to_owned(), json!({})),
            (Method::DELETE, "/v1/organizations/plain".to_owned(), json!({})),
        ]).await;
        robot.delete("/v1/policies/one").await.done(204);

        // A permit does not keep delegates from managing members, but from deleting a whole organization.
        policy(&robot, "one", "permit(principal, action, resource is Money) when { principal has org && resource has org && principal.org == resource.org };").await;
        mallory.put(&member("plain"), json!({})).await.done(204);
        mallory.delete(&member("plain")).await.done(204);
        beyond(&mallory, &[(Method::DELETE, "/v1/organizations/plain".to_owned(), json!({}))]).await;
        // Nor does a forbid that names where one must be.
        policy(&robot, "two", "forbid(principal in Organization::\"bad\", action, resource is Money);").await;
        mallory.put(&member("plain"), json!({})).await.done(204);
        beyond(&mallory, &[(Method::DELETE, member("bad"), json!({}))]).await;
        // What would come of leaving counts: alone in ops, the accomplice reads keys.
        robot.delete("/v1/policies/two").await.done(204);
        policy(&robot, "three", "permit(principal, action == Action::\"keys.read\", resource is signet) when { principal has org && principal.org has ops && principal.org.ops };").await;
        robot.post("/v1/organizations", json!({ "name": "works", "attributes": { "ops": true } })).await.done(201);
        robot.delete(&member("bad")).await.done(204);
        robot.put(&member("works"), json!({})).await.done(204);
        beyond(&mallory, &[(Method::DELETE, member("plain"), json!({}))]).await;

        for id in ["one", "three"] {
            robot.delete(&format!("/v1/policies/{id}")).await.done(204);
        }
        mallory.delete(&member("plain")).await.done(204);
        mallory.delete("/v1/organizations/empty").await.done(204);
    }

    async fn a_first_party_goes_on_asking_users_to_sign_in_again(server: Server) {
        let robot = Api::robot(&server).await;
        let mallory = Api::person(&server, "mallory", &["signet:clients.write", "signet:clients.read"]).await;
        let mut shop = client("shop");
        shop["first_party"] = true.into();
        shop["default_max_age"] = 60.into();
        robot.post("/v1/clients", shop).await.done(201);
        let change = |body: Value| (Method::PATCH, "/v1/clients/shop".to_owned(), body);
        beyond(&mallory, &[
            change(json!({ "default_max_age": null })),
            change(json!({ "default_max_age": 86400 })),
            change(json!({ "default_acr_values": [] , "require_pkce": false })),
        ]).await;
        mallory.patch("/v1/clients/shop", json!({ "client_name": "Shop" })).await.done(200);
    }
}
