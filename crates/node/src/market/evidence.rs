//! What this realm can show others: transcripts of its broadcasts, receipts of its bids.

use realm_broadcast::{
    TranscriptError, Unsealed,
    announcer::{Fault, recompute},
    close_pages,
    log::{End, Entry},
    view::view,
};
use realm_crypto::VerifiedChain;
use realm_protocol::{
    BroadcastId, RealmId, Scope,
    broadcast::{Evidence, Receipt, Transcript},
    cbor::{self, Blob, CborError},
    records::Chain,
};
use thiserror::Error;

use crate::Node;

/// Why there is no transcript of a broadcast.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoTranscript {
    /// An entry does not read.
    #[error("what was written down of it does not read: {0}")]
    Unreadable(#[from] CborError),
    /// The owner has outputs taken out of traces.
    #[error("outputs are taken out of its trace, and without them nobody can recompute it")]
    Redacted,
    /// It is longer than a transcript.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// What is to be shown to one bidder does not follow from the rule.
    #[error("what was written down of it does not add up: {0}")]
    Faulty(#[from] Fault),
    /// Bidders are told nothing before there is an outcome.
    #[error("it has not ended, and before its end nobody is told how it stands")]
    UnderWay,
    /// The reader has no bid that counts.
    #[error("no bid of that realm counts in it")]
    NoBidder,
}

impl Node {
    /// Makes a transcript of a broadcast from the entries in its trace, signed by this node.
    ///
    /// # Errors
    /// [`NoTranscript`] where the trace does not hold enough.
    pub fn transcript(
        &self,
        broadcast: BroadcastId,
        entries: &[Blob],
    ) -> Result<Blob, NoTranscript> {
        let entries = read(entries)?;
        let unsealed = Unsealed::new(broadcast, &entries, self.now.wall)?;
        let transcript = Evidence::Transcript(self.sealed(unsealed));
        Ok(Blob::from(cbor::encode(&transcript)))
    }

    /// Makes the view that the bidder at a place may have of a broadcast that has ended, from the entries
    /// in its trace, signed by this node.
    ///
    /// # Errors
    /// [`NoTranscript`] where the trace does not hold enough, or the bidder may see nothing.
    pub fn view(
        &self,
        broadcast: BroadcastId,
        entries: &[Blob],
        reader: &Scope,
    ) -> Result<Blob, NoTranscript> {
        let entries = read(entries)?;
        let recomputed = recompute(&entries)?;
        if recomputed.conclusion.is_none() {
            return Err(NoTranscript::UnderWay);
        }
        let reader = bidder_at(&entries, reader).ok_or(NoTranscript::NoBidder)?;
        let verdict = self.me.sign(&recomputed.verdict);
        let (told, winners) = (&recomputed.verdict, &recomputed.winners);
        let close = close_pages(&verdict, told, &recomputed.ranking, winners);
        let shown = view(&entries, reader, &close).ok_or(NoTranscript::NoBidder)?;
        let unsealed = Unsealed::view(broadcast, reader, &shown, self.now.wall)?;
        let view = Evidence::View(self.sealed(unsealed));
        Ok(Blob::from(cbor::encode(&view)))
    }

    fn sealed(&self, unsealed: Unsealed) -> Transcript {
        let seal = self.me.sign(&unsealed.seal);
        unsealed.sealed(seal, self.me.chain().map(bare))
    }

    /// Makes evidence of a receipt. While the broadcast is not closed, its announcer's chain is
    /// the one known now, if any is.
    pub fn evidence_of(&self, receipt: Receipt) -> Blob {
        let mut receipt = receipt;
        if receipt.chains.is_empty() {
            let announcement = receipt.announcement.peek().ok();
            let announcer = announcement.and_then(|it| self.chain_of(&it.announcer));
            receipt.chains = announcer
                .into_iter()
                .chain(self.me.chain().map(bare))
                .collect();
        }
        Blob::from(cbor::encode(&Evidence::Receipt(receipt)))
    }
}

/// A chain without the keys to seal to, which prove nothing afterwards.
pub(crate) fn bare(chain: &VerifiedChain) -> Blob {
    let chain = Chain {
        kem: Vec::new(),
        ..chain.chain().clone()
    };
    Blob::from(cbor::encode(&chain))
}

/// The entries of a trace, if none of them lacks anything.
fn read(entries: &[Blob]) -> Result<Vec<Entry>, NoTranscript> {
    let entries = entries.iter().map(|entry| cbor::decode(entry));
    let entries = entries.collect::<Result<Vec<Entry>, CborError>>()?;
    if entries.iter().any(lacks_its_output) {
        return Err(NoTranscript::Redacted);
    }
    Ok(entries)
}

/// The realm that has bid from a place.
fn bidder_at(entries: &[Entry], place: &Scope) -> Option<RealmId> {
    entries.iter().find_map(|entry| {
        let Entry::Counted(counted) = entry else {
            return None;
        };
        let bidder = counted.bid.peek().ok()?.bidder;
        bidder.realm.filter(|_| bidder.scope() == *place)
    })
}

fn lacks_its_output(entry: &Entry) -> bool {
    match entry {
        Entry::Ended(it) if it.end == End::Result => {
            let delivered = it.delivered.as_ref();
            delivered.is_some_and(|delivered| delivered.output.is_none())
        }
        Entry::Unused(it) => it.mismatched.is_some() && it.delivered.output.is_none(),
        _ => false,
    }
}
