//! What was seen of each attack, and whether the victim stood it.

use realm_protocol::FailureCode;

use super::{
    attack::{Expected, Siege, Tally, added},
    victim::{Counts, Noticed, p99},
};

/// Resident memory of the victim with any number of strangers at its door, KiB.
const STRANGERS_KIB: u64 = 256 * 1_024;
/// By how much one peer can make it grow, KiB.
const PEER_KIB: u64 = 32 * 1_024;
/// By how much one frame's declared length can, KiB.
const FRAME_KIB: u64 = 64;
/// How much longer honest calls may take than in calm, at the 99th of a hundred.
const SLOWER: f64 = 2.0;
/// Honest calls during each attack from which on their time is judged, each attack's by its own and all together; with
/// fewer it is told.
const SAMPLE: usize = 1_000;

/// Which bound holds for the victim's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// That of all strangers together.
    Strangers,
    /// That of one peer.
    Peer,
    /// That of a frame's declared length, for each.
    Frame,
}

/// One attack.
pub(crate) struct Row {
    name: String,
    attempts: u64,
    refused_as: String,
    growth_kib: u64,
    peak_kib: u64,
    noticed: Noticed,
    wrong: Vec<String>,
}

impl Row {
    /// Compares what was seen with what was expected.
    pub(crate) fn new(
        name: &str,
        bound: Bound,
        expected: &Expected,
        tally: Tally,
        (before, after): (&Counts, &Counts),
        (rss, peak): (u64, u64),
        noticed: Noticed,
    ) -> Self {
        let attempts = tally.attempts;
        let mut wrong = tally.wrong;
        let growth_kib = peak.saturating_sub(rss);
        let is_bounded = match bound {
            Bound::Strangers => peak <= STRANGERS_KIB,
            Bound::Peer => growth_kib <= PEER_KIB,
            Bound::Frame => growth_kib <= FRAME_KIB * attempts.max(1),
        };
        if !is_bounded {
            wrong.push(format!("{growth_kib} KiB more, {peak} KiB resident"));
        }
        if !expected.is_counted(before, after, attempts) {
            wrong.push(format!("counted: {}", grown(before, after)));
        }
        if let Some(code) = expected.code
            && tally.failures.get(&code) < Some(&attempts)
        {
            wrong.push(format!("answered: {:?}", tally.failures));
        }
        let served = added(before, after, "realm_calls_served_total");
        // The half-open link leaves calls behind that are good, and what is replayed was good once.
        let own = match expected.counter.as_deref().and_then(label) {
            Some("replay") => 3,
            Some("handshake") if name.contains("half-open") => 50,
            _ => 0,
        };
        if served > noticed.times.len() as u64 + noticed.failed.len() as u64 + own {
            wrong.push(format!("{served} calls served"));
        }
        if let Some(failure) = noticed.failed.first() {
            wrong.push(format!(
                "{} honest calls failed: {failure}",
                noticed.failed.len()
            ));
        }
        let counter = expected.counter.as_deref();
        let reason = counter.and_then(|counter| label(counter).or(mostly(before, after, counter)));
        let code = expected.code.map(FailureCode::name);
        let words: Vec<&str> = reason.into_iter().chain(code).collect();
        Self {
            name: name.to_owned(),
            attempts,
            refused_as: match words.is_empty() {
                true => "hung up".to_owned(),
                false => words.join(", "),
            },
            growth_kib,
            peak_kib: peak,
            noticed,
            wrong,
        }
    }

    /// The attack as a line of the table; `calm` is the honest p99 without any.
    pub(crate) fn line(&self, calm: Option<f64>) -> String {
        let ratio = match (calm, self.noticed.times.is_empty()) {
            (Some(calm), false) => format!("{:.2}", self.p99() / calm),
            _ => "-".to_owned(),
        };
        let mut line = format!(
            "{:<38} {:>8}  {:<26} {:>10} {:>9}",
            self.name, self.attempts, self.refused_as, self.growth_kib, ratio
        );
        if let Some(first) = self.wrong.first() {
            line += &format!("  WRONG: {first} (1 of {})", self.wrong.len());
        }
        line
    }

    fn p99(&self) -> f64 {
        p99(&self.noticed.times).as_secs_f64()
    }
}

impl Siege {
    /// Prints the table and the verdict; whether the victim stood everything.
    pub(crate) fn verdict(&self) -> bool {
        let calm = p99(&self.calm.times).as_secs_f64();
        println!(
            "{:<38} {:>8}  {:<26} {:>10} {:>9}",
            "attack", "attempts", "refused as", "growth KiB", "p99 ratio"
        );
        let judged = self.calls >= SAMPLE;
        let mut failed = 0;
        let mut times = Vec::new();
        for row in &self.rows {
            println!("{}", row.line(Some(calm)));
            let is_slow = judged && !row.noticed.times.is_empty() && row.p99() > SLOWER * calm;
            failed += usize::from(is_slow || !row.wrong.is_empty());
            times.extend_from_slice(&row.noticed.times);
        }
        let under = p99(&times).as_secs_f64();
        let ratio = under / calm.max(f64::MIN_POSITIVE);
        println!(
            "honest calls: {} calm, p99 {:.2} ms; {} under attack, p99 {:.2} ms; ratio {ratio:.2}",
            self.calm.times.len(),
            calm * 1_000.0,
            times.len(),
            under * 1_000.0,
        );
        let peak = self.rows.iter().map(|row| row.peak_kib).max();
        println!("resident at most: {} KiB", peak.unwrap_or_default());
        let is_slow = judged && ratio > SLOWER;
        failed += usize::from(is_slow || !self.calm.failed.is_empty());
        println!("attacks={} failed={failed}", self.rows.len());
        failed == 0
    }
}

/// The value of a counter's label.
fn label(counter: &str) -> Option<&str> {
    counter.split('"').nth(1)
}

/// The label of that which has grown most of the counters that begin so.
fn mostly<'a>(before: &Counts, after: &'a Counts, counter: &str) -> Option<&'a str> {
    let names = after.keys().filter(|name| name.starts_with(counter));
    let most = names.max_by_key(|name| added(before, after, name))?;
    label(most)
}

/// The counters that have grown, for whoever looks for the reason.
fn grown(before: &Counts, after: &Counts) -> String {
    let grown = after.keys().filter(|name| name.contains("refused"));
    let grown = grown.filter_map(|name| {
        let by = added(before, after, name);
        let name = label(name)?;
        (by > 0).then(|| format!("{name} {by}"))
    });
    grown.collect::<Vec<_>>().join(", ")
}
