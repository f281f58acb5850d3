//! How the show looks to people: at most 100 columns.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use realm_client::api::InvokeResult;

use super::{
    half::Half,
    market::Traded,
    scene::Played,
    secrecy::Secrecy,
    story::{PEERS, ROLES, Role},
};
use crate::escape;

/// Columns in all.
const WIDTH: usize = 100;
/// Columns before everything but titles.
const INDENT: usize = 4;
/// Columns between the two halves of a trace.
const GAP: usize = 3;
/// Lines of an output at most.
const OUTPUT_LINES: usize = 3;

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

/// Who there is.
pub(super) fn cast(folder: &str) -> String {
    let mut page = Page::default();
    let (one, other) = PEERS;
    let title = format!("Two organisations, {other} and {one}, peered; seven realmd processes");
    page.title(true, &title);
    page.styled(DIM, &format!("on loopback, in {folder}"));
    for role in ROLES {
        page.line(&member(role));
    }
    page.finish()
}

fn member(role: &Role) -> String {
    let depth = role.name.matches('/').count();
    let label = role.name.rsplit('/').next().unwrap_or(role.name);
    let name = format!("{}{label}", "   ".repeat(depth));
    let loops = role
        .loops
        .iter()
        .map(|one| format!("{}, {}", one.id, one.agent));
    format!("{name:20}{}", loops.collect::<Vec<_>>().join("; "))
}

/// A call.
pub(super) fn call(number: usize, played: &Played) -> String {
    let mut page = Page::default();
    page.title(played.ok, &format!("{number}  {}", played.title));
    if let Some(before) = &played.before {
        page.line(&format!("first: {before}"));
    }
    page.line(&format!("{} calls {}", played.caller, played.address));
    page.line(&way(&played.result));
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
    if secrecy.ok {
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
        page.line(
            "the same search finds it where it belongs: in what the two ends' APIs give back",
        );
    }
    page.faults(&secrecy.faults);
    page.finish()
}

/// Work without an address, and the death of its winner.
pub(super) fn market(traded: &Traded) -> String {
    let Traded {
        loop_id,
        announcer,
        killed,
        next,
        result,
        ..
    } = traded;
    let mut page = Page::default();
    page.title(
        traded.ok,
        "Work without an address, and its winner is killed at it",
    );
    page.line(&format!(
        "{announcer} announces {loop_id} to the other organisation; {} bids",
        result.bids
    ));
    page.line(&format!(
        "{killed} asks for less and wins; kill -9 while it works, and it is started again"
    ));
    page.line(&format!(
        "{next} takes over, under the same idempotency key   {} ms",
        result.duration_ms
    ));
    if let Some(output) = &result.output {
        for line in wrap(&output.to_string()) {
            page.line(&line);
        }
    }
    page.faults(&traded.faults);
    if let Some(account) = &traded.account {
        for bid in &account.bids {
            let line = format!("{}  {}", bid.rank, bid.why);
            page.styled(DIM, &line);
        }
        page.styled(
            DIM,
            &format!(
                "recomputed from its transcript: {} entries, {} signatures",
                account.entries, account.signatures
            ),
        );
    }
    page.finish()
}

/// The realms on the way, how far the call came, and how long it took.
fn way(result: &InvokeResult) -> String {
    let hops = result.hops.as_deref().unwrap_or_default();
    let raised = result.error.as_ref().and_then(|error| error.realm.as_ref());
    let end = raised.and_then(|raised| hops.iter().position(|hop| hop == raised));
    let links = end.unwrap_or(hops.len().saturating_sub(1));
    let (come, not) = hops.split_at_checked(links + 1).unwrap_or((hops, &[]));
    let mut way = come.join(" → ");
    for hop in not {
        way.push_str(&format!(" ✗ {hop}"));
    }
    let plural = if links == 1 { "" } else { "s" };
    let took = result.duration_ms.map(|took| format!(", {took} ms"));
    format!("{way}   {links} hop{plural}{}", took.unwrap_or_default())
}

/// Where everything is that was left running, and how to use and end it.
pub(super) fn kept(homes: &BTreeMap<&str, PathBuf>, stop: &Path) -> String {
    let mut page = Page::default();
    page.title(true, "Left running");
    let width = homes.keys().map(|name| name.len()).max().unwrap_or(0);
    for (name, home) in homes {
        page.line(&format!("{name:width$}   {}", home.display()));
    }
    page.line("to use one:   realmctl --home HOME status");
    page.line(&format!("to end all:   {}", stop.display()));
    page.finish()
}

fn outcome(result: &InvokeResult) -> Vec<String> {
    if let Some(output) = &result.output {
        return wrap(&output.to_string());
    }
    let Some(error) = &result.error else {
        return vec!["nothing came back".to_owned()];
    };
    let at = error.realm.as_ref().map(|realm| format!(" at {realm}"));
    let name = format!("{}{}", error.name, at.unwrap_or_default());
    let mut line = format!("{} {name}", error.code);
    if error.message != name {
        line.push_str(&format!(": {}", error.message));
    }
    let mut lines = vec![line];
    lines.extend(error.details.iter().map(|detail| format!("  {detail}")));
    lines
}

/// A text in as many lines as it needs, up to a bound; broken after commas where it has any.
fn wrap(text: &str) -> Vec<String> {
    let room = WIDTH - INDENT;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in text.split_inclusive(',') {
        if !line.is_empty() && line.chars().count() + part.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(part);
    }
    lines.push(line);
    if lines.len() > OUTPUT_LINES {
        lines.truncate(OUTPUT_LINES);
        lines.push("…".to_owned());
    }
    lines
}

/// The halves of a trace, side by side; each as wide as it needs, if the other leaves the room.
fn halves(halves: &[Half]) -> Vec<String> {
    let mut columns = halves.iter().map(Half::lines);
    let left = columns.next().unwrap_or_default();
    let right = columns.next().unwrap_or_default();
    let room = WIDTH - INDENT - GAP;
    let spared = room.saturating_sub(widest(&right).min(room / 2));
    let width = widest(&left).min(spared);
    let left: Vec<String> = left.iter().map(|line| clip(line, width)).collect();
    beside(&left, &right, width)
}

fn widest(lines: &[String]) -> usize {
    let widths = lines.iter().map(|line| line.chars().count());
    widths.max().unwrap_or(0)
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

/// Shortens a line to so many characters.
fn clip(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
