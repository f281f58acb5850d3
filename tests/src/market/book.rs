//! Everything that was said in one broadcast, in the order in which it was.

use std::collections::BTreeMap;

use realm_protocol::{
    CallId, Digest, Kind, MessageId, Place, RealmId,
    broadcast::{
        Announce, Announcement, Award, Bid, Close, Confirm, Deliver, Lease, OutcomeAck, PlacedBid,
        Verdict, Withdraw, WorkProgress,
    },
    cbor::{self, Blob},
    records::Signed,
};

use crate::{HostId, World};

/// What was said.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Announce(Box<Announce>),
    Bid(Signed<Bid>),
    Award(Award),
    Confirm(Signed<Confirm>),
    Lease(Lease),
    Progress(WorkProgress),
    Outcome(Box<Deliver>),
    Ack(OutcomeAck),
    Withdraw(Withdraw),
    Close(Box<Close>),
}

/// When it was said, by whom and to whom; or when it was heard.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: u64,
    pub(super) heard: bool,
    /// Whether the sender showed its chain with it.
    pub(super) introduced: bool,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) message: MessageId,
    pub(super) said: Said,
}

/// One broadcast, as the wires saw it.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) announcer: HostId,
    pub(super) me: RealmId,
    /// By round.
    pub(super) announcements: Vec<(Digest, Announcement)>,
    pub(super) lines: Vec<Line>,
    /// The contents of all messages that are for others than the announcer, besides leases.
    pub(super) contents: Vec<Blob>,
}

impl Book {
    /// Opens everything that was said in all broadcasts.
    pub(super) fn read_all(world: &mut World) -> BTreeMap<CallId, Self> {
        // Whoever announces says so first; what others pass on is the same.
        let mut announcers: BTreeMap<CallId, RealmId> = BTreeMap::new();
        for it in &world.post.passed {
            if let (Kind::Announce, Some(realm)) = (it.header().kind, it.header().source.realm) {
                announcers.entry(it.header().call).or_insert(realm);
            }
        }
        let opened = world.open_sent(|it| match it.header().kind {
            Kind::Announce => {
                announcers.get(&it.header().call) == it.header().source.realm.as_ref()
            }
            Kind::Tally => false,
            _ => true,
        });
        let mut books: BTreeMap<CallId, Self> = BTreeMap::new();
        for (call, me) in announcers {
            let announcer = world.hosts.iter().position(|host| host.realm == me);
            books.insert(
                call,
                Self {
                    announcer: HostId(announcer.expect("one of ours announces")),
                    me,
                    announcements: Vec::new(),
                    lines: Vec::new(),
                    contents: Vec::new(),
                },
            );
        }
        for it in &world.post.passed {
            let (Some(book), Some(content)) = (
                books.get_mut(&it.header().call),
                opened.get(&it.header().id),
            ) else {
                continue;
            };
            // What nobody can read shows what it has all the same.
            let of_announcer = !it.arrived && it.host == book.announcer;
            if of_announcer && it.header().kind != Kind::Lease {
                book.contents.push(content.clone());
            }
            let Some(said) = read(it.header().kind, content) else {
                continue;
            };
            book.learn(&said);
            book.lines.push(Line {
                at: it.at,
                heard: it.arrived,
                introduced: it.introduced(),
                from: it.header().source.clone(),
                to: it.header().destination.clone(),
                message: it.header().id,
                said,
            });
        }
        books
    }

    fn learn(&mut self, said: &Said) {
        let Said::Announce(announce) = said else {
            return;
        };
        let digest = announce.announcement.digest();
        if self.announcements.iter().all(|(known, _)| *known != digest) {
            let announcement = announce.announcement.peek().expect("our own announcement");
            self.announcements.push((digest, announcement));
            self.announcements.sort_by_key(|(_, it)| it.round);
        }
    }

    /// What the announcer sent, in order.
    pub(super) fn sent(&self) -> impl Iterator<Item = (usize, &Line)> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| !line.heard && line.from.realm == Some(self.me))
    }

    /// What the announcer heard before line `until`, in order; each message once.
    pub(super) fn heard(&self, until: usize) -> impl Iterator<Item = (usize, &Line)> {
        let lines = self.lines.iter().enumerate().take(until);
        let mut seen = std::collections::BTreeSet::new();
        lines.filter(move |(_, line)| {
            let here = line.heard && line.to.realm == Some(self.me);
            here && seen.insert(line.message)
        })
    }

    /// The verdict, if one was sent, with all digests in rank order.
    pub(super) fn verdict(&self) -> Option<(Verdict, Vec<Digest>)> {
        let closes = self.sent().filter_map(|(_, line)| match &line.said {
            Said::Close(close) => Some((line.to.realm, close)),
            _ => None,
        });
        let closes: Vec<_> = closes.collect();
        let to = closes.first()?.0;
        let mut pages: BTreeMap<u64, &Close> = BTreeMap::new();
        for (_, close) in closes.iter().filter(|(of, _)| *of == to) {
            pages.insert(close.page, close);
        }
        let (_, first) = pages.first_key_value()?;
        if pages.len() as u64 != first.pages {
            return None;
        }
        let digests = pages
            .values()
            .flat_map(|page| page.digests.chunks_exact(32));
        let digests = digests.map(|digest| Digest::new(digest.try_into().expect("32 bytes")));
        Some((first.verdict.peek().ok()?, digests.collect()))
    }

    /// Every bid that was sent, by its digest.
    pub(super) fn bids(&self) -> BTreeMap<Digest, Bid> {
        let bids = self.lines.iter().filter_map(|line| match &line.said {
            Said::Bid(bid) => Some((bid.digest(), bid.peek().ok()?)),
            _ => None,
        });
        bids.collect()
    }
}

fn read(kind: Kind, content: &Blob) -> Option<Said> {
    let said = match kind {
        Kind::Announce => Said::Announce(Box::new(cbor::decode(content).ok()?)),
        Kind::Bid => Said::Bid(cbor::decode::<PlacedBid>(content).ok()?.bid),
        Kind::Award => Said::Award(cbor::decode(content).ok()?),
        Kind::Confirm => Said::Confirm(cbor::decode(content).ok()?),
        Kind::Lease => Said::Lease(cbor::decode(content).ok()?),
        Kind::Progress => Said::Progress(cbor::decode(content).ok()?),
        Kind::Result | Kind::Failure => Said::Outcome(Box::new(cbor::decode(content).ok()?)),
        Kind::ResultAck => Said::Ack(cbor::decode(content).ok()?),
        Kind::Cancel => Said::Withdraw(cbor::decode(content).ok()?),
        Kind::Close => Said::Close(Box::new(cbor::decode(content).ok()?)),
        _ => return None,
    };
    Some(said)
}
