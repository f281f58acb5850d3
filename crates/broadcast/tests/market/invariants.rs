//! What holds after every broadcast, whatever went wrong in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use realm_broadcast::{
    announcer::recompute,
    log::{Answered, End, Entry},
};
use realm_protocol::broadcast::{Confirm, ConfirmAnswer, Effects};

use super::{
    plans,
    random::Random,
    realms::{Agenda, Conduct},
    world::{Faults, World},
};

#[test]
fn a_broadcast_keeps_its_promises_whatever_is_lost_doubled_late_or_dead() {
    try_seeds(0..300);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_broadcasts_keep_their_promises() {
    try_seeds(1_000..11_000);
}

fn try_seeds(seeds: Range<u64>) {
    for seed in seeds {
        let mut random = Random::new(seed);
        let bidders = usize::try_from(random.between(1, 24)).unwrap();
        let plan = plans::random(&mut random, bidders);
        let agendas: Vec<Agenda> = (0..bidders).map(|_| agenda(&mut random)).collect();
        let faults = Faults {
            lost: random.pick(&[0, 20, 150]),
            doubled: random.pick(&[0, 100]),
            announcer_dies: random.pick(&[0, 5, 40]),
            bidder_dies: random.pick(&[0, 10, 60]),
            work_fails: random.pick(&[0, 100]),
            delay_ms: random.pick(&[1, 50, 400, 3_000]),
        };
        let mut world = World::new(seed, plan, &agendas, faults);
        world.person = random.pick(&[None, Some(true), Some(false)]);
        if random.chance(150) {
            let moment = random.between(0, 10_000);
            world.run_until(moment);
            world.cancel();
        }

        world.run();

        check(seed, &world, faults.lost == 0 && faults.bidder_dies == 0);
    }
}

fn agenda(random: &mut Random) -> Agenda {
    let conducts = [
        Conduct::Honest,
        Conduct::Honest,
        Conduct::Honest,
        Conduct::Fails,
        Conduct::Stalls,
        Conduct::Overcharges,
        Conduct::Mismatches,
        Conduct::Dies,
    ];
    Agenda {
        price: random.between(1, 1_100),
        work_ms: random.between(1, 9_000),
        conduct: random.pick(&conducts),
    }
}

/// Holds everything that must be so against a broadcast that has come to rest.
pub(super) fn check(seed: u64, world: &World, undisturbed: bool) {
    one_outcome(seed, world);
    let recomputed = recompute(&world.log);
    let recomputed = recomputed.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    assert_eq!(
        recomputed.conclusion.as_ref(),
        world.seen.finished.first(),
        "seed {seed}"
    );
    awards_are_to_live_bids_within_the_limit(seed, world);
    input_only_after_a_confirmation(seed, world);
    every_lease_ends(seed, world);
    nothing_runs_twice(seed, world);
    no_more_is_at_stake_than_there_is(seed, world);
    assert!(
        world.seen.overrun.is_empty(),
        "seed {seed}: worked past a lease"
    );
    assert!(
        !world.seen.overloaded,
        "seed {seed}: reserved past the capacity"
    );
    if undisturbed {
        for number in 0..24.min(world.bidders()) {
            let judged = world.judged(number);
            assert!(
                matches!(judged, None | Some(Ok(()))),
                "seed {seed}: bidder {number} finds {judged:?}"
            );
        }
    }
}

fn one_outcome(seed: u64, world: &World) {
    let finished = |entry: &&Entry| matches!(entry, Entry::Finished(_));
    assert_eq!(world.log.iter().filter(finished).count(), 1, "seed {seed}");
    let said: Vec<_> = world.seen.finished.iter().collect();
    assert!(!said.is_empty(), "seed {seed}: nobody was told");
    assert!(
        said.windows(2).all(|pair| pair[0] == pair[1]),
        "seed {seed}"
    );
}

/// What awards may cost until it is known, and what is charged then, never comes to more than the budget.
fn no_more_is_at_stake_than_there_is(seed: u64, world: &World) {
    let money = world.plan.budget.and_then(|budget| budget.money);
    let most = money.map_or(u64::MAX, |money| money.micros);
    let mut prices = BTreeMap::new();
    let mut at_stake: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for entry in &world.log {
        match entry {
            Entry::Counted(it) => {
                let bid = it.bid.peek().unwrap();
                prices.insert(it.bid.digest(), bid.micros());
            }
            Entry::Awarded(it) => drop(at_stake.insert((it.slot, it.epoch), prices[&it.bid])),
            Entry::Answered(it) => {
                let reserved = |confirm: Confirm| confirm.answer == ConfirmAnswer::Reserved;
                let confirm = it.confirm.as_ref().map(|it| it.peek().unwrap());
                if !confirm.is_some_and(reserved) {
                    at_stake.remove(&(it.slot, it.epoch));
                }
            }
            Entry::Ended(it) => {
                let outcome = it.delivered.as_ref().map(|it| it.outcome.peek().unwrap());
                let owed = at_stake.get_mut(&(it.slot, it.epoch)).unwrap();
                *owed = match outcome {
                    Some(outcome) => {
                        let charged = outcome.charged.map_or(0, |charged| charged.micros);
                        assert!(
                            it.end == End::Overcharged || charged <= *owed,
                            "seed {seed}"
                        );
                        let paid = it.end == End::Result;
                        if paid { charged.min(*owed) } else { 0 }
                    }
                    None if it.end == End::Expired => *owed,
                    None => 0,
                };
            }
            _ => {}
        }
        let sum: u64 = at_stake.values().sum();
        assert!(sum <= most, "seed {seed}: {sum} of {most} after {entry:?}");
    }
}

/// Each slot's epochs rise by one, each bid is awarded once, and while it holds.
fn awards_are_to_live_bids_within_the_limit(seed: u64, world: &World) {
    let announcement = world.plan.rounds[0].announcement.peek().unwrap();
    let mut live_until = BTreeMap::new();
    let mut epochs: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in &world.log {
        match entry {
            Entry::Counted(it) => {
                let until = it.at.plus(it.bid.peek().unwrap().expires_ms);
                live_until.insert(it.bid.digest(), until);
            }
            Entry::Awarded(it) => {
                let until = live_until.remove(&it.bid);
                assert!(until > Some(it.at), "seed {seed}: a dead bid won {it:?}");
                assert!(it.slot < announcement.rule.awards, "seed {seed}: {it:?}");
                let epoch = epochs.entry(it.slot).or_default();
                *epoch += 1;
                assert_eq!(it.epoch, *epoch, "seed {seed}: {it:?}");
            }
            _ => {}
        }
    }
}

fn input_only_after_a_confirmation(seed: u64, world: &World) {
    for (slot, epoch, holder, at) in &world.seen.informed {
        let durable = world.log.get(..*at).unwrap_or_default();
        let confirmed = durable.iter().any(|entry| match entry {
            Entry::Answered(it) => (it.slot, it.epoch) == (*slot, *epoch) && is_reserved(it),
            _ => false,
        });
        let leased = durable.iter().any(|entry| match entry {
            Entry::Leased(it) => (it.slot, it.epoch) == (*slot, *epoch) && it.holder == *holder,
            _ => false,
        });
        assert!(
            confirmed && leased,
            "seed {seed}: {slot}/{epoch} got the input"
        );
    }
}

fn is_reserved(it: &Answered) -> bool {
    let confirm = it.confirm.as_ref().map(|confirm| confirm.peek().unwrap());
    confirm.is_some_and(|confirm| confirm.answer == ConfirmAnswer::Reserved)
}

fn every_lease_ends(seed: u64, world: &World) {
    let mut open = BTreeSet::new();
    for entry in &world.log {
        match entry {
            Entry::Leased(it) => {
                open.insert((it.slot, it.epoch));
            }
            Entry::Ended(it) => {
                open.remove(&(it.slot, it.epoch));
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "seed {seed}: {open:?} never end");
}

/// No epoch begins twice, and work that must not happen twice goes to another only if it had not
/// begun or a person said so.
fn nothing_runs_twice(seed: u64, world: &World) {
    let mut begun: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for (slot, epoch, _) in &world.seen.begun {
        *begun.entry((*slot, *epoch)).or_default() += 1;
    }
    assert!(
        begun.values().all(|times| *times == 1),
        "seed {seed}: {begun:?}"
    );
    let announcement = world.plan.rounds[0].announcement.peek().unwrap();
    if announcement.effects != Effects::Once {
        return;
    }
    for (slot, epoch) in begun.keys() {
        let begins_again = begun.contains_key(&(*slot, epoch + 1));
        let excused = world.log.iter().any(|entry| match entry {
            Entry::Decided(it) => (it.slot, it.epoch, it.again) == (*slot, *epoch, true),
            Entry::Ended(it) => (it.slot, it.epoch) == (*slot, *epoch) && it.end == End::NotBegun,
            _ => false,
        });
        assert!(
            !begins_again || excused,
            "seed {seed}: slot {slot} ran twice"
        );
    }
}
