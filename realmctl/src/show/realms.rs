//! Peers, realms, tickets.

use realm_client::{
    api::{
        CertificateView, Joined, PeerDetail, PeerSummary, Pong, RealmDetail, RealmForest,
        RealmNode, Revoked, TicketIssued,
    },
    ticket::TicketView,
};
use serde_json::Value;

use super::{
    Row, micros, moment, moment_or, rows,
    status::{link, realm_fields},
    text, tree,
};
use crate::output::{Block, Show};

impl Row for PeerSummary {
    const HEADER: &'static [&'static str] = &[
        "NAME",
        "KIND",
        "STATE",
        "ROUND TRIP",
        "EXPIRES",
        "ADDRESS",
        "ID",
    ];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.as_str().to_owned(),
            self.link.state.as_str().to_owned(),
            text(self.round_trip_micros.map(micros).as_ref()),
            moment_or(self.expires_at),
            text(self.link.address.as_ref()),
            self.realm.clone(),
        ]
    }
}

impl Show for PeerDetail {
    fn names(&self) -> Vec<String> {
        vec![self.summary.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let summary = &self.summary;
        vec![Block::Fields(vec![
            ("name", summary.name.clone()),
            ("kind", summary.kind.as_str().to_owned()),
            ("id", summary.realm.clone()),
            ("node", text(self.node.as_ref())),
            ("link", link(&summary.link)),
            ("addresses", self.addresses.join(" ")),
            ("may address", self.grants.join(", ")),
            ("addressable", self.granted.join(", ")),
            (
                "valid",
                format!(
                    "{} until {}",
                    moment_or(self.not_before),
                    moment_or(summary.expires_at)
                ),
            ),
            (
                "messages",
                format!("{} sent, {} received", self.sent, self.received),
            ),
        ])]
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

impl Row for CertificateView {
    const HEADER: &'static [&'static str] = &["REALM", "SERIAL", "FROM", "UNTIL", "ID"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.serial.to_string(),
            moment(self.not_before),
            moment(self.not_after),
            self.id.clone(),
        ]
    }
}

impl Show for RealmDetail {
    fn names(&self) -> Vec<String> {
        vec![self.realm.name.clone()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let mut fields = realm_fields(&self.realm);
        fields.push((
            "state",
            text(self.state.map(|state| state.as_str().to_owned()).as_ref()),
        ));
        fields.push(("node", text(self.node.as_ref())));
        fields.push((
            "loops",
            text(self.loops.map(|loops| loops.to_string()).as_ref()),
        ));
        vec![Block::Fields(fields), rows(&self.chain, wide)]
    }
}

impl Show for Revoked {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(format!(
            "cut off {} (serial {})",
            self.name, self.serial
        ))]
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
