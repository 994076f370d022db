//! Guards of what policies go by: names, attributes, and how people compare.
//!
//! Each asks the strongest reading of the enabled policies ([`Snapshot::policies_name`], [`Snapshot::policies_read`],
//! [`Snapshot::could_ever`]), and is passed by those who may do everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ACTIONS, AdministrationError, Named, RESOURCE_TYPE, Rights};
use crate::domain::directory::Object;
use crate::domain::ids::UserId;
use crate::domain::policy::{ADMIN_PERMISSION, ResourceName, Snapshot, Subject};
use crate::domain::user::User;
use crate::service::Services;

/// Users in more organizations, or with rights in more, can be changed only with all rights: comparing them takes too
/// long while other acts wait.
const MOST_ORGANIZATIONS: usize = 50;

impl Rights {
    /// Requires all rights if an enabled policy names a thing, or what comes with it: changing it changes what the
    /// policy allows, and removing it may remove a `forbid`.
    pub fn require_if_policies_name(
        &self,
        thing: Named<'_>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        self.require_if(param, || {
            brought(&self.snapshot, thing, Snapshot::policies_name)
        })
    }

    /// Requires all rights if an enabled `forbid` names a thing that a user is to get: it would apply to that user.
    pub fn require_if_forbids_name(
        &self,
        thing: Named<'_>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        self.require_if(param, || {
            brought(&self.snapshot, thing, Snapshot::forbids_name)
        })
    }

    /// Requires all rights if an enabled policy may read an attribute that the change sets, changes or removes: a
    /// `permit` may apply afterwards, or a `forbid` no longer. A new thing had no attributes, a deleted one has none.
    pub fn require_if_policies_read(
        &self,
        thing: Named<'_>,
        was: &Map<String, Value>,
        is: &Map<String, Value>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let changed = names
            .into_iter()
            .filter(|name| was.get(*name) != is.get(*name));
        let mut changed = changed.peekable();
        if changed.peek().is_none() {
            return Ok(());
        }
        self.require_if(param, || {
            changed.any(|name| self.snapshot.policies_read(thing, name))
        })
    }

    /// The same for a resource. Its organization is an attribute, and policies may name it.
    pub fn require_if_policies_read_object(
        &self,
        name: &ResourceName,
        was: &Object,
        is: &Object,
    ) -> Result<(), AdministrationError> {
        let thing = Named::Object(&name.kind, &name.id);
        self.require_if_policies_read(thing, &was.attributes, &is.attributes, "attributes")?;
        if was.organization == is.organization {
            return Ok(());
        }
        self.require_if("organization", || {
            let mut names = ["organization", "org"].into_iter();
            names.any(|name| self.snapshot.policies_read(thing, name))
        })?;
        for organization in [&was.organization, &is.organization].into_iter().flatten() {
            self.require_if_policies_name(Named::Organization(organization), "organization")?;
        }
        Ok(())
    }

    /// The same for a user: attributes that policies read, and the username and e-mail address that they may name.
    /// `None`: the user is created or deleted.
    pub fn require_if_policies_read_user(
        &self,
        was: Option<&User>,
        is: Option<&User>,
    ) -> Result<(), AdministrationError> {
        let Some(user) = is.or(was) else {
            return Ok(());
        };
        let id = user.id.to_string();
        let (before, after) = match (was, is) {
            // What Signet itself says of a user is an attribute too.
            (Some(was), Some(is)) => (
                Subject::of_user(was.clone()).attributes,
                Subject::of_user(is.clone()).attributes,
            ),
            // Else a policy that reads what every user has would leave creating users to those who may do everything.
            (Some(one), None) => (one.attributes.clone(), Map::new()),
            (None, Some(one)) => (Map::new(), one.attributes.clone()),
            (None, None) => return Ok(()),
        };
        self.require_if_policies_read(Named::User(&id), &before, &after, "attributes")?;
        let name = |user: Option<&User>| user.map(|user| user.username.clone());
        let email = |user: Option<&User>| user.and_then(|user| user.email.clone());
        for (was, is, param) in [
            (name(was), name(is), "username"),
            (email(was), email(is), "email"),
        ] {
            if was == is {
                continue;
            }
            for name in [was, is].into_iter().flatten() {
                self.require_if_policies_name(Named::User(&name), param)?;
            }
        }
        if was.is_none() || is.is_none() {
            self.require_if_policies_name(Named::User(&id), "id")?;
        }
        Ok(())
    }

    /// Requires all rights if an enabled `forbid` may read to which organization users belong: it may apply no longer
    /// to one who joins or leaves any.
    pub fn require_if_forbids_read_membership(
        &self,
        user: UserId,
        param: &str,
    ) -> Result<(), AdministrationError> {
        self.require_if(param, || {
            let id = user.to_string();
            self.snapshot.forbids_read(Named::User(&id), "org")
        })
    }

    /// The same for every user, and for `permit` policies too: an organization is deleted with all its memberships.
    pub fn require_if_policies_read_membership(
        &self,
        param: &str,
    ) -> Result<(), AdministrationError> {
        self.require_if(param, || {
            self.snapshot.policies_read(Named::User(""), "org")
        })
    }

    fn require_if(
        &self,
        param: &str,
        counts: impl FnOnce() -> bool,
    ) -> Result<(), AdministrationError> {
        let required = self.require_all_rights(param);
        if required.is_err() && (!self.complete || counts()) {
            return required;
        }
        Ok(())
    }

    /// Requires the rights of a user, to take over the account, for example by its password.
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
            Some(subject) => self.require_no_more_rights_than(services, &subject).await,
            None => Ok(()),
        }
    }

    /// Requires the rights that a user would have who joined an organization, or left it: policies read memberships.
    pub async fn may_change_membership(
        &self,
        services: &Services,
        user: UserId,
        organization: &str,
        joins: bool,
    ) -> Result<(), AdministrationError> {
        let (_, known) = services.decisions.known(Some(user)).await?;
        let Some(known) = known.filter(|_| !self.is_full()) else {
            return Ok(());
        };
        let mut subject = Subject::clone(&known);
        subject.organizations.retain(|name| name != organization);
        if joins {
            subject.organizations.push(organization.to_owned());
        }
        self.require_no_more_rights_than(services, &subject).await
    }

    /// Requires the rights that a new user would have: policies read names and attributes.
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
        self.require_no_more_rights_than(services, &subject).await
    }

    /// Refuses a user who may have more rights than the administrator has now: by roles, for every organization, and by
    /// what levels and enabled policies could allow in any circumstances. A disabled user counts as well, because the
    /// account may be enabled later.
    async fn require_no_more_rights_than(
        &self,
        services: &Services,
        person: &Subject,
    ) -> Result<(), AdministrationError> {
        let Some(by) = &self.by else {
            return Ok(());
        };
        let beyond = |permission: &str| AdministrationError::Beyond {
            detail: format!("this user may have the permission {permission}, and you do not"),
            param: None,
        };
        let mut organizations: BTreeSet<&str> =
            person.organizations.iter().map(String::as_str).collect();
        for assignment in self.snapshot.assignments_of(person, self.now) {
            let organization = assignment.organization.as_deref();
            organizations.extend(organization);
            let own = self
                .standing(organization, Some(self.now))
                .unwrap_or_default();
            if let Some(permission) = self.beyond(&own, &assignment.role) {
                return Err(beyond(&permission));
            }
        }
        if !self.complete || organizations.len() > MOST_ORGANIZATIONS {
            return Err(beyond(ADMIN_PERMISSION));
        }
        // The resource is the same for every action.
        let asked = by.asked(person.id, ACTIONS[0], None, self.now);
        let object = services.decisions.object(&asked).await?;
        for action in ACTIONS {
            tokio::task::yield_now().await;
            let places = self.snapshot.could_ever(person, action, &object, self.now);
            if places.len() > MOST_ORGANIZATIONS {
                return Err(beyond(ADMIN_PERMISSION));
            }
            for place in places {
                let may = by.may(services, action, place.organization(), self.now);
                if !may.await? {
                    return Err(beyond(&format!("{RESOURCE_TYPE}:{action}")));
                }
            }
        }
        Ok(())
    }
}

/// Whether policies name a thing or what it brings with it: a role its ancestors, a group also its roles.
fn brought(
    snapshot: &Snapshot,
    thing: Named<'_>,
    named: impl Fn(&Snapshot, Named<'_>) -> bool,
) -> bool {
    let role = |name: &str| {
        let mut ancestors = snapshot.role_ancestors(name).iter();
        ancestors.any(|name| named(snapshot, Named::Role(name)))
    };
    let more = match thing {
        Named::Role(name) => role(name),
        Named::Group(name) => {
            let mut ancestors = snapshot.group_ancestors(name).iter();
            ancestors.any(|name| named(snapshot, Named::Group(name)))
                || snapshot
                    .group_assignments(name)
                    .any(|given| role(&given.role))
        }
        Named::Organization(_) | Named::Client(_) | Named::User(_) | Named::Object(..) => false,
    };
    more || named(snapshot, thing)
}
