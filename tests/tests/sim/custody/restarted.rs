//! A caller that restarts while its call is kept goes on waiting for it.

use realm_protocol::{
    RunId,
    journal::{Run, Status},
};

use super::*;

fn run_of(clinic: &Clinic, host: HostId) -> RunId {
    let runs = clinic.world.hosts[host.0].disk.runs.values();
    let out = runs.filter(|run| run.loop_id == "work");
    out.last().unwrap().id
}

fn run(clinic: &Clinic, host: HostId, id: RunId) -> Run {
    clinic.world.hosts[host.0].disk.runs[&id].clone()
}

fn restart(clinic: &mut Clinic, host: HostId) {
    clinic.world.crash_for(host, 5_000);
    clinic.world.run_for(30_000);
}

fn effects(clinic: &Clinic) -> u64 {
    clinic.world.effects.values().sum()
}

fn stands_at_nothing(clinic: &Clinic, host: HostId) -> bool {
    let node = clinic.world.hosts[host.0].node();
    let load = node.load();
    let out = load.iter().find(|load| load.what == "calls out");
    out.unwrap().held == 0
}

#[test]
fn a_caller_that_restarts_gets_the_result_of_its_kept_call() {
    for (seed, own) in [(970, false), (971, true)] {
        let mut clinic = clinic(seed);
        let caller = if own { clinic.acme } else { clinic.billing };
        clinic.take_down();
        clinic.ask(caller, 1, DAY_MS);
        clinic.world.run_for(30_000);
        let id = run_of(&clinic, caller);

        for _ in 0..2 {
            restart(&mut clinic, caller);
            assert_eq!(run(&clinic, caller, id).status, Status::Running, "{own}");
            assert_eq!(clinic.kept(), 1, "{own}");
        }
        clinic.world.start(clinic.health);
        clinic.world.run_for(30_000);

        let done = run(&clinic, caller, id);
        assert_eq!(done.status, Status::Completed, "{own}: {done:?}");
        assert_eq!((effects(&clinic), clinic.kept()), (1, 0), "{own}");
        assert!(stands_at_nothing(&clinic, caller), "{own}");
        restart(&mut clinic, caller);
        assert_eq!(run(&clinic, caller, id), done, "{own}");
        invariants::check(&mut clinic.world);
    }
}

#[test]
fn a_caller_that_was_down_while_its_call_was_served_gets_the_answer_again() {
    let mut clinic = clinic(972);
    clinic.take_down();
    clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let id = run_of(&clinic, clinic.billing);
    clinic.world.crash(clinic.billing);
    clinic.world.start(clinic.health);
    clinic.world.run_for(60_000);
    assert_eq!((effects(&clinic), clinic.kept()), (1, 0));

    clinic.world.start(clinic.billing);
    clinic.world.run_for(60_000);

    assert_eq!(run(&clinic, clinic.billing, id).status, Status::Completed);
    assert_eq!(effects(&clinic), 1);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_caller_that_comes_back_too_late_says_that_its_call_was_interrupted() {
    let mut clinic = clinic(973);
    clinic.take_down();
    clinic.ask(clinic.billing, 1, HOUR_MS);
    clinic.world.run_for(30_000);
    let id = run_of(&clinic, clinic.billing);
    clinic.world.crash(clinic.billing);
    clinic.world.run_for(2 * HOUR_MS);

    clinic.world.start(clinic.billing);
    clinic.world.run_for(60_000);

    let over = run(&clinic, clinic.billing, id);
    assert_eq!(over.status, Status::Failed);
    assert_eq!(over.error.as_deref(), Some("Interrupted"));
    assert!(stands_at_nothing(&clinic, clinic.billing));
    invariants::check(&mut clinic.world);
}

#[test]
fn a_kept_call_can_be_taken_back_after_its_caller_has_restarted() {
    let mut clinic = clinic(974);
    clinic.take_down();
    clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let id = run_of(&clinic, clinic.billing);
    let caller = clinic.billing;
    restart(&mut clinic, caller);

    let cancel = Request::Cancel(id);
    let done = clinic.world.ask_and_wait(clinic.billing, cancel);
    assert!(matches!(done, Response::Done), "{done:?}");
    clinic.world.run_for(5_000);

    assert_eq!(clinic.kept(), 0);
    assert_eq!(run(&clinic, clinic.billing, id).status, Status::Cancelled);
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);
    assert_eq!(effects(&clinic), 0);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_caller_restored_from_a_backup_does_not_go_on_with_calls_it_may_have_ended() {
    let mut clinic = clinic(975);
    clinic.take_down();
    clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let id = run_of(&clinic, clinic.billing);
    let backup = clinic.world.hosts[clinic.billing.0].disk.copy();

    clinic.world.crash(clinic.billing);
    clinic.world.hosts[clinic.billing.0].disk = backup.restored();
    clinic.world.start(clinic.billing);
    clinic.world.run_for(30_000);

    assert_eq!(run(&clinic, clinic.billing, id).status, Status::Failed);
    assert!(stands_at_nothing(&clinic, clinic.billing));
}

#[test]
fn a_caller_whose_clock_is_set_back_still_replaces_the_attempt_that_is_kept() {
    for (seed, restarts) in [(976, false), (977, true)] {
        let mut clinic = clinic(seed);
        let caller = clinic.billing;
        clinic.take_down();
        clinic.ask(caller, 1, DAY_MS);
        clinic.world.run_for(30_000);
        let id = run_of(&clinic, caller);

        clinic.world.hosts[caller.0].clock_offset -= 60_000;
        if restarts {
            restart(&mut clinic, caller);
        } else {
            clinic.world.partition(caller, clinic.acme);
            clinic.world.run_for(20_000);
            clinic.world.heal(caller, clinic.acme);
        }
        clinic.world.run_for(30_000);
        clinic.world.start(clinic.health);
        clinic.world.run_for(30_000);

        let done = run(&clinic, caller, id);
        assert_eq!(done.status, Status::Completed, "{restarts}: {done:?}");
        assert_eq!((effects(&clinic), clinic.kept()), (1, 0));
        invariants::check(&mut clinic.world);
    }
}
