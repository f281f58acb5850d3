//! Receipts of calls, and those in which something was changed.

use realm_crypto::{SealError, seal, seal_reply};
use realm_evidence::{CallsError, EvidenceError, Finding, examine, examine_witnessed};
use realm_protocol::{
    CallId, Digest, Envelope, FailureCode, Kind, Place, RunId,
    audit::AuditOutcome,
    broadcast::Evidence,
    budget::{Amount, Budget, Spend},
    cbor::{self, Blob},
    limits,
    message::{Call, CallResult},
    receipt::{
        CallReceipt, KeptReceipt, Order, ReceiptExport, ReceiptList, SignedHeader, Statement,
        content_digest,
    },
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    tree::{DAY, NOW, Realm, World, outgoing, rng, signed, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "calls",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let found = match case.has("witness") {
        true => examine_witnessed(&case.bytes("hex"), &case.bytes("witness")),
        false => examine(&case.bytes("hex")),
    };
    let found = found.map_err(|error| error.to_string())?;
    let Finding::Calls(found) = found else {
        panic!("{} has no receipts", case.name());
    };
    let bills = serde_json::to_value(&found.bills).unwrap();
    assert_eq!(case.value("bills"), &bills, "{}", case.name());
    Ok(())
}

/// A call of one realm at another, as both have signed it.
struct Deal {
    receipt: Blob,
    order: Blob,
    call: SignedHeader,
    answer: SignedHeader,
}

/// What is agreed of a call.
struct Terms {
    number: u8,
    parent: u8,
    budget: u64,
    spent: u64,
    failure: Option<FailureCode>,
}

const PLAIN: Terms = Terms {
    number: 1,
    parent: 50,
    budget: 2_000_000,
    spent: 1_250_000,
    failure: None,
};

fn euros(micros: u64) -> Amount {
    Amount {
        currency: "EUR".parse().unwrap(),
        micros,
    }
}

fn realm_at(realm: &Realm) -> Place {
    Place {
        node: None,
        ..realm.place()
    }
}

fn signed_header(envelope: &Envelope) -> SignedHeader {
    SignedHeader {
        header: envelope.header.clone(),
        signature: envelope.signature.clone(),
        body: Digest::of(&[&envelope.body]),
    }
}

fn deal(caller: &Realm, callee: &Realm, terms: &Terms) -> Result<Deal, SealError> {
    let salt = [terms.number; 16];
    let budget = Some(Budget {
        money: Some(euros(terms.budget)),
        ..Budget::default()
    });
    let input = content_digest(&salt, br#"{"age":61}"#);
    let order = Order {
        salt,
        loop_id: "risk-classify".parse().unwrap(),
        version: None,
        input,
        budget,
        root: RunId::new([99; 16]),
        parent: RunId::new([terms.parent; 16]),
    };
    let order = Blob::from(cbor::encode(&order));
    let id = CallId::new([terms.number; 16]);
    let call = Call {
        budget,
        order: Some(order.clone()),
        ..super::messages::call()
    };
    let (here, there) = (caller.place(), callee.place());
    let content = cbor::encode(&call);
    let kem = callee.kem_record(|_| ()).peek().unwrap();
    let asked = realm_crypto::Outgoing {
        call: id,
        receipt: Some(Order::digest(&order)),
        ..outgoing(Kind::Call, &here, &there, None, &content)
    };
    let (letter, reply_key) = seal(&mut rng(terms.number), &caller.node, &kem, &asked)?;
    let digest = letter.digest();
    let output = br#"{"risk":"low"}"#;
    let receipt = CallReceipt {
        call: id,
        order: Order::digest(&order),
        caller: realm_at(caller),
        callee: realm_at(callee),
        loop_id: "risk-classify".parse().unwrap(),
        version: Some("1.2.0".to_owned()),
        contract: Some(Digest::of(&[b"contract"])),
        input,
        output: terms
            .failure
            .is_none()
            .then(|| content_digest(&salt, output)),
        outcome: match terms.failure {
            Some(_) => AuditOutcome::Failure,
            None => AuditOutcome::Success,
        },
        error: terms.failure,
        run: RunId::new([terms.number + 100; 16]),
        root: RunId::new([99; 16]),
        began: NOW,
        ended: NOW.plus(u64::from(terms.number)),
        budget,
        spent: Spend {
            money: vec![euros(terms.spent)],
            tokens: 700,
            calls: 1,
            unpriced: 0,
        },
        parent: RunId::new([terms.parent; 16]),
        trace: None,
    };
    let receipt = Blob::from(cbor::encode(&receipt));
    let result = CallResult {
        receipt: Some(receipt.clone()),
        ..super::messages::result()
    };
    let content = cbor::encode(&result);
    let told = realm_crypto::Outgoing {
        call: id,
        receipt: Some(CallReceipt::digest(&receipt)),
        ..outgoing(Kind::Result, &there, &here, Some(digest), &content)
    };
    let answer = seal_reply(&mut rng(terms.number), &callee.node, &reply_key, &told)?;
    Ok(Deal {
        receipt,
        order,
        call: signed_header(&letter.sign(&caller.node)),
        answer: signed_header(&answer.sign(&callee.node)),
    })
}

impl Deal {
    fn at_caller(&self) -> KeptReceipt {
        KeptReceipt {
            receipt: self.receipt.clone(),
            signed: self.answer.clone(),
            order: None,
        }
    }

    fn at_callee(&self) -> KeptReceipt {
        KeptReceipt {
            receipt: self.receipt.clone(),
            signed: self.call.clone(),
            order: Some(self.order.clone()),
        }
    }
}

fn page(receipts: &[KeptReceipt]) -> Blob {
    let encoded: Vec<Blob> = receipts.iter().map(|it| cbor::encode(it).into()).collect();
    cbor::encode(&encoded).into()
}

fn list(by: &Realm, receipts: &[KeptReceipt], statement: Option<Statement>) -> ReceiptList {
    let digests = receipts.iter().map(|it| CallReceipt::digest(&it.receipt));
    ReceiptList {
        realm: by.id,
        at: NOW.plus(100),
        count: receipts.len() as u64,
        digest: ReceiptList::digest(digests),
        statement,
    }
}

fn export(
    world: &World,
    by: &Realm,
    receipts: &[KeptReceipt],
    statement: Option<Statement>,
) -> ReceiptExport {
    let all = [&world.acme, &world.health, &world.lab];
    ReceiptExport {
        list: signed(&list(by, receipts, statement), &[&by.node]),
        pages: vec![page(receipts)],
        chains: all.map(Realm::chain_bytes).to_vec(),
    }
}

fn about(peer: &Realm) -> Option<Statement> {
    Some(Statement {
        peer: peer.place().scope(),
        since: NOW,
        until: NOW.plus(DAY),
    })
}

fn bytes(export: &ReceiptExport) -> Vec<u8> {
    cbor::encode(&Evidence::Receipts(export.clone()))
}

fn fields(export: &ReceiptExport) -> Value {
    json!({ "hex": hex(bytes(export)) })
}

fn with_bills(mut fields: Value, found: Result<Finding, EvidenceError>) -> Value {
    let Ok(Finding::Calls(found)) = found else {
        panic!("no receipts: {found:?}");
    };
    fields["bills"] = serde_json::to_value(&found.bills).unwrap();
    fields
}

fn make(book: &mut Book) {
    book.about(
        "Receipts of calls by `hex`, some held against a `witness`. Of those that show nothing wrong the \
         `bills`: what the calls of one realm at another come to, as far as it counts.",
    );
    let world = world();
    let plain = deal(&world.health, &world.lab, &PLAIN).unwrap();
    let failed = Terms {
        number: 2,
        failure: Some(FailureCode::LoopFailed),
        spent: 3_000_000,
        ..PLAIN
    };
    let failed = deal(&world.health, &world.lab, &failed).unwrap();
    let mine = [plain.at_caller(), failed.at_caller()];
    let theirs = [plain.at_callee(), failed.at_callee()];
    let caller = export(&world, &world.health, &mine, about(&world.lab));
    let callee = export(&world, &world.lab, &theirs, about(&world.acme));
    let mut right = |name: &str, rules: &str, export: &ReceiptExport| {
        let fields = with_bills(fields(export), examine(&bytes(export)));
        book.valid(name, rules, fields);
    };
    let rules = "SETTLE-1 SETTLE-3 SETTLE-10 SETTLE-13 SETTLE-14 SETTLE-15 SETTLE-17";
    right("the caller's statement", rules, &caller);
    let rules = "SETTLE-2 SETTLE-14 SETTLE-16";
    right("the callee's, with the orders", rules, &callee);
    let some = export(&world, &world.lab, &theirs[..1], None);
    right("some receipts", "SETTLE-12", &some);
    let mut both = fields(&caller);
    both["witness"] = json!(hex(bytes(&callee)));
    let found = examine_witnessed(&bytes(&caller), &bytes(&callee));
    book.valid(
        "two statements that agree",
        "SETTLE-18",
        with_bills(both, found),
    );
    spoilt(book, &world, (&plain, &failed), &caller);
    witnessed(book, &world, (&plain, &failed), &callee);
}

fn spoilt(book: &mut Book, world: &World, (plain, failed): (&Deal, &Deal), whole: &ReceiptExport) {
    let (health, lab) = (&world.health, &world.lab);
    let mut refuse = |name: &str, rules: &str, export: &ReceiptExport| {
        book.invalid(name, rules, fields(export));
    };
    let by_health = |receipts: &[KeptReceipt]| export(world, health, receipts, None);
    let cheaper = Terms {
        spent: 250_000,
        ..PLAIN
    };
    let cheaper = deal(health, lab, &cheaper).unwrap();
    let swapped = KeptReceipt {
        receipt: cheaper.receipt.clone(),
        ..plain.at_caller()
    };
    refuse(
        "another receipt than was signed",
        "SETTLE-3 SETTLE-14",
        &by_health(&[swapped]),
    );
    let unsigned = KeptReceipt {
        signed: SignedHeader {
            signature: failed.answer.signature.clone(),
            ..plain.answer.clone()
        },
        ..plain.at_caller()
    };
    refuse(
        "a signature of another message",
        "SETTLE-15",
        &by_health(&[unsigned]),
    );
    let own = KeptReceipt {
        signed: plain.call.clone(),
        ..plain.at_caller()
    };
    refuse(
        "a header of the realm's own",
        "SETTLE-14",
        &by_health(&[own]),
    );
    let other_order = KeptReceipt {
        order: Some(failed.order.clone()),
        ..plain.at_callee()
    };
    let other_order = export(world, lab, &[other_order], None);
    refuse("another order beside a receipt", "SETTLE-16", &other_order);
    let twice = [plain.at_caller(), plain.at_caller()];
    refuse("a receipt twice", "SETTLE-12", &by_health(&twice));
    let foreign = export(world, &world.acme, &[plain.at_caller()], None);
    refuse("a receipt of two other realms", "SETTLE-14", &foreign);
    let elsewhere = export(world, health, &[plain.at_caller()], about(&world.acme));
    refuse(
        "a receipt of another peer in a statement",
        "SETTLE-17",
        &elsewhere,
    );
    let mut fewer = whole.clone();
    fewer.pages = vec![page(&[plain.at_caller()])];
    refuse("a receipt removed", "SETTLE-12", &fewer);
    let mut moved = whole.clone();
    moved.pages = vec![page(&[failed.at_caller(), plain.at_caller()])];
    refuse("two receipts swapped", "SETTLE-12", &moved);
    let mut unproven = whole.clone();
    unproven.chains.pop();
    refuse("no chain of the other side", "SETTLE-15", &unproven);
    let mut by_another = whole.clone();
    by_another.list = signed(&whole.list.peek().unwrap(), &[&lab.node]);
    refuse("a list that another realm signed", "SETTLE-13", &by_another);
    let mut pages = whole.clone();
    pages.pages.resize(limits::RECEIPT_PAGES + 1, page(&[]));
    refuse("too many pages", "SETTLE-11", &pages);
}

fn witnessed(
    book: &mut Book,
    world: &World,
    (plain, failed): (&Deal, &Deal),
    callee: &ReceiptExport,
) {
    let mut refuse = |name: &str, export: &ReceiptExport, witness: &ReceiptExport| {
        let mut fields = fields(export);
        fields["witness"] = json!(hex(bytes(witness)));
        book.invalid(name, "SETTLE-18", fields);
    };
    let short = [failed.at_caller()];
    let short = export(world, &world.health, &short, about(&world.lab));
    refuse("a statement that leaves out a receipt", &short, callee);
    let (told, caused) = underreported(world, plain);
    refuse("a realm that reports less than it spent", &told, &caused);
}

/// What the lab tells of a call, and what the receipt of the call says that it made for it.
fn underreported(world: &World, plain: &Deal) -> (ReceiptExport, ReceiptExport) {
    let caused = Terms {
        number: 3,
        parent: PLAIN.number + 100,
        spent: 1_900_000,
        ..PLAIN
    };
    let caused = deal(&world.lab, &world.acme, &caused).unwrap();
    let told = export(world, &world.health, &[plain.at_caller()], None);
    let caused = export(world, &world.acme, &[caused.at_callee()], None);
    (told, caused)
}

#[test]
fn a_realm_that_reports_less_than_it_spent_is_named_with_its_run() {
    let world = world();
    let plain = deal(&world.health, &world.lab, &PLAIN).unwrap();
    let (told, caused) = underreported(&world, &plain);

    let found = examine_witnessed(&bytes(&told), &bytes(&caused));

    let expected = CallsError::Underreported {
        realm: world.lab.id,
        run: RunId::new([PLAIN.number + 100; 16]),
    };
    assert_eq!(found, Err(EvidenceError::Calls(expected)));
}
