//! Secrets that loops name.

use super::{Key, Kind};
pub(super) const KEY: Key = Key {
    name: "secrets.*.key",
    kind: Kind::Secret,
    default: None,
    meaning: "Where a secret is that loops name in `key` and `secrets`: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME.",
    reloads: true,
};
pub(super) const LOOPS: Key = Key {
    name: "secrets.*.loops",
    kind: Kind::Loops,
    default: Some("[]"),
    meaning: "The loops that a secret is for; those that are not listed are not given it. Empty for all.",
    reloads: true,
};
