//! Independent relying parties drive the server over real HTTP.

mod authlib;
mod openid_client;
mod openidconnect;

use serde_json::{Value, json};

use crate::support::client::{API, Authentication, Client, MACHINE, POST, SPA, WEB};
use crate::support::script::register_signer;
use crate::support::server::{ALICE, Server};

/// What a script has to know about the server, the person and the clients.
fn setting(server: &Server) -> String {
    let signer = register_signer(server, "https://signer.example.test/callback");
    let mut web = described(&WEB);
    web["post_logout_redirect_uri"] = "https://web.example.test/bye".into();
    json!({
        "issuer": server.issuer(),
        "person": {
            "username": ALICE.0,
            "password": ALICE.1,
            "email": "alice@example.test",
            "name": "Alice Example",
        },
        "web": web,
        "post": described(&POST),
        "spa": described(&SPA),
        "machine": described(&MACHINE),
        "api": described(&API),
        "signer": {
            "id": signer.id,
            "redirect_uri": "https://signer.example.test/callback",
            "private_key": signer.private_key_pem,
        },
    })
    .to_string()
}

fn described(client: &Client) -> Value {
    let secret = match client.authentication {
        Authentication::Basic(secret) | Authentication::Post(secret) => Some(secret),
        Authentication::None => None,
    };
    json!({ "id": client.id, "redirect_uri": client.redirect_uri, "secret": secret })
}
