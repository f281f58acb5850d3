use proptest::prelude::*;
use realm_protocol::broadcast::EarlyClose;

use super::*;
use crate::select::{TooFewBids, select};

const SCALE: Scale = Scale {
    micros: 1_000,
    time_ms: 10_000,
};

fn bid(number: u8, micros: u64, time_ms: u64, confidence: u64) -> Candidate {
    Candidate {
        bid: Digest::of(&[&[number]]),
        micros,
        time_ms,
        confidence,
        trust: 500_000,
        arrival: u64::from(number),
    }
}

fn rule(selection: Selection, weights: Option<[u64; 4]>) -> Rule {
    Rule {
        selection,
        weights: weights.map(|[price, time, confidence, trust]| Weights {
            price,
            time,
            confidence,
            trust,
        }),
        awards: 2,
        standbys: 1,
        min_bids: 1,
        max_bids: 100,
        early: None::<EarlyClose>,
        per_realm: None,
    }
}

/// The arrivals of bids in rank order.
fn order(bids: &[Candidate], rule: &Rule) -> Vec<u64> {
    let ranking = rank(bids, rule, &SCALE, &[7; 32]);
    let arrivals = ranking.ranked.iter().map(|it| it.candidate.arrival);
    arrivals.collect()
}

#[test]
fn each_selection_orders_by_its_own_properties() {
    let bids = [
        bid(1, 500, 9_000, 900_000),
        bid(2, 500, 8_000, 100_000),
        bid(3, 400, 9_999, 100_000),
        bid(4, 500, 8_000, 200_000),
    ];
    for (selection, weights, expected) in [
        (Selection::First, None, [1, 2, 3, 4]),
        (Selection::Best, None, [3, 4, 2, 1]),
        (Selection::All, None, [3, 4, 2, 1]),
        (Selection::Weighted, Some([0, 0, 1, 0]), [1, 4, 0, 0]),
        (Selection::Weighted, Some([1, 0, 0, 0]), [3, 0, 0, 0]),
        // 1: 3 × 500,000 + 2 × 100,000 + 900,000; 4: 3 × 500,000 + 2 × 200,000 + 200,000.
        (Selection::Weighted, Some([3, 2, 1, 0]), [1, 4, 2, 3]),
    ] {
        let order = order(&bids, &rule(selection, weights));
        let certain = expected.iter().filter(|arrival| **arrival != 0).count();
        assert_eq!(order[..certain], expected[..certain], "{selection:?}");
    }
}

#[test]
fn bids_alike_but_for_trust_are_told_apart_by_its_weight_alone() {
    let (mut trusted, known) = (bid(1, 500, 500, 500), bid(2, 500, 500, 500));
    trusted.trust = 600_000;
    let bids = [known, trusted];

    let weighted = order(&bids, &rule(Selection::Weighted, Some([1, 1, 1, 1])));
    let untrusting = rank(
        &bids,
        &rule(Selection::Weighted, Some([1, 1, 1, 0])),
        &SCALE,
        &[7; 32],
    );

    assert_eq!(weighted, [1, 2]);
    assert_eq!(untrusting.ranked[0].score, untrusting.ranked[1].score);
    assert!(untrusting.ranked[0].tie < untrusting.ranked[1].tie);
}

#[test]
fn a_ceiling_of_nothing_tells_free_bids_from_all_others() {
    assert_eq!(below(0, 0), MILLION);
    assert_eq!(below(1, 0), 0);
    assert_eq!(below(1, 3), 666_667);
    assert_eq!(below(3, 3), 0);
    assert_eq!(below(u64::MAX, 1), 0);
}

#[test]
fn a_tie_goes_to_another_bid_under_another_secret_or_with_another_bid_beside_it() {
    let bids: Vec<Candidate> = (1..=16).map(|number| bid(number, 1, 1, 1)).collect();
    let random = rule(Selection::Random, None);
    let first = |bids: &[Candidate], secret| rank(bids, &random, &SCALE, &[secret; 32]).ranked;

    let by_secret: Vec<Digest> = (0..32)
        .map(|it| first(&bids, it)[0].candidate.bid)
        .collect();
    let fewer = first(&bids[..15], 0);

    assert!(by_secret.iter().any(|bid| *bid != by_secret[0]));
    let remaining: Vec<u64> = first(&bids, 0)
        .iter()
        .map(|it| it.candidate.arrival)
        .filter(|arrival| *arrival != 16)
        .collect();
    let fewer: Vec<u64> = fewer.iter().map(|it| it.candidate.arrival).collect();
    assert_ne!(remaining, fewer);
}

#[test]
fn the_root_is_the_tree_hash_of_the_sorted_digests() {
    let digest = |number| Digest::new([number; 32]);
    let leaf = |number| Digest::of(&[&[0], &[number; 32]]);
    let inner = |a: Digest, b: Digest| Digest::of(&[&[1], a.as_bytes(), b.as_bytes()]);

    let three = inner(inner(leaf(1), leaf(2)), leaf(3));

    assert_eq!(bids_root(vec![digest(3), digest(1), digest(2)]), three);
    assert_eq!(bids_root(vec![digest(1)]), leaf(1));
    assert_eq!(bids_root(Vec::new()), Digest::of(&[]));
}

#[test]
fn a_ranking_is_cut_into_winners_standbys_and_losers() {
    let bids: Vec<Candidate> = (1..=4).map(|number| bid(number, 1, 1, 1)).collect();
    let first = rule(Selection::First, None);

    let ranking = rank(&bids, &first, &SCALE, &[0; 32]);
    let selected = select(&ranking, &first).unwrap();

    let sizes = [selected.winners, selected.standbys, selected.losers].map(<[_]>::len);
    assert_eq!(sizes, [2, 1, 1]);
}

#[test]
fn fewer_bids_than_asked_for_are_too_few_and_one_is_always_asked_for() {
    let none = rank(&[], &rule(Selection::Best, None), &SCALE, &[0; 32]);
    let one = rank(
        &[bid(1, 1, 1, 1)],
        &rule(Selection::Best, None),
        &SCALE,
        &[0; 32],
    );
    let asks = |min_bids| Rule {
        min_bids,
        ..rule(Selection::Best, None)
    };

    let few = |have, need| Err(TooFewBids { have, need });
    assert_eq!(select(&none, &asks(0)), few(0, 1));
    assert_eq!(select(&one, &asks(2)), few(1, 2));
    assert!(select(&one, &asks(1)).is_ok());
}

proptest! {
    #[test]
    fn the_ranking_does_not_depend_on_the_order_that_bids_are_given_in(
        values in prop::collection::vec((0_u64..4, 0_u64..4, 0_u64..4), 1..24),
        selection in prop::sample::select(Selection::ALL.to_vec()),
        turn in 0_usize..24,
    ) {
        let bids: Vec<Candidate> = (0..).zip(&values)
            .map(|(number, (micros, time, confidence))| bid(number, *micros, *time, *confidence))
            .collect();
        let weights = (selection == Selection::Weighted).then_some([1, 2, 3, 4]);
        let rule = rule(selection, weights);
        let mut turned = bids.clone();
        turned.rotate_left(turn % bids.len());
        turned.reverse();

        prop_assert_eq!(
            rank(&bids, &rule, &SCALE, &[1; 32]),
            rank(&turned, &rule, &SCALE, &[1; 32])
        );
    }

    #[test]
    fn whatever_a_bid_says_it_never_changes_how_others_stand_to_each_other_by_score(
        values in prop::collection::vec((0_u64..2_000, 0_u64..20_000, 0_u64..1_000_000), 2..12),
    ) {
        let bids: Vec<Candidate> = (0..).zip(&values)
            .map(|(number, (micros, time, confidence))| bid(number, *micros, *time, *confidence))
            .collect();
        let rule = rule(Selection::Weighted, Some([3, 1, 2, 1]));
        let scores = |bids: &[Candidate]| -> Vec<(Digest, Option<u64>)> {
            let mut scores: Vec<_> = rank(bids, &rule, &SCALE, &[1; 32]).ranked.iter()
                .map(|it| (it.candidate.bid, it.score)).collect();
            scores.sort_unstable();
            scores
        };
        let last = bids.last().map(|it| it.bid);
        let mut all = scores(&bids);
        all.retain(|(bid, _)| Some(*bid) != last);

        prop_assert_eq!(all, scores(&bids[..bids.len() - 1]));
    }
}
