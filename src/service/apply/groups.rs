//! Groups, organizations, and what is known of resources.

use std::collections::{BTreeMap, BTreeSet};

use super::super::audit::views;
use super::check::Checked;
use super::{ApplyError, Kind, Known, Outcome, Work, different, differing};
use crate::domain::policy::ResourceName;
use crate::store::groups::GroupRecord;

pub(super) async fn organizations(
    work: &mut Work,
    checked: &Checked<'_>,
) -> Result<(), ApplyError> {
    let stored = if work.options.uncounted {
        let mut named = BTreeMap::new();
        for desired in checked.organizations {
            if let Some(found) = work.tx.find_organization(&desired.name).await? {
                named.insert(desired.name.clone(), found);
            }
        }
        named
    } else {
        work.tx.list_organizations().await?
    };
    for desired in checked.organizations {
        let name = &desired.name;
        let Some(stored) = stored.get(name) else {
            work.tx
                .save_organization(name, &desired.organization)
                .await?;
            let is = views::organization(&desired.organization);
            work.note(Kind::Organization, name, None, Some(is)).await?;
            work.report.note(Kind::Organization, name, Outcome::Created);
            continue;
        };
        let mut changed = Vec::new();
        if *stored != desired.organization {
            let is = &desired.organization;
            changed = different(&[
                ("description", stored.description != is.description),
                ("attributes", stored.attributes != is.attributes),
            ]);
            work.tx
                .save_organization(name, &desired.organization)
                .await?;
            let was = views::organization(stored);
            let is = views::organization(&desired.organization);
            work.note(Kind::Organization, name, Some(was), Some(is))
                .await?;
        }
        work.existed(Kind::Organization, name, changed)?;
    }
    let named: BTreeSet<&String> = checked.organizations.iter().map(|it| &it.name).collect();
    for (name, stored) in &stored {
        if !named.contains(name) && work.prunes(Kind::Organization) {
            work.tx.delete_organization(name).await?;
            let was = views::organization(stored);
            work.note(Kind::Organization, name, Some(was), None).await?;
            work.report.note(Kind::Organization, name, Outcome::Deleted);
        }
    }
    Ok(())
}

pub(super) async fn groups(
    work: &mut Work,
    checked: &Checked<'_>,
    known: &Known,
) -> Result<(), ApplyError> {
    let stored = &known.groups;
    // All of them first: a group's parents must be there when it gets them.
    for desired in checked.groups {
        let GroupRecord {
            description,
            attributes,
            ..
        } = &desired.group;
        let as_is = |known: &GroupRecord| {
            known.description == *description && known.attributes == *attributes
        };
        if !stored.get(&desired.name).is_some_and(as_is) {
            work.tx
                .save_group(&desired.name, description.as_deref(), attributes)
                .await?;
        }
    }
    for desired in checked.groups {
        let (name, group) = (&desired.name, &desired.group);
        let Some(stored) = stored.get(name) else {
            work.tx.replace_group_contents(name, group).await?;
            work.note(Kind::Group, name, None, Some(views::group(group)))
                .await?;
            work.report.note(Kind::Group, name, Outcome::Created);
            continue;
        };
        let differences = [
            ("description", stored.description != group.description),
            ("parents", stored.parents != group.parents),
            ("roles", stored.roles != group.roles),
            ("levels", stored.levels != group.levels),
            ("attributes", stored.attributes != group.attributes),
        ];
        let changed = different(&differences);
        let saved = ["description", "attributes"];
        if changed.iter().any(|field| !saved.contains(&field.as_str())) {
            work.tx.replace_group_contents(name, group).await?;
        }
        if !changed.is_empty() {
            let (was, is) = (views::group(stored), views::group(group));
            work.note(Kind::Group, name, Some(was), Some(is)).await?;
        }
        work.existed(Kind::Group, name, changed)?;
    }
    let named: BTreeSet<&String> = checked.groups.iter().map(|it| &it.name).collect();
    for (name, stored) in stored {
        if !named.contains(name) && work.prunes(Kind::Group) {
            work.tx.delete_group(name).await?;
            work.note(Kind::Group, name, Some(views::group(stored)), None)
                .await?;
            work.report.note(Kind::Group, name, Outcome::Deleted);
        }
    }
    Ok(())
}

pub(super) async fn objects(work: &mut Work, checked: &Checked<'_>) -> Result<(), ApplyError> {
    let stored = if work.options.uncounted {
        let mut named = BTreeMap::new();
        for desired in checked.objects {
            if let Some(object) = work.tx.find_object(&desired.name).await? {
                named.insert(desired.name.clone(), object);
            }
        }
        named
    } else {
        work.tx.list_objects().await?
    };
    for desired in checked.objects {
        let name = desired.name.to_string();
        let Some(stored) = stored.get(&desired.name) else {
            work.tx.save_object(&desired.name, &desired.object).await?;
            let is = views::object(&desired.object);
            work.note(Kind::Object, &name, None, Some(is)).await?;
            work.report.note(Kind::Object, &name, Outcome::Created);
            continue;
        };
        let mut changed = differing(&stored.attributes, &desired.object.attributes);
        if stored.organization != desired.object.organization {
            changed.push("organization".to_owned());
        }
        if !changed.is_empty() {
            work.tx.save_object(&desired.name, &desired.object).await?;
            let (was, is) = (views::object(stored), views::object(&desired.object));
            work.note(Kind::Object, &name, Some(was), Some(is)).await?;
        }
        work.existed(Kind::Object, &name, changed)?;
    }
    let named: BTreeSet<&ResourceName> = checked.objects.iter().map(|it| &it.name).collect();
    for (name, stored) in &stored {
        if !named.contains(name) && work.prunes(Kind::Object) {
            work.tx.delete_object(name).await?;
            let was = views::object(stored);
            work.note(Kind::Object, &name.to_string(), Some(was), None)
                .await?;
            work.report
                .note(Kind::Object, &name.to_string(), Outcome::Deleted);
        }
    }
    Ok(())
}
