//! Roles: their parents and permissions.

use std::collections::BTreeSet;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{ByName, Json, Nothing, Patch};
use super::page::{Page, Search};
use super::problem::Problem;
use crate::domain::policy::ADMIN_ROLE;
use crate::service::administration::{Named, Writing};
use crate::service::apply::{Desired, DesiredRole};
use crate::store::roles::RoleRecord;

const READ: &str = "roles.read";
const WRITE: &str = "roles.write";

/// What can be changed of a role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoleFields")]
pub(super) struct Fields {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Roles whose permissions it has too.
    #[serde(default)]
    parents: BTreeSet<String>,
    /// `resource_type:action`; the action `*` is every action.
    #[serde(default)]
    permissions: BTreeSet<String>,
}

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Role")]
pub(super) struct Shown {
    /// Its name.
    name: String,
    #[serde(flatten)]
    fields: Fields,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("roles", id, summary, action);
    let list_roles = about("list_roles", "List roles", READ);
    api.add(Method::GET, "/v1/roles", list_roles, list);
    let create_role = about("create_role", "Create a role", WRITE)
        .details("Its parents and permissions must be among your own.");
    api.add(Method::POST, "/v1/roles", create_role, create);
    let get_role = about("get_role", "Read a role", READ);
    api.add(Method::GET, "/v1/roles/{name}", get_role, get);
    let update_role = about("update_role", "Change a role", WRITE)
        .details("What you add must be among your own parents and permissions.");
    api.add(
        Method::PATCH,
        "/v1/roles/{name}",
        update_role.guarded(),
        update,
    );
    let delete_role = about("delete_role", "Delete a role", WRITE)
        .details("Whoever has it has it no more. The built-in role `admin` stays.");
    api.add(
        Method::DELETE,
        "/v1/roles/{name}",
        delete_role.guarded(),
        delete,
    );
}

async fn list(call: Call<Nothing, Search, Nothing>) -> Result<Answer<Page<Shown>>, Problem> {
    let range = call.query.range()?;
    let store = &call.site.services.store;
    let rows = store
        .page_of_roles(call.query.begins(), range.after(), range.rows())
        .await?;
    let page = range.page(rows, |row| row.0.clone(), |(name, role)| shown(name, role));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Shown>, Problem> {
    let name = &call.path.name;
    let found = call.site.services.store.find_role(name).await?;
    let role = found.ok_or_else(|| Problem::not_found("role", name))?;
    Ok(Answer::of(&shown(name.clone(), role)))
}

async fn create(call: Call<Nothing, Nothing, Json<Shown>>) -> Result<Answer<Shown, 201>, Problem> {
    let mut writing = begun!(call);
    let Json(new) = &call.body;
    writing.may_lose(Named::Role(&new.name), "name").await?;
    write(&mut writing, &new.name, &Fields::none(), &new.fields, true).await?;
    let created = find(&mut writing, &new.name).await?;
    let location = super::location("roles", &new.name);
    call.created(writing, &created, location).await
}

async fn update(call: Call<ByName, Nothing, Patch<Fields>>) -> Result<Answer<Shown>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.name).await?;
    call.must_match(&was)?;
    let wanted = call.body.onto(&was.fields)?;
    let shrinks = !was.fields.permissions.is_subset(&wanted.permissions)
        || !was.fields.parents.is_subset(&wanted.parents);
    if shrinks {
        writing.rights().may_take_role(&was.name, None, "name")?;
    }
    if was.name == ADMIN_ROLE {
        writing.rights().must_be_full("name")?;
    }
    for parent in was.fields.parents.difference(&wanted.parents) {
        writing.may_lose(Named::Role(parent), "parents").await?;
    }
    write(&mut writing, &was.name, &was.fields, &wanted, false).await?;
    let is = find(&mut writing, &was.name).await?;
    call.done(writing, &is).await
}

async fn delete(call: Call<ByName, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut writing = begun!(call);
    let was = find(&mut writing, &call.path.name).await?;
    if was.name == ADMIN_ROLE {
        let detail = "the role \"admin\" is built in and cannot be deleted";
        return Err(Problem::conflict("built_in", detail));
    }
    call.must_match(&was)?;
    writing.rights().may_take_role(&was.name, None, "name")?;
    writing.may_lose(Named::Role(&was.name), "name").await?;
    writing.delete_role(&was.name, json!(was)).await?;
    call.gone(writing).await
}

async fn write(
    writing: &mut Writing,
    name: &str,
    was: &Fields,
    wanted: &Fields,
    only_new: bool,
) -> Result<(), Problem> {
    for permission in wanted.permissions.difference(&was.permissions) {
        let rights = writing.rights();
        rights.may_give_permission(permission, "permissions")?;
    }
    let known = writing.tx().list_roles().await?;
    for parent in wanted.parents.difference(&was.parents) {
        if !known.contains_key(parent) {
            return Err(Problem::unknown_reference(
                "parents",
                "role",
                parent,
                known.keys(),
            ));
        }
        writing
            .rights()
            .may_give_role(parent, None, None, "parents")?;
        writing.may_bind(Named::Role(parent), "parents").await?;
    }
    let desired = Desired {
        roles: vec![DesiredRole {
            name: name.to_owned(),
            role: RoleRecord {
                description: wanted.description.clone(),
                parents: wanted.parents.clone(),
                permissions: wanted.permissions.clone(),
            },
        }],
        ..Desired::default()
    };
    writing.apply(&desired, only_new).await?;
    Ok(())
}

async fn find(writing: &mut Writing, name: &str) -> Result<Shown, Problem> {
    let found = writing.tx().list_roles().await?.remove(name);
    let role = found.ok_or_else(|| Problem::not_found("role", name))?;
    Ok(shown(name.to_owned(), role))
}

fn shown(name: String, role: RoleRecord) -> Shown {
    Shown {
        name,
        fields: Fields {
            description: role.description,
            parents: role.parents,
            permissions: role.permissions,
        },
    }
}

impl Fields {
    const fn none() -> Self {
        Self {
            description: None,
            parents: BTreeSet::new(),
            permissions: BTreeSet::new(),
        }
    }
}
