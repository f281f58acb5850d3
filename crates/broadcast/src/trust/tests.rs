use super::*;

const DAY: u64 = 24 * 60 * 60 * 1_000;

fn realm(number: u64) -> RealmId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    RealmId::new(id)
}

fn day(day: u64) -> Timestamp {
    Timestamp::from_millis(day * DAY)
}

#[test]
fn a_bidder_that_confirms_and_falls_silent_takes_long_to_win_its_trust_back() {
    let mut trust = Trust::default();
    trust.note((realm(1), &[]), Conduct::Broke, day(0));
    let broken = trust.of(&realm(1), &[], day(0));

    let mut results = 0;
    while trust.of(&realm(1), &[], day(0)) < UNKNOWN {
        trust.note((realm(1), &[]), Conduct::Delivered, day(0));
        results += 1;
    }

    assert_eq!((broken, results), (UNKNOWN / 2, 4));
}

#[test]
fn a_result_is_late_past_twice_the_time_of_its_bid_and_the_way() {
    let bid_ms = 1_000;
    let conduct = |conduct: Conduct, took_ms| conduct.timed(took_ms, bid_ms);

    assert_eq!(conduct(Conduct::Delivered, 7_000), Conduct::Delivered);
    assert_eq!(conduct(Conduct::Delivered, 7_001), Conduct::Late);
    assert_eq!(conduct(Conduct::Failed, 7_001), Conduct::Failed);
    let mut trust = Trust::default();
    trust.note((realm(1), &[]), Conduct::Late, day(0));
    assert_eq!(trust.of(&realm(1), &[], day(0)), UNKNOWN - UNKNOWN / 8);
}

#[test]
fn a_score_fades_to_that_of_a_stranger_by_halves() {
    let mut trust = Trust::default();
    trust.note((realm(1), &[]), Conduct::Broke, day(0));

    let scores = [0, 7, 14, 70, 7_000].map(|passed| trust.of(&realm(1), &[], day(passed)));

    assert_eq!(scores, [250_000, 375_000, 437_500, 499_756, 500_000]);
    let between = trust.of(&realm(1), &[], Timestamp::from_millis(7 * DAY / 2));
    assert_eq!(between, 312_500);
    assert_eq!(trust.of(&realm(2), &[], day(0)), UNKNOWN);
}

#[test]
fn a_new_realm_is_trusted_no_more_than_those_above_it_and_no_more_than_a_stranger() {
    let mut trust = Trust::default();
    trust.note((realm(1), &[]), Conduct::Broke, day(0));
    trust.note((realm(2), &[]), Conduct::Delivered, day(0));
    let of = |trust: &Trust, above: &[u64]| {
        let above: Vec<RealmId> = above.iter().copied().map(realm).collect();
        trust.of(&realm(9), &above, day(0))
    };

    assert_eq!(of(&trust, &[2, 1]), UNKNOWN / 2);
    assert_eq!(of(&trust, &[2, 3]), UNKNOWN);
    trust.note((realm(9), &[realm(1)]), Conduct::Delivered, day(0));
    let own = UNKNOWN / 2 + (1_000_000 - UNKNOWN / 2) / 8;
    assert_eq!(of(&trust, &[1]), own, "its own conduct counts from then on");
}

#[test]
fn who_breaks_its_word_from_one_new_realm_after_the_other_is_trusted_as_one_realm_that_does() {
    let (mut one, mut many) = (Trust::default(), Trust::default());
    let (root, known) = (realm(1), realm(2));
    many.note((known, &[root]), Conduct::Delivered, day(0));
    let before = many.of(&known, &[root], day(0));
    for number in 10..14 {
        one.note((realm(10), &[root]), Conduct::Broke, day(0));
        many.note((realm(number), &[root]), Conduct::Broke, day(0));
    }

    let newcomer = many.of(&realm(99), &[root], day(0));

    assert!(
        newcomer <= one.of(&realm(10), &[root], day(0)) * 9 / 8,
        "{newcomer}"
    );
    assert_eq!(
        many.of(&known, &[root], day(0)),
        before,
        "its own conduct is better"
    );
    assert_eq!(
        many.of(&root, &[], day(0)),
        UNKNOWN,
        "it did nothing itself"
    );
    assert_eq!(
        many.of(&realm(98), &[realm(3)], day(0)),
        UNKNOWN,
        "elsewhere"
    );
}

#[test]
fn good_conduct_below_lets_no_newcomer_begin_above_a_stranger() {
    let mut trust = Trust::default();
    for number in 10..40 {
        trust.note((realm(number), &[realm(1)]), Conduct::Delivered, day(0));
    }

    assert_eq!(trust.of(&realm(99), &[realm(1)], day(0)), UNKNOWN);
}

#[test]
fn what_changed_a_score_can_be_told() {
    let mut trust = Trust::default();
    for at in 0..20 {
        trust.note((realm(1), &[]), Conduct::Delivered, day(at));
    }
    trust.note((realm(1), &[]), Conduct::Failed, day(20));
    let written = trust.explain(&realm(1)).unwrap();

    let (known, _) = Trust::recover([(realm(1), written.clone())]);

    let told = known.explain(&realm(1)).unwrap();
    assert_eq!(told.events.len(), EVENTS);
    let last = told.events.last().unwrap();
    assert_eq!((last.conduct, last.score), (Conduct::Failed, told.score));
}

#[test]
fn the_bidder_heard_of_longest_ago_is_forgotten_first_and_told() {
    let bidders = limits::TRUSTED as u64;
    let mut trust = Trust::default();
    let mut forgotten = Vec::new();
    for number in 0..=bidders {
        let at = Timestamp::from_millis(number);
        forgotten.extend(trust.note((realm(number), &[]), Conduct::Broke, at));
    }
    assert_eq!(forgotten, [realm(0)]);

    // By a clock that was set back.
    let family = (realm(bidders + 1), &[realm(1), realm(bidders + 2)][..]);
    let forgotten = trust.note(family, Conduct::Broke, Timestamp::default());

    assert_eq!(forgotten, [realm(2), realm(3)]);
    assert_eq!(trust.iter().count(), limits::TRUSTED);
    let known = |realm| trust.explain(&realm).is_some();
    assert!(
        [1, 4, bidders + 1, bidders + 2]
            .into_iter()
            .all(|it| known(realm(it)))
    );
    assert!(![0, 2, 3].into_iter().any(|it| known(realm(it))));
}

#[test]
fn of_too_many_that_were_written_down_the_latest_are_remembered() {
    let mut known = Vec::new();
    for number in 0..limits::TRUSTED as u64 + 3 {
        let mut trust = Trust::default();
        let at = Timestamp::from_millis(number);
        trust.note((realm(number), &[]), Conduct::Broke, at);
        known.extend(trust.known);
    }

    let (trust, forgotten) = Trust::recover(known);

    assert_eq!(forgotten, [0, 1, 2].map(realm));
    assert_eq!(trust.iter().count(), limits::TRUSTED);
    assert!(!trust.iter().any(|(realm, _)| forgotten.contains(realm)));
}
