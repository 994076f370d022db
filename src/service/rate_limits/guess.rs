//! Guesses at secrets that people choose or type: counted before they are judged, given back when they are right.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::browsers::KnownBrowser;
use super::{Limited, Limits, block};
use crate::domain::rate::Rule;
use crate::domain::sign_in::Factor;
use crate::store::ephemeral::{Limit, Taken, Undo};

/// What is guessed at. Each kind has counts of its own per account; an address has one for all kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// What a factor of an account is proven with.
    Factor(Factor),
    /// The one-time link of a set-up; there is no account yet.
    SetupLink,
}

impl Guess {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Factor(factor) => factor.as_str(),
            Self::SetupLink => "set-up link",
        }
    }
}

/// How many passwords strangers together may try at one account before they have to wait.
const AT_ONCE: u32 = 50;
/// How soon strangers together get one more password to try at an account: so soon that an owner at a new browser is
/// not kept out while an attack lasts, and still only some 5760 guesses a day.
const REFILL: Duration = Duration::from_secs(15);
/// How long an attempt that comes too soon is held before it is refused: others that are being judged right now may
/// turn out right and make room, and a person whose wait is a second or two need not read about it.
const PATIENCE: Duration = Duration::from_millis(2500);
/// How often one that is held looks whether another instance has made room.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many are held at once; more are refused at once.
pub(super) const SEATS: usize = 256;

/// An attempt that is being judged. Unless it is said to have [`Attempt::succeeded`] it counts as a failure, also
/// when the caller hangs up.
#[must_use]
pub struct Attempt<'a> {
    limits: &'a Limits,
    asked: Vec<Limit>,
    by_known_browser: bool,
}

impl Limits {
    /// Admits one guess at `account`'s secret from `ip`, or says how long to wait.
    ///
    /// `account` names the account, in one spelling; it need not exist, so that no answer tells whether it does. `browser` is one that has signed in to that very account before.
    pub async fn guess(
        &self,
        guess: Guess,
        account: Option<&str>,
        ip: IpAddr,
        browser: Option<KnownBrowser>,
    ) -> Result<Attempt<'_>, Limited> {
        let (asked, names) = self.asked(guess, account, ip, browser);
        if self.settings.enabled {
            let taken = self.take_patiently(&asked).await;
            self.answered(&asked, &names, &taken)?;
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Attempt {
            limits: self,
            asked,
            by_known_browser: browser.is_some(),
        })
    }

    fn asked(
        &self,
        guess: Guess,
        account: Option<&str>,
        ip: IpAddr,
        browser: Option<KnownBrowser>,
    ) -> (Vec<Limit>, Vec<&'static str>) {
        let kind = guess.as_str().as_bytes();
        let account = account.map(str::as_bytes);
        let waits = |free| Rule::Backoff {
            free,
            first: Duration::from_secs(1),
            longest: self.settings.longest,
        };
        if let (Some(account), Some(KnownBrowser(number))) = (account, browser) {
            let key = self.key("browser", &[kind, account, &number]);
            let rule = waits(10);
            return (vec![Limit { key, rule }], vec!["browser"]);
        }
        let mut asked = Vec::with_capacity(3);
        let mut names = Vec::with_capacity(3);
        if let Some(account) = account {
            asked.push(Limit {
                key: self.key("attempts", &[kind, account, &block(ip)]),
                rule: waits(5),
            });
            asked.push(Limit {
                key: self.key("account", &[kind, account]),
                rule: Rule::Rate {
                    burst: AT_ONCE,
                    every: REFILL.min(self.settings.longest),
                },
            });
            names.extend(["attempts", "account"]);
        }
        asked.push(Limit {
            key: self.key("address", &[&block(ip)]),
            rule: Rule::per(self.settings.guesses, Duration::from_mins(10)),
        });
        names.push("address");
        (asked, names)
    }

    /// Takes as soon as there is room, within [`PATIENCE`].
    async fn take_patiently(&self, asked: &[Limit]) -> Taken {
        let until = Instant::now() + PATIENCE;
        let mut seat = None;
        loop {
            // Before looking, so that no news is missed.
            let settled = self.settled.notified();
            let taken = self.limiter.take(asked).await;
            let Taken::Refused { wait, .. } = taken else {
                return taken;
            };
            let now = Instant::now();
            let others = self.in_flight.load(Ordering::Relaxed) > 0;
            let soon = now < until && (others || now + wait <= until);
            if soon && seat.is_none() {
                seat = self.seats.try_acquire().ok();
            }
            if !soon || seat.is_none() {
                return taken;
            }
            let nap = wait.min(LOOK_EVERY).min(until - now);
            let _ = timeout(nap, settled).await;
        }
    }
}

impl Attempt<'_> {
    /// The secret was right: this attempt does not count. A browser that has signed in to the account before begins
    /// anew; what strangers have counted up stays, as it is not the owner's.
    pub async fn succeeded(self) {
        let undo = if self.by_known_browser {
            |asked: &Limit| Undo::Forget(asked.key)
        } else {
            |asked: &Limit| Undo::GiveBack(*asked)
        };
        self.undo(undo).await;
    }

    /// The secret was not looked at: this attempt does not count.
    pub async fn not_judged(self) {
        self.undo(|asked| Undo::GiveBack(*asked)).await;
    }

    async fn undo(self, undo: impl FnMut(&Limit) -> Undo) {
        if self.limits.settings.enabled {
            let undos: Vec<Undo> = self.asked.iter().map(undo).collect();
            self.limits.limiter.undo(&undos).await;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.limits.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.limits.settled.notify_waiters();
    }
}
