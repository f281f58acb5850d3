use realm_protocol::broadcast::{Rule, Selection, Weights};

use super::*;
use crate::{
    fixtures,
    rank::{Candidate, Scale, rank},
};

const SECRET: [u8; 32] = [9; 32];

/// A broadcast in which bids of these prices counted, and the best two won.
struct Market {
    announcement: Announcement,
    bids: Vec<Signed<Bid>>,
}

impl Market {
    fn of(prices: &[u64]) -> Self {
        let bids = (1..).zip(prices);
        Self {
            announcement: fixtures::announcement(),
            bids: bids
                .map(|(number, price)| Signed::unsigned(&fixtures::bid(number, *price)))
                .collect(),
        }
    }

    fn ranking(&self) -> Ranking {
        let candidates: Vec<Candidate> = (0..)
            .zip(&self.bids)
            .map(|(arrival, bid)| Candidate::of(&bid.peek().unwrap(), bid.digest(), 0, arrival))
            .collect();
        let scale = Scale::of(&self.announcement);
        rank(&candidates, &self.announcement.rule, &scale, &SECRET)
    }

    /// The close that an announcer with this ranking sends.
    fn close(&self, ranking: &Ranking) -> Vec<Close> {
        let best = ranking.ranked.iter().take(2);
        let winners: Vec<Winner> = (0..)
            .zip(best)
            .map(|(slot, ranked)| Winner {
                slot,
                epoch: 1,
                bid: ranked.candidate.bid,
                awarded: Some(self.announcement.created),
            })
            .collect();
        let bid = |won: &Winner| {
            self.bids
                .iter()
                .find(|bid| bid.digest() == won.bid)
                .cloned()
        };
        let bids: Vec<Signed<Bid>> = winners.iter().filter_map(bid).collect();
        let digests = ranking.ranked.iter().map(|it| it.candidate.bid).collect();
        let verdict = Verdict {
            broadcast: self.announcement.broadcast,
            announcement: Digest::new([0; 32]),
            secret: SECRET,
            counted: ranking.ranked.len() as u64,
            root: bids_root(digests),
            order: ranking.order(),
            winners,
            closed: self.announcement.created,
            unconfirmed: None,
        };
        close_pages(&Signed::unsigned(&verdict), &verdict, ranking, &bids)
    }

    fn stands(
        &self,
        pages: &[Close],
        number: usize,
        awarded: bool,
    ) -> Result<Standing, CloseError> {
        let bid = &self.bids[number];
        let own = bid.peek().unwrap();
        Closed::join(pages)?.stands(&self.announcement, &own, bid.digest(), awarded)
    }
}

#[test]
fn a_bidder_learns_its_rank_and_slot_from_an_honest_close() {
    let market = Market::of(&[30, 10, 20, 40]);
    let pages = market.close(&market.ranking());

    let standing = |rank, slot| {
        Ok(Standing {
            rank,
            of: 4,
            slot,
            unconfirmed: false,
        })
    };
    assert_eq!(market.stands(&pages, 0, false), standing(3, None));
    assert_eq!(market.stands(&pages, 1, true), standing(1, Some(0)));
    assert_eq!(market.stands(&pages, 2, true), standing(2, Some(1)));
}

#[test]
fn whoever_is_left_out_misplaced_or_passed_over_holds_a_proof() {
    let market = Market::of(&[30, 10, 20]);
    let mut without = market.ranking();
    without.ranked.retain(|it| it.candidate.arrival != 1);
    let mut turned = market.ranking();
    turned.ranked.rotate_left(1);
    let mut passing = market.close(&market.ranking());
    let mut verdict = passing[0].verdict.peek().unwrap();
    verdict.winners.remove(0);
    passing[0].verdict = Signed::unsigned(&verdict);
    passing[0].winners.remove(0);

    let left_out = market.stands(&market.close(&without), 1, false);
    let misplaced = market.stands(&market.close(&turned), 1, false);
    let passed_over = market.stands(&passing, 1, false);
    let declined = market.stands(&passing, 1, true);
    verdict.unconfirmed = Some(vec![market.bids[1].digest()]);
    passing[0].verdict = Signed::unsigned(&verdict);
    let unconfirmed = market.stands(&passing, 1, false);

    assert_eq!(left_out, Err(CloseError::Missing));
    assert_eq!(misplaced, Err(CloseError::Misplaced { slot: 0 }));
    assert_eq!(passed_over, Err(CloseError::PassedOver { slot: 1 }));
    assert!(!declined.unwrap().unconfirmed);
    assert!(unconfirmed.unwrap().unconfirmed);
}

#[test]
fn a_winner_is_no_proof_that_was_awarded_after_the_bid_may_have_run_out() {
    let market = Market::of(&[30, 10, 20]);
    let after = |ms: Option<u64>| {
        let mut passing = market.close(&market.ranking());
        let mut verdict = passing[0].verdict.peek().unwrap();
        verdict.winners.remove(0);
        verdict.winners[0].awarded = ms.map(|ms| market.announcement.created.plus(ms));
        // However long the work lasts.
        verdict.closed = market.announcement.created.plus(600_000);
        passing[0].verdict = Signed::unsigned(&verdict);
        passing[0].winners.remove(0);
        market
            .stands(&passing, 1, false)
            .map(|standing| standing.rank)
    };

    let passed_over = Err(CloseError::PassedOver { slot: 1 });
    assert_eq!(after(Some(2_000)), passed_over);
    assert_eq!(after(Some(29_999)), passed_over);
    // A close of before winners said when: by its end.
    assert_eq!(after(None), Ok(1));
    assert_eq!(after(Some(30_000)), Ok(1));
}

#[test]
fn where_trust_counts_only_what_no_trust_could_turn_is_a_proof() {
    let weighing = |trust| Rule {
        selection: Selection::Weighted,
        weights: Some(Weights {
            price: 10,
            time: 0,
            confidence: 0,
            trust,
        }),
        ..fixtures::announcement().rule
    };
    let mut market = Market::of(&[60_000, 50_000, 100]);
    let turn = |market: &Market| {
        let mut turned = market.ranking();
        turned.ranked.reverse();
        market.close(&turned)
    };

    market.announcement.rule = weighing(1);
    let by_far = market.stands(&turn(&market), 2, true);
    market.announcement.rule = weighing(10);
    let perhaps = market.stands(&turn(&market), 2, true);

    assert!(matches!(by_far, Err(CloseError::Misplaced { .. })));
    assert!(perhaps.is_ok());
}

#[test]
fn another_secret_and_pages_that_do_not_fit_are_noticed() {
    let market = Market::of(&[30, 10, 20]);
    let pages = market.close(&market.ranking());
    let edit = |change: fn(&mut Verdict, &mut Close)| {
        let mut page = pages[0].clone();
        let mut verdict = page.verdict.peek().unwrap();
        change(&mut verdict, &mut page);
        page.verdict = Signed::unsigned(&verdict);
        market.stands(&[page], 0, true)
    };

    assert_eq!(
        edit(|verdict, _| verdict.secret = [0; 32]),
        Err(CloseError::Secret)
    );
    assert_eq!(
        edit(|verdict, _| verdict.counted = 2),
        Err(CloseError::Digests)
    );
    assert_eq!(
        edit(|verdict, _| verdict.root = Digest::new([0; 32])),
        Err(CloseError::Digests)
    );
    assert_eq!(edit(|_, page| page.pages = 2), Err(CloseError::Pages));
    assert_eq!(
        edit(|_, page| page.winners.reverse()),
        Err(CloseError::Winner { slot: 0 })
    );
    let other = |verdict: &mut Verdict, page: &mut Close| {
        verdict.broadcast = realm_protocol::BroadcastId::new([8; 16]);
        page.broadcast = verdict.broadcast;
    };
    assert_eq!(edit(other), Err(CloseError::Another));
    assert_eq!(market.stands(&[], 0, true), Err(CloseError::Pages));
}
