//! As much of a transcript as one bidder may see: sealed for it by the announcer, signed by everybody of
//! whom it shows anything, and made by the rule as far as that can be told.

use std::collections::BTreeMap;

use realm_broadcast::{
    announcer::Fate as Made,
    open_view,
    view::{Seen, Shown, Viewed, recompute},
};
use realm_protocol::{
    BroadcastId, Digest, RealmId, Timestamp,
    broadcast::{Close, Selection, Transcript},
    cbor::{self, Blob},
};
use serde::Serialize;

use crate::{
    account::{Fate, Said, fate, stands, text},
    chains::Chains,
    error::EvidenceError,
    signatures::{Signatures, check_seal},
};

/// As much of a broadcast as one bidder may see, as far as it was recomputed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewAccount {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Whose view it is.
    pub reader: RealmId,
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
    pub bids: Vec<ViewedBid>,
    /// How it ended.
    pub ending: &'static str,
    /// What was recomputed, a sentence each.
    pub recomputed: Vec<String>,
    /// What cannot be recomputed from this view, a sentence each.
    pub unproven: Vec<String>,
    /// Entries that were checked.
    pub entries: u64,
    /// Signatures that were checked.
    pub signatures: u64,
}

/// What a view shows of a bid, and why it won or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewedBid {
    /// Its rank, from 1.
    pub rank: u64,
    /// Its digest.
    pub bid: Digest,
    /// Whether it is the reader's.
    pub own: bool,
    /// What it says; none where its digest is all that is shown.
    #[serde(flatten)]
    pub said: Option<Said>,
    /// What became of it.
    pub fate: Fate,
    /// Why, by the rule, in a sentence.
    pub why: String,
}

/// Examines a view.
pub(crate) fn examine(view: &Transcript) -> Result<ViewAccount, EvidenceError> {
    let (reader, entries) = open_view(view)?;
    let chains = Chains::of(&entries, |shown| match shown {
        Shown::Proved(it) => Some(it),
        _ => None,
    })?;
    let checked = check_all(&chains, &entries);
    let (signatures, viewed) = EvidenceError::first(checked, recompute(reader, &entries))?;
    let sealing = check_seal(view, &viewed.announcement, chains)?;
    if let Some(Shown::Told(told)) = entries.first() {
        for page in pages(&told.close)? {
            let checked = sealing.check(&page.verdict, &viewed.announcement.announcer);
            checked.map_err(|error| EvidenceError::signature(0, "the verdict", error))?;
        }
    }
    // The seal and the verdict are two more.
    let signatures = signatures.saturating_add(2);
    Ok(account(reader, &entries, &viewed, signatures))
}

/// Checks all signatures in the entries; gives how many there are.
fn check_all(chains: &Chains, entries: &[Shown]) -> Result<u64, EvidenceError> {
    let mut signed = Signatures::new(chains);
    for (entry, shown) in (0..).zip(entries) {
        match shown {
            Shown::Told(it) => {
                signed.announcements(entry, &it.rounds)?;
                for winner in pages(&it.close)?.iter().flat_map(|page| &page.winners) {
                    signed.bid(entry, winner)?;
                }
            }
            Shown::OwnBid(it) => signed.bid(entry, &it.bid)?,
            Shown::Reply(it) => signed.confirm(entry, it.confirm.as_ref())?,
            Shown::Ended(it) => signed.delivered(entry, it.delivered.as_ref())?,
            Shown::Unused(it) => signed.delivered(entry, Some(&it.delivered))?,
            _ => {}
        }
    }
    Ok(signed.checked())
}

fn pages(close: &[Blob]) -> Result<Vec<Close>, EvidenceError> {
    let pages = close.iter().map(|page| cbor::decode(page));
    let pages: Result<Vec<Close>, _> = pages.collect();
    pages.map_err(|error| EvidenceError::signature(0, "the close", error.into()))
}

fn account(reader: RealmId, entries: &[Shown], viewed: &Viewed, signatures: u64) -> ViewAccount {
    let announcement = &viewed.announcement;
    let answers: BTreeMap<(u64, u64), &'static str> = entries.iter().filter_map(answer).collect();
    let bids = (1_u64..).zip(&viewed.bids).map(|(rank, seen)| ViewedBid {
        rank,
        bid: seen.digest,
        own: seen.own,
        said: seen.bid.as_ref().map(Said::of),
        fate: fate(seen.fate, &answers),
        why: why(rank, seen, viewed),
    });
    ViewAccount {
        broadcast: announcement.broadcast,
        reader,
        announcer: text(&announcement.announcer),
        loop_id: announcement.loop_id.to_string(),
        announced: announcement.created,
        selection: announcement.rule.selection.name(),
        strategy: announcement.aggregation.strategy.name(),
        bids: bids.collect(),
        ending: viewed.conclusion.ending.name(),
        recomputed: recomputed(viewed),
        unproven: unproven(viewed),
        entries: entries.len() as u64,
        signatures,
    }
}

/// What the reader answered an award with, by slot and epoch.
fn answer(entry: &Shown) -> Option<((u64, u64), &'static str)> {
    let Shown::Reply(it) = entry else {
        return None;
    };
    let confirm = it.confirm.as_ref()?.peek().ok()?;
    Some(((it.slot, it.epoch), confirm.answer.name()))
}

/// Why a bid won or lost, as far as the reader can tell.
fn why(rank: u64, seen: &Seen, viewed: &Viewed) -> String {
    let rule = &viewed.announcement.rule;
    let stands = match seen.bid {
        Some(_) => stands(rank, viewed.bids.len(), rule),
        None => format!("at {rank} of {}, says the announcer", viewed.bids.len()),
    };
    match seen.fate {
        Made::Won { slot, epoch, .. } => format!("{stands}; slot {slot}, epoch {epoch}"),
        Made::Declined { slot, epoch } => {
            format!("{stands}; slot {slot}, epoch {epoch}, was awarded and not confirmed")
        }
        Made::Standby => format!("{stands}; no slot came free for it while it held"),
        Made::Lost => {
            let (slots, standbys) = (rule.awards, rule.standbys);
            format!("{stands}; behind the {slots} that win and {standbys} standbys")
        }
    }
}

/// What the view proves, where nothing in it is wrong.
fn recomputed(viewed: &Viewed) -> Vec<String> {
    let counted = viewed.bids.len();
    let own = viewed.bids.iter().filter(|seen| seen.own);
    let awarded = |seen: &&Seen| matches!(seen.fate, Made::Won { .. } | Made::Declined { .. });
    let mut recomputed = vec![format!(
        "{} of the {counted} bids that counted are the reader's",
        own.clone().count()
    )];
    if viewed.announcement.rule.selection != Selection::First {
        let shown = viewed.bids.iter().filter(|seen| seen.bid.is_some()).count();
        recomputed.push(match weighs_trust(viewed) {
            false => format!("the {shown} bids that are shown stand as the rule has them"),
            true => format!(
                "of the {shown} bids that are shown none stands behind another that it is before whatever \
                 the announcer trusts them with"
            ),
        });
    }
    let awards = viewed.bids.iter().filter(awarded).count();
    recomputed.push(format!(
        "{awards} bids had awards, in the order of their ranks, and none while one of the reader's before \
         it held without any"
    ));
    if own.clone().any(|seen| awarded(&seen)) {
        recomputed
            .push("what the reader answered and gave is what the announcer has written".to_owned());
    }
    recomputed
}

/// What the view does not prove.
fn unproven(viewed: &Viewed) -> Vec<String> {
    let hidden = viewed.bids.iter().filter(|seen| seen.bid.is_none()).count();
    let mut unproven = Vec::new();
    if hidden > 0 {
        unproven.push(format!(
            "where {hidden} bids stand of which the digests alone are shown, and that those passed over held \
             no longer"
        ));
    }
    if viewed.announcement.rule.selection == Selection::First {
        unproven.push("in which order bids came".to_owned());
    }
    if weighs_trust(viewed) {
        unproven.push("what the announcer trusts bidders with".to_owned());
    }
    unproven.push("what others answered and gave, and so what the outcome is made of".to_owned());
    unproven
}

fn weighs_trust(viewed: &Viewed) -> bool {
    let weights = viewed.announcement.rule.weights;
    weights.is_some_and(|weights| weights.trust > 0)
}
