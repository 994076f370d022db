//! What an administrator has, and so may give away.

use std::sync::Arc;

use super::{AdministrationError, Administrator, Named, RESOURCE_TYPE};
use crate::domain::ids::UserId;
use crate::domain::policy::{
    ADMIN_PERMISSION, Level, Permission, ResourceName, Snapshot, Standing, Subject,
};
use crate::service::Services;
use crate::spec::time::Ts;

/// What an administrator may do. `signet:*` includes every right. A right that ends cannot give one that lasts longer.
pub struct Rights {
    /// None for an operator, who may do everything.
    pub(super) by: Option<Administrator>,
    pub(super) snapshot: Arc<Snapshot>,
    /// Whether the snapshot has every policy that is enabled: one that cannot be used may name and read anything.
    pub(super) complete: bool,
    /// None for a client that acts for itself.
    subject: Option<Arc<Subject>>,
    pub(super) now: Ts,
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
        // An unknown user is refused; a client that acts for itself has no user.
        if by.user.is_some() && !subject.as_ref().is_some_and(|subject| subject.enabled) {
            return Err(AdministrationError::Beyond {
                detail: "your account cannot sign in".to_owned(),
                param: None,
            });
        }
        Ok(Self {
            by: Some(by.clone()),
            snapshot,
            complete: services.decisions.is_complete(),
            subject,
            now,
        })
    }

    /// Those of an operator at the command line, who may do everything.
    pub(super) fn of_operator(now: Ts) -> Self {
        Self {
            by: None,
            snapshot: Arc::default(),
            complete: true,
            subject: None,
            now,
        }
    }

    /// The administrator; none for an operator.
    pub(super) const fn by(&self) -> Option<&Administrator> {
        self.by.as_ref()
    }

    /// What they have in an organization until that time; `None`: for good.
    pub(super) fn standing(
        &self,
        organization: Option<&str>,
        until: Option<Ts>,
    ) -> Option<Standing> {
        let subject = self.subject.as_ref()?;
        // As it will be in the last moment.
        let then = until.map_or(Ts(i64::MAX), |until| Ts(until.micros() - 1));
        let then = then.max(self.now);
        Some(self.snapshot.standing_in(subject, organization, then))
    }

    /// Whether they may do everything right now.
    pub(super) fn is_full(&self) -> bool {
        self.is_full_until(Some(self.now))
    }

    /// Whether they may do everything until that time; `None`: for good.
    fn is_full_until(&self, until: Option<Ts>) -> bool {
        self.standing(None, until)
            .is_none_or(|standing| standing.permissions.contains(ADMIN_PERMISSION))
    }

    /// Whether this person is the administrator.
    #[must_use]
    pub fn is_self(&self, user: UserId) -> bool {
        self.subject
            .as_ref()
            .is_some_and(|subject| subject.id == user)
    }

    /// Requires every right there is, without an end.
    pub fn require_all_rights(&self, param: &str) -> Result<(), AdministrationError> {
        require(self.is_full_until(None), param, || {
            format!("this needs the permission {ADMIN_PERMISSION} without an end")
        })
    }

    /// Requires the role itself, for the same organization and at least as long, to give it; and all rights if an
    /// enabled `forbid` names it, which would apply to the user who gets it.
    pub fn may_give_role(
        &self,
        role: &str,
        organization: Option<&str>,
        until: Option<Ts>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let has = self.is_full_until(until)
            || self
                .standing(organization, until)
                .is_some_and(|standing| standing.roles.contains(role));
        require(has, param, || {
            let mut detail = format!("you cannot grant role {role:?}");
            if let Some(organization) = organization {
                detail = format!("{detail} for organization {organization:?}");
            }
            if let Some(until) = until {
                detail = format!("{detail} until {}", until.rfc3339());
            }
            match self.held_until(role, organization) {
                Some(end) => format!("{detail}: you hold it only until {}", end.rfc3339()),
                None => format!("{detail}: you do not hold it"),
            }
        })?;
        self.require_if_forbids_name(Named::Role(role), param)
    }

    /// When the administrator's own role ends; `None`: they do not hold it now.
    fn held_until(&self, role: &str, organization: Option<&str>) -> Option<Ts> {
        let subject = self.subject.as_ref()?;
        let held = self.snapshot.assignments_of(subject, self.now).into_iter();
        held.filter(|held| {
            let given_for = held.organization.as_deref();
            let gives = self.snapshot.role_ancestors(&held.role);
            (given_for.is_none() || given_for == organization)
                && gives.iter().any(|one| one == role)
        })
        .filter_map(|held| held.until)
        .max()
    }

    /// Requires the role's permissions on Signet itself, to take the role away or something from it.
    pub fn may_take_role(
        &self,
        role: &str,
        organization: Option<&str>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        if self.is_full() {
            return Ok(());
        }
        let own = self
            .standing(organization, Some(self.now))
            .unwrap_or_default();
        match self.beyond(&own, role) {
            Some(permission) => require(false, param, || {
                format!(
                    "you cannot take role {role:?} away: it has the permission {permission}, and you do not"
                )
            }),
            None => Ok(()),
        }
    }

    /// Requires the permissions on Signet itself that the group's roles have, to remove a member or the group; and all
    /// rights if an enabled policy names it.
    pub fn may_take_group(&self, group: &str, param: &str) -> Result<(), AdministrationError> {
        for assignment in self.snapshot.group_assignments(group) {
            self.may_take_role(&assignment.role, assignment.organization.as_deref(), param)?;
        }
        self.require_if_policies_name(Named::Group(group), param)
    }

    /// A permission on Signet's own administration that a role has and `own` does not cover.
    pub(super) fn beyond(&self, own: &Standing, role: &str) -> Option<String> {
        let prefix = format!("{RESOURCE_TYPE}:");
        let theirs = self.snapshot.role_permissions(role);
        theirs
            .into_iter()
            .find(|permission| permission.starts_with(&prefix) && !covers(own, permission))
    }

    /// Requires a permission, without an end, to give it.
    pub fn may_give_permission(
        &self,
        permission: &str,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let has = self.is_full_until(None)
            || self
                .standing(None, None)
                .is_some_and(|standing| covers(&standing, permission));
        require(has, param, || {
            format!(
                "you cannot grant the permission {permission}: you do not hold it without an end"
            )
        })
    }

    /// Requires a level on a resource, without an end, to give it.
    pub fn may_give_level(
        &self,
        resource: &ResourceName,
        level: Level,
        param: &str,
    ) -> Result<(), AdministrationError> {
        require(self.holds_level(resource, level), param, || {
            let level = level.as_str();
            format!(
                "you cannot grant level {level} on {resource}: you do not hold it without an end"
            )
        })
    }

    /// Requires a level on Signet itself to take it from a user or group, who may administrate with it. A level on
    /// anything else is for everyone to take who may write levels.
    pub fn may_take_level(
        &self,
        resource: &ResourceName,
        level: Level,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let may = resource.kind != RESOURCE_TYPE || self.holds_level(resource, level);
        require(may, param, || {
            let level = level.as_str();
            format!("you cannot take level {level} on {resource}: you do not hold it")
        })
    }

    fn holds_level(&self, resource: &ResourceName, level: Level) -> bool {
        let every = format!("{}:{}", resource.kind, Permission::EVERY_ACTION);
        self.is_full_until(None)
            || self
                .standing(None, None)
                .is_some_and(|standing| standing.permissions.contains(&every))
            || self
                .subject
                .as_ref()
                .is_some_and(|subject| self.snapshot.level_of(subject, resource) >= Some(level))
    }

    /// Requires membership in a group to add a user to it: the user gets what the group, policies and applications give
    /// its members. Requires all rights if an enabled `forbid` names it, which would apply to the new member.
    pub fn may_give_group(&self, group: &str, param: &str) -> Result<(), AdministrationError> {
        let has = self.is_full_until(None)
            || self
                .standing(None, None)
                .is_some_and(|standing| standing.groups.contains(group));
        require(has, param, || {
            format!("you cannot add to group {group:?}: you are not a member of it")
        })?;
        self.require_if_forbids_name(Named::Group(group), param)
    }
}

/// Whether these permissions include one, or every action on its type.
fn covers(standing: &Standing, permission: &str) -> bool {
    let every = Permission::parse(permission)
        .map(|permission| format!("{}:{}", permission.resource_type, Permission::EVERY_ACTION));
    standing.permissions.contains(permission)
        || every.is_some_and(|every| standing.permissions.contains(&every))
}

fn require(
    has: bool,
    param: &str,
    detail: impl FnOnce() -> String,
) -> Result<(), AdministrationError> {
    if has {
        return Ok(());
    }
    Err(AdministrationError::Beyond {
        detail: detail(),
        param: Some(param.to_owned()),
    })
}
