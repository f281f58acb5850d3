//! How soon halts take effect: here at once, below as fast as messages travel.

use realm_node::{HaltOf, UnhaltOf};
use realm_tests::{HostId, Loops, World, invariants};
use serde_json::json;

use super::{HOUR_MS, asks_halt, below::Clinic, unhalt};
use crate::durable::bench::{Bench, call, detached};

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
