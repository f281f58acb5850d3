//! Receipts of bidders, and those that prove a wrong ranking.

use realm_broadcast::Closed;
use realm_evidence::Finding;
use realm_protocol::{
    Digest, Timestamp,
    broadcast::{Close, Evidence, Receipt, Verdict},
    cbor::{self, Blob},
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    transcripts::{Part, Story, asking, best},
    tree::signed,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "receipts",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let found = realm_evidence::examine(&case.bytes("hex")).map_err(|error| error.to_string())?;
    let Finding::Receipt(found) = found else {
        panic!("{} is no receipt", case.name());
    };
    let standing = found
        .standing
        .map(|it| json!([it.rank, it.counted, it.slot]));
    assert_eq!(&standing.unwrap_or(Value::Null), case.value("standing"));
    Ok(())
}

fn make(book: &mut Book) {
    book.about(
        "Evidence that is a receipt by `hex`. Of one that shows nothing wrong: the bid's `standing` as \
         its rank, how many bids counted, and the slot it won or null; null without a close.",
    );
    let gives = [Part::Gives(1); 6];
    let story = Story::new(&best(asking()), &gives).run(u64::MAX);
    let rules = "RECEIPT-1 RECEIPT-2";
    for (name, number, standing) in [
        ("a bid that won", 0, json!([1, 6, 0])),
        ("a bid that lost", 5, json!([6, 6, null])),
    ] {
        book.valid(
            name,
            rules,
            with(fields(&receipt(&story, number)), &standing),
        );
    }
    let open = Receipt {
        close: Vec::new(),
        ..receipt(&story, 0)
    };
    book.valid(
        "a broadcast not closed",
        rules,
        with(fields(&open), &Value::Null),
    );
    refused(book, &story);
}

fn with(mut fields: Value, standing: &Value) -> Value {
    fields["standing"] = standing.clone();
    fields
}

fn refused(book: &mut Book, story: &Story) {
    let winner = receipt(story, 0);
    let unsigned = Receipt {
        bid: signed(&winner.bid.peek().unwrap(), &[&story.bidder(1).node]),
        ..winner.clone()
    };
    book.invalid(
        "a bid that somebody else signed",
        "RECEIPT-1",
        fields(&unsigned),
    );
    let unproven = Receipt {
        chains: winner.chains[..1].to_vec(),
        ..winner.clone()
    };
    book.invalid(
        "a bidder that nothing proves",
        "RECEIPT-1",
        fields(&unproven),
    );
    let other = Story::new(&best(asking()), &[Part::Gives(1)]).run(u64::MAX);
    let of_another = Receipt {
        bid: other.signed_bid(0),
        announcement: receipt(&Story::new(&asking(), &[Part::Stays]), 0).announcement,
        ..winner.clone()
    };
    book.invalid(
        "a bid for another announcement",
        "RECEIPT-1",
        fields(&of_another),
    );
    let passed_over = Receipt {
        awarded: false,
        ..receipt(story, 0)
    };
    let reclosed = without_winner(story, passed_over.clone(), None);
    book.invalid("a winner behind the bid", "RECEIPT-2", fields(&reclosed));
    let early = awarded_after(story, &passed_over, 59_999);
    let what = "a winner behind the bid while it holds";
    book.invalid(what, "CLOSE-8", fields(&early));
    let late = awarded_after(story, &passed_over, 60_000);
    let what = "a winner behind a bid that may have held no longer";
    book.valid(what, "CLOSE-8", with(fields(&late), &json!([1, 6, null])));
    let what = "a winner behind a bid whose award was not confirmed";
    let named = unconfirmed(story, &early, early.bid.digest());
    book.valid(what, "CLOSE-7", with(fields(&named), &json!([1, 6, null])));
    let what = "a winner behind a bid where another's award was not confirmed";
    let other_named = unconfirmed(story, &early, story.signed_bid(4).digest());
    book.invalid(what, "CLOSE-7", fields(&other_named));
    let uncounted = Receipt {
        close: other.close.iter().map(encoded).collect(),
        ..receipt(story, 1)
    };
    book.invalid(
        "a bid that was not counted",
        "RECEIPT-1",
        fields(&uncounted),
    );
    let mut secret = closed(story).verdict;
    secret.secret = [9; 32];
    let secret = reclose(story, winner, &secret);
    book.invalid("another secret", "RECEIPT-1", fields(&secret));
}

/// The first winner's slot given to the last bid.
fn without_winner(story: &Story, receipt: Receipt, awarded: Option<Timestamp>) -> Receipt {
    let mut verdict = closed(story).verdict;
    for won in &mut verdict.winners {
        won.awarded = awarded.or(won.awarded);
    }
    let loser = story.signed_bid(5);
    verdict.winners[0].bid = loser.digest();
    let mut receipt = reclose(story, receipt, &verdict);
    let mut page: Close = cbor::decode(&receipt.close[0]).unwrap();
    page.winners[0] = loser;
    receipt.close = vec![encoded(&page)];
    receipt
}

/// The same, with all awards made so long after the announcement.
fn awarded_after(story: &Story, receipt: &Receipt, ms: u64) -> Receipt {
    let created = receipt.announcement.peek().unwrap().created;
    without_winner(story, receipt.clone(), Some(created.plus(ms)))
}

/// The same, with one bid named whose award was not confirmed.
fn unconfirmed(story: &Story, receipt: &Receipt, bid: Digest) -> Receipt {
    let page: Close = cbor::decode(&receipt.close[0]).unwrap();
    let verdict = Verdict {
        unconfirmed: Some(vec![bid]),
        ..page.verdict.peek().unwrap()
    };
    let page = Close {
        verdict: signed(&verdict, &[&story.realms[0].node]),
        ..page
    };
    Receipt {
        close: vec![encoded(&page)],
        ..receipt.clone()
    }
}

/// The same close with another verdict, signed by the announcer.
fn reclose(story: &Story, receipt: Receipt, verdict: &Verdict) -> Receipt {
    let mut page = story.close[0].clone();
    page.verdict = signed(verdict, &[&story.realms[0].node]);
    Receipt {
        close: vec![encoded(&page)],
        ..receipt
    }
}

fn closed(story: &Story) -> Closed {
    Closed::join(&story.close).unwrap()
}

fn receipt(story: &Story, number: usize) -> Receipt {
    let bid = story.signed_bid(number);
    let won = |bid: Digest| closed(story).winners.iter().any(|(won, _)| won.bid == bid);
    Receipt {
        awarded: !story.close.is_empty() && won(bid.digest()),
        announcement: story.announced.clone(),
        bid,
        close: story.close.iter().map(encoded).collect(),
        chains: vec![
            story.realms[0].chain_bytes(),
            story.bidder(number).chain_bytes(),
        ],
    }
}

fn encoded(page: &Close) -> Blob {
    Blob::from(cbor::encode(page))
}

fn fields(receipt: &Receipt) -> Value {
    json!({"hex": hex(cbor::encode(&Evidence::Receipt(receipt.clone())))})
}
