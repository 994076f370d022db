//! Resource servers.

use std::collections::BTreeSet;

use super::check::Checked;
use super::{ApplyError, Kind, Known, Outcome, Work};

pub(super) async fn apply(
    work: &mut Work,
    checked: &Checked<'_>,
    known: &Known,
) -> Result<(), ApplyError> {
    for resource in checked.resources {
        let name = &resource.identifier;
        let Some(stored) = known.resources.get(name) else {
            work.tx.save_resource(resource).await?;
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
        }
        work.existed(Kind::Resource, name, changed)?;
    }
    let named: BTreeSet<&str> = checked
        .resources
        .iter()
        .map(|resource| resource.identifier.as_str())
        .collect();
    for identifier in known.resources.keys() {
        if !named.contains(identifier.as_str()) && work.prunes(Kind::Resource) {
            work.tx.delete_resource(identifier).await?;
            work.report
                .note(Kind::Resource, identifier, Outcome::Deleted);
        }
    }
    Ok(())
}
