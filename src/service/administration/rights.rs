//! What an administrator has, and so may give away.

use std::sync::Arc;

use super::{AdministrationError, Administrator, RESOURCE_TYPE};
use crate::domain::ids::UserId;
use crate::domain::policy::{
    ADMIN_PERMISSION, Level, Permission, ResourceName, Snapshot, Standing, Subject,
};
use crate::service::Services;
use crate::spec::time::Ts;

/// What an administrator has as of now. Whoever has `signet:*` has everything.
pub struct Rights {
    snapshot: Arc<Snapshot>,
    /// None for a client that acts for itself.
    subject: Option<Arc<Subject>>,
    now: Ts,
}

impl Rights {
    /// Reads them, with everything that was committed until now.
    pub(super) async fn read(
        services: &Services,
        by: &Administrator,
        now: Ts,
    ) -> Result<Self, AdministrationError> {
        services.decisions.refresh().await?;
        let (snapshot, subject) = services.decisions.known(by.user).await?;
        // Nobody known is not the same as a client that acts for itself.
        if by.user.is_some() && !subject.as_ref().is_some_and(|subject| subject.enabled) {
            return Err(AdministrationError::Beyond {
                what: "an account that may sign in".to_owned(),
                param: None,
            });
        }
        Ok(Self {
            snapshot,
            subject,
            now,
        })
    }

    fn standing(&self, organization: Option<&str>) -> Option<Standing> {
        let subject = self.subject.as_ref()?;
        Some(self.snapshot.standing_in(subject, organization, self.now))
    }

    /// Whether they may do everything.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.standing(None)
            .is_none_or(|standing| standing.permissions.contains(ADMIN_PERMISSION))
    }

    /// Whether this person is the administrator.
    #[must_use]
    pub fn is_self(&self, user: UserId) -> bool {
        self.subject
            .as_ref()
            .is_some_and(|subject| subject.id == user)
    }

    /// What only those may do who may do everything.
    pub fn must_be_full(&self, param: &str) -> Result<(), AdministrationError> {
        require(self.is_full(), param, || {
            format!("the permission {ADMIN_PERMISSION}")
        })
    }

    /// Giving a role, everywhere or for an organization: they must have it there themselves.
    pub fn may_give_role(
        &self,
        role: &str,
        organization: Option<&str>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let has = self.is_full()
            || self
                .standing(organization)
                .is_some_and(|standing| standing.roles.contains(role));
        require(has, param, || format!("the role {role:?}"))
    }

    /// Giving a permission.
    pub fn may_give_permission(
        &self,
        permission: &str,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let has = self.is_full()
            || self
                .standing(None)
                .is_some_and(|standing| covers(&standing, permission));
        require(has, param, || format!("the permission {permission}"))
    }

    /// Giving a level on a resource.
    pub fn may_give_level(
        &self,
        resource: &ResourceName,
        level: Level,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let every = format!("{}:{}", resource.kind, Permission::EVERY_ACTION);
        let has = self.is_full()
            || self.subject.as_ref().is_some_and(|subject| {
                self.snapshot.level_of(subject, resource) >= Some(level)
                    || self
                        .snapshot
                        .standing(subject, self.now)
                        .permissions
                        .contains(&every)
            });
        require(has, param, || {
            format!("the level {} on {resource}", level.as_str())
        })
    }

    /// Making somebody a member of a group gives them all that the group and those above it give.
    pub fn may_give_group(&self, group: &str, param: &str) -> Result<(), AdministrationError> {
        if self.is_full() {
            return Ok(());
        }
        for assignment in self.snapshot.group_assignments(group) {
            let organization = assignment.organization.as_deref();
            self.may_give_role(&assignment.role, organization, param)?;
        }
        for (resource, level) in self.snapshot.group_levels(group) {
            self.may_give_level(&resource, level, param)?;
        }
        Ok(())
    }

    /// Taking over an account, by its password say: nobody takes over one that may administrate more than they may.
    pub async fn may_control(
        &self,
        services: &Services,
        user: UserId,
    ) -> Result<(), AdministrationError> {
        if self.is_full() || self.is_self(user) {
            return Ok(());
        }
        let (_, subject) = services.decisions.known(Some(user)).await?;
        let Some(subject) = subject else {
            return Ok(());
        };
        for assignment in self.snapshot.assignments_of(&subject, self.now) {
            let organization = assignment.organization.as_deref();
            let own = self.standing(organization).unwrap_or_default();
            let theirs = self.snapshot.role_permissions(&assignment.role);
            let prefix = format!("{RESOURCE_TYPE}:");
            let beyond = theirs
                .into_iter()
                .filter(|permission| permission.starts_with(&prefix))
                .find(|permission| !covers(&own, permission));
            if let Some(permission) = beyond {
                return Err(AdministrationError::Beyond {
                    what: format!("the permission {permission}, which this person has,"),
                    param: None,
                });
            }
        }
        Ok(())
    }
}

/// Whether a permission, or every action on its type, is among what somebody has.
fn covers(standing: &Standing, permission: &str) -> bool {
    let every = Permission::parse(permission)
        .map(|permission| format!("{}:{}", permission.resource_type, Permission::EVERY_ACTION));
    standing.permissions.contains(permission)
        || every.is_some_and(|every| standing.permissions.contains(&every))
}

fn require(
    has: bool,
    param: &str,
    what: impl FnOnce() -> String,
) -> Result<(), AdministrationError> {
    if has {
        return Ok(());
    }
    Err(AdministrationError::Beyond {
        what: what(),
        param: Some(param.to_owned()),
    })
}
