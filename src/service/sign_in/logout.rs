//! What an application asks for at `/logout` (OpenID Connect RP-Initiated Logout 1.0 §2).

use std::sync::Arc;

use crate::domain::audit::{Actor, Origin};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::domain::redirect::TrustedRedirect;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::service::Services;
use crate::service::tokens::id_token_hint::{self, IdTokenHint, Read};
use crate::service::tokens::revoke;
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
    /// Why the person does not go where the application wants them: the sentence for them. They are signed out all the
    /// same (§3).
    pub left_out: Option<String>,
    /// `state`, given back with the target.
    pub state: Option<String>,
    /// `logout_hint`: whom the application means, in words of its own.
    logout_hint: Option<String>,
    hint: HintSent,
}

/// What was sent as `id_token_hint`.
#[derive(Debug, Default)]
enum HintSent {
    /// Nothing.
    #[default]
    None,
    /// An ID token whose key is gone: it proves nothing.
    TooOld,
    /// An ID token of ours, expired or not.
    Proven(IdTokenHint),
}

/// The session that a client proves to have been signed in to with an ID token of its own; only
/// [`LogoutRequest::named`] makes one.
///
/// The bearer of such a token can end that session and do nothing else with it: no endpoint takes it for a sign-in or an
/// access token.
#[derive(Debug)]
pub struct NamedSession<'a> {
    client: &'a Client,
    hint: &'a IdTokenHint,
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
        let hint = match params.find("id_token_hint") {
            None => HintSent::None,
            Some(token) => match id_token_hint::read(services, token, now).await? {
                Read::Ours(hint) => HintSent::Proven(hint),
                Read::UnknownKey => HintSent::TooOld,
                Read::Foreign => {
                    return Err(LogoutError::Page(
                        "id_token_hint is not an ID token that this server issued.",
                    ));
                }
            },
        };
        let audience = match &hint {
            HintSent::Proven(hint) => Some(hint.audience.as_str()),
            HintSent::None | HintSent::TooOld => None,
        };
        let named = params.find("client_id");
        if let (Some(named), Some(audience)) = (named, audience)
            && named != audience
        {
            return Err(LogoutError::Page(
                "client_id is not the client that id_token_hint was issued to.",
            ));
        }
        let client = match named.or(audience).and_then(ClientId::parse) {
            Some(id) => services.clients.find(&id).await?,
            None => None,
        };
        let uri = params.find("post_logout_redirect_uri");
        let (target, left_out) = match target(uri, client.as_deref()) {
            Ok(target) => (target, None),
            Err(reason) => (None, Some(reason)),
        };
        Ok(Self {
            client,
            target,
            left_out,
            state: params.find("state").map(str::to_owned),
            logout_hint: params.find("logout_hint").map(str::to_owned),
            hint,
        })
    }

    /// The session that the hint names, if it was issued to the client that asks.
    #[must_use]
    pub fn named(&self) -> Option<NamedSession<'_>> {
        let (HintSent::Proven(hint), Some(client)) = (&self.hint, self.client.as_deref()) else {
            return None;
        };
        (client.id.as_str() == hint.audience).then_some(NamedSession { client, hint })
    }

    /// Whether the application has shown that it means this very session, so that the person need not be asked.
    #[must_use]
    pub fn speaks_of(&self, session: &Session) -> bool {
        match &self.hint {
            HintSent::Proven(hint) => hint.user == session.user_id && hint.session == session.id,
            HintSent::None | HintSent::TooOld => false,
        }
    }

    /// Whether it carries a valid `id_token_hint` at all.
    #[must_use]
    pub const fn has_hint(&self) -> bool {
        matches!(self.hint, HintSent::Proven(_))
    }

    /// Whether its `id_token_hint` is so old that nothing can be known of it.
    #[must_use]
    pub const fn has_old_hint(&self) -> bool {
        matches!(self.hint, HintSent::TooOld)
    }

    /// Whether the application means another person than that of the session, as far as `logout_hint` says: the name,
    /// the e-mail address, the `sub` or the `sid` that it knows (§2). It never stands for an answer of the person.
    pub async fn means_another(
        &self,
        services: &Services,
        session: &Session,
    ) -> Result<bool, StoreError> {
        let Some(hint) = &self.logout_hint else {
            return Ok(false);
        };
        let names = [
            session.username.clone(),
            session.user_id.to_string(),
            session.id.to_string(),
        ];
        let is = |name: &String| name.to_lowercase() == hint.to_lowercase();
        if names.iter().any(is) {
            return Ok(false);
        }
        let user: Option<User> = services.store.find_user(session.user_id).await?;
        Ok(!user
            .and_then(|user| user.email)
            .is_some_and(|email| is(&email)))
    }

    /// The address to go to, with `state` and nothing else (§3).
    #[must_use]
    pub fn location(&self) -> Option<String> {
        let target = self.target.as_ref()?;
        Some(target.with_query(self.state.as_deref().map(|state| ("state", state))))
    }
}

/// Where the person goes, or why not where the application wants (§3: an address that is not registered is left out).
fn target(uri: Option<&str>, client: Option<&Client>) -> Result<Option<TrustedRedirect>, String> {
    let Some(uri) = uri else {
        return Ok(None);
    };
    let client = client
        .ok_or("post_logout_redirect_uri needs a known client_id or an id_token_hint beside it.")?;
    client.trust_post_logout(uri).map(Some).ok_or_else(|| {
        let unregistered = client.unregistered_post_logout(uri);
        tracing::info!(client.id = %client.id, "client {} asked for a post_logout_redirect_uri that it has not registered: {unregistered}", client.id);
        format!("post_logout_redirect_uri is not one that this application has registered: {unregistered}.")
    })
}

impl NamedSession<'_> {
    /// The session, as long as it lives.
    pub async fn find(&self, services: &Services, now: Ts) -> Result<Option<Session>, StoreError> {
        let found = services.store.find_session_by_id(self.hint.session, now);
        let is_same = |session: &Session| session.user_id == self.hint.user;
        Ok(found.await?.filter(is_same))
    }

    /// Ends it, in the name of the client. Success means that it holds everywhere, also where the session had ended
    /// before: that may not have reached every instance yet.
    pub async fn end(
        &self,
        services: &Services,
        origin: &Origin,
        now: Ts,
    ) -> Result<(), StoreError> {
        let client = self.client;
        let origin = origin
            .by(Actor::Client(client.id.clone()))
            .through(&client.id);
        revoke::session(services, self.hint.session, &origin, now).await?;
        tracing::info!(user.id = %self.hint.user, session.id = %self.hint.session, client.id = %client.id, "client {} signed user {} out", client.id, self.hint.user);
        Ok(())
    }

    /// The name under which requests to end it are counted.
    #[must_use]
    pub fn counted_as(&self, origin: &Origin) -> String {
        let ip = origin.ip.map(|ip| ip.to_string()).unwrap_or_default();
        format!("{} {ip}", self.client.id)
    }
}
