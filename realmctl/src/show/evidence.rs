//! What evidence comes to, and bids.

use realm_client::api::{BidSummary, BidderTrust, RunExplanation, Time};
use realm_evidence::{
    Account, AuditAccount, BidAccount, Contradiction, ContradictionAccount, Decision,
    EvidenceError, Fate, Finding, HeadAccount, Late, Receipt, Said, SideAccount, ViewAccount,
    ViewedBid,
};
use serde::Serialize;

use super::{Row, moment, receipts, rows, span, text};
use crate::output::{Block, Show, json_line};

/// Characters of a root's id that are shown unless all is asked for.
const BRIEF: usize = 8;

/// What a file proves, or what in it is wrong.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether nothing in it is wrong.
    pub right: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// The number, from 0, of the entry that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// What it shows.
    #[serde(flatten)]
    pub finding: Option<Finding>,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn right(finding: Finding) -> Self {
        Self {
            right: true,
            wrong: None,
            entry: None,
            finding: Some(finding),
        }
    }

    /// Something is wrong.
    pub fn wrong(error: &EvidenceError) -> Self {
        Self {
            right: false,
            wrong: Some(error.to_string()),
            entry: error.entry(),
            finding: None,
        }
    }
}

impl Show for Verdict {
    fn names(&self) -> Vec<String> {
        let name = if self.right { "right" } else { "wrong" };
        vec![name.to_owned()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let mut blocks = vec![Block::Text(match &self.wrong {
            Some(wrong) => format!("wrong: {wrong}"),
            None => "right".to_owned(),
        })];
        match &self.finding {
            Some(Finding::Transcript(account)) => blocks.extend(account_blocks(account, wide)),
            Some(Finding::View(account)) => blocks.extend(view_blocks(account, wide)),
            Some(Finding::Receipt(receipt)) => blocks.push(Block::Fields(receipt_fields(receipt))),
            Some(Finding::Audit(account)) => blocks.push(Block::Fields(audit_fields(account))),
            Some(Finding::Contradiction(account)) => {
                blocks.push(Block::Fields(contradiction_fields(account)));
            }
            Some(Finding::Calls(account)) => blocks.extend(receipts::blocks(account, wide)),
            None => {}
        }
        blocks
    }
}

/// Why a run is where it is, and of a broadcast also who bid, who won and why.
#[derive(Clone, Debug, Serialize)]
pub struct RunExplained {
    /// Why it is where it is.
    #[serde(flatten)]
    pub explanation: RunExplanation,
    /// The broadcast that it announced, recomputed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Account>,
    /// Those that its steps announced, each a run of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub announced: Vec<Account>,
}

impl Show for RunExplained {
    fn names(&self) -> Vec<String> {
        self.explanation.names()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let mut blocks = self.explanation.blocks(wide);
        for account in self.broadcast.iter().chain(&self.announced) {
            blocks.extend(account_blocks(account, wide));
        }
        blocks
    }
}

fn account_blocks(account: &Account, wide: bool) -> Vec<Block> {
    let ending = account.ending.unwrap_or("under way");
    let mut fields = vec![
        ("broadcast", account.broadcast.to_string()),
        ("loop", account.loop_id.clone()),
        ("announcer", place(&account.announcer, wide)),
        (
            "announced",
            moment(Time::from_millis(account.announced.as_millis())),
        ),
        (
            "rule",
            format!("{}, then {}", account.selection, account.strategy),
        ),
        ("ending", ending.to_owned()),
    ];
    fields.extend(account.reason.clone().map(|reason| ("reason", reason)));
    let output = account.output.as_ref();
    let output = output.and_then(|output| json_line(output).ok());
    fields.extend(output.map(|output| ("output", output.trim_end().to_owned())));
    let informed: Vec<String> = account.informed.iter().map(|it| place(it, wide)).collect();
    let short = account.sides.iter().filter(|it| it.short);
    fields.extend(short.map(|it| ("short", short_of(it, wide))));
    fields.push(("got the input", informed.join(", ")));
    fields.extend(cited(account, wide).map(|cited| ("cited", cited)));
    let decisions = account.decisions.iter();
    fields.extend(decisions.map(|it| ("decided", decided(it, wide))));
    fields.extend(account.late.iter().map(|it| ("late", late(it, wide))));
    for (said, slots) in [
        ("confirmed", &account.confirmed),
        ("silent", &account.silent),
    ] {
        if !slots.is_empty() {
            fields.push((said, holders(account, slots, wide)));
        }
    }
    fields.extend(below(account.confirmed_below, account.silent_below).map(|told| ("below", told)));
    fields.push(checked(account.entries, account.signatures));
    vec![Block::Fields(fields), rows(&account.bids, wide)]
}

fn view_blocks(account: &ViewAccount, wide: bool) -> Vec<Block> {
    let mut fields = vec![
        ("broadcast", account.broadcast.to_string()),
        ("loop", account.loop_id.clone()),
        ("announcer", place(&account.announcer, wide)),
        ("seen by", account.reader.to_string()),
        (
            "announced",
            moment(Time::from_millis(account.announced.as_millis())),
        ),
        (
            "rule",
            format!("{}, then {}", account.selection, account.strategy),
        ),
        ("ending", account.ending.to_owned()),
    ];
    let sentences = |name: &'static str, said: &[String]| {
        said.iter()
            .map(|said| (name, said.clone()))
            .collect::<Vec<_>>()
    };
    fields.extend(sentences("recomputed", &account.recomputed));
    fields.extend(sentences("not proven", &account.unproven));
    fields.push(checked(account.entries, account.signatures));
    vec![Block::Fields(fields), rows(&account.bids, wide)]
}

fn checked(entries: u64, signatures: u64) -> (&'static str, String) {
    (
        "checked",
        format!("{entries} entries, {signatures} signatures"),
    )
}

impl Row for ViewedBid {
    const HEADER: &'static [&'static str] = &[
        "RANK",
        "REALM",
        "PRICE",
        "TIME",
        "FATE",
        "WHY",
        "AGENT",
        "CONFIDENCE",
        "BID",
    ];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.bid.to_string()
    }

    fn cells(&self) -> Vec<String> {
        let said = |cell: fn(&Said) -> String| text(self.said.as_ref().map(cell).as_ref());
        vec![
            self.rank.to_string(),
            said(|it| place(&it.realm, false)),
            said(|it| price(it.currency.as_ref(), it.price_micros)),
            said(|it| span(it.time_ms)),
            fate(&self.fate),
            self.why.clone(),
            said(|it| it.agent.clone()),
            said(|it| share(it.confidence)),
            self.bid.to_string(),
        ]
    }
}

/// How many below the holders have stopped, where there are any.
pub(super) fn below(confirmed: u64, silent: u64) -> Option<String> {
    (confirmed.saturating_add(silent) > 0)
        .then(|| format!("{confirmed} confirmed, {silent} silent"))
}

/// A side from which fewer bids came than were told of.
fn short_of(side: &SideAccount, wide: bool) -> String {
    let (realm, came) = (place(&side.realm, wide), side.came);
    match side.told {
        Some(told) => format!("{realm} told of {told} bids, and {came} came from there"),
        None => format!("{realm} told nothing, and {came} bids came from there"),
    }
}

/// A person's word about one slot.
fn decided(decision: &Decision, wide: bool) -> String {
    let (slot, epoch) = (decision.slot, decision.epoch);
    let said = match decision.again {
        true => "given out again",
        false => "given up",
    };
    format!(
        "{}, slot {slot}, epoch {epoch}: {said}",
        place(&decision.realm, wide)
    )
}

/// An outcome that came too late, and what it costs.
fn late(late: &Late, wide: bool) -> String {
    let (who, end) = (place(&late.realm, wide), late.end);
    let (slot, epoch) = (late.slot, late.epoch);
    let charged = match late.charged_micros {
        0 => "nothing".to_owned(),
        micros => price(late.currency.as_ref(), micros),
    };
    let unpaid = late
        .wrong
        .map(|wrong| format!(", is paid nothing: {wrong}"));
    let unpaid = unpaid.unwrap_or_default();
    format!("{who}, slot {slot}, epoch {epoch}: {end}, not used, charges {charged}{unpaid}")
}

/// Who held these slots last.
fn holders(account: &Account, slots: &[u64], wide: bool) -> String {
    let held =
        |bid: &&BidAccount| matches!(bid.fate, Fate::Won { slot, .. } if slots.contains(&slot));
    let holders: Vec<String> = account
        .bids
        .iter()
        .filter(held)
        .map(|bid| place(&bid.said.realm, wide))
        .collect();
    holders.join(", ")
}

/// What everybody who won was to the output: `contributed: …; dissented: …`.
fn cited(account: &Account, wide: bool) -> Option<String> {
    let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
    for slot in &account.slots {
        let bidder = account.bids.iter().find(|bid| bid.bid == slot.bid);
        let bidder =
            bidder.map_or_else(|| slot.bid.to_string(), |bid| place(&bid.said.realm, wide));
        match parts.iter_mut().find(|(part, _)| *part == slot.part) {
            Some((_, bidders)) => bidders.push(bidder),
            None => parts.push((slot.part, vec![bidder])),
        }
    }
    let parts = parts.iter();
    let parts =
        parts.map(|(part, bidders)| format!("{}: {}", part.to_lowercase(), bidders.join(", ")));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

impl Row for BidAccount {
    const HEADER: &'static [&'static str] = &[
        "RANK",
        "REALM",
        "PRICE",
        "TIME",
        "FATE",
        "WHY",
        "AGENT",
        "CONFIDENCE",
        "SCORE",
        "BID",
    ];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.bid.to_string()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.rank.to_string(),
            place(&self.said.realm, false),
            price(self.said.currency.as_ref(), self.said.price_micros),
            span(self.said.time_ms),
            fate(&self.fate),
            self.why.clone(),
            self.said.agent.clone(),
            share(self.said.confidence),
            text(self.score.map(|score| score.to_string()).as_ref()),
            self.bid.to_string(),
        ]
    }
}

impl Show for BidAccount {
    fn names(&self) -> Vec<String> {
        vec![self.bid.to_string()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        vec![Block::Fields(vec![
            ("bid", self.bid.to_string()),
            ("realm", place(&self.said.realm, wide)),
            ("agent", self.said.agent.clone()),
            (
                "price",
                price(self.said.currency.as_ref(), self.said.price_micros),
            ),
            ("time", span(self.said.time_ms)),
            ("confidence", share(self.said.confidence)),
            ("rank", self.rank.to_string()),
            ("fate", fate(&self.fate)),
            ("why", self.why.clone()),
        ])]
    }
}

impl Row for BidderTrust {
    const HEADER: &'static [&'static str] = &["BIDDER", "TRUST", "NEWCOMERS", "WHY"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.realm_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let events = self.events.iter().rev();
        let why: Vec<String> = events
            .map(|it| format!("{} {} -> {}", moment(it.at), it.conduct, share(it.trust)))
            .collect();
        let newcomers = text(self.newcomers.map(share).as_ref());
        vec![
            self.realm_id.clone(),
            share(self.trust),
            newcomers,
            why.join(", "),
        ]
    }
}

impl Row for BidSummary {
    const HEADER: &'static [&'static str] = &[
        "BID",
        "LOOP",
        "ANNOUNCER",
        "PRICE",
        "TIME",
        "MADE",
        "AWARDED",
        "CLOSED",
        "AGENT",
        "BROADCAST",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        self.bid.clone()
    }

    fn cells(&self) -> Vec<String> {
        let whether = |it: bool| if it { "yes" } else { "no" }.to_owned();
        vec![
            self.bid.clone(),
            self.loop_id.clone(),
            self.announcer.clone(),
            price(self.currency.as_ref(), self.price_micros),
            span(self.time_ms),
            moment(self.created_at),
            whether(self.awarded),
            whether(self.closed),
            self.agent.clone(),
            self.broadcast_id.clone(),
        ]
    }
}

fn receipt_fields(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("bid", receipt.bid.to_string()),
        ("broadcast", receipt.broadcast.to_string()),
        ("loop", receipt.loop_id.clone()),
        ("announcer", place(&receipt.announcer, false)),
        ("agent", receipt.said.agent.clone()),
        (
            "price",
            price(receipt.said.currency.as_ref(), receipt.said.price_micros),
        ),
        ("time", span(receipt.said.time_ms)),
        ("confidence", share(receipt.said.confidence)),
    ];
    let Some(standing) = &receipt.standing else {
        let due = moment(Time::from_millis(receipt.close_due.as_millis()));
        fields.push((
            "close",
            format!(
                "none obtained yet, and asked for from {due} on; nothing proves that the bid counted"
            ),
        ));
        return fields;
    };
    let winners: Vec<String> = standing.winners.iter().map(|it| place(it, false)).collect();
    let closed = Time::from_millis(standing.closed.as_millis());
    fields.extend([
        ("closed", moment(closed)),
        ("counted", format!("yes, as one of {}", standing.counted)),
        ("rank", standing.rank.to_string()),
        ("winners", winners.join(", ")),
        ("why", standing.why.clone()),
    ]);
    fields
}

fn audit_fields(account: &AuditAccount) -> Vec<(&'static str, String)> {
    let time = |millis| moment(Time::from_millis(millis));
    let since = account.since.map(|at| time(at.as_millis()));
    let until = account.until.map(|at| time(at.as_millis()));
    let last = account.count.saturating_sub(1);
    vec![
        ("realm", account.realm.to_string()),
        ("entries", format!("{} to {last}", account.first)),
        ("shown", account.shown.to_string()),
        ("erased", account.erased.to_string()),
        ("only digests", account.hidden.to_string()),
        ("from", text(since.as_ref())),
        ("to", text(until.as_ref())),
        ("signed", time(account.signed.as_millis())),
        ("root", account.root.to_string()),
        ("heads checked", account.heads.to_string()),
    ]
}

fn contradiction_fields(account: &ContradictionAccount) -> Vec<(&'static str, String)> {
    let time = |millis| moment(Time::from_millis(millis));
    let head = |head: &HeadAccount| {
        let signed = time(head.signed.as_millis());
        format!(
            "{} entries, root {}, signed {signed}",
            head.count, head.root
        )
    };
    let how = match account.how {
        Contradiction::Shorter => "the audit log was cut short, or an old one was put back",
        Contradiction::Other => "the audit log was told anew",
    };
    vec![
        ("realm", account.realm.to_string()),
        ("shows", how.to_owned()),
        ("first", head(&account.known)),
        ("then", head(&account.shown)),
        ("shown to the witness", time(account.at.as_millis())),
    ]
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Won {
            slot,
            end: Some(end),
            ..
        } => format!("won slot {slot}: {end}"),
        Fate::Won { slot, .. } => format!("won slot {slot}"),
        Fate::Declined { slot, answer, .. } => format!("declined slot {slot}: {answer}"),
        Fate::Unconfirmed { slot, .. } => format!("slot {slot} not confirmed"),
        Fate::Standby => "standby".to_owned(),
        Fate::Lost => "lost".to_owned(),
    }
}

/// A price with as many places as it has, and at least two.
pub(super) fn price(currency: Option<&String>, micros: u64) -> String {
    let Some(currency) = currency else {
        return "-".to_owned();
    };
    let places = format!("{:06}", micros % 1_000_000);
    let (cents, rest) = places.split_at(2);
    let rest = rest.trim_end_matches('0');
    format!("{currency} {}.{cents}{rest}", micros / 1_000_000)
}

fn share(micros: u64) -> String {
    let places = format!("{:06}", micros % 1_000_000);
    let places = places.trim_end_matches('0');
    match places.is_empty() {
        true => (micros / 1_000_000).to_string(),
        false => format!("{}.{places}", micros / 1_000_000),
    }
}

/// A realm by root and path; the root's id cut short unless all is asked for.
pub(super) fn place(text: &str, wide: bool) -> String {
    let (root, path) = text.split_once('/').unwrap_or((text, ""));
    if wide {
        return text.to_owned();
    }
    let root: String = root.chars().take(BRIEF).collect();
    match path.is_empty() {
        true => format!("{root}…"),
        false => format!("{root}…/{path}"),
    }
}
