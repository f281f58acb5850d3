//! Keys that are handed on, and machines that take others' over.

use realm_protocol::records::SuccessionReason;

use crate::{Disk, HostId, HostKeys, World};

impl World {
    /// The machine stops, its realm is handed to the recovery key, and it starts again.
    pub fn hand_over(&mut self, id: HostId, reason: SuccessionReason) {
        let next = std::array::from_fn(|_| self.random(256) as u8);
        let now = self.now(id).wall;
        self.crash(id);
        self.hosts[id.0].keys.hand_over(next, reason, now);
        self.start(id);
    }

    /// A machine that somebody set up with another's keys and a copy of its disk.
    pub fn twin(&mut self, of: HostId, keys: HostKeys, disk: Disk) -> HostId {
        let id = self.found("twin");
        self.crash(id);
        let (realm, node_id) = (self.hosts[of.0].realm, self.hosts[of.0].node_id);
        let host = &mut self.hosts[id.0];
        (host.realm, host.node_id) = (realm, node_id);
        (host.keys, host.disk) = (keys, disk);
        self.start(id);
        id
    }
}
