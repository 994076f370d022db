//! What a client is told that authenticates in another way than it registered: what is registered, what came, and the
//! setting to change.

use crate::domain::client::Client;
use crate::spec::auth_method::{AuthMethod, RegisteredMethod};

/// The sentence for a client that used a method which its registration does not accept.
pub(super) fn sentence(client: &Client, used: AuthMethod) -> String {
    let came = match used {
        AuthMethod::ClientSecretBasic => {
            "the request sent a secret in the Authorization header (client_secret_basic)"
        }
        AuthMethod::ClientSecretPost => {
            "the request sent client_secret in the body (client_secret_post)"
        }
        AuthMethod::PrivateKeyJwt => "the request sent a client_assertion (private_key_jwt)",
        AuthMethod::None => "the request has no client authentication",
    };
    match client.auth_method {
        RegisteredMethod::Secret => format!(
            "this client is registered with a secret, to be sent in the Authorization header or as client_secret in the body, but {came}; {}",
            switch_to(used)
        ),
        RegisteredMethod::Only(registered) => {
            let either = if registered.uses_secret() && used.uses_secret() && !has_keys(client) {
                ", or remove that setting: then its secret is taken by header or body"
            } else {
                ""
            };
            format!(
                "this client is registered with token_endpoint_auth_method = {}, but {came}; {}{either}",
                registered.as_str(),
                switch_to(used)
            )
        }
    }
}

fn has_keys(client: &Client) -> bool {
    client.metadata.jwks.is_some() || client.metadata.jwks_uri.is_some()
}

/// What to register for a client that authenticates so.
const fn switch_to(used: AuthMethod) -> &'static str {
    match used {
        AuthMethod::ClientSecretBasic => {
            "change the request, or register token_endpoint_auth_method = client_secret_basic"
        }
        AuthMethod::ClientSecretPost => {
            "change the request, or register token_endpoint_auth_method = client_secret_post"
        }
        AuthMethod::PrivateKeyJwt => {
            "change the request, or register token_endpoint_auth_method = private_key_jwt and the keys as jwks or jwks_uri"
        }
        AuthMethod::None => {
            "send it, or register token_endpoint_auth_method = none if the client can keep no secret"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ClientId;
    use crate::http::error::plain;
    use crate::spec::client_metadata::ClientMetadata;

    #[test]
    fn every_sentence_names_what_is_registered_what_came_and_the_switch_in_full() {
        let written = AuthMethod::ALL.map(Some).into_iter().chain([None]);
        for (written, keys) in written.flat_map(|it| [(it, false), (it, true)]) {
            let metadata = ClientMetadata {
                token_endpoint_auth_method: written,
                redirect_uris: vec!["https://a.example/".to_owned()],
                jwks: (keys || written == Some(AuthMethod::PrivateKeyJwt))
                    .then(|| serde_json::json!({ "keys": [] })),
                ..ClientMetadata::default()
            };
            let client = Client::register(ClientId::parse("a").unwrap(), metadata).unwrap();
            for used in AuthMethod::ALL {
                if client.auth_method.accepts(used) {
                    continue;
                }
                let told = sentence(&client, used);
                assert_eq!(plain(&told), told, "it is cut or altered on its way");
                assert!(told.contains("token_endpoint_auth_method"), "{told}");
                match client.auth_method {
                    RegisteredMethod::Only(method) => {
                        assert!(told.contains(&format!("= {},", method.as_str())), "{told}");
                    }
                    RegisteredMethod::Secret => assert!(told.contains("a secret"), "{told}"),
                }
                let named = if used == AuthMethod::None {
                    "no client authentication"
                } else {
                    used.as_str()
                };
                assert!(told.contains(named), "{told}");
                let open = told.contains("by header or body");
                let may_open = matches!(client.auth_method, RegisteredMethod::Only(it) if it.uses_secret())
                    && used.uses_secret()
                    && !keys;
                assert_eq!(open, may_open, "{told}");
            }
        }
    }
}
