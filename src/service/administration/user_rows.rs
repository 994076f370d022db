//! A person as a document, a request or a command describes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::checking::Checking;
use super::kind::{differing, view};
use super::{AdministrationError, KindName};
use crate::config::Secret;
use crate::crypto::password::{MAX_PASSWORD_BYTES, is_valid_phc};
use crate::domain::directory::{GroupName, OrganizationName};
use crate::domain::ids::UserId;
use crate::domain::policy::{Assignment, Level, Of, ResourceName};
use crate::domain::user::{User, username_key};
use crate::spec::standard_claims::StandardClaims;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::users::UserFields;

/// Shortest password that may be set, in characters (NIST SP 800-63B §3.1.1.2).
pub const MIN_PASSWORD_CHARS: usize = 8;

/// A person as they are to be; `None` leaves what is there.
#[derive(Clone, Debug, Default)]
pub struct UserRow {
    /// The name they sign in with.
    pub username: String,
    /// Their password.
    pub password: Option<NewPassword>,
    /// Their e-mail address; an empty one removes it.
    pub email: Option<String>,
    /// Whether it is known to be theirs. A new address that nothing is said of is not.
    pub email_verified: Option<bool>,
    /// Standard claims; those that are `None` stay.
    pub claims: StandardClaims,
    /// Whether claims that are `None` go instead.
    pub all_claims: bool,
    /// All their attributes.
    pub attributes: Option<Map<String, Value>>,
    /// All their roles, with the organization and the end of each.
    pub roles: Option<BTreeSet<Assignment>>,
    /// All their groups.
    pub groups: Option<BTreeSet<GroupName>>,
    /// All their organizations.
    pub organizations: Option<BTreeSet<OrganizationName>>,
    /// What they may do to single resources.
    pub levels: Option<BTreeMap<ResourceName, Level>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
}

/// A password, in one of the ways in which an operator has it.
#[derive(Clone, Debug)]
pub enum NewPassword {
    /// The password itself.
    Plain(Secret),
    /// A PHC string of Argon2id from elsewhere. It is applied once: the hash in the store is replaced when it was
    /// made with other settings than today's, or when the person chooses another password.
    Hash(Secret),
    /// The hash, made just now, of a new password.
    Fresh(Secret),
}

/// The name under which a person is found, if they can be so; else the mistakes are noted.
pub(super) async fn check_user(
    checking: &mut Checking<'_>,
    row: &UserRow,
) -> Result<Option<String>, StoreError> {
    checking.at(KindName::User, &row.username);
    match &row.password {
        Some(NewPassword::Plain(password)) => {
            let password = password.expose();
            if password.chars().count() < MIN_PASSWORD_CHARS {
                let problem = format!("expected at least {MIN_PASSWORD_CHARS} characters");
                checking.refuse("password", problem);
            }
            if password.len() > MAX_PASSWORD_BYTES {
                let problem = format!("expected at most {MAX_PASSWORD_BYTES} bytes");
                checking.refuse("password", problem);
            }
        }
        Some(NewPassword::Hash(phc)) if !is_valid_phc(phc.expose()) => {
            let problem = "expected a PHC string of Argon2id: $argon2id$v=19$m=…,t=…,p=…$…$…";
            checking.refuse("password_hash", problem);
        }
        Some(NewPassword::Hash(_) | NewPassword::Fresh(_)) | None => {}
    }
    let email = row.email.as_deref().unwrap_or_default();
    if !email.is_empty() && !is_address(email) {
        checking.refuse("email", "expected an e-mail address");
    }
    checking.text("claims", &Value::Object(view(&row.claims)?).to_string());
    if let Some(attributes) = &row.attributes {
        checking.attributes(&Of::User, attributes).await?;
    }
    if let Some(given) = &row.roles {
        checking.assignments(given).await?;
    }
    for group in row.groups.iter().flatten() {
        checking.refer("groups", KindName::Group, group).await?;
    }
    for organization in row.organizations.iter().flatten() {
        let kind = KindName::Organization;
        checking.refer("organizations", kind, organization).await?;
    }
    let key = username_key(&row.username);
    if key.is_none() {
        let problem = "expected 1 to 255 bytes without control characters";
        checking.refuse("username", problem);
    }
    Ok(key)
}

pub(super) fn bad_name(username: &str) -> AdministrationError {
    AdministrationError::mistake(
        KindName::User,
        username,
        "username",
        "a user name has 1 to 255 bytes, no control characters, and is not a UUID",
    )
}

fn is_address(text: &str) -> bool {
    text.len() <= 320
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

pub(super) fn fields(
    row: &UserRow,
    key: &str,
    was: Option<&User>,
) -> Result<UserFields, StoreError> {
    let email = match &row.email {
        Some(email) => Some(email.clone()).filter(|email| !email.is_empty()),
        None => was.and_then(|was| was.email.clone()),
    };
    let email_verified = row.email_verified.unwrap_or_else(|| {
        was.is_some_and(|was| was.email == email && email.is_some() && was.email_verified)
    });
    let kept = was.filter(|_| !row.all_claims).map(|was| &was.claims);
    Ok(UserFields {
        username: row.username.trim().to_owned(),
        username_key: key.to_owned(),
        email,
        email_verified,
        claims: claims(&row.claims, kept)?,
        attributes: match (&row.attributes, was) {
            (Some(attributes), _) => attributes.clone(),
            (None, Some(was)) => was.attributes.clone(),
            (None, None) => Map::new(),
        },
    })
}

/// What is said, over what is there.
fn claims(
    said: &StandardClaims,
    was: Option<&StandardClaims>,
) -> Result<StandardClaims, StoreError> {
    let mut all = was.map(view).transpose()?.unwrap_or_default();
    all.extend(view(said)?);
    Ok(serde_json::from_value(Value::Object(all))?)
}

pub(super) fn changed_fields(was: &User, is: &UserFields) -> Result<Vec<String>, StoreError> {
    let differences = [
        ("username", was.username != is.username),
        ("email", was.email != is.email),
        ("email_verified", was.email_verified != is.email_verified),
        ("attributes", was.attributes != is.attributes),
    ];
    let changed = differences.iter().filter(|(_, differs)| *differs);
    let mut changed: Vec<String> = changed.map(|(name, _)| (*name).to_owned()).collect();
    changed.extend(differing(&view(&was.claims)?, &view(&is.claims)?));
    Ok(changed)
}

/// The person as the act leaves them, to be judged before.
pub(super) fn user(id: UserId, fields: &UserFields, was: Option<&User>, now: Ts) -> User {
    User {
        id,
        username: fields.username.clone(),
        email: fields.email.clone(),
        email_verified: fields.email_verified,
        claims: fields.claims.clone(),
        attributes: fields.attributes.clone(),
        token_version: was.map_or(0, |was| was.token_version),
        disabled_at: was.and_then(|was| was.disabled_at),
        created_at: was.map_or(now, |was| was.created_at),
        updated_at: now,
    }
}
