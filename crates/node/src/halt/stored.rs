//! What is written down of halts.

use realm_protocol::{LoopId, RunId, Scope, Timestamp, wire_map};

use super::{above::StoredAbove, below::StoredOrder};

/// Where it stands what is halted, in [`realm_protocol::journal::Table::Standing`].
pub(crate) const HALTED: &[u8] = b"halted";
/// Before the number of each change of it.
pub(crate) const CHANGE: &[u8] = b"halt/";

/// Before the place of each realm below that is told what stands still.
pub(crate) const BELOW: &[u8] = b"halt-below/";

/// Where what a realm below is told is.
pub(crate) fn below(scope: &Scope) -> Vec<u8> {
    [BELOW, scope.to_string().as_bytes()].concat()
}

/// Where a change is.
pub(crate) fn change(number: u64) -> Vec<u8> {
    [CHANGE, &number.to_be_bytes()].concat()
}

wire_map! {
    /// A word that lets something stand still.
    pub struct StoredHalt {
        /// Who said it.
        0 => by: String,
        /// When.
        1 => at: Timestamp,
        /// Why, as who said it says.
        2 => why: Option<String>,
        /// Loops that go on all the same.
        3 => loops: Vec<LoopId>,
        /// Runs that go on all the same.
        4 => runs: Vec<RunId>,
    }
}

wire_map! {
    /// A loop that stands still.
    pub struct StoredLoopHalt {
        /// The loop.
        0 => loop_id: LoopId,
        /// The word.
        1 => halt: StoredHalt,
    }
}

wire_map! {
    /// Everything that stands still here.
    pub struct StoredHalts {
        /// Number of the last change.
        0 => number: u64,
        /// The whole realm.
        1 => all: Option<StoredHalt>,
        /// Loops.
        2 => loops: Vec<StoredLoopHalt>,
        /// Whether every realm below is meant with the whole realm.
        3 => tree: bool,
        /// Number of the last word to a realm below.
        4 => word: u64,
        /// The newest words of realms above.
        5 => above: Vec<StoredAbove>,
        /// Realms below that were named.
        6 => orders: Vec<StoredOrder>,
        /// Children that go on while every realm below stands still.
        7 => let_go: Vec<Scope>,
    }
}

wire_map! {
    /// One change of what stands still.
    pub struct StoredHaltChange {
        /// When it was made.
        0 => at: Timestamp,
        /// Who made it.
        1 => by: String,
        /// Whether something stands still since, and does not go on.
        2 => halted: bool,
        /// What it is about, in words.
        3 => what: String,
        /// Why, as who made it says.
        4 => why: Option<String>,
    }
}
