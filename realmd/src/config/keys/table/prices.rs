//! What models cost, and how much is kept of what they are told.

use super::{GIB, Key, Kind, MIB};
pub(super) const MODELS: Key = Key {
    name: "prices.*.models",
    kind: Kind::Names,
    default: None,
    meaning: "Models that cost the same, by the names that loops and backends' answers call them by.",
    reloads: true,
};
pub(super) const PRICE: Key = Key {
    name: "prices.*.price",
    kind: Kind::Price,
    default: None,
    meaning: "What a million tokens of them cost, read and written, such as USD 0.15 0.60; a backend's own price goes before.",
    reloads: true,
};
pub(super) const PROMPTS: Key = Key {
    name: "prompts.keep",
    kind: Kind::Bytes(MIB, GIB),
    default: Some("\"16 MiB\""),
    meaning: "Bytes that the definitions of prompts may have together, in all the versions that there ever were: none is forgotten, and where they are full no further one is taken.",
    reloads: false,
};
