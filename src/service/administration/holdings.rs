//! What people and groups hold: roles and memberships.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::checking::Checking;
use super::kind::Kind as _;
use super::{Act, AdministrationError, KindName, Named, Outcome};
use crate::domain::audit::{Event, EventType};
use crate::domain::directory::{Group, GroupName, Organization, OrganizationName, Role};
use crate::domain::ids::UserId;
use crate::domain::policy::{Assignment, Bounded};
use crate::service::audit::views;
use crate::store::assignments::Holder;
use crate::store::error::StoreError;

impl Act {
    /// Gives a role, or changes until when it is given.
    pub async fn assign(
        &mut self,
        holder: &Holder,
        assignment: &Assignment,
    ) -> Result<Outcome, AdministrationError> {
        // Not before: a request that is repeated later was right when it was done.
        if assignment.until.is_some_and(|until| until <= self.now) {
            let problem = "this time has passed";
            return Err(AdministrationError::mistake(
                KindName::Role,
                &assignment.role,
                "until",
                problem,
            ));
        }
        self.check_assignment(holder, assignment).await?;
        let had = self.held(holder, assignment).await?;
        let (role, organization) = (&assignment.role, assignment.organization.as_deref());
        self.rights
            .may_give_role(role, organization, assignment.until, "role")?;
        if had.as_ref().is_some_and(|had| had != assignment) {
            self.judge_loss(holder, assignment).await?;
        }
        if had.as_ref() == Some(assignment) {
            return Ok(Outcome::Unchanged);
        }
        self.tx.assign(holder, assignment).await?;
        self.tell_assignment(holder, had.as_ref(), Some(assignment))
            .await?;
        Ok(match had {
            None => Outcome::Created,
            Some(_) => Outcome::Changed(vec!["until".to_owned()]),
        })
    }

    /// Takes a role; `false` when it was not given.
    pub async fn unassign(
        &mut self,
        holder: &Holder,
        like: &Assignment,
    ) -> Result<bool, AdministrationError> {
        let Some(had) = self.held(holder, like).await? else {
            return Ok(false);
        };
        self.judge_loss(holder, &had).await?;
        let organization = had.organization.as_deref();
        self.tx.unassign(holder, &had.role, organization).await?;
        self.tell_assignment(holder, Some(&had), None).await?;
        Ok(true)
    }

    /// Refuses what refers to a role, an organization or a holder that is not there. Names that were meant are told to
    /// administrators who may read them.
    async fn check_assignment(
        &mut self,
        holder: &Holder,
        assignment: &Assignment,
    ) -> Result<(), AdministrationError> {
        let hints = self.may(Role::READ, None).await? && self.may(Group::READ, None).await?;
        let mut checking = Checking::one(&mut self.tx, self.now, hints);
        checking.at(KindName::Role, &assignment.role);
        checking
            .refer("role", KindName::Role, &assignment.role)
            .await?;
        if let Some(organization) = &assignment.organization {
            let kind = KindName::Organization;
            checking.refer("organization", kind, organization).await?;
        }
        match holder {
            Holder::User(user) => {
                let user = user.to_string();
                checking.refer("user_id", KindName::User, &user).await?;
            }
            Holder::Group(group) => checking.refer("group", KindName::Group, group).await?,
        }
        checking.done().map(drop)
    }

    async fn held(
        &mut self,
        holder: &Holder,
        like: &Assignment,
    ) -> Result<Option<Assignment>, StoreError> {
        let held = self.tx.list_assignments_of(holder).await?;
        Ok(held.into_iter().find(|had| had.is_for_the_same_as(like)))
    }

    /// Refuses to take a role from a person who may administrate more than the administrator, and one that a policy
    /// names: it may forbid.
    async fn judge_loss(
        &mut self,
        holder: &Holder,
        had: &Assignment,
    ) -> Result<(), AdministrationError> {
        match holder {
            Holder::User(user) => self.rights.may_control(&self.services, *user).await?,
            Holder::Group(_) => {
                let organization = had.organization.as_deref();
                self.rights.may_take_role(&had.role, organization, "role")?;
            }
        }
        self.rights
            .require_if_policies_name(Named::Role(&had.role), "role")
    }

    /// Makes what a person or group was given exactly that, for a document; whether anything changed.
    pub(super) async fn put_assignments(
        &mut self,
        holder: &Holder,
        wanted: &BTreeSet<Assignment>,
    ) -> Result<bool, AdministrationError> {
        self.judge_whole_lists("roles")?;
        let had = self.tx.list_assignments_of(holder).await?;
        for gone in had.difference(wanted) {
            if !wanted.iter().any(|one| one.is_for_the_same_as(gone)) {
                let organization = gone.organization.as_deref();
                self.tx.unassign(holder, &gone.role, organization).await?;
                self.tell_assignment(holder, Some(gone), None).await?;
            }
        }
        for new in wanted.difference(&had) {
            let before = had.iter().find(|had| had.is_for_the_same_as(new));
            self.tx.assign(holder, new).await?;
            self.tell_assignment(holder, before, Some(new)).await?;
        }
        Ok(had != *wanted)
    }

    /// Makes a person a member of a group: they get all that the group gives.
    pub async fn join_group(
        &mut self,
        user: UserId,
        name: &GroupName,
    ) -> Result<(), AdministrationError> {
        self.find::<Group>(name).await?;
        self.find_user(user).await?;
        self.rights.may_give_group(name, "name")?;
        self.join(user, MemberOf::Group(name)).await.map(drop)
    }

    /// Ends a person's membership in a group; `false` when they were none.
    pub async fn leave_group(
        &mut self,
        user: UserId,
        name: &GroupName,
    ) -> Result<bool, AdministrationError> {
        self.find::<Group>(name).await?;
        self.rights.may_take_group(name, "name")?;
        self.leave(user, MemberOf::Group(name)).await
    }

    /// Makes a person a member of an organization: policies go by it.
    pub async fn join_organization(
        &mut self,
        user: UserId,
        name: &OrganizationName,
    ) -> Result<(), AdministrationError> {
        self.find::<Organization>(name).await?;
        self.find_user(user).await?;
        if self.rights.is_self(user) {
            self.rights.require_all_rights("user_id")?;
        }
        self.judge_membership(user, name, true).await?;
        self.join(user, MemberOf::Organization(name))
            .await
            .map(drop)
    }

    /// Ends a person's membership in an organization; `false` when they were none.
    pub async fn leave_organization(
        &mut self,
        user: UserId,
        name: &OrganizationName,
    ) -> Result<bool, AdministrationError> {
        self.find::<Organization>(name).await?;
        // A policy may forbid something to members of any suspended organization, naming none.
        if self.rights.is_self(user) {
            self.rights.require_all_rights("user_id")?;
        }
        self.judge_membership(user, name, false).await?;
        self.leave(user, MemberOf::Organization(name)).await
    }

    async fn judge_membership(
        &self,
        user: UserId,
        name: &OrganizationName,
        joins: bool,
    ) -> Result<(), AdministrationError> {
        let (rights, services) = (&self.rights, &self.services);
        rights.require_if_policies_name(Named::Organization(name), "name")?;
        rights.require_if_forbids_read_membership(user, "name")?;
        rights
            .may_change_membership(services, user, name, joins)
            .await
    }

    /// Makes the memberships of a person exactly those of a document; whether anything changed.
    pub(super) async fn put_memberships<N: Ord>(
        &mut self,
        user: UserId,
        had: &BTreeSet<N>,
        wanted: &BTreeSet<N>,
        of: fn(&N) -> MemberOf<'_>,
    ) -> Result<bool, AdministrationError> {
        self.judge_whole_lists("memberships")?;
        for name in had.difference(wanted) {
            self.leave(user, of(name)).await?;
        }
        for name in wanted.difference(had) {
            self.join(user, of(name)).await?;
        }
        Ok(had != wanted)
    }

    /// Adds a membership that was judged; `false` when it was there.
    async fn join(&mut self, user: UserId, of: MemberOf<'_>) -> Result<bool, AdministrationError> {
        let new = match of {
            MemberOf::Group(name) => self.tx.add_group_member(user, name).await?,
            MemberOf::Organization(name) => self.tx.add_organization_member(user, name).await?,
        };
        if new {
            let event = self.membership(EventType::MembershipCreated, user, of);
            self.record(event.after(of.view())).await?;
        }
        Ok(new)
    }

    /// Removes a membership that was judged; `false` when there was none.
    async fn leave(&mut self, user: UserId, of: MemberOf<'_>) -> Result<bool, AdministrationError> {
        let gone = match of {
            MemberOf::Group(name) => self.tx.remove_group_member(user, name).await?,
            MemberOf::Organization(name) => self.tx.remove_organization_member(user, name).await?,
        };
        if gone {
            let event = self.membership(EventType::MembershipDeleted, user, of);
            self.record(event.before(of.view())).await?;
        }
        Ok(gone)
    }

    /// All that a person or group holds is set at once by those who may do everything: nothing of it is judged by
    /// itself.
    pub(super) fn judge_whole_lists(&self, param: &str) -> Result<(), AdministrationError> {
        self.rights.require_all_rights(param)
    }

    async fn tell_assignment(
        &mut self,
        holder: &Holder,
        before: Option<&Assignment>,
        after: Option<&Assignment>,
    ) -> Result<(), AdministrationError> {
        let kind = match after {
            Some(_) => EventType::AssignmentCreated,
            None => EventType::AssignmentDeleted,
        };
        if matches!(holder, Holder::Group(_)) {
            let by = i64::from(before.is_none()) - i64::from(after.is_none());
            *self.counted.entry(Bounded::GroupRoles).or_default() += by;
        }
        let mut event = self.about(kind, holder);
        if let Some(organization) = before.or(after).and_then(|it| it.organization.as_ref()) {
            event = event.organization(organization);
        }
        let view = |assignment| views::held(holder, assignment);
        if let Some(before) = before {
            event = event.before(view(before));
        }
        if let Some(after) = after {
            event = event.after(view(after));
        }
        self.record(event).await
    }

    fn membership(&self, kind: EventType, user: UserId, of: MemberOf<'_>) -> Event {
        let event = self.event(kind).user(user);
        match of {
            MemberOf::Group(name) => event.target("group", name),
            MemberOf::Organization(name) => event.target("organization", name).organization(name),
        }
    }

    pub(super) fn about(&self, kind: EventType, holder: &Holder) -> Event {
        match holder {
            Holder::User(id) => self.event(kind).target("user", id).user(*id),
            Holder::Group(name) => self.event(kind).target("group", name),
        }
    }
}

/// What a user is a member of.
#[derive(Clone, Copy)]
pub(super) enum MemberOf<'a> {
    Group(&'a GroupName),
    Organization(&'a OrganizationName),
}

impl MemberOf<'_> {
    fn view(self) -> Value {
        match self {
            Self::Group(name) => json!({ "group": name.as_str() }),
            Self::Organization(name) => json!({ "organization": name.as_str() }),
        }
    }
}

impl Checking<'_> {
    /// Whether roles can be given so.
    pub(super) async fn assignments(
        &mut self,
        given: &BTreeSet<Assignment>,
    ) -> Result<(), StoreError> {
        let mut before: Option<&Assignment> = None;
        for assignment in given {
            let role = &assignment.role;
            self.refer("roles", KindName::Role, role).await?;
            if let Some(organization) = &assignment.organization {
                let kind = KindName::Organization;
                self.refer("roles", kind, organization).await?;
            }
            // They stand in the order of role and organization.
            if before.is_some_and(|before| before.is_for_the_same_as(assignment)) {
                let problem = format!("{assignment} is there twice, with two values of `until`");
                self.refuse("roles", problem);
            }
            before = Some(assignment);
            // A document that was right yesterday still applies.
            if let Some(until) = assignment.until
                && until <= self.now
            {
                let (ended, who) = (until.rfc3339(), self.title());
                self.warn(format!(
                    "{who}: the role {assignment} ended at {ended} and gives nothing; remove it or set a later `until`"
                ));
            }
        }
        Ok(())
    }
}
