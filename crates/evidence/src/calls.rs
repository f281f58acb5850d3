//! Receipts of calls: that both sides have signed them, and what they come to.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{Trust, VerifiedChain, VerifyError, verify, verify_chain, verify_header};
use realm_protocol::{
    CallId, Digest, FailureCode, Header, Kind, Place, RealmId, RunId, Timestamp,
    audit::AuditOutcome,
    budget::Spend,
    cbor::{self, Blob, CborError},
    limits::{RECEIPT_CHAINS, RECEIPT_ITEMS, RECEIPT_PAGES},
    receipt::{CallReceipt, KeptReceipt, Order, ReceiptExport, ReceiptList, Statement},
    records::{Chain, scopes},
};
use serde::Serialize;
use thiserror::Error;

use crate::account::text;

/// What receipts of calls show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallsAccount {
    /// The realm that shows them.
    pub realm: RealmId,
    /// When it signed that.
    pub signed: Timestamp,
    /// What they are all of, where they are a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementAccount>,
    /// What they come to, by the other realm and which side it was.
    pub bills: Vec<Bill>,
    /// How many of them the witness does not show, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<u64>,
    /// Them, by when the calls ended.
    pub receipts: Vec<CallAccount>,
}

/// The period of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementAccount {
    /// The other realm, as root and path.
    pub peer: String,
    /// Calls that ended at or after.
    pub since: Timestamp,
    /// Calls that ended before.
    pub until: Timestamp,
}

/// What the calls of one realm at another come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// Who called, as root and path.
    pub caller: String,
    /// Who was called, as root and path.
    pub callee: String,
    /// How many calls.
    pub receipts: u64,
    /// How many of them were a success.
    pub successes: u64,
    /// What they have used, as far as it counts.
    pub counted: Used,
}

/// What was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// Money by currency, in millionths.
    pub money: BTreeMap<String, u64>,
    /// Tokens of models.
    pub tokens: u64,
    /// Calls of models, tools, realms and bidders.
    pub calls: u64,
    /// How many of them cost what nobody knows.
    pub unpriced: u64,
}

impl Used {
    fn add(&mut self, spend: &Spend) {
        for amount in &spend.money {
            let sum = self.money.entry(amount.currency.to_string()).or_default();
            *sum = sum.saturating_add(amount.micros);
        }
        self.tokens = self.tokens.saturating_add(spend.tokens);
        self.calls = self.calls.saturating_add(spend.calls);
        self.unpriced = self.unpriced.saturating_add(spend.unpriced);
    }

    /// Whether it is more than another one in money of any currency, in tokens or in calls.
    fn exceeds(&self, other: &Self) -> bool {
        let more = |(currency, micros): (&String, &u64)| {
            *micros > other.money.get(currency).copied().unwrap_or_default()
        };
        self.money.iter().any(more) || self.tokens > other.tokens || self.calls > other.calls
    }
}

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallAccount {
    /// Its digest, which the header of the answer holds.
    pub receipt: Digest,
    /// The call.
    pub call: CallId,
    /// Who called, as root and path.
    pub caller: String,
    /// Who was called, as root and path.
    pub callee: String,
    /// The loop.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why, where it was no success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureCode>,
    /// The callee's run.
    pub run: RunId,
    /// The caller's run.
    pub parent: RunId,
    /// The run with which everything began that led to it.
    pub root: RunId,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What it has used, as far as it counts.
    pub counted: Used,
}

/// What is wrong with receipts of calls.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallsError {
    /// More than may be.
    #[error(
        "receipts come on at most {RECEIPT_PAGES} pages of {RECEIPT_ITEMS}, with {RECEIPT_CHAINS} chains"
    )]
    TooLong,
    /// A page does not read.
    #[error("a page of receipts does not read: {0}")]
    Page(#[source] CborError),
    /// No chain proves the realm that shows them, or its node did not sign the list.
    #[error("the list of receipts is not signed by the realm {0}")]
    List(RealmId),
    /// The list is of other receipts.
    #[error("the list of receipts was signed over others")]
    Others,
    /// One of them does not read.
    #[error("receipt {at} does not read: {error}")]
    Unreadable {
        /// Which, from 0.
        at: u64,
        /// Why.
        #[source]
        error: CborError,
    },
    /// The other side has not signed it.
    #[error("receipt {at}: the realm {realm} has not signed it: {error}")]
    Unsigned {
        /// Which, from 0.
        at: u64,
        /// Who should have.
        realm: RealmId,
        /// Why it did not.
        #[source]
        error: VerifyError,
    },
    /// No chain proves the other side.
    #[error("receipt {at}: no chain here proves the realm {realm} at that time")]
    Unproven {
        /// Which, from 0.
        at: u64,
        /// Who.
        realm: RealmId,
    },
    /// What was signed is another call, or another receipt.
    #[error("receipt {at}: what the other side has signed is not this receipt")]
    Another {
        /// Which, from 0.
        at: u64,
    },
    /// The order beside it is not the one that it answers.
    #[error("receipt {at}: the order beside it is another one")]
    Order {
        /// Which, from 0.
        at: u64,
    },
    /// It stands in the list twice, or lies outside the statement.
    #[error("receipt {at} does not belong into the list")]
    Misplaced {
        /// Which, from 0.
        at: u64,
    },
    /// A statement leaves out what the realm has signed.
    #[error(
        "the statement leaves out the receipt {receipt} of call {call}, which the realm {realm} has signed"
    )]
    LeftOut {
        /// The realm whose statement it is.
        realm: RealmId,
        /// The call.
        call: CallId,
        /// The receipt that the witness shows.
        receipt: Digest,
    },
    /// A realm has told its caller of less than it had used.
    #[error(
        "the realm {realm} reports less than it spent: of run {run} it says less than the calls come to that it made for it"
    )]
    Underreported {
        /// The realm.
        realm: RealmId,
        /// Its run.
        run: RunId,
    },
}

impl CallsError {
    /// The number, from 0, of the receipt that is wrong, if it is one.
    pub fn receipt(&self) -> Option<u64> {
        match self {
            Self::Unreadable { at, .. }
            | Self::Unsigned { at, .. }
            | Self::Unproven { at, .. }
            | Self::Another { at }
            | Self::Order { at }
            | Self::Misplaced { at } => Some(*at),
            _ => None,
        }
    }
}

/// Receipts of which everything was checked.
pub(crate) struct Checked {
    list: ReceiptList,
    receipts: Vec<(Digest, CallReceipt)>,
}

/// Checks receipts of calls.
pub(crate) fn check(export: &ReceiptExport) -> Result<Checked, CallsError> {
    if export.pages.len() > RECEIPT_PAGES || export.chains.len() > RECEIPT_CHAINS {
        return Err(CallsError::TooLong);
    }
    let mut signers = Signers::read(&export.chains);
    let list = export.list.peek().map_err(CallsError::Page)?;
    let signed = signers.node_of(list.realm, list.at);
    let signed = signed.and_then(|chain| verify(&export.list, &[*chain.node().as_bytes()]).ok());
    if signed.is_none() {
        return Err(CallsError::List(list.realm));
    }
    let mut receipts: Vec<(Digest, CallReceipt)> = Vec::new();
    let mut known = BTreeSet::new();
    for page in &export.pages {
        let page: Vec<Blob> = cbor::decode(page).map_err(CallsError::Page)?;
        if page.len() > RECEIPT_ITEMS {
            return Err(CallsError::TooLong);
        }
        for encoded in &page {
            let at = receipts.len() as u64;
            let (digest, receipt) = one(encoded, at, list.realm, &mut signers)?;
            let inside = list.statement.as_ref();
            let inside = inside.is_none_or(|of| covers(of, list.realm, &receipt));
            if !known.insert(digest) || !inside {
                return Err(CallsError::Misplaced { at });
            }
            receipts.push((digest, receipt));
        }
    }
    let digests = receipts.iter().map(|(digest, _)| *digest);
    let whole = list.count == receipts.len() as u64 && list.digest == ReceiptList::digest(digests);
    match whole {
        true => Ok(Checked { list, receipts }),
        false => Err(CallsError::Others),
    }
}

/// Reads a receipt that the realm shows, and that the other side has signed.
fn one(
    encoded: &[u8],
    at: u64,
    shown_by: RealmId,
    signers: &mut Signers,
) -> Result<(Digest, CallReceipt), CallsError> {
    let unreadable = |error| CallsError::Unreadable { at, error };
    let kept: KeptReceipt = cbor::decode(encoded).map_err(unreadable)?;
    let receipt: CallReceipt = cbor::decode(&kept.receipt).map_err(unreadable)?;
    let header = kept.signed.peek().map_err(unreadable)?;
    let digest = CallReceipt::digest(&kept.receipt);
    let (mine, other) = match header.kind {
        Kind::Call => (&receipt.callee, &receipt.caller),
        _ => (&receipt.caller, &receipt.callee),
    };
    let meant = mine.realm == Some(shown_by)
        && stands(&header.source, other)
        && stands(&header.destination, mine)
        && header.call == receipt.call
        && binds(&header, &receipt, digest)
        && receipt.spent.is_well_formed();
    if !meant {
        return Err(CallsError::Another { at });
    }
    let realm = other.realm.unwrap_or(shown_by);
    let chain = signers.chain_of(&header, header.created);
    let chain = chain.ok_or(CallsError::Unproven { at, realm })?;
    let unsigned = |error| CallsError::Unsigned { at, realm, error };
    verify_header(&kept.signed, chain).map_err(unsigned)?;
    if kept
        .order
        .is_some_and(|order| !is_ordered(&order, &receipt))
    {
        return Err(CallsError::Order { at });
    }
    Ok((digest, receipt))
}

fn stands(place: &Place, other: &Place) -> bool {
    place.is_at(other) && place.realm == other.realm
}

/// Whether a signed header is the caller's word for the order, or the callee's for the receipt.
fn binds(header: &Header, receipt: &CallReceipt, digest: Digest) -> bool {
    match header.kind {
        Kind::Call => header.receipt == Some(receipt.order),
        Kind::Result | Kind::Failure => header.receipt == Some(digest),
        _ => false,
    }
}

/// Whether an order is the one that the receipt names, and says the same.
fn is_ordered(encoded: &Blob, receipt: &CallReceipt) -> bool {
    let Ok(order) = cbor::decode::<Order>(encoded) else {
        return false;
    };
    Order::digest(encoded) == receipt.order
        && order.loop_id == receipt.loop_id
        && order.input == receipt.input
        && order.budget == receipt.budget
        && (order.root, order.parent) == (receipt.root, receipt.parent)
}

/// Whether a statement of this realm's has to have the receipt.
fn covers(statement: &Statement, realm: RealmId, receipt: &CallReceipt) -> bool {
    let other = match receipt.callee.realm == Some(realm) {
        true => &receipt.caller,
        false => &receipt.callee,
    };
    let Statement { peer, since, until } = statement;
    peer.contains(&other.scope()) && *since <= receipt.ended && receipt.ended < *until
}

/// Tells what checked receipts come to.
pub(crate) fn account(checked: &Checked) -> CallsAccount {
    let Checked { list, receipts } = checked;
    let mut bills: BTreeMap<(String, String), Bill> = BTreeMap::new();
    let mut calls = Vec::with_capacity(receipts.len());
    for (digest, receipt) in receipts {
        let (caller, callee) = (text(&receipt.caller), text(&receipt.callee));
        let counted = receipt.counted();
        let bill = bills
            .entry((caller.clone(), callee.clone()))
            .or_insert_with(|| Bill {
                caller: caller.clone(),
                callee: callee.clone(),
                receipts: 0,
                successes: 0,
                counted: Used::default(),
            });
        bill.receipts = bill.receipts.saturating_add(1);
        let success = receipt.outcome == AuditOutcome::Success;
        bill.successes = bill.successes.saturating_add(u64::from(success));
        bill.counted.add(&counted);
        let mut used = Used::default();
        used.add(&counted);
        calls.push(CallAccount {
            receipt: *digest,
            call: receipt.call,
            caller,
            callee,
            loop_id: receipt.loop_id.to_string(),
            version: receipt.version.clone(),
            outcome: receipt.outcome,
            error: receipt.error,
            run: receipt.run,
            parent: receipt.parent,
            root: receipt.root,
            began: receipt.began,
            ended: receipt.ended,
            counted: used,
        });
    }
    calls.sort_by_key(|call| (call.ended, call.receipt));
    CallsAccount {
        realm: list.realm,
        signed: list.at,
        statement: list.statement.as_ref().map(|it| StatementAccount {
            peer: it.peer.to_string(),
            since: it.since,
            until: it.until,
        }),
        bills: bills.into_values().collect(),
        unmatched: None,
        receipts: calls,
    }
}

/// Holds receipts against those that another realm shows; gives how many that one does not show.
pub(crate) fn witnessed(checked: &Checked, witness: &Checked) -> Result<u64, CallsError> {
    let realm = checked.list.realm;
    let known: BTreeSet<Digest> = checked.receipts.iter().map(|(it, _)| *it).collect();
    let statement = checked.list.statement.as_ref();
    for (digest, receipt) in &witness.receipts {
        let mine = receipt.caller.realm == Some(realm) || receipt.callee.realm == Some(realm);
        // Who refuses need not remember.
        let due = mine
            && receipt.outcome != AuditOutcome::Refusal
            && statement.is_some_and(|of| covers(of, realm, receipt));
        if due && !known.contains(digest) {
            return Err(CallsError::LeftOut {
                realm,
                call: receipt.call,
                receipt: *digest,
            });
        }
    }
    reported(checked, witness)?;
    let other = witness.list.realm;
    let shown: BTreeSet<Digest> = witness.receipts.iter().map(|(it, _)| *it).collect();
    let between = checked.receipts.iter().filter(|(digest, receipt)| {
        let theirs = receipt.caller.realm == Some(other) || receipt.callee.realm == Some(other);
        theirs && !shown.contains(digest)
    });
    Ok(between.count() as u64)
}

/// What a realm says that a run has used is never less than what the calls come to that it made for
/// that run, by the receipts that are there.
fn reported(first: &Checked, second: &Checked) -> Result<(), CallsError> {
    let all: BTreeMap<Digest, &CallReceipt> = first
        .receipts
        .iter()
        .chain(&second.receipts)
        .map(|(digest, receipt)| (*digest, receipt))
        .collect();
    let mut made: BTreeMap<(RealmId, RunId), Used> = BTreeMap::new();
    for receipt in all.values() {
        if let Some(caller) = receipt.caller.realm {
            let sum = made.entry((caller, receipt.parent)).or_default();
            sum.add(&receipt.answered_for());
        }
    }
    for receipt in all.values() {
        let Some(realm) = receipt.callee.realm else {
            continue;
        };
        let mut said = Used::default();
        said.add(&receipt.spent);
        let sum = made.get(&(realm, receipt.run));
        if sum.is_some_and(|sum| sum.exceeds(&said)) {
            return Err(CallsError::Underreported {
                realm,
                run: receipt.run,
            });
        }
    }
    Ok(())
}

/// The chains of everybody who signed; each is proven when it is asked for.
struct Signers {
    by_realm: BTreeMap<RealmId, Vec<(Chain, Option<VerifiedChain>)>>,
}

impl Signers {
    /// Reads chains; one that does not read proves nobody.
    fn read(chains: &[Blob]) -> Self {
        let mut by_realm: BTreeMap<RealmId, Vec<(Chain, Option<VerifiedChain>)>> = BTreeMap::new();
        for encoded in chains {
            let Ok(chain) = cbor::decode::<Chain>(encoded) else {
                continue;
            };
            let realm = chain.links.last().map(|link| link.inception.realm_id());
            if let Some(realm) = realm {
                by_realm.entry(realm).or_default().push((chain, None));
            }
        }
        Self { by_realm }
    }

    /// A chain of a realm that holds at a time and whose node may sign messages.
    fn node_of(&mut self, realm: RealmId, at: Timestamp) -> Option<&VerifiedChain> {
        self.find(realm, at, |chain| chain.scopes() & scopes::MESSAGE != 0)
    }

    /// The chain of a header's source that holds at a time.
    fn chain_of(&mut self, header: &Header, at: Timestamp) -> Option<&VerifiedChain> {
        let realm = header.source.realm?;
        self.find(realm, at, |chain| *chain.place() == header.source)
    }

    fn find(
        &mut self,
        realm: RealmId,
        at: Timestamp,
        is_meant: impl Fn(&VerifiedChain) -> bool,
    ) -> Option<&VerifiedChain> {
        let chains = self.by_realm.get_mut(&realm)?.iter_mut();
        let mut found = chains.filter_map(|(chain, proven)| {
            let holds = |proven: &VerifiedChain| proven.is_valid_at(at, &|_, _| false).is_ok();
            if !proven.as_ref().is_some_and(holds) {
                *proven = prove(chain, at);
            }
            proven.as_ref().filter(|chain| is_meant(chain))
        });
        found.next()
    }
}

fn prove(chain: &Chain, at: Timestamp) -> Option<VerifiedChain> {
    let trust = Trust {
        root: chain.links.first()?.inception.realm_id(),
        shared: None,
        revoked: &|_, _| false,
        now: at,
    };
    verify_chain(chain, &trust).ok()
}
