//! What models cost.

use super::{Key, Kind};
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
