//! Which counters have come: the replay memory of a session.

use realm_protocol::limits;

/// Bits in a word of the window.
const WORD: u64 = 64;
/// Words in the window.
const WORDS: usize = 16;
const _: () = assert!(limits::SESSION_WINDOW == WORD * WORDS as u64);

/// The newest counter that came, and which of the [`limits::SESSION_WINDOW`] up to it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// One more than the newest counter that came.
    end: u64,
    /// A bit for each counter, at its place modulo the window.
    seen: [u64; WORDS],
}

impl Window {
    /// Whether the counter has not come and is not too old to tell.
    pub(super) fn is_fresh(&self, counter: u64) -> bool {
        if counter >= self.end {
            return true;
        }
        let oldest = self.end.saturating_sub(limits::SESSION_WINDOW);
        let (word, bit) = place(counter);
        counter >= oldest && self.seen.get(word).is_some_and(|word| word & bit == 0)
    }

    /// Notes that the counter came.
    pub(super) fn note(&mut self, counter: u64) {
        let past = counter.saturating_sub(self.end);
        if past >= limits::SESSION_WINDOW {
            self.seen = [0; WORDS];
        } else if counter >= self.end {
            for skipped in self.end..counter {
                self.set(skipped, false);
            }
        }
        self.end = self.end.max(counter.saturating_add(1));
        self.set(counter, true);
    }

    fn set(&mut self, counter: u64, came: bool) {
        let (word, bit) = place(counter);
        if let Some(word) = self.seen.get_mut(word) {
            *word = if came { *word | bit } else { *word & !bit };
        }
    }
}

/// The word and the bit in it that stand for a counter.
fn place(counter: u64) -> (usize, u64) {
    let at = counter.checked_rem(limits::SESSION_WINDOW).unwrap_or(0);
    let word = usize::try_from(at.wrapping_div(WORD)).unwrap_or(0);
    (
        word,
        1_u64.wrapping_shl(u32::try_from(at.wrapping_rem(WORD)).unwrap_or(0)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng as _, SeedableRng as _};

    use super::*;

    #[test]
    fn each_counter_is_fresh_once_and_never_when_it_fell_out_of_the_window() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut window = Window::default();
        let mut came = BTreeSet::new();
        let mut newest = None;
        for step in 0..20_000_u64 {
            let counter = match rng.next_u32() % 8 {
                0 => newest.unwrap_or(0) + 1 + u64::from(rng.next_u32() % 3_000),
                1..5 => newest.map_or(0, |newest| newest + 1),
                _ => step
                    .min(newest.unwrap_or(0))
                    .saturating_sub(u64::from(rng.next_u32() % 1_400)),
            };
            let too_old =
                newest.is_some_and(|newest: u64| counter + limits::SESSION_WINDOW <= newest);
            let fresh = !too_old && !came.contains(&counter);
            assert_eq!(
                window.is_fresh(counter),
                fresh,
                "counter {counter} at {newest:?}"
            );
            if fresh {
                window.note(counter);
                came.insert(counter);
                newest = newest.max(Some(counter));
            }
        }
    }

    #[test]
    fn the_last_counter_there_is_does_not_overflow() {
        let mut window = Window::default();
        window.note(u64::MAX - 1);
        assert!(!window.is_fresh(u64::MAX - 1));
        assert!(window.is_fresh(u64::MAX));
        assert!(!window.is_fresh(0));
    }
}
