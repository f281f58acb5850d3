//! A root that means harm: its keys, its certificates, and how it becomes a peer.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Context as _;
use ed25519_dalek::Signer as _;
use libp2p::identity::Keypair;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;
use realm_crypto::{
    Ephemeral, KemKey, Letter, Outgoing, ReplyKey, RootMemo, Session, Side, SigningKey, Trust,
    VerifiedChain, commit_to, incept, open_reply, seal, verify_chain, verify_envelope,
};
use realm_protocol::{
    CallId, Digest, Envelope, Header, Hop, Kind, Phase, Place, Priority, RealmPath, Signature,
    TAG_SINGLE, Timestamp,
    cbor::{self, Blob},
    limits,
    link::{Accept, Frame, Hello, Join},
    message::{Call, CallResult},
    records::{
        Admission, Chain, ChainLink, KemPurpose, KemRecord, NodeCert, RealmRecord, Signed, Ticket,
        scopes,
    },
};

use super::wire::Link;
use crate::pace::wall;

const HOUR: u64 = 60 * 60 * 1_000;
/// How long its messages may be under way, milliseconds.
const TTL_MS: u64 = 30_000;

/// The realm, and what it knows of the one it harms.
pub(crate) struct Eve {
    pub(crate) rng: ChaCha20Rng,
    realm_key: SigningKey,
    pub(crate) node: SigningKey,
    kem: KemKey,
    pub(crate) keypair: Keypair,
    pub(crate) place: Place,
    pub(crate) chain: Chain,
    from: Ipv4Addr,
    to: SocketAddrV4,
    /// The victim, once this realm has joined it.
    pub(crate) victim: Option<VerifiedChain>,
}

impl Eve {
    /// Makes a root; `seed` draws its keys. It comes from one address.
    pub(crate) fn new(seed: u64, from: Ipv4Addr, to: SocketAddrV4) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let realm_key = SigningKey::generate(&mut rng);
        let next_key = SigningKey::generate(&mut rng);
        let node = SigningKey::generate(&mut rng);
        let kem = KemKey::generate(&mut rng);
        let (realm, inception) = incept(&realm_key, commit_to(&next_key.public()), wall());
        let mut node_seed = *node.seed();
        let place = Place {
            root: realm,
            path: RealmPath::ROOT,
            realm: Some(realm),
            node: Some(node.node_id()),
        };
        let mut eve = Self {
            rng,
            keypair: Keypair::ed25519_from_bytes(&mut node_seed)?,
            chain: Chain {
                links: Vec::new(),
                kem: Vec::new(),
                realm_record: Signed::unsigned(&RealmRecord {
                    realm,
                    epoch: 1,
                    node: node.node_id(),
                    created: wall(),
                }),
            },
            realm_key,
            node,
            kem,
            place,
            from,
            to,
            victim: None,
        };
        let node_cert = eve.node_cert(|_| ());
        eve.chain.links.push(ChainLink {
            inception,
            successions: Vec::new(),
            node_cert,
            child_cert: None,
        });
        let mut kem = Signed::unsigned(&KemRecord {
            realm,
            node: eve.node.node_id(),
            key: eve.kem.public(),
            purpose: KemPurpose::Live,
            not_before: wall().minus(HOUR),
            not_after: wall().plus(HOUR),
        });
        eve.node.sign(&mut kem);
        eve.chain.kem.push(kem);
        eve.node.sign(&mut eve.chain.realm_record);
        Ok(eve)
    }

    /// A certificate for its node, after an edit.
    pub(crate) fn node_cert(&self, edit: impl FnOnce(&mut NodeCert)) -> Signed<NodeCert> {
        let mut cert = NodeCert {
            serial: 1,
            realm: self.place.root,
            node: self.node.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: wall().minus(2 * HOUR),
            not_after: wall().plus(HOUR),
            epoch: 0,
        };
        edit(&mut cert);
        let mut signed = Signed::unsigned(&cert);
        self.realm_key.sign(&mut signed);
        signed
    }

    /// Its chain with another certificate for its node.
    pub(crate) fn chain_with(&self, node_cert: Signed<NodeCert>) -> Chain {
        let mut chain = self.chain.clone();
        if let Some(link) = chain.links.last_mut() {
            link.node_cert = node_cert;
        }
        chain
    }

    /// Its chain with a certificate that ran out an hour ago.
    pub(crate) fn expired_chain(&self) -> Chain {
        self.chain_with(self.node_cert(|cert| cert.not_after = wall().minus(HOUR)))
    }

    /// The first frame of a link.
    pub(crate) fn hello(&self, chain: Chain, joining: bool) -> Vec<u8> {
        let hello = Hello {
            oldest: limits::WIRE_OLDEST,
            newest: limits::WIRE_VERSION,
            chain,
            clock: wall(),
            records: Digest::of(&[]),
            joining: joining.then_some(true),
        };
        Frame::Hello(hello).encode().to_vec()
    }

    /// Connects, without a word.
    pub(crate) async fn dial(&self) -> anyhow::Result<Link> {
        Ok(Link::open(self.from, self.to, &self.keypair, 1).await?)
    }

    /// Becomes a peer by a ticket, as it should.
    pub(crate) async fn join(&mut self, ticket: &Ticket) -> anyhow::Result<()> {
        let mut link = self.dial().await?;
        link.send(&self.hello(self.chain.clone(), true)).await?;
        let (rate, burst) = limits::PEER_RATE;
        let join = Join {
            ticket: ticket.id,
            secret: ticket.secret,
            admission: Some(Admission {
                scopes: vec![RealmPath::ROOT],
                rate: rate.into(),
                burst: burst.into(),
            }),
            petname: Some("eve".parse()?),
        };
        link.send(&Frame::Join(join).encode()).await?;
        let wanted = |frame| match frame {
            Frame::Offer(offer) => Some(offer),
            _ => None,
        };
        let offer = link.wait_for(wanted).await.context("no offer comes")?;
        let mut peering = offer.peering.context("an offer of something else")?;
        self.node.sign(&mut peering);
        let accept = Accept {
            child_cert: None,
            peering: Some(peering),
        };
        link.send(&Frame::Accept(accept).encode()).await?;
        let wanted = |frame| matches!(frame, Frame::Joined(_)).then_some(());
        link.wait_for(wanted)
            .await
            .context("the join does not end")?;
        let trust = Trust {
            root: ticket.root,
            shared: None,
            revoked: &|_, _| false,
            now: wall(),
        };
        self.victim = Some(verify_chain(&offer.chain, &trust)?);
        Ok(())
    }

    /// Connects as the peer it is, and waits until it is let in.
    pub(crate) async fn connect(&self) -> anyhow::Result<Link> {
        let mut link = self.dial().await?;
        link.send(&self.hello(self.chain.clone(), false)).await?;
        let wanted = |frame| matches!(frame, Frame::Records(_) | Frame::Beat(_)).then_some(());
        link.wait_for(wanted).await.context("not let in")?;
        Ok(link)
    }

    /// The place of the victim.
    pub(crate) fn to(&self) -> anyhow::Result<Place> {
        Ok(self.victim.as_ref().context("joined")?.place().clone())
    }

    fn kem_record(&self) -> anyhow::Result<KemRecord> {
        let victim = self.victim.as_ref().context("joined")?;
        let newest = victim.chain().kem.last().context("a key to seal to")?;
        Ok(newest.peek()?)
    }

    fn call_id(&mut self) -> CallId {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        CallId::new(id)
    }

    /// Seals a message to the victim, made at a time.
    pub(crate) fn sealed(
        &mut self,
        kind: Kind,
        content: &[u8],
        created: Timestamp,
    ) -> anyhow::Result<(Letter, ReplyKey)> {
        let call = self.call_id();
        let (record, to) = (self.kem_record()?, self.to()?);
        let out = Outgoing {
            kind,
            source: &self.place,
            destination: &to,
            created,
            ttl_ms: TTL_MS,
            call,
            answers: None,
            priority: Priority::Normal,
            flags: None,
            max_reply: 64 * 1024,
            receipt: None,
            content,
        };
        Ok(seal(&mut self.rng, &self.node, &record, &out)?)
    }

    /// The content of a call.
    pub(crate) fn content(
        &mut self,
        loop_id: &str,
        session: Option<[u8; 32]>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut key = [0; 32];
        self.rng.fill_bytes(&mut key);
        Ok(cbor::encode(&Call {
            loop_id: loop_id.parse()?,
            version: None,
            contract: None,
            input: Blob::from(br#"{"text":"eve"}"#.to_vec()),
            key: Digest::new(key),
            key_created: wall(),
            timeout_ms: 10_000,
            depth: 0,
            caller: None,
            parent: None,
            budget: None,
            session,
            grants: None,
            approvals: None,
            stream: None,
            order: None,
        }))
    }

    /// A call that is as it should be.
    pub(crate) fn call(&mut self, loop_id: &str) -> anyhow::Result<Letter> {
        let content = self.content(loop_id, None)?;
        Ok(self.sealed(Kind::Call, &content, wall())?.0)
    }

    /// The same, signed and on its way between two roots.
    pub(crate) fn envelope(&mut self) -> anyhow::Result<Envelope> {
        let letter = self.call("echo")?;
        Ok(self.post(letter))
    }

    /// Signs a letter and shows the chain with it.
    pub(crate) fn post(&self, mut letter: Letter) -> Envelope {
        letter.phase = Phase::Across;
        letter.chain = Some(Blob::from(cbor::encode(&self.chain)));
        letter.sign(&self.node)
    }

    /// Signs header and body as they are, whatever they are.
    pub(crate) fn signed(&self, header: Vec<u8>, body: Vec<u8>) -> Envelope {
        let mut envelope = Envelope {
            hop: Hop {
                left: limits::HOPS,
                phase: Phase::Across,
                age_ms: 0,
            },
            header: Blob::from(header),
            signature: Signature::Single([0; 64]),
            body: Blob::from(body),
            chain: Some(Blob::from(cbor::encode(&self.chain))),
        };
        let input = [TAG_SINGLE.as_bytes(), &[0], &envelope.signed_input()].concat();
        let key = ed25519_dalek::SigningKey::from_bytes(&self.node.seed());
        envelope.signature = Signature::Single(key.sign(&input).to_bytes());
        envelope
    }

    /// A good call whose header is edited before it is signed; the body is left as it was.
    pub(crate) fn with_header(
        &mut self,
        edit: impl FnOnce(&mut Header),
    ) -> anyhow::Result<Envelope> {
        let envelope = self.envelope()?;
        let mut header = envelope.peek()?;
        edit(&mut header);
        Ok(self.signed(cbor::encode(&header), envelope.body.to_vec()))
    }

    /// Makes a call that offers a session, and takes up what the answer gives.
    pub(crate) async fn begin_session(&mut self, link: &mut Link) -> anyhow::Result<Session> {
        let mine = Ephemeral::generate(&mut self.rng);
        let content = self.content("echo", Some(mine.public()))?;
        let (letter, reply_key) = self.sealed(Kind::Call, &content, wall())?;
        let asked = letter.digest();
        let envelope = self.post(letter);
        link.send(&Frame::Envelope(envelope).encode()).await?;
        let wanted = |frame| match frame {
            Frame::Envelope(envelope) => {
                let header = envelope.read_header().ok()?;
                (header.answers == Some(asked)).then_some((envelope, header))
            }
            _ => None,
        };
        let (answer, header) = link.wait_for(wanted).await.context("no answer comes")?;
        let victim = self.victim.as_ref().context("joined")?;
        let digest = answer.message_digest();
        let verified = verify_envelope(answer, header, victim, 0, &mut RootMemo::default())?;
        let opened = open_reply(&verified, &reply_key);
        let opened = opened.map_err(|error| anyhow::anyhow!("the answer: {error:?}"))?;
        let result: CallResult = cbor::decode(opened.content())?;
        let theirs = result.session.context("no session is taken")?;
        let session = Session::derive(Side::Caller, &reply_key, digest, &mine, &theirs);
        session.context("the session's key is of no use")
    }
}
