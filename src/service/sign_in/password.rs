//! Proving who a person is.

use std::net::IpAddr;

use crate::crypto::password::{PasswordError, Verified};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::user::{User, username_key};
use crate::service::Services;
use crate::service::rate_limits::{Guess, Limited};
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::telemetry::metrics;

/// Why somebody was not signed in.
#[derive(Debug)]
pub enum LoginError {
    /// The name or the password is wrong; nobody is told which, nor can they time it.
    Wrong,
    /// The password is right, but the account is disabled.
    Disabled,
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

/// Where somebody signs in from.
#[derive(Clone, Copy, Debug)]
pub struct Whence<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The cookie of a browser that has signed in before: [`crate::service::rate_limits::browsers`].
    pub browser: Option<&'a str>,
}

/// Checks a name and a password. An unknown name takes as long as a wrong password, and as many attempts.
pub async fn with_password(
    services: &Services,
    username: &str,
    password: String,
    whence: Whence<'_>,
    origin: &Origin,
    now: Ts,
) -> Result<User, LoginError> {
    let refused = |known: Option<&User>, reason: &'static str| {
        let event = Event::new(EventType::SignInRefused, origin, now).detail("reason", reason);
        // What somebody typed who is nobody here may be a password.
        services.audit.note(match known {
            Some(user) => event
                .target("user", &user.id)
                .user(user.id)
                .detail("username", user.username.as_str()),
            None => event,
        });
    };
    let key = username_key(username);
    let known = match &key {
        Some(key) => services.store.find_user_by_key(key).await?,
        None => None,
    };
    let browser = known
        .as_ref()
        .and_then(|known| services.browsers.recognise(whence.browser, &known.user));
    // What cannot be a name counts like one that nobody has.
    let account = key.as_deref().unwrap_or_default();
    let attempt = services
        .limits
        .guess(Guess::Password, Some(account), whence.ip, browser)
        .await
        .map_err(|limited| {
            metrics::login("delayed");
            refused(known.as_ref().map(|known| &known.user), "delayed");
            LoginError::Wait(limited)
        })?;
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let verified = match services
        .passwords
        .verify(password.clone(), hash.clone())
        .await
    {
        Ok(verified) => verified,
        Err(PasswordError::Busy) => {
            metrics::login("busy");
            attempt.not_judged().await;
            refused(known.as_ref().map(|known| &known.user), "busy");
            return Err(LoginError::Busy);
        }
        Err(error) => {
            tracing::error!(%error, "a stored password hash cannot be checked");
            Verified::Mismatch
        }
    };
    match (verified, known) {
        (Verified::Match { .. }, Some(known)) if known.user.disabled_at.is_some() => {
            metrics::login("disabled");
            refused(Some(&known.user), "disabled");
            tracing::info!(user.id = %known.user.id, "refused the sign-in of disabled user {}", known.user.id);
            Err(LoginError::Disabled)
        }
        (Verified::Match { needs_rehash }, Some(known)) => {
            attempt.succeeded().await;
            if needs_rehash
                && let (Some(old), Ok(new)) = (hash, services.passwords.hash(password).await)
            {
                services
                    .store
                    .rehash_password(known.user.id, &old, &new)
                    .await?;
            }
            metrics::login("ok");
            Ok(known.user)
        }
        (Verified::Match { .. } | Verified::Mismatch, known) => {
            metrics::login("wrong");
            match known {
                Some(known) => refused(Some(&known.user), "password"),
                None => refused(None, "unknown"),
            }
            Err(LoginError::Wrong)
        }
    }
}
