//! Organizations and their members. A role for an organization suffices for what belongs to it.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::groups::{ShownMember, members};
use super::inputs::{ByName, Json, Nothing, Patch};
use super::page::{List, Page, Range, Search};
use super::problem::Problem;
use super::users::WRITE_ATTRIBUTES;
use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::service::administration::{Named, Writing};
use crate::service::apply::{Desired, DesiredOrganization};
use crate::store::groups::OrganizationRecord;

const READ: &str = "organizations.read";
const WRITE: &str = "organizations.write";
/// Who belongs to an organization decides what policies say of them.
const WRITE_MEMBERS: &str = "organizations.members";

/// What can be changed of an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OrganizationFields")]
pub(super) struct Fields {
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What policies may ask about it; changing it needs `signet:attributes.write`.
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// An organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Organization")]
pub(super) struct Shown {
    /// Its name.
    name: String,
    #[serde(flatten)]
    fields: Fields,
}

/// One member.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByMember {
    /// The organization.
    name: String,
    /// The person: `sub`.
    user_id: UserId,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("organizations", id, summary, action);
    let list_organizations = about("list_organizations", "List organizations", READ);
    api.add(Method::GET, "/v1/organizations", list_organizations, list);
    let create_organization = about("create_organization", "Create an organization", WRITE);
    api.add(
        Method::POST,
        "/v1/organizations",
        create_organization,
        create,
    );
    let one = "/v1/organizations/{name}";
    let get_organization =
        about("get_organization", "Read an organization", READ).by_organization();
    api.add(Method::GET, one, get_organization, get);
    let update_organization = about("update_organization", "Change an organization", WRITE);
    api.add(
        Method::PATCH,
        one,
        update_organization.guarded().by_organization(),
        update,
    );
    let delete_organization = about("delete_organization", "Delete an organization", WRITE)
        .details("Roles that were given for it are gone with it.");
    api.add(Method::DELETE, one, delete_organization.guarded(), delete);
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
        "Make a person a member of an organization",
        WRITE_MEMBERS,
    )
    .details(
        "Needs the permission everywhere: nobody pulls other people into their own organization.",
    );
    api.add(Method::PUT, member, join, add_member);
    let leave = about(
        "remove_organization_member",
        "End a person's membership in an organization",
        WRITE_MEMBERS,
    );
    api.add(
        Method::DELETE,
        member,
        leave.by_organization(),
        remove_member,
    );
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let begins = call.query.begins();
    let rows = store.page_of_organizations(begins, range.after(), range.rows());
    let shown = |(name, organization)| shown(name, organization);
    let page = range.page(rows.await?, |row| row.0.clone(), shown);
    Ok(Answer::of(&page))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let name = &call.path.name;
    call.must(READ, Some(name)).await?;
    let found = call.site.services.store.find_organization(name).await?;
    let organization = found.ok_or_else(|| Problem::not_found("organization", name))?;
    Ok(Answer::of(&shown(name.clone(), organization)))
}

async fn create(call: Call<Nothing, Nothing, Json<Shown>>) -> Result<Answer<Shown, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    if !new.fields.attributes.is_empty() {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    let named = Named::Organization(&new.name);
    writing.may_lose(named, "name").await?;
    write(&mut writing, &new.name, &new.fields, true).await?;
    let created = find(&mut writing, &new.name).await?;
    let location = super::location("organizations", &new.name);
    call.created(writing, &created, location).await
}

async fn update(call: Call<ByName, Nothing, Patch<Fields>>) -> Result<Answer<Shown>, Problem> {
    call.must(WRITE, Some(&call.path.name)).await?;
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.name).await?;
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.fields)?;
    if wanted.attributes != was.fields.attributes {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    write(&mut writing, &was.name, &wanted, false).await?;
    let is = find(&mut writing, &was.name).await?;
    call.done(writing, &is).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.name).await?;
    call.must_match(&was)?;
    if !was.fields.attributes.is_empty() {
        call.must(WRITE_ATTRIBUTES, None).await?;
    }
    let named = Named::Organization(&was.name);
    writing.may_lose(named, "name").await?;
    roles_lost(&mut writing, &was.name).await?;
    writing.delete_organization(&was.name, json!(was)).await?;
    call.gone(writing).await
}

async fn list_members(
    call: Call<ByName, List, Nothing>,
) -> Result<Answer<Page<ShownMember>>, Problem> {
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
    let mut writing = begun!(call);
    let ByMember { name, user_id } = &call.path;
    find(&mut writing, name).await?;
    super::users::find(&mut writing, *user_id).await?;
    if writing.rights().is_self(*user_id) {
        writing.rights().must_be_full("user_id")?;
    }
    let named = Named::Organization(name);
    writing.may_lose(named, "name").await?;
    let rights = writing.rights();
    rights
        .may_make_member(&call.site.services, *user_id, name)
        .await?;
    if writing.tx().add_organization_member(*user_id, name).await? {
        let event = writing.event(EventType::MembershipCreated).user(*user_id);
        let event = event.target("organization", name).organization(name);
        writing
            .record(event.after(json!({ "organization": name })))
            .await?;
    }
    call.gone(writing).await
}

async fn remove_member(
    call: Call<ByMember, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let ByMember { name, user_id } = &call.path;
    call.must(WRITE_MEMBERS, Some(name)).await?;
    let mut writing = begun!(call);
    find(&mut writing, name).await?;
    // A policy may forbid something to members of any suspended organization, naming none.
    if writing.rights().is_self(*user_id) {
        writing.rights().must_be_full("user_id")?;
    }
    let named = Named::Organization(name);
    writing.may_lose(named, "name").await?;
    let gone = writing.tx().remove_organization_member(*user_id, name);
    if !gone.await? {
        return Err(Problem::not_found("member", user_id));
    }
    let event = writing.event(EventType::MembershipDeleted).user(*user_id);
    let event = event.target("organization", name).organization(name);
    writing
        .record(event.before(json!({ "organization": name })))
        .await?;
    call.gone(writing).await
}

/// What was given for an organization is gone with it: people keep what the caller could not take from them.
async fn roles_lost(writing: &mut Writing, name: &str) -> Result<(), Problem> {
    for role in writing.tx().list_roles_given_for(name).await? {
        writing.rights().may_take_role(&role, Some(name), "name")?;
        writing.may_lose(Named::Role(&role), "name").await?;
    }
    Ok(())
}

async fn write(
    writing: &mut Writing,
    name: &str,
    wanted: &Fields,
    only_new: bool,
) -> Result<(), Problem> {
    let desired = Desired {
        organizations: vec![DesiredOrganization {
            name: name.to_owned(),
            organization: OrganizationRecord {
                description: wanted.description.clone(),
                attributes: wanted.attributes.clone(),
            },
        }],
        ..Desired::default()
    };
    writing.apply(&desired, only_new).await?;
    Ok(())
}

async fn find(writing: &mut Writing, name: &str) -> Result<Shown, Problem> {
    let found = writing.tx().find_organization(name).await?;
    let organization = found.ok_or_else(|| Problem::not_found("organization", name))?;
    Ok(shown(name.to_owned(), organization))
}

fn shown(name: String, organization: OrganizationRecord) -> Shown {
    Shown {
        name,
        fields: Fields {
            description: organization.description,
            attributes: organization.attributes,
        },
    }
}
