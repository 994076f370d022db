//! Resource servers.

use std::collections::BTreeSet;

use super::super::audit::views;
use super::check::Checked;
use super::{ApplyError, Kind, Known, Outcome, Work};
use crate::domain::policy::{Bounded, check_counts};

pub(super) async fn apply(
    work: &mut Work,
    checked: &Checked<'_>,
    known: &Known,
) -> Result<(), ApplyError> {
    let mut made = i64::try_from(known.resources.len()).unwrap_or(i64::MAX);
    for resource in checked.resources {
        let name = &resource.identifier;
        let Some(stored) = known.resources.get(name) else {
            made += 1;
            check_counts(&[(Bounded::Resources, made)]).map_err(ApplyError::TooMany)?;
            work.tx.save_resource(resource).await?;
            work.note(Kind::Resource, name, None, Some(views::resource(resource)))
                .await?;
            work.report.note(Kind::Resource, name, Outcome::Created);
            continue;
        };
        let mut changed = Vec::new();
        if stored.name != resource.name {
            changed.push("name".to_owned());
        }
        if stored.scopes != resource.scopes {
            changed.push("scopes".to_owned());
        }
        if stored.scope_permissions != resource.scope_permissions {
            changed.push("scope_permissions".to_owned());
        }
        if stored.access_token_claims != resource.access_token_claims {
            changed.push("access_token_claims".to_owned());
        }
        if !changed.is_empty() {
            work.tx.save_resource(resource).await?;
            let (was, is) = (views::resource(stored), views::resource(resource));
            work.note(Kind::Resource, name, Some(was), Some(is)).await?;
        }
        work.existed(Kind::Resource, name, changed)?;
    }
    let named: BTreeSet<&str> = checked
        .resources
        .iter()
        .map(|resource| resource.identifier.as_str())
        .collect();
    for (identifier, stored) in &known.resources {
        if !named.contains(identifier.as_str()) && work.prunes(Kind::Resource) {
            work.tx.delete_resource(identifier).await?;
            let was = views::resource(stored);
            work.note(Kind::Resource, identifier, Some(was), None)
                .await?;
            work.report
                .note(Kind::Resource, identifier, Outcome::Deleted);
        }
    }
    Ok(())
}
