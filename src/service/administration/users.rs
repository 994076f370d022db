//! People: who they are, their passwords, and the end of all that is theirs.

use super::act::Revoked;
use super::checking::Checking;
use super::holdings::MemberOf;
use super::passwords::Prepared;
use super::user_rows::{NewPassword, UserRow, bad_name, changed_fields, check_user, fields, user};
use super::{Act, AdministrationError, KindName, Outcome, WRITE_ATTRIBUTES};
use crate::crypto::digest::sha256_b64;
use crate::crypto::random;
use crate::domain::audit::EventType;
use crate::domain::directory::{GroupName, OrganizationName};
use crate::domain::ids::UserId;
use crate::domain::policy::Of;
use crate::domain::user::{User, new_username_key, username_key};
use crate::service::audit::views;
use crate::service::tokens::revoke::raise_version;
use crate::store::assignments::Holder;
use crate::store::error::StoreError;
use crate::store::revocations::{Key, record};
use crate::store::users::{Memberships, UserFields, UserWithPassword};

impl Act {
    /// The user of that id, with the hash of the password.
    pub async fn find_user(&mut self, id: UserId) -> Result<UserWithPassword, AdministrationError> {
        let found = self.tx.find_user_with_password(id).await?;
        found.ok_or_else(|| AdministrationError::NotFound {
            kind: KindName::User,
            name: id.to_string(),
        })
    }

    /// Creates a person.
    pub async fn create_user(&mut self, row: &UserRow) -> Result<UserId, AdministrationError> {
        self.judge_row(row).await?;
        let key = self.check_user(row).await?;
        if self.tx.find_user_by_key(&key).await?.is_some() {
            return Err(AdministrationError::Exists {
                kind: KindName::User,
                name: row.username.clone(),
            });
        }
        self.make_user(row, &key, None).await
    }

    /// What a document says of a person and has checked: creates them, or changes what differs.
    pub(super) async fn put_user(
        &mut self,
        was: Option<&UserWithPassword>,
        row: &UserRow,
        key: &str,
        prepared: Option<&Prepared>,
    ) -> Result<Outcome, AdministrationError> {
        match was {
            None => {
                self.judge_row(row).await?;
                self.make_user(row, key, prepared).await?;
                Ok(Outcome::Created)
            }
            Some(was) => {
                self.judge_user(was, row, key).await?;
                self.update_user(was, row, key, prepared).await
            }
        }
    }

    /// Refuses what the administrator may not say of any new person.
    async fn judge_row(&mut self, row: &UserRow) -> Result<(), AdministrationError> {
        let verified = row.email_verified == Some(true);
        if verified || row.attributes.as_ref().is_some_and(|it| !it.is_empty()) {
            self.require(WRITE_ATTRIBUTES, None).await?;
        }
        self.judge_hash(row)
    }

    fn judge_hash(&self, row: &UserRow) -> Result<(), AdministrationError> {
        let Some(NewPassword::Hash(phc)) = &row.password else {
            return Ok(());
        };
        let services = &self.services;
        self.rights.require_affordable_hash(services, phc.expose())
    }

    /// Refuses a new person whom the administrator may not make, and stores everyone else.
    async fn make_user(
        &mut self,
        row: &UserRow,
        key: &str,
        prepared: Option<&Prepared>,
    ) -> Result<UserId, AdministrationError> {
        let id = UserId::from_random(random::bytes());
        let user = user(id, &fields(row, key, None)?, None, self.now);
        self.rights
            .require_if_policies_read_user(None, Some(&user))?;
        self.rights.may_make(&self.services, user).await?;
        self.insert_user(id, row, key, prepared).await?;
        Ok(id)
    }

    /// Changes what is said of a person, their name too.
    pub async fn change_user(
        &mut self,
        was: &UserWithPassword,
        row: &UserRow,
    ) -> Result<Outcome, AdministrationError> {
        self.rights.may_control(&self.services, was.user.id).await?;
        let key = self.check_user(row).await?;
        self.judge_user(was, row, &key).await?;
        self.update_user(was, row, &key, None).await
    }

    /// Refuses what the administrator may not change of a person.
    async fn judge_user(
        &mut self,
        was: &UserWithPassword,
        row: &UserRow,
        key: &str,
    ) -> Result<(), AdministrationError> {
        let (id, before) = (was.user.id, &was.user);
        self.rights.may_control(&self.services, id).await?;
        self.judge_hash(row)?;
        let wanted = fields(row, key, Some(before))?;
        // Policies and applications go by these, so they are not for oneself to choose.
        let verified =
            wanted.email_verified && (!before.email_verified || wanted.email != before.email);
        if wanted.attributes != before.attributes || verified {
            self.require(WRITE_ATTRIBUTES, None).await?;
        }
        let renamed = username_key(&before.username).as_deref() != Some(key);
        let known_by = renamed
            || wanted.attributes != before.attributes
            || wanted.email != before.email
            || wanted.email_verified != before.email_verified;
        if known_by {
            if self.rights.is_self(id) {
                self.rights.require_all_rights("attributes")?;
            }
            let user = user(id, &wanted, Some(before), self.now);
            self.rights
                .require_if_policies_read_user(Some(before), Some(&user))?;
            self.rights.may_make(&self.services, user).await?;
        }
        Ok(())
    }

    /// Sets a person's password and ends every session, grant and token of theirs: the old one is worth nothing more.
    pub async fn set_password(
        &mut self,
        was: &UserWithPassword,
        password: NewPassword,
    ) -> Result<(), AdministrationError> {
        let row = UserRow {
            username: was.user.username.clone(),
            password: Some(password),
            ..UserRow::default()
        };
        self.change_user(was, &row).await.map(drop)
    }

    /// Ends every session, grant and token of a person; returns their new token version.
    pub async fn revoke_user(&mut self, id: UserId) -> Result<i64, AdministrationError> {
        self.rights.may_control(&self.services, id).await?;
        let raised = raise_version(&mut self.tx, id, self.now).await?;
        let version = raised.ok_or_else(|| AdministrationError::NotFound {
            kind: KindName::User,
            name: id.to_string(),
        })?;
        self.revoked.push(Revoked::User(id, version));
        let event = self.event(EventType::UserTokensRevoked);
        let event = event.target("user", &id).user(id);
        self.record(event.detail("token_version", version)).await?;
        Ok(version)
    }

    /// Removes a person and ends everything of theirs.
    pub async fn remove_user(&mut self, was: &User) -> Result<(), AdministrationError> {
        self.rights.may_control(&self.services, was.id).await?;
        self.rights.require_if_policies_read_user(Some(was), None)?;
        self.delete_user(was).await
    }

    async fn check_user(&mut self, row: &UserRow) -> Result<String, AdministrationError> {
        let mut checking = Checking::one(&mut self.tx, self.now, true);
        let key = check_user(&mut checking, row).await?;
        checking.done()?;
        key.ok_or(AdministrationError::Invalid(Vec::new()))
    }

    async fn rename_user(
        &mut self,
        was: &User,
        wanted: &UserFields,
    ) -> Result<(), AdministrationError> {
        if new_username_key(&wanted.username).is_none() {
            return Err(bad_name(&wanted.username));
        }
        let renamed = self
            .tx
            .rename_user(was.id, &wanted.username, &wanted.username_key)
            .await;
        if matches!(renamed, Err(StoreError::Conflict { .. })) {
            return Err(AdministrationError::Exists {
                kind: KindName::User,
                name: wanted.username.clone(),
            });
        }
        Ok(renamed?)
    }

    /// Stores a person who was judged and checked.
    async fn insert_user(
        &mut self,
        id: UserId,
        row: &UserRow,
        key: &str,
        prepared: Option<&Prepared>,
    ) -> Result<(), AdministrationError> {
        if new_username_key(&row.username).is_none() {
            return Err(bad_name(&row.username));
        }
        let hash = match &row.password {
            None => None,
            Some(NewPassword::Hash(phc)) => {
                let phc = phc.expose();
                let digest = sha256_b64(phc.as_bytes());
                self.tx.save_setting(&applied_hash(id), &digest).await?;
                Some(phc.to_owned())
            }
            Some(NewPassword::Fresh(phc)) => Some(phc.expose().to_owned()),
            // The person was there a moment ago, when it was not hashed anew.
            Some(NewPassword::Plain(_)) => match prepared.and_then(|it| it.hash.clone()) {
                Some(hash) => Some(hash),
                None => return Err(AdministrationError::Moved(row.username.clone())),
            },
        };
        let fields = fields(row, key, None)?;
        self.check_new(row, &fields).await?;
        self.tx.insert_user(id, &fields, hash, self.now).await?;
        let event = self.event(EventType::UserCreated).target("user", &id);
        self.record(event.user(id).after(views::user(&fields)))
            .await?;
        self.put_holdings(id, row).await?;
        if row.disabled == Some(true) {
            self.tx.set_user_disabled(id, Some(self.now)).await?;
            self.tell_user(EventType::UserDisabled, id).await?;
        }
        Ok(())
    }

    /// Of a new person, what was not said is not there, though it may have to be.
    async fn check_new(
        &mut self,
        row: &UserRow,
        fields: &UserFields,
    ) -> Result<(), AdministrationError> {
        let mut checking = Checking::one(&mut self.tx, self.now, false);
        checking.at(KindName::User, &row.username);
        checking.attributes(&Of::User, &fields.attributes).await?;
        checking.done().map(drop)
    }

    /// Stores what differs of a person who was judged and checked.
    async fn update_user(
        &mut self,
        was: &UserWithPassword,
        row: &UserRow,
        key: &str,
        prepared: Option<&Prepared>,
    ) -> Result<Outcome, AdministrationError> {
        let UserWithPassword {
            user: was,
            password_hash,
        } = was;
        let id = was.id;
        let fields = fields(row, key, Some(was))?;
        if username_key(&was.username).as_deref() != Some(key) {
            self.rename_user(was, &fields).await?;
        }
        let (before, after) = (views::stored_user(was), views::user(&fields));
        let mut changed = changed_fields(was, &fields)?;
        if !changed.is_empty() {
            self.tx.update_user(id, &fields, self.now).await?;
            let event = self.event(EventType::UserUpdated).target("user", &id);
            self.record(event.user(id).before(before).after(after))
                .await?;
        }
        let mut ends_everything = false;
        let stored = password_hash.as_deref();
        if let Some(hash) = self.new_hash(was, row, stored, prepared).await? {
            self.tx.set_password_hash(id, hash).await?;
            self.tell_user(EventType::UserPasswordSet, id).await?;
            changed.push("password".to_owned());
            // The old one is worth nothing more.
            ends_everything = true;
        }
        match (row.disabled, was.disabled_at) {
            (Some(true), None) => {
                self.tx.set_user_disabled(id, Some(self.now)).await?;
                self.tell_user(EventType::UserDisabled, id).await?;
                changed.push("disabled".to_owned());
                ends_everything = true;
            }
            (Some(false), Some(_)) => {
                self.tx.set_user_disabled(id, None).await?;
                self.tell_user(EventType::UserEnabled, id).await?;
                changed.push("disabled".to_owned());
            }
            (Some(true), Some(_)) | (Some(false), None) | (None, _) => {}
        }
        changed.extend(self.put_holdings(id, row).await?);
        let version = if ends_everything {
            let raised = raise_version(&mut self.tx, id, self.now).await?;
            raised.unwrap_or(was.token_version)
        } else {
            was.token_version
        };
        // Also when nothing was changed: an act before this one may have failed to tell.
        if version > 0 && (row.disabled == Some(true) || row.password.is_some()) {
            self.revoked.push(Revoked::User(id, version));
        }
        Ok(Outcome::of(changed))
    }

    /// Makes true what is said of a person's roles, groups, organizations and levels; which of them changed.
    async fn put_holdings(
        &mut self,
        id: UserId,
        row: &UserRow,
    ) -> Result<Vec<String>, AdministrationError> {
        let mut changed = Vec::new();
        let holder = Holder::User(id);
        if let Some(roles) = &row.roles
            && self.put_assignments(&holder, roles).await?
        {
            changed.push("roles".to_owned());
        }
        if row.groups.is_none() && row.organizations.is_none() && row.levels.is_none() {
            return Ok(changed);
        }
        let Memberships {
            groups,
            organizations,
            levels,
        } = self.tx.list_memberships_of(id).await?;
        let groups = groups.into_iter().map(GroupName::stored).collect();
        let organizations = organizations.into_iter();
        let organizations = organizations.map(OrganizationName::stored).collect();
        if let Some(wanted) = &row.groups
            && self
                .put_memberships(id, &groups, wanted, |name| MemberOf::Group(name))
                .await?
        {
            changed.push("groups".to_owned());
        }
        if let Some(wanted) = &row.organizations
            && self
                .put_memberships(id, &organizations, wanted, |name| {
                    MemberOf::Organization(name)
                })
                .await?
        {
            changed.push("organizations".to_owned());
        }
        if let Some(wanted) = &row.levels
            && self.put_levels(&holder, &levels, wanted).await?
        {
            changed.push("levels".to_owned());
        }
        Ok(changed)
    }

    /// The hash that replaces the stored one, if the password is to be another.
    async fn new_hash(
        &mut self,
        was: &User,
        row: &UserRow,
        stored: Option<&str>,
        prepared: Option<&Prepared>,
    ) -> Result<Option<String>, AdministrationError> {
        let applied = applied_hash(was.id);
        match &row.password {
            None => Ok(None),
            Some(NewPassword::Hash(phc)) => {
                let phc = phc.expose();
                let digest = sha256_b64(phc.as_bytes());
                let known = self.tx.find_setting(&applied).await?;
                if known.as_ref() == Some(&digest) {
                    return Ok(None);
                }
                self.tx.save_setting(&applied, &digest).await?;
                Ok((stored != Some(phc)).then(|| phc.to_owned()))
            }
            Some(NewPassword::Fresh(phc)) => {
                self.tx.delete_setting(&applied).await?;
                Ok(Some(phc.expose().to_owned()))
            }
            Some(NewPassword::Plain(_)) => match prepared {
                Some(prepared) if prepared.seen.as_deref() == stored => {
                    if prepared.hash.is_some() {
                        self.tx.delete_setting(&applied).await?;
                    }
                    Ok(prepared.hash.clone())
                }
                Some(_) | None => Err(AdministrationError::Moved(row.username.clone())),
            },
        }
    }

    /// Deletes a person who was judged.
    async fn delete_user(&mut self, was: &User) -> Result<(), AdministrationError> {
        let id = was.id;
        let mut before = views::stored_user(was);
        let memberships = self.tx.list_memberships_of(id).await?;
        before["memberships"] = views::memberships(&memberships);
        let roles = self.tx.list_assignments_of(&Holder::User(id)).await?;
        before["roles"] = roles.iter().map(views::assignment).collect();
        self.tx.delete_user(id).await?;
        let event = self.event(EventType::UserDeleted).target("user", &id);
        self.record(event.user(id).before(before)).await?;
        self.tx.delete_setting(&applied_hash(id)).await?;
        let until = self.until();
        record(&mut self.tx, &Key::User(id.bytes()), i64::MAX, until).await?;
        self.revoked.push(Revoked::User(id, i64::MAX));
        Ok(())
    }

    /// Writes down what was done to a person.
    pub(super) async fn tell_user(
        &mut self,
        kind: EventType,
        id: UserId,
    ) -> Result<(), AdministrationError> {
        let event = self.event(kind).target("user", &id).user(id);
        self.record(event).await
    }
}

/// Which `password_hash` was applied to a person last: the hash itself is replaced at a sign-in when it was made
/// with other settings than today's.
fn applied_hash(id: UserId) -> String {
    format!("applied_password_hash/{id}")
}
