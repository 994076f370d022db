//! What `signet serve --dev` fills an empty store with, so that the first sign-in is one click away.

use std::sync::Arc;

use super::document::{Document, Options, apply};
use super::{AdministrationError, ClientRow, NewPassword, UserRow};
use crate::config::Secret;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::Origin;
use crate::service::Services;
use crate::service::registry::client_secrets;
use crate::spec::auth_method::AuthMethod;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;
use crate::spec::standard_claims::StandardClaims;

/// The client of the playground.
const CLIENT: &str = "playground";

/// The client with which the playground asks whether a token is active.
const API_CLIENT: &str = "playground-api";

/// The name of the demo user.
const USERNAME: &str = "demo";

/// The password of the demo user.
const PASSWORD: &str = "demo-password";

/// The scopes for which the playground asks.
const SCOPE: &str = "openid profile email offline_access";

/// What it takes to try everything.
#[derive(Clone, Debug)]
pub struct DemoCredentials {
    /// Where to begin.
    pub url: String,
    /// The demo user's name.
    pub username: &'static str,
    /// The demo user's password.
    pub password: &'static str,
    /// The playground's `client_id`; a public client.
    pub client_id: &'static str,
    /// The scopes of that client.
    pub scope: &'static str,
    /// The `client_id` of the resource server.
    pub api_client_id: &'static str,
    /// The resource server's secret; another one at every start.
    pub api_client_secret: PlainToken,
}

/// Creates the demo user and the demo clients, unless they are there.
///
/// # Errors
/// [`AdministrationError`], as for every other document.
pub async fn seed(services: &Arc<Services>) -> Result<DemoCredentials, AdministrationError> {
    let issuer = &services.config.issuer;
    let now = services.clock.now();
    let secret = client_secrets::generate();
    let document = Document {
        clients: vec![
            ClientRow {
                id: CLIENT.to_owned(),
                secret: None,
                metadata: ClientMetadata {
                    client_name: Some("Signet playground".to_owned()),
                    redirect_uris: vec![issuer.endpoint("/playground/callback")],
                    post_logout_redirect_uris: vec![issuer.endpoint("/playground")],
                    grant_types: Some(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
                    token_endpoint_auth_method: Some(AuthMethod::None),
                    scope: Some(SCOPE.split(' ').collect()),
                    ..ClientMetadata::default()
                },
            },
            ClientRow {
                id: API_CLIENT.to_owned(),
                secret: Some(Secret::new(secret.expose())),
                metadata: ClientMetadata {
                    client_name: Some("Signet playground API".to_owned()),
                    grant_types: Some(vec![GrantType::ClientCredentials]),
                    may_introspect: true,
                    ..ClientMetadata::default()
                },
            },
        ],
        users: vec![UserRow {
            username: USERNAME.to_owned(),
            password: Some(NewPassword::Plain(Secret::new(PASSWORD))),
            email: Some("demo@example.test".to_owned()),
            email_verified: Some(true),
            claims: StandardClaims {
                name: Some("Demo Person".to_owned()),
                given_name: Some("Demo".to_owned()),
                family_name: Some("Person".to_owned()),
                ..StandardClaims::default()
            },
            ..UserRow::default()
        }],
        ..Document::default()
    };
    apply(
        services,
        &document,
        Options::default(),
        &Origin::system(),
        now,
    )
    .await?;
    Ok(DemoCredentials {
        url: issuer.endpoint("/playground"),
        username: USERNAME,
        password: PASSWORD,
        client_id: CLIENT,
        scope: SCOPE,
        api_client_id: API_CLIENT,
        api_client_secret: secret,
    })
}
