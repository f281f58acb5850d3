//! The signed end of the bidding, from which a bidder tells whether it was ranked by the rule.

use super::{Announcement, Bid};
use crate::{
    BroadcastId, Digest, RealmId, Timestamp,
    audit::{AuditContradiction, AuditExport},
    cbor::{Blob, CborError, Reader, Wire, Writer},
    receipt::ReceiptExport,
    records::{Record, Signed},
    wire_map,
};

wire_map! {
    /// A slot and the bid that won it last.
    #[derive(Copy)]
    pub struct Winner {
        /// The slot.
        0 => slot: u64,
        /// The last award's epoch.
        1 => epoch: u64,
        /// Digest of the bid.
        2 => bid: Digest,
        /// When it was awarded.
        64 => awarded: Option<Timestamp>,
    }
}

wire_map! {
    /// Which bids counted and who won, signed by the announcer.
    pub struct Verdict {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// Digest of the last announcement.
        1 => announcement: Digest,
        /// The secret that ties were broken by.
        2 => secret: [u8; 32],
        /// How many bids counted.
        3 => counted: u64,
        /// Merkle root of the counted bids' digests, ascending.
        4 => root: Digest,
        /// SHA-256 of the counted bids' digests, one after the other in rank order.
        5 => order: Digest,
        /// Who won, by slot.
        6 => winners: Vec<Winner>,
        /// When the broadcast closed.
        7 => closed: Timestamp,
        /// Bids that were awarded a slot last and not confirmed, in rank order; none where there are none.
        64 => unconfirmed: Option<Vec<Digest>>,
    }
}

impl Record for Verdict {
    const TAGS: &'static [&'static str] = &["realm/1/verdict"];
}

wire_map! {
    /// Body of a Close: one page of the end of a broadcast.
    pub struct Close {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// Which page, from 0.
        1 => page: u64,
        /// How many pages there are.
        2 => pages: u64,
        /// The verdict, the same on every page.
        3 => verdict: Signed<Verdict>,
        /// Digests of counted bids in rank order, one after the other: this page's share.
        4 => digests: Blob,
        /// The winners' bids by slot: this page's share.
        5 => winners: Vec<Signed<Bid>>,
        /// The announcer's X25519 key, if it takes the session that the bid offered.
        6 => session: Option<[u8; 32]>,
    }
}

wire_map! {
    /// Body of a Status to an announcer: a bidder asks for the Close that it has not got.
    pub struct CloseAsked {
        /// The asker's bid.
        0 => bid: Signed<Bid>,
    }
}

wire_map! {
    /// What the announcer signs of a transcript.
    pub struct TranscriptSeal {
        /// The broadcast.
        0 => broadcast: BroadcastId,
        /// How many entries there are.
        1 => entries: u64,
        /// SHA-256 of the entries' digests, one after the other.
        2 => digest: Digest,
        /// When it was signed.
        3 => at: Timestamp,
        /// Whose view it is; none of a transcript, which is for whoever may see everything.
        64 => reader: Option<RealmId>,
    }
}

impl Record for TranscriptSeal {
    const TAGS: &'static [&'static str] = &["realm/1/transcript"];
}

wire_map! {
    /// Everything that an announcer wrote down of a broadcast, for whoever checks it.
    pub struct Transcript {
        /// What the announcer signed.
        0 => seal: Signed<TranscriptSeal>,
        /// The [`crate::records::Chain`] of the announcer when it signed, encoded; absent where the
        /// reader has it.
        1 => chain: Option<Blob>,
        /// The entries in order, in pages; each entry encoded.
        2 => pages: Vec<Blob>,
        /// The entries' digests, one after the other.
        3 => digests: Blob,
    }
}

wire_map! {
    /// What a bidder keeps of a broadcast: from it anybody can tell whether its bid was counted
    /// and ranked by the rule.
    pub struct Receipt {
        /// The announcement that was bid for.
        0 => announcement: Signed<Announcement>,
        /// The bid.
        1 => bid: Signed<Bid>,
        /// The pages of the close, each encoded; none while there is none.
        2 => close: Vec<Blob>,
        /// The bidder's word that it was awarded a slot.
        3 => awarded: bool,
        /// The announcer's [`crate::records::Chain`] and the bidder's, encoded.
        4 => chains: Vec<Blob>,
    }
}

/// A file that proves something by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// An announcer's.
    Transcript(Transcript),
    /// A bidder's.
    Receipt(Receipt),
    /// A part of a realm's audit log.
    Audit(AuditExport),
    /// Receipts of calls.
    Receipts(ReceiptExport),
    /// What a witness of an audit log has found.
    Contradiction(AuditContradiction),
    /// As much of an announcer's transcript as one bidder may see: a transcript of other entries.
    View(Transcript),
}

impl Wire for Evidence {
    fn write(&self, out: &mut Writer) {
        out.array(2);
        match self {
            Self::Transcript(transcript) => {
                out.uint(1);
                transcript.write(out);
            }
            Self::Receipt(receipt) => {
                out.uint(2);
                receipt.write(out);
            }
            Self::Audit(export) => {
                out.uint(3);
                export.write(out);
            }
            Self::Receipts(export) => {
                out.uint(4);
                export.write(out);
            }
            Self::Contradiction(found) => {
                out.uint(5);
                found.write(out);
            }
            Self::View(view) => {
                out.uint(6);
                view.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        from.array_of(2, "evidence")?;
        match from.uint()? {
            1 => Wire::read(from).map(Self::Transcript),
            2 => Wire::read(from).map(Self::Receipt),
            3 => Wire::read(from).map(Self::Audit),
            4 => Wire::read(from).map(Self::Receipts),
            5 => Wire::read(from).map(Self::Contradiction),
            6 => Wire::read(from).map(Self::View),
            _ => Err(CborError::Expected("evidence of a known kind")),
        }
    }
}
