//! What can be known to be wrong is found before a code or refresh token is used up.

use super::{TokenRequest, servers};
use crate::crypto::credential::Credential;
use crate::domain::audience::Targeted;
use crate::domain::grant::Grant;
use crate::domain::resource::Resource;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::decisions::access::{Circumstances, may_sign_in_to, permitted};
use crate::service::tokens::claims::needs_standing;
use crate::service::tokens::redeem::{self, RedeemError};
use crate::spec::scope::Scope;

/// A grant as it stands before it is redeemed.
pub(super) struct Foreseen {
    pub(super) grant: Grant,
    /// What of its scope the person can give now, where that had to be asked.
    permitted: Option<Scope>,
}

impl TokenRequest {
    /// Looks at the grant of a credential, if anything about it could be wrong.
    pub(super) async fn foresee(
        &self,
        site: &Site,
        all: &[Resource],
        credential: impl FnOnce() -> Result<Credential, RedeemError>,
    ) -> Result<Option<Foreseen>, OAuthError> {
        let client = self.client.client();
        let metadata = &client.metadata;
        let guarded = metadata.required_permission.is_some()
            || all.iter().any(|resource| {
                let mut scopes = resource.scope_permissions.keys();
                scopes.any(|scope| client.scope.contains(scope))
            });
        let chosen = needs_standing(&metadata.access_token_claims)
            || needs_standing(&metadata.id_token_claims)
            || all
                .iter()
                .any(|resource| !resource.access_token_claims.is_empty());
        // Resource servers that do not take the same tokens.
        let differ = all.windows(2).any(|pair| {
            let format = |it: &Resource| (it.access_token_typ, it.access_token_signing_alg);
            pair.first().map(format) != pair.last().map(format)
        });
        let asks = |name| self.params.find(name).is_some();
        if !guarded && !chosen && !differ && !asks("scope") && !asks("resource") {
            return Ok(None);
        }
        let looking = self.look(site, all, credential()?, guarded, chosen);
        Box::pin(looking).await.map(Some)
    }

    async fn look(
        &self,
        site: &Site,
        all: &[Resource],
        credential: Credential,
        guarded: bool,
        chosen: bool,
    ) -> Result<Foreseen, OAuthError> {
        let (services, client) = (&site.services, self.client.client());
        let grant = redeem::peek(services, client, credential, self.now).await?;
        self.audience(site, all, &grant, &grant.scope)?;
        if chosen {
            services.decisions.standing(grant.user_id, self.now).await?;
        }
        if !guarded {
            let permitted = None;
            return Ok(Foreseen { grant, permitted });
        }
        let circumstances = Circumstances::of_grant(&grant, &self.origin, self.now);
        if !may_sign_in_to(services, client, &circumstances).await? {
            return Err(OAuthError::invalid_grant(
                "the person may not use this client any more",
            ));
        }
        let permitted = permitted(services, &grant.scope, client, &circumstances).await?;
        Ok(Foreseen {
            grant,
            permitted: Some(permitted),
        })
    }

    /// What the token of a grant that was just redeemed is made of; nothing can fail any more. What was taken from
    /// the client or the person since is not given.
    pub(super) async fn given(
        &self,
        site: &Site,
        all: &[Resource],
        grant: &Grant,
        scope: &Scope,
        foreseen: Option<Foreseen>,
    ) -> Result<Targeted, OAuthError> {
        let mut scope = scope.intersection(&self.client.client().scope);
        if let Some(permitted) = foreseen.and_then(|foreseen| foreseen.permitted) {
            scope = scope.intersection(&permitted);
        }
        let client = self.client.client();
        let known = servers(site, all);
        let there = |name: &String| known.is_for(client, name);
        if !grant.resources.is_empty()
            && !grant.resources.iter().any(there)
            && let Ok(all) = Box::pin(site.services.resources.read()).await
            && let Ok(targeted) = self.audience(site, &all, grant, &scope)
        {
            // They are newer than what was read last.
            return Ok(targeted);
        }
        self.audience(site, all, grant, &scope)
    }
}
