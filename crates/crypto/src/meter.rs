//! How long the libraries take that sign, check, seal and open: for measurements, and not in a default
//! build.
//!
//! This crate knows no clock. Whoever measures brings one, and each thread is metered by itself.

#[cfg(feature = "meter")]
pub(crate) use metering::timed;
#[cfg(feature = "meter")]
pub use metering::{Metered, meter, metered};

/// Does the work.
#[cfg(not(feature = "meter"))]
#[inline(always)]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(feature = "meter")]
mod metering {
    use std::{cell::Cell, time::Duration};

    /// What was metered.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Metered {
        /// Calls of the libraries.
        pub calls: u64,
        /// How long they took together.
        pub took: Duration,
    }

    thread_local! {
        static CLOCK: Cell<Option<fn() -> Duration>> = const { Cell::new(None) };
        static METERED: Cell<Metered> = const { Cell::new(Metered { calls: 0, took: Duration::ZERO }) };
    }

    /// Begins to meter on this thread, by a clock.
    pub fn meter(clock: fn() -> Duration) {
        CLOCK.set(Some(clock));
    }

    /// What was metered on this thread so far.
    pub fn metered() -> Metered {
        METERED.get()
    }

    /// Does the work, and meters it.
    pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> T {
        let Some(clock) = CLOCK.get() else {
            return work();
        };
        let begun = clock();
        let done = work();
        let took = clock().saturating_sub(begun);
        let before = METERED.get();
        METERED.set(Metered {
            calls: before.calls.saturating_add(1),
            took: before.took.saturating_add(took),
        });
        done
    }
}
