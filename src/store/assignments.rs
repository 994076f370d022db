//! Who was given which role: people in `role_assignments`, groups in `group_roles`.
//!
//! An assignment is known by its holder, its role and its organization; until when it counts is what can change.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Run, Thing, Tx, reads};
use super::error::StoreError;
use crate::domain::ids::UserId;
use crate::domain::policy::Assignment;
use crate::spec::time::Ts;

/// Who holds a role. People come before groups in every list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A person.
    User(UserId),
    /// The members of a group.
    Group(String),
}

/// One assignment with its holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Who holds it.
    pub holder: Holder,
    /// What.
    pub assignment: Assignment,
}

/// Which assignments to list; what is `None` may be anything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this person or group alone.
    pub holder: Option<Holder>,
    /// Of this role alone.
    pub role: Option<String>,
    /// For this organization alone; an empty name: for every one.
    pub organization: Option<String>,
}

/// Behind which assignment a list goes on: the last one of the page before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its holder.
    pub holder: Holder,
    /// Its role.
    pub role: String,
    /// Its organization; empty: every one.
    pub organization: String,
}

impl Place {
    /// The place of an assignment.
    #[must_use]
    pub fn of(held: &Held) -> Self {
        Self {
            holder: held.holder.clone(),
            role: held.assignment.role.clone(),
            organization: key(held.assignment.organization.as_deref()),
        }
    }
}

/// What became of giving a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// They did not have it for this organization.
    Created,
    /// They had it until another time.
    Changed,
    /// They had it just so.
    Unchanged,
}

impl Store {
    /// Assignments in the order of (people before groups, holder, role, organization), at most `limit`, of those
    /// behind `after`.
    pub async fn list_assignments(
        &self,
        filter: &Filter,
        after: Option<&Place>,
        limit: i64,
    ) -> Result<Vec<Held>, StoreError> {
        let mut all = Vec::new();
        let of_people = !matches!(filter.holder, Some(Holder::Group(_)))
            && !matches!(
                after,
                Some(Place {
                    holder: Holder::Group(_),
                    ..
                })
            );
        if of_people {
            let only = match &filter.holder {
                Some(Holder::User(id)) => Some(id.0),
                Some(Holder::Group(_)) | None => None,
            };
            let (holder, role, organization) = match after {
                Some(Place {
                    holder: Holder::User(id),
                    role,
                    organization,
                }) => (id.0, role.clone(), organization.clone()),
                Some(_) | None => (Uuid::nil(), String::new(), String::new()),
            };
            let rows = self
                .db
                .q(PAGE_OF_PEOPLE)
                .bind(holder)
                .bind(role)
                .bind(organization);
            let rows = rows.bind(only).bind(filter.role.clone());
            let rows = rows.bind(filter.organization.clone()).bind(limit);
            let rows = rows.all::<(Uuid, String, String, Option<i64>)>().await?;
            all.extend(
                rows.into_iter()
                    .map(|(id, role, organization, until)| Held {
                        holder: Holder::User(UserId(id)),
                        assignment: assignment((role, organization, until)),
                    }),
            );
        }
        let left = limit - i64::try_from(all.len()).unwrap_or(limit);
        if left > 0 && !matches!(filter.holder, Some(Holder::User(_))) {
            let only = match &filter.holder {
                Some(Holder::Group(name)) => Some(name.clone()),
                Some(Holder::User(_)) | None => None,
            };
            let (holder, role, organization) = match after {
                Some(Place {
                    holder: Holder::Group(name),
                    role,
                    organization,
                }) => (name.clone(), role.clone(), organization.clone()),
                Some(_) | None => (String::new(), String::new(), String::new()),
            };
            let rows = self
                .db
                .q(PAGE_OF_GROUPS)
                .bind(holder)
                .bind(role)
                .bind(organization);
            let rows = rows.bind(only).bind(filter.role.clone());
            let rows = rows.bind(filter.organization.clone()).bind(left);
            let rows = rows.all::<(String, String, String, Option<i64>)>().await?;
            all.extend(
                rows.into_iter()
                    .map(|(name, role, organization, until)| Held {
                        holder: Holder::Group(name),
                        assignment: assignment((role, organization, until)),
                    }),
            );
        }
        Ok(all)
    }
}

reads! {
    /// The roles that a user or a group was given directly.
    list_assignments_of(holder: &Holder) -> BTreeSet<Assignment> = list_of;
}

async fn list_of(run: &mut impl Run, holder: &Holder) -> Result<BTreeSet<Assignment>, StoreError> {
    let query = match holder {
        Holder::User(id) => run.q(OF_USER).bind(id.0),
        Holder::Group(name) => run.q(OF_GROUP).bind(name.clone()),
    };
    let rows = query.all::<Row>().await?;
    Ok(rows.into_iter().map(assignment).collect())
}

impl Tx {
    /// Gives a role, for one organization or all, until a time or without an end. Where it was given for the same
    /// organization before, the new time counts. The role must exist, and the organization should
    /// ([`Tx::existing_organizations`]).
    pub async fn assign(
        &mut self,
        holder: &Holder,
        assignment: &Assignment,
    ) -> Result<Assigned, StoreError> {
        let organization = key(assignment.organization.as_deref());
        let until = assignment.until.map(Ts::micros);
        let find = match holder {
            Holder::User(id) => self.q(UNTIL_OF_USER).bind(id.0),
            Holder::Group(name) => self.q(UNTIL_OF_GROUP).bind(name.clone()),
        };
        let find = find
            .bind(assignment.role.clone())
            .bind(organization.clone());
        let was = find.opt::<(Option<i64>,)>().await?;
        let outcome = match was {
            Some((had,)) if had == until => return Ok(Assigned::Unchanged),
            Some(_) => Assigned::Changed,
            None => Assigned::Created,
        };
        let save = match holder {
            Holder::User(id) => self.q(ASSIGN_USER).bind(id.0),
            Holder::Group(name) => self.q(ASSIGN_GROUP).bind(name.clone()),
        };
        let save = save.bind(assignment.role.clone()).bind(organization);
        save.bind(until).exec().await?;
        self.holder_changed(holder).await?;
        Ok(outcome)
    }

    /// Takes a role for one organization, or the one for all of them. Whether it was there.
    pub async fn unassign(
        &mut self,
        holder: &Holder,
        role: &str,
        organization: Option<&str>,
    ) -> Result<bool, StoreError> {
        let delete = match holder {
            Holder::User(id) => self.q(UNASSIGN_USER).bind(id.0),
            Holder::Group(name) => self.q(UNASSIGN_GROUP).bind(name.clone()),
        };
        let delete = delete.bind(role.to_owned()).bind(key(organization));
        let gone = delete.exec().await? > 0;
        if gone {
            self.holder_changed(holder).await?;
        }
        Ok(gone)
    }
}

impl Tx {
    /// Says that what a user or a group was given is another. What is kept of groups is part of the policies, what is
    /// kept of users is not.
    pub(super) async fn holder_changed(&mut self, holder: &Holder) -> Result<(), StoreError> {
        match holder {
            Holder::User(_) => bump_changes(self, FACTS).await,
            Holder::Group(name) => {
                self.policy_changed(Thing::Group(name.clone()));
                Ok(())
            }
        }
    }
}

type Row = (String, String, Option<i64>);

/// An empty organization stands for none: a key has no nulls.
fn key(organization: Option<&str>) -> String {
    organization.unwrap_or_default().to_owned()
}

pub(super) fn assignment((role, organization, expires_at): Row) -> Assignment {
    Assignment {
        role,
        organization: Some(organization).filter(|name| !name.is_empty()),
        until: expires_at.map(Ts),
    }
}

const PAGE_OF_PEOPLE: &str = "SELECT user_id, role, organization, expires_at FROM role_assignments \
    WHERE (user_id, role, organization) > ($1, $2, $3) AND ($4 IS NULL OR user_id = $4) \
    AND ($5 IS NULL OR role = $5) AND ($6 IS NULL OR organization = $6) \
    ORDER BY user_id, role, organization LIMIT $7";

const PAGE_OF_GROUPS: &str = "SELECT group_name, role, organization, expires_at FROM group_roles \
    WHERE (group_name, role, organization) > ($1, $2, $3) AND ($4 IS NULL OR group_name = $4) \
    AND ($5 IS NULL OR role = $5) AND ($6 IS NULL OR organization = $6) \
    ORDER BY group_name, role, organization LIMIT $7";

const OF_USER: &str =
    "SELECT role, organization, expires_at FROM role_assignments WHERE user_id = $1";

const OF_GROUP: &str =
    "SELECT role, organization, expires_at FROM group_roles WHERE group_name = $1";

const UNTIL_OF_USER: &str = "SELECT expires_at FROM role_assignments WHERE user_id = $1 AND role = $2 AND organization = $3";

const UNTIL_OF_GROUP: &str =
    "SELECT expires_at FROM group_roles WHERE group_name = $1 AND role = $2 AND organization = $3";

const ASSIGN_USER: &str = "INSERT INTO role_assignments (user_id, role, organization, expires_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (user_id, role, organization) DO UPDATE SET expires_at = excluded.expires_at";

const ASSIGN_GROUP: &str = "INSERT INTO group_roles (group_name, role, organization, expires_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (group_name, role, organization) DO UPDATE SET expires_at = excluded.expires_at";

const UNASSIGN_USER: &str =
    "DELETE FROM role_assignments WHERE user_id = $1 AND role = $2 AND organization = $3";

const UNASSIGN_GROUP: &str =
    "DELETE FROM group_roles WHERE group_name = $1 AND role = $2 AND organization = $3";
