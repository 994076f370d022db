//! What is limited, by whom it is counted, and how much is allowed.
//!
//! | what | counted per | allowed | where |
//! |---|---|---|---|
//! | wrong passwords and set-up links ([`Limits::guess`]) | account (of passwords) and address | 5, then waits of 1 s, 2 s, 4 s … `login_delay_max` | all instances |
//! | | account | 50 passwords, then one per 15 s | all instances |
//! | | address | `login_failures_per_address` in ten minutes | all instances |
//! | | browser that has signed in to the account before, instead of the three above | 10, then waits | all instances |
//! | wrong client secrets | client and address | 20, then one per 30 s | each instance |
//! | failed requests at the protocol endpoints | address | `request_failures_per_address` in a minute | each instance |
//! | requests of a client | client | `client_requests_per_minute`, off by default | each instance |
//! | requests to the administration API ([`Policy::Api`]) | caller | `api_requests_per_minute` | all instances |
//!
//! **Right credentials are never limited.** An attempt is counted before it is judged, so that a hundred at once get
//! no more than their number, and given back when it turns out right. The token endpoint counts inside
//! the process, and a client secret that has proven right here is not even looked up in the table.
//!
//! **An attacker locks no user out.** Waits end, a refused attempt does not lengthen them, and the strict count
//! is per account *and* address, so a guesser at another address does not make the owner wait. Only many addresses
//! together use up an account's own count. Even then a browser that has signed in before goes on with its own
//! ([`browsers`]; "device cookies" in the words of OWASP), and at any other the owner competes with them for a guess
//! every 15 s.
//!
//! An address is an IPv4 address or an IPv6 /64, which one host can use whole.

pub mod browsers;
mod clients;
mod guess;
mod refusals;

use std::net::IpAddr;
use std::time::Duration;

pub use guess::Guess;

use crate::config::Config;
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::Mac;
use crate::domain::rate::{Left, Rule};
use crate::store::ephemeral::{Limit, LimitKey, Limiter, Taken};
use crate::store::error::StoreError;

/// What a caller may do so often, apart from guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Requests to the administration API; the key is the caller. All instances count together.
    Api,
    /// Requests of a client that has proven who it is; the key is its id. Each instance counts alone.
    Client,
}

/// A request that is let through, and what is left of its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// `None`: nothing is limited here.
    pub allowance: Option<Allowance>,
}

/// A request that came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// The policy, and what is left of it.
    pub allowance: Allowance,
    /// How long to wait.
    pub wait: Duration,
}

/// A policy, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The policy's name.
    pub policy: &'static str,
    /// How much it allows.
    pub quota: u32,
    /// The time in which all of that comes back.
    pub window: Duration,
    /// What is left.
    pub left: Left,
}

/// The limits of this instance.
pub struct Limits {
    limiter: Limiter,
    keys: Mac,
    settings: Settings,
    seats: tokio::sync::Semaphore,
    settled: tokio::sync::Notify,
    in_flight: std::sync::atomic::AtomicUsize,
    clients: clients::SeenProofs,
    log: refusals::Log,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    enabled: bool,
    longest: Duration,
    guesses: u32,
    failures: u32,
    client: u32,
    api: u32,
}

impl Limits {
    /// The limits of `config`. Redis is only used beside PostgreSQL: SQLite serves one instance.
    pub fn new(config: &Config, master: &MasterKey) -> Result<Self, StoreError> {
        let several = !config.database_url.expose().starts_with("sqlite:");
        let redis = config.redis_url.as_ref().filter(|_| several);
        Ok(Self {
            limiter: Limiter::new(redis.map(crate::config::Secret::expose))?,
            keys: Mac::new(master, "rate_limits"),
            settings: Settings {
                enabled: config.rate_limits,
                longest: config.login_delay_max,
                guesses: config.login_failures_per_address,
                failures: config.request_failures_per_address,
                client: config.client_requests_per_minute,
                api: config.api_requests_per_minute,
            },
            seats: tokio::sync::Semaphore::new(guess::SEATS),
            settled: tokio::sync::Notify::new(),
            in_flight: std::sync::atomic::AtomicUsize::new(0),
            clients: clients::SeenProofs::new(),
            log: refusals::Log::default(),
        })
    }

    /// Counts one request of the caller named by `key`, and lets it through or not.
    pub async fn check(&self, policy: Policy, key: &str) -> Result<Admitted, Limited> {
        let number = match policy {
            Policy::Api => self.settings.api,
            Policy::Client => self.settings.client,
        };
        if !self.settings.enabled || number == 0 {
            return Ok(Admitted { allowance: None });
        }
        let asked = [Limit {
            key: self.key(policy.name(), &[key.as_bytes()]),
            rule: Rule::per(number, Duration::from_mins(1)),
        }];
        let taken = match policy {
            Policy::Api => self.limiter.take(&asked).await,
            Policy::Client => self.limiter.take_here(&asked),
        };
        self.answered(&asked, &[policy.name()], &taken)
    }

    /// Whether requests of this address that nothing is known of may still cost work. Nothing is counted.
    pub fn room(&self, ip: IpAddr) -> Result<(), Limited> {
        if !self.settings.enabled || self.limiter.is_quiet() {
            return Ok(());
        }
        let asked = [self.failures(ip)];
        let looked = self.limiter.look_here(&asked);
        self.answered(&asked, &[FAILURES], &looked).map(|_| ())
    }

    /// Counts a failed request of this address. The error is the answer once there were too many.
    pub fn failed(&self, ip: IpAddr) -> Result<(), Limited> {
        if !self.settings.enabled {
            return Ok(());
        }
        let asked = [self.failures(ip)];
        let taken = self.limiter.take_here(&asked);
        self.answered(&asked, &[FAILURES], &taken).map(|_| ())
    }

    /// Forgets what has come to rest.
    pub fn sweep(&self) {
        self.limiter.sweep();
    }

    fn failures(&self, ip: IpAddr) -> Limit {
        Limit {
            key: self.key(FAILURES, &[&block(ip)]),
            rule: Rule::per(self.settings.failures, Duration::from_mins(1)),
        }
    }

    fn key(&self, kind: &str, parts: &[&[u8]]) -> LimitKey {
        let mut all = vec![kind.as_bytes()];
        all.extend_from_slice(parts);
        let tag = self.keys.tag(&all);
        LimitKey(tag.first_chunk().copied().unwrap_or_default())
    }

    /// What the limiter says, in words for the caller; a refusal is counted and logged here and nowhere else.
    fn answered(
        &self,
        asked: &[Limit],
        names: &[&'static str],
        taken: &Taken,
    ) -> Result<Admitted, Limited> {
        let allowance = |index: usize, left: Left| {
            let asked = asked.get(index)?;
            Some(Allowance {
                policy: names.get(index).copied().unwrap_or_default(),
                quota: asked.rule.quota(),
                window: asked.rule.window(),
                left,
            })
        };
        match taken {
            Taken::Admitted(left) => Ok(Admitted {
                allowance: left.first().and_then(|left| allowance(0, *left)),
            }),
            Taken::Refused { index, wait, left } => {
                let Some(allowance) = allowance(*index, *left) else {
                    return Ok(Admitted { allowance: None });
                };
                self.log.refused(allowance.policy, *wait);
                Err(Limited {
                    allowance,
                    wait: *wait,
                })
            }
        }
    }
}

impl Policy {
    const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Client => "client",
        }
    }
}

/// The name of the policy for failed requests of an address.
const FAILURES: &str = "failures";

/// An IPv4 address, or the /64 of an IPv6 address, as bytes.
fn block(ip: IpAddr) -> [u8; 8] {
    match ip.to_canonical() {
        // No /64 of the Internet begins with zeros.
        IpAddr::V4(ip) => (u64::from(u32::from(ip))).to_be_bytes(),
        IpAddr::V6(ip) => ((ip.to_bits() >> 64) as u64).to_be_bytes(),
    }
}

#[cfg(test)]
mod tests;
