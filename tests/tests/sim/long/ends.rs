//! Ends of accepted calls, whatever becomes of who called and of who was called.

use realm_node::{InvokeAsked, RemoveAsked, Request};
use realm_protocol::{
    RunId,
    journal::{Direction, Run, Status, Table},
};
use realm_tests::{CrashPoint, HostId, Loops};

use super::{HOUR_MS, MINUTE_MS, Pair, detached, invoked, long, waits, within};

impl Pair {
    fn halves(&self, host: HostId, direction: Direction) -> Vec<&Run> {
        let runs = self.world.hosts[host.0].disk.runs.values();
        runs.filter(|run| run.direction == direction).collect()
    }

    fn is_shut_down(&mut self, host: HostId) -> bool {
        let now = self.world.now(host);
        let node = self.world.hosts[host.0].node.as_mut();
        node.expect("it runs").shut_down(now);
        self.world.run_for(20_000);
        self.world.hosts[host.0].node().is_idle()
    }
}

#[test]
fn a_long_call_that_is_broken_off_at_any_entry_of_either_end_is_told_its_end() {
    let mut accepted = 0;
    for host in 0..2 {
        for entries in 1..100 {
            let durable = entries % 2 == 0;
            let tool = long(Loops::once("spend", 7_000), 7_000);
            let mut pair = Pair::new(40, &[tool]);
            pair.world.run_for(2_000);
            let point = CrashPoint {
                entries,
                durable,
                down_ms: 1 + entries * 97 % 3_000,
            };
            pair.world.crash_points.insert(HostId(host), point);
            pair.world.ask(pair.acme, detached("spend@lab"));
            for _ in 0..30 {
                pair.world.run_for(MINUTE_MS);
                if pair.world.resume_all() == 0 {
                    break;
                }
            }
            pair.world.run_for(20 * MINUTE_MS);
            let left = pair.world.crash_points.remove(&HostId(host)).is_some();
            accepted += pair.count(pair.acme, "call.accepted");
            let told = format!("host {host} at entry {entries}, durable {durable}");
            assert!(pair.effects() <= 1, "{told}: {} effects", pair.effects());
            for out in pair.halves(pair.acme, Direction::Out) {
                assert_eq!(out.status, Status::Completed, "{told}: {out:?}");
            }
            pair.leaves_nothing();
            if left {
                break;
            }
        }
    }
    assert!(accepted > 5, "{accepted} were accepted");
}

#[test]
fn two_calls_under_one_key_are_both_told_the_end_and_one_may_leave() {
    for cancelled in [false, true] {
        let mut pair = Pair::new(41, &[Loops::once("spend", 10), waits("later", "10h")]);
        let (acme, lab) = (pair.acme, pair.lab);
        let mut runs: Vec<RunId> = Vec::new();
        for _ in 0..2 {
            let Request::Invoke(asked) = detached("later@lab") else {
                unreachable!()
            };
            let key = Some("the same".to_owned());
            pair.world
                .ask(acme, Request::Invoke(InvokeAsked { key, ..asked }));
            pair.world.run_for(MINUTE_MS);
            let out = pair.halves(acme, Direction::Out);
            let new = out.iter().find(|run| !runs.contains(&run.id)).unwrap().id;
            runs.push(new);
        }
        assert_eq!(pair.count(lab, "call.accepted"), 2);
        if cancelled {
            pair.world.ask_and_wait(acme, Request::Cancel(runs[0]));
        }
        pair.restart(lab, 1_000);
        pair.world.run_for(11 * HOUR_MS);
        let status = |run: RunId| pair.world.hosts[acme.0].disk.runs[&run].status;
        let first = match cancelled {
            true => Status::Cancelled,
            false => Status::Completed,
        };
        assert_eq!(
            (status(runs[0]), status(runs[1])),
            (first, Status::Completed)
        );
        assert_eq!(pair.effects(), 1);
        pair.leaves_nothing();
    }
}

#[test]
fn a_caller_that_was_put_back_takes_no_end_and_is_told_none_again() {
    let mut pair = Pair::new(42, &[Loops::once("spend", 10), waits("later", "10h")]);
    let acme = pair.acme;
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(MINUTE_MS);
    let backup = pair.world.hosts[acme.0].disk.copy();
    pair.world.crash(acme);
    pair.world.hosts[acme.0].disk = backup.restored();
    pair.world.start(acme);
    pair.world.run_for(11 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Failed);
    assert_eq!(pair.served().status, Status::Completed);
    pair.leaves_nothing();
}

#[test]
fn a_callee_that_was_put_back_ends_the_call_of_its_caller() {
    let mut pair = Pair::new(43, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let before = pair.world.hosts[lab.0].disk.copy();
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(MINUTE_MS);
    pair.world.crash(lab);
    pair.world.hosts[lab.0].disk = before.restored();
    pair.world.start(lab);
    pair.world.run_for(30 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Failed);
    assert_eq!(pair.out().error.as_deref(), Some("Expired"));
}

#[test]
fn a_loop_that_is_removed_under_an_accepted_call_ends_as_it_began() {
    let mut pair = Pair::new(44, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(MINUTE_MS);
    let asked = RemoveAsked {
        id: "later".parse().unwrap(),
        version: None,
        force: true,
        by: "owner".to_owned(),
    };
    pair.world.ask_and_wait(lab, Request::RemoveLoop(asked));
    pair.restart(lab, 1_000);
    pair.restart(acme, 1_000);
    pair.world.run_for(11 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    assert_eq!(pair.effects(), 1);
    pair.leaves_nothing();
}

#[test]
fn accepted_calls_keep_nobody_from_shutting_down() {
    let mut pair = Pair::new(45, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(MINUTE_MS);
    assert!(pair.is_shut_down(acme));
    pair.restart(acme, 1_000);
    assert!(pair.is_shut_down(lab));
    pair.restart(lab, 1_000);
    pair.world.run_for(10 * HOUR_MS);
    // The end is on its way, and nobody is there.
    pair.world.crash(acme);
    pair.world.run_for(2 * HOUR_MS);
    assert!(pair.is_shut_down(lab));
    pair.restart(lab, 1_000);
    pair.restart(acme, 1_000);
    pair.world.run_for(10 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    assert_eq!(pair.effects(), 1);
    pair.leaves_nothing();
}

#[test]
fn an_end_that_nobody_fetches_for_a_week_is_forgotten() {
    let mut pair = Pair::new(46, &[Loops::once("spend", 10), waits("later", "1h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(MINUTE_MS);
    pair.world.crash(acme);
    pair.world.run_for(3 * HOUR_MS);
    assert_eq!(pair.served().status, Status::Completed);
    // The machine sleeps, and its clock does not.
    pair.world.leap(8 * 24 * HOUR_MS);
    pair.restart(lab, 1_000);
    pair.world.start(acme);
    pair.world.run_for(30 * MINUTE_MS);
    let rows = pair.world.hosts[lab.0].disk.keys(Table::Standing);
    assert_eq!(rows.filter(|key| key.starts_with(b"delivery/")).count(), 0);
    assert_eq!(pair.out().error.as_deref(), Some("Expired"));
}

#[test]
fn a_caller_that_waits_is_told_at_its_own_time() {
    let mut pair = Pair::new(47, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let control = pair.world.ask(acme, within("later@lab", 2 * HOUR_MS));
    pair.world.run_for(MINUTE_MS);
    pair.world.crash(lab);
    pair.world.run_for(3 * HOUR_MS);
    let ended = invoked(pair.world.wait_for(acme, control));
    assert!(ended.result.is_err());
    pair.world.start(lab);
    pair.world.run_for(30 * MINUTE_MS);
    assert_eq!(pair.served().status, Status::Failed);
    assert_eq!(pair.effects(), 0);
    pair.leaves_nothing();
}
