//! What realms say to each other in broadcasts, taken off the wires: every message as its source
//! sent it and as its destination got it, to be opened afterwards with the keys of its destination.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use realm_crypto::{
    KemKey, Opened, RootMemo, Trust, Verified, VerifiedChain, open_sealed, verify_chain,
    verify_envelope,
};
use realm_protocol::{
    CallId, Envelope, Header, KeyId, Kind, MessageId, RealmId, Timestamp,
    cbor::{self, Blob},
    journal::Table,
    link::Frame,
    records::{Chain, KemRecord, Signed},
    wire_map,
};

use crate::{Host, HostId, World};

/// A message on a wire.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// When, milliseconds of virtual time.
    pub(crate) at: u64,
    /// Whether it left its source, or came to its destination.
    pub(crate) arrived: bool,
    /// The host that sent it or got it.
    pub(crate) host: HostId,
    pub(crate) header: Header,
    envelope: Envelope,
}

/// The messages of all broadcasts, while `listening`.
#[derive(Debug, Default)]
pub(crate) struct Post {
    pub(crate) listening: bool,
    pub(crate) passed: Vec<Passed>,
    /// Hosts whose nodes hear nothing of their awards and say nothing of their tallies: somebody else
    /// does.
    pub(crate) puppets: BTreeSet<HostId>,
    /// Whether what is sent now is a puppet's own.
    pub(crate) puppet_sends: bool,
    /// What puppets have heard.
    pub(crate) heard: VecDeque<(HostId, Header, Envelope)>,
    broadcasts: BTreeSet<CallId>,
    chains: BTreeMap<RealmId, Chain>,
    verified: BTreeMap<RealmId, VerifiedChain>,
}

wire_map! {
    /// A key as a realm writes it down.
    pub struct StoredKem {
        /// X25519 secret.
        0 => secret: [u8; 32],
        /// Its record.
        1 => record: Signed<KemRecord>,
        /// When it is erased.
        2 => erased: Timestamp,
    }
}

impl Passed {
    /// Whether its sender showed its chain with it.
    pub(crate) fn introduced(&self) -> bool {
        self.envelope.chain.is_some()
    }
}

impl Post {
    /// A frame leaves a host; gives whether it is withheld.
    pub(crate) fn sent(&mut self, host: HostId, hosts: &[Host], at: u64, frame: &Bytes) -> bool {
        let Some((header, envelope)) = self.read(frame) else {
            return false;
        };
        if header.source.realm != Some(hosts[host.0].realm) {
            return false;
        }
        if header.kind == Kind::Tally && self.puppets.contains(&host) && !self.puppet_sends {
            return true;
        }
        self.passed.push(Passed {
            at,
            arrived: false,
            host,
            header,
            envelope,
        });
        false
    }

    /// A frame comes to a host; gives whether its node does not hear of it.
    pub(crate) fn arrived(&mut self, host: HostId, hosts: &[Host], at: u64, frame: &Bytes) -> bool {
        let Some((header, envelope)) = self.read(frame) else {
            return false;
        };
        if header.destination.realm != Some(hosts[host.0].realm) {
            return false;
        }
        let is_puppet = self.puppets.contains(&host);
        if is_puppet {
            self.heard
                .push_back((host, header.clone(), envelope.clone()));
        }
        let withheld = is_puppet && !matches!(header.kind, Kind::Announce | Kind::Tally);
        self.passed.push(Passed {
            at,
            arrived: true,
            host,
            header,
            envelope,
        });
        withheld
    }

    /// The message in a frame, if it is of a broadcast.
    fn read(&mut self, frame: &Bytes) -> Option<(Header, Envelope)> {
        if !self.listening {
            return None;
        }
        let envelope = match Frame::decode(frame).ok()? {
            Frame::Hello(hello) => {
                self.learn(hello.chain);
                return None;
            }
            Frame::Records(records) => {
                records
                    .chain
                    .into_iter()
                    .for_each(|chain| self.learn(chain));
                return None;
            }
            Frame::Envelope(envelope) => envelope,
            _ => return None,
        };
        let header = envelope.peek().ok()?;
        if let Some(chain) = envelope
            .chain
            .as_deref()
            .and_then(|it| cbor::decode(it).ok())
        {
            self.learn(chain);
        }
        let always = matches!(
            header.kind,
            Kind::Announce
                | Kind::Tally
                | Kind::Bid
                | Kind::Award
                | Kind::Confirm
                | Kind::Lease
                | Kind::Close
        );
        let of_work = matches!(
            header.kind,
            Kind::Progress | Kind::Result | Kind::Failure | Kind::ResultAck | Kind::Cancel
        );
        if header.kind == Kind::Announce {
            self.broadcasts.insert(header.call);
        }
        let is_ours = always || of_work && self.broadcasts.contains(&header.call);
        is_ours.then_some((header, envelope))
    }

    fn learn(&mut self, chain: Chain) {
        let Some(realm) = chain.links.last().map(|link| link.inception.realm_id()) else {
            return;
        };
        let longer = |known: &Chain| known.links.len() > chain.links.len();
        if !self.chains.get(&realm).is_some_and(longer) {
            self.chains.insert(realm, chain);
        }
    }

    /// The chain that a realm has shown.
    pub(crate) fn chain(&self, realm: RealmId) -> Option<&Chain> {
        self.chains.get(&realm)
    }

    fn verified(&mut self, header: &Header) -> Option<VerifiedChain> {
        let realm = header.source.realm?;
        if let Some(chain) = self.verified.get(&realm) {
            return Some(chain.clone());
        }
        let trust = Trust {
            root: header.source.root,
            shared: None,
            revoked: &|_, _| false,
            now: header.created,
        };
        let chain = verify_chain(self.chains.get(&realm)?, &trust).ok()?;
        self.verified.insert(realm, chain.clone());
        Some(chain)
    }
}

fn read_kem(row: &[u8]) -> Option<StoredKem> {
    let parts: Vec<Blob> = cbor::decode(row).ok()?;
    cbor::decode(parts.get(1)?).ok()
}

impl World {
    /// A message, if it is signed by whom it says.
    pub(crate) fn verified(&mut self, envelope: &Envelope) -> Option<Verified> {
        let header = envelope.peek().ok()?;
        let source = self.post.verified(&header)?;
        let read = envelope.read_header().ok()?;
        let roots = &mut RootMemo::default();
        verify_envelope(envelope.clone(), read, &source, 0, roots).ok()
    }

    /// Opens a message with the keys of the host that it is for.
    pub(crate) fn opened(&mut self, host: HostId, envelope: &Envelope) -> Option<Opened> {
        let verified = self.verified(envelope)?;
        let keys: BTreeMap<KeyId, KemKey> = self.hosts[host.0]
            .disk
            .rows(Table::Kem)
            .filter_map(read_kem)
            .map(|stored| KemKey::from_secret(stored.secret))
            .map(|key| (key.key_id(), key))
            .collect();
        open_sealed(&verified, |id| keys.get(&id)).ok()
    }

    /// What a message for a host says.
    pub(crate) fn open_at(&mut self, host: HostId, envelope: &Envelope) -> Option<Blob> {
        let opened = self.opened(host, envelope)?;
        Some(Blob::from(opened.content().to_vec()))
    }

    /// Opens everything that was sent and `wanted`, by message.
    pub(crate) fn open_sent(
        &mut self,
        wanted: impl Fn(&Passed) -> bool,
    ) -> BTreeMap<MessageId, Blob> {
        let passed = std::mem::take(&mut self.post.passed);
        let mut opened = BTreeMap::new();
        for it in passed.iter().filter(|it| !it.arrived && wanted(it)) {
            let to = self
                .hosts
                .iter()
                .position(|host| Some(host.realm) == it.header.destination.realm);
            let content = to.and_then(|to| self.open_at(HostId(to), &it.envelope));
            if let Some(content) = content {
                opened.insert(it.header.id, content);
            }
        }
        self.post.passed = passed;
        opened
    }
}
