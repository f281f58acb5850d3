//! Work without an address: this realm's part in broadcasts, its own and others'.

mod acquainting;
mod aggregating;
mod announcing;
mod asking;
mod bidding;
mod closing;
mod contents;
mod deciding;
mod evidence;
mod floods;
mod halting;
mod hearing;
mod kept;
mod late;
mod lost;
mod offers;
mod offshoots;
mod passing;
mod permitting;
mod planning;
mod receipts;
mod summaries;
mod telling;
mod traced;
mod trusting;
mod withdrawing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use realm_broadcast::{Announcer, Bidder, Side, Tallying, Trust};
use realm_crypto::{Opened, verify};
use realm_executor::Registered;
use realm_protocol::{
    BroadcastId, CallId, Digest, Kind, LoopId, Place, RealmId, RunId, Scope, Tick, Timestamp,
    broadcast::{
        Announce, Announcement, Award, Close, CloseAsked, Confirm, Deliver, Lease, Offshoots,
        OutcomeAck, PlacedBid, Tally, Withdraw, WorkProgress,
    },
    budget::Spend,
    journal::{JournalSeq, Run},
    limits,
    records::{Record, Signed},
};

use crate::{Node, Refused, timers::Timer};

use asking::Asker;
use closing::{Closing, Over};
use floods::Floods;
use late::Late;

use acquainting::{Offered, Offers};
use contents::read;
use receipts::Receipts;
use summaries::Summaries;

pub use announcing::{BroadcastAsked, Broadcasted, SlotView, Wider};
pub(crate) use closing::CLOSES;
pub use evidence::NoTranscript;
pub(crate) use evidence::bare;
pub(crate) use kept::{DAYS, Kept, leased_rows};
pub use receipts::BidView;
pub(crate) use telling::{Left, Tell, Unheard};
pub use trusting::BidderView;
pub use withdrawing::Withdrawn;
use withdrawing::{Stopping, Withdrawing};

/// Slots that a realm works on at a time.
const CAPACITY: u64 = 64;
/// How long its bids hold, milliseconds.
const HOLDS_MS: u64 = 60_000;
/// Broadcasts that may be under way at a time, of this realm's and passed on.
const BROADCASTS: usize = limits::OFFERS;
/// Neighbours that it takes to fill the places for announcements that are passed on.
const SHARES: usize = 4;

/// Everything that this realm announces, bids for, or passes on.
#[derive(Debug, Default)]
pub(crate) struct Market {
    announced: BTreeMap<BroadcastId, Announced>,
    /// Those of them that want something, which is being carried out for the first.
    wanting: VecDeque<BroadcastId>,
    /// Those that have ended, and of which outcomes are still to come.
    late: BTreeMap<BroadcastId, Late>,
    /// The latest of this realm's that have ended: bidders may ask for their closes.
    over: VecDeque<Over>,
    /// With the place that it bids from.
    bidder: Option<(Place, Bidder)>,
    /// Announcements passed on whose tally is due, by broadcast and round.
    passed: BTreeMap<(BroadcastId, u64), Passed>,
    floods: Floods,
    /// Neighbours whose links broke, and until when they are waited for.
    lost: BTreeMap<Side, Tick>,
    /// What is remembered of this realm's own bids.
    receipts: Receipts,
    summaries: Summaries,
    /// Ends of this realm's broadcasts that bidders have still to be told.
    closing: VecDeque<Closing>,
    /// Those who wait for broadcasts that they took back.
    withdrawing: Vec<Withdrawing>,
    /// Runs of leased work that is taken back, no more than there are leases.
    stopping: BTreeMap<RunId, Stopping>,
    /// What runs of leased work have announced that has ended, no more than there are leases.
    offshoots: BTreeMap<RunId, Offshoots>,
    /// Sessions that this realm's bids offer.
    pub(crate) offers: Offers,
    pub(crate) trust: Trust,
}

/// A broadcast of this realm's own.
#[derive(Debug)]
struct Announced {
    announcer: Announcer,
    /// Who waits for it, if anybody does; after a restart it is only a run.
    asker: Option<Asker>,
    /// The call of the frame that asked for it, where one did.
    frame: Option<CallId>,
    /// The announcement of each round.
    rounds: Vec<Signed<Announcement>>,
    contract: Arc<Registered>,
    /// The loop that policy is asked about.
    loop_id: LoopId,
    /// Who holds each slot.
    holders: BTreeMap<u64, Place>,
    /// When each holder had its first lease.
    began: BTreeMap<u64, Timestamp>,
    /// The loop here that makes results one, where a loop does.
    aggregator: Option<LoopId>,
    /// What that loop has used.
    aggregated: Spend,
    /// How many calls and broadcasts led to whoever asked for it.
    depth: u64,
    /// Who asked for it by hand.
    person: Option<String>,
    run: Run,
    /// Entries that its announcer has written down so far.
    entries: u64,
    /// Those whose chains are written down.
    proven: BTreeSet<Place>,
    /// The realms above each of these realms, as it first proved itself: whoever takes its place changes nothing of them.
    families: BTreeMap<RealmId, Vec<RealmId>>,
    /// Sessions that its bidders offer, by their realms.
    offered: BTreeMap<RealmId, Offered>,
    /// Events of its run so far.
    events: u64,
    /// The entry that an announcement waits for, and until when it is waited for.
    leaving: Option<(JournalSeq, Tick)>,
    /// The close, once it is there, in pages.
    close: Arc<Vec<Close>>,
    /// Slots and epochs that a person is asked about.
    undecided: Vec<(u64, u64)>,
    /// Bids that were refused since it began here.
    refused: u64,
}

/// An announcement of another realm's that was passed on.
#[derive(Debug)]
struct Passed {
    /// The realm that gets the tally.
    to: Place,
    tallying: Tallying,
    /// The levels that it is counted at.
    levels: Vec<Scope>,
    /// Whether this realm's own agents have decided.
    decided: bool,
}

impl Market {
    /// How many broadcasts are under way here.
    pub(crate) fn announced(&self) -> usize {
        self.announced.len()
    }

    /// A broadcast of this realm's that is under way, or of which outcomes are still to come.
    fn own(&self, broadcast: BroadcastId) -> Option<&Announced> {
        let late = || self.late.get(&broadcast).map(|late| &late.own);
        self.announced.get(&broadcast).or_else(late)
    }

    fn own_mut(&mut self, broadcast: BroadcastId) -> Option<&mut Announced> {
        match self.announced.get_mut(&broadcast) {
            Some(own) => Some(own),
            None => self.late.get_mut(&broadcast).map(|late| &mut late.own),
        }
    }

    /// The broadcast that a frame here has asked for with this call.
    fn asked_with(&self, call: CallId) -> Option<BroadcastId> {
        let mut own = self.announced.iter();
        let (broadcast, _) = own.find(|(_, own)| own.frame == Some(call))?;
        Some(*broadcast)
    }

    /// The runs of this realm's broadcasts.
    pub(crate) fn own_runs(&self) -> impl Iterator<Item = RunId> {
        self.announced.values().map(|own| own.run.id)
    }

    /// The run of a broadcast of this realm's.
    pub(crate) fn run_of(&self, broadcast: BroadcastId) -> Option<RunId> {
        Some(self.announced.get(&broadcast)?.run.id)
    }

    /// Who asked by hand for the broadcast that has this run.
    pub(crate) fn person_of(&self, run: RunId) -> Option<&String> {
        let mut own = self.announced.values();
        own.find(|own| own.run.id == run)?.person.as_ref()
    }

    /// Whether this realm announced a broadcast, and has not forgotten it.
    fn is_own(&self, broadcast: BroadcastId) -> bool {
        self.own(broadcast).is_some() || self.ended(broadcast).is_some()
    }

    /// A broadcast of this realm's that has ended and is not forgotten.
    fn ended(&self, broadcast: BroadcastId) -> Option<&Over> {
        self.over.iter().find(|over| over.broadcast == broadcast)
    }

    /// How many bids of this realm's are confirmed whose work has not begun, and how many of them
    /// for announcers under a root.
    pub(crate) fn reserved(&self, on_side: &impl Fn(&Scope) -> bool) -> (usize, usize) {
        let reserved = self.bidder.iter().flat_map(|(_, bidder)| bidder.reserved());
        reserved.fold((0, 0), |(all, of_side), announcer| {
            (all + 1, of_side + usize::from(on_side(&announcer.scope())))
        })
    }

    /// How many announcements wait for their tallies.
    pub(crate) fn passed(&self) -> usize {
        self.passed.len()
    }

    /// Whether another announcement of a neighbour's may be passed on; none fills more than a share.
    fn has_room_from(&self, neighbour: &Place) -> bool {
        let passed = self.passed.values();
        let of_neighbour = passed.filter(|passed| passed.to.realm == neighbour.realm);
        self.passed.len() < BROADCASTS && of_neighbour.count() < BROADCASTS / SHARES
    }

    fn next(&self) -> Option<Tick> {
        let own = self.announced.values();
        let own = own.filter_map(|own| match own.leaving {
            Some((_, until)) => Some(until),
            None => own.announcer.poll_timeout(),
        });
        let bids = self
            .bidder
            .iter()
            .filter_map(|(_, bidder)| bidder.poll_timeout());
        let passed = self.passed.values().map(|passed| passed.tallying.due());
        let closing = self.closing.iter().map(|closing| closing.since);
        let late = self.late.values().map(|late| late.until);
        let asks = self.receipts.next();
        let lost = self.lost.values().copied();
        own.chain(bids)
            .chain(lost)
            .chain(passed)
            .chain(closing)
            .chain(late)
            .chain(asks)
            .min()
    }
}

impl Node {
    /// Takes a message of the market with this message digest; gives whether it was one.
    pub(crate) fn take_market(&mut self, opened: &Opened, message: Digest) -> bool {
        let header = opened.header();
        let from = &header.source;
        let taken = match header.kind {
            Kind::Announce => read(opened).map(|it: Announce| self.heard(from, it)),
            Kind::Bid | Kind::Award | Kind::Confirm | Kind::Lease
                if self.halts.stops_below(&from.scope()) =>
            {
                self.counters.refuse(Refused::Halted);
                Some(())
            }
            Kind::Tally => read(opened).map(|it: Tally| self.tallied(from, &it)),
            Kind::Bid => read(opened).map(|it: PlacedBid| self.bid_placed(opened, it)),
            Kind::Award => read(opened).map(|it: Award| self.awarded(from, it)),
            Kind::Confirm => read(opened).map(|it: Signed<Confirm>| self.confirmed(from, it)),
            Kind::Lease => read(opened).map(|it: Lease| self.leased(from, it)),
            // Calls have messages of these kinds as well.
            Kind::Progress
            | Kind::Result
            | Kind::Failure
            | Kind::ResultAck
            | Kind::Cancel
            | Kind::Status => {
                if !self.takes_part(header.call) {
                    return false;
                }
                self.take_of_work(from, opened)
            }
            Kind::Close => read(opened).map(|it: Close| {
                let page = self.begin_offered(opened, message, it);
                self.closed(from, &page);
            }),
            _ => return false,
        };
        if taken.is_none() {
            self.counters.refuse(Refused::Malformed);
        }
        self.set_market_timer();
        true
    }

    /// A message about leased work.
    fn take_of_work(&mut self, from: &Place, opened: &Opened) -> Option<()> {
        match opened.header().kind {
            Kind::Progress => read(opened).map(|it: WorkProgress| self.progressed(from, it)),
            Kind::ResultAck => read(opened).map(|it: OutcomeAck| self.acknowledged(from, it)),
            Kind::Cancel => read(opened).map(|it: Withdraw| self.withdrawn(from, it)),
            Kind::Status => read(opened).map(|it: CloseAsked| self.close_asked(from, &it)),
            _ => read(opened).map(|it: Deliver| self.gave(from, it)),
        }
    }

    /// Whether a call is a broadcast that this realm announced or bids for.
    fn takes_part(&self, call: CallId) -> bool {
        let broadcast = BroadcastId::new(*call.as_bytes());
        let bids = self.market.bidder.as_ref();
        self.market.is_own(broadcast)
            || bids.is_some_and(|(_, bidder)| bidder.takes_part(broadcast))
    }

    /// Does what broadcasts have to do at this time.
    pub(crate) fn market_is_due(&mut self) {
        let now = self.now;
        self.send_closes();
        self.ask_for_closes();
        self.give_up_lost();
        self.give_up_late();
        let due: Vec<BroadcastId> = self.market.announced.keys().copied().collect();
        for broadcast in due {
            if let Some(own) = self.market.announced.get_mut(&broadcast) {
                own.leaving = own.leaving.filter(|(_, until)| now.tick < *until);
                if own.leaving.is_none() {
                    own.announcer.handle_timeout(now);
                }
            }
            self.carry_out_announcer(broadcast);
        }
        if let Some((_, bidder)) = &mut self.market.bidder {
            bidder.handle_timeout(now);
        }
        self.carry_out_bidder();
        self.send_due_tallies();
        self.set_market_timer();
    }

    pub(crate) fn set_market_timer(&mut self) {
        match self.market.next() {
            Some(at) => self.timers.set(Timer::Market, at),
            None => self.timers.cancel(&Timer::Market),
        }
    }

    /// Whether the node of a realm has signed a record.
    fn has_signed<T: Record>(&mut self, from: &Place, record: &Signed<T>) -> bool {
        let Some(node) = from.node else { return false };
        let signed = verify(record, &[*node.as_bytes()]).is_ok();
        if !signed {
            self.counters.refuse(Refused::Certificate);
        }
        signed
    }

    /// Which neighbour a realm is.
    fn side_of(&self, scope: &Scope) -> Option<Side> {
        let me = self.me.scope();
        if *scope == me {
            return Some(Side::Here);
        }
        if let Some(label) = self.child_at(scope) {
            return Some(Side::Child(label));
        }
        let above = me.root == scope.root && me.path.parent().as_ref() == Some(&scope.path);
        if above {
            return Some(Side::Parent);
        }
        let peer = me.path.is_root() && scope.path.is_root();
        peer.then_some(Side::Peer(scope.root))
    }

    /// Where a neighbour stands.
    fn scope_of(&self, side: &Side) -> Option<Scope> {
        side.seen_from(&self.me.scope())
    }
}

/// The call that a broadcast is, in every half of its trace and in the header of all its messages.
fn call_of(broadcast: BroadcastId) -> CallId {
    CallId::new(*broadcast.as_bytes())
}
