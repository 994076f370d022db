//! Making true what an operator wrote down: all of it in one transaction, or nothing.
//!
//! Applying twice changes nothing the second time and says so. Every mistake is found before anything is written,
//! and all of them are reported at once. Nothing is deleted unless asked for.

mod attributes;
mod audited;
mod check;
mod check_assignments;
mod check_attributes;
mod check_client;
mod check_groups;
mod check_user;
pub(in crate::service) mod clients;
mod desired;
mod groups;
mod passwords;
mod policies;
mod report;
mod resources;
mod roles;
pub(in crate::service) mod users;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::Services;
use super::administration::imported_hash;
use super::attributes::speaking_of;
use super::setup::ADMIN_ROLE;
use crate::crypto::client_secret::ClientSecretMac;
use crate::crypto::password::PasswordError;
use crate::domain::audit::Origin;
use crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME;
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::domain::policy::{Declarations, check_counts};
use crate::domain::resource::Resource;
use crate::service::registry::clients::TOPIC;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::groups::GroupRecord;
use crate::store::revocations::{Key, bump_changes};
use crate::store::roles::RoleRecord;

pub use desired::{
    Desired, DesiredAttribute, DesiredClient, DesiredGroup, DesiredObject, DesiredOrganization,
    DesiredPassword, DesiredPolicy, DesiredRole, DesiredUser,
};
pub use report::{Generated, Item, Kind, Outcome, Report};

/// How to apply.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as on the command line"
)]
pub struct Options {
    /// Say what would happen, and write nothing.
    pub dry_run: bool,
    /// Delete what the document does not speak of.
    pub prune: bool,
    /// Refuse what exists already instead of changing it.
    pub only_new: bool,
    /// Do not count what the document does not speak of.
    pub uncounted: bool,
}

/// One mistake in what is to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of item it is in.
    pub kind: Kind,
    /// The item's name.
    pub name: String,
    /// The field.
    pub field: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?}: {}: {}",
            self.kind, self.name, self.field, self.problem
        )
    }
}

/// Why nothing was applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Mistakes, all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// [`Options::only_new`] was asked for, and it is there.
    #[error("the {kind} {name:?} exists already")]
    Exists {
        /// What kind of item.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Nobody could administrate any more.
    #[error(
        "this would leave nobody who can sign in with the role \"{ADMIN_ROLE}\"; give somebody else the role first"
    )]
    LastAdministrator,
    /// More than instances hold in memory. A sentence.
    #[error("{0}")]
    TooMany(String),
    /// Somebody changed a password in the same moment.
    #[error("the password of user {0:?} was changed in the same moment; apply again")]
    Moved(String),
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Everything is written, but not every running server may know yet.
    #[error("everything is written, but running servers may not know yet; apply again: {source}")]
    NotPublished {
        /// What was written, with the secrets that were made.
        report: Box<Report>,
        /// Why.
        source: StoreError,
    },
}

impl ApplyError {
    /// Whether somebody else was in the way, so that the same may succeed at once.
    fn is_collision(&self) -> bool {
        match self {
            Self::Moved(_)
            | Self::Store(StoreError::Retryable(_) | StoreError::Conflict { .. }) => true,
            Self::Store(_)
            | Self::Invalid(_)
            | Self::Exists { .. }
            | Self::LastAdministrator
            | Self::TooMany(_)
            | Self::Password(_)
            | Self::NotPublished { .. } => false,
        }
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Makes `desired` true, or says what that would take.
pub async fn apply(
    services: &Arc<Services>,
    desired: &Desired,
    options: Options,
    origin: &Origin,
    now: Ts,
) -> Result<Report, ApplyError> {
    match attempt(services, desired, options, origin, now).await {
        Err(error) if error.is_collision() => {
            attempt(services, desired, options, origin, now).await
        }
        other => other,
    }
}

async fn attempt(
    services: &Arc<Services>,
    desired: &Desired,
    options: Options,
    origin: &Origin,
    now: Ts,
) -> Result<Report, ApplyError> {
    // Mistakes are found before time is spent on passwords, and passwords are hashed before the transaction
    // that changes anything: on SQLite nobody else writes meanwhile.
    let mut tx = services.store.db().begin().await?;
    let known = Known::read(&mut tx).await?;
    drop(tx);
    let checked = check::check(desired, &known, options, now)?;
    let passwords = passwords::prepare(services, &checked.users).await?;

    let tx = services.store.db().begin().await?;
    // Hashing may have taken minutes; what is revoked is revoked from now on.
    let mut work = Work::begin(services, tx, options, origin, now).await?;
    let known = Known::read(&mut work.tx).await?;
    let checked = check::check(desired, &known, options, work.now)?;
    perform(&mut work, &checked, &known, &passwords).await?;
    work.report
        .warnings
        .extend(imported_hash::warnings(services, desired));
    work.finish(services).await
}

async fn perform(
    work: &mut Work,
    checked: &check::Checked<'_>,
    known: &Known,
    passwords: &passwords::Passwords,
) -> Result<(), ApplyError> {
    work.report.warnings.clone_from(&checked.warnings);
    let before = speaking_of(known.declarations.clone(), known.roles.values());
    attributes::apply(work, checked, known).await?;
    resources::apply(work, checked, known).await?;
    roles::apply(work, checked, known).await?;
    let counts = !work.options.uncounted;
    groups::organizations(work, checked).await?;
    groups::groups(work, checked, known).await?;
    if counts || !checked.objects.is_empty() {
        groups::objects(work, checked).await?;
    }
    clients::apply(work, checked).await?;
    users::apply(work, checked, passwords).await?;
    if counts || !checked.policies.is_empty() {
        policies::apply(work, checked).await?;
    }
    Box::pin(attributes::verify_stored(work, &before)).await?;
    check_counts(&work.tx.count_policy().await?).map_err(ApplyError::TooMany)
}

/// The topic whose row everybody locks who administrates: one after the other.
pub(in crate::service) const APPLIED: &str = "applied";

/// What is in the store already and may be referred to.
struct Known {
    resources: BTreeMap<String, Resource>,
    roles: BTreeMap<String, RoleRecord>,
    groups: BTreeMap<String, GroupRecord>,
    organizations: BTreeSet<String>,
    declarations: Declarations,
    object_types: BTreeSet<String>,
}

impl Known {
    async fn read(tx: &mut Tx) -> Result<Self, StoreError> {
        Ok(Self {
            resources: tx
                .list_resources()
                .await?
                .into_iter()
                .map(|resource| (resource.identifier.clone(), resource))
                .collect(),
            roles: tx.list_roles().await?,
            groups: tx.list_groups().await?,
            organizations: tx.list_organization_names().await?,
            declarations: tx.list_declarations().await?,
            object_types: tx.list_object_types().await?,
        })
    }
}

/// A transaction, and what has been done in it.
pub(in crate::service) struct Work {
    pub(in crate::service) tx: Tx,
    options: Options,
    /// Who does it, from where.
    pub(in crate::service) origin: Origin,
    pub(in crate::service) now: Ts,
    pub(in crate::service) report: Report,
    pub(in crate::service) revoked: Vec<Revoked>,
    pub(in crate::service) clients_changed: bool,
    /// What is stored of client secrets.
    pub(in crate::service) secrets: ClientSecretMac,
    /// Whether anybody could administrate before it.
    administrated: bool,
}

/// What every instance must learn before success is reported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::service) enum Revoked {
    User(UserId, i64),
    Client(ClientId, i64),
    Session(SessionId),
    Grant(GrantId),
}

impl Revoked {
    fn key(&self) -> (Key<'_>, i64) {
        match self {
            Self::User(id, version) => (Key::User(id.bytes()), *version),
            Self::Client(id, version) => (Key::Client(id.as_str()), *version),
            Self::Session(id) => (Key::Session(id.bytes()), 1),
            Self::Grant(id) => (Key::Grant(id.bytes()), 1),
        }
    }
}

impl Work {
    /// Nothing done yet. Whoever administrates waits here for whoever does already, on every engine and in every process;
    /// it counts as done when that is over.
    pub(in crate::service) async fn begin(
        services: &Services,
        mut tx: Tx,
        options: Options,
        origin: &Origin,
        now: Ts,
    ) -> Result<Self, StoreError> {
        bump_changes(&mut tx, APPLIED).await?;
        let now = now.max(services.clock.now());
        Ok(Self {
            administrated: tx.has_holder(ADMIN_ROLE).await?,
            tx,
            options,
            origin: origin.clone(),
            now,
            report: Report {
                dry_run: options.dry_run,
                ..Report::default()
            },
            revoked: Vec::new(),
            clients_changed: false,
            secrets: services.client_secrets.clone(),
        })
    }

    /// Makes `desired` true inside the transaction; its passwords, if any, are hashed already.
    pub(in crate::service) async fn perform(
        &mut self,
        desired: &Desired,
        options: Options,
    ) -> Result<(), ApplyError> {
        self.options = options;
        let known = Known::read(&mut self.tx).await?;
        let checked = check::check(desired, &known, options, self.now)?;
        perform(self, &checked, &known, &BTreeMap::new()).await
    }

    /// Whether something that is in the store but not in the document goes; counts what stays.
    fn prunes(&mut self, kind: Kind) -> bool {
        if !self.options.prune {
            self.report.keep(kind);
        }
        self.options.prune
    }

    /// Notes what became of an item that was there.
    fn existed(&mut self, kind: Kind, name: &str, changed: Vec<String>) -> Result<(), ApplyError> {
        if self.options.only_new {
            return Err(ApplyError::Exists {
                kind,
                name: name.to_owned(),
            });
        }
        self.report.note(kind, name, Outcome::of(changed));
        Ok(())
    }

    /// Until when a revocation must be remembered that is made now.
    pub(in crate::service) fn until(&self) -> Ts {
        self.now.plus(MAX_ACCESS_TOKEN_LIFETIME)
    }

    /// Commits it and makes every instance know, unless it would leave nobody who can administrate.
    pub(in crate::service) async fn finish(
        mut self,
        services: &Services,
    ) -> Result<Report, ApplyError> {
        if self.administrated && !self.tx.has_holder(ADMIN_ROLE).await? {
            return Err(ApplyError::LastAdministrator);
        }
        if self.options.dry_run {
            self.report.generated.clear();
            return Ok(self.report);
        }
        if self.clients_changed {
            bump_changes(&mut self.tx, TOPIC).await?;
        }
        let until = self.until();
        self.tx.commit().await?;
        if !self.report.is_unchanged() {
            tracing::info!("applied a document");
        }
        match publish(services, &self.revoked, until).await {
            Ok(()) => Ok(self.report),
            Err(source) => Err(ApplyError::NotPublished {
                report: Box::new(self.report),
                source,
            }),
        }
    }
}

/// Also when nothing was changed: an apply before this one may have failed just here.
pub(in crate::service) async fn publish(
    services: &Services,
    revoked: &[Revoked],
    until: Ts,
) -> Result<(), StoreError> {
    for some in revoked.chunks(500) {
        let records: Vec<(Key<'_>, i64, Ts)> = some
            .iter()
            .map(|revoked| {
                let (key, version) = revoked.key();
                (key, version, until)
            })
            .collect();
        services.revocations.publish(&records).await?;
    }
    services.revocations.publish_change(TOPIC).await
}

/// The names of the fields that differ.
fn different(fields: &[(&str, bool)]) -> Vec<String> {
    let differing = fields.iter().filter(|(_, differs)| *differs);
    differing.map(|(field, _)| (*field).to_owned()).collect()
}

/// The names of the members in which two objects differ.
fn differing(was: &Map<String, Value>, is: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names
        .into_iter()
        .filter(|name| was.get(*name) != is.get(*name))
        .cloned()
        .collect()
}

/// A value as the object it is written as.
fn object(value: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}
