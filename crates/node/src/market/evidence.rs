//! What this realm can show others: transcripts of its broadcasts, receipts of its bids.

use realm_broadcast::{
    TranscriptError, Unsealed,
    log::{End, Entry},
};
use realm_crypto::VerifiedChain;
use realm_protocol::{
    BroadcastId,
    broadcast::{Evidence, Receipt},
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
        let entries: Result<Vec<Entry>, CborError> =
            entries.iter().map(|entry| cbor::decode(entry)).collect();
        let entries = entries?;
        if entries.iter().any(lacks_its_output) {
            return Err(NoTranscript::Redacted);
        }
        let unsealed = Unsealed::new(broadcast, &entries, self.now.wall)?;
        let seal = self.me.sign(&unsealed.seal);
        let chain = self.me.chain().map(bare);
        let transcript = Evidence::Transcript(unsealed.sealed(seal, chain));
        Ok(Blob::from(cbor::encode(&transcript)))
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

fn lacks_its_output(entry: &Entry) -> bool {
    match entry {
        Entry::Ended(it) if it.end == End::Result => {
            let delivered = it.delivered.as_ref();
            delivered.is_some_and(|delivered| delivered.output.is_none())
        }
        _ => false,
    }
}
