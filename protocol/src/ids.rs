//! Identifiers: fixed-size bytes on the wire, lower-case base 32 in text.
//!
//! The alphabet is Crockford's, so that the text of two ids sorts like their bytes.

use std::{fmt, str::FromStr, sync::LazyLock};

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::NameError;

static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    #[expect(
        clippy::expect_used,
        reason = "a constant alphabet of 32 distinct symbols"
    )]
    spec.encoding().expect("32 distinct symbols")
});

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the id's raw bytes.
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Gives the id's raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                BASE32
                    .decode(text.as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or(NameError::Id)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NameError;

            fn try_from(bytes: &[u8]) -> Result<Self, NameError> {
                bytes.try_into().map(Self).map_err(|_| NameError::Id)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl crate::cbor::Wire for $name {
            fn write(&self, out: &mut crate::cbor::Writer) {
                out.bytes(&self.0);
            }

            fn read(
                from: &mut crate::cbor::Reader<'_>,
            ) -> Result<Self, crate::cbor::CborError> {
                <[u8; $bytes]>::read(from).map(Self)
            }
        }
    };
}

id!(
    /// A realm: the SHA-256 of its inception record's payload.
    RealmId, 32
);
id!(
    /// A node: its Ed25519 public key, which is also what its libp2p peer id is made from.
    NodeId, 32
);
id!(
    /// One message. Every attempt of a call is a new message.
    MessageId, 16
);
id!(
    /// One call, over all its attempts; also one frame of a run.
    CallId, 16
);
id!(
    /// One run: everything that one top-level call caused in one realm. Sorts by creation time.
    RunId, 16
);
id!(
    /// One broadcast: work without an address, from its announcement to its close.
    BroadcastId, 16
);
id!(
    /// One request for a person's approval.
    ApprovalId, 16
);
id!(
    /// Somebody, as the realms of one other root know them.
    PersonId, 16
);
id!(
    /// One grant.
    GrantId, 16
);
id!(
    /// A KEM key: the first eight bytes of the SHA-256 of its public key.
    KeyId, 8
);
id!(
    /// An invitation.
    TicketId, 16
);
id!(
    /// A ticket's secret. Never logged; shown once, by `invite`.
    Secret16, 16
);
id!(
    /// A SHA-256 digest.
    Digest, 32
);

impl Digest {
    /// Hashes the parts one after the other, with nothing between them.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Its first 16 bytes: what things are named by whose ids are that long.
    pub fn half(&self) -> [u8; 16] {
        let mut half = [0; 16];
        half.iter_mut()
            .zip(self.0)
            .for_each(|(to, from)| *to = from);
        half
    }
}

impl RunId {
    /// Makes an id that sorts by time: 48 bits of milliseconds, then 80 random bits.
    pub fn at(now: crate::Timestamp, random: [u8; 10]) -> Self {
        Self(by_time(now, random))
    }
}

impl CallId {
    /// Makes an id that sorts by time: 48 bits of milliseconds, then 80 random bits.
    pub fn at(now: crate::Timestamp, random: [u8; 10]) -> Self {
        Self(by_time(now, random))
    }
}

impl ApprovalId {
    /// Makes an id that sorts by time: 48 bits of milliseconds, then 80 random bits.
    pub fn at(now: crate::Timestamp, random: [u8; 10]) -> Self {
        Self(by_time(now, random))
    }
}

impl GrantId {
    /// Makes an id that sorts by time: 48 bits of milliseconds, then 80 random bits.
    pub fn at(now: crate::Timestamp, random: [u8; 10]) -> Self {
        Self(by_time(now, random))
    }
}

impl BroadcastId {
    /// The id of the broadcast that a realm announces with this commitment. Nobody else can announce
    /// one under it.
    pub fn of(announcer: RealmId, commitment: Digest) -> Self {
        let parts: [&[u8]; 4] = [b"realm/1/broadcast", &[0], &announcer.0, &commitment.0];
        Self(Digest::of(&parts).half())
    }
}

fn by_time(now: crate::Timestamp, random: [u8; 10]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let millis = now.as_millis().to_be_bytes();
    let (time, tail) = bytes.split_at_mut(6);
    time.copy_from_slice(&millis[2..]);
    tail.copy_from_slice(&random);
    bytes
}
