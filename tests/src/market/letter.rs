//! Messages in a host's name that its node has not written.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use realm_crypto::{Outgoing, seal};
use realm_protocol::{
    CallId, Kind, Phase, Place, Priority,
    broadcast::{Announce, Announcement, Deliver, Outcome, WorkProgress},
    cbor::{self, Blob},
    link::Frame,
    records::{KemPurpose, Signed},
};

use crate::{HostId, World};

/// How long a message may be under way, milliseconds.
const TTL_MS: u64 = 60_000;

/// A message to be sealed.
pub(super) struct Letter<'a> {
    pub(super) kind: Kind,
    pub(super) call: CallId,
    pub(super) to: &'a Place,
    pub(super) content: &'a [u8],
}

impl World {
    /// Seals a message of a host's for the neighbour that passes it on, with the host's chain. None
    /// where one of the chains has not been overheard.
    pub(super) fn letter(&mut self, me: HostId, next: HostId, it: &Letter<'_>) -> Option<Bytes> {
        let (now, mut seed) = (self.now(me).wall, [0; 32]);
        seed[..8].copy_from_slice(&self.random(u64::MAX).to_be_bytes());
        let kem = self.post.chain(it.to.realm?).and_then(|chain| {
            let mut records = chain.kem.iter().filter_map(|it| it.peek().ok());
            records.find(|it| it.purpose == KemPurpose::Live && now < it.not_after)
        })?;
        let host = &self.hosts[me.0];
        let chain = self.post.chain(host.realm).map(cbor::encode)?;
        let (here, key) = (host.place(), host.node_key());
        let out = Outgoing {
            kind: it.kind,
            source: &here,
            destination: it.to,
            created: now,
            ttl_ms: TTL_MS,
            call: it.call,
            answers: None,
            priority: Priority::Normal,
            flags: None,
            max_reply: 64 * 1024,
            receipt: None,
            content: it.content,
        };
        let mut rng = ChaCha8Rng::from_seed(seed);
        let (mut letter, _) = seal(&mut rng, &key, &kem, &out).ok()?;
        letter.chain = Some(Blob::from(chain));
        let beyond = &self.hosts[next.0].scope;
        letter.phase = match () {
            () if beyond.root != here.root => Phase::Across,
            () if beyond.path.depth() < here.path.depth() => Phase::Up,
            () => Phase::Down,
        };
        Some(Frame::Envelope(letter.sign(&key)).encode())
    }

    /// From now on it is listened to what realms say in broadcasts, and who they say they are.
    pub fn overhear(&mut self) {
        self.post.listening = true;
        self.sessions = false;
    }

    /// The announcement that came to a host last.
    pub fn announced_to(&mut self, host: HostId) -> Option<Announcement> {
        let to = self.hosts[host.0].realm;
        let came = self
            .post
            .passed
            .iter()
            .rev()
            .find(|it| it.arrived && it.header().kind == Kind::Announce && it.host == host);
        let id = came?.header().id;
        let mut opened = self.open_sent(|it| it.header().destination.realm == Some(to));
        let announce: Announce = cbor::decode(&opened.remove(&id)?).ok()?;
        announce.announcement.peek().ok()
    }

    /// Gives a neighbour of a host's an announcement that the host signs, ahead of whatever is on
    /// its way there.
    pub fn announce_first(&mut self, by: HostId, to: HostId, announcement: &Announcement) {
        let host = &self.hosts[by.0];
        let mut signed = Signed::unsigned(announcement);
        host.node_key().sign(&mut signed);
        let own = self.post.chain(host.realm).expect("its chain is known");
        let content = cbor::encode(&Announce {
            announcement: signed,
            window_ms: announcement.window_ms,
            down: announcement.reach.down,
            up: announcement.reach.up,
            chain: Some(Blob::from(cbor::encode(own))),
        });
        let call = CallId::new(*announcement.broadcast.as_bytes());
        self.slip_in(by, to, (Kind::Announce, call), &content);
    }

    /// Tells a neighbour of a host's that the host works on, whether it does or not.
    pub fn report_progress(&mut self, by: HostId, to: HostId, progress: &WorkProgress) {
        let call = CallId::new(*progress.broadcast.as_bytes());
        self.slip_in(by, to, (Kind::Progress, call), &cbor::encode(progress));
    }

    /// Gives a neighbour of a host's an outcome of the host's, whatever it has said before.
    pub fn give_outcome(&mut self, by: HostId, to: HostId, outcome: &Outcome) {
        let mut signed = Signed::unsigned(outcome);
        self.hosts[by.0].node_key().sign(&mut signed);
        let delivered = Deliver {
            outcome: signed,
            output: None,
        };
        let call = CallId::new(*outcome.broadcast.as_bytes());
        self.slip_in(by, to, (Kind::Failure, call), &cbor::encode(&delivered));
    }

    /// Gives a neighbour of a host's a message in the host's name.
    fn slip_in(&mut self, by: HostId, to: HostId, (kind, call): (Kind, CallId), content: &[u8]) {
        let there = self.hosts[to.0].place();
        let letter = Letter {
            kind,
            call,
            to: &there,
            content,
        };
        let frame = self.letter(by, to, &letter).expect("both chains are known");
        let link = self.hosts[to.0].links.iter();
        let mut links = link.filter(|(_, end)| end.host == by);
        let link = links.next().map(|(link, _)| *link).expect("a link");
        self.inject(to, link, frame);
    }
}
