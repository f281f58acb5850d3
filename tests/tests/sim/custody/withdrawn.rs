//! Kept calls that are taken back, and attempts that come late or again.

use super::*;

/// The frame in which the first storable call crossed to the parent.
fn first_frame(clinic: &Clinic) -> Bytes {
    clinic.stored_calls_to(clinic.acme).remove(0).1
}

fn give_again(clinic: &mut Clinic, frame: &Bytes) {
    let link = clinic.world.links_between(clinic.acme, clinic.billing)[0];
    clinic.world.inject(clinic.acme, link, frame.clone());
    clinic.world.run_for(5_000);
}

fn cancel(host: HostId, clinic: &mut Clinic) {
    let runs = clinic.world.hosts[host.0].disk.runs.keys();
    let run = *runs.last().unwrap();
    let done = clinic.world.ask_and_wait(host, Request::Cancel(run));
    assert!(matches!(done, Response::Done), "{done:?}");
    clinic.world.run_for(5_000);
}

fn nothing_happens_when_the_child_is_back(clinic: &mut Clinic) {
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);
    let effects = &clinic.world.effects;
    assert!(effects.is_empty(), "{effects:?}");
    invariants::check(&mut clinic.world);
}

#[test]
fn a_parent_that_has_forgotten_the_caller_lets_a_kept_call_be_taken_back() {
    let mut clinic = clinic(950);
    let desk = clinic.world.child(clinic.billing, "desk");
    clinic.world.run_for(5_000);
    clinic.take_down();
    clinic.ask(desk, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 1);
    clinic.world.crash_for(clinic.acme, 5_000);
    clinic.world.run_for(30_000);

    cancel(desk, &mut clinic);

    assert_eq!(clinic.kept(), 0);
    nothing_happens_when_the_child_is_back(&mut clinic);
}

#[test]
fn a_parent_takes_back_what_it_keeps_of_its_own() {
    let mut clinic = clinic(951);
    clinic.take_down();
    clinic.ask(clinic.acme, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 1);

    cancel(clinic.acme, &mut clinic);

    assert_eq!(clinic.kept(), 0);
    nothing_happens_when_the_child_is_back(&mut clinic);
}

#[test]
fn an_older_attempt_does_not_displace_the_newer_one_that_is_kept() {
    let mut clinic = clinic(952);
    clinic.take_down();
    clinic.world.tap = true;
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let older = first_frame(&clinic);
    clinic.world.partition(clinic.billing, clinic.acme);
    clinic.world.run_for(20_000);
    clinic.world.heal(clinic.billing, clinic.acme);
    clinic.world.run_for(60_000);
    let created = |calls: &[(HostId, Bytes, Envelope)]| {
        let created = calls
            .iter()
            .map(|(_, _, call)| call.peek().unwrap().created);
        created.max().unwrap()
    };
    let newest = created(&clinic.stored_calls_to(clinic.acme));

    give_again(&mut clinic, &older);
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);

    let given = clinic.stored_calls_to(clinic.health);
    assert_eq!((given.len(), created(&given)), (1, newest));
    assert!(clinic.end(clinic.billing, asked).result.is_ok());
    invariants::check(&mut clinic.world);
}

#[test]
fn a_call_that_was_taken_back_is_not_kept_again() {
    let mut clinic = clinic(953);
    clinic.take_down();
    clinic.world.tap = true;
    clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let frame = first_frame(&clinic);
    cancel(clinic.billing, &mut clinic);

    give_again(&mut clinic, &frame);
    assert_eq!(clinic.kept(), 0, "now");
    clinic.world.crash_for(clinic.acme, 5_000);
    clinic.world.run_for(30_000);
    give_again(&mut clinic, &frame);

    assert_eq!(clinic.kept(), 0, "after a restart");
    nothing_happens_when_the_child_is_back(&mut clinic);
}

#[test]
fn a_call_that_was_taken_back_is_not_kept_again_when_the_clock_is_set_back() {
    let mut clinic = clinic(955);
    clinic.take_down();
    clinic.world.tap = true;
    clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let frame = first_frame(&clinic);
    cancel(clinic.billing, &mut clinic);

    let acme = clinic.acme;
    let ahead = 9 * i64::try_from(DAY_MS).unwrap();
    for offset in [ahead, 0] {
        clinic.world.hosts[acme.0].clock_offset = offset;
        clinic.world.run_for(30_000);
    }
    give_again(&mut clinic, &frame);

    assert_eq!(clinic.kept(), 0);
    nothing_happens_when_the_child_is_back(&mut clinic);
}

#[test]
fn a_restored_parent_gives_what_it_is_sent_anew_and_not_what_was_taken_back() {
    for restarts in [0, 2] {
        let mut clinic = clinic(956);
        clinic.take_down();
        let asked = clinic.ask(clinic.billing, 1, DAY_MS);
        clinic.world.run_for(1_000);
        clinic.ask(clinic.billing, 2, DAY_MS);
        clinic.world.run_for(30_000);
        let backup = clinic.world.hosts[clinic.acme.0].disk.copy();
        cancel(clinic.billing, &mut clinic);
        assert_eq!(clinic.kept(), 1);

        clinic.world.crash(clinic.acme);
        clinic.world.hosts[clinic.acme.0].disk = backup.restored();
        clinic.world.start(clinic.acme);
        clinic.world.run_for(5_000);
        for _ in 0..restarts {
            clinic.world.crash_for(clinic.acme, 100);
            clinic.world.run_for(5_000);
        }
        clinic.world.start(clinic.health);
        clinic.world.run_for(120_000);

        let ended = clinic.end(clinic.billing, asked);
        assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
        assert_eq!(clinic.kept(), 0);
        assert_eq!(clinic.world.effects.values().sum::<u64>(), 1);
    }
}

#[test]
fn a_source_hears_that_a_call_is_dropped_only_once_that_is_durable() {
    let mut clinic = clinic(954);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 1);
    clinic.world.hosts[clinic.acme.0].slow_ms = 3_000;
    clinic.world.tap = true;

    clinic
        .world
        .ask(clinic.acme, Request::Revoke("health".parse().unwrap()));
    let mut steps = 0;
    while clinic.kept() > 0 {
        assert!(
            !clinic.has_sent(clinic.acme, Kind::Failure),
            "said too soon"
        );
        clinic.world.run_for(1);
        steps += 1;
        assert!(steps < 60_000, "never dropped");
    }

    clinic.world.hosts[clinic.acme.0].slow_ms = 0;
    let failure = clinic.end(clinic.billing, asked).result.unwrap_err();
    assert_eq!(failure.code, FailureCode::NoRoute, "{failure:?}");
    invariants::check(&mut clinic.world);
}
