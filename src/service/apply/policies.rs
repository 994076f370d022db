//! Policies.

use std::collections::BTreeSet;

use super::super::audit::views;
use super::check::Checked;
use super::{ApplyError, Kind, Outcome, Work, different};

pub(super) async fn apply(work: &mut Work, checked: &Checked<'_>) -> Result<(), ApplyError> {
    let stored = work.tx.list_policies().await?;
    for desired in checked.policies {
        let policy = &desired.policy;
        let Some(stored) = stored.get(&desired.id) else {
            work.tx.save_policy(&desired.id, policy).await?;
            work.note(Kind::Policy, &desired.id, None, Some(views::policy(policy)))
                .await?;
            work.report
                .note(Kind::Policy, &desired.id, Outcome::Created);
            continue;
        };
        let differences = [
            ("cedar", stored.cedar != policy.cedar),
            ("description", stored.description != policy.description),
            ("enabled", stored.enabled != policy.enabled),
        ];
        let changed = different(&differences);
        if !changed.is_empty() {
            work.tx.save_policy(&desired.id, policy).await?;
            let (was, is) = (views::policy(stored), views::policy(policy));
            work.note(Kind::Policy, &desired.id, Some(was), Some(is))
                .await?;
        }
        work.existed(Kind::Policy, &desired.id, changed)?;
    }
    let named: BTreeSet<&str> = checked
        .policies
        .iter()
        .map(|policy| policy.id.as_str())
        .collect();
    for (id, stored) in &stored {
        if !named.contains(id.as_str()) && work.prunes(Kind::Policy) {
            work.tx.delete_policy(id).await?;
            work.note(Kind::Policy, id, Some(views::policy(stored)), None)
                .await?;
            work.report.note(Kind::Policy, id, Outcome::Deleted);
        }
    }
    Ok(())
}
