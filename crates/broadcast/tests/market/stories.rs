//! One broadcast each, and how it ends.

use realm_broadcast::{
    announcer::{Fate, Plan, Refusal, recompute},
    log::{End, Ending, Entry},
};
use realm_protocol::{
    FailureCode,
    broadcast::{Aggregation, Announcement, EarlyClose, Effects, Rule, Strategy, Waiting},
    budget::Budget,
};
use serde_json::{Value, json};

use super::{
    invariants::check,
    plans::{announcement, euros, plan},
    realms::{Agenda, Conduct},
    world::{Faults, World},
};

const QUICK: Faults = Faults {
    lost: 0,
    doubled: 0,
    announcer_dies: 0,
    bidder_dies: 0,
    work_fails: 0,
    delay_ms: 1,
};

fn bidders(conducts: &[Conduct]) -> Vec<Agenda> {
    let agendas = (1..).zip(conducts).map(|(number, conduct)| Agenda {
        price: 100 * number,
        work_ms: 5,
        conduct: *conduct,
    });
    agendas.collect()
}

fn awarding(awards: u64) -> Announcement {
    let announcement = announcement();
    Announcement {
        rule: Rule {
            awards,
            ..announcement.rule
        },
        ..announcement
    }
}

/// Runs a broadcast to its end and checks all that always holds.
fn run(announcement: &Announcement, agendas: &[Agenda]) -> World {
    let mut world = World::new(1, plan(announcement, &[agendas.len()]), agendas, QUICK);
    world.run();
    check(1, &world, true);
    world
}

fn output(world: &World) -> Value {
    let conclusion = &world.seen.finished[0];
    let output = conclusion.output.as_ref();
    output.map_or(Value::Null, |output| {
        realm_protocol::json::parse(output).unwrap()
    })
}

fn ending(world: &World) -> Ending {
    world.seen.finished[0].ending
}

fn ends(world: &World) -> Vec<End> {
    let ends = world.log.iter().filter_map(|entry| match entry {
        Entry::Ended(it) => Some(it.end),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_price_check_whose_agents_take_milliseconds_ends_in_milliseconds() {
    let world = run(&awarding(3), &bidders(&[Conduct::Honest; 3]));

    assert_eq!(output(&world), json!([0, 1, 2]));
    assert!(world.finished_at() < 30, "took {} ms", world.finished_at());
}

#[test]
fn the_taking_of_bids_ends_as_soon_as_enough_good_ones_are_there() {
    let early = EarlyClose {
        enough: 1,
        price: Some(100),
        time_ms: None,
        confidence: None,
    };
    let announcement = announcement();
    let announcement = Announcement {
        rule: Rule {
            early: Some(early),
            ..announcement.rule
        },
        ..announcement
    };
    // Nobody is asked behind the second neighbour, so the tallies never are complete.
    let mut world = World::new(
        1,
        plan(&announcement, &[2]),
        &bidders(&[Conduct::Honest; 2]),
        QUICK,
    );
    world.kill_bidder(1, None);

    world.run();

    check(1, &world, false);
    assert!(world.finished_at() < 30, "took {} ms", world.finished_at());
}

#[test]
fn a_winner_that_dies_under_its_lease_is_replaced_by_the_next_under_the_same_key() {
    let world = run(&announcement(), &bidders(&[Conduct::Dies, Conduct::Honest]));

    assert_eq!(output(&world), json!([1]));
    assert_eq!(ends(&world), [End::Expired, End::Result]);
    let slots: Vec<u64> = world.seen.begun.iter().map(|(slot, _, _)| *slot).collect();
    assert_eq!(slots, [0, 0]);
}

#[test]
fn liars_about_cost_and_form_are_passed_over_and_cited_by_their_ends() {
    let agendas = bidders(&[
        Conduct::Overcharges,
        Conduct::Mismatches,
        Conduct::Fails,
        Conduct::Honest,
    ]);

    let world = run(&announcement(), &agendas);

    let expected = [End::Overcharged, End::Mismatched, End::Failed, End::Result];
    assert_eq!(ends(&world), expected);
    assert_eq!(output(&world), json!([0]));
}

#[test]
fn work_that_must_not_happen_twice_waits_for_a_person_once_it_may_have_begun() {
    let once = Announcement {
        effects: Effects::Once,
        ..announcement()
    };
    let agendas = bidders(&[Conduct::Dies, Conduct::Honest]);
    let story = |person| {
        let mut world = World::new(1, plan(&once, &[2]), &agendas, QUICK);
        world.person = person;
        world.run();
        check(1, &world, true);
        (ending(&world), world.seen.asked.len())
    };

    assert_eq!(story(Some(true)), (Ending::Output, 1));
    assert_eq!(story(Some(false)), (Ending::TooFewResults, 1));
    assert_eq!(story(None), (Ending::TooFewResults, 1));
}

#[test]
fn consensus_of_five_outvotes_one_liar_and_cites_it() {
    let announcement = Announcement {
        aggregation: Aggregation {
            strategy: Strategy::Vote,
            waiting: Waiting::All,
            ..announcement().aggregation
        },
        ..awarding(4)
    };

    // Outputs are the numbers of the bidders modulo three: 0, 1, 2, 0.
    let world = run(&announcement, &bidders(&[Conduct::Honest; 4]));

    assert_eq!(output(&world), json!(0));
    let parts: Vec<u64> = world.seen.finished[0]
        .citations
        .iter()
        .map(|it| it.part.number())
        .collect();
    assert_eq!(parts, [1, 2, 2, 1]);
}

#[test]
fn no_more_results_are_waited_for_than_asked_and_the_others_are_withdrawn() {
    let announcement = Announcement {
        aggregation: Aggregation {
            waiting: Waiting::Any,
            ..announcement().aggregation
        },
        ..awarding(2)
    };

    let world = run(&announcement, &bidders(&[Conduct::Stalls, Conduct::Honest]));

    assert_eq!(output(&world), json!([1]));
    assert_eq!(ends(&world), [End::Result, End::Withdrawn]);
}

#[test]
fn a_second_wider_round_finds_the_bids_that_the_first_lacks() {
    let announcement = announcement();
    let announcement = Announcement {
        rule: Rule {
            min_bids: 2,
            ..announcement.rule
        },
        ..announcement
    };
    let agendas = bidders(&[Conduct::Honest; 3]);
    let mut world = World::new(1, plan(&announcement, &[1, 3]), &agendas, QUICK);

    world.run();

    check(1, &world, true);
    assert_eq!(output(&world), json!([0]));
    let counted = recompute(&world.log).unwrap().accounts.len();
    assert_eq!(counted, 3);
}

#[test]
fn zero_bids_and_too_few_end_as_such() {
    let none = run(&announcement(), &[]);
    let dear = Agenda {
        price: 1_001,
        work_ms: 1,
        conduct: Conduct::Honest,
    };
    let too_dear = run(&announcement(), &[dear]);

    assert_eq!(ending(&none), Ending::TooFewBids);
    assert_eq!(ending(&too_dear), Ending::TooFewBids);
    assert_eq!(too_dear.seen.refused, [] as [Refusal; 0]);
}

#[test]
fn a_cancel_goes_to_every_holder_and_says_who_confirmed() {
    let agendas = bidders(&[Conduct::Stalls, Conduct::Dies, Conduct::Stalls]);
    let mut world = World::new(1, plan(&awarding(3), &[3]), &agendas, QUICK);

    world.run_until(500);
    world.cancel();
    world.run();

    check(1, &world, true);
    let conclusion = &world.seen.finished[0];
    assert_eq!(conclusion.ending, Ending::Cancelled);
    assert_eq!(
        (
            conclusion.confirmed.as_slice(),
            conclusion.silent.as_slice()
        ),
        ([0, 2].as_slice(), [1].as_slice())
    );
}

#[test]
fn work_that_says_that_it_goes_on_keeps_its_lease_beyond_the_first() {
    let slow = Agenda {
        price: 1,
        work_ms: 15_000,
        conduct: Conduct::Honest,
    };

    let world = run(&announcement(), &[slow]);

    assert_eq!(ends(&world), [End::Result]);
    let renewals = world
        .log
        .iter()
        .filter(|it| matches!(it, Entry::Leased(it) if it.answers > 0));
    assert!(renewals.count() >= 3);
}

#[test]
fn an_announcer_that_dies_at_each_moment_comes_to_one_outcome() {
    let agendas = bidders(&[Conduct::Fails, Conduct::Honest, Conduct::Honest]);
    let whole = run(&awarding(2), &agendas).finished_at();
    for moment in 0..=whole {
        let mut world = World::new(1, plan(&awarding(2), &[3]), &agendas, QUICK);
        world.run_until(moment);
        world.kill_announcer(700);

        world.run();

        check(moment, &world, true);
        // Which of the two slots the failing bidder had depends on the moment.
        let results = output(&world);
        let both = results == json!([1, 2]) || results == json!([2, 1]);
        assert!(both, "died at {moment}: {results}");
    }
}

#[test]
fn nothing_is_lost_wherever_between_two_outputs_an_announcer_dies() {
    let agendas = bidders(&[Conduct::Honest, Conduct::Honest]);
    for outputs in 0..40 {
        let mut world = World::new(outputs, plan(&awarding(2), &[2]), &agendas, QUICK);
        world.dies_after = Some(outputs);

        world.run();

        check(outputs, &world, true);
        // The same two that had been awarded first have worked, each once.
        assert_eq!(
            ends(&world),
            [End::Result, End::Result],
            "died after {outputs}"
        );
        assert_eq!(world.seen.begun.len(), 2, "died after {outputs}");
    }
}

#[test]
fn messages_that_come_twice_change_nothing() {
    let twice = Faults {
        doubled: 1_000,
        ..QUICK
    };
    let agendas = bidders(&[Conduct::Fails, Conduct::Honest, Conduct::Honest]);
    let mut world = World::new(1, plan(&awarding(2), &[3]), &agendas, twice);

    world.run();

    check(1, &world, true);
    assert_eq!(ends(&world).len(), 3);
    assert!(!world.log.iter().any(|it| matches!(it, Entry::Unused(_))));
}

#[test]
fn an_account_says_why_each_bid_won_or_lost() {
    let announcement = announcement();
    let announcement = Announcement {
        rule: Rule {
            standbys: 2,
            ..announcement.rule
        },
        ..announcement
    };
    let agendas = bidders(&[
        Conduct::Fails,
        Conduct::Honest,
        Conduct::Honest,
        Conduct::Honest,
    ]);

    let world = run(&announcement, &agendas);

    let accounts = recompute(&world.log).unwrap().accounts;
    let fates: Vec<Fate> = accounts.iter().map(|account| account.fate).collect();
    let won = |epoch, end| Fate::Won {
        slot: 0,
        epoch,
        end: Some(end),
    };
    assert_eq!(
        fates,
        [
            won(1, End::Failed),
            won(2, End::Result),
            Fate::Standby,
            Fate::Lost
        ]
    );
}

/// A broadcast of three slots whose bids cost 100, 200 and so on, with so much money.
fn within(micros: u64, conducts: &[Conduct]) -> World {
    let mut announcement = awarding(3);
    announcement.limits.price = Some(500);
    let agendas = bidders(conducts);
    let plan = Plan {
        budget: Some(Budget {
            money: Some(euros(micros)),
            tokens: Some(900),
            calls: None,
        }),
        ..plan(&announcement, &[agendas.len()])
    };
    let mut world = World::new(1, plan, &agendas, QUICK);
    world.run();
    check(1, &world, true);
    world
}

fn awarded(world: &World) -> Vec<(u64, Option<Budget>)> {
    let awards = world.log.iter().filter_map(|entry| match entry {
        Entry::Awarded(it) => Some((it.slot, it.budget)),
        _ => None,
    });
    awards.collect()
}

#[test]
fn as_many_win_as_the_budget_bears_and_each_gets_its_price_and_its_share() {
    let world = within(500, &[Conduct::Honest; 3]);

    let given = |micros| {
        Some(Budget {
            money: Some(euros(micros)),
            tokens: Some(300),
            calls: None,
        })
    };
    assert_eq!(awarded(&world), [(0, given(100)), (1, given(200))]);
    let failures: Vec<_> = world.seen.finished[0].citations.iter().collect();
    let failures: Vec<_> = failures.iter().map(|slot| slot.failure).collect();
    assert_eq!(failures, [None, None, Some(FailureCode::Budget)]);
}

#[test]
fn who_overcharges_is_paid_nothing_and_keeps_nobody_from_the_work() {
    let world = within(
        500,
        &[Conduct::Overcharges, Conduct::Honest, Conduct::Honest],
    );

    assert_eq!(awarded(&world).len(), 3);
    let spent = world.announcer().spent();
    assert_eq!(spent.money, [euros(500)]);
}

#[test]
fn what_an_unanswered_lease_may_have_cost_is_not_spent_again() {
    let world = within(
        700,
        &[
            Conduct::Dies,
            Conduct::Honest,
            Conduct::Honest,
            Conduct::Honest,
        ],
    );

    assert_eq!(awarded(&world).len(), 3, "400 more would be 1,000");
    assert_eq!(world.announcer().spent().money, [euros(600)]);
}
