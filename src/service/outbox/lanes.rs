//! Which lanes are open, and which are left alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{LANES, REST, Told};
use crate::domain::outbox::Lane;
use crate::spec::time::{Clock, Ts};
use crate::store::error::StoreError;

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
    /// When each was open last, counted in lanes.
    turns: HashMap<Lane, u64>,
    turn: u64,
    /// Why a lane ended early.
    failed: Option<StoreError>,
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
        state.turns.retain(|lane, _| due.contains(lane));
        // The receiver that was told longest ago comes first, so that one with a long backlog waits for its turn too.
        due.sort_by_key(|lane| state.turns.get(lane).copied());
        due.retain(|lane| !state.busy.contains(lane) && !state.resting.contains_key(lane));
        due.truncate(LANES.saturating_sub(state.busy.len()));
        let open = |lane: Lane| {
            state.turn += 1;
            let turn = state.turn;
            state.turns.insert(lane.clone(), turn);
            state.busy.insert(lane.clone());
            OpenLane {
                lanes: Arc::clone(self),
                lane,
                clock: clock.clone(),
                told: Ok(Told::default()),
            }
        };
        due.into_iter().map(open).collect()
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
                let until = self.clock.now().plus(REST);
                state.resting.insert(self.lane.clone(), until);
            }
            Ok(_) => {}
            Err(error) => state.failed = Some(error.clone()),
        }
        drop(state);
        self.lanes.ended.notify_one();
    }
}
