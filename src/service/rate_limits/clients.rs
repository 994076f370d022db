//! Client secrets. A secret that has proven right here is no guess and is let through whatever others at its address
//! do; a wrong one that comes again is no new guess, so an instance of a client that was left behind with an old
//! secret counts once, however often it asks. What is left is guessing.

use std::net::IpAddr;
use std::time::Duration;

use moka::sync::Cache;

use super::{Limited, Limits, block};
use crate::crypto::secret::TokenDigest;
use crate::domain::rate::Rule;
use crate::store::ephemeral::{Limit, LimitKey, Undo};

/// How many wrong secrets one address may try at one client at once, and in what time one more.
const GUESSES: Rule = Rule::Rate {
    burst: 20,
    every: Duration::from_secs(30),
};

/// What this instance has seen of clients' proofs.
pub(super) struct SeenProofs {
    right: Cache<[u8; 32], ()>,
    wrong: Cache<LimitKey, ()>,
    assertions: Cache<LimitKey, ()>,
}

impl SeenProofs {
    pub(super) fn new() -> Self {
        let day = Duration::from_hours(24);
        Self {
            right: Cache::builder()
                .max_capacity(50_000)
                .time_to_idle(day)
                .build(),
            wrong: Cache::builder()
                .max_capacity(50_000)
                .time_to_live(Duration::from_hours(1))
                .build(),
            assertions: Cache::builder()
                .max_capacity(50_000)
                .time_to_idle(day)
                .build(),
        }
    }
}

/// A secret that is being compared. Nothing may be awaited meanwhile: then as many are in the making as there are
/// threads, and right ones do not stand in each other's way.
#[must_use]
pub struct SecretAttempt<'a> {
    limits: &'a Limits,
    ip: IpAddr,
    digest: TokenDigest,
    stage: Stage,
}

enum Stage {
    /// It was right before.
    Proven,
    /// It was wrong before.
    Repeated(LimitKey),
    /// It was never seen, and is counted.
    New { seen: LimitKey, asked: Limit },
    /// Nothing is limited.
    Unlimited,
}

impl Limits {
    /// Admits a secret that is said to be that client's, or says how long to wait.
    pub fn client_secret(
        &self,
        client: &str,
        digest: TokenDigest,
        ip: IpAddr,
    ) -> Result<SecretAttempt<'_>, Limited> {
        let attempt = |stage| SecretAttempt {
            limits: self,
            ip,
            digest,
            stage,
        };
        if !self.settings.enabled {
            return Ok(attempt(Stage::Unlimited));
        }
        if self.clients.right.contains_key(digest.as_bytes()) {
            return Ok(attempt(Stage::Proven));
        }
        let seen = self.key("secret", &[client.as_bytes(), digest.as_bytes()]);
        if self.clients.wrong.contains_key(&seen) {
            return Ok(attempt(Stage::Repeated(seen)));
        }
        // Not asked for room: comparing costs nothing, and an instance that has just started knows no secret.
        let asked = Limit {
            key: self.key("client", &[client.as_bytes(), &block(ip)]),
            rule: GUESSES,
        };
        let taken = self.limiter.take_here(&[asked]);
        self.answered(&[asked], &["client-secret"], &taken)?;
        Ok(attempt(Stage::New { seen, asked }))
    }

    /// Admits the assertion of a client, whose signature is work but no guess: only addresses with too many failed
    /// requests are refused, and not even those for a client that has proven itself from there.
    pub fn client_assertion(&self, client: &str, ip: IpAddr) -> Result<(), Limited> {
        if !self.settings.enabled || self.limiter.is_quiet() {
            return Ok(());
        }
        let key = self.assertion_key(client, ip);
        if self.clients.assertions.contains_key(&key) {
            return Ok(());
        }
        self.room(ip)
    }

    /// Remembers that a client's assertion from there was right.
    pub fn client_asserted(&self, client: &str, ip: IpAddr) {
        let key = self.assertion_key(client, ip);
        if self.settings.enabled && !self.clients.assertions.contains_key(&key) {
            self.clients.assertions.insert(key, ());
        }
    }

    fn assertion_key(&self, client: &str, ip: IpAddr) -> LimitKey {
        self.key("assertion", &[client.as_bytes(), &block(ip)])
    }
}

impl SecretAttempt<'_> {
    /// The secret is the client's.
    pub fn succeeded(self) {
        let known = &self.limits.clients;
        match self.stage {
            Stage::Proven | Stage::Unlimited => return,
            Stage::Repeated(seen) => known.wrong.invalidate(&seen),
            Stage::New { asked, .. } => self.limits.limiter.undo_here(&[Undo::GiveBack(asked)]),
        }
        known.right.insert(*self.digest.as_bytes(), ());
    }

    /// It is not. The error is the answer once the address has failed too often.
    pub fn failed(self) -> Result<(), Limited> {
        let known = &self.limits.clients;
        match self.stage {
            Stage::Unlimited | Stage::Repeated(_) => Ok(()),
            Stage::Proven => {
                known.right.invalidate(self.digest.as_bytes());
                Ok(())
            }
            Stage::New { seen, .. } => {
                known.wrong.insert(seen, ());
                self.limits.failed(self.ip)
            }
        }
    }
}
