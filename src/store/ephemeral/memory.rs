//! The table of one process: bounded, and right for several keys at once because one lock holds all of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Limit, LimitKey, Taken, Undo, admitted, judge};
use crate::domain::rate::{Mark, Rule};
use crate::spec::time::Ts;

pub(super) struct Table {
    entries: Mutex<Entries>,
    /// How many there are, to be read without the lock.
    pub(super) number: AtomicUsize,
    capacity: usize,
    began: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    mark: Mark,
    rests_at: Ts,
}

/// Kept apart by the kind of rule: one fresh [`Rule::Backoff`] rests hours later than a [`Rule::Rate`] that is used up,
/// so a flood of the one would push out all of the other.
#[derive(Default)]
struct Entries {
    rates: HashMap<LimitKey, Entry>,
    backoffs: HashMap<LimitKey, Entry>,
}

impl Entries {
    const fn of(&self, rule: Rule) -> &HashMap<LimitKey, Entry> {
        match rule {
            Rule::Rate { .. } => &self.rates,
            Rule::Backoff { .. } => &self.backoffs,
        }
    }

    const fn of_mut(&mut self, rule: Rule) -> &mut HashMap<LimitKey, Entry> {
        match rule {
            Rule::Rate { .. } => &mut self.rates,
            Rule::Backoff { .. } => &mut self.backoffs,
        }
    }

    fn len(&self) -> usize {
        self.rates.len() + self.backoffs.len()
    }
}

/// What was remembered of a key before an attempt and after it.
pub(super) struct Change {
    asked: Limit,
    before: Option<Entry>,
    after: Entry,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::default(),
            number: AtomicUsize::new(0),
            capacity,
            began: Instant::now(),
        }
    }

    /// A clock that is never set back, so that no wait is longer because the machine's clock was set.
    pub(super) fn now(&self) -> Ts {
        Ts(0).plus(self.began.elapsed())
    }

    pub(super) fn take(&self, asked: &[Limit], now: Ts) -> Taken {
        self.take_for_now(asked, now).0
    }

    /// [`Table::take`], and what [`Table::restore`] needs.
    pub(super) fn take_for_now(&self, asked: &[Limit], now: Ts) -> (Taken, Vec<Change>) {
        let mut entries = self.lock();
        let marks = match judge(asked, &marks(&entries, asked), now) {
            Ok(marks) => marks,
            Err(refused) => return (refused, Vec::new()),
        };
        let mut changes = Vec::with_capacity(asked.len());
        for (asked, mark) in asked.iter().zip(&marks) {
            let entry = Entry {
                mark: *mark,
                rests_at: asked.rule.rests_at(*mark),
            };
            let those = entries.of_mut(asked.rule);
            let before = those.insert(asked.key, entry);
            changes.push(Change {
                asked: *asked,
                before,
                after: entry,
            });
            let capacity = self.capacity / 2;
            if before.is_none() && those.len() > capacity {
                make_room(those, capacity, now);
            }
        }
        self.number.store(entries.len(), Ordering::Relaxed);
        (admitted(asked, &marks, now), changes)
    }

    /// Undoes an attempt that another rule refused: it leaves no trace, so that it does not lengthen a wait.
    /// Where others came in between, only its count is given back.
    pub(super) fn restore(&self, changes: &[Change], now: Ts) {
        let mut entries = self.lock();
        let mut others = Vec::new();
        for change in changes {
            let key = change.asked.key;
            let those = entries.of_mut(change.asked.rule);
            if those.get(&key) != Some(&change.after) {
                others.push(Undo::GiveBack(change.asked));
            } else if let Some(before) = change.before {
                those.insert(key, before);
            } else {
                those.remove(&key);
            }
        }
        self.number.store(entries.len(), Ordering::Relaxed);
        drop(entries);
        self.undo(&others, now);
    }

    pub(super) fn look(&self, asked: &[Limit], now: Ts) -> Taken {
        let marks = marks(&self.lock(), asked);
        match judge(asked, &marks, now) {
            Ok(_) => Taken::Admitted(
                asked
                    .iter()
                    .zip(&marks)
                    .map(|(asked, mark)| asked.rule.left(*mark, now))
                    .collect(),
            ),
            Err(refused) => refused,
        }
    }

    pub(super) fn undo(&self, undos: &[Undo], now: Ts) {
        let mut entries = self.lock();
        for undo in undos {
            match undo {
                Undo::Forget(key) => {
                    entries.rates.remove(key);
                    entries.backoffs.remove(key);
                }
                Undo::GiveBack(asked) => {
                    let those = entries.of_mut(asked.rule);
                    let mark = those.get(&asked.key).map(|entry| entry.mark);
                    match mark.and_then(|mark| asked.rule.give_back(mark, now)) {
                        Some(mark) => {
                            let rests_at = asked.rule.rests_at(mark);
                            those.insert(asked.key, Entry { mark, rests_at });
                        }
                        None => {
                            those.remove(&asked.key);
                        }
                    }
                }
            }
        }
        self.number.store(entries.len(), Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.number.load(Ordering::Relaxed) == 0
    }

    pub(super) fn sweep(&self, now: Ts) {
        let mut entries = self.lock();
        let Entries { rates, backoffs } = &mut *entries;
        for those in [rates, backoffs] {
            those.retain(|_, entry| entry.rests_at > now);
            if those.capacity() > 4 * those.len().max(1024) {
                those.shrink_to_fit();
            }
        }
        self.number.store(entries.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn marks(entries: &Entries, asked: &[Limit]) -> Vec<Option<Mark>> {
    let mark = |asked: &Limit| {
        entries
            .of(asked.rule)
            .get(&asked.key)
            .map(|entry| entry.mark)
    };
    asked.iter().map(mark).collect()
}

/// Drops what rests and, if that is not enough, the quarter that is nearest to rest: a flood of fresh keys pushes
/// out each other before they push out a key with failures.
fn make_room(entries: &mut HashMap<LimitKey, Entry>, capacity: usize, now: Ts) {
    entries.retain(|_, entry| entry.rests_at > now);
    let quarter = capacity / 4;
    if entries.len() <= capacity - quarter {
        return;
    }
    let mut rests: Vec<Ts> = entries.values().map(|entry| entry.rests_at).collect();
    let (_, last_to_go, _) = rests.select_nth_unstable(quarter);
    let last_to_go = *last_to_go;
    // Many may rest at one time; no more than the quarter goes.
    let mut going = quarter + 1;
    entries.retain(|_, entry| {
        let goes = entry.rests_at <= last_to_go && going > 0;
        going -= usize::from(goes);
        !goes
    });
}
