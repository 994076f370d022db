//! What an administrator has, and so may give away.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ACTIONS, AdministrationError, Administrator, RESOURCE_TYPE};
use crate::domain::ids::UserId;
use crate::domain::policy::{
    ADMIN_PERMISSION, Level, Permission, ResourceName, Snapshot, Standing, Subject,
};
use crate::domain::user::User;
use crate::service::Services;
use crate::spec::time::Ts;

/// Who belongs to more organizations is too much to judge while others wait: only those who may do everything change
/// their account.
const MOST_ORGANIZATIONS: usize = 50;

/// What an administrator has. Whoever has `signet:*` has everything. What ends gives nothing that lasts longer.
pub struct Rights {
    /// None for an operator, who may do everything.
    by: Option<Administrator>,
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
            by: Some(by.clone()),
            snapshot,
            subject,
            now,
        })
    }

    /// Those of an operator at the command line, who may do everything.
    pub(super) fn of_operator(now: Ts) -> Self {
        Self {
            by: None,
            snapshot: Arc::default(),
            subject: None,
            now,
        }
    }

    /// The administrator; none for an operator.
    pub(super) const fn by(&self) -> Option<&Administrator> {
        self.by.as_ref()
    }

    /// What they have in an organization until that time; `None`: for good.
    fn standing(&self, organization: Option<&str>, until: Option<Ts>) -> Option<Standing> {
        let subject = self.subject.as_ref()?;
        // As it will be in the last moment.
        let then = until.map_or(Ts(i64::MAX), |until| Ts(until.micros() - 1));
        let then = then.max(self.now);
        Some(self.snapshot.standing_in(subject, organization, then))
    }

    /// Whether they may do everything right now.
    fn is_full(&self) -> bool {
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

    /// What only those may do who may do everything, for good.
    pub fn must_be_full(&self, param: &str) -> Result<(), AdministrationError> {
        require(self.is_full_until(None), param, || {
            format!("the permission {ADMIN_PERMISSION}, without an end,")
        })
    }

    /// Giving a role, everywhere or for an organization, until a time or for good: they must have it there themselves,
    /// and no shorter.
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
            format!("the role {role:?}, as long as that,")
        })
    }

    /// Taking a role away, or something from it: what it says about administration must be theirs.
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
            Some(permission) => require(false, param, || format!("the permission {permission}")),
            None => Ok(()),
        }
    }

    /// Taking a group away: what its roles say about administration must be theirs.
    pub fn may_take_group(&self, group: &str, param: &str) -> Result<(), AdministrationError> {
        for assignment in self.snapshot.group_assignments(group) {
            self.may_take_role(&assignment.role, assignment.organization.as_deref(), param)?;
        }
        Ok(())
    }

    /// A permission on Signet's own administration that a role has and `own` does not cover.
    fn beyond(&self, own: &Standing, role: &str) -> Option<String> {
        let prefix = format!("{RESOURCE_TYPE}:");
        let theirs = self.snapshot.role_permissions(role);
        theirs
            .into_iter()
            .find(|permission| permission.starts_with(&prefix) && !covers(own, permission))
    }

    /// Giving a permission.
    pub fn may_give_permission(
        &self,
        permission: &str,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let has = self.is_full_until(None)
            || self
                .standing(None, None)
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
        let has = self.is_full_until(None)
            || self
                .standing(None, None)
                .is_some_and(|standing| standing.permissions.contains(&every))
            || self
                .subject
                .as_ref()
                .is_some_and(|subject| self.snapshot.level_of(subject, resource) >= Some(level));
        require(has, param, || {
            format!("the level {} on {resource}", level.as_str())
        })
    }

    /// Making somebody a member of a group gives them all that the group gives, and all that policies and applications
    /// make of it: they must be members themselves.
    pub fn may_give_group(&self, group: &str, param: &str) -> Result<(), AdministrationError> {
        let has = self.is_full_until(None)
            || self
                .standing(None, None)
                .is_some_and(|standing| standing.groups.contains(group));
        require(has, param, || format!("the group {group:?}"))
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
        match subject {
            Some(subject) => self.is_no_less(services, &subject).await,
            None => Ok(()),
        }
    }

    /// Making somebody a member of an organization: policies go by it.
    pub async fn may_make_member(
        &self,
        services: &Services,
        user: UserId,
        organization: &str,
    ) -> Result<(), AdministrationError> {
        let (_, known) = services.decisions.known(Some(user)).await?;
        let Some(known) = known.filter(|_| !self.is_full()) else {
            return Ok(());
        };
        let mut subject = Subject::clone(&known);
        subject.organizations.push(organization.to_owned());
        self.is_no_less(services, &subject).await
    }

    /// Making a person who is called so and has these attributes: policies go by them.
    pub(super) async fn may_make(
        &self,
        services: &Services,
        user: User,
    ) -> Result<(), AdministrationError> {
        if self.is_full() {
            return Ok(());
        }
        let (_, known) = services.decisions.known(Some(user.id)).await?;
        let alone = Subject::of_user(user);
        let subject = match known {
            Some(known) => Subject {
                attributes: alone.attributes,
                ..Subject::clone(&known)
            },
            None => alone,
        };
        self.is_no_less(services, &subject).await
    }

    /// Refuses when somebody may administrate what the administrator may not: by roles anywhere, or by what levels and
    /// policies allow them in the administrator's circumstances. Whoever is disabled may be enabled one day.
    async fn is_no_less(
        &self,
        services: &Services,
        subject: &Subject,
    ) -> Result<(), AdministrationError> {
        let Some(by) = &self.by else {
            return Ok(());
        };
        let beyond = |permission: &str| AdministrationError::Beyond {
            what: format!("the permission {permission}, which this person has,"),
            param: None,
        };
        let mut organizations = BTreeSet::from([None]);
        organizations.extend(subject.organizations.iter().map(|name| Some(name.as_str())));
        for assignment in self.snapshot.assignments_of(subject, self.now) {
            let organization = assignment.organization.as_deref();
            organizations.insert(organization);
            let own = self
                .standing(organization, Some(self.now))
                .unwrap_or_default();
            if let Some(permission) = self.beyond(&own, &assignment.role) {
                return Err(beyond(&permission));
            }
        }
        if organizations.len() > MOST_ORGANIZATIONS {
            return Err(beyond(ADMIN_PERMISSION));
        }
        let enabled = Subject {
            enabled: true,
            ..subject.clone()
        };
        for organization in organizations {
            tokio::task::yield_now().await;
            for action in ACTIONS {
                let asked = by.asked(subject.id, action, organization, self.now);
                let decided = services.decisions.decide_of(&enabled, &asked, self.now);
                if Box::pin(decided).await?.allowed
                    && !by.may(services, action, organization, self.now).await?
                {
                    return Err(beyond(&format!("{RESOURCE_TYPE}:{action}")));
                }
            }
        }
        Ok(())
    }

    /// What policies may call something: its name, and those of what it brings with it.
    pub(super) fn names_of(&self, thing: Named<'_>) -> BTreeSet<String> {
        let snapshot = &self.snapshot;
        match thing {
            Named::Role(name) => {
                let ancestors = snapshot.role_ancestors(name).iter().cloned();
                ancestors.chain([name.to_owned()]).collect()
            }
            Named::Group(name) => {
                let ancestors = snapshot.group_ancestors(name).iter().cloned();
                let roles = snapshot.group_assignments(name);
                let roles = roles.flat_map(|given| snapshot.role_ancestors(&given.role));
                ancestors
                    .chain(roles.cloned())
                    .chain([name.to_owned()])
                    .collect()
            }
            Named::Organization(name) => BTreeSet::from([name.to_owned()]),
        }
    }
}

/// Something that policies speak of by its name.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// A role.
    Role(&'a str),
    /// A group.
    Group(&'a str),
    /// An organization.
    Organization(&'a str),
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
