//! The Cedar that the daemon writes by itself.
//!
//! Names from outside go only into string literals, through [`literal`], never into comments.

use std::{collections::BTreeMap, fmt::Write as _};

use realm_protocol::{Digest, RealmId, RealmPath, Scope, Timestamp};

use crate::Action;

/// Policy documents by id, for both of a realm's levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// What it decides about its own loops and about itself as a relay.
    pub own: BTreeMap<String, String>,
    /// Its word for every realm below.
    pub subtree: BTreeMap<String, String>,
}

/// The text of one policy, for both of a realm's levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTexts {
    /// For the realm itself.
    pub own: String,
    /// For every realm below.
    pub subtree: String,
}

/// The one visible policy that a new realm starts with, `own-tree`, for its tree's root.
pub fn default_policies(me: &Scope) -> Documents {
    let document = |text: String| BTreeMap::from([("own-tree".to_owned(), text)]);
    Documents {
        own: document(own_tree(me.root, "this realm") + &from_above(me)),
        subtree: document(own_tree(me.root, "every realm below this one")),
    }
}

/// Below a root, what the realms above have let in is passed on: who it is for decides.
fn from_above(me: &Scope) -> String {
    if me.path.is_root() {
        return String::new();
    }
    let me = realm(me);
    format!(
        r#"
// What the realms above let in may pass to the realms below; each of them decides for itself.
@id("own-tree")
permit (
  principal,
  action == Action::"relay",
  resource in {me}
);
"#
    )
}

fn own_tree(root: RealmId, whom: &str) -> String {
    let root = literal(&root.to_string());
    format!(
        r#"// What {whom} permits. Nothing else is permitted until a policy says so.

// Every realm of this tree may find, reach and call {whom}, and send
// messages through it to anywhere.
@id("own-tree")
permit (
  principal in Realm::{root},
  action in [Action::"discover", Action::"relay", Action::"invoke"],
  resource
);

// Answers come back, whoever gives them, to realms of this tree.
@id("own-tree")
permit (
  principal,
  action == Action::"relay",
  resource in Realm::{root}
)
when {{ context.answer }};
"#
    )
}

/// What a peering adds at a root: all of the peer's tree may reach into `scopes`, which are
/// subtrees of this tree. Each realm's own policy still decides about its loops. Without scopes,
/// nothing is permitted.
pub fn peer_policies(
    root: &Scope,
    peer: RealmId,
    petname: &str,
    scopes: &[RealmPath],
) -> PolicyTexts {
    if scopes.is_empty() {
        let text = "// This peering opens no realm of this tree.\n".to_owned();
        let own = text.clone();
        return PolicyTexts { own, subtree: text };
    }
    let scopes = scopes.iter().cloned().map(|path| {
        let root = root.root;
        realm(&Scope { root, path })
    });
    let scopes = scopes.collect::<Vec<_>>().join(", ");
    let id = literal(&format!("peer-{petname}"));
    let (petname, peer) = (literal(petname), literal(&peer.to_string()));
    let permit = |actions, resource| {
        format!(
            "@id({id})\n@peer({petname})\npermit (\n  principal in Realm::{peer},\n  \
             action in [{actions}],\n  {resource}\n)\nwhen {{ resource in [{scopes}] }};\n"
        )
    };
    let reach = r#"Action::"discover", Action::"relay""#;
    let call = r#"Action::"discover", Action::"relay", Action::"invoke""#;
    PolicyTexts {
        own: [
            "// The peer's tree may find these realms of this tree, and reach them through here.\n",
            &permit(reach, "resource is Realm"),
        ]
        .concat(),
        subtree: [
            "// The peer's tree may reach these realms, and call what they permit themselves.\n",
            &permit(call, "resource"),
        ]
        .concat(),
    }
}

/// What `allow` permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Who may, and every realm below it.
    pub caller: Scope,
    /// What it may do.
    pub action: Action,
    /// A loop id, in which `*` stands for anything. Without meaning for `relay` and `join`.
    pub pattern: String,
    /// The realm whose loops they are, and every realm below it.
    pub owner: Scope,
    /// When the permit ends, to the second.
    pub expires: Option<Timestamp>,
    /// What a person calls the caller.
    pub caller_name: String,
}

/// Writes the policy for `allow`: its id and its Cedar text. Allowing the same again gives the
/// same id, whatever the expiry. A permit to invoke is also one to discover the same loops.
pub fn allow_policy(allow: &Allow) -> (String, String) {
    let id = allow_id(allow);
    let actions = match allow.action {
        Action::Invoke => r#"action in [Action::"invoke", Action::"discover"]"#.to_owned(),
        other => format!(r#"action == Action::"{other}""#),
    };
    let (resource, like) = resource(allow);
    let expiry = allow
        .expires
        .map(|at| format!("context.now < {}", at.as_millis() / 1_000));
    let mut text = format!(
        "@id({})\n@caller({})\npermit (\n  principal in {},\n  {actions},\n  {resource}\n)",
        literal(&id),
        literal(&allow.caller_name),
        realm(&allow.caller),
    );
    let conditions: Vec<String> = like.into_iter().chain(expiry).collect();
    if !conditions.is_empty() {
        let _ = write!(text, "\nwhen {{ {} }}", conditions.join(" && "));
    }
    text.push_str(";\n");
    (id, text)
}

/// Joins subtree documents into the text of one policy record.
pub fn subtree_text(documents: &BTreeMap<String, String>) -> String {
    let texts: Vec<&str> = documents.values().map(String::as_str).collect();
    texts.join("\n")
}

fn allow_id(allow: &Allow) -> String {
    let (caller, owner) = (allow.caller.to_string(), allow.owner.to_string());
    let words = [&caller, allow.action.name(), &owner, &allow.pattern].join("\n");
    let digest = Digest::of(&[words.as_bytes()]).to_string();
    format!("allow-{}", digest.get(..8).unwrap_or(&digest))
}

/// The scope's constraint on the resource, and a condition on its name.
fn resource(allow: &Allow) -> (String, Option<String>) {
    let owner = realm(&allow.owner);
    let any = allow.pattern == "*";
    match allow.action {
        Action::Relay | Action::Join => (format!("resource is Realm in {owner}"), None),
        Action::Discover if any => (format!("resource in {owner}"), None),
        Action::Invoke if any => (format!("resource is Loop in {owner}"), None),
        Action::Invoke | Action::Discover if allow.pattern.contains('*') => {
            let like = format!("resource.name like {}", literal(&allow.pattern));
            (format!("resource is Loop in {owner}"), Some(like))
        }
        Action::Invoke | Action::Discover => {
            let address = format!("{}@{}", allow.pattern, allow.owner);
            (format!("resource == Loop::{}", literal(&address)), None)
        }
    }
}

fn realm(scope: &Scope) -> String {
    format!("Realm::{}", literal(&scope.to_string()))
}

/// A Cedar string literal. Cedar's escapes are Rust's, so nothing in it can end it early.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}
