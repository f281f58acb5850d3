//! Transcripts of whole broadcasts, and what is none.

use realm_broadcast::{
    Announcer, FanOut, Left, Pass, Side, Unsealed,
    announcer::{Fate, Input, Message, Output, Plan, Round, recompute},
    close_pages,
    log::{
        Answered, Awarded, CloseCause, Conclusion, Counted, End, Ending, Entry, Leased, Proved,
        SideHeard, Unused,
    },
    open_transcript,
};
use realm_protocol::{
    BroadcastId, Digest, FailureCode, Now, Place, RunId, Tick, Timestamp,
    broadcast::{
        Aggregation, Announcement, Award, Bid, Close, Confirm, ConfirmAnswer, Deliver, Evidence,
        LeaseEnd, Outcome, Price, Rule, Selection, Strategy, Tally, Transcript, TranscriptSeal,
        Waiting,
    },
    budget::{Amount, Budget, Spend},
    cbor::{self, Blob},
    limits,
    records::Signed,
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    broadcast::{announced, announcement},
    tree::{NOW, Realm, signed},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "transcripts",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    realm_evidence::examine(&bytes).map_err(|error| error.to_string())?;
    let Evidence::Transcript(transcript) = cbor::decode(&bytes).unwrap() else {
        panic!("{} is no transcript", case.name());
    };
    let found = recompute(&open_transcript(&transcript).unwrap()).unwrap();

    let accounts = found.accounts.iter().map(|account| {
        json!([
            hex(account.bid.as_bytes()),
            account.score,
            fate(account.fate)
        ])
    });
    assert_eq!(&Value::from_iter(accounts), case.value("bids"));
    assert_eq!(found.informed.len() as u64, case.number("informed"));
    let conclusion = found.conclusion.unwrap();
    assert_eq!(&output(&conclusion), case.value("output"));
    assert_eq!(conclusion.ending.number(), case.number("ending"));
    Ok(())
}

pub(super) fn fate(fate: Fate) -> Value {
    match fate {
        Fate::Won { slot, epoch, end } => {
            json!([
                "won",
                slot,
                epoch,
                end.map(realm_broadcast::log::End::number)
            ])
        }
        Fate::Declined { slot, epoch } => json!(["declined", slot, epoch]),
        Fate::Standby => json!(["standby"]),
        Fate::Lost => json!(["lost"]),
    }
}

fn output(conclusion: &Conclusion) -> Value {
    let output = conclusion.output.as_ref();
    output.map_or(Value::Null, |it| realm_protocol::json::parse(it).unwrap())
}

/// The first entry of a kind.
macro_rules! first {
    ($log:expr, $kind:ident) => {
        $log.iter_mut()
            .find_map(|entry| match entry {
                Entry::$kind(it) => Some(it),
                _ => None,
            })
            .unwrap()
    };
}

/// What each of the bidders does when it is awarded a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Gives(u64),
    Declines,
    Fails,
    Overcharges,
    Stays,
}

/// An announcer, its bidders and its log.
pub(super) struct Story {
    announcer: Announcer,
    pub(super) announced: Signed<Announcement>,
    parts: Vec<Part>,
    /// Whether its awards have a budget.
    bounded: bool,
    /// Who announces, and then who bids.
    pub(super) realms: Vec<Realm>,
    pub(super) log: Vec<Entry>,
    /// The close, in pages.
    pub(super) close: Vec<Close>,
    elapsed: u64,
}

impl Story {
    pub(super) fn new(announcement: &Announcement, parts: &[Part]) -> Self {
        Self::within(None, announcement, parts)
    }

    /// With what all awards together may use.
    fn within(budget: Option<Budget>, announcement: &Announcement, parts: &[Part]) -> Self {
        Self::leased(30_000, budget, announcement, parts)
    }

    /// With leases of so many milliseconds.
    fn leased(
        lease_ms: u64,
        budget: Option<Budget>,
        announcement: &Announcement,
        parts: &[Part],
    ) -> Self {
        let realms: Vec<Realm> = (0..=parts.len()).map(realm).collect();
        let announcement = Announcement {
            broadcast: broadcast(),
            announcer: realms[0].place(),
            ..announcement.clone()
        };
        let announced = signed(&announcement, &[&realms[0].node]);
        let pass = Pass {
            to: Side::Parent,
            left: Left { down: 0, up: 0 },
            window_ms: 1_800,
        };
        let plan = Plan {
            rounds: vec![Round {
                announcement: announced.clone(),
                fan: FanOut {
                    passes: vec![pass],
                    unreached: 0,
                },
            }],
            secret: [7; 32],
            input: Blob::from(b"{}".to_vec()),
            confirm_ms: 2_000,
            lease_ms,
            at_once: 2,
            person_ms: 60_000,
            budget,
        };
        let clock = Now {
            wall: NOW,
            tick: Tick::from_millis(0),
        };
        Self {
            announcer: Announcer::start(plan, clock).unwrap(),
            announced,
            parts: parts.to_vec(),
            bounded: budget.is_some(),
            realms,
            log: Vec::new(),
            close: Vec::new(),
            elapsed: 0,
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: NOW.plus(self.elapsed),
            tick: Tick::from_millis(self.elapsed),
        }
    }

    /// Every bidder bids, and time passes until there is an outcome, or up to `until`.
    pub(super) fn run(mut self, until: u64) -> Self {
        for number in 0..self.parts.len() {
            let bid = self.signed_bid(number);
            let from = self.bidder(number).place();
            let trust = 500_000;
            self.tell(Input::Bid {
                from,
                bid,
                trust,
                permitted: true,
            });
        }
        while let Some(next) = self.announcer.poll_timeout() {
            if next.as_millis() > until {
                break;
            }
            self.pass();
        }
        self
    }

    /// Time passes until something happens by itself.
    fn pass(&mut self) {
        let next = self.announcer.poll_timeout().unwrap();
        self.elapsed = self.elapsed.max(next.as_millis());
        self.announcer.handle_timeout(self.now());
        self.drain();
    }

    /// A chain is written down before what rests on it.
    fn write_down(&mut self, entry: Entry) {
        let proven = match &entry {
            Entry::Planned(_) => Some(self.realms[0].place()),
            Entry::Counted(it) => Some(it.bid.peek().unwrap().bidder),
            _ => None,
        };
        let at = self.now().wall;
        self.log.push(entry);
        if let Some(place) = proven {
            let realm = self.realms.iter().find(|realm| realm.place() == place);
            let chain = realm.unwrap().chain_bytes();
            self.log.push(Proved { chain, at }.into());
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.elapsed += 1;
        self.announcer.handle(input, self.now());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.announcer.poll_output() {
            match output {
                Output::Write(entry) => self.write_down(*entry),
                Output::Close {
                    verdict, winners, ..
                } => {
                    let signed = signed(&*verdict, &[&self.realms[0].node]);
                    let ranking = self.announcer.ranking();
                    self.close = close_pages(&signed, &verdict, ranking, &winners);
                }
                Output::Send { to, message } => self.answer(&to, message),
                Output::Check(output) => {
                    let why = (output["risk"] == 3).then(|| "a risk is at most 2".to_owned());
                    self.tell(Input::Checked(why));
                }
                _ => {}
            }
        }
    }

    pub(super) fn bidder(&self, number: usize) -> &Realm {
        &self.realms[number + 1]
    }

    pub(super) fn signed_bid(&self, number: usize) -> Signed<Bid> {
        signed(&self.bid(number), &[&self.bidder(number).node])
    }

    fn bid(&self, number: usize) -> Bid {
        let bidder = self.bidder(number).place();
        let number = number as u64;
        Bid {
            broadcast: broadcast(),
            announcement: self.announced.digest(),
            bidder,
            agent: "risk-classify".parse().unwrap(),
            contract: Digest::of(&[b"contract"]),
            price: euros(20_000 + 1_000 * number),
            time_ms: 2_000,
            confidence: 900_000,
            load: 0,
            created: NOW,
            expires_ms: 60_000,
        }
    }

    fn answer(&mut self, to: &Place, message: Message) {
        let mut numbers = 0..self.parts.len();
        let number = numbers.find(|it| self.bidder(*it).place() == *to).unwrap();
        let part = self.parts[number];
        match message {
            Message::Award(award) => {
                let answer = match part {
                    Part::Declines => ConfirmAnswer::Busy,
                    _ => ConfirmAnswer::Reserved,
                };
                let confirm = signed(&confirm(&award, answer), &[&self.bidder(number).node]);
                let from = to.clone();
                self.tell(Input::Confirm { from, confirm });
            }
            Message::Lease(lease) if part != Part::Stays => {
                let bid = Signed::unsigned(&self.bid(number)).digest();
                let mut outcome = outcome(part, lease.slot, lease.epoch, bid, number as u64);
                // Some say what they have used, and some more than they were given.
                outcome.0.spent = (self.bounded && number > 1).then(|| Spend {
                    tokens: 3_000 * number as u64,
                    calls: 1,
                    ..Spend::default()
                });
                let delivered = Deliver {
                    outcome: signed(&outcome.0, &[&self.bidder(number).node]),
                    output: outcome.1,
                };
                let (from, matches) = (to.clone(), true);
                self.tell(Input::Delivered {
                    from,
                    delivered,
                    matches,
                });
            }
            _ => {}
        }
    }
}

/// What the first realm announces.
fn broadcast() -> BroadcastId {
    announced(realm(0).place()).broadcast
}

/// A root of its own.
fn realm(number: usize) -> Realm {
    Realm::new(u8::try_from(10 + 10 * number).unwrap(), None)
}

fn euros(micros: u64) -> Option<Price> {
    Some(Price {
        currency: "EUR".to_owned(),
        micros,
    })
}

fn confirm(award: &Award, answer: ConfirmAnswer) -> Confirm {
    Confirm {
        broadcast: award.broadcast,
        slot: award.slot,
        epoch: award.epoch,
        bid: award.bid,
        answer,
    }
}

fn outcome(part: Part, slot: u64, epoch: u64, bid: Digest, number: u64) -> (Outcome, Option<Blob>) {
    let output = match part {
        Part::Fails => None,
        Part::Gives(risk) => Some(json!({"risk": risk})),
        _ => Some(json!({"risk": 0})),
    };
    let output = output.map(|output| Blob::from(output.to_string().into_bytes()));
    let more = u64::from(part == Part::Overcharges);
    let outcome = Outcome {
        broadcast: broadcast(),
        slot,
        epoch,
        bid,
        end: match output {
            Some(_) => LeaseEnd::Done,
            None => LeaseEnd::Failed,
        },
        output: output.as_ref().map(|output| Digest::of(&[output])),
        failure: None,
        confidence: None,
        charged: euros(20_000 + 1_000 * number + more),
        run: Some(RunId::at(NOW, [1; 10])),
        created: NOW,
        spent: None,
        below: None,
    };
    (outcome, output)
}

/// Three slots, two standbys, and what two thirds agree on.
pub(super) fn asking() -> Announcement {
    Announcement {
        aggregation: Aggregation {
            strategy: Strategy::Consensus,
            waiting: Waiting::All,
            min_results: 1,
            ..announcement().aggregation
        },
        ..announcement()
    }
}

pub(super) fn best(announcement: Announcement) -> Announcement {
    Announcement {
        rule: Rule {
            selection: Selection::Best,
            weights: None,
            early: None,
            ..announcement.rule
        },
        ..announcement
    }
}

/// A transcript that its announcer seals, whatever is in it.
pub(super) fn transcript(log: &[Entry]) -> Transcript {
    let announcer = realm(0);
    let unsealed = Unsealed::new(broadcast(), log, NOW).unwrap();
    let seal = signed(&unsealed.seal, &[&announcer.node]);
    unsealed.sealed(seal, Some(announcer.chain_bytes()))
}

fn fields(transcript: &Transcript) -> Value {
    json!({"hex": hex(cbor::encode(&Evidence::Transcript(transcript.clone())))})
}

fn make(book: &mut Book) {
    book.about(
        "Evidence that is a transcript by `hex`. Of a right one: \
         all `bids` in rank order with digest, score (null without weights) and fate: won with slot, \
         epoch and the number of the end, declined with slot and epoch, standby, or lost; how many \
         realms were `informed` of the input; the number of the `ending`, and the `output`.",
    );
    use Part::{Declines, Fails, Gives, Overcharges, Stays};
    let all = "TRANSCRIPT-1 TRANSCRIPT-2 TRANSCRIPT-3 TRANSCRIPT-4 TRANSCRIPT-5 TRANSCRIPT-6 \
               TRANSCRIPT-7 TRANSCRIPT-8 TRANSCRIPT-9";
    let agreed = Story::new(&asking(), &[Gives(1), Gives(1), Gives(2), Gives(1)]).run(u64::MAX);
    let replaced = Story::new(
        &best(asking()),
        &[Declines, Fails, Gives(1), Overcharges, Gives(1), Gives(1)],
    );
    let replaced = replaced.run(u64::MAX);
    let expired = Story::new(&best(asking()), &[Stays, Gives(1), Gives(1)]).run(u64::MAX);
    let alone = Story::new(&best(asking()), &[]).run(u64::MAX);
    let mut cancelled = Story::new(&best(asking()), &[Stays, Stays, Gives(1)]).run(3_000);
    cancelled.tell(Input::Cancel {
        waits_ms: limits::WITHDRAW_MS,
    });
    let cancelled = cancelled.run(u64::MAX);
    let returned = [Declines, Gives(1), Gives(1), Gives(1)];
    let returned = Story::within(purse(50_000), &cheap(), &returned).run(u64::MAX);
    let unpaid = [Overcharges, Gives(1), Gives(1), Gives(1)];
    let unpaid = Story::within(purse(50_000), &cheap(), &unpaid).run(u64::MAX);
    let kept = Story::within(purse(50_000), &cheap(), &[Stays, Gives(1), Gives(1)]).run(u64::MAX);
    let mut summed = best(asking());
    summed.aggregation.strategy = Strategy::Sum;
    let summed = Story::new(&summed, &[Gives(1), Gives(1), Gives(1)]).run(u64::MAX);
    for (name, story) in [
        ("two of three agree", &agreed),
        ("a sum that is not what the contract says", &summed),
        ("winners that fall out are replaced", &replaced),
        ("a lease that expires", &expired),
        ("no bids", &alone),
        ("cancelled", &cancelled),
    ] {
        book.valid(name, all, answered(&story.log));
    }
    for (name, story) in [
        ("a budget that bears two of three", &returned),
        ("an outcome that is not paid", &unpaid),
        ("a lease that expires and counts whole", &kept),
    ] {
        let rules = "ANNOUNCE-16 AWARD-7 AWARD-9";
        book.valid(name, rules, answered(&story.log));
    }
    let garbled = garbled();
    book.valid(
        "a late outcome that breaks the schema is not paid",
        "AWARD-9 TRANSCRIPT-10",
        answered(&garbled),
    );
    let mut paid = garbled.clone();
    first!(paid, Unused).mismatched = None;
    book.invalid(
        "an award beyond what a late result leaves",
        "AWARD-7 AWARD-9",
        fields(&transcript(&paid)),
    );
    twice(book, &garbled, &cancelled.log);
    crowded(book);
    tampered(book, &replaced.log);
    overspent(book, &returned.log);
    closed_early(book, &replaced.log);
    tallied(book, &replaced.log);
    uncountable(book, &replaced);
    let mut in_vain = best(asking());
    (in_vain.rule.awards, in_vain.rule.standbys) = (1, 9);
    let in_vain = Story::new(&in_vain, &[Declines; 9]).run(u64::MAX);
    awarded_too_often(book, &in_vain.log);
    let stood_in = [Declines, Gives(1), Gives(1), Gives(1)];
    let stood_in = Story::new(&best(asking()), &stood_in).run(u64::MAX);
    let mut one_is_enough = best(asking());
    one_is_enough.aggregation.waiting = Waiting::Any;
    let any = Story::new(&one_is_enough, &[Gives(1), Gives(1), Gives(1)]).run(u64::MAX);
    ended_early(book, &expired.log, &stood_in.log, &any.log);
}

/// What is wrong, by which rule, and how a bid gets there.
type Change = (&'static str, &'static str, fn(&mut Bid));

/// Two leases run out, one right after the other; in between, what its holder gives for the first breaks the schema,
/// and another is awarded what was set aside for it.
fn garbled() -> Vec<Entry> {
    let parts = [Part::Stays, Part::Stays, Part::Gives(1)];
    let mut story = Story::leased(1_000, purse(50_000), &cheap(), &parts);
    let first = story.signed_bid(0).digest();
    let from = story.bidder(0).place();
    let ended = |log: &[Entry]| log.iter().any(|it| matches!(it, Entry::Ended(_)));
    story = story.run(0);
    while !ended(&story.log) {
        story.pass();
    }
    let (outcome, output) = outcome(Part::Gives(9), 0, 1, first, 0);
    let outcome = signed(&outcome, &[&story.bidder(0).node]);
    story.tell(Input::Delivered {
        from,
        delivered: Deliver { outcome, output },
        matches: false,
    });
    story.run(u64::MAX).log
}

/// What happens once and not again: a late outcome of an award, and a cancel.
fn twice(book: &mut Book, late: &[Entry], cancelled: &[Entry]) {
    let mut told_twice = late.to_vec();
    let unused = |it: &Entry| matches!(it, Entry::Unused(_));
    let at = told_twice.iter().position(unused).unwrap();
    let mut again = first!(told_twice, Unused).clone();
    let mut outcome = again.delivered.outcome.peek().unwrap();
    outcome.created = outcome.created.plus(1);
    again.delivered.outcome = signed(&outcome, &[&realm(1).node]);
    told_twice.insert(at + 1, again.into());
    book.invalid(
        "a second late outcome of an award",
        "TRANSCRIPT-10",
        fields(&transcript(&told_twice)),
    );
    let mut cancelled = cancelled.to_vec();
    let is_cancel = |it: &Entry| matches!(it, Entry::Cancelled(_));
    let at = cancelled.iter().position(is_cancel).unwrap();
    cancelled.insert(at, cancelled[at].clone());
    book.invalid(
        "a second cancel",
        "TRANSCRIPT-10",
        fields(&transcript(&cancelled)),
    );
}

/// More bids of one root: half of those that are taken count, and no more.
fn crowded(book: &mut Book) {
    let mut few = best(asking());
    few.rule.max_bids = 7;
    let story = Story::new(&few, &[Part::Gives(1); 3]).run(u64::MAX);
    let with = |more: u64| {
        let mut log = story.log.clone();
        let closed = first!(log, BidsClosed).at;
        let end = |it: &Entry| matches!(it, Entry::BidsClosed(_));
        let end = log.iter().position(end).unwrap();
        let bids = (0..more).map(|number| {
            let bid = Bid {
                agent: format!("risk-classify-{number}").parse().unwrap(),
                price: euros(90_000 + number),
                ..story.bid(2)
            };
            let counted = Counted {
                bid: signed(&bid, &[&story.bidder(2).node]),
                trust: 500_000,
                at: closed,
            };
            counted.into()
        });
        let bids: Vec<Entry> = bids.collect();
        log.splice(end..end, bids);
        log
    };
    book.valid("half of the bids of one root", "BID-5", answered(&with(2)));
    book.invalid(
        "more than half of the bids of one root",
        "BID-5",
        fields(&transcript(&with(3))),
    );
}

/// Bids that break a rule, each the last in rank, so that all else stays as it was.
fn uncountable(book: &mut Book, story: &Story) {
    let last = story.parts.len() - 1;
    let changes: [Change; 6] = [
        ("a bid with a share above one", "BID-2", |bid| {
            bid.load = 1_000_001;
        }),
        ("a bid that holds for more than a minute", "BID-2", |bid| {
            bid.expires_ms = 60_001;
        }),
        ("a bid in another currency", "BID-3", |bid| {
            bid.price.as_mut().unwrap().currency = "USD".to_owned();
        }),
        ("a bid above the highest price", "BID-3", |bid| {
            bid.price = euros(100_001);
        }),
        ("a bid above the longest time", "BID-3", |bid| {
            bid.time_ms = 5_001;
        }),
        ("a bid below the lowest confidence", "BID-3", |bid| {
            bid.confidence = 499_999;
        }),
    ];
    for (name, rule, change) in changes {
        let mut bid = story.bid(last);
        let honest = Signed::unsigned(&bid).digest();
        change(&mut bid);
        let mut log = story.log.clone();
        let counted = log.iter_mut().find_map(|entry| match entry {
            Entry::Counted(it) if it.bid.digest() == honest => Some(it),
            _ => None,
        });
        counted.unwrap().bid = signed(&bid, &[&story.bidder(last).node]);
        book.invalid(name, rule, fields(&transcript(&log)));
    }
}

/// A slot whose eight awards were all declined, and one more.
fn awarded_too_often(book: &mut Book, log: &[Entry]) {
    let mut log = log.to_vec();
    let bids = log.iter().filter_map(|entry| match entry {
        Entry::Counted(it) => Some(it.bid.clone()),
        _ => None,
    });
    let ninth = bids.last().unwrap();
    let (slot, epoch) = (0, 9);
    let finished = first!(log, Finished);
    let (at, cited) = (finished.at, &mut finished.conclusion.citations[0]);
    (cited.bid, cited.bidder) = (ninth.digest(), ninth.peek().unwrap().bidder.realm.unwrap());
    let awarded = Awarded {
        slot,
        epoch,
        bid: ninth.digest(),
        at,
        budget: None,
    };
    let answered = Answered {
        slot,
        epoch,
        confirm: None,
        at,
    };
    let ended = log.iter().position(|it| matches!(it, Entry::Finished(_)));
    let ended = ended.unwrap();
    log.splice(ended..ended, [awarded.into(), answered.into()]);
    book.invalid(
        "a ninth award of a slot",
        "AWARD-2",
        fields(&transcript(&log)),
    );
}

/// A bidding that ended before what is given for its cause.
fn closed_early(book: &mut Book, log: &[Entry]) {
    let mut short = best(asking());
    short.window_ms = 60;
    let short = Story::new(&short, &[Part::Gives(1), Part::Gives(1), Part::Gives(1)]);
    let short = short.run(u64::MAX).log;
    let sooner = |ms| {
        let mut log = short.clone();
        let closed = first!(log, BidsClosed);
        assert_eq!(closed.cause, CloseCause::Window);
        closed.at = Timestamp::from_millis(closed.at.as_millis() - ms);
        log
    };
    book.valid(
        "a short window over by a clock that was set",
        "TRANSCRIPT-16 TRANSCRIPT-3",
        answered(&sooner(10)),
    );
    book.invalid(
        "a short window that was not over",
        "TRANSCRIPT-16 TRANSCRIPT-3",
        fields(&transcript(&sooner(11))),
    );
    for (name, cause, sooner) in [
        (
            "bids taken for less than their time",
            CloseCause::Window,
            21,
        ),
        ("bids taken for enough that are not", CloseCause::Enough, 0),
        ("bids taken for all that are taken", CloseCause::Full, 0),
        ("a bidding cut off by no cancel", CloseCause::Cancelled, 0),
    ] {
        let mut log = log.to_vec();
        let closed = first!(log, BidsClosed);
        closed.cause = cause;
        closed.at = Timestamp::from_millis(closed.at.as_millis() - sooner);
        book.invalid(name, "TRANSCRIPT-3", fields(&transcript(&log)));
    }
}

/// A bidding that ended because all tallies were back, by what was heard from two neighbours.
fn tallied(book: &mut Book, log: &[Entry]) {
    let with = |told: Option<u64>| {
        let mut log = log.to_vec();
        let closed = first!(log, BidsClosed);
        closed.cause = CloseCause::Tallied;
        let heard = [(30, Some(1)), (40, told)].map(|(root, told)| SideHeard {
            side: Realm::new(root, None).place().scope(),
            came: 1,
            tally: told.map(|bids| Tally {
                bids,
                ..closed.tally
            }),
        });
        closed.heard = Some(heard.to_vec());
        log
    };
    let rules = "TRANSCRIPT-17";
    book.valid(
        "as many bids from each side as were told",
        rules,
        answered(&with(Some(1))),
    );
    let wrong = [
        ("a side that told of more bids than came", Some(2)),
        ("a side that told nothing", None),
    ];
    for (name, told) in wrong {
        book.invalid(name, rules, fields(&transcript(&with(told))));
    }
}

/// Broadcasts that went on, or ended, when the rule would not have it, and are right in all else: in the first a
/// lease expired, in the second somebody stood in for one who declined, in the third one result is enough.
fn ended_early(book: &mut Book, expired: &[Entry], stood_in: &[Entry], any: &[Entry]) {
    let mut edit = |name: &str, rule: &str, log: &[Entry], change: &dyn Fn(&mut Vec<Entry>)| {
        let mut log = log.to_vec();
        change(&mut log);
        book.invalid(name, rule, fields(&transcript(&log)));
    };
    let silent = |it: &Entry| matches!(it, Entry::Ended(it) if it.delivered.is_none());
    let end_as = |log: &mut Vec<Entry>, end, code| {
        let at = log.iter().position(silent).unwrap();
        if let Entry::Ended(ended) = &mut log[at] {
            ended.end = end;
        }
        first!(log, Finished).conclusion.citations[0].failure = Some(code);
    };
    let name = "a lease taken back while its result is waited for";
    edit(name, "TRANSCRIPT-6 AGG-11", expired, &|log| {
        end_as(log, End::Withdrawn, FailureCode::Cancelled);
    });
    let name = "a reservation given back while its result is waited for";
    edit(name, "TRANSCRIPT-6 AGG-11", expired, &|log| {
        log.retain(|it| !matches!(it, Entry::Leased(it) if it.slot == 0));
        end_as(log, End::NotBegun, FailureCode::Overloaded);
    });
    edit(
        "a lease past the time of the work",
        "TRANSCRIPT-5 LEASE-3",
        expired,
        &|log| {
            let over = first!(log, BidsClosed).at.plus(asking().execution_ms);
            let lease = first!(log, Leased).clone();
            let renewed = Leased {
                answers: 1,
                at: Timestamp::from_millis(over.as_millis() + 1 - lease.lease_ms),
                ..lease
            };
            let at = log.iter().position(silent).unwrap();
            let ends = renewed.at.plus(renewed.lease_ms + limits::LEASE_GRACE_MS);
            for entry in &mut log[at..] {
                match entry {
                    Entry::Ended(it) => it.at = ends,
                    Entry::Finished(it) => it.at = ends,
                    _ => {}
                }
            }
            log.insert(at, renewed.into());
        },
    );
    edit(
        "an end while a bid is to be awarded",
        "TRANSCRIPT-15 AWARD-1",
        stood_in,
        &|log| {
            // Of the slots the last is left open, and with it the last bid unawarded.
            log.retain(|it| match it {
                Entry::Awarded(it) => it.slot != 2,
                Entry::Answered(it) => it.slot != 2,
                Entry::Leased(it) => it.slot != 2,
                Entry::Ended(it) => it.slot != 2,
                _ => true,
            });
            let other = first!(log, Finished).conclusion.citations[0];
            let cited = &mut first!(log, Finished).conclusion.citations[2];
            // It is cited by the third bid, which holds the first slot.
            (cited.bid, cited.bidder, cited.outcome) = (other.bid, other.bidder, None);
            (cited.part, cited.failure) =
                (realm_broadcast::Part::Failed, Some(FailureCode::Offline));
        },
    );
    edit(
        "an award though there are results enough",
        "TRANSCRIPT-4 AGG-11",
        any,
        &|log| {
            let ended = first!(log, Finished).clone();
            let third = ended.conclusion.citations[2].bid;
            let (slot, epoch, at) = (2, 1, ended.at);
            let awarded = Awarded {
                slot,
                epoch,
                bid: third,
                at,
                budget: None,
            };
            let answered = Answered {
                slot,
                epoch,
                confirm: None,
                at,
            };
            let finished = |it: &Entry| matches!(it, Entry::Finished(_));
            let last = log.iter().position(finished).unwrap();
            log.splice(last..last, [awarded.into(), answered.into()]);
        },
    );
}

/// A budget of so many millionths, and of tokens that do not divide evenly.
fn purse(micros: u64) -> Option<Budget> {
    Some(Budget {
        money: Some(Amount {
            currency: "EUR".parse().unwrap(),
            micros,
        }),
        tokens: Some(10_000),
        calls: None,
    })
}

/// Whose bids cost at most what a budget has.
fn cheap() -> Announcement {
    let mut cheap = best(asking());
    cheap.limits.price = Some(25_000);
    cheap
}

/// Awards that their budget does not bear.
fn overspent(book: &mut Book, log: &[Entry]) {
    let mut edit = |name: &str, rule: &str, change: &dyn Fn(&mut Vec<Entry>)| {
        let mut log = log.to_vec();
        change(&mut log);
        book.invalid(name, rule, fields(&transcript(&log)));
    };
    let planned = |budget: Option<Budget>| {
        move |log: &mut Vec<Entry>| {
            if let Entry::Planned(planned) = &mut log[0] {
                planned.budget = budget;
            }
        }
    };
    edit(
        "bids that may cost more than there is",
        "ANNOUNCE-16",
        &planned(purse(24_999)),
    );
    edit(
        "an award beyond the budget",
        "AWARD-7",
        &planned(purse(30_000)),
    );
    edit(
        "an award with what nobody planned",
        "AWARD-7",
        &planned(None),
    );
    edit("an award with more than its share", "AWARD-7", &|log| {
        let award = log.iter_mut().find_map(|entry| match entry {
            Entry::Awarded(it) => Some(it),
            _ => None,
        });
        award.unwrap().budget = purse(20_000);
    });
}

/// Adds what a right transcript comes to.
fn answered(log: &[Entry]) -> Value {
    let found = recompute(log).unwrap();
    let accounts = found.accounts.iter().map(|account| {
        json!([
            hex(account.bid.as_bytes()),
            account.score,
            fate(account.fate)
        ])
    });
    let conclusion = found.conclusion.unwrap();
    let mut fields = fields(&transcript(log));
    fields["bids"] = Value::from_iter(accounts);
    fields["informed"] = found.informed.len().into();
    fields["ending"] = conclusion.ending.number().into();
    fields["output"] = output(&conclusion);
    fields
}

/// What the winner of an award signs that has begun nothing.
fn not_begun(log: &[Entry], award: &Awarded) -> Unused {
    let mut bids = log.iter().filter_map(|entry| match entry {
        Entry::Counted(it) => Some(&it.bid),
        _ => None,
    });
    let bid = bids.position(|it| it.digest() == award.bid).unwrap();
    let outcome = Outcome {
        end: LeaseEnd::NotBegun,
        charged: None,
        ..outcome(Part::Fails, award.slot, award.epoch, award.bid, 0).0
    };
    Unused {
        delivered: Deliver {
            outcome: signed(&outcome, &[&realm(bid + 1).node]),
            output: None,
        },
        at: award.at,
        mismatched: None,
    }
}

fn tampered(book: &mut Book, log: &[Entry]) {
    let mut edit = |name: &str, rule: &str, change: &dyn Fn(&mut Vec<Entry>)| {
        let mut log = log.to_vec();
        change(&mut log);
        book.invalid(name, rule, fields(&transcript(&log)));
    };
    let at = |log: &[Entry], wanted: fn(&Entry) -> bool| log.iter().position(wanted).unwrap();
    edit("without a plan", "TRANSCRIPT-2", &|log| {
        log.remove(0);
    });
    edit("another secret", "TRANSCRIPT-2", &|log| {
        if let Entry::Planned(planned) = &mut log[0] {
            planned.secret = [8; 32];
        }
    });
    edit("a round that nobody planned", "TRANSCRIPT-2", &|log| {
        let first = at(log, |it| matches!(it, Entry::Announced(_)));
        if let Entry::Announced(announced) = &mut log[first] {
            announced.round = 2;
        }
    });
    edit("a bid less", "TRANSCRIPT-3", &|log| {
        log.remove(at(log, |it| matches!(it, Entry::Counted(_))));
    });
    edit("a bid twice", "TRANSCRIPT-3", &|log| {
        let bid = at(log, |it| matches!(it, Entry::Counted(_)));
        log.insert(bid, log[bid].clone());
    });
    edit("a bid after the bidding", "TRANSCRIPT-3", &|log| {
        let bid = at(log, |it| matches!(it, Entry::Counted(_)));
        let closed = at(log, |it| matches!(it, Entry::BidsClosed(_)));
        let bid = log.remove(bid);
        log.insert(closed, bid);
    });
    edit("an award to another bid", "TRANSCRIPT-4", &|log| {
        let first = at(log, |it| matches!(it, Entry::Awarded(_)));
        if let Entry::Awarded(award) = &mut log[first] {
            award.bid = Digest::of(&[b"another"]);
        }
    });
    edit("an award in a later epoch", "TRANSCRIPT-4", &|log| {
        let first = at(log, |it| matches!(it, Entry::Awarded(_)));
        if let Entry::Awarded(Awarded { epoch, .. }) = &mut log[first] {
            *epoch = 2;
        }
    });
    edit(
        "more slots at a time than planned",
        "TRANSCRIPT-4",
        &|log| {
            if let Entry::Planned(planned) = &mut log[0] {
                planned.at_once = 1;
            }
        },
    );
    edit("an award too late", "TRANSCRIPT-4", &|log| {
        let first = at(log, |it| matches!(it, Entry::Awarded(_)));
        if let Entry::Awarded(Awarded { at, .. }) = &mut log[first] {
            *at = Timestamp::from_millis(at.as_millis() + 10_001);
        }
    });
    edit("a lease without an answer", "TRANSCRIPT-5", &|log| {
        let answered = |it: &Entry| matches!(it, Entry::Answered(it) if it.slot == 1);
        log.remove(at(log, answered));
    });
    edit("a lease to another realm", "TRANSCRIPT-5", &|log| {
        let first = at(log, |it| matches!(it, Entry::Leased(_)));
        if let Entry::Leased(leased) = &mut log[first] {
            leased.holder = realm(9).place();
        }
    });
    edit("an expiry before its time", "TRANSCRIPT-6", &|log| {
        let ended = at(log, |it| matches!(it, Entry::Ended(_)));
        if let Entry::Ended(ended) = &mut log[ended] {
            ended.end = realm_broadcast::log::End::Expired;
            ended.delivered = None;
        }
    });
    edit("a failure taken for a result", "TRANSCRIPT-6", &|log| {
        let ended = at(log, |it| matches!(it, Entry::Ended(_)));
        if let Entry::Ended(ended) = &mut log[ended] {
            ended.end = realm_broadcast::log::End::Result;
        }
    });
    edit(
        "a charge above the bid taken for a result",
        "TRANSCRIPT-6",
        &|log| {
            let charged = |it: &Entry| matches!(it, Entry::Ended(it) if it.end == End::Overcharged);
            let charged = at(log, charged);
            if let Entry::Ended(ended) = &mut log[charged] {
                ended.end = End::Result;
            }
        },
    );
    edit("an outcome before its lease", "TRANSCRIPT-10", &|log| {
        let answered = at(log, |it| matches!(it, Entry::Answered(_)));
        let early = log.iter().find_map(|entry| match entry {
            Entry::Awarded(it) => Some(not_begun(log, it)),
            _ => None,
        });
        log.insert(answered, early.unwrap().into());
    });
    edit("another output", "TRANSCRIPT-7", &|log| {
        if let Some(Entry::Finished(finished)) = log.last_mut() {
            finished.conclusion.output = Some(Blob::from(b"{\"risk\":2}".to_vec()));
        }
    });
    edit(
        "an agreement taken for a mismatch",
        "TRANSCRIPT-7",
        &|log| {
            if let Some(Entry::Finished(finished)) = log.last_mut() {
                finished.conclusion.ending = Ending::Mismatched;
                finished.conclusion.output = None;
            }
        },
    );
    edit("an outcome twice", "TRANSCRIPT-7", &|log| {
        log.push(log[log.len() - 1].clone());
    });
    edit("a signature by somebody else", "TRANSCRIPT-8", &|log| {
        let first = at(log, |it| matches!(it, Entry::Counted(_)));
        if let Entry::Counted(counted) = &mut log[first] {
            let bid = counted.bid.peek().unwrap();
            counted.bid = signed(&bid, &[&realm(7).node]);
        }
    });
    edit("a bidder that nothing proves", "TRANSCRIPT-8", &|log| {
        let first = at(log, |it| matches!(it, Entry::Counted(_)));
        log.remove(first + 1);
    });
    edit("a chain that does not hold yet", "TRANSCRIPT-8", &|log| {
        if let Entry::Proved(proved) = &mut log[1] {
            proved.at = Timestamp::from_millis(0);
        }
    });
    let mut more = transcript(log);
    more.pages.push(more.pages[0].clone());
    book.invalid("a page more than signed", "TRANSCRIPT-1", fields(&more));
    let whole = transcript(log);
    let mut fewer = transcript(&log[..log.len() - 1]);
    (fewer.seal, fewer.digests) = (whole.seal.clone(), whole.digests.clone());
    book.invalid("an entry less than signed", "TRANSCRIPT-1", fields(&fewer));
    let mut turned = log.to_vec();
    turned.swap(3, 4);
    let mut turned = transcript(&turned);
    (turned.seal, turned.digests) = (whole.seal.clone(), whole.digests);
    book.invalid("entries in another order", "TRANSCRIPT-1", fields(&turned));
    let mut listed = transcript(log);
    let seal = TranscriptSeal {
        entries: log.len() as u64 + 1,
        ..whole.seal.peek().unwrap()
    };
    let mut unsealed = transcript(log);
    unsealed.seal = signed(&unsealed.seal.peek().unwrap(), &[&realm(1).node]);
    book.invalid("a seal by somebody else", "TRANSCRIPT-8", fields(&unsealed));
    listed.seal = signed(&seal, &[&realm(0).node]);
    book.invalid("a digest less than signed", "TRANSCRIPT-1", fields(&listed));
}
