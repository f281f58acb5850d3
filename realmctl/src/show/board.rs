//! Runs that are watched: what their events have told so far, and the lines that show it at a moment.

use std::collections::{BTreeMap, VecDeque};

use realm_client::api::{Time, TraceEvent};
use serde_json::Value;

use super::{payload, span};
use crate::escape;

/// Bids shown of one broadcast; of more, those that have won and the last of the others.
const BIDS: usize = 12;
/// Other events shown of one run; older ones make room.
const EVENTS: usize = 4;

/// Runs that are watched.
#[derive(Debug, Default)]
pub struct Board {
    began: Option<Time>,
    /// In the order in which they are drawn: each before those that it announced.
    runs: Vec<Watched>,
}

/// What is known of one run.
#[derive(Debug, Default)]
struct Watched {
    run: String,
    name: String,
    /// How many watched runs led to it.
    depth: usize,
    /// What happened besides bids and work.
    told: VecDeque<String>,
    /// Until when bids are taken, once it is announced.
    until: Option<Time>,
    bids: Vec<Bid>,
    /// The bid that each slot was last awarded to.
    slots: BTreeMap<u64, String>,
    /// Why no more bids are taken.
    closed: Option<String>,
    ending: Option<String>,
}

/// One bid, and what became of it.
#[derive(Debug)]
struct Bid {
    digest: String,
    offer: String,
    state: State,
}

/// Where a bid stands.
#[derive(Clone, Debug)]
enum State {
    Offered,
    Awarded,
    Unconfirmed,
    /// It holds a lease.
    Works {
        since: Time,
        /// How long it has before it must have said that it still works.
        until: Time,
        /// How much is done, of one, if its holder says so.
        done: Option<f64>,
        /// What the work has announced in its turn, if its holder says so.
        announced: Option<String>,
    },
    /// How it ended, and how long it took in milliseconds.
    Ended(String, u64),
}

impl Board {
    /// A board that shows one run.
    pub fn new(run: &str) -> Self {
        let first = Watched {
            run: run.to_owned(),
            ..Watched::default()
        };
        Self {
            began: None,
            runs: vec![first],
        }
    }

    /// Shows one more run, below the one that announced it.
    pub fn announced(&mut self, run: &str, name: &str, parent: &str) {
        let above = self.runs.iter().position(|it| it.run == parent);
        let (place, depth) = match above {
            None => (self.runs.len(), 0),
            Some(above) => {
                let depth = self.runs.get(above).map_or(0, |it| it.depth);
                let below = self.runs.iter().skip(above.saturating_add(1));
                let below = below.take_while(|it| it.depth > depth).count();
                let place = above.saturating_add(below).saturating_add(1);
                (place, depth.saturating_add(1))
            }
        };
        let watched = Watched {
            run: run.to_owned(),
            name: escape::line(name),
            depth,
            ..Watched::default()
        };
        self.runs.insert(place, watched);
    }

    /// Takes up an event of a run that is shown; gives the line that tells it where nothing is drawn.
    pub fn take(&mut self, run: &str, event: &TraceEvent) -> Option<String> {
        let began = *self.began.get_or_insert(event.ts);
        let after = event.ts.since(began);
        let watched = self.runs.iter_mut().find(|it| it.run == run)?;
        if watched.name.is_empty() && event.kind == "call.started" {
            watched.name = escape::line(&text(event, "loopId"));
        }
        // What proves the rest to whoever examines it, and tells people nothing.
        if matches!(
            event.kind.as_str(),
            "broadcast.planned" | "broadcast.proved"
        ) {
            return None;
        }
        let mut members = event.payload.clone();
        if let Value::Object(members) = &mut members {
            members.retain(|name, _| name != "entry");
        }
        let told = escape::line(format!("{}  {}", event.kind, payload(&members)).trim_end());
        if !watched.take(event) {
            watched.told.push_back(format!("{after:>6} ms  {told}"));
            if watched.told.len() > EVENTS {
                watched.told.pop_front();
            }
        }
        let of = match watched.depth {
            0 => String::new(),
            _ => format!("{}: ", watched.name),
        };
        Some(format!("{after:>6} ms  {of}{told}"))
    }

    /// What a terminal shows at a moment.
    pub fn lines(&self, now: Time) -> Vec<String> {
        let mut lines = Vec::new();
        for watched in &self.runs {
            watched.draw(now, &mut lines);
        }
        lines
    }
}

impl Watched {
    /// Takes up what the list of bids shows; tells whether it shows this.
    fn take(&mut self, event: &TraceEvent) -> bool {
        let slot = number(event, "slot");
        match event.kind.as_str() {
            "broadcast.announced" => {
                self.until = Some(later(event.ts, number(event, "windowMs")));
                self.closed = None;
            }
            "broadcast.bid" => {
                let time = span(number(event, "timeMs"));
                let price = Some(text(event, "price")).filter(|it| !it.is_empty());
                let price = price.unwrap_or_else(|| "free".to_owned());
                let offer = format!("{:<24} {price:<14} {time:>10}", text(event, "realm"));
                self.bids.push(Bid {
                    digest: text(event, "bid"),
                    offer: escape::line(&offer),
                    state: State::Offered,
                });
            }
            "broadcast.closed" => self.closed = Some(escape::line(&text(event, "cause"))),
            "broadcast.awarded" => {
                self.slots.insert(slot, text(event, "bid"));
                self.set(slot, |_| State::Awarded);
            }
            "broadcast.answered" if text(event, "answer") == "Reserved" => {}
            "broadcast.answered" => self.set(slot, |_| State::Unconfirmed),
            "broadcast.leased" => {
                let until = later(event.ts, number(event, "leaseMs"));
                let done = event.payload["done"].as_f64();
                self.set(slot, |state| State::Works {
                    since: match state {
                        State::Works { since, .. } => *since,
                        _ => event.ts,
                    },
                    until,
                    done,
                    announced: offshoots(&event.payload["offshoots"]),
                });
            }
            "broadcast.ended" => {
                let end = escape::line(&text(event, "end"));
                self.set(slot, |state| match state {
                    State::Works { since, .. } => State::Ended(end, event.ts.since(*since)),
                    _ => State::Ended(end, 0),
                });
            }
            "broadcast.finished" => self.ending = Some(escape::line(&text(event, "ending"))),
            _ => return false,
        }
        true
    }

    /// Changes the state of the bid that holds a slot.
    fn set(&mut self, slot: u64, change: impl FnOnce(&State) -> State) {
        let holder = self.slots.get(&slot);
        if let Some(bid) = self.bids.iter_mut().find(|bid| Some(&bid.digest) == holder) {
            bid.state = change(&bid.state);
        }
    }

    fn draw(&self, now: Time, lines: &mut Vec<String>) {
        let space = "  ".repeat(self.depth);
        lines.push(format!("{space}{}", self.head(now)));
        lines.extend(self.told.iter().map(|told| format!("{space}  {told}")));
        let shown = self.shown();
        let hidden = self.bids.len().saturating_sub(shown.len());
        lines.extend(shown.into_iter().map(|bid| {
            let line = format!("{space}  {}  {}", bid.offer, bid.state.text(now));
            line.trim_end().to_owned()
        }));
        if hidden > 0 {
            lines.push(format!("{space}  … {hidden} more"));
        }
    }

    fn head(&self, now: Time) -> String {
        let name = &self.name;
        let count = match self.bids.len() {
            1 => "1 bid".to_owned(),
            many => format!("{many} bids"),
        };
        match (self.until, &self.closed, &self.ending) {
            (None, ..) => name.clone(),
            (.., Some(ending)) => format!("{name}: {count}, {ending}"),
            (_, Some(closed), None) => format!("{name}: {count}, no more are taken ({closed})"),
            (Some(until), None, None) => {
                let left = span(until.since(now));
                format!("{name}: {count}, {left} left for more")
            }
        }
    }

    /// The bids that there is room for: those that have won, and the last of the others.
    fn shown(&self) -> Vec<&Bid> {
        let (mut shown, others): (Vec<&Bid>, Vec<&Bid>) = self
            .bids
            .iter()
            .partition(|bid| !matches!(bid.state, State::Offered));
        shown.truncate(BIDS);
        let room = BIDS.saturating_sub(shown.len());
        let skipped = others.len().saturating_sub(room);
        shown.extend(others.into_iter().skip(skipped));
        shown
    }
}

impl State {
    fn text(&self, now: Time) -> String {
        match self {
            Self::Offered => String::new(),
            Self::Awarded => "won, asked to confirm".to_owned(),
            Self::Unconfirmed => "won, not confirmed".to_owned(),
            Self::Works {
                since,
                until,
                done,
                announced,
            } => {
                let (at_work, left) = (span(now.since(*since)), span(until.since(now)));
                let done = done.map(|done| format!(", {:.0} % done", done * 100.0));
                let done = done.unwrap_or_default();
                let announced = announced.as_deref().unwrap_or_default();
                format!("at work for {at_work}{done}, lease for {left} more{announced}")
            }
            Self::Ended(end, took) => format!("{end} after {}", span(*took)),
        }
    }
}

/// What a holder says that its work has announced in its turn: `, announced 3: 1 under way, 2 with an output`.
fn offshoots(told: &Value) -> Option<String> {
    let states = [
        ("underWay", "under way"),
        ("given", "with an output"),
        ("failed", "without one"),
    ];
    let counted = states.map(|(name, state)| (told[name].as_u64().unwrap_or(0), state));
    let all: u64 = counted.iter().map(|(count, _)| count).sum();
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    let states: Vec<String> = counted
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    (all > 0).then(|| format!(", announced {all}: {}", states.join(", ")))
}

fn text(event: &TraceEvent, name: &str) -> String {
    event.payload[name].as_str().unwrap_or_default().to_owned()
}

fn number(event: &TraceEvent, name: &str) -> u64 {
    event.payload[name].as_u64().unwrap_or(0)
}

fn later(time: Time, millis: u64) -> Time {
    Time::from_millis(time.as_millis().saturating_add(millis))
}
