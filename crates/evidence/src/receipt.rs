//! A receipt: one bid, and the signed close of its broadcast.

use realm_broadcast::{Closed, close_due};
use realm_protocol::{
    BroadcastId, Digest, Timestamp,
    broadcast::{self, Announcement, Bid, Close, Verdict},
    cbor::{self, CborError},
    records::Signed,
};
use serde::Serialize;

use crate::{
    account::{Said, text},
    chains::{Chains, SignatureError},
    error::EvidenceError,
};

/// What a receipt shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who announced, as root and path.
    pub announcer: String,
    /// The loop whose work it was.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// When it was announced.
    pub announced: Timestamp,
    /// The bid's digest.
    pub bid: Digest,
    /// What the bid says.
    #[serde(flatten)]
    pub said: Said,
    /// From when on the bidder asks for a close that has not come.
    pub close_due: Timestamp,
    /// Where it stands; none while there is no close.
    pub standing: Option<Standing>,
}

/// Where a bid stands by a signed close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its rank, from 1.
    pub rank: u64,
    /// How many bids counted.
    pub counted: u64,
    /// The slot it won last, if any.
    pub slot: Option<u64>,
    /// Whether the announcer says that it was awarded a slot last, and not confirmed.
    pub unconfirmed: bool,
    /// When the broadcast closed.
    pub closed: Timestamp,
    /// Who won, by slot, as root and path. Their own signatures are not checked: the receipt does not
    /// have their chains.
    pub winners: Vec<String>,
    /// Why it won or lost, by the rule, in a sentence.
    pub why: String,
}

/// Examines a receipt.
pub(crate) fn examine(receipt: &broadcast::Receipt) -> Result<Receipt, EvidenceError> {
    let announcement = read(&receipt.announcement, "the announcement")?;
    let bid = read(&receipt.bid, "the bid")?;
    let answers = bid.announcement == receipt.announcement.digest()
        && bid.broadcast == announcement.broadcast;
    if !answers {
        return Err(EvidenceError::Unrelated);
    }
    let closed = closed(receipt)?;
    let until = closed.as_ref().map(|(_, closed)| closed.verdict.closed);
    let chains = chains(receipt, bid.created, until)?;
    let signed = |what, error| EvidenceError::Receipt { what, error };
    chains
        .check(&receipt.announcement, &announcement.announcer)
        .map_err(|error| signed("the announcement", error))?;
    chains
        .check(&receipt.bid, &bid.bidder)
        .map_err(|error| signed("the bid", error))?;
    let standing = match closed {
        None => None,
        Some((verdict, closed)) => {
            chains
                .check(&verdict, &announcement.announcer)
                .map_err(|error| signed("the verdict", error))?;
            Some(stands(receipt, &announcement, &bid, &closed)?)
        }
    };
    Ok(Receipt {
        broadcast: announcement.broadcast,
        announcer: text(&announcement.announcer),
        loop_id: announcement.loop_id.to_string(),
        announced: announcement.created,
        bid: receipt.bid.digest(),
        said: Said::of(&bid),
        close_due: close_due(&announcement),
        standing,
    })
}

fn read<T: realm_protocol::records::Record>(
    signed: &Signed<T>,
    what: &'static str,
) -> Result<T, EvidenceError> {
    let read = signed.peek();
    read.map_err(|error| EvidenceError::Receipt {
        what,
        error: error.into(),
    })
}

/// The chains, each of which must hold when the bid was made or when the broadcast closed.
fn chains(
    receipt: &broadcast::Receipt,
    made: Timestamp,
    closed: Option<Timestamp>,
) -> Result<Chains, EvidenceError> {
    let mut chains = Chains::default();
    for chain in &receipt.chains {
        let at_first = chains.prove(chain, made);
        let proven = match closed {
            Some(at) => at_first.or_else(|_| chains.prove(chain, at)),
            None => at_first,
        };
        proven.map_err(|error| EvidenceError::Receipt {
            what: "a chain",
            error,
        })?;
    }
    Ok(chains)
}

/// The close joined of its pages; none while there are no pages.
fn closed(
    receipt: &broadcast::Receipt,
) -> Result<Option<(Signed<Verdict>, Closed)>, EvidenceError> {
    let pages: Result<Vec<Close>, CborError> = receipt
        .close
        .iter()
        .map(|page| cbor::decode(page))
        .collect();
    let pages = pages.map_err(|error| EvidenceError::Receipt {
        what: "a page of the close",
        error: SignatureError::Unreadable(error),
    })?;
    let Some(first) = pages.first() else {
        return Ok(None);
    };
    let closed = Closed::join(&pages)?;
    Ok(Some((first.verdict.clone(), closed)))
}

fn stands(
    receipt: &broadcast::Receipt,
    announcement: &Announcement,
    bid: &Bid,
    closed: &Closed,
) -> Result<Standing, EvidenceError> {
    let digest = receipt.bid.digest();
    let standing = closed.stands(announcement, bid, digest, receipt.awarded)?;
    let (rank, of, slots) = (standing.rank, standing.of, announcement.rule.awards);
    let why = match standing.slot {
        _ if receipt.awarded && standing.unconfirmed => {
            format!("at {rank} of {of}; awarded a slot, and no confirmation arrived that kept it")
        }
        _ if standing.unconfirmed => format!(
            "at {rank} of {of}; awarded a slot, says the announcer, and no confirmation arrived: here no award did, \
             so that it was lost on its way, or has never left"
        ),
        Some(slot) => format!("at {rank} of {of}; won slot {slot}"),
        None if receipt.awarded => {
            format!("at {rank} of {of}; awarded a slot that it did not keep")
        }
        None => {
            format!(
                "at {rank} of {of}; each of the {slots} slots went to a bid before it, or to none"
            )
        }
    };
    Ok(Standing {
        rank,
        counted: of,
        slot: standing.slot,
        unconfirmed: standing.unconfirmed,
        closed: closed.verdict.closed,
        winners: closed
            .winners
            .iter()
            .map(|(_, bid)| text(&bid.bidder))
            .collect(),
        why,
    })
}
