//! What a realm does that means harm: with good certificates, and with all that it has seen.

use bytes::Bytes;
use realm_crypto::SigningKey;
use realm_node::{Input, LinkId};
use realm_protocol::{
    Digest, Envelope, Hop, Phase, Timestamp,
    broadcast::Summary,
    cbor::{self, Blob},
    link::{Beat, Frame, Hello, NeedChain, Records},
    records::{Chain, PolicyRecord, RevocationList, Signed},
};

use crate::{HostId, World};

/// Frames that a hostile realm remembers.
const SEEN: usize = 64;
/// Frames of one flood.
const FLOOD: u64 = 120;
/// Added to the number of a link so that no link of the world has it.
const FORGED_LINKS: u64 = 1 << 40;

/// A realm that means harm, and what it has seen on its links: sender, receiver, bytes.
#[derive(Debug)]
pub struct Hostile {
    host: HostId,
    seen: Vec<(HostId, HostId, Bytes)>,
    links: u64,
}

impl Hostile {
    /// Makes a host hostile. It sees nothing but what it is told by [`Hostile::overhear`].
    pub const fn new(host: HostId) -> Self {
        Self {
            host,
            seen: Vec::new(),
            links: FORGED_LINKS,
        }
    }

    /// Remembers what has passed it.
    pub fn overhear(&mut self, wire: &[(HostId, HostId, Bytes)]) {
        let host = self.host;
        let own = wire
            .iter()
            .filter(|(from, to, _)| *from == host || *to == host);
        self.seen.extend(own.cloned());
        let over = self.seen.len().saturating_sub(SEEN);
        self.seen.drain(..over);
    }

    /// Does one of the things that a hostile realm does, to realms that are given with their parents.
    pub fn harm(&mut self, world: &mut World, realms: &[(HostId, Option<HostId>)]) {
        let deed = world.random(7);
        let mut harm = Deed {
            me: self,
            world,
            realms,
        };
        match deed {
            0 => harm.replay(),
            1 => harm.reflect(),
            2 => harm.lie_about_the_way(),
            3 => harm.speak_for_another(),
            4 => harm.forge_certificates(),
            5 => harm.equivocate(),
            _ => harm.flood(),
        }
    }
}

/// One thing that it does.
struct Deed<'a> {
    me: &'a mut Hostile,
    world: &'a mut World,
    realms: &'a [(HostId, Option<HostId>)],
}

impl Deed<'_> {
    /// A neighbour of the hostile realm's, and what that calls the link between them.
    fn victim(&mut self) -> Option<(HostId, LinkId)> {
        let ends: Vec<(HostId, LinkId)> = self.world.hosts[self.me.host.0]
            .links
            .values()
            .map(|end| (end.host, end.link))
            .collect();
        let index = self.world.random(ends.len() as u64) as usize;
        ends.get(index).copied()
    }

    fn anybody(&mut self) -> HostId {
        let index = self.world.random(self.realms.len() as u64) as usize;
        self.realms[index].0
    }

    fn seen(&mut self) -> Option<(HostId, HostId, Bytes)> {
        let many = self.me.seen.len() as u64;
        let index = self.world.random(many) as usize;
        self.me.seen.get(index).cloned()
    }

    fn seen_envelope(&mut self) -> Option<Envelope> {
        for _ in 0..8 {
            let (_, _, bytes) = self.seen()?;
            if let Ok(Frame::Envelope(envelope)) = Frame::decode(&bytes) {
                return Some(envelope);
            }
        }
        None
    }

    fn send_to(&mut self, (host, link): (HostId, LinkId), frame: &Frame) {
        self.world.inject(host, link, frame.encode());
    }

    /// Sends again what it has seen, to whoever is there.
    fn replay(&mut self) {
        for _ in 0..4 {
            let (Some(victim), Some((_, _, bytes))) = (self.victim(), self.seen()) else {
                return;
            };
            self.world.inject(victim.0, victim.1, bytes);
        }
    }

    /// Sends frames back to where they came from.
    fn reflect(&mut self) {
        let host = self.me.host;
        for _ in 0..4 {
            let Some((from, _, bytes)) = self.seen() else {
                return;
            };
            if let Some(link) = self.world.links_between(from, host).first() {
                self.world.inject(from, *link, bytes);
            }
        }
    }

    /// Sends on what it has seen, with a hop that it made up.
    fn lie_about_the_way(&mut self) {
        for _ in 0..4 {
            let (Some(victim), Some(envelope)) = (self.victim(), self.seen_envelope()) else {
                return;
            };
            let phases = [Phase::Up, Phase::Across, Phase::Down];
            let hop = Hop {
                left: self.world.random(20),
                phase: phases[self.world.random(3) as usize],
                age_ms: [0, 1, 60_000, u64::MAX][self.world.random(4) as usize],
            };
            self.send_to(victim, &Frame::Envelope(Envelope { hop, ..envelope }));
        }
    }

    /// Sends what it has seen under another's name, to another place, or under a new id.
    fn speak_for_another(&mut self) {
        for _ in 0..4 {
            let (Some(victim), Some(envelope)) = (self.victim(), self.seen_envelope()) else {
                return;
            };
            let other = self.anybody();
            let scope = self.world.hosts[other.0].scope.clone();
            let mut header = envelope.peek().expect("a header that was sent");
            let place = match self.world.random(3) {
                0 => &mut header.destination,
                _ => &mut header.source,
            };
            place.root = scope.root;
            place.path = scope.path;
            place.realm = Some(self.world.hosts[other.0].realm);
            place.node = Some(self.world.hosts[other.0].node_id);
            let header = Blob::from(cbor::encode(&header));
            self.send_to(victim, &Frame::Envelope(Envelope { header, ..envelope }));
        }
    }

    /// Shows certificates that it has signed itself, on its own link and on a new one.
    fn forge_certificates(&mut self) {
        let Some((host, link)) = self.victim() else {
            return;
        };
        let hostile = self.me.host;
        let mut seen = self.me.seen.iter().rev();
        let Some(mut chain) = seen.find_map(|(_, _, bytes)| chain_in(bytes)) else {
            return;
        };
        let other = self.anybody();
        let (realm, node) = {
            let other = &self.world.hosts[other.0];
            (other.realm, other.node_id)
        };
        let key = self.world.hosts[hostile.0].node_key();
        let Some(last) = chain.links.last_mut() else {
            return;
        };
        let forge_child = self.world.random(2) == 0;
        match last.child_cert.as_ref().and_then(|cert| cert.peek().ok()) {
            Some(mut cert) if forge_child => {
                cert.parent = realm;
                cert.parent_node = node;
                last.child_cert = Some(sign(&key, &cert));
            }
            _ => {
                let mut cert = last.node_cert.peek().expect("a certificate that was sent");
                cert.realm = realm;
                cert.node = key.node_id();
                last.node_cert = sign(&key, &cert);
            }
        }
        let now = self.world.now(hostile).wall;
        let records = Frame::Records(Records {
            chain: Some(chain.clone()),
            ..Records::default()
        });
        self.send_to((host, link), &records);
        self.greet_anew(host, chain, now);
    }

    /// Connects once more, with a chain that it made up.
    fn greet_anew(&mut self, host: HostId, chain: Chain, clock: Timestamp) {
        self.me.links += 1;
        let link = LinkId(self.me.links);
        let node = self.world.hosts[self.me.host.0].node_id;
        let up = Input::LinkUp {
            link,
            node,
            dial: None,
        };
        self.world.feed(host, up);
        let hello = Hello {
            oldest: 1,
            newest: 1,
            chain,
            clock,
            records: Digest::of(&[]),
            joining: None,
        };
        self.send_to((host, link), &Frame::Hello(hello));
        self.world.feed(host, Input::LinkDown(link));
    }

    /// Says one thing to one neighbour and another to the next, under one number.
    fn equivocate(&mut self) {
        let hostile = self.me.host;
        let Some(chain) = self.own_chain() else {
            return;
        };
        let key = self.world.hosts[hostile.0].node_key();
        let realm = self.world.hosts[hostile.0].realm;
        let created = self.world.now(hostile).wall;
        for serial in [1_000_001, 1_000_002] {
            let Some(victim) = self.victim() else { return };
            let list = RevocationList {
                realm,
                number: 77,
                serials: vec![serial],
                created,
                node: key.node_id(),
            };
            let policy = PolicyRecord {
                realm,
                number: 77,
                cedar: format!("// {serial}\npermit (principal, action, resource);\n"),
                petnames: vec![],
                created,
                node: key.node_id(),
                above: None,
            };
            let records = Records {
                chain: None,
                revocations: vec![sign(&key, &list)],
                issuers: vec![chain.clone()],
                // Whoever is its child must take its word; to all others it is none.
                policies: match self.is_below(victim.0, hostile) {
                    true => vec![],
                    false => vec![sign(&key, &policy)],
                },
                summary: Some(Summary {
                    filter: Blob::from(vec![0; 3]),
                    realms: u64::MAX,
                }),
            };
            self.send_to(victim, &Frame::Records(records));
        }
    }

    fn is_below(&self, host: HostId, above: HostId) -> bool {
        let below = self.realms.iter().find(|(realm, _)| *realm == host);
        below.is_none_or(|(_, parent)| *parent == Some(above))
    }

    /// The chain that the hostile realm has shown last.
    fn own_chain(&self) -> Option<Chain> {
        let host = self.me.host;
        let own = self.me.seen.iter().filter(|(from, _, _)| *from == host);
        let realm = self.world.hosts[host.0].realm;
        own.rev()
            .filter_map(|(_, _, bytes)| chain_in(bytes))
            .find(|chain| {
                let last = chain.links.last();
                last.is_some_and(|link| link.inception.realm_id() == realm)
            })
    }

    /// Sends much of everything at once.
    fn flood(&mut self) {
        let Some(victim) = self.victim() else { return };
        for number in 0..FLOOD {
            let digest = Digest::of(&[&number.to_be_bytes()]);
            let clock = self.world.now(victim.0).wall;
            let records = digest;
            let frame = match self.world.random(4) {
                0 => Frame::Beat(Beat {
                    clock,
                    records,
                    head: None,
                    witnessed: None,
                    proof: None,
                })
                .encode(),
                1 => Frame::NeedChain(NeedChain { header: digest }).encode(),
                2 => Bytes::from(vec![0xff; 256]),
                _ => self.seen().map(|(_, _, bytes)| bytes).unwrap_or_default(),
            };
            self.world.inject(victim.0, victim.1, frame);
        }
    }
}

fn chain_in(bytes: &Bytes) -> Option<Chain> {
    match Frame::decode(bytes).ok()? {
        Frame::Envelope(envelope) => cbor::decode(&envelope.chain?).ok(),
        Frame::Hello(hello) => Some(hello.chain),
        Frame::Records(records) => records.chain,
        _ => None,
    }
}

fn sign<T: realm_protocol::records::Record>(key: &SigningKey, record: &T) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    key.sign(&mut signed);
    key.sign(&mut signed);
    signed
}
