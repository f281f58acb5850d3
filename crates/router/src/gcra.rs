//! How often something may begin.

use realm_protocol::Tick;

const MICROS: u64 = 1_000;
const MINUTE: u64 = 60_000_000;

/// A rate by the generic cell rate algorithm: so many a minute, at most `burst` at once. What is counted
/// by it is one number for each caller, its [`Pace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Microseconds from one to the next.
    interval: u64,
    /// How much sooner than that one may come, microseconds.
    tolerance: u64,
}

/// When all that was counted so far will have had its time, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace(u64);

impl Gcra {
    /// Takes how many may begin in a minute, and how many at once; none counts as one.
    pub fn new(per_minute: u64, burst: u64) -> Self {
        let interval = MINUTE.checked_div(per_minute).unwrap_or(MINUTE).max(1);
        Self {
            interval,
            tolerance: interval.saturating_mul(burst.saturating_sub(1)),
        }
    }

    /// How long the next waits until it may begin, milliseconds.
    ///
    /// # Errors
    /// Milliseconds until it may come again, where more than `queue` wait for their turn already.
    pub const fn turn(&self, pace: Pace, queue: u64, now: Tick) -> Result<u64, u64> {
        let now = now.as_millis().saturating_mul(MICROS);
        let early = pace.0.saturating_sub(now).saturating_sub(self.tolerance);
        match early.saturating_sub(self.interval.saturating_mul(queue)) {
            0 => Ok(early.div_ceil(MICROS)),
            over => Err(over.div_ceil(MICROS)),
        }
    }

    /// Counts one that begins, or takes its turn after those that wait.
    pub fn take(&self, pace: &mut Pace, now: Tick) {
        let now = now.as_millis().saturating_mul(MICROS);
        pace.0 = pace.0.max(now).saturating_add(self.interval);
    }
}

impl Pace {
    /// As if nothing had been counted.
    pub const fn rested() -> Self {
        Self(0)
    }

    /// Whether it is as if nothing had been counted.
    pub const fn is_rested(self, now: Tick) -> bool {
        self.0 <= now.as_millis().saturating_mul(MICROS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Gcra = Gcra {
        interval: 1_000_000,
        tolerance: 2_000_000,
    };

    /// How many begin, one after the other, without waiting.
    fn begun(rate: Gcra, pace: &mut Pace, now: Tick) -> u64 {
        let mut begun = 0;
        while rate.turn(*pace, 0, now).is_ok() {
            rate.take(pace, now);
            begun += 1;
        }
        begun
    }

    #[test]
    fn a_burst_begins_at_once_and_then_one_at_a_time() {
        assert_eq!(Gcra::new(60, 3), RATE);
        let (mut pace, start) = (Pace::default(), Tick::from_millis(5_000));
        assert_eq!(begun(RATE, &mut pace, start), 3);
        assert_eq!(RATE.turn(pace, 0, start), Err(1_000));
        assert_eq!(begun(RATE, &mut pace, start.plus(999)), 0);
        assert_eq!(begun(RATE, &mut pace, start.plus(1_000)), 1);
        assert!(!pace.is_rested(start.plus(3_999)));
        assert!(pace.is_rested(start.plus(4_000)));
        assert_eq!(begun(RATE, &mut pace, start.plus(4_000)), 3);
    }

    #[test]
    fn who_takes_a_turn_waits_behind_those_that_did_before() {
        let (mut pace, now) = (Pace::default(), Tick::from_millis(5_000));
        begun(RATE, &mut pace, now);
        for ahead in 1..4 {
            assert_eq!(RATE.turn(pace, 3, now), Ok(ahead * 1_000));
            RATE.take(&mut pace, now);
        }
        assert_eq!(RATE.turn(pace, 3, now), Err(1_000));
    }

    #[test]
    fn in_any_time_no_more_begin_than_the_rate_and_one_burst() {
        for per_minute in [1, 7, 60, 300] {
            let (rate, mut pace) = (Gcra::new(per_minute, 5), Pace::default());
            let begun: u64 = (0..120)
                .map(|second| begun(rate, &mut pace, Tick::from_millis(second * 1_000)))
                .sum();
            let (least, most) = (119 * per_minute / 60, 2 * per_minute + 5);
            assert!((least..=most).contains(&begun), "{per_minute}: {begun}");
        }
    }
}
