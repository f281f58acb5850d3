//! Peers, realms, tickets.

use realm_client::{
    api::{
        Joined, PeerDetail, PeerSummary, Pong, RealmDetail, RealmForest, RealmNode, Revoked,
        TicketIssued,
    },
    ticket::TicketView,
};
use serde_json::Value;

use super::{
    Row, micros, moment, moment_or,
    status::{link, realm_fields},
    text, tree,
};
use crate::output::{Block, Show};

impl Row for PeerSummary {
    const HEADER: &'static [&'static str] = &["NAME", "KIND", "STATE", "EXPIRES", "ID"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.as_str().to_owned(),
            self.link.state.as_str().to_owned(),
            moment_or(self.expires_at),
            known(&self.realm),
        ]
    }
}

fn known(id: &str) -> String {
    if id.is_empty() { "-" } else { id }.to_owned()
}

impl Show for PeerDetail {
    fn names(&self) -> Vec<String> {
        vec![self.summary.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let summary = &self.summary;
        let mut fields = vec![
            ("name", summary.name.clone()),
            ("kind", summary.kind.as_str().to_owned()),
        ];
        if !summary.realm.is_empty() {
            fields.push(("id", summary.realm.clone()));
        }
        fields.extend(self.node.iter().map(|node| ("node", node.clone())));
        fields.push(("link", link(&summary.link)));
        if !self.scopes.is_empty() {
            fields.push(("let in", self.scopes.join(", ")));
        }
        fields.extend(summary.expires_at.map(|at| ("until", moment(at))));
        vec![Block::Fields(fields)]
    }
}

impl Show for Pong {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let hops = self.hops.join(" → ");
        vec![Block::Text(format!(
            "{} answered in {} ({hops})",
            self.name,
            micros(self.round_trip_micros)
        ))]
    }
}

impl Show for RealmForest {
    fn names(&self) -> Vec<String> {
        flat(&self.trees)
            .iter()
            .map(|node| node.name.clone())
            .collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let line = |node: &RealmNode| node_line(node, wide);
        let trees = self
            .trees
            .iter()
            .map(|root| tree(root, &line, &|node| node.children.as_slice()));
        vec![Block::Text(trees.collect::<Vec<_>>().join("\n"))]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.trees
            .iter()
            .map(|root| serde_json::to_value(root).ok())
            .collect()
    }
}

fn flat(nodes: &[RealmNode]) -> Vec<&RealmNode> {
    let mut found = Vec::new();
    for node in nodes {
        found.push(node);
        found.extend(flat(&node.children));
    }
    found
}

fn node_line(node: &RealmNode, wide: bool) -> String {
    let state = node
        .state
        .map(|state| format!("  {}", state.as_str()))
        .unwrap_or_default();
    let here = if node.is_self { "  (this realm)" } else { "" };
    let id = if wide {
        format!("  {}", text(node.id.as_ref()))
    } else {
        String::new()
    };
    format!("{}{state}{here}{id}", node.label)
}

impl Show for RealmDetail {
    fn names(&self) -> Vec<String> {
        vec![self.realm.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = realm_fields(&self.realm);
        let state = self.state.map(|state| state.as_str().to_owned());
        fields.extend(state.map(|state| ("state", state)));
        fields.extend(self.node.iter().map(|node| ("node", node.clone())));
        fields.extend(self.expires_at.map(|at| ("until", moment(at))));
        fields.extend(self.loops.map(|loops| ("loops", loops.to_string())));
        vec![Block::Fields(fields)]
    }
}

impl Show for Revoked {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(format!("cut off {}", self.name))]
    }
}

impl Show for TicketIssued {
    fn names(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    /// The ticket alone, so that it can be piped on.
    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(self.ticket.clone())]
    }
}

impl Show for Joined {
    fn names(&self) -> Vec<String> {
        vec![self.realm.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![
            ("joined", self.with.name.clone()),
            ("as", format!("{}: {}", self.kind.as_str(), self.realm.name)),
            (
                "until",
                format!("{}, unless renewed", moment(self.expires_at)),
            ),
        ];
        fields.extend(
            self.policies
                .iter()
                .map(|policy| ("policy", policy.clone())),
        );
        vec![Block::Fields(fields)]
    }
}

impl Show for TicketView {
    fn names(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![
            ("ticket", self.id.clone()),
            (
                "invites as",
                format!("{} {}", self.kind.as_str(), self.label),
            ),
            ("realm", self.name.clone()),
            ("id", self.realm.clone()),
            ("root", self.root.clone()),
            ("node", self.node.clone()),
            ("good until", moment(self.expires_at)),
        ];
        fields.extend(
            self.addresses
                .iter()
                .map(|address| ("address", address.clone())),
        );
        vec![Block::Fields(fields)]
    }
}
