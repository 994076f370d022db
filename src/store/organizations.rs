//! Organizations and their members: the `organizations` and `organization_members` tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Among, Run, Thing, Tx, among, reads, row};
use super::error::StoreError;
use super::names::{first, near, prefix_pattern};
use super::users::{Member, members};
use crate::domain::directory::{Organization, OrganizationName};
use crate::domain::ids::UserId;

reads! {
    /// The organization of that name.
    find_organization(name: &str) -> Option<Organization> = find;

    /// Which of these organizations there are.
    existing_organizations(names: &BTreeSet<String>) -> BTreeSet<String> = existing;

    /// Names of at most 400 organizations that stand next to a name in their order, to guess which one was meant.
    list_organization_names_near(name: &str) -> Vec<String> = near;

    /// Every organization there is.
    list_organizations() -> BTreeMap<OrganizationName, Organization> = list;

    /// The organizations of which a user is a member.
    list_organizations_of(user: UserId) -> Vec<String> = list_of;
}

async fn find(run: &mut impl Run, name: &str) -> Result<Option<Organization>, StoreError> {
    let row = run.q(FIND).bind(name.to_owned()).opt::<OrganizationRow>();
    Ok(row.await?.map(|row| row.into_named().1))
}

async fn existing(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    Ok(first(run.q_among(EXISTING, names).all().await?))
}

async fn near(run: &mut impl Run, name: &str) -> Result<Vec<String>, StoreError> {
    Ok(first(run.q(NEAR).bind(name.to_owned()).all().await?))
}

async fn list(run: &mut impl Run) -> Result<BTreeMap<OrganizationName, Organization>, StoreError> {
    let rows = run.q(LIST).all::<OrganizationRow>().await?;
    Ok(rows.into_iter().map(OrganizationRow::into_named).collect())
}

async fn list_of(run: &mut impl Run, user: UserId) -> Result<Vec<String>, StoreError> {
    Ok(first(run.q(LIST_OF).bind(user.0).all().await?))
}

impl Store {
    /// Organizations whose names begin so, in the order of their names, behind `after`.
    pub async fn page_of_organizations(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(OrganizationName, Organization)>, StoreError> {
        let rows = self.db.q(PAGE).bind(after.to_owned()).bind(limit);
        let rows = rows.bind(prefix_pattern(begins));
        let rows = rows.all::<OrganizationRow>().await?;
        Ok(rows.into_iter().map(OrganizationRow::into_named).collect())
    }

    /// Members of an organization, in the order of their ids, behind `after`.
    pub async fn page_of_organization_members(
        &self,
        organization: &str,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        members(self, MEMBERS, organization, after, limit).await
    }
}

impl Tx {
    /// Creates an organization, or gives it another description and other attributes.
    pub async fn save_organization(
        &mut self,
        name: &str,
        organization: &Organization,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(name.to_owned())
            .bind(organization.description.clone())
            .bind(Json(organization.attributes.clone()))
            .exec()
            .await?;
        self.policy_changed(Thing::Organization(name.to_owned()));
        Ok(())
    }

    /// Removes an organization, and what was given for it.
    pub async fn delete_organization(&mut self, name: &str) -> Result<(), StoreError> {
        for delete in [DELETE, DELETE_ROLES, DELETE_GROUP_ROLES, LEAVE] {
            self.q(delete).bind(name.to_owned()).exec().await?;
        }
        self.policy_deleted(Thing::Organization(name.to_owned()));
        bump_changes(self, FACTS).await
    }

    /// The roles that users and groups were given for an organization.
    pub async fn list_roles_given_for(
        &mut self,
        organization: &str,
    ) -> Result<Vec<String>, StoreError> {
        let roles = self.q(ROLES_GIVEN_FOR).bind(organization.to_owned());
        Ok(first(roles.all().await?))
    }

    /// Makes a user a member of an organization; whether they were not.
    pub async fn add_organization_member(
        &mut self,
        user: UserId,
        organization: &str,
    ) -> Result<bool, StoreError> {
        self.change_membership(ADD_MEMBER, user, organization).await
    }

    /// Ends a user's membership in an organization; whether they were a member.
    pub async fn remove_organization_member(
        &mut self,
        user: UserId,
        organization: &str,
    ) -> Result<bool, StoreError> {
        let remove = self.change_membership(REMOVE_MEMBER, user, organization);
        remove.await
    }
}

row! { $
    struct OrganizationRow, organization_columns {
        name: String,
        description: Option<String>,
        attributes: Json<Map<String, Value>>,
    }
}

impl OrganizationRow {
    fn into_named(self) -> (OrganizationName, Organization) {
        let organization = Organization {
            description: self.description,
            attributes: self.attributes.0,
        };
        (OrganizationName::stored(self.name), organization)
    }
}

const FIND: &str = concat!(
    "SELECT ",
    organization_columns!(),
    " FROM organizations WHERE name = $1"
);

const EXISTING: Among = among!("SELECT name FROM organizations WHERE name IN (", ")");

const NEAR: &str = near!("organizations");

const LIST: &str = concat!("SELECT ", organization_columns!(), " FROM organizations");

const LIST_OF: &str = "SELECT organization FROM organization_members WHERE user_id = $1";

const PAGE: &str = concat!(
    "SELECT ",
    organization_columns!(),
    " FROM organizations WHERE name > $1 \
    AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2"
);

const SAVE: &str = "INSERT INTO organizations (name, description, attributes) VALUES ($1, $2, $3) \
    ON CONFLICT (name) DO UPDATE SET description = excluded.description, attributes = excluded.attributes";

const DELETE: &str = "DELETE FROM organizations WHERE name = $1";

const DELETE_ROLES: &str = "DELETE FROM role_assignments WHERE organization = $1";

const DELETE_GROUP_ROLES: &str = "DELETE FROM group_roles WHERE organization = $1";

/// Another organization of that name does not inherit its resources.
const LEAVE: &str = "UPDATE objects SET organization = '' WHERE organization = $1";

const ROLES_GIVEN_FOR: &str = "SELECT role FROM role_assignments WHERE organization = $1 \
    UNION SELECT role FROM group_roles WHERE organization = $1";

const MEMBERS: &str = "SELECT u.id, u.username FROM organization_members m JOIN users u ON u.id = m.user_id \
    WHERE m.organization = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";

const ADD_MEMBER: &str = "INSERT INTO organization_members (user_id, organization) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const REMOVE_MEMBER: &str =
    "DELETE FROM organization_members WHERE user_id = $1 AND organization = $2";
