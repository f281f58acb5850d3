//! Status, info, configuration, backups.

use realm_client::api::{BackupReport, Info, LinkState, LinkView, RealmView, Status};

use super::{bytes, moment, span};
use crate::output::{Block, Show};

impl Show for Status {
    fn names(&self) -> Vec<String> {
        vec![self.realm.name.clone()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let calls = &self.calls;
        let mut fields = vec![
            ("realm", self.realm.name.clone()),
            ("id", self.realm.id.clone()),
            (
                "up",
                format!("{}, version {}", span(self.uptime_ms), self.version),
            ),
            ("listen", self.listen.join(" ")),
            ("data", self.data_dir.clone()),
            (
                "parent",
                self.parent
                    .as_ref()
                    .map_or_else(|| "none: a root".to_owned(), link),
            ),
            (
                "children",
                format!(
                    "{} of {} connected",
                    self.children.connected, self.children.certified
                ),
            ),
            ("peers", list(&self.peers)),
            ("loops", self.loops.to_string()),
            (
                "calls",
                format!("{} out, {} in", calls.outgoing, calls.incoming),
            ),
            ("store", store(self)),
        ];
        if self.halted {
            fields.push(("halted", "yes: realmctl halt --show".to_owned()));
        }
        let expiries: &[_] = &self.certificates;
        let shown = if wide { expiries.len() } else { 1 };
        fields.extend(expiries.iter().take(shown).map(|expiry| {
            (
                "expires",
                format!("{} on {}", expiry.name, moment(expiry.not_after)),
            )
        }));
        if wide {
            fields.push(("node", self.node.clone()));
            fields.push(("root", self.realm.root.clone()));
            fields.push(("socket", self.socket.clone()));
            fields.push(("process", self.pid.to_string()));
        }
        let counters = self.counters.iter().filter(|(_, count)| **count > 0);
        let rows = counters.map(|(reason, count)| vec![reason.clone(), count.to_string()]);
        vec![
            Block::Fields(fields),
            Block::Table(vec!["REFUSED", "COUNT"], rows.collect()),
        ]
    }
}

fn store(status: &Status) -> String {
    let store = &status.store;
    let error = store
        .error
        .as_ref()
        .map(|error| format!(": {error}"))
        .unwrap_or_default();
    format!(
        "{} {}, {}{error}",
        store.engine,
        store.state.as_str(),
        bytes(store.bytes)
    )
}

fn list(peers: &[LinkView]) -> String {
    if peers.is_empty() {
        return "none".to_owned();
    }
    peers.iter().map(link).collect::<Vec<_>>().join(", ")
}

pub(super) fn link(link: &LinkView) -> String {
    match (link.state, &link.error) {
        (LinkState::Connected, _) => format!("{} (connected)", link.name),
        (state, Some(error)) => format!("{} ({}: {error})", link.name, state.as_str()),
        (state, None) => format!("{} ({})", link.name, state.as_str()),
    }
}

pub(super) fn realm_fields(realm: &RealmView) -> Vec<(&'static str, String)> {
    let mut fields = vec![("realm", realm.name.clone())];
    if !realm.id.is_empty() {
        fields.push(("id", realm.id.clone()));
    }
    fields.push(("root", realm.root.clone()));
    fields
}

impl Show for Info {
    fn names(&self) -> Vec<String> {
        vec![self.realm.name.clone()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let versions: Vec<_> = self.wire_versions.iter().map(u64::to_string).collect();
        let mut fields = realm_fields(&self.realm);
        fields.extend([
            ("node", self.node.clone()),
            ("version", format!("{} on {}", self.version, self.platform)),
            ("wire", versions.join(", ")),
            ("home", self.home.clone()),
            ("backends", self.backends.join(", ")),
            ("addresses", self.addresses.join(" ")),
        ]);
        let mut blocks = vec![Block::Fields(fields)];
        if wide {
            let rows = self
                .limits
                .iter()
                .map(|(name, limit)| vec![name.clone(), limit.to_string()]);
            blocks.push(Block::Table(vec!["LIMIT", "VALUE"], rows.collect()));
        }
        blocks
    }
}

impl Show for BackupReport {
    fn names(&self) -> Vec<String> {
        vec![self.path.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let parts = format!(
            "{} records, {} runs, {} events",
            self.records, self.runs, self.events
        );
        vec![Block::Fields(vec![
            ("file", self.path.clone()),
            ("size", bytes(self.bytes)),
            ("holds", parts),
            ("took", span(self.duration_ms)),
        ])]
    }
}
