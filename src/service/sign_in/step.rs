//! One step of a sign-in: an attempt is counted, one factor is checked, and [`next`] says what follows.

use std::net::IpAddr;

use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::sign_in::{Account, Factor, Next, Proof, Proofs, Unmet, Wanted, next};
use crate::service::Services;
use crate::service::rate_limits::{Guess, Limited};
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::telemetry::metrics;

/// Why a step proves nothing.
#[derive(Debug)]
pub enum StepError {
    /// What was given is wrong, or there is no such account; the answer does not say which, nor does its timing.
    Wrong,
    /// Too many were wrong; this one was not looked at.
    Wait(Limited),
    /// Too many are being checked right now.
    Busy,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Where a sign-in comes from.
#[derive(Clone, Copy, Debug)]
pub struct SignInFrom<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The cookie of a browser that has signed in before: [`crate::service::rate_limits::browsers`].
    pub browser: Option<&'a str>,
}

/// The sign-in that the step is one of.
pub struct SignIn<'a> {
    /// What it must reach.
    pub wanted: &'a Wanted,
    /// What was proven in it before this step.
    pub proofs: Option<Proofs>,
    /// Where it comes from.
    pub from: SignInFrom<'a>,
}

/// A step before its factor is checked.
pub(super) struct Step<'a> {
    pub(super) factor: Factor,
    /// The account's name in one spelling, under which attempts are counted; there need be no such account.
    pub(super) key: &'a str,
    /// The account, if there is one of that name.
    pub(super) account: Option<&'a Account>,
    pub(super) sign_in: SignIn<'a>,
    pub(super) origin: &'a Origin,
    pub(super) now: Ts,
}

/// What the check of a factor has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It is proven.
    Right,
    /// It is not.
    Wrong,
    /// Nothing was looked at, because too many are being checked.
    Busy,
}

impl Step<'_> {
    /// Counts the attempt, then lets `check` look, and says what comes next. An unknown name takes as many attempts as
    /// a wrong proof; `check` sees to it that it takes as long.
    pub(super) async fn take(
        self,
        services: &Services,
        check: impl Future<Output = Result<Checked, StoreError>>,
    ) -> Result<Next, StepError> {
        let user = self.account.map(|account| &account.user);
        let from = self.sign_in.from;
        let browser = user.and_then(|user| services.browsers.recognise(from.browser, user));
        let guess = Guess::Factor(self.factor);
        let attempt = services
            .limits
            .guess(guess, Some(self.key), from.ip, browser);
        let attempt = attempt.await.map_err(|limited| {
            metrics::login("delayed");
            self.note_refusal(services, "delayed");
            StepError::Wait(limited)
        })?;
        let account = match (check.await?, self.account) {
            (Checked::Right, Some(account)) => account,
            (Checked::Busy, _) => {
                metrics::login("busy");
                attempt.not_judged().await;
                self.note_refusal(services, "busy");
                return Err(StepError::Busy);
            }
            (Checked::Right | Checked::Wrong, _) => {
                metrics::login("wrong");
                let reason = user.map_or("unknown", |_| self.factor.as_str());
                self.note_refusal(services, reason);
                return Err(StepError::Wrong);
            }
        };
        // The clocks of two instances differ: the answer to a page is not older than the page.
        let proof = Proof::of(self.factor, self.now.max(self.sign_in.wanted.began));
        let proofs = Proofs::add(self.sign_in.proofs.clone(), account, proof);
        let next = next(account.clone(), proofs, self.sign_in.wanted);
        match &next {
            Next::Refuse(Unmet::Disabled) => {
                metrics::login("disabled");
                self.note_refusal(services, "disabled");
                let id = account.user.id;
                tracing::info!(user.id = %id, "refused the sign-in of disabled user {id}");
                // The attempt counts as a wrong one, so that it does not show that the proof is right.
                return Ok(next);
            }
            Next::Refuse(Unmet::Acr) => {
                metrics::login("unmet");
                self.note_refusal(services, "acr");
            }
            Next::Ask { .. } => metrics::login("step"),
            Next::Done(_) => metrics::login("ok"),
        }
        attempt.succeeded().await;
        Ok(next)
    }

    fn note_refusal(&self, services: &Services, reason: &'static str) {
        let event = Event::new(EventType::SignInRefused, self.origin, self.now);
        let event = event.detail("reason", reason);
        // A name that no account has may be a password typed into the wrong field.
        services.audit.note(match self.account {
            Some(Account { user, .. }) => event
                .target("user", &user.id)
                .user(user.id)
                .detail("username", user.username.as_str()),
            None => event,
        });
    }
}
