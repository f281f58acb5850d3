//! What bidders may see of whole broadcasts, and what is no such view.

use realm_broadcast::{
    Unsealed,
    log::{Awarded, Ended, Entry, Finished},
    open_view,
    view::{OwnBid, Reply, Shown, Told, recompute, view},
};
use realm_protocol::{
    Digest, RealmId, Timestamp,
    broadcast::{Close, Evidence, Transcript},
    cbor::{self, Blob},
    limits,
    records::Signed,
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    transcripts::{Part, Story, asking, best, fate},
    tree::{NOW, signed},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "views",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    realm_evidence::examine(&bytes).map_err(|error| error.to_string())?;
    let Evidence::View(sealed) = cbor::decode(&bytes).unwrap() else {
        panic!("{} is no view", case.name());
    };
    let (bids, ending) = seen(&sealed);
    assert_eq!(&bids, case.value("bids"));
    assert_eq!(ending, case.number("ending"));
    Ok(())
}

/// What a view comes to: its bids, and the number of the ending.
fn seen(sealed: &Transcript) -> (Value, u64) {
    let (reader, entries) = open_view(sealed).unwrap();
    let found = recompute(reader, &entries).unwrap();
    let bids = found.bids.iter().map(|seen| {
        json!([
            hex(seen.digest.as_bytes()),
            seen.bid.is_some(),
            seen.own,
            fate(seen.fate)
        ])
    });
    (Value::from_iter(bids), found.conclusion.ending.number())
}

fn reader(story: &Story, number: usize) -> RealmId {
    story.bidder(number).place().realm.unwrap()
}

fn shown(story: &Story, number: usize) -> Vec<Shown> {
    view(&story.log, reader(story, number), &story.close).unwrap()
}

/// A view that the announcer seals, whatever is in it.
fn sealed(story: &Story, number: usize, entries: &[Shown]) -> Transcript {
    let broadcast = story.announced.peek().unwrap().broadcast;
    let unsealed = Unsealed::view(broadcast, reader(story, number), entries, NOW).unwrap();
    let seal = signed(&unsealed.seal, &[&story.realms[0].node]);
    unsealed.sealed(seal, Some(story.realms[0].chain_bytes()))
}

fn fields(sealed: &Transcript) -> Value {
    json!({"hex": hex(cbor::encode(&Evidence::View(sealed.clone())))})
}

/// One bidder declines, one fails, one charges too much, two give results, and two lose.
fn eventful() -> Story {
    use Part::{Declines, Fails, Gives, Overcharges};
    let parts = [
        Declines,
        Fails,
        Gives(1),
        Overcharges,
        Gives(1),
        Gives(1),
        Gives(1),
    ];
    Story::new(&best(asking()), &parts).run(u64::MAX)
}

fn make(book: &mut Book) {
    book.about(
        "Evidence that is a view by `hex`. Of a right one: all `bids` in rank order with digest, whether \
         the bid is shown, whether it is the reader's, and fate as in the transcripts' vectors; the number \
         of the `ending`.",
    );
    use Part::{Gives, Stays};
    let all = "TRANSCRIPT-11 TRANSCRIPT-12 TRANSCRIPT-13 TRANSCRIPT-14";
    let story = eventful();
    for (name, number) in [
        ("a bidder that declined", 0),
        ("a bidder that failed", 1),
        ("a bidder that won", 2),
        ("a bidder that charged too much", 3),
        ("a bidder that lost", 6),
    ] {
        book.valid(name, all, answered(&story, number));
    }
    let weighted = Story::new(&asking(), &[Gives(1); 4]).run(u64::MAX);
    book.valid("by a rule that weighs trust", all, answered(&weighted, 1));
    let mut cancelled = Story::new(&best(asking()), &[Stays, Stays, Gives(1)]).run(3_000);
    cancelled.tell(realm_broadcast::announcer::Input::Cancel {
        waits_ms: limits::WITHDRAW_MS,
    });
    let cancelled = cancelled.run(u64::MAX);
    book.valid(
        "a broadcast that was cancelled",
        all,
        answered(&cancelled, 1),
    );
    unlike(book, &story);
    misjudged(book, &story);
}

/// Adds what a right view comes to.
fn answered(story: &Story, number: usize) -> Value {
    let sealed = sealed(story, number, &shown(story, number));
    let (bids, ending) = seen(&sealed);
    let mut fields = fields(&sealed);
    fields["bids"] = bids;
    fields["ending"] = ending.into();
    fields
}

fn at(entries: &[Shown], wanted: impl Fn(&Shown) -> bool) -> usize {
    entries.iter().position(wanted).unwrap()
}

/// The first entry of a kind.
macro_rules! first {
    ($entries:expr, $kind:ident) => {
        $entries
            .iter_mut()
            .find_map(|shown| match shown {
                Shown::$kind(it) => Some(it),
                _ => None,
            })
            .unwrap()
    };
}

/// Adds a view of a story that its announcer has changed before it was sealed.
fn edit(
    book: &mut Book,
    (name, rule): (&str, &str),
    (story, number): (&Story, usize),
    change: impl FnOnce(&mut Vec<Shown>),
) {
    let mut entries = shown(story, number);
    change(&mut entries);
    book.invalid(name, rule, fields(&sealed(story, number, &entries)));
}

/// Changes the close that a view has, and has the announcer sign it.
fn reclose(
    story: &Story,
    told: &mut Told,
    change: impl FnOnce(&mut Close, &mut realm_protocol::broadcast::Verdict),
) {
    let mut page: Close = cbor::decode(&told.close[0]).unwrap();
    let mut verdict = page.verdict.peek().unwrap();
    change(&mut page, &mut verdict);
    page.verdict = signed(&verdict, &[&story.realms[0].node]);
    told.close = vec![Blob::from(cbor::encode(&page))];
}

/// Views that are not of their close, their reader or their signers.
fn unlike(book: &mut Book, story: &Story) {
    let list = "TRANSCRIPT-12";
    let whole = sealed(story, 2, &shown(story, 2));
    let mut nobodys = whole.clone();
    let mut seal = whole.seal.peek().unwrap();
    seal.reader = None;
    nobodys.seal = signed(&seal, &[&story.realms[0].node]);
    book.invalid("sealed for nobody", list, fields(&nobodys));
    let as_transcript = cbor::encode(&Evidence::Transcript(whole.clone()));
    book.invalid(
        "a view that is called a transcript",
        list,
        json!({"hex": hex(as_transcript)}),
    );
    let mut turned = whole;
    turned.seal = signed(&turned.seal.peek().unwrap(), &[&story.bidder(0).node]);
    book.invalid("sealed by somebody else", list, fields(&turned));
    edit(book, ("of another reader", list), (story, 2), |entries| {
        *entries = shown(story, 1);
    });
    edit(
        book,
        ("without the reader's bid", list),
        (story, 2),
        |entries| {
            entries.remove(at(entries, |it| matches!(it, Shown::OwnBid(_))));
        },
    );
    edit(
        book,
        ("a bid that the close does not have", list),
        (story, 6),
        |entries| {
            let own: &mut OwnBid = first!(entries, OwnBid);
            let mut bid = own.bid.peek().unwrap();
            bid.time_ms += 1;
            own.bid = signed(&bid, &[&story.bidder(6).node]);
        },
    );
    edit(
        book,
        ("a bid that somebody else signed", list),
        (story, 6),
        |entries| {
            let own = first!(entries, OwnBid);
            own.bid = signed(&own.bid.peek().unwrap(), &[&story.bidder(0).node]);
        },
    );
    edit(
        book,
        ("without a winner's chain", list),
        (story, 6),
        |entries| {
            let chain = story.bidder(2).chain_bytes();
            entries.retain(|it| !matches!(it, Shown::Proved(it) if it.chain == chain));
        },
    );
    edit(book, ("another secret", list), (story, 2), |entries| {
        let told = first!(entries, Told);
        reclose(story, told, |_, verdict| verdict.secret = [9; 32]);
    });
    edit(
        book,
        ("a verdict that somebody else signed", list),
        (story, 2),
        |entries| {
            let told = first!(entries, Told);
            let mut page: Close = cbor::decode(&told.close[0]).unwrap();
            page.verdict = signed(&page.verdict.peek().unwrap(), &[&story.bidder(0).node]);
            told.close = vec![Blob::from(cbor::encode(&page))];
        },
    );
    edit(
        book,
        ("bids in another order than the rule's", list),
        (story, 6),
        |entries| {
            let told = first!(entries, Told);
            reclose(story, told, |page, verdict| {
                let digests: Vec<&[u8]> = page.digests.chunks(32).rev().collect();
                page.digests = Blob::from(digests.concat());
                verdict.order = Digest::of(&[&page.digests]);
            });
        },
    );
}

/// Views whose entries the rule does not lead to.
fn misjudged(book: &mut Book, story: &Story) {
    let (awards, work) = ("TRANSCRIPT-13", "TRANSCRIPT-14");
    edit(
        book,
        ("an award to no bid", awards),
        (story, 2),
        |entries| {
            first!(entries, Awarded).bid = Digest::of(&[b"another"]);
        },
    );
    edit(
        book,
        ("an award in a later epoch", awards),
        (story, 2),
        |entries| {
            first!(entries, Awarded).epoch = 2;
        },
    );
    edit(book, ("an award too late", awards), (story, 2), |entries| {
        let award: &mut Awarded = first!(entries, Awarded);
        award.at = Timestamp::from_millis(award.at.as_millis() + 10_001);
    });
    edit(
        book,
        ("an award that passes over the reader's bid", awards),
        (story, 2),
        |entries| {
            let (own, next) = (story.signed_bid(2).digest(), story.signed_bid(3).digest());
            let held = |bid| move |it: &Shown| matches!(it, Shown::Awarded(it) if it.bid == bid);
            let (own, next) = (at(entries, held(own)), at(entries, held(next)));
            if let [Shown::Awarded(own), .., Shown::Awarded(next)] = &mut entries[own..=next] {
                std::mem::swap(&mut own.bid, &mut next.bid);
            }
        },
    );
    edit(
        book,
        ("awards out of rank", awards),
        (story, 6),
        |entries| {
            let bids: Vec<Digest> = entries
                .iter()
                .filter_map(|it| match it {
                    Shown::Awarded(it) => Some(it.bid),
                    _ => None,
                })
                .collect();
            let mut turned = bids.into_iter().rev();
            for shown in entries {
                if let Shown::Awarded(it) = shown {
                    it.bid = turned.next().unwrap();
                }
            }
        },
    );
    edit(
        book,
        ("a verdict with another winner", awards),
        (story, 2),
        |entries| {
            let told = first!(entries, Told);
            reclose(story, told, |_, verdict| verdict.winners[0].epoch += 1);
        },
    );
    edit(
        book,
        ("a verdict that hides who did not confirm", awards),
        (story, 2),
        |entries| {
            let told = first!(entries, Told);
            reclose(story, told, |_, verdict| verdict.unconfirmed = None);
        },
    );
    edit(
        book,
        ("an answer that the reader did not give", work),
        (story, 0),
        |entries| {
            first!(entries, Reply).reserved = true;
        },
    );
    edit(
        book,
        ("an answer of somebody else", work),
        (story, 2),
        |entries| {
            let reply: &mut Reply = first!(entries, Reply);
            reply.confirm = story.log.iter().find_map(|it| match it {
                Entry::Answered(it) => it.confirm.clone(),
                _ => None,
            });
        },
    );
    edit(
        book,
        ("a lease without an answer", work),
        (story, 2),
        |entries| {
            entries.remove(at(
                entries,
                |it| matches!(it, Shown::Reply(it) if it.reserved),
            ));
        },
    );
    edit(
        book,
        ("a result taken for a failure", work),
        (story, 2),
        |entries| {
            let ended: &mut Ended = entries
                .iter_mut()
                .find_map(|it| match it {
                    Shown::Ended(it) if it.delivered.is_some() => Some(it),
                    _ => None,
                })
                .unwrap();
            ended.end = realm_broadcast::log::End::Failed;
        },
    );
    edit(
        book,
        ("a result that is not shown to who gave it", work),
        (story, 2),
        |entries| {
            for shown in entries {
                if let Shown::Ended(it) = shown {
                    it.delivered = None;
                }
            }
        },
    );
    edit(
        book,
        ("a lease taken back while its result is waited for", work),
        (story, 6),
        |entries| {
            first!(entries, Ended).end = realm_broadcast::log::End::Withdrawn;
        },
    );
    edit(
        book,
        ("bids taken for all that are taken", work),
        (story, 6),
        |entries| {
            first!(entries, BidsClosed).cause = realm_broadcast::log::CloseCause::Full;
        },
    );
    edit(book, ("another ending", work), (story, 2), |entries| {
        let finished: &mut Finished = first!(entries, Finished);
        finished.conclusion.ending = realm_broadcast::log::Ending::Cancelled;
    });
    edit(
        book,
        ("without a citation of the reader's", work),
        (story, 2),
        |entries| {
            first!(entries, Finished).conclusion.citations.clear();
        },
    );
    edit(
        book,
        ("a broadcast that has not ended", work),
        (story, 2),
        |entries| {
            entries.retain(|it| !matches!(it, Shown::Finished(_)));
        },
    );
}

/// What others bid is in no view but a winner's own: neither the bid nor any part of it that could be
/// recognized, and of the whole no input, output or trust.
#[test]
fn a_view_holds_no_byte_of_a_bid_that_is_not_the_readers_or_a_winners() {
    let story = eventful();
    let winners: Vec<Digest> = story.close[0].winners.iter().map(Signed::digest).collect();

    for number in 0..7 {
        let sealed = sealed(&story, number, &shown(&story, number));
        let bytes = cbor::encode(&Evidence::View(sealed));
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        for other in 0..7 {
            let bid = story.signed_bid(other);
            let may_see = other == number || winners.contains(&bid.digest());
            assert_eq!(holds(&bid.payload), may_see, "{other}'s bid at {number}");
            assert_eq!(holds(&bid.signatures[0]), may_see, "{other}'s at {number}");
            let realm = reader(&story, other);
            assert_eq!(holds(realm.as_bytes()), may_see, "{other} at {number}");
        }
        let Some(Entry::Planned(planned)) = story.log.first() else {
            panic!("no plan")
        };
        assert!(!holds(planned.input.as_bytes()), "the input at {number}");
        let gives = matches!(number, 2..=4);
        assert_eq!(holds(b"\"risk\""), gives, "an output at {number}");
    }
}
