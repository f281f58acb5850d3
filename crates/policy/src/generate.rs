//! The Cedar that the daemon writes by itself.
//!
//! Names from outside go only into string literals, through [`literal`], never into comments.

use std::{collections::BTreeMap, fmt::Write as _};

use realm_protocol::{Digest, LoopId, RealmId, RealmPath, Scope, Timestamp};

use crate::{Action, Principal};

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

/// What people may do by their roles, loops with what their definitions name, agents with what they may call,
/// and realms by this realm's grants: policies that stand beside a realm's own documents. A document that forbids goes before them.
pub fn inside_policies() -> BTreeMap<String, String> {
    let document = |(id, text): (&str, &str)| (id.to_owned(), text.to_owned());
    [
        ("roles", ROLES),
        ("uses", USES),
        ("agents", AGENTS),
        ("grants", GRANTS),
    ]
    .into_iter()
    .map(document)
    .collect()
}

const ROLES: &str = r#"// What people may do by their roles.
permit (principal in Group::"owner", action, resource)
when { principal is Person };

permit (
  principal in Group::"operator",
  action in [
    Action::"invoke", Action::"announce", Action::"spend", Action::"approve", Action::"read-trace"
  ],
  resource
)
when { principal is Person };

permit (
  principal in Group::"approver",
  action in [Action::"approve", Action::"read-trace"],
  resource
)
when { principal is Person };

permit (principal in Group::"viewer", action == Action::"read-trace", resource);
"#;

const USES: &str = r#"// A loop uses the agents, tools and hosts that its definition names.
permit (principal is Loop, action == Action::"use", resource);

// In whosever run, it calls the loops of its realm that its definition names.
permit (principal, action == Action::"step", resource is Loop);
"#;

const AGENTS: &str = r#"// What an agent may call by itself may cost something. Which loops these are, `allow` says.
permit (principal is Agent, action == Action::"spend", resource);
"#;

const GRANTS: &str = r#"// A realm calls what it holds a grant of this realm for.
permit (principal is Realm, action == Action::"invoke", resource)
when { context.granted };
"#;

fn own_tree(root: RealmId, whom: &str) -> String {
    let root = literal(&root.to_string());
    format!(
        r#"// What {whom} permits. Nothing else is permitted until a policy says so.

// Every realm of this tree may find, reach and call {whom}, and send
// messages through it to anywhere. It may announce work, have it bid for, and be awarded it.
@id("own-tree")
permit (
  principal is Realm in Realm::{root},
  action in [
    Action::"discover", Action::"relay", Action::"invoke",
    Action::"announce", Action::"bid", Action::"award"
  ],
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
    let peer = literal(&peer.to_string());
    let petname = literal(petname);
    PolicyTexts {
        own: [
            "// The peer's tree may find these realms of this tree, and reach them through here.\n",
            &peer_permit(&id, &petname, &peer, REACH, "resource is Realm", &scopes),
        ]
        .concat(),
        subtree: peer_subtree(&id, &petname, &peer, &scopes),
    }
}

const REACH: &str = r#"Action::"discover", Action::"relay""#;
const TRADE: &str =
    r#"Action::"discover", Action::"relay", Action::"invoke", Action::"bid", Action::"award""#;

/// A peering's word for every realm below. All but the text's form is Cedar already.
fn peer_subtree(id: &str, petname: &str, peer: &str, scopes: &str) -> String {
    [
        "// The peer's tree may reach these realms, and call and trade what they permit themselves.\n",
        &peer_permit(id, petname, peer, TRADE, "resource", scopes),
    ]
    .concat()
}

fn peer_permit(
    id: &str,
    petname: &str,
    peer: &str,
    actions: &str,
    resource: &str,
    scopes: &str,
) -> String {
    format!(
        "@id({id})\n@peer({petname})\npermit (\n  principal is Realm in Realm::{peer},\n  \
         action in [{actions}],\n  {resource}\n)\nwhen {{ resource in [{scopes}] }};\n"
    )
}

/// Whom `allow` permits something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A realm, and every realm below it.
    Realm(Scope),
    /// An agent of this realm alone.
    Agent {
        /// This realm.
        home: Scope,
        /// What it is called here.
        id: LoopId,
    },
}

impl From<Scope> for Caller {
    fn from(scope: Scope) -> Self {
        Self::Realm(scope)
    }
}

impl Caller {
    /// Who asks, once it does.
    pub const fn as_principal(&self) -> Principal<'_> {
        match self {
            Self::Realm(scope) => Principal::Realm(scope),
            Self::Agent { home, id } => Principal::Agent { home, id },
        }
    }

    /// Its name among Cedar's entities, after what it has to be to it.
    pub fn entity(&self) -> String {
        match self {
            Self::Realm(scope) => format!("in {}", realm(scope)),
            Self::Agent { home, id } => format!("== Agent::{}", literal(&format!("{id}@{home}"))),
        }
    }

    /// Cedar's constraint on who asks.
    fn constraint(&self) -> String {
        let entity = self.entity();
        match self {
            Self::Realm(_) => format!("principal is Realm {entity}"),
            Self::Agent { .. } => format!("principal {entity}"),
        }
    }
}

/// What `allow` permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Who may.
    pub caller: Caller,
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
/// same id, whatever the expiry. A realm's permit to invoke is also one to discover the same loops.
pub fn allow_policy(allow: &Allow) -> (String, String) {
    let id = allow_id(allow);
    let actions = match (allow.action, &allow.caller) {
        (Action::Invoke, Caller::Realm(_)) => {
            r#"action in [Action::"invoke", Action::"discover"]"#.to_owned()
        }
        (other, _) => format!(r#"action == Action::"{other}""#),
    };
    let (resource, like) = resource(allow);
    let expiry = allow
        .expires
        .map(|at| format!("context.now < {}", at.as_millis() / 1_000));
    let mut text = format!(
        "@id({})\n@caller({})\npermit (\n  {},\n  {actions},\n  {resource}\n)",
        literal(&id),
        literal(&allow.caller_name),
        allow.caller.constraint(),
    );
    let conditions: Vec<String> = like.into_iter().chain(expiry).collect();
    if !conditions.is_empty() {
        let _ = write!(text, "\nwhen {{ {} }}", conditions.join(" && "));
    }
    text.push_str(";\n");
    (id, text)
}

/// Joins subtree documents into the text of one policy record. What [`peer_policies`] wrote, and
/// nobody has changed, becomes one policy for all peers: a root has many, and a record is small.
pub fn subtree_text(documents: &BTreeMap<String, String>) -> String {
    let mut peers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut texts: Vec<String> = Vec::new();
    for text in documents.values() {
        match generated_for_peer(text) {
            Some((peer, scopes)) => peers.entry(scopes).or_default().push(peer),
            None => texts.push(text.clone()),
        }
    }
    texts.extend(peers.iter().map(|(scopes, peers)| all_peers(peers, scopes)));
    texts.join("\n")
}

/// One policy for every peer whose tree may reach the same realms.
fn all_peers(peers: &[&str], scopes: &str) -> String {
    let peers: Vec<String> = peers.iter().map(|peer| format!("Realm::{peer}")).collect();
    format!(
        "@id(\"peers\")\npermit (principal is Realm, action in [{TRADE}], resource)\n\
         when {{ principal in [{}] && resource in [{scopes}] }};\n",
        peers.join(",")
    )
}

/// The peer and the scopes, both as Cedar, of a text that is word for word a peering's for the
/// subtree.
fn generated_for_peer(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("@id(")?;
    let (id, rest) = rest.split_once(")\n@peer(")?;
    let (petname, rest) = rest.split_once(")\npermit (\n  principal is Realm in Realm::")?;
    let (peer, rest) = rest.split_once(",\n")?;
    let (_, rest) = rest.split_once("when { resource in [")?;
    let (scopes, _) = rest.split_once("] }")?;
    let sound = plain(id).is_some()
        && plain(petname).is_some()
        && plain(peer)?.parse::<RealmId>().is_ok()
        && !scopes.contains(['\n', '\\', ']']);
    (sound && text == peer_subtree(id, petname, peer, scopes)).then_some((peer, scopes))
}

/// What stands in a Cedar string literal that needs no escapes.
fn plain(literal: &str) -> Option<&str> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains(['"', '\\', '\n'])).then_some(text)
}

fn allow_id(allow: &Allow) -> String {
    let caller = allow.caller.as_principal().to_owned().to_string();
    let owner = allow.owner.to_string();
    let words = [&caller, allow.action.name(), &owner, &allow.pattern].join("\n");
    let digest = Digest::of(&[words.as_bytes()]).to_string();
    format!("allow-{}", digest.get(..8).unwrap_or(&digest))
}

/// The scope's constraint on the resource, and a condition on its name.
fn resource(allow: &Allow) -> (String, Option<String>) {
    let owner = realm(&allow.owner);
    let any = allow.pattern == "*";
    match allow.action {
        Action::Relay | Action::Join | Action::Administer => {
            (format!("resource is Realm in {owner}"), None)
        }
        Action::Discover if any => (format!("resource in {owner}"), None),
        _ if any => (format!("resource is Loop in {owner}"), None),
        _ if allow.pattern.contains('*') => {
            let like = format!("resource.name like {}", literal(&allow.pattern));
            (format!("resource is Loop in {owner}"), Some(like))
        }
        _ => {
            let address = format!("{}@{}", allow.pattern, allow.owner);
            (format!("resource == Loop::{}", literal(&address)), None)
        }
    }
}

pub(crate) fn realm(scope: &Scope) -> String {
    format!("Realm::{}", literal(&scope.to_string()))
}

/// A Cedar string literal. Cedar's escapes are Rust's, so nothing in it can end it early.
pub(crate) fn literal(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}
