//! What an application asks for at `/logout` (OpenID Connect RP-Initiated Logout 1.0 §2).

use std::sync::Arc;

use serde_json::Value;

use crate::crypto::jose::JoseError;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, SessionId, UserId};
use crate::domain::redirect::TrustedRedirect;
use crate::domain::session::Session;
use crate::service::Services;
use crate::service::tokens::keys::KeyError;
use crate::spec::params::Params;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// A request whose every part was checked.
#[derive(Debug, Default)]
pub struct LogoutRequest {
    /// Who asks.
    pub client: Option<Arc<Client>>,
    /// Where the person goes afterwards.
    pub target: Option<TrustedRedirect>,
    /// `state`, given back with the target.
    pub state: Option<String>,
    hint: Option<Hint>,
}

/// Of whom an ID token speaks.
#[derive(Debug)]
struct Hint {
    user: Option<UserId>,
    session: Option<SessionId>,
}

/// Why the request is not followed.
#[derive(Debug)]
pub enum LogoutError {
    /// The sentence for the person, naming the parameter.
    Page(&'static str),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for LogoutError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl LogoutRequest {
    /// Checks the parameters.
    pub async fn resolve(
        services: &Services,
        params: &Params,
        now: Ts,
    ) -> Result<Self, LogoutError> {
        if params.repeated().is_some() {
            return Err(LogoutError::Page("A parameter was sent more than once."));
        }
        let (hint, audience) = match params.find("id_token_hint") {
            Some(token) => read_hint(services, token, now).await?.unzip(),
            None => (None, None),
        };
        let named = params.find("client_id");
        if let (Some(named), Some(audience)) = (named, &audience)
            && named != audience
        {
            return Err(LogoutError::Page(
                "client_id is not the client that id_token_hint was issued to.",
            ));
        }
        let client = match named.or(audience.as_deref()) {
            None => None,
            Some(id) => match ClientId::parse(id) {
                Some(id) => services.clients.find(&id).await?,
                None => None,
            },
        };
        let target = match (params.find("post_logout_redirect_uri"), &client) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(LogoutError::Page(
                    "post_logout_redirect_uri needs a known client_id or an id_token_hint beside it.",
                ));
            }
            (Some(uri), Some(client)) => {
                Some(client.trust_post_logout(uri).ok_or(LogoutError::Page(
                    "post_logout_redirect_uri is not one that this application has registered.",
                ))?)
            }
        };
        Ok(Self {
            client,
            target,
            state: params.find("state").map(str::to_owned),
            hint,
        })
    }

    /// Whether the application has shown that it means this very session, so that the person need not be asked.
    #[must_use]
    pub fn speaks_of(&self, session: &Session) -> bool {
        self.hint.as_ref().is_some_and(|hint| {
            hint.user == Some(session.user_id) && hint.session == Some(session.id)
        })
    }

    /// Whether it carries a valid `id_token_hint` at all.
    #[must_use]
    pub const fn has_hint(&self) -> bool {
        self.hint.is_some()
    }

    /// The address to go to, with `state` and nothing else (§3).
    #[must_use]
    pub fn location(&self) -> Option<String> {
        let target = self.target.as_ref()?;
        Some(target.with_query(self.state.as_deref().map(|state| ("state", state))))
    }
}

/// An ID token of ours, expired or not, and whom it was issued to.
async fn read_hint(
    services: &Services,
    token: &str,
    now: Ts,
) -> Result<Option<(Hint, String)>, LogoutError> {
    const FOREIGN: LogoutError =
        LogoutError::Page("id_token_hint is not an ID token that this server issued.");
    let verified = match services.keys.verify(token, now).await {
        // Signed userinfo has our issuer and type too, but no session.
        Ok(verified) if verified.is_typ("JWT") && verified.claims.contains_key("sid") => verified,
        // Older than its key: it proves nothing any more, so the person is asked.
        Err(KeyError::Jose(JoseError::UnknownKid)) => return Ok(None),
        Err(KeyError::Store(error)) => return Err(error.into()),
        Ok(_) | Err(_) => return Err(FOREIGN),
    };
    let claim = |name: &str| verified.claims.get(name).and_then(Value::as_str);
    if claim("iss") != Some(services.config.issuer.as_str()) {
        return Err(FOREIGN);
    }
    let audience = claim("aud").ok_or(FOREIGN)?.to_owned();
    let hint = Hint {
        user: claim("sub").and_then(UserId::parse),
        session: claim("sid").and_then(SessionId::parse),
    };
    Ok(Some((hint, audience)))
}
