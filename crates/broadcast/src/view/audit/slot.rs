//! A slot as a view tells of it.

use realm_protocol::{Digest, Timestamp};

#[derive(Default)]
pub(super) struct Slot {
    pub(super) epoch: u64,
    pub(super) holder: Option<Digest>,
    /// When it was awarded.
    pub(super) awarded: Option<Timestamp>,
    pub(super) state: State,
    /// The outcome that ended the last lease of the reader's.
    pub(super) outcome: Option<Digest>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Open,
    Awarded,
    Reserved,
    Leased {
        answers: u64,
        over: Timestamp,
    },
    Asking,
    Done,
    Over,
}

impl State {
    pub(super) const fn is_active(self) -> bool {
        !matches!(self, Self::Open | Self::Done | Self::Over)
    }
}
