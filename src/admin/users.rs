//! People.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{About, Api};
use super::call::{Answer, Call, Context, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{Page, Range, named};
use super::problem::Problem;
use crate::config::Secret;
use crate::domain::ids::UserId;
use crate::domain::user::{User, username_key};
use crate::service::administration::{NewPassword, UserRow, hash_password};
use crate::spec::standard_claims::StandardClaims;
use crate::store::users::{UserFilter, UserWithPassword};

const READ: &str = "users.read";
const WRITE: &str = "users.write";
/// The members of a user that can be changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct UserFields {
    /// User name for sign-in, 1 to 255 bytes, not case-sensitive.
    username: String,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the e-mail address is verified; setting it needs `signet:attributes.write`. A new address is unverified.
    #[serde(default)]
    email_verified: bool,
    /// Attributes that policies may read; changing them needs `signet:attributes.write`.
    #[serde(default)]
    attributes: Map<String, Value>,
    /// Whether the user is disabled and cannot sign in. Disabling revokes the user's sessions, grants and tokens.
    #[serde(default)]
    disabled: bool,
    /// Standard claims (OpenID Connect Core §5.1).
    #[serde(flatten)]
    claims: StandardClaims,
}

/// A user.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(super) struct UserView {
    /// `sub`.
    id: UserId,
    #[serde(flatten)]
    fields: UserFields,
    /// Whether the user has a password.
    has_password: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

/// A user to create.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct NewUser {
    #[serde(flatten)]
    fields: UserFields,
    /// At least 8 characters, at most 1024 bytes.
    #[serde(default)]
    password: Option<String>,
    /// An Argon2id hash as a PHC string, in place of a password.
    #[serde(default)]
    password_hash: Option<String>,
}

/// A new password.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewPassword")]
pub(super) struct NewPasswordBody {
    /// At least 8 characters, at most 1024 bytes.
    password: String,
}

/// Selects users.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UserQuery {
    /// Prefix of the user name or e-mail address.
    q: Option<String>,
    /// Only members of this organization.
    #[schemars(length(min = 1))]
    organization: Option<String>,
    /// Only direct members of this group.
    group: Option<String>,
    /// Only users to whom this role is assigned directly.
    role: Option<String>,
    /// Only disabled users (`true`), or only active ones (`false`).
    disabled: Option<bool>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// One user.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// `sub`.
    pub(super) id: UserId,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("users", id, summary, action);
    let list_users = about("list_users", "List users", READ)
        .details("Sorted by user name.")
        .by_organization();
    api.add(Method::GET, "/v1/users", list_users, list);
    let create_user = about("create_user", "Create a user", WRITE);
    api.add(Method::POST, "/v1/users", create_user, create);
    let get_user = about("get_user", "Read a user", READ).by_organization();
    api.add(Method::GET, "/v1/users/{id}", get_user, get);
    let update_user = about("update_user", "Change a user", WRITE);
    api.add(
        Method::PATCH,
        "/v1/users/{id}",
        update_user.guarded(),
        update,
    );
    let delete_user = about("delete_user", "Delete a user", WRITE)
        .details("Revokes the user's sessions, grants and tokens.");
    api.add(
        Method::DELETE,
        "/v1/users/{id}",
        delete_user.guarded(),
        delete,
    );
    let password = about("set_password", "Set a user's password", WRITE)
        .details("Revokes the user's sessions, grants and tokens.");
    api.add(
        Method::PUT,
        "/v1/users/{id}/password",
        password,
        set_password,
    );
    let revoke = about(
        "revoke_tokens",
        "Revoke a user's sessions, grants and tokens",
        WRITE,
    )
    .details("Takes effect on every instance before the response is sent.");
    api.add(
        Method::POST,
        "/v1/users/{id}/revoke_tokens",
        revoke,
        revoke_tokens,
    );
}

async fn list(call: Call<Nothing, UserQuery, Nothing>) -> Result<Answer<Page<UserView>>, Problem> {
    let query = &call.query;
    let organization = named(query.organization.as_deref())?;
    if organization.is_none() || !call.may(READ, organization).await? {
        call.must(READ, None).await?;
    }
    if query.role.is_some() {
        call.must("assignments.read", organization).await?;
    }
    if query.group.is_some() {
        call.must("groups.read", None).await?;
    }
    let range = Range::new(query.cursor.as_deref(), query.limit)?;
    let filter = UserFilter {
        begins: query.q.as_deref().unwrap_or_default().trim().to_lowercase(),
        organization: organization.unwrap_or_default().to_owned(),
        group: query.group.clone().unwrap_or_default(),
        role: query.role.clone().unwrap_or_default(),
        disabled: query.disabled,
    };
    let store = &call.site.services.store;
    let rows = store
        .search_users(&filter, range.after(), range.rows())
        .await?;
    let key = |row: &UserWithPassword| username_key(&row.user.username).unwrap_or_default();
    Ok(Answer::of(&range.page(rows, key, |row| view(&row))))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<UserView>, Problem> {
    let id = call.path.id;
    let store = &call.site.services.store;
    if !call.may(READ, None).await? {
        // Of people of other organizations not even their existence is told.
        let mut allowed = false;
        for organization in store.list_organizations_of(id).await? {
            allowed = allowed || call.may(READ, Some(&organization)).await?;
        }
        if !allowed {
            return Err(Problem::forbidden(READ));
        }
    }
    let found = store.find_user_with_password(id).await?;
    let found = found.ok_or_else(|| Problem::not_found("user", id))?;
    Ok(Answer::of(&view(&found)))
}

async fn create(
    call: Call<Nothing, Nothing, Json<NewUser>>,
) -> Result<Answer<UserView, 201>, Problem> {
    let Json(new) = &call.body;
    let password = match (&new.password, &new.password_hash) {
        (Some(_), Some(_)) => {
            let detail = "a password and a password_hash were sent; expected one of them";
            return Err(Problem::unprocessable("password_hash", detail));
        }
        (Some(password), None) => Some(hashed(&call, password).await?),
        (None, Some(phc)) => Some(NewPassword::Hash(Secret::new(phc.clone()))),
        (None, None) => None,
    };
    let row = UserRow {
        password,
        ..row(&new.fields)
    };
    let mut act = begun!(call);
    let id = act.create_user(&row).await?;
    let created = view(&act.find_user(id).await?);
    let location = format!("/v1/users/{id}");
    call.created(act, &created, location).await
}

async fn update(call: Call<ById, Nothing, Patch<UserFields>>) -> Result<Answer<UserView>, Problem> {
    let id = call.path.id;
    let mut act = begun!(call);
    let was = act.find_user(id).await?;
    call.must_match(&view(&was))?;
    let before = fields(&was.user);
    let mut wanted = call.body.onto(&before)?;
    if wanted.email != before.email && !call.body.names("email_verified") {
        wanted.email_verified = false;
    }
    act.change_user(&was, &row(&wanted)).await?;
    let is = view(&act.find_user(id).await?);
    call.done(act, &is).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let id = call.path.id;
    let mut act = begun!(call);
    let was = act.find_user(id).await?;
    call.must_match(&view(&was))?;
    act.remove_user(&was.user).await?;
    call.gone(act).await
}

async fn set_password(
    call: Call<ById, Nothing, Json<NewPasswordBody>>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let password = hashed(&call, &call.body.0.password).await?;
    let mut act = begun!(call);
    let was = act.find_user(call.path.id).await?;
    act.set_password(&was, password).await?;
    call.gone(act).await
}

async fn revoke_tokens(
    call: Call<ById, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let id = call.path.id;
    let mut act = begun!(call);
    act.find_user(id).await?;
    act.revoke_user(id).await?;
    call.gone(act).await
}

/// Before the act: hashing takes its time, and on SQLite every other write waits while an act is done.
async fn hashed(call: &Context, password: &str) -> Result<NewPassword, Problem> {
    Ok(hash_password(&call.site.services, password.to_owned()).await?)
}

/// All that is said of a person.
fn row(fields: &UserFields) -> UserRow {
    UserRow {
        username: fields.username.clone(),
        email: Some(fields.email.clone().unwrap_or_default()),
        email_verified: Some(fields.email_verified),
        claims: fields.claims.clone(),
        all_claims: true,
        attributes: Some(fields.attributes.clone()),
        disabled: Some(fields.disabled),
        ..UserRow::default()
    }
}

fn fields(user: &User) -> UserFields {
    UserFields {
        username: user.username.clone(),
        email: user.email.clone(),
        email_verified: user.email_verified,
        attributes: user.attributes.clone(),
        disabled: user.disabled_at.is_some(),
        claims: user.claims.clone(),
    }
}

fn view(row: &UserWithPassword) -> UserView {
    UserView {
        id: row.user.id,
        fields: fields(&row.user),
        has_password: row.password_hash.is_some(),
        created_at: row.user.created_at.rfc3339(),
        updated_at: row.user.updated_at.rfc3339(),
    }
}
