//! What can be shown of broadcasts afterwards: every transcript and every receipt must lead, by its
//! bytes alone, to what was awarded.

use std::collections::BTreeMap;

use realm_broadcast::CloseError;
use realm_evidence::{Account, EvidenceError, Fate, Finding, Receipt, examine};
use realm_node::{BidView, Node};
use realm_protocol::{BroadcastId, CallId, Digest, Scope, journal::Table};

use super::ledger::Ledger;
use crate::{HostId, World};

/// What is wrong with the transcript of a broadcast.
pub(super) fn transcript_of(world: &World, ledger: &Ledger) -> Result<(), String> {
    let broadcast = BroadcastId::new(*ledger.run.call.as_bytes());
    let node = world.hosts[ledger.host.0].node();
    let transcript = node.transcript(broadcast, &ledger.written);
    let transcript = transcript.map_err(|error| format!("no transcript: {error}"))?;
    match examine(&transcript) {
        Ok(Finding::Transcript(account)) => {
            follows(&account, ledger)?;
            views_of(node, &account, ledger)
        }
        Ok(other) => Err(format!("a transcript reads as {other:?}")),
        Err(error) => Err(format!("the transcript does not hold: {error}")),
    }
}

/// What is wrong with what who stands first and who stands last may see of a broadcast that has ended.
fn views_of(node: &Node, account: &Account, ledger: &Ledger) -> Result<(), String> {
    let readers = [account.bids.first(), account.bids.last()];
    for reader in readers
        .into_iter()
        .flatten()
        .filter(|_| account.ending.is_some())
    {
        let reader = reader.said.realm.as_str();
        let (root, path) = reader.split_once('/').unwrap_or((reader, ""));
        let place = Scope {
            root: root.parse().expect("a root's id"),
            path: path.parse().expect("a path"),
        };
        let view = node.view(account.broadcast, &ledger.written, &place);
        let view = view.map_err(|error| format!("no view for {reader}: {error}"))?;
        let seen = match examine(&view) {
            Ok(Finding::View(seen)) => seen,
            other => return Err(format!("the view of {reader} does not hold: {other:?}")),
        };
        let order = seen.bids.iter().map(|bid| (bid.bid, bid.own));
        let whole = account
            .bids
            .iter()
            .map(|bid| (bid.bid, bid.said.realm == reader));
        if !order.eq(whole) {
            return Err(format!("{reader} is shown other bids: {:?}", seen.bids));
        }
    }
    Ok(())
}

fn follows(account: &Account, ledger: &Ledger) -> Result<(), String> {
    let order: Vec<Digest> = account.bids.iter().map(|it| it.bid).collect();
    let ranking = ledger.ranking();
    if ledger.closed().is_some() && order != ranking {
        return Err(format!("the transcript ranks {order:?}, not {ranking:?}"));
    }
    let ending = ledger.conclusion().map(|it| it.ending.name());
    if account.ending != ending {
        let told = account.ending;
        return Err(format!("the transcript ends as {told:?}, not {ending:?}"));
    }
    let awards = ledger.awards();
    for bid in &account.bids {
        let awarded = match bid.fate {
            Fate::Won { slot, epoch, .. }
            | Fate::Declined { slot, epoch, .. }
            | Fate::Unconfirmed { slot, epoch } => awards.contains(&(slot, epoch, bid.bid)),
            Fate::Standby | Fate::Lost => awards.iter().all(|(.., it)| *it != bid.bid),
        };
        if !awarded {
            return Err(format!("the transcript awards otherwise: {bid:?}"));
        }
    }
    Ok(())
}

/// What the receipts of a host show.
pub(super) struct Shown {
    /// How many prove where a bid stood.
    pub(super) proven: u64,
    /// How many are of bids that did not count.
    pub(super) uncounted: u64,
    /// How many say that an award never came that has left.
    pub(super) lost: u64,
    pub(super) broken: Vec<String>,
}

/// Examines what a host has kept of its bids.
pub(super) fn receipts_at(
    world: &World,
    host: HostId,
    ledgers: &BTreeMap<CallId, &Ledger>,
) -> Shown {
    let (mut proven, mut uncounted, mut lost, mut broken) = (0, 0, 0, Vec::new());
    let host = &world.hosts[host.0];
    for row in host.disk.rows(Table::Bids) {
        let view = BidView::read(row).expect("what was written down of a bid");
        let examined = examine(&host.node().evidence_of(view.receipt.clone()));
        let receipt = match examined {
            Ok(Finding::Receipt(receipt)) => receipt,
            // A bid that nobody has closed may be of an announcer whose chain is not known.
            Err(_) if !view.closed => continue,
            // What never came, or came too late, is not among what counted.
            Err(EvidenceError::Close(CloseError::Missing)) if !counted(&view, ledgers) => {
                uncounted += 1;
                continue;
            }
            other => {
                broken.push(format!("{}: a receipt does not hold: {other:?}", host.name));
                continue;
            }
        };
        let unconfirmed = receipt.standing.as_ref().is_some_and(|it| it.unconfirmed);
        if unconfirmed && !was_awarded(&view, ledgers) {
            let name = &host.name;
            broken.push(format!(
                "{name}: no award was there to be lost: {receipt:?}"
            ));
        }
        lost += u64::from(unconfirmed && !view.receipt.awarded);
        let call = CallId::new(*receipt.broadcast.as_bytes());
        match ledgers.get(&call).map(|ledger| stands(&receipt, ledger)) {
            Some(true) => proven += u64::from(receipt.standing.is_some()),
            Some(false) => broken.push(format!("{}: not as it stood: {receipt:?}", host.name)),
            None => {}
        }
    }
    Shown {
        proven,
        uncounted,
        lost,
        broken,
    }
}

/// Whether the announcer has written down that a bid counted.
fn counted(view: &BidView, ledgers: &BTreeMap<CallId, &Ledger>) -> bool {
    let call = CallId::new(*view.announcement.broadcast.as_bytes());
    let ledger = ledgers.get(&call);
    ledger.is_some_and(|ledger| ledger.ranking().contains(&view.digest))
}

/// Whether the announcer has written down that it awarded a bid something.
fn was_awarded(view: &BidView, ledgers: &BTreeMap<CallId, &Ledger>) -> bool {
    let call = CallId::new(*view.announcement.broadcast.as_bytes());
    let ledger = ledgers.get(&call);
    ledger.is_some_and(|ledger| ledger.awards().iter().any(|(.., bid)| *bid == view.digest))
}

/// Whether a bid stands where its announcer has written that it does.
fn stands(receipt: &Receipt, ledger: &Ledger) -> bool {
    let Some(standing) = &receipt.standing else {
        return true;
    };
    let ranking = ledger.ranking();
    let rank = ranking.iter().position(|it| *it == receipt.bid);
    rank.is_some_and(|rank| {
        (rank as u64 + 1, ranking.len() as u64) == (standing.rank, standing.counted)
    })
}
