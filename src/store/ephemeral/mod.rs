//! What may be lost: how often something happened of late.
//!
//! Each instance keeps a table of its own; with Redis beside PostgreSQL the instances also share one count. A
//! [`Limiter::take`] asks the own table first, which refuses what has to be refused anyway without leaving the
//! process, and then Redis, in one script call for all keys: the strictest answer counts. So
//!
//! - several instances admit together what one would;
//! - a flushed Redis gives no caller a fresh start: each instance goes on with what it saw itself;
//! - while Redis is unreachable or slow the own table decides alone: each instance then admits its own quota, and
//!   attempts are neither all admitted nor all refused.
//!
//! What is asked for on every token request ([`Limiter::take_here`], [`Limiter::look_here`]) never leaves the process.
//!
//! Nothing here is a record of truth. Keys are 16 bytes of a keyed hash, so that neither memory nor Redis holds
//! names or addresses.

mod memory;
mod redis;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::error::StoreError;
use crate::domain::rate::{Left, Mark, Rule};
use crate::spec::time::Ts;
use memory::Table;
use redis::Shared;

/// How many keys the own table holds at most: some 8 MiB. When it is full, those nearest to rest go.
const CAPACITY: usize = 100_000;

/// What is limited: 16 bytes of a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitKey(pub [u8; 16]);

/// One key under its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The key.
    pub key: LimitKey,
    /// How often it may happen.
    pub rule: Rule,
}

/// What is undone of an attempt that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// This attempt does not count.
    GiveBack(Limit),
    /// Nothing that happened under this key counts any more.
    Forget(LimitKey),
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is counted under every key; what is left under each.
    Admitted(Vec<Left>),
    /// It is counted nowhere.
    Refused {
        /// The place of the key that refuses, among those asked; the one with the longest wait.
        index: usize,
        /// How long until it would be admitted.
        wait: Duration,
        /// What is left under that key.
        left: Left,
    },
}

/// Counts attempts.
pub struct Limiter {
    own: Table,
    shared: Option<Shared>,
}

impl Limiter {
    /// A limiter that shares its counts through the Redis at `redis_url`, if there is one. It need not answer.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] for a `redis_url` that is none.
    pub fn new(redis_url: Option<&str>) -> Result<Self, StoreError> {
        Ok(Self {
            own: Table::new(CAPACITY),
            shared: redis_url.map(Shared::new).transpose()?,
        })
    }

    /// Counts one attempt under every key, or under none: in this process and, if there is one, in Redis.
    pub async fn take(&self, asked: &[Limit]) -> Taken {
        let (here, changes) = self.own.take_for_now(asked, self.own.now());
        let (Some(shared), Taken::Admitted(_)) = (&self.shared, &here) else {
            return here;
        };
        match shared.take(asked).await {
            None => here,
            Some(refused @ Taken::Refused { .. }) => {
                self.own.restore(&changes, self.own.now());
                refused
            }
            Some(admitted) => admitted,
        }
    }

    /// Takes back what [`Limiter::take`] counted.
    pub async fn undo(&self, undos: &[Undo]) {
        self.undo_here(undos);
        if let Some(shared) = &self.shared {
            shared.undo(undos).await;
        }
    }

    /// Counts one attempt under every key, or under none, in this process only.
    pub fn take_here(&self, asked: &[Limit]) -> Taken {
        self.own.take(asked, self.own.now())
    }

    /// What [`Limiter::take_here`] would say, without counting.
    pub fn look_here(&self, asked: &[Limit]) -> Taken {
        self.own.look(asked, self.own.now())
    }

    /// Takes back what [`Limiter::take_here`] counted.
    pub fn undo_here(&self, undos: &[Undo]) {
        self.own.undo(undos, self.own.now());
    }

    /// Whether nothing at all is remembered here, so that a look can be spared.
    pub fn is_quiet(&self) -> bool {
        self.own.is_empty()
    }

    /// Forgets what has come to rest; call it now and then.
    pub fn sweep(&self) {
        self.own.sweep(self.own.now());
    }
}

/// Judges all keys together by their marks: the marks to remember, or the refusal.
fn judge(asked: &[Limit], marks: &[Option<Mark>], now: Ts) -> Result<Vec<Mark>, Taken> {
    let mut taken = Vec::with_capacity(asked.len());
    let mut refusal: Option<(usize, Duration, Left)> = None;
    for (index, (asked, mark)) in asked.iter().zip(marks).enumerate() {
        match asked.rule.take(*mark, now) {
            Ok(mark) => taken.push(mark),
            Err(wait) if refusal.is_none_or(|(_, longest, _)| wait > longest) => {
                refusal = Some((index, wait, asked.rule.left(*mark, now)));
            }
            Err(_) => {}
        }
    }
    match refusal {
        None => Ok(taken),
        Some((index, wait, left)) => Err(Taken::Refused { index, wait, left }),
    }
}

/// What is left after `marks` were remembered.
fn admitted(asked: &[Limit], marks: &[Mark], now: Ts) -> Taken {
    let left = |(asked, mark): (&Limit, &Mark)| asked.rule.left(Some(*mark), now);
    Taken::Admitted(asked.iter().zip(marks).map(left).collect())
}
