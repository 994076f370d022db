//! People, their passwords and their roles.

use std::collections::BTreeSet;

use super::super::audit::views;
use super::check::{Checked, CheckedUser};
use super::passwords::{Passwords, Prepared};
use super::{
    ApplyError, DesiredPassword, DesiredUser, Kind, Outcome, Problem, Revoked, Work, different,
    differing, object,
};
use crate::crypto::digest::sha256_b64;
use crate::crypto::random;
use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::domain::policy::{Declarations, Misfit, Of};
use crate::domain::user::{User, new_username_key};
use crate::service::tokens::revoke::raise_version;
use crate::service::users::UserError;
use crate::spec::standard_claims::StandardClaims;
use crate::store::assignments::Holder;
use crate::store::error::StoreError;
use crate::store::groups::Memberships;
use crate::store::revocations::{Key, record};
use crate::store::users::{UserFields, UserWithPassword};

pub(super) async fn apply(
    work: &mut Work,
    checked: &Checked<'_>,
    passwords: &Passwords,
) -> Result<(), ApplyError> {
    for user in &checked.users {
        match work.tx.find_user_by_key(&user.key).await? {
            Some(stored) => change(work, user, stored, passwords).await?,
            None => create(work, user, passwords, &checked.declarations).await?,
        }
    }
    if work.options.uncounted {
        return Ok(());
    }
    let named: BTreeSet<&str> = checked.users.iter().map(|user| user.key.as_str()).collect();
    for (id, key) in work.tx.list_user_keys().await? {
        if !named.contains(key.as_str()) && work.prunes(Kind::User) {
            delete(work, id, &key).await?;
        }
    }
    Ok(())
}

async fn create(
    work: &mut Work,
    user: &CheckedUser<'_>,
    passwords: &Passwords,
    declarations: &Declarations,
) -> Result<(), ApplyError> {
    let desired = user.desired;
    if new_username_key(&desired.username).is_none() {
        return Err(ApplyError::Invalid(vec![Problem {
            kind: Kind::User,
            name: desired.username.clone(),
            field: "username".to_owned(),
            problem: UserError::BadName.to_string(),
        }]));
    }
    let id = UserId::from_random(random::bytes());
    let hash = match &desired.password {
        None => None,
        Some(DesiredPassword::Hash(phc)) => {
            let phc = phc.expose();
            work.tx
                .save_setting(&applied_hash(id), &sha256_b64(phc.as_bytes()))
                .await?;
            Some(phc.to_owned())
        }
        Some(DesiredPassword::Fresh(phc)) => Some(phc.expose().to_owned()),
        Some(DesiredPassword::Plain(_)) => match passwords.get(&user.key) {
            Some(Prepared {
                hash: Some(hash), ..
            }) => Some(hash.clone()),
            // They were there a moment ago.
            Some(_) | None => return Err(ApplyError::Moved(desired.username.clone())),
        },
    };
    let fields = fields(user, None);
    // Of somebody who is new, what was not said is not there.
    if let Err(misfits) = declarations.check(&Of::User, &fields.attributes) {
        let problem = |misfit: &Misfit| Problem {
            kind: Kind::User,
            name: desired.username.clone(),
            field: "attributes".to_owned(),
            problem: misfit.to_string(),
        };
        return Err(ApplyError::Invalid(misfits.iter().map(problem).collect()));
    }
    work.tx.insert_user(id, &fields, hash, work.now).await?;
    let memberships = memberships(desired, Memberships::default());
    let mut is = views::user(&fields);
    is["memberships"] = views::memberships(&memberships);
    work.note_user(id, None, Some(is)).await?;
    for assignment in desired.roles.iter().flatten() {
        let holder = Holder::User(id);
        work.tx.assign(&holder, assignment).await?;
        work.note_assignment(&holder, None, Some(assignment))
            .await?;
    }
    if memberships != Memberships::default() {
        work.tx.replace_memberships(id, &memberships).await?;
    }
    if desired.disabled == Some(true) {
        work.tx.set_user_disabled(id, Some(work.now)).await?;
        work.note_act(EventType::UserDisabled, id).await?;
    }
    work.report
        .note(Kind::User, &desired.username, Outcome::Created);
    Ok(())
}

async fn change(
    work: &mut Work,
    user: &CheckedUser<'_>,
    stored: UserWithPassword,
    passwords: &Passwords,
) -> Result<(), ApplyError> {
    let desired = user.desired;
    let UserWithPassword {
        user: was,
        password_hash,
    } = stored;
    let fields = fields(user, Some(&was));
    let mut changed = changed_fields(&was, &fields);
    if !changed.is_empty() {
        work.tx.update_user(was.id, &fields, work.now).await?;
        let (was_view, is_view) = (views::stored_user(&was), views::user(&fields));
        work.note_user(was.id, Some(was_view), Some(is_view))
            .await?;
    }
    let mut ends_everything = false;
    if let Some(hash) = new_hash(work, user, &was, password_hash, passwords).await? {
        work.tx.set_password_hash(was.id, hash).await?;
        work.note_act(EventType::UserPasswordSet, was.id).await?;
        changed.push("password".to_owned());
        // Whoever knew the old one is out.
        ends_everything = true;
    }
    match (desired.disabled, was.disabled_at) {
        (Some(true), None) => {
            work.tx.set_user_disabled(was.id, Some(work.now)).await?;
            work.note_act(EventType::UserDisabled, was.id).await?;
            changed.push("disabled".to_owned());
            ends_everything = true;
        }
        (Some(false), Some(_)) => {
            work.tx.set_user_disabled(was.id, None).await?;
            work.note_act(EventType::UserEnabled, was.id).await?;
            changed.push("disabled".to_owned());
        }
        (Some(true), Some(_)) | (Some(false), None) | (None, _) => {}
    }
    if let Some(roles) = &desired.roles {
        let holder = Holder::User(was.id);
        let had = work.tx.list_assignments_of(&holder).await?;
        if work.tx.replace_assignments(&holder, roles).await? {
            for gone in had.difference(roles) {
                work.note_assignment(&holder, Some(gone), None).await?;
            }
            for given in roles.difference(&had) {
                work.note_assignment(&holder, None, Some(given)).await?;
            }
            changed.push("roles".to_owned());
        }
    }
    if desired.groups.is_some() || desired.organizations.is_some() || desired.levels.is_some() {
        let had = work.tx.list_memberships_of(was.id).await?;
        let wanted = memberships(desired, had.clone());
        let differences = [
            ("groups", had.groups != wanted.groups),
            ("organizations", had.organizations != wanted.organizations),
            ("levels", had.levels != wanted.levels),
        ];
        let fields = different(&differences);
        if !fields.is_empty() {
            work.tx.replace_memberships(was.id, &wanted).await?;
            let (had, wanted) = (views::memberships(&had), views::memberships(&wanted));
            work.note_user(was.id, Some(had), Some(wanted)).await?;
        }
        changed.extend(fields);
    }
    let version = if ends_everything {
        raise_version(&mut work.tx, was.id, work.now)
            .await?
            .unwrap_or(was.token_version)
    } else {
        was.token_version
    };
    // Also when nothing was changed: an apply before this one may have failed to tell.
    if version > 0 && (desired.disabled == Some(true) || desired.password.is_some()) {
        work.revoked.push(Revoked::User(was.id, version));
    }
    work.existed(Kind::User, &desired.username, changed)
}

/// What is said, over what is there.
fn memberships(desired: &DesiredUser, was: Memberships) -> Memberships {
    Memberships {
        groups: desired.groups.clone().unwrap_or(was.groups),
        organizations: desired.organizations.clone().unwrap_or(was.organizations),
        levels: desired.levels.clone().unwrap_or(was.levels),
    }
}

/// The hash that replaces the stored one, if the password is to be another.
async fn new_hash(
    work: &mut Work,
    user: &CheckedUser<'_>,
    was: &User,
    stored: Option<String>,
    passwords: &Passwords,
) -> Result<Option<String>, ApplyError> {
    let applied = applied_hash(was.id);
    match &user.desired.password {
        None => Ok(None),
        Some(DesiredPassword::Hash(phc)) => {
            let phc = phc.expose();
            let digest = sha256_b64(phc.as_bytes());
            let known = work.tx.find_setting(&applied).await?;
            if known.as_ref() == Some(&digest) {
                return Ok(None);
            }
            work.tx.save_setting(&applied, &digest).await?;
            Ok((stored.as_deref() != Some(phc)).then(|| phc.to_owned()))
        }
        Some(DesiredPassword::Fresh(phc)) => {
            work.tx.delete_setting(&applied).await?;
            Ok(Some(phc.expose().to_owned()))
        }
        Some(DesiredPassword::Plain(_)) => match passwords.get(&user.key) {
            Some(prepared) if prepared.seen == stored => {
                if prepared.hash.is_some() {
                    work.tx.delete_setting(&applied).await?;
                }
                Ok(prepared.hash.clone())
            }
            Some(_) | None => Err(ApplyError::Moved(user.desired.username.clone())),
        },
    }
}

pub(in crate::service) async fn delete(
    work: &mut Work,
    id: UserId,
    key: &str,
) -> Result<(), StoreError> {
    let mut was = serde_json::json!({ "username": key });
    if let Some(found) = work.tx.find_user(id).await? {
        was = views::stored_user(&found.user);
    }
    let memberships = work.tx.list_memberships_of(id).await?;
    was["memberships"] = views::memberships(&memberships);
    let roles = work.tx.list_assignments_of(&Holder::User(id)).await?;
    was["roles"] = roles.iter().map(views::assignment).collect();
    work.tx.delete_user(id).await?;
    work.note_user(id, Some(was), None).await?;
    work.tx.delete_setting(&applied_hash(id)).await?;
    let until = work.until();
    record(&mut work.tx, &Key::User(id.bytes()), i64::MAX, until).await?;
    work.revoked.push(Revoked::User(id, i64::MAX));
    work.report.note(Kind::User, key, Outcome::Deleted);
    Ok(())
}

/// Which `password_hash` was applied to a person last: the hash itself is replaced at a sign-in when it was made
/// with other settings than today's.
fn applied_hash(id: UserId) -> String {
    format!("applied_password_hash/{id}")
}

fn fields(user: &CheckedUser<'_>, was: Option<&User>) -> UserFields {
    let desired = user.desired;
    let email = match &desired.email {
        Some(email) => Some(email.clone()).filter(|email| !email.is_empty()),
        None => was.and_then(|was| was.email.clone()),
    };
    let email_verified = desired.email_verified.unwrap_or_else(|| {
        was.is_some_and(|was| was.email == email && email.is_some() && was.email_verified)
    });
    UserFields {
        username: desired.username.trim().to_owned(),
        username_key: user.key.clone(),
        email,
        email_verified,
        claims: claims(
            &desired.claims,
            was.filter(|_| !desired.all_claims).map(|was| &was.claims),
        ),
        attributes: match (&desired.attributes, was) {
            (Some(attributes), _) => attributes.clone(),
            (None, Some(was)) => was.attributes.clone(),
            (None, None) => serde_json::Map::new(),
        },
    }
}

/// What is said, over what is there.
fn claims(desired: &StandardClaims, was: Option<&StandardClaims>) -> StandardClaims {
    let mut all = was.map(object).unwrap_or_default();
    all.extend(object(desired));
    serde_json::from_value(serde_json::Value::Object(all)).unwrap_or_else(|_| desired.clone())
}

fn changed_fields(was: &User, is: &UserFields) -> Vec<String> {
    let differences = [
        ("username", was.username != is.username),
        ("email", was.email != is.email),
        ("email_verified", was.email_verified != is.email_verified),
        ("attributes", was.attributes != is.attributes),
    ];
    let mut changed = different(&differences);
    changed.extend(differing(&object(&was.claims), &object(&is.claims)));
    changed
}
