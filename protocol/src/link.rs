//! Frames: what one node says to the next, and nobody further.
//!
//! A frame is `[number, content]`: an envelope (0) or a link message (1 to 15).

use std::fmt;

use bytes::Bytes;

use crate::{
    Digest, Envelope, FailureCode, Label, Secret16, TicketId, Timestamp,
    audit::{AuditHead, AuditProof},
    broadcast::Summary,
    cbor::{self, Blob, CborError, Reader, Wire, Writer},
    limits,
    records::{Admission, Chain, ChildCert, Peering, PolicyRecord, RevocationList, Signed},
    wire_map,
};

/// The number of a Hello among frames.
const HELLO: u64 = 1;

wire_map! {
    /// First message in both directions.
    pub struct Hello {
        /// Oldest wire version the sender speaks.
        0 => oldest: u64,
        /// Newest wire version the sender speaks.
        1 => newest: u64,
        /// Who the sender is; a joiner not yet under a parent sends itself as a root.
        2 => chain: Chain,
        /// The sender's wall clock.
        3 => clock: Timestamp,
        /// Digest of every revocation list the sender holds, formed as in a [`Beat`].
        4 => records: Digest,
        /// Whether a Join follows; absent for no.
        5 => joining: Option<bool>,
    }
}

/// Which wire versions a realm speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub oldest: u64,
    /// The newest.
    pub newest: u64,
}

impl Versions {
    /// Those that this code speaks.
    pub const SPOKEN: Self = Self {
        oldest: limits::WIRE_OLDEST,
        newest: limits::WIRE_VERSION,
    };

    /// Whether a version is among them.
    pub const fn include(self, version: u64) -> bool {
        self.oldest <= version && version <= self.newest
    }

    /// The newest that are both among these and among others.
    pub fn common(self, others: Self) -> Option<u64> {
        let newest = self.newest.min(others.newest);
        (self.include(newest) && others.include(newest)).then_some(newest)
    }

    /// Those of a Hello, which may be of a version that is not spoken here: its first two keys are the
    /// same in all of them. None where the bytes are no Hello.
    pub fn of_hello(frame: &[u8]) -> Option<Self> {
        cbor::check(frame).ok()?;
        let mut from = Reader::new(frame);
        from.array_of(2, "a frame").ok()?;
        if from.uint().ok()? != HELLO {
            return None;
        }
        let mut hello = from.map().ok()?;
        Some(Self {
            oldest: hello.take(0).ok()?,
            newest: hello.take(1).ok()?,
        })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "{}", self.newest),
            false => write!(f, "{} to {}", self.oldest, self.newest),
        }
    }
}

impl Hello {
    /// The versions that its sender speaks.
    pub const fn versions(&self) -> Versions {
        Versions {
            oldest: self.oldest,
            newest: self.newest,
        }
    }
}

wire_map! {
    /// Asks to become a child or a peer with a ticket.
    pub struct Join {
        /// The invitation.
        0 => ticket: TicketId,
        /// Its secret.
        1 => secret: Secret16,
        /// For a peer: what the joiner lets in.
        2 => admission: Option<Admission>,
        /// For a peer: what the joiner calls itself.
        3 => petname: Option<Label>,
    }
}

wire_map! {
    /// Answers a Join, or offers a renewal: one of the records, signed by the offering side.
    pub struct Offer {
        /// For a child: its certificate, to be countersigned.
        0 => child_cert: Option<Signed<ChildCert>>,
        /// For a peer: the peering, to be countersigned.
        1 => peering: Option<Signed<Peering>>,
        /// The offering realm's chain, so that the child knows its own.
        2 => chain: Chain,
    }
}

wire_map! {
    /// Gives the countersigned record back.
    pub struct Accept {
        /// For a child: its certificate with both signatures.
        0 => child_cert: Option<Signed<ChildCert>>,
        /// For a peer: the peering with both signatures.
        1 => peering: Option<Signed<Peering>>,
    }
}

wire_map! {
    /// Says that the record is stored: the join or renewal is done.
    pub struct Joined {
        /// Digest of the record's payload.
        0 => record: Digest,
    }
}

wire_map! {
    /// Asks the parent for a new child certificate, or for the newest records.
    pub struct Renew {
        /// The certificate held, by digest; none to ask for records alone.
        0 => held: Option<Digest>,
    }
}

wire_map! {
    /// What a neighbour needs to know: sent when it changed, or when a digest differs.
    #[derive(Default)]
    pub struct Records {
        /// The sender's chain with its newest keys.
        0 => chain: Option<Chain>,
        /// Revocation lists the sender shares on this link.
        1 => revocations: Vec<Signed<RevocationList>>,
        /// Chains that prove who signed those lists, in the same order.
        2 => issuers: Vec<Chain>,
        /// Policy records above the receiver, the root's first; only from a parent.
        3 => policies: Vec<Signed<PolicyRecord>>,
        /// What the sender can bid for with all below it; only from a child.
        4 => summary: Option<Summary>,
    }
}

wire_map! {
    /// Asks for the chain of the source of an envelope that came without.
    pub struct NeedChain {
        /// Digest of the envelope's header.
        0 => header: Digest,
    }
}

wire_map! {
    /// Says that the link lives.
    pub struct Beat {
        /// The sender's wall clock.
        0 => clock: Timestamp,
        /// SHA-256 over the number of every revocation list shared on this link, by realm id.
        1 => records: Digest,
        /// The newest head of the sender's audit log, for a witness that has not been shown it.
        64 => head: Option<Signed<AuditHead>>,
        /// How many entries the head has that the sender keeps of the receiver's audit log.
        65 => witnessed: Option<u64>,
        /// That the head goes on from the one which the receiver says that it keeps.
        66 => proof: Option<AuditProof>,
    }
}

wire_map! {
    /// Says that a storable call has arrived and need not be kept any longer.
    pub struct Taken {
        /// Digest of the call's header.
        0 => header: Digest,
    }
}

wire_map! {
    /// The last message on a link.
    pub struct Bye {
        /// Why, if it is for a reason.
        0 => code: Option<FailureCode>,
        /// Detail for the operator's log, at most 256 bytes.
        1 => detail: Option<String>,
    }
}

macro_rules! frames {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, )*) => {
        /// Everything that crosses a link.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Frame { $( $(#[$doc])* $name($name), )* }

        impl Frame {
            /// The frame's name in the spec.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name(_) => stringify!($name), )* }
            }

        }

        impl Wire for Frame {
            fn write(&self, out: &mut Writer) {
                out.array(2);
                match self {
                    $( Self::$name(content) => {
                        out.uint($number);
                        content.write(out);
                    } )*
                }
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
                from.array_of(2, "a frame")?;
                match from.uint()? {
                    $( $number => $name::read(from).map(Self::$name), )*
                    _ => Err(CborError::Expected("a known frame")),
                }
            }
        }
    };
}

frames! {
    /// A message between realms.
    Envelope = 0,
    /// Who I am.
    Hello = 1,
    /// I was invited.
    Join = 2,
    /// Sign this.
    Offer = 3,
    /// Signed.
    Accept = 4,
    /// Stored.
    Joined = 5,
    /// My certificate is ageing.
    Renew = 6,
    /// What changed.
    Records = 7,
    /// Who is that?
    NeedChain = 8,
    /// Alive.
    Beat = 9,
    /// Goodbye.
    Bye = 10,
    /// It is mine now.
    Taken = 12,
}

impl Frame {
    /// Writes the frame without its length prefix.
    pub fn encode(&self) -> Bytes {
        cbor::encode(self).into()
    }

    /// Reads a frame; an envelope's parts stay slices of it.
    ///
    /// # Errors
    /// [`CborError`] when the bytes are no frame of this version.
    pub fn decode(bytes: &Bytes) -> Result<Self, CborError> {
        if bytes.len() > limits::FRAME_BYTES {
            return Err(CborError::Expected("a shorter frame"));
        }
        cbor::decode_shared(bytes)
    }
}

impl From<Envelope> for Frame {
    fn from(envelope: Envelope) -> Self {
        Self::Envelope(envelope)
    }
}

/// The bytes of a blob that must hold a [`Chain`].
///
/// # Errors
/// [`CborError`] when they do not.
pub fn read_chain(bytes: &Blob) -> Result<Chain, CborError> {
    cbor::decode(bytes)
}
