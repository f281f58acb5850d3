//! Exports of audit logs, and those in which something was changed.

use realm_evidence::Finding;
use realm_protocol::{
    CallId, Digest, RunId, Timestamp,
    audit::{
        AuditContradiction, AuditExport, AuditHead, AuditItem, AuditNote, AuditOutcome, AuditProof,
        AuditRow, Frontier, LeafRange, entry_digest,
    },
    broadcast::{Evidence, Price},
    cbor::{self, Blob, CborError},
    limits,
    records::Signed,
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    tree::{NOW, Realm, signed, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "audit",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    if case.has("proof") {
        return judge_proof(case);
    }
    let found = realm_evidence::examine(&case.bytes("hex")).map_err(|error| error.to_string())?;
    let found = match found {
        Finding::Audit(found) => found,
        Finding::Contradiction(found) => {
            assert_eq!(case.value("how"), &json!(found.how));
            let counts = [found.known.count, found.shown.count];
            assert_eq!(case.value("counts"), &json!(counts));
            return Ok(());
        }
        _ => panic!("{} is no audit log", case.name()),
    };
    assert_eq!(case.value("first"), &json!(found.first));
    assert_eq!(case.value("count"), &json!(found.count));
    assert_eq!(case.value("shown"), &json!(found.shown));
    assert_eq!(case.text("root"), hex(found.root.as_bytes()));
    Ok(())
}

fn judge_proof(case: &Case) -> Result<(), String> {
    let read = || {
        let proof: AuditProof = cbor::decode(&case.bytes("proof"))?;
        let head: Signed<AuditHead> = cbor::decode(&case.bytes("head"))?;
        Ok(proof.leads(&proof.from.peek()?, &head.peek()?))
    };
    match read() {
        Ok(true) => Ok(()),
        Ok(false) => Err("it does not lead to the head".to_owned()),
        Err::<bool, CborError>(error) => Err(error.to_string()),
    }
}

/// A log with the frontier before each of its entries, and one more.
struct Log {
    realm: Realm,
    rows: Vec<AuditRow>,
    before: Vec<(Frontier, Digest)>,
}

impl Log {
    fn new(realm: Realm, notes: Vec<AuditNote>) -> Self {
        let mut log = Self {
            realm,
            rows: Vec::new(),
            before: vec![(Frontier::default(), Digest::new([0; 32]))],
        };
        for (salt, note) in (1..).zip(notes) {
            let (mut frontier, previous) = log.before.last().cloned().unwrap();
            let at = NOW.plus(frontier.count());
            let row = note.into_row(frontier.count(), previous, at, [salt; 16]);
            let digest = entry_digest(&row.entry);
            frontier.push(digest);
            log.before.push((frontier, digest));
            log.rows.push(row);
        }
        log
    }

    fn head(&self, count: usize) -> Signed<AuditHead> {
        self.head_by(count, self.before[count].0.root(), &self.realm)
    }

    fn head_by(&self, count: usize, root: Digest, by: &Realm) -> Signed<AuditHead> {
        let head = AuditHead {
            realm: by.id,
            count: count as u64,
            root,
            at: NOW.plus(100),
        };
        signed(&head, &[&by.node])
    }

    fn export(&self, first: usize, last: usize, heads: &[usize]) -> AuditExport {
        let items: Vec<AuditItem> = self.rows[first..last].iter().map(shown).collect();
        AuditExport {
            head: self.head(last),
            first: first as u64,
            frontier: self.before[first].0.to_bytes(),
            previous: self.before[first].1,
            pages: vec![page(&items)],
            heads: heads.iter().map(|count| self.head(*count)).collect(),
            chain: Some(cbor::encode(&self.realm.chain()).into()),
        }
    }
}

fn shown(row: &AuditRow) -> AuditItem {
    AuditItem {
        entry: Some(row.entry.clone()),
        details: row.details.clone(),
        digest: None,
    }
}

fn page(items: &[AuditItem]) -> Blob {
    cbor::encode(&items.to_vec()).into()
}

/// The export with its items changed.
fn edited(export: &AuditExport, edit: impl FnOnce(&mut Vec<AuditItem>)) -> AuditExport {
    let mut items: Vec<AuditItem> = cbor::decode(&export.pages[0]).unwrap();
    edit(&mut items);
    AuditExport {
        pages: vec![page(&items)],
        ..export.clone()
    }
}

fn flipped(blob: &mut Option<Blob>) {
    let mut bytes = blob.as_ref().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    *blob = Some(bytes.into());
}

fn notes() -> Vec<AuditNote> {
    let digest = |byte| Some(Digest::new([byte; 32]));
    let lab = world().lab;
    vec![
        AuditNote {
            person: Some("ada".to_owned()),
            why: Some("the ward asked".to_owned()),
            ..AuditNote::new("loop.created").about("triage:1.0.0")
        },
        AuditNote {
            realm: Some(lab.place().scope()),
            run: Some(RunId::new([1; 16])),
            call: Some(CallId::new([2; 16])),
            parent: Some(RunId::new([3; 16])),
            contract: digest(4),
            receipt: digest(5),
            cost: Some(Price {
                currency: "EUR".to_owned(),
                micros: 1_500_000,
            }),
            person: Some("grace".to_owned()),
            input: digest(6),
            output: digest(7),
            ..AuditNote::new("call.served").about("triage:1.0.0")
        },
        AuditNote {
            outcome: AuditOutcome::Refusal,
            error: Some("Denied abcdefghjk".to_owned()),
            realm: Some(lab.place().scope()),
            ..AuditNote::new("policy.denied").about("invoke triage@acme")
        },
        AuditNote {
            outcome: AuditOutcome::Refusal,
            times: Some(40),
            ..AuditNote::new("policy.denied")
        },
        AuditNote {
            outcome: AuditOutcome::Cancelled,
            run: Some(RunId::new([8; 16])),
            ..AuditNote::new("run.ended").about("triage:1.0.0")
        },
        AuditNote {
            outcome: AuditOutcome::Failure,
            error: Some("Timeout".to_owned()),
            run: Some(RunId::new([9; 16])),
            ..AuditNote::new("call.made").about("variants")
        },
    ]
}

fn fields(export: &AuditExport) -> Value {
    json!({ "hex": hex(cbor::encode(&Evidence::Audit(export.clone()))) })
}

fn make(book: &mut Book) {
    book.about(
        "Evidence that is a part of an audit log by `hex`. Of one that shows nothing wrong: the place of its \
         `first` item, the `count` and `root` of its last head, and how many entries are `shown`. Or two heads, and \
         `how` the second contradicts the first, with the `counts` of both. Or, instead of `hex`, the `proof` that a log \
         goes on to a signed `head`.",
    );
    let log = Log::new(world().acme, notes());
    let whole = log.export(0, 6, &[2, 4]);
    valid(
        book,
        "a whole log",
        "AUDIT-1 AUDIT-2 AUDIT-7 AUDIT-13 AUDIT-16",
        &log,
        &whole,
        6,
    );
    let part = log.export(3, 5, &[3]);
    valid(
        book,
        "a part between two heads",
        "AUDIT-8 AUDIT-14",
        &log,
        &part,
        2,
    );
    let hidden = edited(&whole, |items| {
        for at in [0, 3, 5] {
            let digest = Some(entry_digest(&log.rows[at].entry));
            items[at] = AuditItem {
                entry: None,
                details: None,
                digest,
            };
        }
    });
    valid(
        book,
        "entries of which only digests are shown",
        "AUDIT-12",
        &log,
        &hidden,
        3,
    );
    let erased = edited(&whole, |items| items[1].details = None);
    valid(
        book,
        "details that are erased",
        "AUDIT-15",
        &log,
        &erased,
        6,
    );
    let empty = log.export(0, 0, &[]);
    valid(book, "a log without entries", "AUDIT-7", &log, &empty, 0);
    spoilt_items(book, &log, &whole);
    spoilt_heads(book, &log, &whole, &part);
    proofs(book, &log);
    contradictions(book, &log);
}

/// What shows that the log went on from one count to another.
fn proof(log: &Log, from: usize, to: usize) -> AuditProof {
    let mut range = LeafRange::new(from as u64);
    for row in &log.rows[from..to] {
        range.push(entry_digest(&row.entry));
    }
    AuditProof {
        from: undated(log, log.head(from)),
        frontier: log.before[from].0.to_bytes(),
        range: range.to_bytes(),
    }
}

/// A head as it stands in a proof: without a time.
fn undated(log: &Log, head: Signed<AuditHead>) -> Signed<AuditHead> {
    let mut head = head.peek().unwrap();
    head.at = Timestamp::from_millis(0);
    signed(&head, &[&log.realm.node])
}

fn proofs(book: &mut Book, log: &Log) {
    let fields = |proof: &AuditProof, head: &Signed<AuditHead>| json!({ "proof": hex(cbor::encode(proof)), "head": hex(cbor::encode(head)) });
    for (from, to) in [(0, 6), (1, 6), (2, 3), (3, 4), (4, 6), (5, 6), (6, 6)] {
        let name = format!("a proof that {from} entries go on to {to}");
        let fields = fields(&proof(log, from, to), &log.head(to));
        book.valid(&name, "AUDIT-23", fields);
    }
    let right = proof(log, 3, 6);
    let mut refuse = |name: &str, proof: &AuditProof, head: &Signed<AuditHead>| {
        book.invalid(name, "AUDIT-23", fields(proof, head));
    };
    refuse("a proof for a head that is longer", &right, &log.head(5));
    let root = Digest::new([1; 32]);
    let other = log.head_by(6, root, &log.realm);
    refuse("a proof that leads to another root", &right, &other);
    let begins = AuditProof {
        from: undated(log, log.head_by(3, root, &log.realm)),
        ..right.clone()
    };
    let dated = AuditProof {
        from: log.head(3),
        ..right.clone()
    };
    refuse("a proof whose first head has a time", &dated, &log.head(6));
    refuse(
        "a proof that begins with another root",
        &begins,
        &log.head(6),
    );
    let more = AuditProof {
        range: [&right.range[..], root.as_bytes()].concat().into(),
        ..right.clone()
    };
    refuse("a proof with one digest more", &more, &log.head(6));
    let less = AuditProof {
        frontier: right.frontier[32..].to_vec().into(),
        ..right.clone()
    };
    refuse(
        "a proof without a digest of its beginning",
        &less,
        &log.head(6),
    );
    let back = proof(log, 6, 6);
    refuse("a proof that leads back", &back, &log.head(5));
}

fn contradictions(book: &mut Book, log: &Log) {
    let fields = |found: &AuditContradiction| {
        let evidence = Evidence::Contradiction(found.clone());
        json!({ "hex": hex(cbor::encode(&evidence)) })
    };
    let later = |count: usize, root: Digest, ms: u64| {
        let mut head = log.head(count).peek().unwrap();
        (head.root, head.at) = (root, head.at.plus(ms));
        signed(&head, &[&log.realm.node])
    };
    let root = Digest::new([1; 32]);
    let anew = AuditContradiction {
        known: log.head(4),
        shown: later(4, root, 0),
        at: NOW.plus(200),
        chain: Some(cbor::encode(&log.realm.chain()).into()),
    };
    let shorter = AuditContradiction {
        shown: later(2, log.before[2].0.root(), 1),
        ..anew.clone()
    };
    for (name, how, found) in [
        ("a log that was told anew", "other", &anew),
        ("a log that was cut short", "shorter", &shorter),
    ] {
        let mut fields = fields(found);
        fields["how"] = json!(how);
        let head = found.shown.peek().unwrap();
        fields["counts"] = json!([4, head.count]);
        book.valid(name, "AUDIT-24", fields);
    }
    let mut refuse = |name: &str, found: &AuditContradiction| {
        book.invalid(name, "AUDIT-24", fields(found));
    };
    let with = |shown: Signed<AuditHead>| AuditContradiction {
        shown,
        ..anew.clone()
    };
    refuse("two heads that are the same", &with(log.head(4)));
    refuse("a head that may follow the other", &with(log.head(6)));
    let earlier = with(later(2, log.before[2].0.root(), 0));
    refuse("a shorter head that was not signed later", &earlier);
    let of_proof = AuditContradiction {
        known: undated(log, log.head(4)),
        ..shorter.clone()
    };
    refuse("a head of a proof and a shorter one", &of_proof);
    let once = with(undated(log, log.head(2)));
    refuse("where a log once stood, for where it stands", &once);
    let lab = world().lab;
    refuse("heads of two realms", &with(log.head_by(4, root, &lab)));
    let head = later(4, root, 0).peek().unwrap();
    refuse(
        "a head that another realm signed for it",
        &with(signed(&head, &[&lab.node])),
    );
    let unproven = AuditContradiction {
        chain: None,
        ..anew.clone()
    };
    refuse("two heads without a chain", &unproven);
}

fn valid(book: &mut Book, name: &str, rules: &str, log: &Log, export: &AuditExport, shown: u64) {
    let head = export.head.peek().unwrap();
    let mut fields = fields(export);
    fields["first"] = json!(export.first);
    fields["count"] = json!(head.count);
    fields["shown"] = json!(shown);
    let count = usize::try_from(head.count).unwrap();
    fields["root"] = json!(hex(log.before[count].0.root().as_bytes()));
    book.valid(name, rules, fields);
}

fn spoilt_items(book: &mut Book, log: &Log, whole: &AuditExport) {
    let mut refuse = |name: &str, rules: &str, export: &AuditExport| {
        book.invalid(name, rules, fields(export));
    };
    let removed = edited(whole, |items| drop(items.remove(2)));
    refuse("an entry removed", "AUDIT-12 AUDIT-17", &removed);
    let cut = edited(whole, |items| items.truncate(4));
    refuse("the last entries cut off", "AUDIT-12", &cut);
    let doubled = edited(whole, |items| items.insert(3, items[2].clone()));
    refuse("an entry twice", "AUDIT-15 AUDIT-17", &doubled);
    let swapped = edited(whole, |items| items.swap(1, 4));
    refuse("two entries swapped", "AUDIT-15", &swapped);
    let more = edited(whole, |items| {
        let (frontier, previous) = log.before[6].clone();
        let row = AuditNote::new("run.ended").into_row(frontier.count(), previous, NOW, [9; 16]);
        items.push(shown(&row));
    });
    refuse("one more than was signed", "AUDIT-12", &more);
    let details = edited(whole, |items| flipped(&mut items[0].details));
    refuse("other details", "AUDIT-2 AUDIT-15", &details);
    let rewritten = |at: usize, previous: Digest| {
        let note = AuditNote::new("loop.removed").about("triage:1.0.0");
        shown(&note.into_row(at as u64, previous, NOW, [7; 16]))
    };
    for at in [0, 3, 5] {
        let name = format!("entry {at} written anew");
        let changed = edited(whole, |items| items[at] = rewritten(at, log.before[at].1));
        refuse(&name, "AUDIT-17", &changed);
    }
    let other = Digest::new([1; 32]);
    for at in [0, 3, 5] {
        let name = format!("entry {at} that names another one before it");
        let changed = edited(whole, |items| items[at] = rewritten(at, other));
        refuse(&name, "AUDIT-1 AUDIT-17", &changed);
    }
    let hidden = edited(whole, |items| {
        for item in &mut items[2..4] {
            *item = AuditItem {
                entry: None,
                details: None,
                digest: Some(other),
            };
        }
    });
    refuse(
        "the digests of entries that are not shown changed",
        "AUDIT-16",
        &hidden,
    );
    let both = edited(whole, |items| items[2].digest = Some(other));
    refuse("an entry and a digest in one place", "AUDIT-15", &both);
    let unread = edited(whole, |items| items[2].entry = Some(vec![0xa0].into()));
    refuse("an entry that does not read", "AUDIT-1", &unread);
}

fn spoilt_heads(book: &mut Book, log: &Log, whole: &AuditExport, part: &AuditExport) {
    let mut refuse = |name: &str, rules: &str, export: &AuditExport| {
        book.invalid(name, rules, fields(export));
    };
    let lab = world().lab;
    let root = log.before[6].0.root();
    let mut by_another = whole.clone();
    by_another.head = signed(&whole.head.peek().unwrap(), &[&lab.node]);
    refuse("a head that another realm signed", "AUDIT-13", &by_another);
    let mut of_another = whole.clone();
    of_another.head = log.head_by(6, root, &lab);
    refuse("a head of another realm", "AUDIT-13", &of_another);
    let mut unproven = whole.clone();
    unproven.chain = None;
    refuse("no chain", "AUDIT-13", &unproven);
    let mut unordered = whole.clone();
    unordered.heads.reverse();
    refuse("heads out of order", "AUDIT-13", &unordered);
    let mut forked = whole.clone();
    forked.heads[1] = log.head_by(4, Digest::new([1; 32]), &log.realm);
    refuse("an earlier head with another root", "AUDIT-16", &forked);
    let mut moved = part.clone();
    moved.frontier = log.before[5].0.to_bytes();
    refuse("another frontier", "AUDIT-8 AUDIT-14", &moved);
    let mut unsigned = part.clone();
    unsigned.heads.clear();
    refuse("a beginning that nobody signed", "AUDIT-14", &unsigned);
    let mut previous = part.clone();
    previous.previous = Digest::new([1; 32]);
    refuse("another entry before the first", "AUDIT-17", &previous);
    let mut begins = whole.clone();
    begins.previous = Digest::new([1; 32]);
    refuse("an entry before a whole log", "AUDIT-14", &begins);
    let mut pages = whole.clone();
    pages.pages.resize(limits::AUDIT_PAGES + 1, page(&[]));
    refuse("too many pages", "AUDIT-12", &pages);
}
