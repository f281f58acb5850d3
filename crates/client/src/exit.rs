//! How a program ends.

/// Exit code of a command. Numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Any other failure.
    Other = 1,
    /// Wrong arguments.
    Usage = 2,
    /// Wrong configuration or definition files.
    Configuration = 3,
    /// The daemon does not answer.
    Unreachable = 4,
    /// The thing named does not exist, or is hidden.
    NotFound = 5,
    /// Policy does not permit it.
    Denied = 6,
    /// Input or output does not match its schema.
    Schema = 7,
    /// The loop ran and failed.
    LoopFailed = 8,
    /// Out of time.
    Timeout = 9,
    /// Waiting for approval.
    Approval = 10,
    /// The realm is halted.
    Halted = 11,
    /// Too few bids.
    Bids = 12,
    /// The other realm cannot be reached.
    RealmUnreachable = 13,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// The number given to the operating system.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
