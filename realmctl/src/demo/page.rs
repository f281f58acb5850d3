//! How the show looks to people: at most 100 columns.

use realm_client::api::InvokeResult;

use super::{
    half::{Half, clip},
    scene::Played,
    secrecy::Secrecy,
};
use crate::escape;

/// Columns in all.
const WIDTH: usize = 100;
/// Columns before everything but titles.
const INDENT: usize = 4;
/// Columns between the two halves of a trace.
const GAP: usize = 3;

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

/// One page of the show.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, ok: bool, title: &str) {
        let mark = if ok { "✓" } else { "✗" };
        let colour = if ok { GREEN } else { RED };
        let title = escape::line(title);
        self.text
            .push_str(&format!("{colour}{mark}{PLAIN} {BOLD}{title}{PLAIN}\n"));
    }

    fn line(&mut self, line: &str) {
        self.styled("", line);
    }

    fn styled(&mut self, style: &str, line: &str) {
        let line = escape::line(line);
        let line = clip(line.trim_end(), WIDTH - INDENT);
        let end = if style.is_empty() { "" } else { PLAIN };
        let indent = " ".repeat(INDENT);
        self.text.push_str(&format!("{indent}{style}{line}{end}\n"));
    }

    fn faults(&mut self, faults: &[String]) {
        for fault in faults {
            self.styled(RED, &format!("not as it should be: {fault}"));
        }
    }

    fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}

/// A call.
pub(super) fn call(number: usize, played: &Played) -> String {
    let mut page = Page::default();
    page.title(played.ok, &format!("{number}  {}", played.title));
    if let Some(before) = &played.before {
        page.line(&format!("first: {before}"));
    }
    page.line(&format!("{} calls {}", played.caller, played.address));
    page.line(&format!(
        "{}   {}",
        way(&played.result),
        latency(&played.result)
    ));
    for line in outcome(&played.result) {
        page.line(&line);
    }
    if let Some(denial) = &played.denial {
        page.line(&format!("policy why {} there:", denial.reference));
        let suggestion = denial.suggestion.as_deref().unwrap_or("nothing helps");
        page.line(&format!("  permit with: {suggestion}"));
    }
    page.faults(&played.faults);
    for line in halves(&played.recorded) {
        page.styled(DIM, &line);
    }
    page.finish()
}

/// The search for the secret.
pub(super) fn secrecy(secrecy: &Secrecy) -> String {
    let mut page = Page::default();
    page.title(secrecy.ok, "The patient's record stayed between the two");
    page.line(&format!(
        "{} random characters in it, sent from {}",
        secrecy.canary_bytes,
        secrecy.endpoints.join(" to ")
    ));
    page.line(&format!(
        "relays {}: no trace in {} journals",
        secrecy.relays.join(" and "),
        secrecy.relays.len()
    ));
    page.line(&format!(
        "all {} realms: no trace on disk, in {} files and {} KiB",
        secrecy.realms,
        secrecy.files,
        secrecy.bytes / 1024
    ));
    page.line("looked for: any 16 bytes of it, plain, as hex, as base64 at each alignment");
    page.line("the same search finds it where it belongs: in what the two ends' APIs give back");
    page.faults(&secrecy.faults);
    page.finish()
}

fn way(result: &InvokeResult) -> String {
    let hops = result.hops.as_deref().unwrap_or_default();
    hops.join(" → ")
}

fn latency(result: &InvokeResult) -> String {
    let links = result
        .hops
        .as_ref()
        .map(|hops| hops.len().saturating_sub(1));
    let took = result.duration_ms.map(|took| format!("{took} ms"));
    let hops = links.map(|links| format!("{links} hop{}", if links == 1 { "" } else { "s" }));
    let both: Vec<String> = hops.into_iter().chain(took).collect();
    both.join(", ")
}

fn outcome(result: &InvokeResult) -> Vec<String> {
    if let Some(output) = &result.output {
        return vec![output.to_string()];
    }
    let Some(error) = &result.error else {
        return vec!["nothing came back".to_owned()];
    };
    let at = error.realm.as_ref().map(|realm| format!(" at {realm}"));
    let name = format!("{} {}{}", error.code, error.name, at.unwrap_or_default());
    let mut lines = vec![format!("{name}: {}", error.message)];
    lines.extend(error.details.iter().map(|detail| format!("  {detail}")));
    lines
}

/// The halves of a trace, side by side.
fn halves(halves: &[Half]) -> Vec<String> {
    let room = WIDTH - INDENT;
    let column = |half: &Half, width| {
        let mut lines = vec![clip(&format!("as {} recorded it", half.realm), width)];
        lines.extend(half.lines(width));
        lines
    };
    match halves {
        [] => Vec::new(),
        [half, others @ ..] => {
            let widest = if others.is_empty() {
                room
            } else {
                (room - GAP) / 2
            };
            let left = column(half, widest);
            let width = left.iter().map(|line| line.chars().count()).max();
            let width = width.unwrap_or(0);
            let right = others.first().map(|half| column(half, room - width - GAP));
            beside(&left, &right.unwrap_or_default(), width)
        }
    }
}

fn beside(left: &[String], right: &[String], width: usize) -> Vec<String> {
    let rows = left.len().max(right.len());
    let row = |at: usize| {
        let left = left.get(at).map_or("", String::as_str);
        let right = right.get(at).map_or("", String::as_str);
        let space = " ".repeat((width + GAP).saturating_sub(left.chars().count()));
        format!("{left}{space}{right}")
    };
    (0..rows).map(row).collect()
}
