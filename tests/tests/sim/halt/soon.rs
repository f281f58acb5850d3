//! How soon halts take effect: here at once, below as fast as messages travel.

use realm_node::{HaltOf, Rate, UnhaltOf};
use realm_protocol::journal::Status;
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

use super::{HOUR_MS, asks_halt, below::Clinic, unhalt};
use crate::durable::bench::{Bench, call, composite, detached};

#[test]
fn nothing_begins_after_a_halt_was_asked_for_however_slow_the_disk_is() {
    let steps = json!([call("spend", "a")]);
    let mut bench = Bench::with(11, &[Loops::once("spend", 10)], steps);
    let acme = bench.acme;
    bench.world.hosts[acme.0].slow_ms = 400;
    for number in 0..20 {
        let asked = detached("main@acme", json!({"n": number}));
        bench.world.ask(acme, asked);
        bench.world.run_for(50);
    }
    let before = bench.effects();
    assert!(
        0 < before && before < 20,
        "some wait for the disk: {before}"
    );

    bench.world.ask(acme, asks_halt(HaltOf::All));
    bench.world.run_for(HOUR_MS);

    assert_eq!(bench.effects(), before);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(10_000);
    assert_eq!(bench.effects(), 20);
    invariants::check(&mut bench.world);
}

/// How long a frame takes between two neighbours, milliseconds.
fn latency_ms(world: &World, a: HostId, b: HostId) -> u64 {
    let link = world.links_between(a, b)[0];
    world.hosts[a.0].links[&link].latency_ms
}

#[test]
fn realms_below_heed_a_halt_as_soon_as_the_word_gets_there_and_the_next_one_has_confirmed_it_then()
{
    let mut clinic = Clinic::new(26);
    let Clinic {
        mercy,
        cardiology,
        imaging,
        ..
    } = clinic;
    clinic.world.faults.disk_ms = 0;
    let levels = [(mercy, cardiology), (cardiology, imaging)];
    let [first, second] = levels.map(|(above, below)| latency_ms(&clinic.world, above, below));

    clinic.world.ask(mercy, asks_halt(HaltOf::All));
    assert!(!clinic.is_halted_from_above(cardiology));
    clinic.world.run_for(first);
    assert!(clinic.is_halted_from_above(cardiology));
    clinic.world.run_for(second);
    assert!(clinic.is_halted_from_above(imaging));
    clinic.world.run_for(first.saturating_sub(second));

    let below = clinic.below(mercy);
    assert!(below[0].confirmed.is_some(), "{below:?}");
    clinic.ends();
}

/// How often something was done at a realm.
fn done_at(world: &World, host: HostId) -> u64 {
    let here = format!("{} ", host.0);
    let done = world.effects.iter();
    done.filter(|(what, _)| what.starts_with(&here))
        .map(|(_, times)| times)
        .sum()
}

/// acme, whose runs wait for steps before them, for times, for lab, for a model and for their turn.
fn busy(seed: u64) -> Bench {
    let mut bench = Bench::new(seed);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.hosts[acme.0].rates = vec![Rate {
        name: "slow".to_owned(),
        callers: None,
        loops: ["note".parse().unwrap()].into(),
        per_minute: 60,
        burst: 1,
        shared: true,
        queue: 9,
    }];
    bench.restart(acme, 100);
    bench.world.allow(acme, "lab", "note");
    let tools = ["spend", "note", "pay"].map(|id| Loops::once(id, 60));
    bench.world.apply(lab, &[Loops::idempotent("look", 60)]);
    bench.world.apply(acme, &tools);
    let inner = json!([call("spend", "f"), {"wait": "200ms"}, call("pay", "g")]);
    let steps = json!([
        call("spend", "a"),
        {"parallel": [call("spend", "b"), call("look@lab", "c"), call("inner", "d")]},
        {"wait": "500ms"},
        call("pay", "e"),
    ]);
    let asks: Value = json!({
        "id": "ask", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {
            "template": "{{say}}", "variables": ["say"], "maxTurns": 4,
            "tools": [{"name": "pay", "loopId": "pay"}],
        },
    });
    let loops = [composite("inner", inner), composite("main", steps), asks];
    bench.world.apply(acme, &loops);
    bench.world.run_for(2_000);
    bench
}

#[test]
fn whatever_its_work_waits_for_a_halted_realm_begins_none_of_it_at_any_instant() {
    let mut cut_short = 0;
    for instant in 0..20 {
        let mut bench = busy(300 + instant);
        let (acme, lab) = (bench.acme, bench.lab);
        for number in 0..3 {
            let main = detached("main@acme", json!({"n": number}));
            bench.world.ask(acme, main);
            let says = format!(r#"call pay {{"x": {number}}} call pay {{"y": {number}}}"#);
            let ask = detached("ask@acme", json!({"say": says}));
            bench.world.ask(acme, ask);
            let turn = World::invoke_within("note@acme", json!({"n": number}), HOUR_MS * 2);
            bench.world.ask(lab, turn);
        }
        bench.world.run_for(instant * 45);
        let before = done_at(&bench.world, acme);

        bench.world.ask(acme, asks_halt(HaltOf::All));
        bench.world.run_for(HOUR_MS);

        assert_eq!(done_at(&bench.world, acme), before, "after {instant}");
        unhalt(&mut bench.world, acme, UnhaltOf::All);
        bench.world.run_for(60_000);
        let all = done_at(&bench.world, acme);
        cut_short += usize::from(before < all);
        let own = bench.world.hosts[acme.0].disk.runs.values();
        let ended = own.filter(|run| run.parent.is_none());
        for run in ended {
            assert_eq!(run.status, Status::Completed, "{instant}: {run:?}");
        }
        invariants::check(&mut bench.world);
    }
    assert!(
        cut_short > 10,
        "too few were halted in the midst: {cut_short}"
    );
}

#[test]
fn in_a_tree_of_four_levels_nothing_begins_later_than_one_round_trip_a_level_after_a_halt() {
    for (seed, slow_ms) in [(320, 0), (321, 0), (322, 400)] {
        let mut world = World::new(seed);
        world.faults.latency_ms = 100;
        let mut hosts = vec![world.found("mercy")];
        for label in ["ward", "bed", "pump"] {
            let above = *hosts.last().unwrap();
            hosts.push(world.child(above, label));
        }
        let names = [
            "mercy",
            "mercy/ward",
            "mercy/ward/bed",
            "mercy/ward/bed/pump",
        ];
        for host in &hosts {
            world.apply(*host, &[Loops::once("spend", 10)]);
        }
        world.run_for(5_000);
        for host in &hosts {
            world.hosts[host.0].slow_ms = slow_ms;
        }
        let mut ticks = 0;
        let mut tick = |world: &mut World| {
            // Everybody has its neighbours above and below work for it, all the time.
            ticks += 1;
            for (at, pair) in hosts.windows(2).enumerate().filter(|_| ticks % 8 == 0) {
                for (from, to) in [(pair[0], names[at + 1]), (pair[1], names[at])] {
                    let input = json!({"from": from.0, "at": ticks});
                    world.ask(from, World::invoke(&format!("spend@{to}"), input));
                }
            }
            world.run_for(5);
        };
        for _ in 0..200 {
            tick(&mut world);
        }

        world.ask(hosts[0], asks_halt(HaltOf::All));
        let asked = world.elapsed_ms();
        // There and back, level by level.
        let mut trips = vec![0];
        for pair in hosts.windows(2) {
            let trip = 2 * latency_ms(&world, pair[0], pair[1]);
            trips.push(trips.last().unwrap() + trip);
        }
        let mut latest = vec![0; hosts.len()];
        let mut done: Vec<u64> = hosts.iter().map(|it| done_at(&world, *it)).collect();
        for _ in 0..200 {
            tick(&mut world);
            for (level, host) in hosts.iter().enumerate() {
                let now = done_at(&world, *host);
                if now > done[level] {
                    latest[level] = world.elapsed_ms() - asked;
                    done[level] = now;
                }
            }
        }

        for (level, latest) in latest.iter().enumerate() {
            let most = trips[level] + 5;
            assert!(
                *latest <= most,
                "level {level}: {latest} ms, {most} at most"
            );
        }
        assert_eq!(latest[0], 0, "at home nothing begins at all");
        let had_work = latest[3] > 0 || slow_ms > 0;
        assert!(had_work, "{seed}: nothing was under way below");
        // Everybody has said so.
        world.run_for(5_000);
        invariants::check(&mut world);
    }
}
