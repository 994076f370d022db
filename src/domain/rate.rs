//! How often something may happen: a steady rate, or a delay that grows with every failure.
//!
//! A rule is a function of what is remembered of a key (one [`Mark`]) and the time; it neither keeps nor reads
//! anything. `store/ephemeral` remembers, in this process or in Redis, by the same two formulas.

use std::time::Duration;

use crate::spec::time::Ts;

/// All that is remembered of one key under one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// [`Rule::Rate`]: the theoretical arrival time. [`Rule::Backoff`]: when the last attempt was admitted.
    pub at: Ts,
    /// [`Rule::Backoff`]: how many attempts count. [`Rule::Rate`]: always 0.
    pub count: i64,
}

/// How often something may happen under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The generic cell rate algorithm (ITU-T I.371): at most `burst` at once, and one more `every` so long. In any
    /// span `t` no more than `burst + t / every` are admitted.
    Rate {
        /// How many at once; at least 1.
        burst: u32,
        /// In what time one more is allowed.
        every: Duration,
    },
    /// `free` attempts at once; after that each has to wait, counted from the one before: `first`, twice that, and
    /// so on up to `longest`. Never for good: after `longest` the next attempt is admitted. After [`FORGOTTEN_AFTER`] times
    /// `longest` without an attempt all is forgotten, which is so long that pausing gains nothing.
    Backoff {
        /// How many need not wait.
        free: u32,
        /// The first wait.
        first: Duration,
        /// The longest wait.
        longest: Duration,
    },
}

/// After how many of its longest waits a [`Rule::Backoff`] forgets.
pub const FORGOTTEN_AFTER: u32 = 24;

/// What is left of a rule's allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many would be admitted right now.
    pub remaining: u32,
    /// How long until everything is allowed again.
    pub reset: Duration,
}

impl Rule {
    /// A rate of `number` within `window`, all of it at once if one likes.
    #[must_use]
    pub fn per(number: u32, window: Duration) -> Self {
        let number = number.max(1);
        Self::Rate {
            burst: number,
            every: (window / number).max(Duration::from_micros(1)),
        }
    }

    /// What to remember when one more is admitted now, else how long to wait. A refusal changes nothing.
    pub fn take(self, mark: Option<Mark>, now: Ts) -> Result<Mark, Duration> {
        match self {
            Self::Rate { burst, every } => {
                let arrival = arrival(mark, now).plus(every);
                let wait = arrival.minus(every.saturating_mul(burst)).since(now);
                if wait.is_zero() {
                    Ok(Mark {
                        at: arrival,
                        count: 0,
                    })
                } else {
                    Err(wait)
                }
            }
            Self::Backoff { .. } => {
                let count = self.remembered(mark, now).map_or(0, |mark| mark.count);
                let wait = mark.map_or(Duration::ZERO, |mark| {
                    mark.at.plus(self.delay(count)).since(now)
                });
                if wait.is_zero() {
                    Ok(Mark {
                        at: now,
                        count: count.saturating_add(1),
                    })
                } else {
                    Err(wait)
                }
            }
        }
    }

    /// What to remember when one that was admitted shall not count after all; `None`: nothing.
    #[must_use]
    pub fn give_back(self, mark: Mark, now: Ts) -> Option<Mark> {
        let mark = match self {
            Self::Rate { every, .. } => Mark {
                at: mark.at.minus(every),
                count: 0,
            },
            Self::Backoff { .. } => Mark {
                at: mark.at,
                count: mark.count.saturating_sub(1),
            },
        };
        self.remembered(Some(mark), now)
    }

    /// What is left under this rule.
    #[must_use]
    pub fn left(self, mark: Option<Mark>, now: Ts) -> Left {
        let reset = mark.map_or(Duration::ZERO, |mark| self.rests_at(mark).since(now));
        let remaining = match self {
            Self::Rate { burst, every } => {
                let room = every
                    .saturating_mul(burst)
                    .saturating_sub(arrival(mark, now).since(now));
                let room = room.as_micros() / every.as_micros().max(1);
                u32::try_from(room).unwrap_or(u32::MAX)
            }
            Self::Backoff { free, .. } => {
                let count = self.remembered(mark, now).map_or(0, |mark| mark.count);
                free.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX))
            }
        };
        Left { remaining, reset }
    }

    /// When nothing needs to be remembered of a key any more.
    #[must_use]
    pub fn rests_at(self, mark: Mark) -> Ts {
        match self {
            Self::Rate { .. } => mark.at,
            Self::Backoff { longest, .. } => mark.at.plus(longest.saturating_mul(FORGOTTEN_AFTER)),
        }
    }

    /// The number of [`Left::remaining`] at rest.
    #[must_use]
    pub const fn quota(self) -> u32 {
        match self {
            Self::Rate { burst, .. } => burst,
            Self::Backoff { free, .. } => free,
        }
    }

    /// The time in which the whole quota comes back.
    #[must_use]
    pub fn window(self) -> Duration {
        match self {
            Self::Rate { burst, every } => every.saturating_mul(burst),
            Self::Backoff { longest, .. } => longest.saturating_mul(FORGOTTEN_AFTER),
        }
    }

    fn remembered(self, mark: Option<Mark>, now: Ts) -> Option<Mark> {
        mark.filter(|mark| self.rests_at(*mark) > now)
            .filter(|mark| match self {
                Self::Rate { .. } => true,
                Self::Backoff { .. } => mark.count > 0,
            })
    }

    /// How long after `count` attempts the next one waits.
    fn delay(self, count: i64) -> Duration {
        match self {
            Self::Rate { .. } => Duration::ZERO,
            Self::Backoff {
                free,
                first,
                longest,
            } => {
                let over = count.saturating_sub(i64::from(free));
                if over < 0 {
                    return Duration::ZERO;
                }
                let over = u32::try_from(over).unwrap_or(u32::MAX);
                first
                    .saturating_mul(2_u32.saturating_pow(over))
                    .min(longest)
            }
        }
    }
}

fn arrival(mark: Option<Mark>, now: Ts) -> Ts {
    mark.map_or(now, |mark| mark.at.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LADDER: Rule = Rule::Backoff {
        free: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_mins(5),
    };

    /// When attempts at these times (in milliseconds, ascending) are admitted.
    fn admitted(rule: Rule, times: &[i64]) -> Vec<i64> {
        let mut mark = None;
        let mut admitted = Vec::new();
        for time in times {
            if let Ok(taken) = rule.take(mark, Ts(time * 1000)) {
                mark = Some(taken);
                admitted.push(*time);
            }
        }
        admitted
    }

    fn times() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec(0i64..200_000, 0..300).prop_map(|mut times| {
            times.sort_unstable();
            times
        })
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_burst_and_rate(times in times(), burst in 1u32..20, every in 1i64..5000) {
            let rule = Rule::Rate { burst, every: Duration::from_millis(every.unsigned_abs()) };
            let admitted = admitted(rule, &times);
            for (from, first) in admitted.iter().enumerate() {
                for (to, last) in admitted.iter().enumerate().skip(from) {
                    let most = i64::from(burst) + (last - first) / every;
                    prop_assert!(i64::try_from(to - from + 1).unwrap() <= most);
                }
            }
        }

        #[test]
        fn a_caller_that_keeps_to_the_rate_is_never_refused(every in 1i64..5000, n in 1i64..100) {
            let rule = Rule::Rate { burst: 1, every: Duration::from_millis(every.unsigned_abs()) };
            let times: Vec<i64> = (0..n).map(|i| i * every).collect();
            prop_assert_eq!(admitted(rule, &times), times);
        }

        #[test]
        fn attempts_under_the_ladder_grow_apart(times in times()) {
            let admitted = admitted(LADDER, &times);
            for (i, pair) in admitted.windows(2).enumerate().skip(4) {
                let wait = (1000i64 << (i - 4)).min(300_000);
                prop_assert!(pair[1] - pair[0] >= wait, "{:?}", pair);
            }
        }

        /// A refusal says exactly how long it lasts, and taking and giving back leaves no trace in what is allowed.
        #[test]
        fn waiting_as_told_is_enough(times in times(), rate in any::<bool>()) {
            let rule = if rate { Rule::per(3, Duration::from_secs(9)) } else { LADDER };
            let mut mark = None;
            for time in times {
                let now = Ts(time * 1000);
                match rule.take(mark, now) {
                    Ok(taken) => {
                        let before = rule.left(mark, now).remaining;
                        let back = rule.give_back(taken, now);
                        prop_assert_eq!(rule.left(back, now).remaining, before);
                        mark = Some(taken);
                    }
                    Err(wait) => {
                        prop_assert_eq!(rule.left(mark, now).remaining, 0);
                        prop_assert!(rule.take(mark, now.plus(wait)).is_ok());
                        prop_assert!(rule.take(mark, now.plus(wait).minus(Duration::from_micros(1))).is_err());
                    }
                }
            }
        }

        /// Processes that hand the mark to each other in any order admit what one process would.
        #[test]
        fn the_outcome_depends_on_the_mark_alone(times in times(), burst in 1u32..9) {
            let rule = Rule::Rate { burst, every: Duration::from_secs(1) };
            let mut mark: Option<Mark> = None;
            let mut count = 0;
            for time in &times {
                // As Redis keeps it: two integers, gone once it rests.
                let carried = mark.map(|mark| (mark.at.0, mark.count));
                let restored = carried
                    .map(|(at, count)| Mark { at: Ts(at), count })
                    .filter(|mark| rule.rests_at(*mark) > Ts(time * 1000));
                if let Ok(taken) = rule.take(restored, Ts(time * 1000)) {
                    mark = Some(taken);
                    count += 1;
                }
            }
            prop_assert_eq!(count, admitted(rule, &times).len());
        }
    }

    #[test]
    fn guessing_without_end_gets_twelve_tries_an_hour() {
        let day: Vec<i64> = (0..864_000).map(|tenth| tenth * 100).collect();
        let all = admitted(LADDER, &day).len();
        assert!((285..=305).contains(&all), "{all}");
        // Pausing until all is forgotten is no better.
        let mut mark = None;
        let (mut now, mut tries) = (Ts(0), 0);
        while now < Ts::from_secs(86_400) {
            match LADDER.take(mark, now) {
                Ok(taken) => {
                    tries += 1;
                    mark = Some(taken);
                }
                Err(wait) if wait < Duration::from_mins(4) => now = now.plus(wait),
                Err(_) => now = LADDER.rests_at(mark.unwrap()),
            }
        }
        assert!(tries < all, "{tries}");
    }

    #[test]
    fn the_longest_wait_is_the_end_of_it() {
        let worst = Mark {
            at: Ts(0),
            count: i64::MAX,
        };
        assert_eq!(LADDER.take(Some(worst), Ts(0)), Err(Duration::from_mins(5)));
        assert!(LADDER.take(Some(worst), Ts::from_secs(300)).is_ok());
        assert_eq!(LADDER.window(), Duration::from_hours(2));
        assert_eq!(LADDER.left(Some(worst), Ts::from_secs(7200)).remaining, 5);
    }
}
