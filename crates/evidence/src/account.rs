//! A broadcast told from its transcript: who bid, who won and why, and what came of it.

use std::collections::BTreeMap;

use realm_broadcast::{
    Citation,
    announcer::{self, Recomputed},
    log::{End, Entry},
};
use realm_protocol::{
    BroadcastId, Digest, FailureCode, Place, Timestamp,
    broadcast::{Announcement, Bid, Rule, Selection},
    json,
};
use serde::Serialize;
use serde_json::Value;

/// A broadcast as it was recomputed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who announced, as root and path.
    pub announcer: String,
    /// The loop whose work it was.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// When it was announced.
    pub announced: Timestamp,
    /// The published rule: `Best`, `Weighted`, ….
    pub selection: &'static str,
    /// How results are made one: `Select`, `Consensus`, ….
    pub strategy: &'static str,
    /// Every bid that counted, in rank order.
    pub bids: Vec<BidAccount>,
    /// What was heard from neighbours that the announcement was passed to.
    pub sides: Vec<SideAccount>,
    /// Everybody who got the input, in the order in which they did.
    pub informed: Vec<String>,
    /// How it ended; none while it is under way.
    pub ending: Option<&'static str>,
    /// Its output, if it has one.
    pub output: Option<Value>,
    /// Why it has none.
    pub reason: Option<String>,
    /// What every slot was to the outcome.
    pub slots: Vec<Slot>,
    /// What people said of work that may have begun, in the order in which they did.
    pub decisions: Vec<Decision>,
    /// Outcomes that came too late to be used, and what they charge.
    pub late: Vec<Late>,
    /// After a cancel, slots whose holders said that they stopped.
    pub confirmed: Vec<u64>,
    /// After a cancel, slots whose holders did not say so in time.
    pub silent: Vec<u64>,
    /// After a cancel, how many of those that worked for the confirmed ones in turn said that they stopped, by
    /// these ones' signed word.
    pub confirmed_below: u64,
    /// After a cancel, how many of those did not say so in time.
    pub silent_below: u64,
    /// Entries that were checked.
    pub entries: u64,
    /// Signatures that were checked.
    pub signatures: u64,
}

/// Why one bid won or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BidAccount {
    /// Its rank, from 1.
    pub rank: u64,
    /// Its digest.
    pub bid: Digest,
    /// What it says.
    #[serde(flatten)]
    pub said: Said,
    /// Its score, where the rule has weights.
    pub score: Option<u64>,
    /// What became of it.
    pub fate: Fate,
    /// Why, by the rule, in a sentence.
    pub why: String,
}

/// What a bid says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Who bid, as root and path.
    pub realm: String,
    /// The bidder's agent.
    pub agent: String,
    /// Currency of the price; none for nothing.
    pub currency: Option<String>,
    /// Price in millionths.
    pub price_micros: u64,
    /// Time to the result, milliseconds.
    pub time_ms: u64,
    /// Confidence, in millionths.
    pub confidence: u64,
}

impl Said {
    pub(crate) fn of(bid: &Bid) -> Self {
        Self {
            realm: text(&bid.bidder),
            agent: bid.agent.to_string(),
            currency: bid.price.as_ref().map(|price| price.currency.clone()),
            price_micros: bid.micros(),
            time_ms: bid.time_ms,
            confidence: bid.confidence,
        }
    }
}

/// What became of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum Fate {
    /// It won a slot.
    Won {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
        /// How its lease ended; none while it has not.
        end: Option<&'static str>,
    },
    /// It was awarded a slot, and its bidder answered so; no lease followed.
    Declined {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
        /// The answer: `Busy`, `Expired`, ….
        answer: &'static str,
    },
    /// It was awarded a slot, and no answer has come.
    Unconfirmed {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// It stood among the winners or standbys, and no slot was left for it.
    Standby,
    /// It stood behind all of them.
    Lost,
}

/// Who held a slot last, and what it was to the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// The slot.
    pub slot: u64,
    /// The holder's bid.
    pub bid: Digest,
    /// Its signed outcome, if it gave one.
    pub outcome: Option<Digest>,
    /// `Contributed`, `Dissented`, `Failed`, ….
    pub part: &'static str,
    /// Why it has no output.
    pub failure: Option<&'static str>,
}

/// What was heard from a neighbour, and of bids of its side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideAccount {
    /// The neighbour, as root and path.
    pub realm: String,
    /// Realms there that were asked, as it says; none where it has not answered.
    pub asked: Option<u64>,
    /// Bids that they have sent, as it says, as many as may count.
    pub told: Option<u64>,
    /// Bids that came from there, as many as may count.
    pub came: u64,
    /// Whether the time for bids ended before it had answered, or before as many had come as it told of.
    pub short: bool,
}

/// An outcome that came when its lease was no longer waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Late {
    /// The slot.
    pub slot: u64,
    /// The epoch of its lease.
    pub epoch: u64,
    /// Whose it is, as root and path.
    pub realm: String,
    /// The bid that had won the lease.
    pub bid: Digest,
    /// The signed outcome.
    pub outcome: Digest,
    /// How the work ended, as its holder says: `Done`, `NotBegun` or `Failed`.
    pub end: &'static str,
    /// Why nothing is paid for it, where it is not what was agreed on: `Overcharged`, `Mismatched` or `Forged`.
    pub wrong: Option<&'static str>,
    /// Currency of what it charges; none for nothing.
    pub currency: Option<String>,
    /// What it charges, in millionths.
    pub charged_micros: u64,
    /// When it came.
    pub at: Timestamp,
}

/// What a person said of work that may have begun and must not be done twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The slot.
    pub slot: u64,
    /// The epoch of the lease that it was about.
    pub epoch: u64,
    /// Who held it, as root and path.
    pub realm: String,
    /// The bid that had won the lease.
    pub bid: Digest,
    /// Whether the work was given out again; nobody may have been there to say so.
    pub again: bool,
    /// When.
    pub at: Timestamp,
}

impl Account {
    pub(crate) fn new(
        announcement: &Announcement,
        entries: &[Entry],
        recomputed: &Recomputed,
        signatures: u64,
    ) -> Self {
        let bids: Vec<(Digest, Bid)> = entries.iter().filter_map(counted).collect();
        let answers: BTreeMap<(u64, u64), &'static str> =
            entries.iter().filter_map(answered).collect();
        let told = recomputed.accounts.iter().filter_map(|account| {
            let (_, bid) = bids.iter().find(|(digest, _)| *digest == account.bid)?;
            let fate = fate(account.fate, &answers);
            Some(told(account, bid, fate, announcement, recomputed))
        });
        let conclusion = recomputed.conclusion.as_ref();
        let output = conclusion.and_then(|it| it.output.as_deref());
        Self {
            broadcast: announcement.broadcast,
            announcer: text(&announcement.announcer),
            loop_id: announcement.loop_id.to_string(),
            announced: announcement.created,
            selection: announcement.rule.selection.name(),
            strategy: announcement.aggregation.strategy.name(),
            bids: told.collect(),
            sides: entries.iter().flat_map(sides).collect(),
            informed: recomputed.informed.iter().map(text).collect(),
            ending: conclusion.map(|it| it.ending.name()),
            output: output.and_then(|output| json::parse(output).ok()),
            reason: conclusion.and_then(|it| it.reason.clone()),
            slots: conclusion.map_or_else(Vec::new, |it| it.citations.iter().map(slot).collect()),
            decisions: decisions(entries, &bids),
            late: entries.iter().filter_map(|it| late(it, &bids)).collect(),
            confirmed: conclusion.map_or_else(Vec::new, |it| it.confirmed.clone()),
            silent: conclusion.map_or_else(Vec::new, |it| it.silent.clone()),
            confirmed_below: recomputed.stopped_below.confirmed,
            silent_below: recomputed.stopped_below.silent,
            entries: entries.len() as u64,
            signatures,
        }
    }
}

fn counted(entry: &Entry) -> Option<(Digest, Bid)> {
    match entry {
        Entry::Counted(it) => Some((it.bid.digest(), it.bid.peek().ok()?)),
        _ => None,
    }
}

/// What was heard from each side, by the entry that ended the bidding.
fn sides(entry: &Entry) -> Vec<SideAccount> {
    let Entry::BidsClosed(closed) = entry else {
        return Vec::new();
    };
    let sides = closed.heard.iter().flatten().map(|it| SideAccount {
        realm: it.side.to_string(),
        asked: it.tally.map(|tally| tally.asked),
        told: it.tally.map(|tally| tally.bids),
        came: it.came,
        short: closed.is_short(it),
    });
    sides.collect()
}

/// What people decided, with the bid that each award was made to.
fn decisions(entries: &[Entry], bids: &[(Digest, Bid)]) -> Vec<Decision> {
    let mut awarded = BTreeMap::new();
    let decided = entries.iter().filter_map(|entry| match entry {
        Entry::Awarded(it) => {
            awarded.insert((it.slot, it.epoch), it.bid);
            None
        }
        Entry::Decided(it) => {
            let bid = awarded.get(&(it.slot, it.epoch))?;
            let (_, said) = bids.iter().find(|(digest, _)| digest == bid)?;
            Some(Decision {
                slot: it.slot,
                epoch: it.epoch,
                realm: text(&said.bidder),
                bid: *bid,
                again: it.again,
                at: it.at,
            })
        }
        _ => None,
    });
    decided.collect()
}

fn late(entry: &Entry, bids: &[(Digest, Bid)]) -> Option<Late> {
    let Entry::Unused(it) = entry else {
        return None;
    };
    let outcome = it.delivered.outcome.peek().ok()?;
    let (_, bid) = bids.iter().find(|(digest, _)| *digest == outcome.bid)?;
    let charged = outcome.charged;
    Some(Late {
        slot: outcome.slot,
        epoch: outcome.epoch,
        realm: text(&bid.bidder),
        bid: outcome.bid,
        outcome: it.delivered.outcome.digest(),
        end: outcome.end.name(),
        wrong: it.worth(bid).filter(|it| it.is_wrong()).map(End::name),
        currency: charged.as_ref().map(|price| price.currency.clone()),
        charged_micros: charged.map_or(0, |price| price.micros),
        at: it.at,
    })
}

/// What answered an award, by slot and epoch.
fn answered(entry: &Entry) -> Option<((u64, u64), &'static str)> {
    let Entry::Answered(it) = entry else {
        return None;
    };
    let confirm = it.confirm.as_ref()?.peek().ok()?;
    Some(((it.slot, it.epoch), confirm.answer.name()))
}

fn told(
    account: &announcer::Account,
    bid: &Bid,
    fate: Fate,
    announcement: &Announcement,
    recomputed: &Recomputed,
) -> BidAccount {
    BidAccount {
        rank: account.rank,
        bid: account.bid,
        said: Said::of(bid),
        score: account.score,
        fate,
        why: why(account.rank, fate, announcement, recomputed),
    }
}

/// Why a bid won or lost, by the published rule.
fn why(rank: u64, fate: Fate, announcement: &Announcement, recomputed: &Recomputed) -> String {
    let rule = &announcement.rule;
    let (slots, bids) = (rule.awards, recomputed.ranking.ranked.len());
    let stands = stands(rank, bids, rule);
    match fate {
        Fate::Won { slot, epoch, .. } if rank <= slots => {
            format!("{stands}; within the {slots} that win: slot {slot}, epoch {epoch}")
        }
        Fate::Won { slot, epoch, .. } => {
            format!("{stands}; next when slot {slot} was free for epoch {epoch}")
        }
        Fate::Declined {
            slot,
            epoch,
            answer,
        } => format!("{stands}; slot {slot}, epoch {epoch}, was answered with {answer}"),
        Fate::Unconfirmed { slot, epoch } => format!(
            "{stands}; slot {slot}, epoch {epoch}, was awarded, and no answer came while one was waited for: it or the \
             award was lost, or nobody was there"
        ),
        Fate::Standby => format!("{stands}; no slot came free for it while it held"),
        Fate::Lost => {
            let standbys = rule.standbys;
            format!("{stands}; behind the {slots} that win and {standbys} standbys")
        }
    }
}

/// Where a bid stands, and by what.
pub(crate) fn stands(rank: u64, bids: usize, rule: &Rule) -> String {
    let by = match rule.selection {
        Selection::First => "in the order in which bids counted",
        Selection::Random => "by the tie of its digest with the secret",
        Selection::Weighted => "by its weighted score",
        Selection::Best | Selection::All => "by price, then time, then confidence",
    };
    format!("at {rank} of {bids} {by}")
}

pub(crate) fn fate(fate: announcer::Fate, answers: &BTreeMap<(u64, u64), &'static str>) -> Fate {
    match fate {
        announcer::Fate::Won { slot, epoch, end } => Fate::Won {
            slot,
            epoch,
            end: end.map(End::name),
        },
        announcer::Fate::Declined { slot, epoch } => match answers.get(&(slot, epoch)) {
            Some(answer) => Fate::Declined {
                slot,
                epoch,
                answer,
            },
            None => Fate::Unconfirmed { slot, epoch },
        },
        announcer::Fate::Standby => Fate::Standby,
        announcer::Fate::Lost => Fate::Lost,
    }
}

fn slot(citation: &Citation) -> Slot {
    Slot {
        slot: citation.slot,
        bid: citation.bid,
        outcome: citation.outcome,
        part: citation.part.name(),
        failure: citation.failure.map(FailureCode::name),
    }
}

/// A place as root and path.
pub(crate) fn text(place: &Place) -> String {
    place.scope().to_string()
}
