//! Halts that go down the tree: heeded, confirmed, told again, and refused from anybody else.

use realm_node::{
    BelowHaltView, HaltOf, HaltedFromAbove, InvokeAsked, Refusal, Request, Response, UnhaltOf,
};
use realm_protocol::{
    FailureCode,
    broadcast::{Selection, Strategy},
    journal::Status,
    limits,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

use super::{asks_unhalt, halt, unhalt};
use crate::{
    durable::bench::{call, composite, detached, refusal},
    market::{asked, bids, reach, rule},
};

const MINUTE_MS: u64 = 60_000;

/// mercy above mercy/cardiology above mercy/cardiology/imaging, and the root lab beside.
pub(super) struct Clinic {
    pub(super) world: World,
    pub(super) mercy: HostId,
    pub(super) cardiology: HostId,
    pub(super) imaging: HostId,
    lab: HostId,
}

impl Clinic {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (mercy, lab) = (world.found("mercy"), world.found("lab"));
        let cardiology = world.child(mercy, "cardiology");
        let imaging = world.child(cardiology, "imaging");
        world.peer(mercy, lab);
        world.run_for(5_000);
        for host in [mercy, cardiology, imaging, lab] {
            let loops = [Loops::once("spend", 5_000), Loops::idempotent("look", 10)];
            world.apply(host, &loops);
            let other = if host == lab { "mercy" } else { "lab" };
            world.allow(host, other, "*");
        }
        world.run_for(5_000);
        Self {
            world,
            mercy,
            cardiology,
            imaging,
            lab,
        }
    }

    pub(super) fn below(&self, host: HostId) -> Vec<BelowHaltView> {
        self.world.hosts[host.0].node().halts().below
    }

    /// Whether a realm knows that its child, and everybody below that, has heeded its word.
    pub(super) fn is_confirmed(&self, host: HostId) -> bool {
        let below = self.below(host);
        let settled = |it: &BelowHaltView| it.confirmed.is_some() && it.open.is_empty();
        !below.is_empty() && below.iter().all(settled)
    }

    pub(super) fn is_halted_from_above(&self, host: HostId) -> bool {
        !self.world.hosts[host.0].node().halts().above.is_empty()
    }

    pub(super) fn ends(mut self) {
        invariants::check(&mut self.world);
    }
}

fn code(world: &mut World, from: HostId, address: &str) -> Option<FailureCode> {
    let called = world.call(from, address, json!({"n": 1}));
    called.result.err().map(|failure| failure.code)
}

fn realm(name: &str) -> HaltOf {
    HaltOf::Realm(name.parse().unwrap())
}

fn subtree(name: &str) -> HaltOf {
    HaltOf::Subtree(name.parse().unwrap())
}

#[test]
fn a_halt_goes_down_the_tree_and_everybody_below_confirms() {
    let mut clinic = Clinic::new(20);
    let (mercy, imaging, lab) = (clinic.mercy, clinic.imaging, clinic.lab);
    halt(&mut clinic.world, mercy, HaltOf::All);
    clinic.world.run_for(1_000);
    let below = clinic.below(mercy);
    assert!(clinic.is_confirmed(mercy), "{below:?}");
    assert_eq!(below[0].below.len(), 1, "imaging, by cardiology's word");
    assert!(clinic.is_halted_from_above(imaging));
    let address = "look@mercy/cardiology";
    let refused = code(&mut clinic.world, lab, address);
    assert_eq!(refused, Some(FailureCode::Halted));
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(1_000);
    assert!(!clinic.is_halted_from_above(imaging));
    assert!(clinic.below(mercy).is_empty(), "{:?}", clinic.below(mercy));
    assert_eq!(code(&mut clinic.world, lab, address), None);
    clinic.ends();
}

#[test]
fn a_halt_of_one_realm_lifts_nothing_of_an_earlier_one_with_all_below_it() {
    let mut clinic = Clinic::new(28);
    let (mercy, imaging) = (clinic.mercy, clinic.imaging);
    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));
    clinic.world.run_for(1_000);
    assert!(clinic.is_halted_from_above(imaging));

    halt(&mut clinic.world, mercy, realm("mercy/cardiology"));
    clinic.world.run_for(1_000);

    assert!(clinic.is_halted_from_above(imaging));
    let halts = clinic.world.hosts[mercy.0].node().halts();
    let last = halts.changes.first().expect("a change");
    assert_eq!(last.what, "mercy/cardiology and every realm below it");
    let lifted = UnhaltOf::Realm("mercy/cardiology".parse().unwrap());
    unhalt(&mut clinic.world, mercy, lifted);
    clinic.world.run_for(1_000);
    assert!(!clinic.is_halted_from_above(imaging));
    clinic.ends();
}

#[test]
fn a_halt_from_above_stops_what_is_for_others_and_leaves_own_work_to_its_owner() {
    let mut clinic = Clinic::new(21);
    let (mercy, cardiology, lab) = (clinic.mercy, clinic.cardiology, clinic.lab);
    let invoke = World::invoke("spend@mercy/cardiology", json!({"n": 1}));
    let for_lab = clinic.world.ask(lab, invoke);
    clinic.world.run_for(1_000);
    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));
    let Response::Invoked(told) = clinic.world.wait_for(lab, for_lab) else {
        panic!("an invocation");
    };
    assert_eq!(told.result.unwrap_err().code, FailureCode::Halted);
    let own = code(&mut clinic.world, cardiology, "look@mercy/cardiology");
    assert_eq!(own, None, "its own work");
    let outside = code(&mut clinic.world, cardiology, "look@lab");
    assert_eq!(outside, Some(FailureCode::Halted), "through the tree");
    assert_eq!(code(&mut clinic.world, lab, "look@mercy"), None);
    let lifted = UnhaltOf::Realm("mercy/cardiology".parse().unwrap());
    unhalt(&mut clinic.world, mercy, lifted);
    clinic.world.run_for(10_000);
    assert_eq!(code(&mut clinic.world, cardiology, "look@lab"), None);
    clinic.ends();
}

#[test]
fn a_realm_that_accepts_more_stands_still_altogether() {
    let mut clinic = Clinic::new(22);
    let (mercy, imaging) = (clinic.mercy, clinic.imaging);
    clinic.world.hosts[imaging.0].halted_from_above = HaltedFromAbove::All;
    clinic.world.crash(imaging);
    clinic.world.start(imaging);
    clinic.world.run_for(5_000);
    halt(&mut clinic.world, mercy, realm("mercy/cardiology/imaging"));
    clinic.world.run_for(1_000);
    assert!(clinic.is_confirmed(mercy), "{:?}", clinic.below(mercy));
    assert!(clinic.below(mercy)[0].own);
    let own = code(&mut clinic.world, imaging, "look@mercy/cardiology/imaging");
    assert_eq!(own, Some(FailureCode::Halted));
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(1_000);
    clinic.ends();
}

#[test]
fn who_is_offline_has_not_confirmed_and_is_told_when_it_is_back() {
    let mut clinic = Clinic::new(23);
    let (mercy, cardiology, imaging) = (clinic.mercy, clinic.cardiology, clinic.imaging);
    clinic.world.crash(imaging);
    clinic.world.run_for(MINUTE_MS);
    halt(&mut clinic.world, mercy, HaltOf::All);
    clinic.world.run_for(MINUTE_MS);
    assert!(!clinic.is_confirmed(mercy));
    assert_eq!(clinic.below(mercy)[0].open.len(), 1);
    clinic.world.crash(mercy);
    clinic.world.run_for(MINUTE_MS);
    clinic.world.start(mercy);
    clinic.world.start(imaging);
    clinic.world.run_for(MINUTE_MS);
    assert!(clinic.is_halted_from_above(imaging));
    assert!(clinic.is_confirmed(mercy), "{:?}", clinic.below(mercy));
    clinic.world.crash(cardiology);
    clinic.world.start(cardiology);
    assert!(clinic.is_halted_from_above(cardiology), "also restarted");
    clinic.world.run_for(MINUTE_MS);
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(MINUTE_MS);
    assert!(!clinic.is_halted_from_above(imaging));
    clinic.ends();
}

#[test]
fn a_halt_that_was_lifted_during_a_partition_is_never_heeded_after_it() {
    let mut clinic = Clinic::new(24);
    let (mercy, cardiology) = (clinic.mercy, clinic.cardiology);
    clinic.world.silence(mercy, cardiology);
    halt(&mut clinic.world, mercy, HaltOf::All);
    clinic.world.run_for(2_000);
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(2_000);
    clinic.world.heal(mercy, cardiology);
    clinic.world.run_for(2 * MINUTE_MS);
    assert!(!clinic.is_halted_from_above(cardiology));
    assert!(clinic.below(mercy).is_empty(), "{:?}", clinic.below(mercy));
    clinic.ends();
}

#[test]
fn nothing_passes_to_or_from_what_is_halted_even_where_that_does_not_listen() {
    let mut clinic = Clinic::new(25);
    let (mercy, cardiology) = (clinic.mercy, clinic.cardiology);
    clinic.world.mute_halts(mercy, cardiology);
    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));
    clinic.world.run_for(5_000);
    assert!(!clinic.is_confirmed(mercy));
    assert!(!clinic.is_halted_from_above(cardiology));
    let (imaging, lab) = (clinic.imaging, clinic.lab);
    let out = code(&mut clinic.world, imaging, "look@lab");
    assert_eq!(out, Some(FailureCode::Halted));
    let inward = code(&mut clinic.world, lab, "look@mercy/cardiology");
    assert_eq!(inward, Some(FailureCode::Halted));
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(1_000);
    assert_eq!(code(&mut clinic.world, imaging, "look@lab"), None);
    clinic.world.hear_halts(mercy, cardiology);
    clinic.world.run_for(MINUTE_MS);
    assert!(clinic.below(mercy).is_empty(), "{:?}", clinic.below(mercy));
    clinic.ends();
}

/// How many bids there were for what a realm announces to those above and below.
fn bids_for(world: &mut World, host: HostId) -> usize {
    let best = rule(Selection::Best, 1, 1);
    let work = asked("see", reach(2, 2, 0), best, Strategy::Select);
    match world.ask_and_wait(host, Request::Broadcast(Box::new(work))) {
        Response::Broadcasted(ended) => ended.bids,
        other => panic!("no broadcast: {other:?}"),
    }
}

#[test]
fn announced_work_neither_comes_from_what_is_halted_nor_goes_there() {
    let mut clinic = Clinic::new(29);
    let (mercy, cardiology, imaging) = (clinic.mercy, clinic.cardiology, clinic.imaging);
    let world = &mut clinic.world;
    for host in [mercy, cardiology, imaging] {
        world.apply(host, &[bids(Loops::idempotent("see", 10), "EUR 0.01")]);
    }
    for action in ["invoke", "bid"] {
        world.permit(mercy, "mercy/cardiology/imaging", action, "see");
    }
    for (above, below) in [(mercy, cardiology), (mercy, imaging)] {
        world.mute_halts(above, below);
    }
    world.run_for(5_000);
    let before = [mercy, imaging].map(|host| bids_for(&mut clinic.world, host));

    halt(&mut clinic.world, mercy, realm("mercy/cardiology/imaging"));
    clinic.world.run_for(1_000);
    let one = [mercy, imaging].map(|host| bids_for(&mut clinic.world, host));
    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));
    clinic.world.run_for(1_000);
    let all = [mercy, imaging].map(|host| bids_for(&mut clinic.world, host));

    // Everybody bids for what it announces itself.
    assert_eq!((before, one, all), ([3, 3], [2, 2], [1, 2]));
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    for (above, below) in [(mercy, cardiology), (mercy, imaging)] {
        clinic.world.hear_halts(above, below);
    }
    clinic.world.run_for(MINUTE_MS);
    clinic.ends();
}

#[test]
fn a_realm_serves_no_call_of_a_realm_that_it_lets_stand_still() {
    let mut clinic = Clinic::new(30);
    let (mercy, cardiology, imaging) = (clinic.mercy, clinic.cardiology, clinic.imaging);
    clinic.world.mute_halts(mercy, cardiology);
    assert_eq!(code(&mut clinic.world, imaging, "look@mercy"), None);

    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));

    for host in [cardiology, imaging] {
        let refused = code(&mut clinic.world, host, "look@mercy");
        assert_eq!(refused, Some(FailureCode::Halted));
    }
    clinic.world.hear_halts(mercy, cardiology);
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(MINUTE_MS);
    assert_eq!(code(&mut clinic.world, imaging, "look@mercy"), None);
    clinic.ends();
}

#[test]
fn a_call_whose_key_is_being_looked_up_does_not_begin_after_a_halt_from_above() {
    let mut clinic = Clinic::new(31);
    let (mercy, cardiology, lab) = (clinic.mercy, clinic.cardiology, clinic.lab);
    clinic.world.hosts[cardiology.0].slow_ms = 20_000;
    let invoke = World::invoke("spend@mercy/cardiology", json!({"n": 1}));
    let control = clinic.world.ask(lab, invoke);
    clinic.world.run_for(1_000);
    let looking = |clinic: &Clinic| clinic.world.hosts[cardiology.0].disk.runs.is_empty();
    assert!(looking(&clinic), "its key is looked up");

    halt(&mut clinic.world, mercy, subtree("mercy/cardiology"));
    clinic.world.run_for(MINUTE_MS);

    assert_eq!(clinic.world.effects.values().sum::<u64>(), 0);
    clinic.world.hosts[cardiology.0].slow_ms = 0;
    let Response::Invoked(told) = clinic.world.wait_for(lab, control) else {
        panic!("an invocation");
    };
    assert!(told.result.is_err(), "{told:?}");
    clinic.world.run_for(2 * MINUTE_MS);
    clinic.ends();
}

#[test]
fn what_a_realm_above_halts_is_not_lifted_below_and_nothing_says_so() {
    let mut clinic = Clinic::new(32);
    let (mercy, cardiology, imaging) = (clinic.mercy, clinic.cardiology, clinic.imaging);
    let invoke = World::invoke("spend@mercy/cardiology", json!({"n": 1}));
    clinic.world.ask(imaging, invoke);
    clinic.world.run_for(1_000);
    halt(&mut clinic.world, mercy, realm("mercy/cardiology"));
    clinic.world.run_for(1_000);
    let runs = clinic.world.hosts[cardiology.0].disk.runs.keys();
    let run = *runs.last().expect("a run");
    let lifted = |clinic: &Clinic| {
        let halts = clinic.world.hosts[cardiology.0].node().halts();
        halts.changes.iter().filter(|it| !it.halted).count()
    };

    for of in [
        UnhaltOf::Run(run),
        UnhaltOf::All,
        UnhaltOf::Realm("mercy/cardiology".parse().unwrap()),
    ] {
        let answer = clinic.world.ask_and_wait(cardiology, asks_unhalt(of));
        let refused = refusal(answer);
        assert!(
            matches!(&refused, Refusal::HaltedAbove { by } if by == "mercy"),
            "{refused:?}"
        );
    }

    assert_eq!(lifted(&clinic), 0);
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(MINUTE_MS);
    assert_eq!(lifted(&clinic), 1, "by the word of mercy");
    clinic.ends();
}

#[test]
fn a_run_that_a_realm_above_holds_does_not_go_on_because_another_loop_is_halted_here() {
    let mut clinic = Clinic::new(33);
    let (mercy, cardiology) = (clinic.mercy, clinic.cardiology);
    let asks_lab = composite("main", json!([call("spend@lab", "a")]));
    clinic.world.apply(cardiology, &[asks_lab]);
    halt(&mut clinic.world, mercy, realm("mercy/cardiology"));
    let look = HaltOf::Loop("look".parse().unwrap());
    halt(&mut clinic.world, cardiology, look);
    clinic.world.run_for(1_000);
    let main = detached("main@mercy/cardiology", json!({"n": 1}));
    clinic.world.ask(cardiology, main);
    clinic.world.run_for(1_000);
    let runs = clinic.world.hosts[cardiology.0].disk.runs.keys();
    let run = *runs.last().expect("a run");
    let status = |clinic: &Clinic| clinic.world.hosts[cardiology.0].disk.runs[&run].status;
    assert_eq!(status(&clinic), Status::Paused);

    let asked = asks_unhalt(UnhaltOf::Run(run));
    let refused = refusal(clinic.world.ask_and_wait(cardiology, asked));

    assert!(
        matches!(&refused, Refusal::HaltedAbove { by } if by == "mercy"),
        "{refused:?}"
    );
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    clinic.world.run_for(MINUTE_MS);
    assert_eq!(status(&clinic), Status::Completed);
    clinic.ends();
}

#[test]
fn a_realm_halts_only_realms_below_it() {
    let mut clinic = Clinic::new(26);
    let cardiology = clinic.cardiology;
    for name in ["mercy", "lab"] {
        let asked = super::asks_halt(subtree(name));
        let refused = clinic.world.ask_and_wait(cardiology, asked);
        assert!(matches!(refused, Response::Refused(_)), "{refused:?}");
    }
    clinic.ends();
}

#[test]
fn a_run_for_a_realm_below_stands_still_and_is_answered_later() {
    let mut clinic = Clinic::new(27);
    let (mercy, cardiology, imaging) = (clinic.mercy, clinic.cardiology, clinic.imaging);
    let invoke = World::invoke("spend@mercy/cardiology", json!({"n": 1}));
    let Request::Invoke(asked) = invoke else {
        unreachable!()
    };
    let timeout_ms = Some(10 * MINUTE_MS);
    let asked = InvokeAsked {
        timeout_ms,
        ..asked
    };
    let control = clinic.world.ask(imaging, Request::Invoke(asked));
    clinic.world.run_for(1_000);
    halt(&mut clinic.world, mercy, realm("mercy/cardiology"));
    clinic.world.run_for(MINUTE_MS);
    let served = clinic.world.hosts[cardiology.0].disk.runs.values();
    let served: Vec<Status> = served.map(|run| run.status).collect();
    assert_eq!(served, [Status::Paused]);
    unhalt(&mut clinic.world, mercy, UnhaltOf::All);
    let Response::Invoked(told) = clinic.world.wait_for(imaging, control) else {
        panic!("an invocation");
    };
    assert!(told.result.is_ok(), "{told:?}");
    clinic.ends();
}

#[test]
fn nothing_below_goes_on_where_there_are_too_many_realms_to_keep_halted_by_name() {
    let mut world = World::new(311);
    let acme = world.found("acme");
    let child = world.child(acme, "child");
    for number in 0..limits::HALTED_REALMS {
        let name = format!("acme/r{number}").parse().unwrap();
        halt(&mut world, acme, HaltOf::Realm(name));
    }
    halt(&mut world, acme, HaltOf::All);
    world.run_for(2_000);
    let is_halted = |world: &World| !world.hosts[child.0].node().halts().above.is_empty();

    let own = UnhaltOf::Realm("acme".parse().unwrap());
    let refused = refusal(world.ask_and_wait(acme, asks_unhalt(own)));

    assert!(matches!(refused, Refusal::Full { .. }), "{refused:?}");
    world.run_for(2_000);
    assert!(world.hosts[acme.0].node().is_halted() && is_halted(&world));
    unhalt(&mut world, acme, UnhaltOf::All);
    world.run_for(2_000);
    assert!(!is_halted(&world));
}
