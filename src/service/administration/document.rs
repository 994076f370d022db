//! Making true what an operator wrote down: all of it in one transaction, or nothing.
//!
//! It is a fold of the acts on single things ([`Act::store`](super::Act)), with the checks beside it that need the whole
//! document. Applying twice changes nothing the second time and says so. Every mistake is found before anything is
//! written, and all of them are reported at once. Nothing is deleted unless asked for.

mod check;
mod fold;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attributes::AttributeKey;
use super::client_rules::ClientRow;
use super::kind::Kind;
use super::passwords;
use super::report::{KindName, Report};
use super::user_rows::UserRow;
use super::{Act, AdministrationError, imported_hash};
use crate::domain::audit::Origin;
use crate::domain::directory::{
    Group, GroupName, Object, Organization, OrganizationName, Policy, PolicyId, Role, RoleName,
};
use crate::domain::policy::{ADMIN_ROLE, Assignment, Declaration, Level, ResourceName};
use crate::domain::resource::{Identifier, Resource};
use crate::domain::user::username_key;
use crate::service::Services;
use crate::spec::time::Ts;
use check::check;
use fold::Fold;

/// Everything that is to be true.
///
/// All but people become exactly what is said here: a line that was removed takes effect. Of a person, whatever is not
/// said stays as it is, because people change themselves too.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Resource servers.
    pub resources: Vec<(Identifier, Resource)>,
    /// Clients.
    pub clients: Vec<ClientRow>,
    /// People.
    pub users: Vec<UserRow>,
    /// Roles.
    pub roles: Vec<(RoleName, Role)>,
    /// Policies.
    pub policies: Vec<(PolicyId, Policy)>,
    /// Organizations.
    pub organizations: Vec<(OrganizationName, Organization)>,
    /// Groups.
    pub groups: Vec<GroupRow>,
    /// What is known of resources.
    pub objects: Vec<(ResourceName, Object)>,
    /// Declared attributes.
    pub attributes: Vec<(AttributeKey, Declaration)>,
}

/// A group with what it gives.
#[derive(Clone, Debug)]
pub struct GroupRow {
    /// Its name.
    pub name: GroupName,
    /// What it is.
    pub group: Group,
    /// Roles of its members.
    pub roles: BTreeSet<Assignment>,
    /// What its members may do to single resources.
    pub levels: BTreeMap<ResourceName, Level>,
}

/// How to apply a document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Say what would happen, and write nothing.
    pub dry_run: bool,
    /// Delete what the document does not name.
    pub prune: bool,
}

/// Makes `document` true, or says what that would take.
pub async fn apply(
    services: &Arc<Services>,
    document: &Document,
    options: Options,
    origin: &Origin,
    now: Ts,
) -> Result<Report, AdministrationError> {
    let document = document.with_implied_roles(services).await?;
    match attempt(services, &document, options, origin, now).await {
        Err(error) if error.is_collision() => {
            attempt(services, &document, options, origin, now).await
        }
        other => other,
    }
}

async fn attempt(
    services: &Arc<Services>,
    document: &Document,
    options: Options,
    origin: &Origin,
    now: Ts,
) -> Result<Report, AdministrationError> {
    // Mistakes are found before time is spent on passwords, and passwords are hashed before the transaction
    // that changes anything: on SQLite every other write waits meanwhile.
    let mut tx = services.store.db().begin().await?;
    let checked = check(&mut tx, document, options, now).await;
    drop(tx);
    let passwords = passwords::prepare(services, &document.users, &checked?.keys).await?;

    let mut act = Act::of_operator(services, origin, now).await?;
    let now = act.now;
    let checked = check(&mut act.tx, document, options, now).await?;
    let mut fold = Fold {
        act,
        options,
        report: Report {
            dry_run: options.dry_run,
            warnings: checked.warnings.clone(),
            ..Report::default()
        },
    };
    Box::pin(fold.all(document, &checked, &passwords)).await?;
    let Fold {
        mut act,
        mut report,
        ..
    } = fold;
    report
        .warnings
        .extend(imported_hash::warnings(services, &document.users));
    if options.dry_run {
        act.verify().await?;
        report.generated.clear();
        return Ok(report);
    }
    match act.commit().await {
        Ok(()) => {
            if !report.is_unchanged() {
                tracing::info!("applied a document");
            }
            Ok(report)
        }
        Err(AdministrationError::NotPublished { source, .. }) => {
            Err(AdministrationError::NotPublished {
                report: Box::new(report),
                source,
            })
        }
        Err(error) => Err(error),
    }
}

impl Document {
    /// Roles that exist only because others have them as parents, and the built-in one, beside those it describes.
    async fn with_implied_roles(&self, services: &Services) -> Result<Self, AdministrationError> {
        let mut document = self.clone();
        let described: BTreeSet<&RoleName> = self.roles.iter().map(|(name, _)| name).collect();
        let parents = self.roles.iter().flat_map(|(_, role)| &role.parents);
        let mut implied: BTreeSet<RoleName> = parents.cloned().collect();
        if self.referred_roles().contains(ADMIN_ROLE) {
            implied.insert(RoleName::stored(ADMIN_ROLE.to_owned()));
        }
        implied.retain(|name| !described.contains(name));
        let names = implied.iter().map(ToString::to_string).collect();
        let known = services.store.existing_roles(&names).await?;
        implied.retain(|name| !known.contains(name.as_str()));
        for name in implied {
            let description = (name.as_str() == ADMIN_ROLE).then(|| "May do everything".to_owned());
            let role = Role {
                description,
                ..Role::default()
            };
            document.roles.push((name, role));
        }
        for (name, role) in &mut document.roles {
            *role = std::mem::take(role).normal(name);
        }
        for (identifier, resource) in &mut document.resources {
            *resource = std::mem::take(resource).normal(identifier);
        }
        document.roles.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(document)
    }

    /// Every role that something in it refers to.
    fn referred_roles(&self) -> BTreeSet<&str> {
        let parents = self.roles.iter().flat_map(|(_, role)| &role.parents);
        let parents = parents.map(RoleName::as_str);
        let users = self
            .users
            .iter()
            .flat_map(|user| user.roles.iter().flatten());
        let groups = self.groups.iter().flat_map(|group| &group.roles);
        let given = users.chain(groups).map(|given| given.role.as_str());
        parents.chain(given).collect()
    }

    /// The names of everything in it.
    fn names(&self) -> BTreeMap<KindName, Vec<String>> {
        fn of<K: Kind>(rows: &[(K::Key, K)]) -> (KindName, Vec<String>) {
            let names = rows.iter().map(|(key, _)| key.to_string());
            (K::KIND, names.collect())
        }
        let groups = self.groups.iter().map(|row| row.name.to_string());
        let clients = self.clients.iter().map(|row| row.id.clone());
        let users = self.users.iter().map(|row| {
            let key = username_key(&row.username);
            key.unwrap_or_default()
        });
        BTreeMap::from([
            of(&self.resources),
            of(&self.roles),
            of(&self.policies),
            of(&self.organizations),
            of(&self.objects),
            of(&self.attributes),
            (KindName::Group, groups.collect()),
            (KindName::Client, clients.collect()),
            (KindName::User, users.collect()),
        ])
    }
}
