//! Clocks as numbers.

use std::time::Duration;

use realm_protocol::{Tick, Timestamp};

#[test]
fn time_between_two_moments_is_never_negative_and_never_wraps() {
    let (early, late) = (Tick::from_millis(40), Tick::from_millis(100));
    let (before, after) = (Timestamp::from_millis(40), Timestamp::from_millis(100));

    assert_eq!((late.since(early), early.since(late)), (60, 0));
    assert_eq!((after.since(before), before.since(after)), (60, 0));
    assert_eq!(early.until(late), Duration::from_millis(60));
    assert_eq!(late.until(early), Duration::ZERO);
    assert_eq!(early.plus(60), late);
    assert_eq!((before.plus(60), after.minus(60)), (after, before));
    assert_eq!(before.minus(60), Timestamp::from_millis(0));
    assert_eq!(late.plus(u64::MAX).as_millis(), u64::MAX);
    assert_eq!(after.plus(u64::MAX).as_millis(), u64::MAX);
}
