//! Receipts of the calls that this realm makes and serves: what it signs of them with its messages, and
//! what it keeps of what the others have signed.

mod export;

use std::collections::BTreeSet;

use realm_crypto::{Opened, SigningKey, VerifiedChain};
use realm_executor::Outcome;
use realm_protocol::{
    CallId, Digest, FailureCode, Place, RunId, Scope, Timestamp,
    audit::AuditOutcome,
    broadcast::Price,
    budget::Spend,
    cbor::{self, Blob},
    journal::Table,
    limits,
    message::{Call, CallResult},
    receipt::{CallReceipt, KeptReceipt, Order, SignedHeader, content_digest},
    trace::TraceRoot,
    wire_map,
};

use crate::{
    CallFailure, Node,
    answer::{Ending, Remote},
    market::bare,
    outbound::{Invoke, Task},
    serve::Served,
};

/// What receipts rest on.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Salts come from it, also after a restart.
    secret: [u8; 32],
    /// Rows of the chains that are kept, by root, realm, node, and when they run out.
    signers: BTreeSet<Vec<u8>>,
}

wire_map! {
    /// What a caller has signed of a call that is served here.
    pub struct Ordered {
        /// The [`Order`], encoded.
        0 => order: Blob,
        /// The Call's header, as its caller signed it.
        1 => signed: SignedHeader,
    }
}

/// A receipt as it goes into the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) digest: Digest,
    pub(crate) receipt: Blob,
    pub(crate) cost: Option<Price>,
    /// What the callee's events came to.
    pub(crate) trace: Option<TraceRoot>,
}

impl Receipts {
    pub(crate) fn new(signer: &SigningKey) -> Self {
        let secret = Digest::of(&[b"realm/1/order-secret", &[0], &*signer.seed()]);
        Self {
            secret: *secret.as_bytes(),
            signers: BTreeSet::new(),
        }
    }

    /// Takes up the rows of the chains that were kept.
    pub(crate) fn recover(&mut self, rows: impl Iterator<Item = Vec<u8>>) {
        self.signers = rows.collect();
    }

    fn salt(&self, call: CallId) -> [u8; 16] {
        Digest::of(&[&self.secret, call.as_bytes()]).half()
    }

    /// What a call asks for, as its caller here signs it.
    pub(crate) fn order(&self, call: CallId, invoke: &Invoke) -> Blob {
        let salt = self.salt(call);
        let order = Order {
            salt,
            loop_id: invoke.address.loop_id.clone(),
            version: invoke.version.clone(),
            input: content_digest(&salt, &invoke.input),
            budget: invoke.bounds(),
            root: invoke.root,
            parent: invoke.run,
        };
        cbor::encode(&order).into()
    }

    /// The rows to write and to remove so that a chain is kept; none where it is already.
    fn admit(&mut self, row: &[u8], root: &[u8]) -> Option<Option<Vec<u8>>> {
        if self.signers.contains(row) {
            return None;
        }
        let of_root = self.signers.iter().filter(|row| row.starts_with(root));
        let gone = if of_root.clone().count() >= limits::RECEIPT_SIGNERS_SHARE {
            of_root.min_by_key(|row| runs_out(row)).cloned()
        } else if self.signers.len() >= limits::RECEIPT_SIGNERS {
            self.signers.iter().min_by_key(|row| runs_out(row)).cloned()
        } else {
            None
        };
        if let Some(gone) = &gone {
            self.signers.remove(gone);
        }
        self.signers.insert(row.to_vec());
        Some(gone)
    }
}

/// When the chain in a row runs out, as the row's key ends.
fn runs_out(row: &[u8]) -> &[u8] {
    row.split_last_chunk::<8>().map_or(&[], |(_, last)| last)
}

/// What the caller has signed of a Call: none where its order is not what the Call says.
pub(crate) fn ordered(opened: &Opened, call: &Call) -> Option<Box<Ordered>> {
    let encoded = call.order.as_ref()?;
    let order: Order = cbor::decode(encoded).ok()?;
    let meant = opened.header().receipt == Some(Order::digest(encoded))
        && order.loop_id == call.loop_id
        && order.version == call.version
        && order.budget == call.budget
        && order.input == content_digest(&order.salt, &call.input);
    meant.then(|| {
        Box::new(Ordered {
            order: encoded.clone(),
            signed: opened.signed(),
        })
    })
}

impl Ordered {
    /// The run with which everything began that led to the call.
    pub(crate) fn root(&self) -> Option<RunId> {
        let order: Order = cbor::decode(&self.order).ok()?;
        Some(order.root)
    }
}

/// How a call ended, for its receipt.
struct End<'a> {
    run: RunId,
    began: Timestamp,
    ended: Timestamp,
    version: Option<String>,
    contract: Option<Digest>,
    spent: Spend,
    output: Result<&'a [u8], FailureCode>,
    refused: bool,
    trace: Option<TraceRoot>,
}

impl Node {
    /// Puts the receipt of a run that was served for another realm with its ending, and gives it to be
    /// kept here.
    pub(crate) fn receipt_for(
        &self,
        run: RunId,
        served: &Served,
        outcome: &Outcome,
        ending: &mut Ending,
    ) -> Option<Kept> {
        let ordered = served.ordered.as_deref()?;
        let output = match ending {
            Ok(result) => Ok(result.output.clone()),
            Err(failure) => Err(failure.code),
        };
        let end = End {
            run,
            began: served.record.started,
            ended: outcome.ended,
            version: Some(outcome.version.clone()),
            contract: Some(outcome.contract),
            spent: outcome.spent.clone(),
            output: output.as_deref().map_err(|code| *code),
            refused: false,
            trace: served.trace.root(),
        };
        let receipt = self.receipt(ordered, end)?;
        match ending {
            Ok(result) => result.receipt = Some(receipt.clone()),
            Err(failure) => failure.receipt = Some(receipt.clone()),
        }
        let digest = CallReceipt::digest(&receipt);
        let kept = KeptReceipt {
            receipt,
            signed: ordered.signed.clone(),
            order: Some(ordered.order.clone()),
        };
        Some(Kept {
            digest,
            receipt: cbor::encode(&kept).into(),
            cost: cost(&outcome.spent),
            trace: served.trace.root(),
        })
    }

    /// The receipt of a call that was not let begin.
    pub(crate) fn receipt_of_refusal(
        &mut self,
        remote: &Remote,
        failure: &CallFailure,
    ) -> Option<Blob> {
        let final_word = failure.not_begun && failure.code != FailureCode::Overloaded;
        let ordered = remote.ordered.as_deref().filter(|_| final_word)?;
        let end = End {
            run: self.new_run(),
            began: self.wall(),
            ended: self.wall(),
            version: None,
            contract: None,
            spent: Spend::default(),
            output: Err(failure.code),
            refused: true,
            trace: None,
        };
        self.receipt(ordered, end)
    }

    fn receipt(&self, ordered: &Ordered, end: End<'_>) -> Option<Blob> {
        let header = ordered.signed.peek().ok()?;
        let order: Order = cbor::decode(&ordered.order).ok()?;
        let outcome = match end.output {
            Ok(_) => AuditOutcome::Success,
            Err(_) if end.refused => AuditOutcome::Refusal,
            Err(FailureCode::Cancelled) => AuditOutcome::Cancelled,
            Err(_) => AuditOutcome::Failure,
        };
        let receipt = CallReceipt {
            call: header.call,
            order: Order::digest(&ordered.order),
            caller: realm_at(&header.source),
            callee: realm_at(self.me.place()),
            loop_id: order.loop_id,
            version: end.version.or(order.version),
            contract: end.contract,
            input: order.input,
            output: end
                .output
                .ok()
                .map(|output| content_digest(&order.salt, output)),
            outcome,
            error: end.output.err(),
            run: end.run,
            root: order.root,
            began: end.began,
            ended: end.ended,
            budget: order.budget,
            spent: end.spent,
            parent: order.parent,
            trace: end.trace,
        };
        Some(cbor::encode(&receipt).into())
    }

    /// The run with which everything began that led to a run here.
    pub(crate) fn root_of(&self, run: RunId) -> RunId {
        let served = self.serving.get(run);
        let ordered = served.and_then(|served| served.ordered.as_deref());
        ordered.and_then(Ordered::root).unwrap_or(run)
    }

    /// Takes the receipt of a call of this realm's that has ended, if it says what the answer says.
    pub(crate) fn take_receipt(
        &mut self,
        call: CallId,
        receipt: Option<&Blob>,
        answer: Result<&CallResult, &CallFailure>,
    ) {
        let Some(encoded) = receipt else {
            return;
        };
        let Some(kept) = self.checked_receipt(call, encoded, answer) else {
            let read = cbor::decode::<CallReceipt>(encoded);
            // An answer that is given again has the receipt of the call that it was given to first.
            if read.is_ok_and(|read| read.call != call) {
                tracing::debug!(%call, "a receipt of an earlier call under the same key");
            } else {
                tracing::warn!(%call, "a receipt does not say what the answer says");
            }
            return;
        };
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        out.receipt = Some(kept);
        let (scope, wall) = (out.scope.clone(), self.now.wall);
        self.keep_signer(&scope, wall);
    }

    fn checked_receipt(
        &self,
        call: CallId,
        encoded: &Blob,
        answer: Result<&CallResult, &CallFailure>,
    ) -> Option<Kept> {
        let out = self.calls.get(&call)?;
        let Task::Invoke(invoke) = &out.task else {
            return None;
        };
        let signed = out.signed.clone()?;
        let header = signed.peek().ok()?;
        let read: CallReceipt = cbor::decode(encoded).ok()?;
        let digest = CallReceipt::digest(encoded);
        let salt = self.receipts.salt(call);
        let (output, spent) = match answer {
            Ok(result) => (
                Some(content_digest(&salt, &result.output)),
                result.spent.as_ref(),
            ),
            Err(failure) => (None, failure.spent.as_ref()),
        };
        let says = header.receipt == Some(digest)
            && read.call == call
            && read.caller == realm_at(self.me.place())
            && read.callee == realm_at(&header.source)
            && read.loop_id == invoke.address.loop_id
            && read.input == content_digest(&salt, &invoke.input)
            && (read.output == output || output.is_none())
            && (read.root, read.parent) == (invoke.root, invoke.run)
            && read.budget == invoke.bounds()
            && spent.is_none_or(|spent| *spent == read.spent);
        let order = self.receipts.order(call, invoke);
        let kept = KeptReceipt {
            receipt: encoded.clone(),
            signed,
            order: (Order::digest(&order) == read.order).then_some(order),
        };
        says.then(|| Kept {
            digest,
            receipt: cbor::encode(&kept).into(),
            cost: cost(&read.counted()),
            trace: read.trace,
        })
    }

    /// Keeps the chain of a realm that has signed something, so that others can check it later.
    pub(crate) fn keep_signer(&mut self, scope: &Scope, now: Timestamp) {
        let Some(chain) = self.trust.known(scope) else {
            return;
        };
        let row = signer_row(chain);
        let Some(gone) = self.receipts.admit(&row, chain.root().as_bytes()) else {
            return;
        };
        let value = bare(chain).to_vec();
        let until = now
            .max(chain.expires())
            .plus(limits::RECEIPT_SIGNER_KEPT_MS);
        if let Some(gone) = gone {
            self.delete(Table::Signers, &gone);
        }
        self.put_until(Table::Signers, &row, value, until);
    }
}

fn signer_row(chain: &VerifiedChain) -> Vec<u8> {
    let (root, realm, node) = (chain.root(), chain.realm(), chain.node());
    let until = chain.expires().as_millis().to_be_bytes();
    [
        root.as_bytes().as_slice(),
        realm.as_bytes(),
        node.as_bytes(),
        &until,
    ]
    .concat()
}

/// A realm at its place, whichever node serves it.
fn realm_at(place: &Place) -> Place {
    Place {
        node: None,
        ..place.clone()
    }
}

/// What is spent as a price, where it is of one currency.
fn cost(spent: &Spend) -> Option<Price> {
    match spent.money.as_slice() {
        [amount] => Some(Price {
            currency: amount.currency.to_string(),
            micros: amount.micros,
        }),
        _ => None,
    }
}
