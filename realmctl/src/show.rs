//! How each answer of the daemon looks to people.

mod approvals;
mod audit;
mod backends;
mod board;
mod breakers;
mod calls;
mod doctor;
mod evidence;
mod federated;
mod grants;
mod halt;
mod local;
mod loops;
mod people;
mod policy;
mod prompts;
mod rates;
mod realms;
mod receipts;
mod stacks;
mod states;
mod status;
mod traces;

use realm_client::api::{Page, Time};
use serde::Serialize;
use serde_json::Value;

pub use board::Board;
pub(crate) use calls::payload;
pub use evidence::{RunExplained, Verdict};
pub use local::{Context, Contexts, Explained, Version};
pub use people::Login;

use crate::output::{Block, Show};

/// One line of a list.
pub trait Row: Serialize {
    /// The columns; the first `NARROW` are the most useful.
    const HEADER: &'static [&'static str];
    /// How many columns are shown unless all are asked for.
    const NARROW: usize;

    /// What `-o name` prints.
    fn name(&self) -> String;

    /// One text a column.
    fn cells(&self) -> Vec<String>;
}

impl<T: Row> Show for Page<T> {
    fn names(&self) -> Vec<String> {
        self.items.iter().map(Row::name).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![rows(&self.items, wide)]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.items
            .iter()
            .map(|item| serde_json::to_value(item).ok())
            .collect()
    }
}

fn rows<T: Row>(items: &[T], wide: bool) -> Block {
    let columns = if wide { T::HEADER.len() } else { T::NARROW };
    let header = T::HEADER.iter().take(columns).copied().collect();
    let cells = items
        .iter()
        .map(|item| item.cells().into_iter().take(columns).collect());
    Block::Table(header, cells.collect())
}

fn text(value: Option<&String>) -> String {
    value.map_or_else(|| "-".to_owned(), Clone::clone)
}

/// A moment, to the second.
fn moment(time: Time) -> String {
    let text = time.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {}", rest.chars().take(8).collect::<String>())
}

fn moment_or(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), moment)
}

/// Milliseconds in the largest unit that keeps them readable.
fn span(millis: u64) -> String {
    let (seconds, minutes, hours) = (millis / 1_000, millis / 60_000, millis / 3_600_000);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

fn span_or(millis: Option<u64>) -> String {
    millis.map_or_else(|| "-".to_owned(), span)
}

fn micros(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

/// Bytes in the largest unit that keeps them readable.
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!(
            "{}.{} MiB",
            bytes / 1_048_576,
            bytes % 1_048_576 * 10 / 1_048_576
        ),
    }
}

/// Draws a tree: each line with its branch before it.
fn tree<T>(item: &T, line: &impl Fn(&T) -> String, children: &impl Fn(&T) -> &[T]) -> String {
    fn below<T>(
        out: &mut Vec<String>,
        before: &str,
        item: &T,
        line: &impl Fn(&T) -> String,
        children: &impl Fn(&T) -> &[T],
    ) {
        let items = children(item);
        for (at, child) in items.iter().enumerate() {
            let is_last = at + 1 == items.len();
            let (branch, space) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            out.push(format!("{before}{branch}{}", line(child)));
            below(out, &format!("{before}{space}"), child, line, children);
        }
    }
    let mut out = vec![line(item)];
    below(&mut out, "", item, line, children);
    out.join("\n")
}
