//! Organizations and their members. A role for an organization suffices for what belongs to it.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::crud::{self, Collection};
use super::groups::{MemberView, members};
use super::inputs::{ByName, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::directory::{Organization, OrganizationName};
use crate::domain::ids::UserId;
use crate::store::Store;
use crate::store::error::StoreError;

const READ: &str = "organizations.read";
const WRITE: &str = "organizations.write";
/// Who belongs to an organization decides what policies say of them.
const WRITE_MEMBERS: &str = "organizations.members";

/// One member.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByMember {
    /// The organization.
    name: OrganizationName,
    /// The user's `sub`.
    user_id: UserId,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("organizations", id, summary, action);
    crud::add::<Organization>(
        api,
        ["/v1/organizations", "/v1/organizations/{name}"],
        &[
            about("list_organizations", "List organizations", READ),
            about("create_organization", "Create an organization", WRITE),
            about("get_organization", "Read an organization", READ).by_organization(),
            about("update_organization", "Change an organization", WRITE).by_organization(),
            about("delete_organization", "Delete an organization", WRITE)
                .details("Deletes the assignments for it."),
        ],
    );
    let list = about(
        "list_organization_members",
        "List an organization's members",
        READ,
    );
    let path = "/v1/organizations/{name}/members";
    api.add(Method::GET, path, list.by_organization(), list_members);
    let member = "/v1/organizations/{name}/members/{user_id}";
    let join = about(
        "add_organization_member",
        "Add a user to an organization",
        WRITE_MEMBERS,
    )
    .details("Needs the permission everywhere: a role for one organization does not suffice.");
    api.add(Method::PUT, member, join, add_member);
    let leave = about(
        "remove_organization_member",
        "Remove a user from an organization",
        WRITE_MEMBERS,
    );
    let leave = leave.by_organization();
    api.add(Method::DELETE, member, leave, remove_member);
}

impl Collection for Organization {
    const NAME: &'static str = "organizations";
    const WRITE: &'static str = WRITE;

    async fn read(store: &Store, key: &OrganizationName) -> Result<Option<Self>, StoreError> {
        store.find_organization(key).await
    }

    async fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(OrganizationName, Self)>, StoreError> {
        store.page_of_organizations(begins, after, limit).await
    }

    fn organization(key: &OrganizationName) -> Option<&str> {
        Some(key.as_str())
    }
}

async fn list_members(
    call: Call<ByName, List, Nothing>,
) -> Result<Answer<Page<MemberView>>, Problem> {
    let (store, name) = (&call.site.services.store, &call.path.name);
    call.must(READ, Some(name)).await?;
    let range = Range::of(&call.query)?;
    if store.find_organization(name).await?.is_none() {
        return Err(Problem::not_found("organization", name));
    }
    let after = range.after_id(UserId::parse)?;
    let rows = store.page_of_organization_members(name, after, range.rows());
    Ok(Answer::of(&members(&range, rows.await?)))
}

async fn add_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let ByMember { name, user_id } = &call.path;
    let mut act = begun!(call);
    act.join_organization(*user_id, name).await?;
    call.gone(act).await
}

async fn remove_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let ByMember { name, user_id } = &call.path;
    call.must(WRITE_MEMBERS, Some(name)).await?;
    let mut act = begun!(call);
    if !act.leave_organization(*user_id, name).await? {
        return Err(Problem::not_found("member", user_id));
    }
    call.gone(act).await
}
