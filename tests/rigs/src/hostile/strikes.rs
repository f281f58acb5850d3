//! What a peer with good certificates sends, one frame a strike.

use anyhow::Context as _;
use realm_crypto::{Session, seal_in_session, sign_flush};
use realm_protocol::{
    Digest, Envelope, FailureCode, Header, KeyId, Kind, Phase, Priority, RealmId, Signature, Suite,
    cbor::{self, Blob},
    link::{Accept, Beat, Frame},
};

use super::eve::Eve;
use crate::pace::wall;

const HOUR: u64 = 60 * 60 * 1_000;

/// What one strike needs besides the realm that strikes.
pub(crate) struct Prey {
    /// A realm that is no neighbour of the one that strikes.
    pub(crate) other: RealmId,
    /// A session that stands.
    pub(crate) session: Session,
    /// A message that was served already.
    pub(crate) served: Envelope,
    /// A message of the session that was served already.
    pub(crate) served_in_session: Envelope,
}

/// One kind of strike.
pub(crate) struct Strike {
    /// What it is.
    pub(crate) name: &'static str,
    /// The counter that counts it; none where only an answer tells.
    pub(crate) reason: Option<&'static str>,
    /// The code it is answered with; none where nothing is answered.
    pub(crate) code: Option<FailureCode>,
    /// Makes the bytes of one.
    pub(crate) make: fn(&mut Eve, &mut Prey) -> anyhow::Result<Vec<u8>>,
}

const fn counted(
    name: &'static str,
    reason: &'static str,
    make: fn(&mut Eve, &mut Prey) -> anyhow::Result<Vec<u8>>,
) -> Strike {
    Strike {
        name,
        reason: Some(reason),
        code: None,
        make,
    }
}

const fn answered(strike: Strike, code: FailureCode) -> Strike {
    Strike {
        code: Some(code),
        ..strike
    }
}

/// Every strike.
pub(crate) const STRIKES: [Strike; 34] = [
    counted("bytes that are no frame", "malformed", |_, _| {
        Ok(vec![0xff; 300])
    }),
    counted("arrays in arrays, 10,000 deep", "malformed", |_, _| {
        Ok([vec![0x82, 0x00], vec![0x81; 10_000]].concat())
    }),
    counted("a map that says it has 2^32 keys", "malformed", |_, _| {
        Ok(vec![0x82, 0x01, 0xba, 0xff, 0xff, 0xff, 0xff])
    }),
    counted("signed: a header that is none", "malformed", |eve, _| {
        frame(eve.signed(vec![0xa1, 0x00, 0xf6], vec![7; 300]))
    }),
    answered(
        Strike {
            name: "signed and sealed: nonsense",
            reason: None,
            code: None,
            make: |eve, _| {
                let letter = eve.sealed(Kind::Call, b"\xa1\x00\xf6", wall())?.0;
                frame(eve.post(letter))
            },
        },
        FailureCode::VersionMismatch,
    ),
    answered(
        counted("signed: a body of noise", "sealed", |eve, _| {
            let header = eve.envelope()?.header.to_vec();
            frame(eve.signed(header, vec![0x5a; 900]))
        }),
        FailureCode::UnknownKey,
    ),
    answered(
        counted("sealed to a key that is not there", "sealed", |eve, _| {
            frame(eve.with_header(|header| header.key = Some(KeyId::new([9; 8])))?)
        }),
        FailureCode::UnknownKey,
    ),
    counted("a signature of zeros", "signature", |eve, _| {
        let envelope = eve.envelope()?;
        frame(Envelope {
            signature: Signature::Single([0; 64]),
            ..envelope
        })
    }),
    counted("a header over another's body", "signature", |eve, _| {
        let (one, other) = (eve.envelope()?, eve.envelope()?);
        frame(Envelope {
            body: other.body,
            ..one
        })
    }),
    answered(
        counted("the same, signed anew", "sealed", |eve, _| {
            let (one, other) = (eve.envelope()?, eve.envelope()?);
            frame(eve.signed(one.header.to_vec(), other.body.to_vec()))
        }),
        FailureCode::UnknownKey,
    ),
    counted("Merkle: a sibling's digest wrong", "signature", |eve, _| {
        merkle(eve, |_, siblings| {
            if let Some(first) = siblings.first_mut() {
                *first = Digest::of(&[b"another"]);
            }
        })
    }),
    counted("Merkle: another leaf's place", "signature", |eve, _| {
        merkle(eve, |index, _| *index ^= 1)
    }),
    counted("Merkle: a sibling left out", "signature", |eve, _| {
        merkle(eve, |index, siblings| {
            siblings.pop();
            *index = 0;
        })
    }),
    counted("a chain that has expired", "certificate", |eve, _| {
        let chain = eve.expired_chain();
        with_chain(eve, cbor::encode(&chain))
    }),
    counted(
        "a chain signed by the wrong key",
        "certificate",
        |eve, _| {
            let mut cert = eve.node_cert(|cert| cert.serial = 2);
            cert.signatures = vec![[3; 64]];
            let chain = eve.chain_with(cert);
            with_chain(eve, cbor::encode(&chain))
        },
    ),
    counted("a chain that is none", "malformed", |eve, _| {
        with_chain(eve, vec![0x80; 200])
    }),
    answered(
        counted(
            "for another realm in this place",
            "audience",
            |eve, prey| {
                let other = prey.other;
                frame(eve.with_header(|header| header.destination.realm = Some(other))?)
            },
        ),
        FailureCode::UnknownKey,
    ),
    answered(
        counted("for another node in this place", "audience", |eve, _| {
            let own = eve.node.node_id();
            frame(eve.with_header(|header| header.destination.node = Some(own))?)
        }),
        FailureCode::UnknownKey,
    ),
    counted("in another root's name", "ingress", |eve, prey| {
        let other = prey.other;
        frame(eve.with_header(|header| {
            header.source.root = other;
            header.source.realm = Some(other);
        })?)
    }),
    counted("across to a third root", "ingress", |eve, prey| {
        let other = prey.other;
        frame(eve.with_header(|header| {
            header.destination.root = other;
            header.destination.realm = Some(other);
        })?)
    }),
    counted("upward from a peer", "ingress", |eve, _| {
        let envelope = eve.envelope()?;
        let mut hop = envelope.hop;
        hop.phase = Phase::Up;
        frame(Envelope { hop, ..envelope })
    }),
    counted("no hops left", "hops", |eve, _| {
        let envelope = eve.envelope()?;
        let mut hop = envelope.hop;
        hop.left = 0;
        frame(Envelope { hop, ..envelope })
    }),
    counted("more hops than there are", "hops", |eve, _| {
        let envelope = eve.envelope()?;
        let mut hop = envelope.hop;
        hop.left = u64::MAX;
        frame(Envelope { hop, ..envelope })
    }),
    answered(
        counted("made an hour ago", "expired", |eve, _| {
            frame(eve.with_header(|header| header.created = wall().minus(HOUR))?)
        }),
        FailureCode::Expired,
    ),
    answered(
        counted("made in an hour", "expired", |eve, _| {
            frame(eve.with_header(|header| header.created = wall().plus(HOUR))?)
        }),
        FailureCode::Expired,
    ),
    counted("meant to live for ever", "expired", |eve, _| {
        frame(eve.with_header(|header| header.ttl_ms = u64::MAX)?)
    }),
    counted("a version not spoken", "version", |eve, _| {
        frame(eve.with_header(|header| header.version = 99)?)
    }),
    counted("a kind without code", "version", |eve, _| {
        frame(eve.with_header(|header| header.kind = Kind::Event)?)
    }),
    counted("an answer nobody asked for", "unasked", |eve, _| {
        frame(eve.with_header(|header| {
            header.kind = Kind::Resolved;
            header.answers = Some(Digest::of(&[b"nothing"]));
        })?)
    }),
    counted("a certificate nobody offered", "unasked", |_, _| {
        let accept = Accept {
            child_cert: None,
            peering: None,
        };
        Ok(Frame::Accept(accept).encode().to_vec())
    }),
    counted("a message sent again", "replay", |_, prey| {
        frame(prey.served.clone())
    }),
    answered(
        counted("a session that is not there", "sealed", |eve, _| {
            in_session(eve, |header| header.counter = Some(0))
        }),
        FailureCode::UnknownKey,
    ),
    counted("a session's counter used again", "replay", |_, prey| {
        frame(prey.served_in_session.clone())
    }),
    counted("a session's counter beyond all", "replay", |eve, prey| {
        let id = prey.session.id();
        in_session(eve, |header| {
            header.key = Some(id);
            header.counter = Some(u64::MAX);
        })
    }),
];

fn frame(envelope: Envelope) -> anyhow::Result<Vec<u8>> {
    Ok(Frame::Envelope(envelope).encode().to_vec())
}

fn with_chain(eve: &mut Eve, chain: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let envelope = eve.envelope()?;
    frame(Envelope {
        chain: Some(Blob::from(chain)),
        ..envelope
    })
}

/// A good call of a flush of four, whose way to the root is edited.
fn merkle(eve: &mut Eve, edit: fn(&mut u64, &mut Vec<Digest>)) -> anyhow::Result<Vec<u8>> {
    let mut letters = Vec::new();
    for _ in 0..4 {
        let mut letter = eve.call("echo")?;
        letter.phase = Phase::Across;
        letters.push(letter);
    }
    let mut envelope = sign_flush(&eve.node, letters).pop().context("a flush")?;
    match &mut envelope.signature {
        Signature::Root {
            index, siblings, ..
        } => edit(index, siblings),
        Signature::Single(_) => anyhow::bail!("a flush signed alone"),
    }
    frame(envelope)
}

fn in_session(eve: &mut Eve, edit: impl FnOnce(&mut Header)) -> anyhow::Result<Vec<u8>> {
    frame(eve.with_header(|header| {
        header.suite = Suite::Session;
        header.key = Some(KeyId::new([1; 8]));
        edit(header);
    })?)
}

/// A call under a session that stands, good in everything.
pub(crate) fn session_call(eve: &mut Eve, session: &mut Session) -> anyhow::Result<Envelope> {
    let content = eve.content("echo", None)?;
    let (source, to) = (eve.place.clone(), eve.to()?);
    let mut call = [0; 16];
    rand_core::Rng::fill_bytes(&mut eve.rng, &mut call);
    let out = realm_crypto::Outgoing {
        kind: Kind::Call,
        source: &source,
        destination: &to,
        created: wall(),
        ttl_ms: 30_000,
        call: realm_protocol::CallId::new(call),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        max_reply: 64 * 1024,
        receipt: None,
        content: &content,
    };
    let (letter, _) = seal_in_session(&mut eve.rng, &eve.node, session, &out)?;
    Ok(eve.post(letter))
}

/// What shows that a link lives.
pub(crate) fn beat() -> Vec<u8> {
    let beat = Beat {
        clock: wall(),
        records: Digest::of(&[]),
        head: None,
        witnessed: None,
        proof: None,
    };
    Frame::Beat(beat).encode().to_vec()
}
