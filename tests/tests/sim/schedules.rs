//! Random schedules with faults. A failing case prints its seed; past ones are in `past`.

use std::{collections::BTreeMap, ops::RangeInclusive, thread};

use realm_tests::{Schedule, Verdict};

/// Seeds that every run of the tests tries.
const SEEDS: RangeInclusive<u64> = 1..=200;
/// How soon after the faults 99 of 100 pairs reach each other, virtual milliseconds.
const HEALED_P99_MS: u64 = 5_000;
/// How soon all do.
const HEALED_MAX_MS: u64 = 15_000;

/// What must have been met in all of them together.
const MET: &[&str] = &[
    "a call by a grant",
    "a call by a grant of a run's own",
    "a call by a grant that was handed on",
    "a grant that is handed on",
    "a grant that is used up is refused",
    "a grant that was taken back is refused",
    "more than one holds is not handed on",
];

#[test]
fn random_schedules_break_no_invariant() {
    let given = seeds();
    let met = try_seeds(given.clone().unwrap_or(SEEDS));
    let missing = MET.iter().find(|name| !met.contains_key(**name));
    assert!(
        given.is_some() || missing.is_none(),
        "never met: {missing:?}"
    );
}

/// Run by hand: `cargo test -p realm-tests --test sim -- --ignored ten_thousand`.
#[test]
#[ignore = "takes an hour; with --release a quarter of one"]
fn ten_thousand_random_schedules_break_no_invariant() {
    let _ = try_seeds(seeds().unwrap_or(1..=10_000));
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

/// Tries the seeds on two threads, and fails with every seed that broke something, or if pairs
/// took too long to reach each other again. Gives what was met.
fn try_seeds(seeds: RangeInclusive<u64>) -> BTreeMap<&'static str, u64> {
    let verdicts: Vec<_> = [0, 1]
        .map(|half| {
            let mine = seeds.clone().filter(move |seed| seed % 2 == half);
            thread::spawn(move || mine.map(run).collect::<Vec<_>>())
        })
        .into_iter()
        .flat_map(|thread| thread.join().expect("a verdict on every seed"))
        .collect();
    let failed: Vec<&str> = verdicts
        .iter()
        .filter_map(|verdict| verdict.as_ref().err().map(String::as_str))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let verdicts = || verdicts.iter().flatten();
    let mut healed: Vec<u64> = verdicts()
        .flat_map(|verdict| verdict.healed.clone())
        .collect();
    healed.sort_unstable();
    let (many, longest) = (healed.len(), healed.last().copied().unwrap_or(0));
    let p99 = healed.get(many * 99 / 100).copied().unwrap_or(0);
    println!("{many} pairs reach each other again: p99 {p99} ms, max {longest} ms");
    assert!(p99 <= HEALED_P99_MS, "p99 of {many} pairs: {p99} ms");
    assert!(longest <= HEALED_MAX_MS, "longest of {many}: {longest} ms");
    let mut met: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, times) in verdicts().flat_map(|verdict| &verdict.met) {
        if *times > 0 {
            *met.entry(name).or_default() += times;
        }
    }
    for (name, times) in &met {
        println!("{times:>6} {name}");
    }
    met
}

fn run(seed: u64) -> Result<Verdict, String> {
    let run = thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(move || Schedule::run(seed))
        .expect("a thread");
    match run.join() {
        Ok(verdict) if verdict.broken.is_empty() => Ok(verdict),
        Ok(verdict) => Err(format!("seed {seed}: {:#?}", verdict.broken)),
        Err(_) => Err(format!("seed {seed}: a panic")),
    }
}
