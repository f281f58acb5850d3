//! Random schedules with faults. A failing case prints its seed; past ones are in `past`.

use std::{ops::RangeInclusive, thread};

use realm_tests::Schedule;

/// Seeds that every run of the tests tries.
const SEEDS: RangeInclusive<u64> = 1..=200;

#[test]
fn random_schedules_break_no_invariant() {
    try_seeds(seeds().unwrap_or(SEEDS));
}

/// Run by hand: `cargo test -p realm-tests --test sim -- --ignored ten_thousand`.
#[test]
#[ignore = "takes an hour; with --release a quarter of one"]
fn ten_thousand_random_schedules_break_no_invariant() {
    try_seeds(seeds().unwrap_or(1..=10_000));
}

#[test]
fn a_run_whose_beginning_was_lost_in_a_crash_may_begin_again_for_its_message() {
    for seed in [4_729, 4_741] {
        assert_eq!(fails(seed), None);
    }
}

#[test]
fn the_same_schedule_twice_gives_the_same_log() {
    for seed in 1..=3 {
        assert_eq!(Schedule::run(seed).log, Schedule::run(seed).log);
    }
}

/// `REALM_SIM_SEEDS=from..to`, both included.
fn seeds() -> Option<RangeInclusive<u64>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "seeds are given by hand, to repeat a failure"
    )]
    let text = std::env::var("REALM_SIM_SEEDS").ok()?;
    let (from, to) = text.split_once("..").expect("REALM_SIM_SEEDS=from..to");
    Some(from.parse().expect("a seed")..=to.parse().expect("a seed"))
}

/// Tries the seeds on two threads, and fails with every seed that broke something.
fn try_seeds(seeds: RangeInclusive<u64>) {
    let halves: Vec<_> = [0, 1]
        .map(|half| {
            let mine = seeds.clone().filter(move |seed| seed % 2 == half);
            thread::spawn(move || mine.filter_map(fails).collect::<Vec<String>>())
        })
        .into_iter()
        .map(|thread| thread.join().expect("a verdict on every seed"))
        .collect();
    let failed = halves.concat();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn fails(seed: u64) -> Option<String> {
    let run = thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(move || Schedule::run(seed))
        .expect("a thread");
    match run.join() {
        Ok(verdict) if verdict.broken.is_empty() => None,
        Ok(verdict) => Some(format!("seed {seed}: {:#?}", verdict.broken)),
        Err(_) => Some(format!("seed {seed}: a panic")),
    }
}
