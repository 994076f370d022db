//! What policies may ask about resources of the operator's applications.

use std::collections::BTreeMap;

use super::checking::Checking;
use super::kind::Kind;
use super::{Act, AdministrationError, KindName};
use crate::domain::audit::EventType;
use crate::domain::directory::Object;
use crate::domain::policy::{Of, ResourceName};
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Object {
    type Key = ResourceName;

    const KIND: KindName = KindName::Object;
    const READ: &'static str = "objects.read";
    const EVENTS: [EventType; 3] = [
        EventType::ObjectCreated,
        EventType::ObjectUpdated,
        EventType::ObjectDeleted,
    ];

    async fn find(tx: &mut Tx, key: &ResourceName) -> Result<Option<Self>, StoreError> {
        tx.find_object_record(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<ResourceName, Self>, StoreError> {
        tx.list_objects().await
    }

    async fn save(
        tx: &mut Tx,
        key: &ResourceName,
        _was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        tx.save_object(key, is).await
    }

    async fn delete(tx: &mut Tx, key: &ResourceName) -> Result<(), StoreError> {
        tx.delete_object(key).await.map(drop)
    }

    async fn check(
        &self,
        key: &ResourceName,
        checking: &mut Checking<'_>,
    ) -> Result<(), StoreError> {
        if let Some(organization) = &self.organization {
            let kind = KindName::Organization;
            checking.refer("organization", kind, organization).await?;
        }
        let of = Of::Resource(key.kind.clone());
        checking.attributes(&of, &self.attributes).await
    }

    async fn judge(
        act: &mut Act,
        key: &ResourceName,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        let none = Self::default();
        let (was, is) = (was.unwrap_or(&none), is.unwrap_or(&none));
        act.rights.require_if_policies_read_object(key, was, is)
    }
}
