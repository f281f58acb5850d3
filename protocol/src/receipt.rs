//! Receipts of calls: what was asked for and what came of it, in words that both sides have signed.
//!
//! No signature is made for a receipt. The header of a Call holds the digest of an [`Order`], that of
//! its Result or Failure the digest of a [`CallReceipt`], which names the order; both headers are
//! signed anyway. Each side keeps the receipt with the other side's header and its signature
//! ([`KeptReceipt`]), and signs what it shows of them as a list ([`ReceiptList`]).

use crate::{
    CallId, Digest, FailureCode, Header, LoopId, Place, RealmId, RunId, Scope, Signature,
    Timestamp,
    audit::AuditOutcome,
    budget::{Budget, Spend},
    cbor::{self, Blob, CborError},
    records::{Record, Signed},
    trace::TraceRoot,
    wire_map,
};

/// Before the bytes of an order, when they are digested.
const ORDER_TAG: &[u8] = b"realm/1/order";
/// Before the bytes of a receipt, when they are digested.
const RECEIPT_TAG: &[u8] = b"realm/1/receipt";
/// Before salt and bytes of an input or output, when they are digested.
const CONTENT_TAG: &[u8] = b"realm/1/receipt-content";
/// Before the digests of receipts, when a list of them is digested.
const LIST_TAG: &[u8] = b"realm/1/receipt-list";

wire_map! {
    /// What a caller asks for. It stands in its Call, and its digest in the Call's header.
    pub struct Order {
        /// Random and secret, so that nothing can be guessed from the digests of input and output.
        0 => salt: [u8; 16],
        /// The loop, as the Call names it.
        1 => loop_id: LoopId,
        /// The version meant, as the Call names it.
        2 => version: Option<String>,
        /// [`content_digest`] of the input.
        3 => input: Digest,
        /// What the call may use.
        4 => budget: Option<Budget>,
        /// The run with which everything began that led to the call, in whatever realm.
        5 => root: RunId,
        /// The caller's run that the call is made for.
        6 => parent: RunId,
    }
}

impl Order {
    /// The digest that the Call's header holds.
    pub fn digest(encoded: &[u8]) -> Digest {
        Digest::of(&[ORDER_TAG, &[0], encoded])
    }
}

/// The digest of an input or output in an order or a receipt.
pub fn content_digest(salt: &[u8; 16], content: &[u8]) -> Digest {
    Digest::of(&[CONTENT_TAG, &[0], salt, content])
}

wire_map! {
    /// What came of a call. It stands in the Result or Failure, and its digest in that one's header.
    pub struct CallReceipt {
        /// The call.
        0 => call: CallId,
        /// [`Order::digest`] of what was asked for.
        1 => order: Digest,
        /// Who called; without a node.
        2 => caller: Place,
        /// Who was called; without a node.
        3 => callee: Place,
        /// The loop.
        4 => loop_id: LoopId,
        /// The version that ran.
        5 => version: Option<String>,
        /// The contract that it kept to.
        6 => contract: Option<Digest>,
        /// [`content_digest`] of the input.
        7 => input: Digest,
        /// [`content_digest`] of the output, where there is one.
        8 => output: Option<Digest>,
        /// How the call ended.
        9 => outcome: AuditOutcome,
        /// Why, where it was no success.
        10 => error: Option<FailureCode>,
        /// The callee's run; random, and told to nobody but the caller.
        11 => run: RunId,
        /// The run with which everything began, as the order says.
        12 => root: RunId,
        /// When it began, by the callee's clock.
        13 => began: Timestamp,
        /// When it ended, by the callee's clock.
        14 => ended: Timestamp,
        /// What the order allowed it to use.
        15 => budget: Option<Budget>,
        /// What it and all that it caused have used.
        16 => spent: Spend,
        /// The caller's run, as the order says: that of the receipt of which this one is a part.
        17 => parent: RunId,
        /// What the run's events came to until it ended, where they were counted from its beginning.
        64 => trace: Option<TraceRoot>,
    }
}

impl CallReceipt {
    /// The digest that the answer's header holds.
    pub fn digest(encoded: &[u8]) -> Digest {
        Digest::of(&[RECEIPT_TAG, &[0], encoded])
    }

    /// What of it counts: never more than the order allowed.
    pub fn counted(&self) -> Spend {
        match &self.budget {
            Some(budget) => budget.clamped(&self.spent),
            None => self.spent.clone(),
        }
    }

    /// What of it the caller's own account has to have, even if it never heard the end: what it had
    /// given a bound, within that.
    pub fn answered_for(&self) -> Spend {
        let counted = self.counted();
        let Some(budget) = &self.budget else {
            return Spend::default();
        };
        Spend {
            money: counted
                .money
                .into_iter()
                .filter(|_| budget.money.is_some())
                .collect(),
            tokens: budget.tokens.map_or(0, |_| counted.tokens),
            calls: budget.calls.map_or(0, |_| counted.calls),
            unpriced: 0,
        }
    }
}

wire_map! {
    /// One side's signature over a message, without what was said in it.
    pub struct SignedHeader {
        /// The message's [`crate::Header`], encoded.
        0 => header: Blob,
        /// The signature over it and the body.
        1 => signature: Signature,
        /// SHA-256 of the body.
        2 => body: Digest,
    }
}

impl SignedHeader {
    /// Reads the header without checking the signature.
    ///
    /// # Errors
    /// [`CborError`] where it does not read.
    pub fn peek(&self) -> Result<Header, CborError> {
        cbor::decode(&self.header)
    }
}

wire_map! {
    /// A receipt as a realm keeps and shows it.
    pub struct KeptReceipt {
        /// The [`CallReceipt`], encoded.
        0 => receipt: Blob,
        /// What the other side signed: the caller its Call, the callee its answer.
        1 => signed: SignedHeader,
        /// The [`Order`], encoded; none where it is not shown, or erased.
        2 => order: Option<Blob>,
    }
}

wire_map! {
    /// Which receipts a realm shows, as its node signs it.
    pub struct ReceiptList {
        /// The realm.
        0 => realm: RealmId,
        /// When it was signed.
        1 => at: Timestamp,
        /// How many there are.
        2 => count: u64,
        /// [`ReceiptList::digest`] of them.
        3 => digest: Digest,
        /// What they are all of, where the list is a statement.
        4 => statement: Option<Statement>,
    }
}

wire_map! {
    /// A promise that a list leaves out no receipt of a period.
    pub struct Statement {
        /// The other realm.
        0 => peer: Scope,
        /// Ended at or after.
        1 => since: Timestamp,
        /// Ended before.
        2 => until: Timestamp,
    }
}

impl ReceiptList {
    /// The digest over a list's receipts, each by [`CallReceipt::digest`].
    pub fn digest(receipts: impl IntoIterator<Item = Digest>) -> Digest {
        let mut bytes = Vec::new();
        for receipt in receipts {
            bytes.extend_from_slice(receipt.as_bytes());
        }
        Digest::of(&[LIST_TAG, &[0], &bytes])
    }
}

impl Record for ReceiptList {
    const TAGS: &'static [&'static str] = &["realm/1/receipts"];
}

wire_map! {
    /// Receipts that prove themselves.
    pub struct ReceiptExport {
        /// Which.
        0 => list: Signed<ReceiptList>,
        /// Them, in pages: each an array of byte strings with a [`KeptReceipt`].
        1 => pages: Vec<Blob>,
        /// The [`crate::records::Chain`] of everybody who signed, encoded.
        2 => chains: Vec<Blob>,
    }
}

impl ReceiptExport {
    /// The receipts, in their order.
    ///
    /// # Errors
    /// [`CborError`] where a page or a receipt does not read.
    pub fn receipts(&self) -> Result<Vec<KeptReceipt>, CborError> {
        let mut receipts = Vec::new();
        for page in &self.pages {
            for receipt in cbor::decode::<Vec<Blob>>(page)? {
                receipts.push(cbor::decode(&receipt)?);
            }
        }
        Ok(receipts)
    }
}
