//! Whether a client can be registered.

use super::DesiredClient;
use super::check::{Check, CheckedClient, PERMISSION};
use super::report::Kind;
use crate::crypto::secret::PlainToken;
use crate::domain::client::{Client, has_private_key};
use crate::domain::ids::ClientId;
use crate::domain::policy::Permission;
use crate::service::registry::client_secrets;
use crate::service::tokens::claims;
use crate::spec::auth_method::AuthMethod;

impl Check<'_, '_> {
    pub(super) fn client(&mut self, desired: &DesiredClient) -> Option<CheckedClient> {
        let name = &desired.id;
        let Some(id) = ClientId::parse(name) else {
            self.refuse(
                Kind::Client,
                name,
                "client_id",
                "expected 1 to 255 visible ASCII characters (RFC 6749 appendix A.1)",
            );
            return None;
        };
        let metadata = &desired.metadata;
        if let Some(resource) = &metadata.default_resource
            && !self.has_resource(resource)
        {
            self.refuse(
                Kind::Client,
                name,
                "default_resource",
                format!("there is no resource {resource:?}"),
            );
        }
        if let Some(permission) = &metadata.required_permission
            && Permission::parse(permission).is_none()
        {
            let problem = format!("{permission:?}: {PERMISSION}");
            self.refuse(Kind::Client, name, "required_permission", problem);
        }
        for (field, claims) in [
            ("access_token_claims", &metadata.access_token_claims),
            ("id_token_claims", &metadata.id_token_claims),
            ("userinfo_claims", &metadata.userinfo_claims),
        ] {
            self.claims(Kind::Client, name, field, claims);
        }
        self.text(
            Kind::Client,
            name,
            "metadata",
            &serde_json::to_string(metadata).unwrap_or_default(),
        );
        if metadata.jwks.as_ref().is_some_and(has_private_key) {
            let problem = "holds a private or symmetric key: send public keys alone, and make a new pair, as others \
                may know this one";
            self.refuse(Kind::Client, name, "jwks", problem);
        }
        let method = metadata.token_endpoint_auth_method;
        let secret = desired.secret.as_ref().map(|secret| {
            self.secret(
                name,
                method.unwrap_or(AuthMethod::ClientSecretBasic),
                secret.expose(),
            );
            PlainToken::new(secret.expose())
        });
        match Client::register(id, metadata.clone()) {
            Ok(client) => Some(CheckedClient { client, secret }),
            Err(error) => {
                self.refuse(Kind::Client, name, error.field, error.problem);
                None
            }
        }
    }

    /// Whether claims can be chosen for tokens.
    pub(super) fn claims(&mut self, kind: Kind, name: &str, field: &str, claims: &[String]) {
        for claim in claims.iter().filter(|claim| !claims::is_name(claim)) {
            let names = claims::NAMES.join(", ");
            let problem = format!(
                "{claim:?}: expected {names} or {}NAME with a name that tokens do not use",
                claims::ATTRIBUTE
            );
            self.refuse(kind, name, field, problem);
        }
    }

    fn secret(&mut self, name: &str, method: AuthMethod, secret: &str) {
        let mut refuse =
            |problem: String| self.refuse(Kind::Client, name, "client_secret", problem);
        if !method.uses_secret() {
            refuse(format!(
                "token_endpoint_auth_method = {:?} uses no secret",
                method.as_str()
            ));
        }
        // RFC 6749 appendix A.2 knows ASCII alone, its appendix B sends whatever UTF-8 there is.
        if secret.chars().any(char::is_control) {
            refuse("expected no control characters".to_owned());
        }
        if secret.len() < client_secrets::MIN_BYTES {
            refuse(format!(
                "expected at least {} random characters",
                client_secrets::MIN_BYTES
            ));
        } else if secret.len() < client_secrets::SHORT_BYTES {
            self.warnings.push(format!(
                "the secret of client {name:?} is short; {} random characters cannot be guessed",
                client_secrets::SHORT_BYTES
            ));
        }
    }
}
