//! The password as a factor: one check, and what comes next after it.

use std::net::IpAddr;

use crate::crypto::password::{PasswordError, Verified};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::sign_in::{Next, Proof, Proofs, Unmet, Wanted, next};
use crate::domain::user::{User, username_key};
use crate::service::Services;
use crate::service::rate_limits::{Guess, Limited};
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::factors::Credentials;
use crate::telemetry::metrics;

/// Why a password proves nothing.
#[derive(Debug)]
pub enum LoginError {
    /// The name or the password is wrong; the answer does not say which, nor does its timing.
    Wrong,
    /// Too many were wrong; this one was not looked at.
    Wait(Limited),
    /// Too many passwords are being checked right now.
    Busy,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A name and a password as they were typed.
pub struct Typed<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: String,
}

/// Where a sign-in comes from.
#[derive(Clone, Copy, Debug)]
pub struct SignInFrom<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The cookie of a browser that has signed in before: [`crate::service::rate_limits::browsers`].
    pub browser: Option<&'a str>,
}

/// The sign-in that the password is a step of.
pub struct SignIn<'a> {
    /// What it must reach.
    pub wanted: &'a Wanted,
    /// What was proven in it before this step.
    pub proofs: Option<Proofs>,
    /// Where it comes from.
    pub from: SignInFrom<'a>,
}

/// Checks a name and a password, and says what comes next. An unknown name takes as long as a wrong password, and as
/// many attempts.
pub async fn prove(
    services: &Services,
    typed: Typed<'_>,
    sign_in: SignIn<'_>,
    origin: &Origin,
    now: Ts,
) -> Result<Next, LoginError> {
    let refused = |known: Option<&User>, reason: &'static str| {
        let event = Event::new(EventType::SignInRefused, origin, now).detail("reason", reason);
        // A name that no account has may be a password typed into the wrong field.
        services.audit.note(match known {
            Some(user) => event
                .target("user", &user.id)
                .user(user.id)
                .detail("username", user.username.as_str()),
            None => event,
        });
    };
    let Typed { username, password } = typed;
    let key = username_key(username);
    let known = match &key {
        Some(key) => services.store.find_credentials(key).await?,
        None => None,
    };
    let user = known.as_ref().map(|known| &known.account.user);
    let browser = user.and_then(|user| services.browsers.recognise(sign_in.from.browser, user));
    // A text that cannot be a name counts like a name that no account has.
    let account = key.as_deref().unwrap_or_default();
    let attempt = services
        .limits
        .guess(Guess::Password, Some(account), sign_in.from.ip, browser)
        .await
        .map_err(|limited| {
            metrics::login("delayed");
            refused(user, "delayed");
            LoginError::Wait(limited)
        })?;
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let verified = match services.passwords.verify(password.clone(), hash).await {
        Ok(verified) => verified,
        Err(PasswordError::Busy) => {
            metrics::login("busy");
            attempt.not_judged().await;
            refused(user, "busy");
            return Err(LoginError::Busy);
        }
        Err(error) => {
            tracing::error!(%error, "a stored password hash cannot be checked");
            Verified::Mismatch
        }
    };
    let (Verified::Match { needs_rehash }, Some(known)) = (verified, known.as_ref()) else {
        metrics::login("wrong");
        refused(
            user,
            if user.is_some() {
                "password"
            } else {
                "unknown"
            },
        );
        return Err(LoginError::Wrong);
    };
    // The clocks of two instances differ: the answer to a page is not older than the page.
    let proof = Proof::Password {
        at: now.max(sign_in.wanted.began),
    };
    let proofs = Proofs::add(sign_in.proofs, &known.account, proof);
    let step = next(known.account.clone(), proofs, sign_in.wanted);
    match &step {
        Next::Refuse(Unmet::Disabled) => {
            metrics::login("disabled");
            refused(user, "disabled");
            let id = known.account.user.id;
            tracing::info!(user.id = %id, "refused the sign-in of disabled user {id}");
            // The attempt counts as a wrong one, so that it does not show that the password is right.
            return Ok(step);
        }
        Next::Refuse(Unmet::Acr) => {
            metrics::login("unmet");
            refused(user, "acr");
        }
        Next::Ask { .. } => metrics::login("step"),
        Next::Done(_) => metrics::login("ok"),
    }
    attempt.succeeded().await;
    if needs_rehash {
        rehash(services, known, password).await?;
    }
    Ok(step)
}

/// Replaces a hash that was made with weaker settings than today's.
async fn rehash(
    services: &Services,
    known: &Credentials,
    password: String,
) -> Result<(), StoreError> {
    let id = known.account.user.id;
    match (
        &known.password_hash,
        services.passwords.hash(password).await,
    ) {
        (Some(old), Ok(new)) => services.store.rehash_password(id, old, &new).await,
        (_, _) => Ok(()),
    }
}
