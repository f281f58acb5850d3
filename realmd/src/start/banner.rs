//! What a start-up says: at most eight aligned lines on standard error.

use realm_net::Multiaddr;
use realm_node::Node;

use crate::{commands::aligned, config::Config, home::Home};

/// Addresses shown; further ones are counted.
const ADDRESSES: usize = 3;

pub(super) fn print(home: &Home, config: &Config, node: &Node, listening: &[Multiaddr]) {
    let standing = node.standing();
    let dir = home.dir().display();
    let parent = match &standing.parent {
        Some((scope, _)) => format!("{}, dialling", node.name_of(scope)),
        None => "none: this realm is a root".to_owned(),
    };
    let peers: Vec<String> = node
        .peers()
        .iter()
        .map(|peer| peer.petname.to_string())
        .collect();
    let next = if standing.parent.is_none() && peers.is_empty() {
        format!("realmctl --home {dir} invite LABEL")
    } else {
        format!("realmctl --home {dir} status")
    };
    let lines = [
        ("realm", node.name_of(&standing.scope)),
        ("id", standing.realm.to_string()),
        ("listen", addresses(listening, &config.listen)),
        ("data", home.data().display().to_string()),
        ("parent", parent),
        (
            "peers",
            if peers.is_empty() {
                "none".to_owned()
            } else {
                peers.join(", ")
            },
        ),
        ("next", next),
    ];
    eprint!("{}", aligned(&lines));
}

fn addresses(listening: &[Multiaddr], configured: &[Multiaddr]) -> String {
    let all = if listening.is_empty() {
        configured
    } else {
        listening
    };
    if all.is_empty() {
        return "nowhere: this realm only dials".to_owned();
    }
    let shown: Vec<String> = all
        .iter()
        .take(ADDRESSES)
        .map(ToString::to_string)
        .collect();
    match all.len().saturating_sub(ADDRESSES) {
        0 => shown.join(" "),
        more => format!("{} and {more} more", shown.join(" ")),
    }
}
