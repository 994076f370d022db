//! Assignments: who was given which role, for which organization, until when.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing};
use super::page::{Page, Range, named};
use super::problem::Problem;
use crate::crypto::b64;
use crate::domain::ids::UserId;
use crate::domain::policy::Assignment;
use crate::spec::time::Ts;
use crate::store::assignments::{Filter, Held, Holder, Place};

const READ: &str = "assignments.read";
const WRITE: &str = "assignments.write";

/// An assignment: a role given to a user or a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Assignment")]
pub(super) struct AssignmentView {
    /// Its id in paths.
    id: String,
    #[serde(flatten)]
    fields: NewAssignment,
}

/// A role to give to a user, or to the members of a group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct NewAssignment {
    /// The user's `sub`; exactly one of `user_id` and `group` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// The group; exactly one of `user_id` and `group` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The role.
    role: String,
    /// Limits the role to what belongs to this organization (default: no limit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    organization: Option<String>,
    /// Time at which the assignment ends, RFC 3339 (default: it does not end).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// Selects assignments.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssignmentQuery {
    /// Only assignments to this user, by `sub`.
    user_id: Option<UserId>,
    /// Only assignments to this group.
    group: Option<String>,
    /// Only assignments of this role.
    role: Option<String>,
    /// Only assignments for this organization.
    #[schemars(length(min = 1))]
    organization: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// One assignment.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// Its id.
    id: String,
}

pub(super) fn add(api: &mut Api) {
    let about =
        |id, summary, action| About::new("assignments", id, summary, action).by_organization();
    let list_assignments = about("list_assignments", "List assignments", READ);
    api.add(Method::GET, "/v1/assignments", list_assignments, list);
    let create_assignment = about("create_assignment", "Give a role", WRITE).details(
        "You must have the role yourself, everywhere or for that organization. Giving it again changes `until`.",
    );
    api.add(Method::POST, "/v1/assignments", create_assignment, create);
    let delete_assignment = about("delete_assignment", "Take a role", WRITE)
        .details("Refused for the last administrator.");
    api.add(
        Method::DELETE,
        "/v1/assignments/{id}",
        delete_assignment,
        delete,
    );
}

async fn list(
    call: Call<Nothing, AssignmentQuery, Nothing>,
) -> Result<Answer<Page<AssignmentView>>, Problem> {
    let query = &call.query;
    call.must(READ, named(query.organization.as_deref())?)
        .await?;
    let holder = match (query.user_id, &query.group) {
        (Some(_), Some(_)) => {
            let detail = "a user_id and a group were sent; expected one of them";
            return Err(Problem::invalid("group", detail));
        }
        (Some(user), None) => Some(Holder::User(user)),
        (None, Some(group)) => Some(Holder::Group(group.clone())),
        (None, None) => None,
    };
    let filter = Filter {
        holder,
        role: query.role.clone(),
        organization: query.organization.clone(),
    };
    let range = Range::new(query.cursor.as_deref(), query.limit)?;
    let after = range.after_id(place)?;
    let store = &call.site.services.store;
    let rows = store.list_assignments(&filter, after.as_ref(), range.rows());
    let page = range.page(rows.await?, |held| id(&Place::of(held)), |held| view(&held));
    Ok(Answer::of(&page))
}

async fn create(
    call: Call<Nothing, Nothing, Json<NewAssignment>>,
) -> Result<Answer<AssignmentView, 201>, Problem> {
    let Json(new) = &call.body;
    let organization = named(new.organization.as_deref())?;
    call.must(WRITE, organization).await?;
    let holder = match (new.user_id, &new.group) {
        (Some(user), None) => Holder::User(user),
        (None, Some(group)) => Holder::Group(group.clone()),
        (Some(_), Some(_)) | (None, None) => {
            let detail = "expected either a user_id or a group";
            return Err(Problem::unprocessable("user_id", detail));
        }
    };
    let until = new.until.as_deref().map(until).transpose()?;
    let assignment = Assignment {
        role: new.role.clone(),
        organization: new.organization.clone(),
        until,
    };
    let mut act = begun!(call);
    act.assign(&holder, &assignment).await?;
    let created = view(&Held { holder, assignment });
    let location = super::location("assignments", &created.id);
    call.created(act, &created, location).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let unknown = || Problem::not_found("assignment", &call.path.id);
    let Some(place) = place(&call.path.id) else {
        call.must(WRITE, None).await?;
        return Err(unknown());
    };
    let organization = Some(place.organization.clone()).filter(|name| !name.is_empty());
    call.must(WRITE, organization.as_deref()).await?;
    let like = Assignment {
        role: place.role,
        organization,
        until: None,
    };
    let mut act = begun!(call);
    if !act.unassign(&place.holder, &like).await? {
        return Err(unknown());
    }
    call.gone(act).await
}

fn until(text: &str) -> Result<Ts, Problem> {
    let expected = "expected a time of RFC 3339, such as 2027-01-01T00:00:00Z";
    Ts::parse_rfc3339(text).ok_or_else(|| Problem::unprocessable("until", expected))
}

/// The opaque name of an assignment; also the key of lists.
fn id(place: &Place) -> String {
    let (kind, holder) = match &place.holder {
        Holder::User(id) => ("u", id.to_string()),
        Holder::Group(name) => ("g", name.clone()),
    };
    let parts = [kind, &holder, &place.role, &place.organization];
    b64::encode(json!(parts).to_string().as_bytes())
}

fn place(id: &str) -> Option<Place> {
    let text = b64::decode(id)?;
    let [kind, holder, role, organization]: [String; 4] = serde_json::from_slice(&text).ok()?;
    let holder = match kind.as_str() {
        "u" => Holder::User(UserId::parse(&holder)?),
        "g" if !holder.contains('\0') => Holder::Group(holder),
        _ => return None,
    };
    let clean = |text: &String| !text.contains('\0');
    (clean(&role) && clean(&organization)).then_some(Place {
        holder,
        role,
        organization,
    })
}

fn view(held: &Held) -> AssignmentView {
    let (user_id, group) = match &held.holder {
        Holder::User(id) => (Some(*id), None),
        Holder::Group(name) => (None, Some(name.clone())),
    };
    AssignmentView {
        id: id(&Place::of(held)),
        fields: NewAssignment {
            user_id,
            group,
            role: held.assignment.role.clone(),
            organization: held.assignment.organization.clone(),
            until: held.assignment.until.map(Ts::rfc3339),
        },
    }
}
