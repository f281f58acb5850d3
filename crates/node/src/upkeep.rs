//! What is looked after from time to time: certificates, keys, memories, clocks.

use realm_protocol::{
    audit::{AuditNote, AuditOutcome},
    journal::Table,
    limits,
    records::KemPurpose,
};
use realm_router::{Relation, Waiting};

use crate::{
    Node,
    identity::HeldKem,
    seen::Seen,
    state::{self, StoredKem, standing},
    timers::Timer,
};

/// How often upkeep is done, milliseconds.
const EVERY_MS: u64 = 10_000;
/// How long before its end a KEM key's successor is made, milliseconds.
const KEM_OVERLAP_MS: u64 = 60 * 60 * 1_000;
/// How long before its end a stored KEM key's successor is made, milliseconds: a realm that goes
/// offline has shown a key that can be sealed to for at least this long.
const STORED_OVERLAP_MS: u64 = 5 * 24 * 60 * 60 * 1_000;
/// A wall clock that moved this much against the monotonic one has jumped, milliseconds.
const JUMP_MS: u64 = 2 * 60 * 1_000;

impl Node {
    pub(crate) fn upkeep(&mut self) {
        self.timers.set(Timer::Upkeep, self.now.tick.plus(EVERY_MS));
        self.check_clock();
        self.drop_expired_tickets();
        self.drop_expired_custody();
        self.sessions.upkeep(self.now.tick);
        self.market.offers.erase(self.now.tick);
        self.unheard.expired(self.now.tick);
        if self.seen.purge(self.now.wall) > 0 {
            self.note_clock_reached();
        }
        self.follow_clock_back();
        let mut changed = self.renew_node_cert();
        changed |= self.rotate_kem();
        if changed || self.stands_again() {
            self.chain_changed();
        }
        self.renew_child_cert();
        self.prune_revocations();
        self.trim_histories();
        self.drop_expired_peerings();
        self.upkeep_audit();
        self.forget_no_longer_above();
        self.forget_below();
        self.tell_below();
        self.tell_unsettled();
    }

    /// Whether this realm's own chain stands that did not before.
    fn stands_again(&mut self) -> bool {
        let now = self.wall();
        self.me.chain().is_none() && self.me.rebuild(now).is_ok() && self.me.chain().is_some()
    }

    /// Looks after everything at once when the wall clock has jumped: certificates and keys that
    /// stood by the old time may not by the new one.
    pub(crate) fn notice_clock(&mut self) {
        if self.clock_moved_ms() > JUMP_MS {
            self.upkeep();
        }
    }

    /// How far the two clocks have moved against each other since the last look, milliseconds.
    fn clock_moved_ms(&self) -> u64 {
        let ticked = self.now.tick.since(self.clock_check.tick);
        let should = self.clock_check.wall.plus(ticked);
        self.now.wall.since(should).max(should.since(self.now.wall))
    }

    fn check_clock(&mut self) {
        let moved = self.clock_moved_ms();
        if moved > JUMP_MS {
            tracing::warn!(moved_ms = moved, "the wall clock has jumped");
            self.clock_jumps = self.clock_jumps.saturating_add(1);
            let ticked = self.now.tick.since(self.clock_check.tick);
            let back = self.now.wall < self.clock_check.wall.plus(ticked);
            self.audit_clock(back, moved);
            if !back {
                self.forget_sessions();
            }
        }
        self.clock_check = self.now;
    }

    /// Forgets every session and what is offered: a machine that was suspended has not counted the time,
    /// and would keep their keys for longer than it may.
    fn forget_sessions(&mut self) {
        self.sessions.forget();
        self.market.offers.forget();
        self.unheard = Waiting::new(limits::SESSIONS);
    }

    /// Writes down that the wall clock has moved: what is good until a time was good for longer, or shorter.
    pub(crate) fn audit_clock(&mut self, back: bool, moved_ms: u64) {
        let way = if back { "back" } else { "forward" };
        let seconds = moved_ms / 1_000;
        self.audit(AuditNote {
            outcome: AuditOutcome::Failure,
            error: Some(format!("the wall clock moved {way} by {seconds} s")),
            ..AuditNote::new("clock.moved")
        });
    }

    /// Where the clock is behind ids that were forgotten as expired, everything would be refused
    /// until it gets there. New keys instead make sure that nothing sealed before comes again.
    fn follow_clock_back(&mut self) {
        let behind = self.seen.forgotten_until().since(self.wall());
        if behind > limits::CLOCK_SKEW_MS {
            tracing::warn!("the wall clock was set back: sealed messages start anew");
            self.seen = Seen::default();
            for id in self.me.forget_kem() {
                self.delete(Table::Kem, id.as_bytes());
            }
            self.note_clock_reached();
        }
    }

    /// Signs a new node certificate in time, where the realm key is on this machine.
    fn renew_node_cert(&mut self) -> bool {
        let now = self.wall();
        let due = self.me.node_cert_times().is_none_or(|(not_before, _)| {
            let ahead = not_before.since(now) > limits::CLOCK_SKEW_MS;
            ahead || now.since(not_before) >= limits::NODE_WARN_MS
        });
        if !due {
            return false;
        }
        let Some(cert) = self.me.renew_node_cert(now) else {
            return false;
        };
        let row = state::write(cert);
        self.put(Table::Standing, standing::NODE_CERT, row);
        true
    }

    /// Makes the next KEM key before the last one runs out, and erases old ones.
    pub(crate) fn rotate_kem(&mut self) -> bool {
        let now = self.wall();
        for id in self.me.erase_kem(now) {
            self.delete(Table::Kem, id.as_bytes());
        }
        let mut made = self.renew_kem(KemPurpose::Live, KEM_OVERLAP_MS);
        if self.me.asks_for_custody() {
            made |= self.renew_kem(KemPurpose::Stored, STORED_OVERLAP_MS);
        }
        made
    }

    fn renew_kem(&mut self, purpose: KemPurpose, overlap_ms: u64) -> bool {
        let now = self.wall();
        let until = self.me.kem_until(purpose, now);
        if until.is_some_and(|until| now.plus(overlap_ms) < until) {
            return false;
        }
        let held = self.me.make_kem(&mut self.rng, purpose, now);
        let (id, row) = (held.key.key_id(), stored_kem(held));
        self.put(Table::Kem, id.as_bytes(), row);
        true
    }

    fn drop_expired_peerings(&mut self) {
        let now = self.wall();
        let links: Vec<_> = self.routes.peers().collect();
        for (root, link) in links {
            let peer = self.kin.peers.get(&root);
            let peering = peer.and_then(|peer| peer.peering.peek().ok());
            if peering.is_none_or(|peering| peering.not_after <= now) {
                self.close(link, None, "the peering has expired");
            }
        }
    }

    /// Whether the link to the parent stands, where there is a parent.
    pub(crate) fn parent_connected(&self) -> bool {
        self.routes.link_to(&Relation::Parent).is_some()
    }
}

fn stored_kem(held: &HeldKem) -> Vec<u8> {
    state::write(&StoredKem {
        secret: *held.key.secret(),
        record: held.record.clone(),
        erased: held.erased,
    })
}
