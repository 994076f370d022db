//! Which lanes are open, and which are left alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{LANES, REST, SHORT_REST, Told};
use crate::domain::outbox::Lane;
use crate::spec::time::{Clock, Ts};
use crate::store::error::StoreError;

/// So many lanes are remembered at most: far more than there are receivers.
const REMEMBERED: usize = 4096;

/// The lanes of this instance.
#[derive(Default)]
pub(super) struct Lanes {
    state: Mutex<State>,
    pub(super) ended: Notify,
}

#[derive(Default)]
struct State {
    busy: HashSet<Lane>,
    resting: HashMap<Lane, Ts>,
    /// What is known of each that was open, also while nothing is due for it.
    past: HashMap<Lane, Past>,
    turn: u64,
    /// Why a lane ended early.
    failed: Option<StoreError>,
}

#[derive(Clone, Copy)]
struct Past {
    /// When it was open last, counted in lanes.
    turn: u64,
    /// Whether it answered nothing then.
    missed: bool,
}

impl State {
    /// Notes that a lane has its turn.
    fn begin(&mut self, lane: &Lane) {
        self.turn += 1;
        self.busy.insert(lane.clone());
        let missed = self.past.get(lane).is_some_and(|past| past.missed);
        let turn = self.turn;
        self.past.insert(lane.clone(), Past { turn, missed });
        if self.past.len() > REMEMBERED {
            // No two have the same turn, so half of them stay at most.
            let oldest = turn.saturating_sub(REMEMBERED as u64 / 2);
            self.past.retain(|_, past| past.turn > oldest);
        }
    }

    /// Notes whether a lane answered nothing; whether that was so the last time too.
    fn missed(&mut self, lane: &Lane, missed: bool) -> bool {
        let past = self.past.get_mut(lane);
        past.is_some_and(|past| std::mem::replace(&mut past.missed, missed))
    }
}

impl Lanes {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens lanes of those for which something is due.
    pub(super) fn open(self: &Arc<Self>, mut due: Vec<Lane>, clock: &Clock) -> Vec<OpenLane> {
        let now = clock.now();
        let mut state = self.locked();
        state.resting.retain(|_, until| *until > now);
        // The receiver that was told longest ago comes first, so that one with a long backlog waits for its turn too.
        due.sort_by_key(|lane| state.past.get(lane).map(|past| past.turn));
        due.retain(|lane| !state.busy.contains(lane) && !state.resting.contains_key(lane));
        due.truncate(LANES.saturating_sub(state.busy.len()));
        let open = |lane: Lane| {
            state.begin(&lane);
            OpenLane {
                lanes: Arc::clone(self),
                lane,
                clock: clock.clone(),
                told: Ok(Told::default()),
            }
        };
        due.into_iter().map(open).collect()
    }

    /// How many lanes are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.locked().past.len()
    }

    /// Why a lane ended early since the last time this was asked.
    pub(super) fn take_failure(&self) -> Option<StoreError> {
        self.locked().failed.take()
    }
}

/// A lane while it is open; dropping it frees the receiver for the next one, also after a panic.
pub(super) struct OpenLane {
    lanes: Arc<Lanes>,
    pub(super) lane: Lane,
    clock: Clock,
    told: Result<Told, StoreError>,
}

impl OpenLane {
    /// Ends the lane with what came of it.
    pub(super) fn end(mut self, told: Result<Told, StoreError>) {
        self.told = told;
    }
}

impl Drop for OpenLane {
    fn drop(&mut self) {
        let mut state = self.lanes.locked();
        state.busy.remove(&self.lane);
        match &self.told {
            Ok(told) if told.is_unanswered() => {
                let again = state.missed(&self.lane, true);
                let rest = if again || told.is_full() {
                    REST
                } else {
                    SHORT_REST
                };
                let until = self.clock.now().plus(rest);
                state.resting.insert(self.lane.clone(), until);
            }
            Ok(told) => {
                if told.answered > 0 {
                    state.missed(&self.lane, false);
                }
            }
            Err(error) => state.failed = Some(error.clone()),
        }
        drop(state);
        self.lanes.ended.notify_one();
    }
}
