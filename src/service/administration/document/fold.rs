//! Making a document true, one thing after the other.

use std::collections::BTreeSet;

use super::super::client_rules::{CheckedClient, ClientRow};
use super::super::kind::Kind;
use super::super::passwords::Passwords;
use super::super::report::{Generated, KindName, Outcome, Replaced, Report};
use super::super::user_rows::UserRow;
use super::super::{Act, AdministrationError};
use super::check::Checked;
use super::{Document, GroupRow, Options};
use crate::domain::directory::{Group, GroupName, RoleName};
use crate::domain::ids::ClientId;
use crate::domain::policy::{ADMIN_ROLE, Declaration, check_counts};
use crate::store::assignments::Holder;
use crate::store::error::StoreError;

/// What is being applied, and what became of it so far.
pub(super) struct Fold {
    pub(super) act: Act,
    pub(super) options: Options,
    pub(super) report: Report,
}

impl Fold {
    pub(super) async fn all(
        &mut self,
        document: &Document,
        checked: &Checked,
        passwords: &Passwords,
    ) -> Result<(), AdministrationError> {
        self.kind(&document.attributes, |_| false).await?;
        self.kind(&document.resources, |_| false).await?;
        // Built in, and what names one need not be a document.
        let referred = document.referred_roles();
        let stays =
            |name: &RoleName| name.as_str() == ADMIN_ROLE || referred.contains(name.as_str());
        self.kind(&document.roles, stays).await?;
        self.kind(&document.organizations, |_| false).await?;
        self.groups(&document.groups).await?;
        self.kind(&document.objects, |_| false).await?;
        self.clients(&document.clients, &checked.clients).await?;
        self.users(&document.users, &checked.keys, passwords)
            .await?;
        self.kind(&document.policies, |_| false).await?;
        let counts = self.act.tx.count_policy().await?;
        check_counts(&counts).map_err(AdministrationError::TooMany)?;
        match Declaration::after(&mut self.act).await {
            Err(AdministrationError::Contradicted(mistake)) => {
                Err(AdministrationError::Invalid(vec![*mistake]))
            }
            other => other,
        }
    }

    /// Makes true what the document says of one kind.
    async fn kind<K: Kind>(
        &mut self,
        rows: &[(K::Key, K)],
        stays: impl Fn(&K::Key) -> bool,
    ) -> Result<(), AdministrationError> {
        let stored = K::list(&mut self.act.tx).await?;
        // All of them first: what refers to another must find it.
        for (key, row) in rows.iter().filter(|(key, _)| !stored.contains_key(key)) {
            K::announce(&mut self.act.tx, key, row).await?;
        }
        for (key, row) in rows {
            let was = stored.get(key);
            K::judge(&mut self.act, key, was, Some(row)).await?;
            let outcome = self.act.store(key, was, row).await?;
            self.report.note(K::KIND, key, outcome);
        }
        let named: BTreeSet<&K::Key> = rows.iter().map(|(key, _)| key).collect();
        for (key, was) in stored.iter().filter(|(key, _)| !named.contains(key)) {
            if !self.options.prune || stays(key) {
                self.report.keep(K::KIND);
                continue;
            }
            K::judge(&mut self.act, key, Some(was), None).await?;
            self.act.erase(key, was).await?;
            self.report.note(K::KIND, key, Outcome::Deleted);
        }
        Ok(())
    }

    async fn groups(&mut self, rows: &[GroupRow]) -> Result<(), AdministrationError> {
        let groups: Vec<(GroupName, Group)> = rows
            .iter()
            .map(|row| (row.name.clone(), row.group.clone()))
            .collect();
        let before = self.report.items.len();
        self.kind(&groups, |_| false).await?;
        for (place, row) in rows.iter().enumerate() {
            let holder = Holder::Group(row.name.to_string());
            let mut changed = Vec::new();
            if self.act.put_assignments(&holder, &row.roles).await? {
                changed.push("roles".to_owned());
            }
            let had = self.act.tx.list_levels_of(&holder).await?;
            if self.act.put_levels(&holder, &had, &row.levels).await? {
                changed.push("levels".to_owned());
            }
            if let Some(item) = self.report.items.get_mut(before + place) {
                item.outcome.also(changed);
            }
        }
        Ok(())
    }

    async fn clients(
        &mut self,
        rows: &[ClientRow],
        checked: &[CheckedClient],
    ) -> Result<(), AdministrationError> {
        for wanted in checked {
            let id = wanted.client.id.as_str();
            let was = self.act.tx.find_client(&wanted.client.id).await?;
            let put = self.act.put_client(wanted, was.as_ref()).await?;
            self.report.note(KindName::Client, id, put.outcome);
            if let Some(until) = put.older_valid_until {
                self.report.replaced.push(Replaced {
                    client_id: id.to_owned(),
                    old_valid_until: until.rfc3339(),
                });
            }
            if let Some(secret) = put.secret {
                self.report.generated.push(Generated {
                    client_id: id.to_owned(),
                    secret,
                });
            }
        }
        let named: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        for id in self.act.tx.list_client_ids().await? {
            if named.contains(id.as_str()) {
                continue;
            }
            if !self.options.prune {
                self.report.keep(KindName::Client);
                continue;
            }
            let parsed = ClientId::parse(&id);
            let broken = || StoreError::Inconsistent {
                table: "clients",
                column: "id",
                id: id.clone(),
            };
            let parsed = parsed.ok_or_else(broken)?;
            let was = self.act.find_client(&parsed).await?;
            self.act.remove_client(&was).await?;
            self.report.note(KindName::Client, &id, Outcome::Deleted);
        }
        Ok(())
    }

    async fn users(
        &mut self,
        rows: &[UserRow],
        keys: &[String],
        passwords: &Passwords,
    ) -> Result<(), AdministrationError> {
        for (row, key) in rows.iter().zip(keys) {
            let prepared = passwords.get(key);
            let was = self.act.tx.find_user_by_key(key).await?;
            let put = self.act.put_user(was.as_ref(), row, key, prepared);
            let outcome = put.await?;
            self.report.note(KindName::User, &row.username, outcome);
        }
        let named: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        for (id, key) in self.act.tx.list_user_keys().await? {
            if named.contains(key.as_str()) {
                continue;
            }
            if !self.options.prune {
                self.report.keep(KindName::User);
                continue;
            }
            let was = self.act.find_user(id).await?;
            self.act.remove_user(&was.user).await?;
            self.report.note(KindName::User, &key, Outcome::Deleted);
        }
        Ok(())
    }
}
