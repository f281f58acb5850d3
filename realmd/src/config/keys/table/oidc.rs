//! The keys of the provider that people sign in at.

use super::{DAY, Key, Kind};

pub(super) const ALLOW_PRIVATE: Key = Key {
    name: "oidc.allow_private",
    kind: Kind::Hosts,
    default: Some("[]"),
    meaning: "Hosts and ports such as id.corp.example:443 at which the provider may be reached though their addresses are not public.",
    reloads: true,
};
pub(super) const CLIENT: Key = Key {
    name: "oidc.client",
    kind: Kind::Text,
    default: Some("\"\""),
    meaning: "What this realm is called at the provider: its client id. The client may use the device flow and refresh tokens, and nothing else.",
    reloads: true,
};
pub(super) const GROUPS: Key = Key {
    name: "oidc.groups",
    kind: Kind::Text,
    default: Some("\"groups\""),
    meaning: "The claim that holds somebody's groups, or the names on the way to it, such as realm_access.roles.",
    reloads: true,
};
pub(super) const ISSUER: Key = Key {
    name: "oidc.issuer",
    kind: Kind::Issuer,
    default: Some("\"\""),
    meaning: "The OpenID Connect provider that people sign in at by the device flow: its address to the letter, as its tokens name it. Empty for none.",
    reloads: true,
};
pub(super) const NAME: Key = Key {
    name: "oidc.name",
    kind: Kind::Text,
    default: Some("\"sub\""),
    meaning: "The claim that holds what people are called: one that the provider gives to one person only and that nobody chooses for themselves, such as preferred_username at many.",
    reloads: true,
};
pub(super) const SCOPES: Key = Key {
    name: "oidc.scopes",
    kind: Kind::Scopes,
    default: Some("[\"openid\", \"offline_access\"]"),
    meaning: "What the provider is asked for: openid, what makes it give a refresh token, and what makes it name groups.",
    reloads: true,
};
pub(super) const SECRET: Key = Key {
    name: "oidc.secret",
    kind: Kind::Secret,
    default: Some("\"\""),
    meaning: "Where the secret of oidc.client is: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME; empty for a client that has none.",
    reloads: true,
};
pub(super) const SESSION: Key = Key {
    name: "oidc.session",
    kind: Kind::Duration(60_000, 7 * DAY),
    default: Some("\"12h\""),
    meaning: "How long a sign-in is good for; groups are asked for again at least every minute.",
    reloads: true,
};
