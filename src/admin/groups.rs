//! Groups and their members.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::crud::{self, Collection};
use super::inputs::{ByName, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::directory::{Group, GroupName};
use crate::domain::ids::UserId;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::users::Member;

const READ: &str = "groups.read";
const WRITE: &str = "groups.write";

/// One member.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByMember {
    /// The group.
    name: GroupName,
    /// The user's `sub`.
    user_id: UserId,
}

/// A member of a group or an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub(super) struct MemberView {
    /// `sub`.
    user_id: UserId,
    /// User name.
    username: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("groups", id, summary, action);
    crud::add::<Group>(
        api,
        ["/v1/groups", "/v1/groups/{name}"],
        &[
            about("list_groups", "List groups", READ),
            about("create_group", "Create a group", WRITE)
                .details("You must be a member of its parents."),
            about("get_group", "Read a group", READ),
            about("update_group", "Change a group", WRITE)
                .details("You must be a member of the parents that you add."),
            about("delete_group", "Delete a group", WRITE),
        ],
    );
    let members = about("list_group_members", "List a group's direct members", READ);
    let path = "/v1/groups/{name}/members";
    api.add(Method::GET, path, members, list_members);
    let member = "/v1/groups/{name}/members/{user_id}";
    let join = about("add_group_member", "Add a user to a group", WRITE).details(
        "The user gets everything that the group gives, so you must be a member yourself.",
    );
    api.add(Method::PUT, member, join, add_member);
    let leave = about("remove_group_member", "Remove a user from a group", WRITE);
    api.add(Method::DELETE, member, leave, remove_member);
}

impl Collection for Group {
    const NAME: &'static str = "groups";
    const WRITE: &'static str = WRITE;

    async fn read(store: &Store, key: &GroupName) -> Result<Option<Self>, StoreError> {
        store.find_group(key).await
    }

    async fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(GroupName, Self)>, StoreError> {
        store.page_of_groups(begins, after, limit).await
    }
}

async fn list_members(
    call: Call<ByName, List, Nothing>,
) -> Result<Answer<Page<MemberView>>, Problem> {
    let range = Range::of(&call.query)?;
    let (store, name) = (&call.site.services.store, &call.path.name);
    if store.find_group(name).await?.is_none() {
        return Err(Problem::not_found("group", name));
    }
    let after = range.after_id(UserId::parse)?;
    let rows = store.page_of_group_members(name, after, range.rows());
    Ok(Answer::of(&members(&range, rows.await?)))
}

/// A page of members.
pub(super) fn members(range: &Range, rows: Vec<Member>) -> Page<MemberView> {
    let view = |member: Member| MemberView {
        user_id: member.id,
        username: member.username,
    };
    range.page(rows, |member| member.id.to_string(), view)
}

async fn add_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let ByMember { name, user_id } = &call.path;
    let mut act = begun!(call);
    act.join_group(*user_id, name).await?;
    call.gone(act).await
}

async fn remove_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let ByMember { name, user_id } = &call.path;
    let mut act = begun!(call);
    if !act.leave_group(*user_id, name).await? {
        return Err(Problem::not_found("member", user_id));
    }
    call.gone(act).await
}
