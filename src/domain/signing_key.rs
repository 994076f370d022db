//! The life of a signing key: `next → active → retiring → gone`.

use std::time::Duration;

use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;

/// Where a key stands. It follows from the clock and from the keys after it, so it needs no writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before it is used.
    Next,
    /// Signs.
    Active,
    /// Signs no more, but is published until the last token it signed has expired.
    Retiring,
    /// Published no more.
    Gone,
}

impl KeyState {
    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

/// One key's dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDates {
    /// What it signs with.
    pub alg: SigningAlg,
    /// Its place among the keys of its algorithm; one higher than the key before.
    pub number: i64,
    /// When it begins to sign.
    pub activates_at: Ts,
    /// Since when no client and no resource server needs it.
    pub unused_since: Option<Ts>,
}

/// The state of the key `number` of `alg` at `now`, among `all`. It retires when its successor begins or nothing needs it
/// any more, and is gone `longest_token` after that (OpenID Connect Core §10.1.1). One that never signed is gone at once.
#[must_use]
pub fn state(key: &KeyDates, all: &[KeyDates], now: Ts, longest_token: Duration) -> KeyState {
    if now < key.activates_at {
        return match key.unused_since {
            Some(_) => KeyState::Gone,
            None => KeyState::Next,
        };
    }
    let replaced_at = all
        .iter()
        .filter(|other| other.alg == key.alg && other.number > key.number)
        .map(|other| other.activates_at)
        .chain(key.unused_since)
        .min();
    match replaced_at {
        Some(at) if now >= at.plus(longest_token) => KeyState::Gone,
        Some(at) if now >= at => KeyState::Retiring,
        Some(_) | None => KeyState::Active,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_next_then_active_then_retiring_then_gone() {
        let hour = Duration::from_hours(1);
        let key = |number, at| KeyDates {
            alg: SigningAlg::Es256,
            number,
            activates_at: Ts::from_secs(at),
            unused_since: None,
        };
        let all = [key(1, 0), key(2, 10_000)];
        assert_eq!(
            state(&all[0], &all, Ts::from_secs(1), hour),
            KeyState::Active
        );
        assert_eq!(state(&all[1], &all, Ts::from_secs(1), hour), KeyState::Next);
        assert_eq!(
            state(&all[1], &all, Ts::from_secs(10_000), hour),
            KeyState::Active
        );
        assert_eq!(
            state(&all[0], &all, Ts::from_secs(10_000), hour),
            KeyState::Retiring
        );
        assert_eq!(
            state(&all[0], &all, Ts::from_secs(13_600), hour),
            KeyState::Gone
        );
    }

    #[test]
    fn a_key_that_nothing_needs_retires_in_order_and_one_that_never_signed_is_gone() {
        let hour = Duration::from_hours(1);
        let key = |number, at| KeyDates {
            alg: SigningAlg::EdDsa,
            number,
            activates_at: Ts::from_secs(at),
            unused_since: Some(Ts::from_secs(5_000)),
        };
        let all = [key(1, 0), key(2, 10_000)];
        let at = |key: &KeyDates, now| state(key, &all, Ts::from_secs(now), hour);
        assert_eq!(at(&all[0], 5_000), KeyState::Retiring);
        assert_eq!(at(&all[0], 8_599), KeyState::Retiring);
        assert_eq!(at(&all[0], 8_600), KeyState::Gone);
        assert_eq!(at(&all[1], 5_000), KeyState::Gone);
    }
}
