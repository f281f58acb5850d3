//! What realms say to each other in broadcasts, taken off the wires: every message as its source
//! sent it and as its destination got it, to be opened afterwards with the keys of its destination.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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

use crate::{Host, HostId, World, world::Message};

/// A message on a wire.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// When, milliseconds of virtual time.
    pub(crate) at: u64,
    /// Whether it left its source, or came to its destination.
    pub(crate) arrived: bool,
    /// The host that sent it or got it.
    pub(crate) host: HostId,
    message: Arc<Message>,
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
    /// What each puppet has heard.
    pub(crate) heard: BTreeMap<HostId, Vec<Arc<Message>>>,
    broadcasts: BTreeSet<CallId>,
    chains: BTreeMap<RealmId, Chain>,
    /// The chain that each realm has shown last, as it was shown.
    shown: BTreeMap<RealmId, Blob>,
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
    pub(crate) fn header(&self) -> &Header {
        &self.message.header
    }

    /// How long what it says is, sealed.
    pub(crate) fn body(&self) -> usize {
        self.message.envelope.body.len()
    }

    /// Whether its sender showed its chain with it.
    pub(crate) fn introduced(&self) -> bool {
        self.message.envelope.chain.is_some()
    }
}

impl Post {
    /// A message leaves a host; gives whether it is withheld.
    pub(crate) fn sent(
        &mut self,
        host: HostId,
        hosts: &[Host],
        at: u64,
        message: &Arc<Message>,
    ) -> bool {
        let header = &message.header;
        if !self.is_of_a_broadcast(message) || header.source.realm != Some(hosts[host.0].realm) {
            return false;
        }
        if header.kind == Kind::Tally && self.puppets.contains(&host) && !self.puppet_sends {
            return true;
        }
        self.passed.push(Passed {
            at,
            arrived: false,
            host,
            message: message.clone(),
        });
        false
    }

    /// A message comes to a host; gives whether its node does not hear of it.
    pub(crate) fn arrived(
        &mut self,
        host: HostId,
        hosts: &[Host],
        at: u64,
        message: &Arc<Message>,
    ) -> bool {
        let header = &message.header;
        let is_for_it = header.destination.realm == Some(hosts[host.0].realm);
        if !self.is_of_a_broadcast(message) || !is_for_it {
            return false;
        }
        let is_puppet = self.puppets.contains(&host);
        if is_puppet {
            self.heard.entry(host).or_default().push(message.clone());
        }
        let withheld = is_puppet && !matches!(header.kind, Kind::Announce | Kind::Tally);
        self.passed.push(Passed {
            at,
            arrived: true,
            host,
            message: message.clone(),
        });
        withheld
    }

    /// Takes the chains that neighbours show each other in a frame that is no message.
    pub(crate) fn overhears(&mut self, frame: &Bytes) {
        if !self.listening {
            return;
        }
        match Frame::decode(frame) {
            Ok(Frame::Hello(hello)) => self.learn(hello.chain),
            Ok(Frame::Records(records)) => {
                let chains = records.chain.into_iter();
                chains.for_each(|chain| self.learn(chain));
            }
            _ => {}
        }
    }

    /// Takes the chain that a message shows; gives whether the message is of a broadcast.
    fn is_of_a_broadcast(&mut self, message: &Message) -> bool {
        if !self.listening {
            return false;
        }
        let header = &message.header;
        if let (Some(realm), Some(chain)) = (header.source.realm, &message.envelope.chain)
            && self.shown.get(&realm) != Some(chain)
            && let Ok(read) = cbor::decode(chain)
        {
            self.shown.insert(realm, chain.clone());
            self.learn(read);
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
        always || of_work && self.broadcasts.contains(&header.call)
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
        let keys = self.kem_keys(host);
        open_sealed(&verified, |id| keys.get(&id)).ok()
    }

    /// The keys that what is sealed for a host opens with.
    fn kem_keys(&self, host: HostId) -> BTreeMap<KeyId, KemKey> {
        let rows = self.hosts[host.0].disk.rows(Table::Kem);
        let keys = rows
            .filter_map(read_kem)
            .map(|stored| KemKey::from_secret(stored.secret));
        keys.map(|key| (key.key_id(), key)).collect()
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
        let hosts = self.hosts.iter().enumerate();
        let hosts: BTreeMap<RealmId, HostId> = hosts
            .map(|(number, host)| (host.realm, HostId(number)))
            .collect();
        let mut keys: BTreeMap<HostId, BTreeMap<KeyId, KemKey>> = BTreeMap::new();
        let mut opened = BTreeMap::new();
        for it in passed.iter().filter(|it| !it.arrived && wanted(it)) {
            let Message { header, envelope } = &*it.message;
            let to = header.destination.realm;
            let to = to.and_then(|realm| hosts.get(&realm).copied());
            let Some((to, verified)) = to.zip(self.verified(envelope)) else {
                continue;
            };
            let keys = keys.entry(to).or_insert_with(|| self.kem_keys(to));
            if let Ok(content) = open_sealed(&verified, |id| keys.get(&id)) {
                let content = Blob::from(content.content().to_vec());
                opened.insert(header.id, content);
            }
        }
        self.post.passed = passed;
        opened
    }
}
