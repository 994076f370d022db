//! Roles: their parents and permissions.

use std::collections::BTreeMap;

use super::checking::Checking;
use super::kind::Kind;
use super::{Act, AdministrationError, KindName, Named, RESOURCE_TYPE};
use crate::domain::audit::EventType;
use crate::domain::directory::{Role, RoleName};
use crate::domain::policy::{ADMIN_ROLE, Bounded, Count, Permission};
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Role {
    type Key = RoleName;

    const KIND: KindName = KindName::Role;
    const READ: &'static str = "roles.read";
    const EVENTS: [EventType; 3] = [
        EventType::RoleCreated,
        EventType::RoleUpdated,
        EventType::RoleDeleted,
    ];

    async fn find(tx: &mut Tx, key: &RoleName) -> Result<Option<Self>, StoreError> {
        tx.find_role(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<RoleName, Self>, StoreError> {
        tx.list_roles().await
    }

    async fn save(
        tx: &mut Tx,
        key: &RoleName,
        was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        if was.is_none_or(|was| was.description != is.description) {
            tx.save_role(key, is.description.as_deref()).await?;
        }
        let none = Self::default();
        let was = was.unwrap_or(&none);
        if (&was.parents, &was.permissions) != (&is.parents, &is.permissions) {
            tx.replace_role_contents(key, is).await?;
        }
        Ok(())
    }

    async fn delete(tx: &mut Tx, key: &RoleName) -> Result<(), StoreError> {
        tx.delete_role(key).await
    }

    async fn check(&self, key: &RoleName, checking: &mut Checking<'_>) -> Result<(), StoreError> {
        checking.description(self.description.as_deref());
        for parent in &self.parents {
            checking.refer("parents", KindName::Role, parent).await?;
        }
        if !checking.is_document() && !self.parents.is_empty() {
            let parents = self.parents.iter().map(ToString::to_string).collect();
            let ancestry = checking.tx.find_role_ancestry(&parents).await?;
            if parents.contains(&**key) || ancestry.values().any(|all| all.contains(&**key)) {
                checking.refuse("parents", CYCLE);
            }
        }
        Ok(())
    }

    async fn judge(
        act: &mut Act,
        key: &RoleName,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        if was.is_none() {
            act.rights
                .require_if_policies_name(Named::Role(key), "name")?;
        }
        let none = Self::default();
        let (before, after) = (was.unwrap_or(&none), is.unwrap_or(&none));
        if was.is_some() && key.as_str() == ADMIN_ROLE {
            if is.is_none() {
                return Err(AdministrationError::BuiltIn(
                    "the role \"admin\" is built in and cannot be deleted",
                ));
            }
            act.rights.require_all_rights("name")?;
        }
        let shrinks = !before.permissions.is_subset(&after.permissions)
            || !before.parents.is_subset(&after.parents);
        if shrinks || is.is_none() {
            act.rights.may_take_role(key, None, "name")?;
        }
        if is.is_none() {
            act.rights
                .require_if_policies_name(Named::Role(key), "name")?;
        }
        for parent in before.parents.difference(&after.parents) {
            act.rights
                .require_if_policies_name(Named::Role(parent), "parents")?;
        }
        for permission in after.permissions.difference(&before.permissions) {
            act.rights
                .may_give_permission(&permission.to_string(), "permissions")?;
        }
        for parent in after.parents.difference(&before.parents) {
            act.rights.may_give_role(parent, None, None, "parents")?;
        }
        Ok(())
    }

    fn counts(&self) -> Vec<Count> {
        vec![
            (Bounded::Roles, 1),
            (Bounded::Permissions, number(self.permissions.len())),
            (Bounded::RoleParents, number(self.parents.len())),
        ]
    }

    fn normal(mut self, key: &RoleName) -> Self {
        if key.as_str() == ADMIN_ROLE {
            self.permissions.insert(every_administration());
        }
        self
    }

    async fn announce(tx: &mut Tx, key: &RoleName, is: &Self) -> Result<(), StoreError> {
        tx.save_role(key, is.description.as_deref()).await
    }
}

impl Act {
    /// Makes the built-in role of administrators exist.
    pub(super) async fn ensure_admin_role(&mut self) -> Result<(), AdministrationError> {
        let name = RoleName::stored(ADMIN_ROLE.to_owned());
        let role = Role::find(&mut self.tx, &name).await?;
        let role = role.unwrap_or_else(|| Role {
            description: Some("May do everything".to_owned()),
            ..Role::default()
        });
        self.put(&name, role).await.map(drop)
    }
}

/// `signet:*`.
fn every_administration() -> Permission {
    Permission {
        resource_type: RESOURCE_TYPE.to_owned(),
        action: Permission::EVERY_ACTION.to_owned(),
    }
}

/// What is wrong with a role among its own ancestors.
pub(super) const CYCLE: &str = "the role would be among its own parents' parents";

/// A number of things, as it is counted.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
