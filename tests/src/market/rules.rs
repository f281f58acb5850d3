//! What must hold of one broadcast, checked from what was said on the wires and from what the
//! announcer told its owner. Written from `protocol/spec/broadcast.md`.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::{
    Citation, Part,
    log::{Conclusion, Ending},
};
use realm_crypto::verify;
use realm_protocol::{
    Digest, Place, RealmId, Timestamp,
    broadcast::{Award, Bid, ConfirmAnswer, Deliver, Effects, Lease, LeaseEnd, Outcome},
    json, limits,
    records::{Record, Signed},
};
use serde_json::{Value, json as value};

use crate::world::EPOCH_MS;

use super::{
    Aggregator,
    book::{Book, Line, Said},
    furnishing::LIST,
    ledger::Ledger,
    ranking::{counted, root},
    results::{Made, make, same},
};

/// One check of a broadcast: every sentence it gives is something that does not hold.
pub(super) struct Rules<'a> {
    pub(super) book: &'a Book,
    /// A string of the input.
    pub(super) canary: &'a str,
    /// What the announcer has written down.
    pub(super) ledger: &'a Ledger,
    /// The roots under which nobody is awarded anything.
    pub(super) shunned: BTreeSet<RealmId>,
    /// Bidders that keep to nothing.
    pub(super) puppets: BTreeSet<RealmId>,
    /// The loop that makes results one, where one does.
    pub(super) aggregator: Option<Aggregator>,
    /// Whether the announcer's process has died.
    pub(super) crashed: bool,
    pub(super) broken: Vec<String>,
}

/// An award as it was first sent.
#[derive(Clone, Debug)]
struct Awarded {
    line: usize,
    award: Award,
}

impl Rules<'_> {
    pub(super) fn check(mut self) -> Vec<String> {
        if self.book.announcements.is_empty() {
            return self.broken;
        }
        self.what_is_said_is_written_down();
        self.nobody_else_gets_the_input();
        let awards = self.awards();
        self.leases_are_confirmed(&awards);
        self.leases_follow_each_other();
        self.what_was_confirmed_is_renewed_by_progress();
        self.the_ranking_is_right(&awards);
        self.bids_come_from_where_was_asked();
        self.the_outcome_is_right(&awards);
        self.nothing_is_taken_back_or_thanked_for_in_vain();
        self.broken
    }

    fn broken(&mut self, what: String) {
        let announcer = self.book.announcer.0;
        self.broken
            .push(format!("a broadcast of host {announcer}: {what}"));
    }

    /// ANNOUNCE-5, and LEASE-1 as far as all other messages go.
    fn nobody_else_gets_the_input(&mut self) {
        let seeks = self.canary.as_bytes();
        let shows = |content: &[u8]| content.windows(seeks.len()).any(|window| window == seeks);
        let book = self.book;
        if book.contents.iter().any(|content| shows(content)) {
            self.broken("a message without a lease shows the input".to_owned());
        }
        for (_, line) in book.sent() {
            if let Said::Lease(Lease {
                answers: 1..,
                input: Some(_),
                ..
            }) = line.said
            {
                self.broken("a renewal has the input".to_owned());
            }
        }
    }

    /// AWARD-2 and LEASE-1: what has left was durable, also where the announcer died soon after.
    fn what_is_said_is_written_down(&mut self) {
        let (leases, awards) = (self.ledger.leases(), self.ledger.awards());
        for (_, it) in self.book.sent() {
            let is_written = match &it.said {
                Said::Award(it) => awards.contains(&(it.slot, it.epoch, it.bid)),
                Said::Lease(lease) => {
                    let to = it.to.realm;
                    leases.contains(&(lease.slot, lease.epoch, lease.answers, to))
                }
                _ => true,
            };
            if !is_written {
                self.broken(format!("what nobody has written down: {:?}", it.said));
            }
        }
    }

    /// AWARD-1 and AWARD-2, as far as the wires show them; gives each award once.
    fn awards(&mut self) -> Vec<Awarded> {
        let book = self.book;
        let (rule, bids) = (&book.announcements[0].1.rule, book.bids());
        let mut awards: Vec<Awarded> = Vec::new();
        for (line, it) in book.sent() {
            let Said::Award(award) = it.said.clone() else {
                continue;
            };
            let same =
                |made: &&Awarded| (made.award.slot, made.award.epoch) == (award.slot, award.epoch);
            if let Some(made) = awards.iter().find(same) {
                if made.award.bid != award.bid {
                    self.broken(format!("two bids are awarded one epoch: {award:?}"));
                }
                continue;
            }
            let earlier = awards.iter().filter(|made| made.award.slot == award.slot);
            if earlier.clone().any(|made| made.award.epoch > award.epoch) {
                self.broken(format!("an epoch goes back: {award:?}"));
            }
            if awards.iter().any(|made| made.award.bid == award.bid) {
                self.broken(format!("a bid is awarded twice: {award:?}"));
            }
            if award.slot >= rule.awards || award.epoch == 0 || award.epoch > limits::EPOCHS {
                self.broken(format!("an award beyond the limit: {award:?}"));
            }
            match bids.get(&award.bid) {
                Some(bid) if bid.bidder.realm == it.to.realm => {
                    let counted = book.heard(line).find_map(|(_, line)| match &line.said {
                        Said::Bid(bid) if bid.digest() == award.bid => Some(line.at),
                        _ => None,
                    });
                    // What is decided leaves once it is durable.
                    let live = |at: u64| at + bid.expires_ms + SLACK_MS > it.at;
                    if !counted.is_some_and(live) {
                        self.broken(format!("an award to a bid that does not hold: {award:?}"));
                    }
                }
                _ => self.broken(format!("an award to nobody's bid: {award:?}")),
            }
            awards.push(Awarded { line, award });
        }
        awards
    }

    /// LEASE-1 and LEASE-5: what leaves with the input.
    fn leases_are_confirmed(&mut self, awards: &[Awarded]) {
        let book = self.book;
        let bids = book.bids();
        for (line, it) in book.sent() {
            let Said::Lease(lease) = &it.said else {
                continue;
            };
            let made = awards
                .iter()
                .rfind(|made| (made.award.slot, made.award.epoch) == (lease.slot, lease.epoch));
            let Some(made) = made.filter(|made| made.line < line) else {
                self.broken(format!("a lease without an award: slot {}", lease.slot));
                continue;
            };
            let holder = bids.get(&made.award.bid).and_then(|bid| bid.bidder.realm);
            if it.to.realm != holder || holder.is_none() {
                self.broken(format!("the lease of slot {} goes to another", lease.slot));
            }
            if !book
                .heard(line)
                .any(|(_, heard)| confirms(heard, &made.award, holder))
            {
                self.broken(format!(
                    "a lease that nobody confirmed: slot {}",
                    lease.slot
                ));
            }
            let later = awards.iter().any(|later| {
                let award = &later.award;
                later.line < line && award.slot == lease.slot && award.epoch > lease.epoch
            });
            // What was granted before may still be on its way to the disk.
            if later && lease.answers == 0 {
                self.broken(format!("slot {} is leased in a past epoch", lease.slot));
            }
            let work = self.ledger.announcement.work;
            let name = work.map_or(*lease.broadcast.as_bytes(), |work| *work.as_bytes());
            let key = Digest::of(&[b"realm/1/slot", &[0], &name, &lease.slot.to_be_bytes()]);
            if lease.key != key || lease.lease_ms > made.award.lease_ms {
                self.broken(format!("a lease of its own kind: slot {}", lease.slot));
            }
        }
    }

    /// LEASE-4 and LEASE-6: the next one gets the input once the one before has ended.
    fn leases_follow_each_other(&mut self) {
        let book = self.book;
        let once = book.announcements[0].1.effects == Effects::Once;
        let given_again = self.ledger.given_again();
        let mut last: BTreeMap<u64, (&Lease, RealmId, u64)> = BTreeMap::new();
        let mut granted: BTreeMap<(u64, u64, u64), u64> = BTreeMap::new();
        for (line, it) in book.sent() {
            let (Said::Lease(lease), Some(holder)) = (&it.said, it.to.realm) else {
                continue;
            };
            // What is sent again lasts no longer for it.
            let grant = (lease.slot, lease.epoch, lease.answers);
            let at = *granted.entry(grant).or_insert(it.at);
            let until = at + lease.lease_ms + limits::LEASE_GRACE_MS;
            let before = last.get(&lease.slot).copied();
            if let Some((before, holder, until)) =
                before.filter(|(before, ..)| before.epoch < lease.epoch)
            {
                let ends = book.heard(line).filter_map(|(_, heard)| {
                    let (_, outcome) = outcome_of(heard, before, holder)?;
                    Some(outcome.end)
                });
                let ends: Vec<LeaseEnd> = ends.collect();
                let again = given_again.contains(&(before.slot, before.epoch));
                if once && !again && !ends.contains(&LeaseEnd::NotBegun) {
                    self.broken(format!("work that is once is begun twice: {ends:?}"));
                }
                if ends.is_empty() && it.at + SLACK_MS < until {
                    self.broken(format!(
                        "slot {} goes on before its lease is over",
                        lease.slot
                    ));
                }
            }
            if before.is_none_or(|(before, ..)| before.epoch <= lease.epoch) {
                last.insert(lease.slot, (lease, holder, until));
            }
        }
    }

    /// LEASE-3.
    fn what_was_confirmed_is_renewed_by_progress(&mut self) {
        let book = self.book;
        for (line, it) in book.sent() {
            let Said::Lease(lease) = &it.said else {
                continue;
            };
            let asked = book.heard(line).any(|(_, heard)| match &heard.said {
                Said::Progress(progress) => {
                    let same = (progress.slot, progress.epoch, progress.number)
                        == (lease.slot, lease.epoch, lease.answers);
                    same && heard.from.realm == it.to.realm
                }
                _ => false,
            });
            if lease.answers > 0 && !asked {
                self.broken(format!(
                    "a renewal that nobody asked for: slot {}",
                    lease.slot
                ));
            }
        }
    }

    /// BID-2 to BID-5, RANK-1 to RANK-6 and CLOSE-1: which bids count, in which order, and who wins.
    fn the_ranking_is_right(&mut self, awards: &[Awarded]) {
        let book = self.book;
        let Some((verdict, digests)) = book.verdict() else {
            return;
        };
        let (_, announcement) = &book.announcements[0];
        let set: BTreeSet<Digest> = digests.iter().copied().collect();
        if set.len() != digests.len() || verdict.counted != digests.len() as u64 {
            self.broken("the verdict counts otherwise than its digests".to_owned());
        }
        if Digest::of(&[&verdict.secret]) != announcement.commitment {
            self.broken("another secret than was announced".to_owned());
        }
        let joined: Vec<u8> = digests.iter().flat_map(|it| *it.as_bytes()).collect();
        if verdict.root != root(&digests) || verdict.order != Digest::of(&[&joined]) {
            self.broken("the verdict is not of its digests".to_owned());
        }
        let since_epoch = |at: Option<Timestamp>| {
            let at = at.map_or(0, Timestamp::as_millis);
            at.saturating_sub(EPOCH_MS)
        };
        let closed = since_epoch(self.ledger.closed());
        // Who was down when its time for bids was over closes later, and takes none that come meanwhile.
        let over = since_epoch(self.ledger.window_over());
        if digests != self.ledger.ranking() {
            self.broken("the close ranks otherwise".to_owned());
        }
        let heard: Vec<(u64, bool, Place, Digest, Bid)> = book
            .heard(book.lines.len())
            .filter_map(|(_, line)| match &line.said {
                Said::Bid(bid) if is_signed(bid, &line.from) => {
                    let (from, digest) = (line.from.clone(), bid.digest());
                    let bid = bid.peek().ok()?;
                    // One for another broadcast is for that one's announcer to refuse.
                    let ours = bid.broadcast == announcement.broadcast;
                    ours.then_some((line.at, line.introduced, from, digest, bid))
                }
                _ => None,
            })
            .collect();
        // What comes with its sender's chain waits for nothing.
        let missed = heard.iter().find(|(at, introduced, _, digest, _)| {
            *introduced && *at < closed && !self.ledger.taken.contains(digest)
        });
        // What a crash took of it is asked for again.
        let restarted = self
            .ledger
            .told
            .iter()
            .any(|it| it.starts_with("run.restarted"));
        // Of refused bids the trace has the first.
        let told = self.ledger.told.iter();
        let refused = told.filter(|it| it.starts_with("broadcast.refused"));
        let is_whole = refused.count() < REFUSED;
        if let Some(missed) = missed.filter(|_| !restarted && is_whole) {
            let (at, _, from, digest, _) = missed;
            self.broken(format!(
                "at {at} a bid is not looked at: {digest} of {from:?}"
            ));
        }
        let mut coming: Vec<(Place, Digest, Bid)> = Vec::new();
        let all = self.ledger.counted();
        for taken in &self.ledger.taken {
            let came = heard
                .iter()
                .find(|(at, _, _, digest, _)| digest == taken && *at <= closed)
                .filter(|(at, ..)| *at <= over || set.contains(taken));
            let came = came.map(|(_, _, from, digest, bid)| (from.clone(), *digest, bid.clone()));
            // What the announcer's own agents bid is on no wire.
            let own = all
                .iter()
                .find(|(digest, bid, _)| digest == taken && bid.bidder.realm == Some(book.me));
            let own = own.map(|(digest, bid, _)| (bid.bidder.clone(), *digest, bid.clone()));
            coming.extend(came.or(own));
        }
        coming.retain(|(from, ..)| !self.shunned.contains(&from.root));
        let most = announcement.rule.max_bids;
        // A round that nobody else was asked in is on no wire, either.
        let mut rounds = book.announcements.clone();
        rounds.extend(self.ledger.unheard_rounds(&book.announcements));
        let right = counted(&rounds, most, &coming);
        let all: BTreeSet<Digest> = all.iter().map(|(digest, ..)| *digest).collect();
        if right.iter().copied().collect::<BTreeSet<_>>() != all || all != set {
            let (many, expected) = (set.len(), right.len());
            self.broken(format!("{many} bids count of {expected}, or others"));
        }
        let eligible = announcement.rule.awards + announcement.rule.standbys;
        let eligible: Vec<Digest> = digests.iter().copied().take(eligible as usize).collect();
        for made in awards {
            if !eligible.contains(&made.award.bid) {
                self.broken(format!("a bid behind all standbys wins: {:?}", made.award));
            }
        }
    }

    /// ANNOUNCE-8 and ANNOUNCE-17: whoever keeps to the rules bids only where it was asked; beside realms
    /// that are named, children are.
    fn bids_come_from_where_was_asked(&mut self) {
        for (digest, bid, _) in self.ledger.counted() {
            let rounds = &self.book.announcements;
            let Some((_, round)) = rounds.iter().find(|(it, _)| *it == bid.announcement) else {
                continue;
            };
            let named = &round.reach.realms;
            let scope = bid.bidder.scope();
            let (here, there) = (&round.announcer.path, &scope.path);
            let child = there == here || there.parent().as_ref() == Some(here);
            let near = round.reach.besides.is_some() && scope.root == round.announcer.root && child;
            let asked = named.is_empty() || near || named.iter().any(|it| it.contains(&scope));
            let honest = bid
                .bidder
                .realm
                .is_some_and(|it| !self.puppets.contains(&it));
            if honest && !asked {
                self.broken(format!("bid {digest} of {scope:?}, outside {named:?}"));
            }
        }
    }

    /// RANK-6, LEASE-8 and the results made one: what the owner was told.
    fn the_outcome_is_right(&mut self, awards: &[Awarded]) {
        let (Some(told), book) = (self.ledger.conclusion(), self.book) else {
            return;
        };
        let (_, announcement) = &book.announcements[0];
        let bids = self.ledger.counted().len() as u64;
        let few = bids < announcement.rule.min_bids.max(1);
        if few != (told.ending == Ending::TooFewBids) && told.ending != Ending::Cancelled {
            self.broken(format!("{bids} bids end as {:?}", told.ending));
        }
        let used = |it: &&Citation| matches!(it.part, Part::Contributed | Part::Dissented);
        for slot in told.citations.iter().filter(used) {
            // What the announcer's own agents give is on no wire.
            if slot.bidder != book.me
                && let Err(why) = self.output_of(slot, awards)
            {
                self.broken(format!("{why}: {slot:?}"));
            }
        }
        if !matches!(told.ending, Ending::Cancelled | Ending::TooFewBids) {
            let made = make(&announcement.aggregation, &self.ledger.outcomes(told));
            self.what_is_made_is_right(told, &made);
        } else if !told.citations.is_empty() || told.output.is_some() {
            self.broken(format!("an end that cites: {told:?}"));
        }
    }

    /// AGG-1 to AGG-10.
    fn what_is_made_is_right(&mut self, told: &Conclusion, made: &Made) {
        let parts = told.citations.iter().map(|it| (it.slot, it.part)).collect();
        let given = told.output.as_deref();
        let given = given.map(|given| json::parse(given).expect("an output is JSON"));
        let by_loop = made.ending == Ending::Output && self.aggregator.is_some();
        let (ending, output) = match self.aggregator {
            Some(Aggregator::Sums) if by_loop && told.ending == Ending::Output => {
                let made = made.output.as_ref();
                (Ending::Output, Some(value!({"done": made})))
            }
            // Whoever dies while its loop runs may not learn what came of it.
            Some(Aggregator::Sums) if by_loop && self.crashed => (Ending::AggregatorFailed, None),
            Some(Aggregator::Babbles)
                if by_loop && told.ending == Ending::Output && self.allows_everything() =>
            {
                (Ending::Output, given.clone())
            }
            Some(Aggregator::Babbles | Aggregator::Fails) if by_loop => {
                (Ending::AggregatorFailed, None)
            }
            _ => (made.ending, made.output.clone()),
        };
        let alike = match (&given, &output) {
            (Some(given), Some(output)) => same(given, output),
            (given, output) => given.is_none() && output.is_none(),
        };
        if told.ending != ending || !alike || made.parts != parts {
            self.broken(format!(
                "{:?} with {given:?} by {parts:?}, not {ending:?} with {output:?}: {made:?}",
                told.ending
            ));
        }
    }

    /// Whether the contract of what was announced allows any output.
    fn allows_everything(&self) -> bool {
        let (_, announcement) = &self.book.announcements[0];
        announcement.loop_id.as_str() == LIST
    }

    /// The output that a result brought which counts.
    fn output_of(&self, slot: &Citation, awards: &[Awarded]) -> Result<Value, &'static str> {
        let of_slot = awards.iter().filter(|made| made.award.slot == slot.slot);
        let last = of_slot.max_by_key(|made| made.award.epoch);
        let last = last.ok_or("a result without an award")?;
        if last.award.bid != slot.bid {
            return Err("a result of another than the last holder");
        }
        let heard = self.book.heard(self.book.lines.len());
        let given = heard.filter_map(|(_, line)| match &line.said {
            Said::Outcome(deliver) => Some((line, deliver)),
            _ => None,
        });
        let mut given = given.filter(|(_, it)| Some(it.outcome.digest()) == slot.outcome);
        let (line, deliver) = given.next().ok_or("a result that never came")?;
        let outcome = deliver
            .outcome
            .peek()
            .map_err(|_| "a result that does not read")?;
        if line.from.realm != Some(slot.bidder) || !is_signed(&deliver.outcome, &line.from) {
            return Err("a result of another's");
        }
        let of_award = (outcome.slot, outcome.epoch, outcome.bid)
            == (last.award.slot, last.award.epoch, last.award.bid);
        if !of_award || outcome.end != LeaseEnd::Done {
            return Err("a result of another epoch, or none");
        }
        let bid = self
            .book
            .bids()
            .remove(&slot.bid)
            .ok_or("a result of no bid")?;
        let agreed = bid.price.as_ref();
        let over = outcome
            .charged
            .as_ref()
            .is_some_and(|charged| match agreed {
                Some(agreed) if agreed.currency == charged.currency => {
                    charged.micros > agreed.micros
                }
                _ => charged.micros > 0,
            });
        if over {
            return Err("a result that charges more than its bid");
        }
        let output = deliver
            .output
            .as_deref()
            .ok_or("a result without an output")?;
        if Some(Digest::of(&[output])) != outcome.output {
            return Err("a result with another output than was signed");
        }
        let output = json::parse(output).map_err(|_| "a result that is no JSON")?;
        let is_any = self.ledger.announcement.loop_id.as_str() == LIST;
        match output.is_object() || is_any {
            true => Ok(output),
            false => Err("a result that the schema refuses"),
        }
    }

    /// Who is told that an award is withdrawn has had it, or has said so; and what is acknowledged
    /// came.
    fn nothing_is_taken_back_or_thanked_for_in_vain(&mut self) {
        let (book, written) = (self.book, self.ledger.awards());
        for (line, it) in book.sent() {
            let (what, slot, epoch) = match &it.said {
                Said::Withdraw(it) => ("withdrawal", it.slot, it.epoch),
                Said::Ack(it) => ("acknowledgement", it.slot, it.epoch),
                _ => continue,
            };
            // An award that was written down may not have left before it is taken back.
            let awarded = written
                .iter()
                .any(|award| (award.0, award.1) == (slot, epoch));
            let said = book.heard(line).any(|(_, heard)| match &heard.said {
                Said::Confirm(confirm) => confirm.peek().is_ok_and(|it| it.epoch == epoch),
                Said::Outcome(deliver) => deliver.outcome.peek().is_ok_and(|it| it.epoch == epoch),
                _ => false,
            });
            let is_right = match what {
                "withdrawal" => awarded || said,
                _ => said,
            };
            if !is_right {
                self.broken(format!(
                    "a {what} of what never was: slot {slot}, epoch {epoch}"
                ));
            }
        }
    }

    /// Everybody who got the input.
    pub(super) fn informed(book: &Book) -> BTreeSet<RealmId> {
        let leases = book
            .sent()
            .filter(|(_, line)| matches!(&line.said, Said::Lease(lease) if lease.input.is_some()));
        leases.filter_map(|(_, line)| line.to.realm).collect()
    }
}

/// Refused bids that the trace of a broadcast has.
const REFUSED: usize = 64;

/// How long what is decided may take to leave: a turn of a slow disk, and the clock's grain.
const SLACK_MS: u64 = 150;

/// Whether a line is the holder's word that it has reserved what it was awarded.
fn confirms(line: &Line, award: &Award, holder: Option<RealmId>) -> bool {
    let Said::Confirm(signed) = &line.said else {
        return false;
    };
    let Ok(confirm) = signed.peek() else {
        return false;
    };
    let same = (confirm.slot, confirm.epoch, confirm.bid) == (award.slot, award.epoch, award.bid);
    same && confirm.answer == ConfirmAnswer::Reserved
        && line.from.realm == holder
        && is_signed(signed, &line.from)
}

/// The outcome that a line brings of a lease, by its holder.
fn outcome_of<'l>(
    line: &'l Line,
    lease: &Lease,
    holder: RealmId,
) -> Option<(&'l Deliver, Outcome)> {
    let Said::Outcome(deliver) = &line.said else {
        return None;
    };
    let outcome = deliver.outcome.peek().ok()?;
    let same = (outcome.slot, outcome.epoch) == (lease.slot, lease.epoch);
    (same && line.from.realm == Some(holder)).then_some((deliver, outcome))
}

pub(super) fn is_signed<T: Record>(record: &Signed<T>, by: &Place) -> bool {
    by.node
        .is_some_and(|node| verify(record, &[*node.as_bytes()]).is_ok())
}
