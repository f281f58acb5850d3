//! The envelope: what crosses realms, hop by hop.

use std::ops::Deref;

use crate::{
    CallId, Digest, KeyId, MessageId, Place, Timestamp,
    cbor::{self, Blob, CborError, Reader, Wire, Writer, numbered},
    limits, wire_map,
};

/// Domain tag of an envelope signed alone.
pub const TAG_SINGLE: &str = "realm/1/envelope";
/// Domain tag of the Merkle root of a flush of envelopes.
pub const TAG_ROOT: &str = "realm/1/envelope-root";

numbered! {
    /// What an envelope is. Numbers never change; those without code are reserved.
    Kind ("a known message kind") {
        /// Asks for a realm's chain and keys.
        Resolve = 1,
        /// Answers it.
        Resolved = 2,
        /// Invokes a loop.
        Call = 3,
        /// Answers a call whose result will come in a message of its own.
        Accepted = 4,
        /// How a call that was accepted stands.
        Progress = 5,
        /// Some of what a call's output is being made of.
        StreamItem = 6,
        /// Answers a call with its output, at once or after it was accepted.
        Result = 7,
        /// Says that the end of a call that was accepted has arrived.
        ResultAck = 8,
        /// Answers a request with why not.
        Failure = 9,
        /// Takes a call back.
        Cancel = 10,
        /// Asks how a call that was accepted stands.
        Status = 11,
        /// Asks for the contracts of loops, or gives them.
        Contracts = 12,
        /// Announces work for whoever bids best.
        Announce = 13,
        /// Says how many bids a subtree has sent.
        Tally = 14,
        /// Offers to do announced work.
        Bid = 15,
        /// Tells a bidder that it has won.
        Award = 16,
        /// Answers an award: the winner has reserved, or not.
        Confirm = 17,
        /// Gives the input, and the time to work on it.
        Lease = 18,
        /// Is the signed end of a broadcast.
        Close = 19,
        /// Reserved: something published on a topic.
        Event = 20,
        /// Reserved: an event has arrived.
        EventAck = 21,
        /// Reserved: a call's signed account.
        Receipt = 22,
        /// Reserved: a person's decision.
        Approval = 23,
        /// A realm above lets its receiver stand still, or go on.
        Halt = 24,
        /// Answers it: what stands still, and who below has not confirmed.
        HaltAck = 25,
        /// Says that a call is kept for a realm that is offline, or that the realm has taken it.
        Custody = 26,
        /// Asks what a realm shows of the run that served a call.
        TraceAsked = 27,
        /// Answers it with events, and digests of those that are not shown.
        TraceShown = 28,
    }
}

impl Kind {
    /// Whether a message of this kind asks for an answer.
    pub const fn is_request(self) -> bool {
        matches!(
            self,
            Self::Resolve
                | Self::Call
                | Self::Cancel
                | Self::Status
                | Self::Contracts
                | Self::Halt
                | Self::TraceAsked
        )
    }

    /// Whether a message of this kind lets its receiver begin work, or binds it to.
    pub const fn begins_work(self) -> bool {
        matches!(
            self,
            Self::Call | Self::Announce | Self::Bid | Self::Award | Self::Confirm | Self::Lease
        )
    }

    /// Whether this version has code for it.
    pub const fn is_spoken(self) -> bool {
        matches!(
            self,
            Self::Resolve
                | Self::Resolved
                | Self::Call
                | Self::Accepted
                | Self::Progress
                | Self::StreamItem
                | Self::Result
                | Self::ResultAck
                | Self::Failure
                | Self::Cancel
                | Self::Status
                | Self::Contracts
                | Self::Announce
                | Self::Tally
                | Self::Bid
                | Self::Award
                | Self::Confirm
                | Self::Lease
                | Self::Close
                | Self::Halt
                | Self::HaltAck
                | Self::Custody
                | Self::TraceAsked
                | Self::TraceShown
        )
    }
}

numbered! {
    /// Which leg of its valley-free way an envelope is on.
    Phase ("a known phase") {
        /// Toward the root of the source's tree.
        Up = 1,
        /// Between two roots; once.
        Across = 2,
        /// Toward the destination.
        Down = 3,
    }
}

numbered! {
    /// How a message ranks where messages wait.
    Priority ("a known priority") {
        /// What keeps realms running: resolution, cancels, failures.
        Control = 1,
        /// Calls and their answers.
        Normal = 2,
        /// Whatever can wait.
        Bulk = 3,
    }
}

numbered! {
    /// How a body is protected.
    Suite ("a known suite") {
        /// Not at all: resolution, and failures raised on the path.
        Clear = 0,
        /// HPKE base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305, single-shot.
        Sealed = 1,
        /// ChaCha20-Poly1305 under the reply key that a sealed request exported.
        Reply = 2,
        /// ChaCha20-Poly1305 under the keys of a session between two realms.
        Session = 3,
    }
}

/// Bits of [`Header::flags`].
pub mod flags {
    /// A parent may keep the message for a realm that is offline.
    pub const STORABLE: u64 = 1;
    /// The Contracts message is an answer, not a question.
    pub const ANSWER: u64 = 2;
    /// All bits this version knows.
    pub const KNOWN: u64 = STORABLE | ANSWER;
}

wire_map! {
    /// What changes from hop to hop; not signed.
    #[derive(Copy)]
    pub struct Hop {
        /// Hops left; at zero the message goes no further.
        0 => left: u64,
        /// Which leg it is on.
        1 => phase: Phase,
        /// Milliseconds it has been under way.
        2 => age_ms: u64,
    }
}

wire_map! {
    /// What its source signs about a message; clear to every realm on the way.
    pub struct Header {
        /// Wire version.
        0 => version: u64,
        /// This message; never used again.
        1 => id: MessageId,
        /// What it is.
        2 => kind: Kind,
        /// Who sends it, in full.
        3 => source: Place,
        /// Who receives it.
        4 => destination: Place,
        /// When the source made it.
        5 => created: Timestamp,
        /// How long it may be under way, milliseconds.
        6 => ttl_ms: u64,
        /// The call it belongs to; the same over all attempts.
        7 => call: CallId,
        /// SHA-256 of salt and plaintext.
        8 => commitment: Digest,
        /// Digest of the header that it answers.
        9 => answers: Option<Digest>,
        /// How it ranks.
        10 => priority: Priority,
        /// Bits of [`flags`]; absent for none.
        11 => flags: Option<u64>,
        /// How the body is protected.
        12 => suite: Suite,
        /// The key or session it is sealed to; absent where the suite needs none.
        13 => key: Option<KeyId>,
        /// Largest answer the source takes, bytes of plaintext.
        14 => max_reply: u64,
        /// Reserved: position of this piece in a larger body.
        15 => chunk: Option<u64>,
        /// Which message of the session it is; absent under other suites.
        16 => counter: Option<u64>,
        /// Of a Call the digest of its [`crate::receipt::Order`], of a Result or Failure that of its
        /// [`crate::receipt::CallReceipt`].
        65 => receipt: Option<Digest>,
    }
}

impl Header {
    /// Whether it answers a request: it names one, and is of a kind that answers.
    pub fn is_answer(&self) -> bool {
        let answers = match self.kind {
            Kind::Contracts => self.has(flags::ANSWER),
            kind => !kind.is_request(),
        };
        answers && self.answers.is_some()
    }

    /// Whether it tells of a call that was accepted: sealed anew, and not under the call's reply key.
    pub fn is_late(&self) -> bool {
        let late = matches!(self.kind, Kind::Progress | Kind::Result | Kind::Failure);
        late && self.is_answer() && matches!(self.suite, Suite::Sealed | Suite::Session)
    }

    /// Whether the flag is set.
    pub fn has(&self, flag: u64) -> bool {
        self.flags.is_some_and(|flags| flags & flag != 0)
    }

    /// Whether it is of the form that a parent may keep: a call, sealed to a key, and flagged.
    pub fn is_storable(&self) -> bool {
        self.has(flags::STORABLE) && self.kind == Kind::Call && self.suite == Suite::Sealed
    }

    /// The longest that it may be under way, milliseconds.
    pub fn longest_ttl_ms(&self) -> u64 {
        if self.is_storable() {
            limits::STORABLE_TTL_MS
        } else {
            limits::TTL_MS
        }
    }

    /// When it must have arrived by the source's clock.
    pub fn expires(&self) -> Timestamp {
        self.created.plus(self.ttl_ms)
    }
}

/// The source's signature over an envelope's header and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Over this envelope alone.
    Single([u8; 64]),
    /// Over the Merkle root of a flush.
    Root {
        /// Over the root.
        signature: [u8; 64],
        /// Which leaf this envelope is.
        index: u64,
        /// Digests beside the way from leaf to root, leaf first.
        siblings: Vec<Digest>,
    },
}

impl Wire for Signature {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Single(signature) => signature.write(out),
            Self::Root {
                signature,
                index,
                siblings,
            } => {
                out.array(3);
                signature.write(out);
                index.write(out);
                siblings.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        if from.is_at_bytes() {
            return Wire::read(from).map(Self::Single);
        }
        if from.array("a signature")? != 3 {
            return Err(CborError::Expected("a root signature"));
        }
        let signature = Wire::read(from)?;
        let index = from.uint()?;
        let siblings = Vec::<Digest>::read(from)?;
        if siblings.len() > limits::MERKLE_SIBLINGS || index >> siblings.len() != 0 {
            return Err(CborError::Expected("an index inside its tree"));
        }
        Ok(Self::Root {
            signature,
            index,
            siblings,
        })
    }
}

/// A message as it stands on a link: `[hop, header, signature, body, chain?]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What this hop says.
    pub hop: Hop,
    /// A [`Header`], encoded; kept as received because it is signed.
    pub header: Blob,
    /// The source's signature.
    pub signature: Signature,
    /// Ciphertext, or clear bytes under [`Suite::Clear`].
    pub body: Blob,
    /// The source's [`crate::records::Chain`], encoded; not signed by the envelope.
    pub chain: Option<Blob>,
}

impl Envelope {
    /// Reads the header without checking the signature.
    ///
    /// # Errors
    /// [`CborError`] when the bytes are no header of this version.
    pub fn peek(&self) -> Result<Header, CborError> {
        let header: Header = cbor::decode(&self.header)?;
        if header.counter.is_some() != (header.suite == Suite::Session) {
            return Err(CborError::Expected(
                "a counter in a session, and only there",
            ));
        }
        Ok(header)
    }

    /// Reads the header as [`Envelope::peek`] does, and remembers whose it is.
    ///
    /// # Errors
    /// As [`Envelope::peek`].
    pub fn read_header(&self) -> Result<ReadHeader, CborError> {
        Ok(ReadHeader {
            header: self.peek()?,
            encoded: self.header.clone(),
        })
    }

    /// SHA-256 of the header: what an answer names.
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.header])
    }

    /// SHA-256 over digests of header and body: what a session's keys are bound to.
    pub fn message_digest(&self) -> Digest {
        message_digest(&self.header, &self.body)
    }

    /// The leaf input of its signature: SHA-256(header) and SHA-256(body), one after the other.
    pub fn signed_input(&self) -> Vec<u8> {
        let (header, body) = (Digest::of(&[&self.header]), Digest::of(&[&self.body]));
        [header.as_bytes().as_slice(), body.as_bytes()].concat()
    }
}

/// A header together with the bytes that it was read from, so that nobody need read them twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadHeader {
    header: Header,
    encoded: Blob,
}

impl ReadHeader {
    /// Whether it is this envelope's header.
    pub fn is_of(&self, envelope: &Envelope) -> bool {
        self.encoded == envelope.header
    }

    /// Takes the header out.
    pub fn into_header(self) -> Header {
        self.header
    }
}

impl Deref for ReadHeader {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.header
    }
}

/// [`Envelope::message_digest`] of a header and a body.
pub fn message_digest(header: &[u8], body: &[u8]) -> Digest {
    let (header, body) = (Digest::of(&[header]), Digest::of(&[body]));
    Digest::of(&[header.as_bytes(), body.as_bytes()])
}

impl Wire for Envelope {
    fn write(&self, out: &mut Writer) {
        out.array(if self.chain.is_some() { 5 } else { 4 });
        self.hop.write(out);
        self.header.write(out);
        self.signature.write(out);
        self.body.write(out);
        if let Some(chain) = &self.chain {
            chain.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let items = from.array("an envelope")?;
        if !(4..=5).contains(&items) {
            return Err(CborError::Expected("an envelope of four or five items"));
        }
        let envelope = Self {
            hop: Hop::read(from)?,
            header: Blob::read(from)?,
            signature: Signature::read(from)?,
            body: Blob::read(from)?,
            chain: (items == 5).then(|| Blob::read(from)).transpose()?,
        };
        if envelope.header.len() > limits::HEADER_BYTES {
            return Err(CborError::Expected("a shorter header"));
        }
        let chain = envelope.chain.as_ref();
        if chain.is_some_and(|chain| chain.len() > limits::CHAIN_BYTES) {
            return Err(CborError::Expected("a shorter chain"));
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests;
