//! What realms say about halts.

use crate::{Scope, wire_map};

wire_map! {
    /// Body of a Halt: what a realm above lets stand still at its receiver, or go on.
    pub struct Halt {
        /// Rises with every word of this sender's to this receiver: an older one changes nothing.
        0 => number: u64,
        /// Whether it stands still, and does not go on.
        1 => halted: bool,
        /// Whether every realm below the receiver is meant as well.
        2 => subtree: bool,
        /// The realm whose owner said it; the sender, or one above it.
        3 => by: Scope,
        /// Why, for people.
        4 => why: Option<String>,
    }
}

wire_map! {
    /// Body of a HaltAck: how its sender stands by the words of the realm that it answers.
    pub struct HaltAck {
        /// The newest word of that realm's that it knows.
        0 => number: u64,
        /// Whether it stands still by that.
        1 => halted: bool,
        /// Runs that stand still.
        2 => runs: u64,
        /// Whether its own work stands still as well, and not only what it does for others.
        3 => own: bool,
        /// Realms below it that have confirmed.
        4 => confirmed: Vec<Scope>,
        /// Realms below it that have not.
        5 => open: Vec<Scope>,
        /// Realms below it that there is no room to name, and that have not confirmed for all that is said.
        6 => unnamed: u64,
    }
}
