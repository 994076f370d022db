//! Resource servers and their scopes.

use std::collections::BTreeMap;

use super::checking::Checking;
use super::client_rules::check_claims;
use super::kind::Kind;
use super::{Act, AdministrationError, KindName};
use crate::domain::audit::EventType;
use crate::domain::client::DEFAULT_SCOPE;
use crate::domain::ids::ClientId;
use crate::domain::policy::{Bounded, Count};
use crate::domain::resource::{AccessTokenTyp, Identifier, Resource, other_spelling};
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Resource {
    type Key = Identifier;

    const KIND: KindName = KindName::Resource;
    const READ: &'static str = "resources.read";
    const EVENTS: [EventType; 3] = [
        EventType::ResourceCreated,
        EventType::ResourceUpdated,
        EventType::ResourceDeleted,
    ];

    async fn find(tx: &mut Tx, key: &Identifier) -> Result<Option<Self>, StoreError> {
        tx.find_resource(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<Identifier, Self>, StoreError> {
        let all = tx.list_resources().await?.into_iter();
        Ok(all
            .map(|resource| (Identifier::stored(resource.identifier.clone()), resource))
            .collect())
    }

    async fn save(
        tx: &mut Tx,
        _key: &Identifier,
        _was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        tx.save_resource(is).await
    }

    async fn delete(tx: &mut Tx, key: &Identifier) -> Result<(), StoreError> {
        tx.delete_resource(key).await
    }

    async fn check(&self, key: &Identifier, checking: &mut Checking<'_>) -> Result<(), StoreError> {
        if let Some(other) = other_spelling(key)
            && checking.is_registered_as(&other).await?
        {
            let problem = format!(
                "{other:?} is registered, and an origin with and without a final / is one identifier (RFC 3986 \
                 section 6.2.3): keep one of the two"
            );
            checking.refuse("identifier", problem);
        }
        if self.access_token_typ == AccessTokenTyp::Jwt {
            for name in [Some(key.as_str().to_owned()), other_spelling(key)] {
                if let Some(name) = name
                    && checking.is_there(KindName::Client, &name).await?
                {
                    let problem = format!(
                        "client {name:?} would take such a token for an ID token: give that client another \
                         client_id, or leave access_token_typ at \"at+jwt\""
                    );
                    checking.refuse("access_token_typ", problem);
                }
            }
        }
        for scope in self.scope_permissions.keys() {
            if !self.scopes.contains(scope) {
                let problem = format!("{scope:?} is not among the scopes");
                checking.refuse("scope_permissions", problem);
            }
        }
        let own = |scope: &&str| {
            scope.starts_with("signet:") || DEFAULT_SCOPE.split(' ').any(|own| own == *scope)
        };
        if let Some(scope) = self.scopes.iter().find(own) {
            checking.refuse("scopes", format!("{scope:?} is a scope of Signet itself"));
        }
        check_claims(checking, "access_token_claims", &self.access_token_claims);
        checking.text("name", self.name.as_deref().unwrap_or_default());
        Ok(())
    }

    async fn judge(
        act: &mut Act,
        key: &Identifier,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        act.algs
            .extend(is.and_then(|is| is.access_token_signing_alg));
        // A client of that name would introspect the tokens that are meant for it.
        if was.is_none() {
            for name in [Some(key.as_str().to_owned()), other_spelling(key)] {
                if let Some(id) = name.as_deref().and_then(ClientId::parse)
                    && act.tx.find_client(&id).await?.is_some()
                {
                    act.rights.require_all_rights("identifier")?;
                }
            }
        }
        // What a scope required until now must be the administrator's, if it is to require it no more.
        for (scope, permission) in was.iter().flat_map(|was| &was.scope_permissions) {
            if is.and_then(|is| is.scope_permissions.get(scope)) != Some(permission) {
                let permission = permission.to_string();
                act.rights
                    .may_give_permission(&permission, "scope_permissions")?;
            }
        }
        Ok(())
    }

    fn own_key(&self, _key: &Identifier) -> Identifier {
        Identifier::stored(self.identifier.clone())
    }

    fn counts(&self) -> Vec<Count> {
        vec![(Bounded::Resources, 1)]
    }

    fn normal(mut self, key: &Identifier) -> Self {
        key.as_str().clone_into(&mut self.identifier);
        self
    }
}
