//! Realm keys that are handed on.

use realm_crypto::{SigningKey, check_fork, commit_to, current_key, incept, succeed};
use realm_protocol::{
    Digest, RealmId,
    cbor::{self, Wire},
    records::{Inception, Signed, Succession, SuccessionReason},
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, bytes, hex},
    tree::{NOW, key, signed},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "successions",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let inception: Signed<Inception> = cbor::decode(&case.bytes("inception")).unwrap();
    let realm = RealmId::new(case.array("realm"));
    let read = |key: &str| -> Vec<Signed<Succession>> { case.list(key).iter().map(one).collect() };
    let seen = read("successions");
    let current = current_key(&inception, &seen, realm).map_err(|error| error.to_string())?;
    if case.has("known") {
        check_fork(&read("known"), &seen).map_err(|error| error.to_string())?;
    }
    assert_eq!(hex(current.key), case.text("key"));
    assert_eq!(current.epoch, case.number("epoch"));
    let voided = case.value("voided_before").as_u64();
    assert_eq!(current.voided_before, voided);
    Ok(())
}

fn one<T: Wire>(value: &Value) -> T {
    cbor::decode(&bytes(value)).unwrap()
}

fn digest_of(number: u8) -> Digest {
    commit_to(&key(number).public())
}

/// Realm key 1, then 2, 3 … in order.
fn inception() -> Signed<Inception> {
    incept(&key(1), digest_of(2), NOW).1
}

fn history(reasons: &[SuccessionReason]) -> Vec<Signed<Succession>> {
    let mut successions = Vec::new();
    for (number, reason) in (2..).zip(reasons) {
        let next = digest_of(number + 1);
        let record = succeed(&inception(), &successions, &key(number), next, *reason, NOW);
        successions.push(record);
    }
    successions
}

fn fields(successions: &[Signed<Succession>]) -> Value {
    let inception = inception();
    let successions: Vec<String> = successions.iter().map(|s| hex(cbor::encode(s))).collect();
    json!({
        "inception": hex(cbor::encode(&inception)), "realm": hex(inception.realm_id().as_bytes()),
        "successions": successions,
    })
}

fn holds(successions: &[Signed<Succession>], key: u8, voided_before: Option<u64>) -> Value {
    let mut fields = fields(successions);
    fields["key"] = hex(self::key(key).public()).into();
    fields["epoch"] = successions.len().into();
    fields["voided_before"] = voided_before.into();
    fields
}

const ROUTINE: SuccessionReason = SuccessionReason::Routine;
const COMPROMISED: SuccessionReason = SuccessionReason::Compromised;

fn make(book: &mut Book) {
    book.about(
        "A realm's `inception` and `successions`: the realm's current `key`, its `epoch`, and the \
         epoch before which node certificates are void, if any. `known` are successions that the \
         reader held before. Keys have seeds of 32 equal bytes: 1 for the inception, then 2, 3 ….",
    );
    book.valid("none", "SUCC-4", holds(&[], 1, None));
    let routine = history(&[ROUTINE]);
    book.valid(
        "routine",
        "SUCC-1 SUCC-2 SUCC-3 SUCC-5 SUCC-10",
        holds(&routine, 2, None),
    );
    let compromised = history(&[COMPROMISED]);
    book.valid("compromised", "SUCC-9", holds(&compromised, 2, Some(1)));
    let mixed = history(&[ROUTINE, COMPROMISED, ROUTINE]);
    book.valid(
        "routine, compromised, routine",
        "SUCC-1 SUCC-9",
        holds(&mixed, 4, Some(2)),
    );
    let longest = history(&[ROUTINE; 32]);
    book.valid("32 successions", "SUCC-6", holds(&longest, 33, None));
    let mut further = holds(&mixed[..2], 3, Some(2));
    further["known"] = fields(&mixed)["successions"].clone();
    book.valid("known further than shown", "SUCC-8", further);

    book.invalid("33 successions", "SUCC-6", fields(&history(&[ROUTINE; 33])));
    book.invalid("without the first", "SUCC-1", fields(&mixed[1..]));
    let twice = [routine[0].clone(), routine[0].clone()];
    book.invalid("the first twice", "SUCC-1", fields(&twice));
    let swapped = [mixed[1].clone(), mixed[0].clone()];
    book.invalid("the second before the first", "SUCC-1", fields(&swapped));
    let zero = forged(&key(2), |succession| succession.number = 0);
    book.invalid("number 0", "SUCC-1", fields(&[zero]));
    let other = forged(&key(2), |succession| succession.previous = digest_of(9));
    book.invalid("after another record", "SUCC-2", fields(&[other]));
    let thief = succeed(&inception(), &[], &key(9), digest_of(3), ROUTINE, NOW);
    book.invalid(
        "by a key that was not committed to",
        "SUCC-3",
        fields(&[thief]),
    );
    let old = forged(&key(1), |succession| succession.realm_key = key(1).public());
    book.invalid("by the key before", "SUCC-3", fields(&[old]));
    let unsigned = forged(&key(9), |_| ());
    book.invalid(
        "signed by another key than its own",
        "SUCC-5",
        fields(&[unsigned]),
    );
    let foreign = forged(&key(2), |succession| {
        succession.realm = RealmId::new([0; 32]);
    });
    book.invalid("of another realm", "SUCC-4", fields(&[foreign]));
    let mut another = fields(&routine);
    another["realm"] = hex([0; 32]).into();
    book.invalid("of another inception", "SUCC-4", another);

    let fork = succeed(&inception(), &[], &key(2), digest_of(77), ROUTINE, NOW);
    let forked = [routine[0].clone(), fork.clone()];
    book.invalid("a fork in one history", "SUCC-7", fields(&forked));
    let mut hidden = fields(&[fork]);
    hidden["known"] = fields(&routine)["successions"].clone();
    book.invalid("a fork of what is known", "SUCC-8", hidden);
}

/// The first succession after an edit, signed by the key given.
fn forged(signer: &SigningKey, edit: impl FnOnce(&mut Succession)) -> Signed<Succession> {
    let mut succession = Succession {
        realm: inception().realm_id(),
        number: 1,
        previous: inception().digest(),
        realm_key: key(2).public(),
        next_key: digest_of(3),
        reason: ROUTINE,
        created: NOW,
    };
    edit(&mut succession);
    signed(&succession, &[signer])
}
