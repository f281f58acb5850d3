//! Awards, leases, and what is counted for them.

use super::*;

#[test]
fn an_award_is_sent_again_while_it_is_not_answered_and_a_lease_when_its_holder_confirms_again() {
    let announcement = fixtures::announcement();
    let mut announcer = Announcer::start(plan(&announcement), NOW).unwrap();
    let (holder, bid) = (fixtures::place(2, "", 2), fixtures::bid(2, 30));
    announcer.handle(
        Input::Bid {
            from: holder.clone(),
            bid: Signed::unsigned(&bid),
            trust: 0,
            permitted: true,
        },
        NOW,
    );
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    let sent = |announcer: &mut Announcer| {
        let mut sent = Vec::new();
        while let Some(output) = announcer.poll_output() {
            if let Output::Send { message, .. } = output {
                sent.push(message);
            }
        }
        sent
    };
    let after = |ms| Now {
        wall: NOW.wall.plus(ms),
        tick: NOW.tick.plus(ms),
    };

    let first = sent(&mut announcer);
    assert!(matches!(first.as_slice(), [Message::Award(_)]));
    for ms in [63, 187, 437] {
        announcer.handle_timeout(after(ms));
        assert_eq!(sent(&mut announcer), first, "after {ms} ms");
    }
    let Message::Award(award) = &first[0] else {
        panic!("no award")
    };
    let confirm = Signed::unsigned(&Confirm {
        broadcast: award.broadcast,
        slot: award.slot,
        epoch: award.epoch,
        bid: award.bid,
        answer: ConfirmAnswer::Reserved,
    });
    let mut leases = 0;
    for _ in 0..2 * limits::AWARD_SENDS {
        let (from, confirm) = (holder.clone(), confirm.clone());
        announcer.handle(Input::Confirm { from, confirm }, after(450));
        leases += sent(&mut announcer).len();
    }
    assert_eq!(leases, limits::AWARD_SENDS as usize);
}

#[test]
fn a_slot_that_was_awarded_as_often_as_may_be_takes_no_share_of_the_budget() {
    let mut announcement = fixtures::announcement();
    announcement.rule.standbys = 8;
    let plan = Plan {
        at_once: 1,
        budget: Some(Budget {
            tokens: Some(1_000),
            ..Budget::default()
        }),
        ..plan(&announcement)
    };
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let mut log = Vec::new();
    let mut given = Vec::new();
    for number in 2..12 {
        let mut bid = fixtures::bid(number, 10);
        bid.announcement = Signed::unsigned(&announcement).digest();
        announcer.handle(
            Input::Bid {
                from: bid.bidder.clone(),
                bid: Signed::unsigned(&bid),
                trust: 0,
                permitted: true,
            },
            NOW,
        );
    }
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    // Whoever is awarded the first slot has no room.
    while let Some(output) = announcer.poll_output() {
        match output {
            Output::Write(entry) => log.push(*entry),
            Output::Send {
                to,
                message: Message::Award(award),
            } => {
                given.push((award.slot, award.budget.unwrap().tokens.unwrap()));
                let confirm = Confirm {
                    broadcast: award.broadcast,
                    slot: award.slot,
                    epoch: award.epoch,
                    bid: award.bid,
                    answer: ConfirmAnswer::Busy,
                };
                let confirm = Signed::unsigned(&confirm);
                if award.slot == 0 {
                    announcer.handle(Input::Confirm { from: to, confirm }, NOW);
                }
            }
            _ => {}
        }
    }

    assert_eq!(given, [vec![(0, 500); 8], vec![(1, 1_000)]].concat());
    assert_eq!(recompute(&log).map(|_| ()), Ok(()));
}

/// An announcer with so much money that has awarded a slot to the one bid, at 30.
fn awarded(micros: u64) -> (Announcer, Bid) {
    let mut announcement = fixtures::announcement();
    announcement.limits.price = Some(micros);
    let currency: Currency = "EUR".parse().unwrap();
    let plan = Plan {
        budget: Some(Budget {
            money: Some(Amount { currency, micros }),
            ..Budget::default()
        }),
        ..plan(&announcement)
    };
    let mut announcer = Announcer::start(plan, NOW).unwrap();
    let mut bid = fixtures::bid(2, 30);
    bid.announcement = Signed::unsigned(&announcement).digest();
    assert_eq!(refusal(&mut announcer, &bid.bidder, &bid, NOW), None);
    announcer.handle(Input::Unreached(Side::Parent), NOW);
    while announcer.poll_output().is_some() {}
    (announcer, bid)
}

fn confirms(announcer: &mut Announcer, bid: &Bid) {
    let confirm = Confirm {
        broadcast: bid.broadcast,
        slot: 0,
        epoch: 1,
        bid: Signed::unsigned(bid).digest(),
        answer: ConfirmAnswer::Reserved,
    };
    let (from, confirm) = (bid.bidder.clone(), Signed::unsigned(&confirm));
    announcer.handle(Input::Confirm { from, confirm }, NOW);
}

/// Says how the work ended; gives what is written down, and how often that is acknowledged.
fn delivers(
    announcer: &mut Announcer,
    bid: &Bid,
    end: LeaseEnd,
    charged: u64,
) -> (Vec<Entry>, usize) {
    let output = (end == LeaseEnd::Done).then(|| Blob::from(b"1".to_vec()));
    delivers_at(NOW, announcer, delivered(bid, end, charged, output), true)
}

fn delivered(bid: &Bid, end: LeaseEnd, charged: u64, output: Option<Blob>) -> (Place, Deliver) {
    let outcome = Outcome {
        broadcast: bid.broadcast,
        slot: 0,
        epoch: 1,
        bid: Signed::unsigned(bid).digest(),
        end,
        output: output.as_ref().map(|it| Digest::of(&[it])),
        failure: None,
        confidence: None,
        charged: Some(Price {
            currency: "EUR".to_owned(),
            micros: charged,
        }),
        run: None,
        created: NOW.wall,
        spent: None,
        below: None,
    };
    let outcome = Signed::unsigned(&outcome);
    (bid.bidder.clone(), Deliver { outcome, output })
}

fn delivers_at(
    now: Now,
    announcer: &mut Announcer,
    (from, delivered): (Place, Deliver),
    matches: bool,
) -> (Vec<Entry>, usize) {
    while announcer.poll_output().is_some() {}
    announcer.handle(
        Input::Delivered {
            from,
            delivered,
            matches,
        },
        now,
    );
    let (mut written, mut acks) = (Vec::new(), 0);
    while let Some(output) = announcer.poll_output() {
        match output {
            Output::Write(entry) => written.push(*entry),
            Output::Send {
                message: Message::Ack(_),
                ..
            } => acks += 1,
            _ => {}
        }
    }
    (written, acks)
}

#[test]
fn what_a_winner_says_before_its_lease_takes_nothing_out_of_the_budget() {
    for end in [LeaseEnd::NotBegun, LeaseEnd::Failed] {
        let (mut announcer, bid) = awarded(40);
        let stake = announcer.spent();

        let before = delivers(&mut announcer, &bid, end, 0);
        assert_eq!(
            (before, announcer.spent()),
            ((Vec::new(), 1), stake.clone())
        );

        confirms(&mut announcer, &bid);
        let (written, acks) = delivers(&mut announcer, &bid, LeaseEnd::Done, 30);
        assert!(matches!(written.first(), Some(Entry::Ended(it)) if it.end == End::Result));
        assert_eq!((acks, announcer.spent()), (1, stake));
    }
}

#[test]
fn what_a_holder_says_after_its_result_gives_nothing_back() {
    for end in [LeaseEnd::NotBegun, LeaseEnd::Failed] {
        let (mut announcer, bid) = awarded(40);
        confirms(&mut announcer, &bid);
        delivers(&mut announcer, &bid, LeaseEnd::Done, 30);
        let charged = announcer.spent();

        let (written, acks) = delivers(&mut announcer, &bid, end, 0);

        assert!(matches!(written.as_slice(), [Entry::Unused(_)]));
        assert_eq!((acks, announcer.spent()), (1, charged));
    }
}

#[test]
fn after_its_lease_too_a_winner_is_paid_for_a_result_and_for_nothing_else() {
    let one = || Some(Blob::from(b"1".to_vec()));
    let money = |announcer: &Announcer| -> u64 {
        let spent = announcer.spent().money;
        spent.iter().map(|it| it.micros).sum()
    };
    // What is charged, whether the schema lets it pass and whether the output is what was signed; what is owed, and
    // what is written down of the schema, for readers without the output.
    for (charged, matches, forged, owed, mismatched) in [
        (30, true, false, 30, Some(false)),
        (10, true, false, 10, Some(false)),
        (31, true, false, 0, None),
        (30, false, false, 0, Some(true)),
        (30, true, true, 0, None),
    ] {
        let (mut announcer, bid) = awarded(40);
        confirms(&mut announcer, &bid);
        let late = Now {
            wall: NOW.wall.plus(300_000),
            tick: NOW.tick.plus(300_000),
        };
        announcer.handle_timeout(late);
        assert_eq!(money(&announcer), 30, "nothing is said yet");

        let (from, mut given) = delivered(&bid, LeaseEnd::Done, charged, one());
        if forged {
            given.output = Some(Blob::from(b"2".to_vec()));
        }
        let (written, acks) = delivers_at(late, &mut announcer, (from, given), matches);

        assert!(matches!(written.as_slice(), [Entry::Unused(it)] if it.mismatched == mismatched));
        assert_eq!((acks, money(&announcer)), (1, owed));
    }
}
