//! The node's views as the API shows them.

use realm_client::api::{RealmView, Time};
use realm_node::Node;
use realm_policy::AskedResource;
use realm_protocol::{RealmId, RealmName, RealmPath, Scope, Timestamp};

use super::{extract::invalid, problem::Fail};

/// A moment of the node as the API writes it.
pub(super) fn time(at: Timestamp) -> Time {
    Time::from_millis(at.as_millis())
}

/// A moment of the API as the node counts it.
pub(super) const fn timestamp(at: Time) -> Timestamp {
    Timestamp::from_millis(at.as_millis())
}

/// This realm.
pub(super) fn own_realm(node: &Node) -> RealmView {
    let standing = node.standing();
    realm(node, &standing.scope, Some(standing.realm))
}

/// A realm by its place. A root's id is its tree's.
pub(super) fn realm(node: &Node, scope: &Scope, id: Option<RealmId>) -> RealmView {
    let name = node.name_of(scope);
    let petname = name.split('/').next().unwrap_or_default().to_owned();
    let id = id.or_else(|| scope.path.is_root().then_some(scope.root));
    RealmView {
        id: id.map(|id| id.to_string()).unwrap_or_default(),
        root: scope.root.to_string(),
        path: scope.path.to_string(),
        petname,
        name,
    }
}

/// The scope of a tree's root.
pub(super) const fn root(root: RealmId) -> Scope {
    Scope {
        root,
        path: RealmPath::ROOT,
    }
}

/// Reads a realm's name.
pub(super) fn realm_name(text: &str) -> Result<RealmName, Fail> {
    let text = text.strip_prefix('@').unwrap_or(text);
    text.parse()
        .map_err(|error| invalid(&format!("`{}`: {error}", short(text))))
}

/// The name of a realm that the journal holds by name or by scope.
pub(super) fn journal_name(node: &Node, text: &str) -> String {
    match text.parse() {
        Ok(AskedResource::Realm(scope)) => node.name_of(&scope),
        _ => text.to_owned(),
    }
}

/// Enough of a text to recognise it.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
