//! What endpoints keep: waits, ids already seen, delays, tokens.

use proptest::prelude::*;
use realm_protocol::{Digest, MessageId, RealmId, Tick, Timestamp};
use realm_router::{Backoff, Full, Replay, ReplayMemory, TokenBucket, Waiting};

fn tick(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn digest(number: u8) -> Digest {
    Digest::new([number; 32])
}

fn id(number: u8) -> MessageId {
    MessageId::new([number; 16])
}

fn root(number: u8) -> RealmId {
    RealmId::new([number; 32])
}

#[test]
fn a_reply_ends_its_wait_once() {
    let mut waiting = Waiting::new(4);
    waiting.insert(digest(1), tick(10), "call").unwrap();

    assert_eq!(waiting.get(&digest(1)), Some(&"call"));
    assert_eq!(waiting.take(&digest(1)), Some("call"));
    assert_eq!(waiting.take(&digest(1)), None);
    assert_eq!(waiting.poll_timeout(), None);
    assert!(waiting.is_empty());
}

#[test]
fn waits_end_at_their_deadline_the_earliest_first() {
    let mut waiting = Waiting::new(4);
    for (number, deadline) in [(1, 30), (2, 10), (3, 20)] {
        waiting
            .insert(digest(number), tick(deadline), number)
            .unwrap();
    }

    assert_eq!(waiting.poll_timeout(), Some(tick(10)));
    assert_eq!(waiting.expired(tick(9)), []);
    assert_eq!(waiting.expired(tick(20)), [(digest(2), 2), (digest(3), 3)]);
    assert_eq!((waiting.poll_timeout(), waiting.len()), (Some(tick(30)), 1));
}

#[test]
fn at_its_capacity_nothing_new_waits_and_what_waits_can_still_be_moved() {
    let mut waiting = Waiting::new(1);
    waiting.insert(digest(1), tick(10), 'a').unwrap();

    assert_eq!(waiting.insert(digest(2), tick(10), 'b'), Err(Full));
    waiting.insert(digest(1), tick(50), 'c').unwrap();

    assert_eq!(waiting.expired(tick(49)), []);
    assert_eq!(waiting.expired(tick(50)), [(digest(1), 'c')]);
}

#[test]
fn an_id_is_admitted_once_until_it_expires_and_never_after() {
    let mut memory = ReplayMemory::new();

    assert_eq!(memory.admit(id(1), root(1), time(100), time(10)), Ok(()));
    assert_eq!(
        memory.admit(id(1), root(1), time(100), time(99)),
        Err(Replay::Seen)
    );
    assert_eq!(
        memory.admit(id(1), root(2), time(200), time(99)),
        Err(Replay::Seen)
    );
    assert_eq!(
        memory.admit(id(1), root(1), time(100), time(100)),
        Err(Replay::Expired)
    );
    assert!(memory.is_empty());
}

#[test]
fn setting_the_clock_back_lets_nothing_in_again() {
    let mut memory = ReplayMemory::new();
    memory.admit(id(1), root(1), time(100), time(10)).unwrap();
    memory.purge(time(1_000_000));

    let again = memory.admit(id(1), root(1), time(100), time(10));
    let fresh = memory.admit(id(2), root(1), time(101), time(10));

    assert_eq!((again, fresh), (Err(Replay::Expired), Ok(())));
}

#[test]
fn a_purge_tells_how_many_ids_it_forgot_and_keeps_the_others() {
    let mut memory = ReplayMemory::new();
    for number in 1..=3 {
        let expires = time(100 * u64::from(number));
        memory
            .admit(id(number), root(number), expires, time(10))
            .unwrap();
    }

    assert_eq!(memory.purge(time(200)), 2);
    assert!(!memory.is_empty());
    assert_eq!((memory.len(), memory.purge(time(299))), (1, 0));
}

#[test]
fn a_restart_lets_nothing_in_again() {
    let mut before = ReplayMemory::new();
    before.admit(id(1), root(1), time(50), time(10)).unwrap();
    before.admit(id(2), root(1), time(100), time(60)).unwrap();

    let mut after = ReplayMemory::new();
    after.load(before.forgotten_until(), [(id(2), root(1), time(100))]);

    assert_eq!(
        after.admit(id(1), root(1), time(50), time(10)),
        Err(Replay::Expired)
    );
    assert_eq!(
        after.admit(id(2), root(1), time(100), time(61)),
        Err(Replay::Seen)
    );
    assert_eq!(after.held(&root(1)), 1);
}

#[test]
fn no_share_takes_more_than_it_may_and_room_comes_back_with_expiry() {
    let mut memory = ReplayMemory::with_bounds(3, 2);
    memory.admit(id(1), root(1), time(50), time(0)).unwrap();
    memory.admit(id(2), root(1), time(60), time(0)).unwrap();

    assert_eq!(
        memory.admit(id(3), root(1), time(60), time(0)),
        Err(Replay::Full)
    );
    assert_eq!(memory.admit(id(3), root(2), time(60), time(0)), Ok(()));
    assert_eq!(
        memory.admit(id(4), root(3), time(60), time(0)),
        Err(Replay::Full)
    );
    assert_eq!(memory.admit(id(4), root(1), time(70), time(50)), Ok(()));
    assert_eq!(
        (memory.held(&root(1)), memory.held(&root(2)), memory.len()),
        (2, 1, 3)
    );
}

#[test]
fn the_last_quarter_of_a_burst_is_for_those_who_may_take_it() {
    let mut bucket = TokenBucket::new(10, 8, tick(0));

    let early = (0..9).filter(|_| bucket.take_early(1, tick(0))).count();
    let late = (0..9).filter(|_| bucket.take(tick(0))).count();
    assert_eq!((early, late), (6, 2));
    assert!(!bucket.take_early(1, tick(200)), "two are kept");
    assert!(bucket.take_early(1, tick(300)));

    let mut small = TokenBucket::new(10, 1, tick(0));
    assert!(small.take_early(1, tick(0)), "of few none is kept");
}

#[test]
fn a_larger_burst_is_there_at_once_and_what_was_taken_stays_taken() {
    let mut bucket = TokenBucket::new(1, 4, tick(0));
    assert!(bucket.take(tick(0)));

    bucket.set(10, 40, tick(0));
    assert_eq!(
        (0..50).filter(|_| bucket.take_early(1, tick(0))).count(),
        29
    );
    assert_eq!((0..50).filter(|_| bucket.take(tick(0))).count(), 10);
    bucket.set(10, 40, tick(0));
    assert!(!bucket.take(tick(0)), "the same again gives nothing");
    bucket.set(1, 4, tick(1_000));
    assert_eq!((0..50).filter(|_| bucket.take(tick(1_000))).count(), 4);
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let mut bucket = TokenBucket::new(10, 3, tick(0));

    let burst = (0..5).filter(|_| bucket.take(tick(0))).count();
    assert_eq!((burst, bucket.retry_after_ms(tick(0))), (3, 100));
    assert!(!bucket.take(tick(99)));
    assert!(bucket.take(tick(100)));
    assert!(
        !bucket.take(tick(50)),
        "time that runs backward fills nothing"
    );
    assert!(bucket.take(tick(200)));
}

#[test]
fn a_bucket_without_rate_or_burst_says_never() {
    for (rate, burst) in [(0, 1), (5, 0)] {
        let mut bucket = TokenBucket::new(rate, burst, tick(0));
        bucket.take(tick(0));
        assert_eq!(bucket.retry_after_ms(tick(0)), u64::MAX);
        assert!(!bucket.take(tick(1_000_000)));
    }
}

#[test]
fn a_bucket_that_shrinks_keeps_no_more_than_its_new_burst() {
    let mut bucket = TokenBucket::new(1, 100, tick(0));
    bucket.set(1, 2, tick(0));
    assert_eq!((0..5).filter(|_| bucket.take(tick(0))).count(), 2);
}

#[test]
fn the_ceiling_of_delays_doubles_up_to_the_cap_and_contact_resets_it() {
    let mut backoff = Backoff::new(100, 1_000);

    let ceilings: Vec<u64> = (0..6).map(|_| backoff.delay_ms(u64::MAX)).collect();
    assert_eq!(ceilings, [100, 200, 400, 800, 1_000, 1_000]);
    assert_eq!(backoff.attempts(), 6);
    backoff.reset();
    assert_eq!((backoff.delay_ms(0), backoff.ceiling_ms()), (0, 200));
    assert_eq!(backoff.attempts(), 1);
}

#[test]
fn delays_lie_evenly_between_nothing_and_their_ceiling() {
    let quarter = 1 << 62;
    let delays = [0, 1, 2, 3].map(|quarters| Backoff::new(400, 400).delay_ms(quarters * quarter));

    assert_eq!(delays, [0, 100, 200, 300]);
}

proptest! {
    #[test]
    fn no_delay_passes_its_ceiling_or_overflows(
        base in any::<u64>(), cap in any::<u64>(), random in prop::collection::vec(any::<u64>(), 1..100),
    ) {
        let mut backoff = Backoff::new(base, cap);
        for random in random {
            let ceiling = backoff.ceiling_ms();
            prop_assert!(ceiling <= cap);
            prop_assert!(backoff.delay_ms(random) <= ceiling);
        }
    }

    #[test]
    fn a_bucket_never_gives_more_than_burst_and_rate_allow(
        rate in 0_u64..100, burst in 0_u64..50, steps in prop::collection::vec(0_u64..200, 0..200),
    ) {
        let mut bucket = TokenBucket::new(rate, burst, tick(0));
        let (mut now, mut taken) = (0, 0);
        for step in steps {
            now += step;
            let promised = bucket.retry_after_ms(tick(now));
            let took = bucket.take(tick(now));
            prop_assert_eq!(took, promised == 0);
            taken += u64::from(took);
            prop_assert!(taken * 1_000 <= burst * 1_000 + rate * now);
        }
    }

    #[test]
    fn nothing_is_admitted_twice_and_no_bound_is_passed(
        steps in prop::collection::vec((0_u8..40, 0_u8..4, 1_u64..500, 0_u64..1_000), 0..300),
    ) {
        let mut memory = ReplayMemory::with_bounds(12, 5);
        let mut admitted = std::collections::BTreeSet::new();
        for (number, tree, life, now) in steps {
            // A message's expiry belongs to it, as its root does: both are signed.
            let (tree, expires) = (tree % 4, time(u64::from(number) * 20 + life % 2));
            let message = (number, life % 2, tree);
            let id = MessageId::new([number, u8::from(life % 2 == 1), tree, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            if memory.admit(id, root(tree), expires, time(now)).is_ok() {
                prop_assert!(admitted.insert(message), "{:?} twice", message);
            }
            prop_assert!(memory.len() <= 12 && memory.held(&root(tree)) <= 5);
        }
    }
}
