//! Organizations.

use std::collections::BTreeMap;

use super::checking::Checking;
use super::kind::Kind;
use super::{Act, AdministrationError, KindName, Named, WRITE_ATTRIBUTES};
use crate::domain::audit::{Event, EventType};
use crate::domain::directory::{Organization, OrganizationName};
use crate::domain::policy::{Bounded, Count, Of};
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Organization {
    type Key = OrganizationName;

    const KIND: KindName = KindName::Organization;
    const READ: &'static str = "organizations.read";
    const EVENTS: [EventType; 3] = [
        EventType::OrganizationCreated,
        EventType::OrganizationUpdated,
        EventType::OrganizationDeleted,
    ];

    async fn find(tx: &mut Tx, key: &OrganizationName) -> Result<Option<Self>, StoreError> {
        tx.find_organization(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<OrganizationName, Self>, StoreError> {
        tx.list_organizations().await
    }

    async fn save(
        tx: &mut Tx,
        key: &OrganizationName,
        _was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        tx.save_organization(key, is).await
    }

    async fn delete(tx: &mut Tx, key: &OrganizationName) -> Result<(), StoreError> {
        tx.delete_organization(key).await
    }

    async fn check(
        &self,
        _key: &OrganizationName,
        checking: &mut Checking<'_>,
    ) -> Result<(), StoreError> {
        checking.description(self.description.as_deref());
        checking
            .attributes(&Of::Organization, &self.attributes)
            .await
    }

    async fn judge(
        act: &mut Act,
        key: &OrganizationName,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        let none = Self::default();
        let had = &was.unwrap_or(&none).attributes;
        let has = &is.unwrap_or(&none).attributes;
        if had != has {
            act.require(WRITE_ATTRIBUTES, None).await?;
        }
        act.rights
            .require_if_policies_read(Named::Organization(key), had, has, "attributes")?;
        if was.is_none() || is.is_none() {
            act.rights
                .require_if_policies_name(Named::Organization(key), "name")?;
        }
        if is.is_none() {
            act.rights.require_if_policies_read_membership("name")?;
            // What was given for it is gone with it: people keep what the administrator could not take from them.
            for role in act.tx.list_roles_given_for(key).await? {
                act.rights.may_take_role(&role, Some(key), "name")?;
                act.rights
                    .require_if_policies_name(Named::Role(&role), "name")?;
            }
        }
        Ok(())
    }

    fn counts(&self) -> Vec<Count> {
        vec![(Bounded::Organizations, 1)]
    }

    fn tell(event: Event, key: &OrganizationName) -> Event {
        event.organization(key)
    }
}
