//! Roles.

use super::super::audit::views;
use super::check::Checked;
use super::{ADMIN_ROLE, ApplyError, Kind, Known, Outcome, Work, different};

pub(super) async fn apply(
    work: &mut Work,
    checked: &Checked<'_>,
    known: &Known,
) -> Result<(), ApplyError> {
    // All of them first: a role's parents must be there when it gets them.
    for (name, role) in &checked.roles {
        let stored = known.roles.get(name);
        if stored.is_none_or(|stored| stored.description != role.description) {
            work.tx.save_role(name, role.description.as_deref()).await?;
        }
    }
    for (name, role) in &checked.roles {
        let Some(stored) = known.roles.get(name) else {
            work.tx.replace_role_contents(name, role).await?;
            work.note(Kind::Role, name, None, Some(views::role(role)))
                .await?;
            work.report.note(Kind::Role, name, Outcome::Created);
            continue;
        };
        let differences = [
            ("description", stored.description != role.description),
            ("parents", stored.parents != role.parents),
            ("permissions", stored.permissions != role.permissions),
        ];
        let changed = different(&differences);
        if stored.parents != role.parents || stored.permissions != role.permissions {
            work.tx.replace_role_contents(name, role).await?;
        }
        if !changed.is_empty() {
            let (was, is) = (views::role(stored), views::role(role));
            work.note(Kind::Role, name, Some(was), Some(is)).await?;
        }
        work.existed(Kind::Role, name, changed)?;
    }
    for (name, stored) in &known.roles {
        if checked.roles.contains_key(name) {
            continue;
        }
        // Built in, and what names it need not be a document.
        if name == ADMIN_ROLE || checked.referred_roles.contains(name) {
            work.report.keep(Kind::Role);
        } else if work.prunes(Kind::Role) {
            work.tx.delete_role(name).await?;
            work.note(Kind::Role, name, Some(views::role(stored)), None)
                .await?;
            work.report.note(Kind::Role, name, Outcome::Deleted);
        }
    }
    Ok(())
}
