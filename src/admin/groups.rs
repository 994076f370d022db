//! Groups and their members.

use std::collections::BTreeSet;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api::{About, Api};
use super::call::{Answer, Call, Context, begun};
use super::inputs::{ByName, Json, Nothing, Patch};
use super::page::{List, Page, Range, Search};
use super::problem::Problem;
use super::users::WRITE_ATTRIBUTES;
use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::service::administration::{Named, Writing};
use crate::service::apply::{Desired, DesiredGroup};
use crate::service::audit::views;
use crate::store::groups::GroupRecord;
use crate::store::pages::{GroupPage, Member};

const READ: &str = "groups.read";
const WRITE: &str = "groups.write";

/// What can be changed of a group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GroupFields")]
pub(super) struct Fields {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Groups whose members its members are too.
    #[serde(default)]
    parents: BTreeSet<String>,
    /// What policies may ask about it; changing it needs `signet:attributes.write`.
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// A group. Its roles are assignments.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct Shown {
    /// Its name.
    name: String,
    #[serde(flatten)]
    fields: Fields,
}

/// One member.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByMember {
    /// The group.
    name: String,
    /// The person: `sub`.
    user_id: UserId,
}

/// A member of a group or an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub(super) struct ShownMember {
    /// `sub`.
    user_id: UserId,
    /// Their name.
    username: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("groups", id, summary, action);
    let list_groups = about("list_groups", "List groups", READ);
    api.add(Method::GET, "/v1/groups", list_groups, list);
    let create_group = about("create_group", "Create a group", WRITE)
        .details("You must be a member of its parents.");
    api.add(Method::POST, "/v1/groups", create_group, create);
    let get_group = about("get_group", "Read a group", READ);
    api.add(Method::GET, "/v1/groups/{name}", get_group, get);
    let update_group = about("update_group", "Change a group", WRITE)
        .details("You must be a member of the parents that you add.");
    api.add(
        Method::PATCH,
        "/v1/groups/{name}",
        update_group.guarded(),
        update,
    );
    let delete_group = about("delete_group", "Delete a group", WRITE);
    api.add(
        Method::DELETE,
        "/v1/groups/{name}",
        delete_group.guarded(),
        delete,
    );
    let members = about("list_group_members", "List a group's own members", READ);
    api.add(
        Method::GET,
        "/v1/groups/{name}/members",
        members,
        list_members,
    );
    let join = about(
        "add_group_member",
        "Make a person a member of a group",
        WRITE,
    )
    .details("Gives them all that the group gives, so you must be a member yourself.");
    let member = "/v1/groups/{name}/members/{user_id}";
    api.add(Method::PUT, member, join, add_member);
    let leave = about(
        "remove_group_member",
        "End a person's membership in a group",
        WRITE,
    );
    api.add(Method::DELETE, member, leave, remove_member);
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let rows = store
        .page_of_groups(call.query.begins(), range.after(), range.rows())
        .await?;
    let page = range.page(
        rows,
        |row| row.0.clone(),
        |(name, group)| shown(name, group),
    );
    Ok(Answer::of(&page))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let name = &call.path.name;
    let found = call.site.services.store.find_group(name).await?;
    let group = found.ok_or_else(|| Problem::not_found("group", name))?;
    Ok(Answer::of(&shown(name.clone(), group)))
}

async fn create(call: Call<Nothing, Nothing, Json<Shown>>) -> Result<Answer<Shown, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    if writing.tx().list_groups().await?.contains_key(&new.name) {
        return Err(Problem::exists("group", &new.name).param("name"));
    }
    writing.may_lose(Named::Group(&new.name), "name").await?;
    let none = GroupRecord::default();
    write(&call, &mut writing, &new.name, none, &new.fields).await?;
    let created = show(&mut writing, &new.name).await?;
    let location = super::location("groups", &new.name);
    call.created(writing, &created, location).await
}

async fn update(call: Call<ByName, Nothing, Patch<Fields>>) -> Result<Answer<Shown>, Problem> {
    let mut writing = begun!(call);
    let name = &call.path.name;
    let was = show(&mut writing, name).await?;
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.fields)?;
    let record = find(&mut writing, name).await?;
    write(&call, &mut writing, name, record, &wanted).await?;
    let is = show(&mut writing, name).await?;
    call.done(writing, &is).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let name = &call.path.name;
    let record = find(&mut writing, name).await?;
    let was = views::group(&record);
    call.must_match(&of_record(name, record))?;
    lost(&mut writing, name).await?;
    writing.delete_group(name, was).await?;
    call.gone(writing).await
}

async fn write(
    call: &Context,
    writing: &mut Writing,
    name: &str,
    mut record: GroupRecord,
    wanted: &Fields,
) -> Result<(), Problem> {
    if wanted.attributes != record.attributes {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    record.attributes.clone_from(&wanted.attributes);
    if !record.parents.is_subset(&wanted.parents) {
        lost(writing, name).await?;
    }
    for parent in wanted.parents.difference(&record.parents) {
        writing.rights().may_give_group(parent, "parents")?;
        writing.may_bind(Named::Group(parent), "parents").await?;
    }
    record.description.clone_from(&wanted.description);
    record.parents.clone_from(&wanted.parents);
    let desired = Desired {
        groups: vec![DesiredGroup {
            name: name.to_owned(),
            group: record,
        }],
        ..Desired::default()
    };
    writing.apply(&desired, false).await?;
    Ok(())
}

async fn list_members(
    call: Call<ByName, List, Nothing>,
) -> Result<Answer<Page<ShownMember>>, Problem> {
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
pub(super) fn members(range: &Range, rows: Vec<Member>) -> Page<ShownMember> {
    let shown = |member: Member| ShownMember {
        user_id: member.id,
        username: member.username,
    };
    range.page(rows, |member| member.id.to_string(), shown)
}

async fn add_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let ByMember { name, user_id } = &call.path;
    find(&mut writing, name).await?;
    super::users::find(&mut writing, *user_id).await?;
    writing.rights().may_give_group(name, "name")?;
    writing.may_bind(Named::Group(name), "name").await?;
    if writing.tx().add_group_member(*user_id, name).await? {
        let event = writing.event(EventType::MembershipCreated).user(*user_id);
        let event = event.target("group", name).after(json!({ "group": name }));
        writing.record(event).await?;
    }
    call.gone(writing).await
}

async fn remove_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let ByMember { name, user_id } = &call.path;
    find(&mut writing, name).await?;
    lost(&mut writing, name).await?;
    if !writing.tx().remove_group_member(*user_id, name).await? {
        return Err(Problem::not_found("member", user_id));
    }
    let event = writing.event(EventType::MembershipDeleted).user(*user_id);
    let event = event.target("group", name).before(json!({ "group": name }));
    writing.record(event).await?;
    call.gone(writing).await
}

/// What the group gives about administration must be the caller's, and what a policy speaks of may forbid.
async fn lost(writing: &mut Writing, name: &str) -> Result<(), Problem> {
    writing.rights().may_take_group(name, "name")?;
    writing.may_lose(Named::Group(name), "name").await?;
    Ok(())
}

async fn find(writing: &mut Writing, name: &str) -> Result<GroupRecord, Problem> {
    let found = writing.tx().list_groups().await?.remove(name);
    found.ok_or_else(|| Problem::not_found("group", name))
}

async fn show(writing: &mut Writing, name: &str) -> Result<Shown, Problem> {
    Ok(of_record(name, find(writing, name).await?))
}

fn of_record(name: &str, group: GroupRecord) -> Shown {
    let page = GroupPage {
        description: group.description,
        parents: group.parents,
        attributes: group.attributes,
    };
    shown(name.to_owned(), page)
}

fn shown(name: String, group: GroupPage) -> Shown {
    Shown {
        name,
        fields: Fields {
            description: group.description,
            parents: group.parents,
            attributes: group.attributes,
        },
    }
}
