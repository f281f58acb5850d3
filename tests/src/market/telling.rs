//! What happened in broadcasts, by name and how often: a fault that never happened has shown nothing.

use realm_protocol::limits;

use super::{
    book::{Line, Said},
    furnishing::Way,
    rules::is_signed,
    *,
};

impl Market {
    /// What happened in a broadcast.
    pub(super) fn tell(
        &self,
        asked: &Asked,
        ledger: &Ledger,
        book: Option<&Book>,
        told: &mut Told,
    ) {
        for name in &ledger.told {
            told.meet(name, 1);
        }
        for phase in &ledger.restarts {
            told.meet(&format!("an announcer died {phase}"), 1);
        }
        for (_, bid, _) in ledger.counted() {
            let mut hosts = self.world.hosts.iter();
            let bidder = hosts.position(|it| Some(it.realm) == bid.bidder.realm);
            let bidder = HostId(bidder.expect("one of ours bids"));
            let way = match self.puppets.iter().any(|it| it.host == bidder) {
                true => "as it likes".to_owned(),
                false => format!("{:?}", Way::of(bidder)),
            };
            told.meet(&format!("a bid that counts: {way}"), 1);
        }
        if let Some(book) = book {
            tell_of_bids(book, told);
            told.meet("two answers of one lease", answers_again(book));
            told.meet("an answer after its lease", answers_after_leases(book));
        }
        let (first, own) = (&ledger.announcement, asked.what != What::Stack);
        if ledger.host != asked.host {
            told.meet("announced again by a winner", 1);
        } else if !own {
            told.meet("announced by a stack", 1);
        }
        if !first.capabilities.is_empty() {
            told.meet("a capability that nobody has", 1);
        }
        if !first.reach.realms.is_empty() {
            told.meet("confined to names", 1);
        }
        let Some(conclusion) = ledger.conclusion() else {
            return;
        };
        *told
            .endings
            .entry(conclusion.ending.name().to_owned())
            .or_default() += 1;
        match conclusion.ending {
            Ending::Output => {
                let strategy = first.aggregation.strategy;
                told.meet(&format!("output: {strategy:?}"), 1);
                if ledger.host != asked.host {
                    told.meet("an output of what a winner announced again", 1);
                }
            }
            Ending::TooFewBids if ledger.counted().is_empty() => told.meet("no bid at all", 1),
            Ending::TooFewBids => told.meet("fewer bids than asked for", 1),
            _ => {}
        }
    }
}

/// Bids that came and never counted, as only the wires show them.
fn tell_of_bids(book: &Book, told: &mut Told) {
    let mut seen = BTreeSet::new();
    for line in book.lines.iter().filter(|line| line.heard) {
        let Said::Bid(bid) = &line.said else {
            continue;
        };
        let is_for_it = line.to.realm == Some(book.me);
        let what = match is_for_it {
            false => "a bid that came to another than its announcer",
            true if !is_signed(bid, &line.from) => "a bid that its sender has not signed",
            true if !seen.insert(line.message) => "a bid whose message came twice",
            true => continue,
        };
        told.meet(what, 1);
    }
}

/// How many answers of one lease came of which another one had come before.
fn answers_again(book: &Book) -> u64 {
    let mut answers: BTreeMap<(u64, u64), BTreeSet<_>> = BTreeMap::new();
    for (_, line) in book.heard(book.lines.len()) {
        if let Line {
            said: Said::Outcome(it),
            from,
            ..
        } = line
            && is_signed(&it.outcome, from)
            && let Ok(outcome) = it.outcome.peek()
        {
            let slot = (outcome.slot, outcome.epoch);
            answers.entry(slot).or_default().insert(it.outcome.digest());
        }
    }
    let again = answers.values().map(|it| it.len() as u64 - 1);
    again.sum()
}

/// How many answers came of leases that had run out.
fn answers_after_leases(book: &Book) -> u64 {
    let mut over: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for (_, line) in book.sent() {
        if let Said::Lease(lease) = &line.said {
            let until = line.at + lease.lease_ms + limits::LEASE_GRACE_MS;
            let over = over.entry((lease.slot, lease.epoch)).or_default();
            *over = until.max(*over);
        }
    }
    let late = book.heard(book.lines.len()).filter(|(_, line)| {
        let Said::Outcome(it) = &line.said else {
            return false;
        };
        let outcome = it.outcome.peek().ok();
        let over = outcome.and_then(|it| over.get(&(it.slot, it.epoch)));
        over.is_some_and(|over| *over < line.at)
    });
    late.count() as u64
}
