//! Random broadcasts with hostile bidders and faults. A failing case prints its seed.

use std::{collections::BTreeMap, ops::RangeInclusive, thread};

use realm_tests::{Market, Told};

/// Seeds that every run of the tests tries.
const SEEDS: RangeInclusive<u64> = 1..=12;
/// Realms and broadcasts in one world.
const REALMS: u64 = 26;
const BROADCASTS: u64 = 20;

/// What must have been met at least once in the seeds that every run tries: events with what they
/// say, and the tricks of hostile bidders.
const MET: [&str; 37] = [
    "broadcast.aggregated ",
    "broadcast.answered Reserved",
    "broadcast.cancelled ",
    "broadcast.closed Full",
    "broadcast.closed Tallied",
    "broadcast.closed Window",
    "broadcast.decided ",
    "broadcast.ended Expired",
    "broadcast.ended Failed",
    "broadcast.ended Result",
    "broadcast.finished NotNumeric",
    "broadcast.finished Output",
    "broadcast.finished TooFewBids",
    "broadcast.finished TooFewResults",
    "broadcast.refused no more bids count from that realm, or from one above it",
    "broadcast.refused the agent has bid already",
    "broadcast.refused the bid came after its time",
    "broadcast.refused the bid is for another announcement",
    "broadcast.refused the bid names another bidder than its sender",
    "broadcast.undecided ",
    "confined to names",
    "output: Average",
    "output: CollectAll",
    "output: Consensus",
    "output: FirstValid",
    "output: HighestConfidence",
    "output: Loop",
    "output: Merge",
    "output: Quorum",
    "output: Rank",
    "output: Select",
    "output: Sum",
    "output: Vote",
    "output: WeightedAverage",
    "run.restarted ",
    "trick: a bid that another has signed",
    "trick: a flood of agents",
];

#[test]
fn random_broadcasts_break_no_rule() {
    let given = seeds();
    let told = try_seeds(given.clone().unwrap_or(SEEDS), REALMS, BROADCASTS);
    for (name, times) in &told.met {
        println!("{times:>6} {name}");
    }
    let missing = MET.iter().find(|name| !told.met.contains_key(**name));
    assert!(
        given.is_some() || missing.is_none(),
        "never met: {missing:?}"
    );
}

#[test]
fn a_thousand_realms_trade_and_break_no_rule() {
    let told = try_seeds(seeds().unwrap_or(1..=1), 1_000, 30);
    let restarted = told.met.get("run.restarted ");
    for (name, times) in &told.met {
        println!("{times:>6} {name}");
    }
    println!("{:?}, {restarted:?} restarts of announcers", told.endings);
}

/// Run by hand: `cargo test -p realm-tests --test sim -- --ignored a_thousand_markets`.
#[test]
#[ignore = "takes an hour"]
fn a_thousand_markets_break_no_rule() {
    try_seeds(seeds().unwrap_or(1..=1_000), REALMS, BROADCASTS);
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
fn try_seeds(seeds: RangeInclusive<u64>, realms: u64, broadcasts: u64) -> Told {
    let verdicts: Vec<(u64, Option<Told>)> = [0, 1]
        .map(|half| {
            let mine = seeds.clone().filter(move |seed| seed % 2 == half);
            let run = move |seed| (seed, run(seed, realms, broadcasts));
            thread::spawn(move || mine.map(run).collect::<Vec<_>>())
        })
        .into_iter()
        .flat_map(|thread| thread.join().expect("a verdict on every seed"))
        .collect();
    let mut all = Told::default();
    for (seed, told) in verdicts {
        let Some(told) = told else {
            all.broken.push(format!("seed {seed}: a panic"));
            continue;
        };
        if !told.broken.is_empty() {
            all.broken.push(format!("seed {seed}: {:#?}", told.broken));
        }
        add(&mut all.endings, told.endings);
        add(&mut all.met, told.met);
    }
    assert!(all.broken.is_empty(), "{}", all.broken.join("\n"));
    all
}

fn add(sum: &mut BTreeMap<String, u64>, part: BTreeMap<String, u64>) {
    for (name, times) in part {
        *sum.entry(name).or_default() += times;
    }
}

fn run(seed: u64, realms: u64, broadcasts: u64) -> Option<Told> {
    let run = thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(move || Market::run(seed, realms, broadcasts));
    run.expect("a thread").join().ok()
}
