//! Inviting: joiners show tickets, and get certificates and peerings.
//!
//! The inviter signs first, the joiner countersigns; both write down before they say so.

use realm_crypto::{VerifiedChain, verify};
use realm_policy::{Action, Resource};
use realm_protocol::{
    FailureCode, Label, RealmId, RealmPath, Scope, TicketId,
    audit::AuditNote,
    journal::Table,
    limits,
    link::{Accept, Frame, Join, Joined, Offer},
    records::{ChildCert, ChildLimits, Peering, Signed, TicketKind},
};
use realm_router::{LinkId, Relation};
use subtle::ConstantTimeEq;

use crate::{
    Node, Refusal, Refused,
    config::BURST,
    join::whole_tree,
    state::{self, ChildRecord, Issued, standing},
};
/// What an inviter has offered on a link and not yet got back.
#[derive(Clone, Debug)]
pub(crate) enum Offered {
    /// A child certificate, by the ticket or as a renewal.
    Child {
        ticket: Option<TicketId>,
        label: Label,
        cert: Signed<ChildCert>,
    },
    /// A peering.
    Peer {
        ticket: TicketId,
        petname: Label,
        peering: Signed<Peering>,
    },
}

impl Node {
    /// What this machine calls the root of its tree.
    pub(crate) fn root_name(&self) -> Label {
        match &self.kin.parent {
            Some(parent) => parent.petname.clone(),
            None => self.config.name.clone(),
        }
    }

    /// Whether anything may be signed for others now.
    pub(crate) fn may_issue(&self) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        if self.out.has_failed() {
            return Err(Refusal::StoreFailed);
        }
        let skew_ms = self.skew_ms();
        if skew_ms > limits::CLOCK_SKEW_MS {
            return Err(Refusal::ClockSkew { skew_ms });
        }
        if self.me.may_issue(self.wall()) {
            Ok(())
        } else {
            Err(Refusal::MayNotIssue)
        }
    }

    pub(crate) fn handle_join(&mut self, link: LinkId, join: Join) {
        let Some(chain) = self.links.get(&link).and_then(|link| link.chain.clone()) else {
            return self.counters.refuse(Refused::NotAdmitted);
        };
        if let Err(detail) = self.take_join(link, &chain, join) {
            tracing::info!(link = link.0, detail, "a join was refused");
            self.counters.refuse(Refused::NotAdmitted);
            self.close(link, Some(FailureCode::Denied), detail);
        }
    }

    /// To strangers every wrong ticket looks alike; the operator's log knows more.
    fn take_join(
        &mut self,
        link: LinkId,
        joiner: &VerifiedChain,
        join: Join,
    ) -> Result<(), &'static str> {
        const WRONG: &str = "the ticket is not valid";
        self.drop_expired_tickets();
        let held = self.kin.tickets.get(&join.ticket).ok_or(WRONG)?;
        let same = held.ticket.secret.as_bytes().ct_eq(join.secret.as_bytes());
        if !bool::from(same) {
            return Err(WRONG);
        }
        let again = held.used_by.contains(&joiner.realm());
        if held.uses == 0 && !again {
            return Err("the ticket has been used up");
        }
        if joiner.realm() == self.me.realm() {
            return Err("a realm does not join itself");
        }
        self.may_issue()
            .map_err(|_| "the inviter cannot issue certificates now")?;
        let kind = held.ticket.kind.clone();
        let given = held.petname.clone();
        let resource = self.me.scope();
        let principal = Scope {
            root: joiner.realm(),
            path: RealmPath::ROOT,
        };
        // The ticket is the permission; policy can only take it away.
        if self.rules.forbids(
            Action::Join,
            &principal,
            Resource::Realm(&resource),
            self.wall(),
        ) {
            return Err("the inviter's policy forbids it");
        }
        let ticket = join.ticket;
        let offered = match kind {
            TicketKind::Child(label) => self.offer_child(joiner, label, Some(ticket))?,
            TicketKind::Peer(_) => self.offer_peer(joiner, join, given)?,
        };
        self.use_ticket(ticket, joiner.realm());
        self.send_offer(link, offered);
        Ok(())
    }

    fn offer_child(
        &mut self,
        child: &VerifiedChain,
        label: Label,
        ticket: Option<TicketId>,
    ) -> Result<Offered, &'static str> {
        let now = self.wall();
        let held = self.kin.children.get(&label).cloned();
        if let Some(other) = held.as_ref().filter(|held| held.realm != child.realm()) {
            if other.accepted && !other.is_over(now) {
                return Err("the label belongs to another realm by now");
            }
            // Offered once and never taken, or run out: nothing of it may come back.
            self.let_child_go(&label);
        } else if held.is_none() && self.kin.children.len() >= limits::CHILDREN {
            return Err("the inviter has as many children as it may");
        }
        let held = held.filter(|held| held.realm == child.realm());
        let epoch = held
            .as_ref()
            .and_then(|held| held.child_cert.peek().ok())
            .map_or(0, |cert| cert.epoch);
        let rate = self.config.child_rate;
        let serial = self.next_serial();
        let cert = self.me.sign(&ChildCert {
            serial,
            parent: self.me.realm(),
            label: label.clone(),
            child: child.realm(),
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::CHILD_CERT_MS),
            parent_node: self.me.node(),
            child_node: child.node(),
            limits: ChildLimits {
                rate,
                burst: rate.saturating_mul(BURST),
                may_certify: true,
            },
            epoch: epoch.saturating_add(1),
        });
        self.reserve_label(&label, child.realm(), held, &cert);
        Ok(Offered::Child {
            ticket,
            label,
            cert,
        })
    }

    /// Writes down who a label has been offered to, and under which certificates.
    fn reserve_label(
        &mut self,
        label: &Label,
        realm: RealmId,
        held: Option<ChildRecord>,
        cert: &Signed<ChildCert>,
    ) {
        let now = self.wall();
        let mut record = held.unwrap_or_else(|| ChildRecord {
            chain: None,
            child_cert: cert.clone(),
            realm,
            accepted: false,
            issued: None,
        });
        let issued = record.issued.get_or_insert_default();
        issued.retain(|issued| now < issued.not_after);
        if let Ok(cert) = cert.peek() {
            issued.push(Issued {
                serial: cert.serial,
                not_after: cert.not_after,
            });
        }
        let row = state::write(&record);
        self.put(Table::Children, label.as_str().as_bytes(), row);
        self.kin.children.insert(label.clone(), record);
    }

    /// Forgets a child, revokes whatever was issued to it, and closes its link.
    pub(crate) fn let_child_go(&mut self, label: &Label) {
        let Some(child) = self.kin.children.remove(label) else {
            return;
        };
        self.delete(Table::Children, label.as_str().as_bytes());
        self.forget_tickets_of(child.realm);
        if let Some(link) = self.routes.link_to(&Relation::Child(label.clone())) {
            self.close(link, Some(FailureCode::BadCertificate), "revoked");
        }
        self.routes.forget_child(label);
        self.drop_custody_of(label);
        if let Ok(path) = self.me.path().child(label) {
            self.trust.forget(&Scope {
                root: self.me.root(),
                path,
            });
        }
        for serial in child.serials() {
            self.revoke_serial(serial);
        }
    }

    fn offer_peer(
        &mut self,
        peer: &VerifiedChain,
        join: Join,
        given: Option<Label>,
    ) -> Result<Offered, &'static str> {
        if !peer.path().is_root() || !self.me.is_root() {
            return Err("only roots peer");
        }
        let known = self.kin.peers.contains_key(&peer.root());
        if !known && self.kin.peers.len() >= limits::PEERS {
            return Err("the inviter has as many peers as it may");
        }
        let petname = given.or(join.petname).ok_or("the join names no petname")?;
        let pinned = self.kin.petnames.get(&petname);
        if petname == self.root_name() || pinned.is_some_and(|pinned| *pinned != peer.root()) {
            return Err("your name is taken here: ask for an invitation with --as");
        }
        let admission = join.admission.ok_or("the join lets nothing in")?;
        let now = self.wall();
        let serial = self.next_serial();
        let peering = self.me.sign(&Peering {
            serial,
            inviter: self.me.realm(),
            acceptor: peer.realm(),
            from_inviter: whole_tree(),
            from_acceptor: admission,
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::PEERING_MS),
            inviter_node: self.me.node(),
            acceptor_node: peer.node(),
        });
        Ok(Offered::Peer {
            ticket: join.ticket,
            petname,
            peering,
        })
    }

    fn send_offer(&mut self, link: LinkId, offered: Offered) {
        let Some(chain) = self.me.chain().map(|chain| chain.chain().clone()) else {
            return;
        };
        let (child_cert, peering) = match &offered {
            Offered::Child { cert, .. } => (Some(cert.clone()), None),
            Offered::Peer { peering, .. } => (None, Some(peering.clone())),
        };
        if let Some(held) = self.links.get_mut(&link) {
            held.offered = Some(offered);
        }
        self.send_promise(
            link,
            &Frame::Offer(Offer {
                child_cert,
                peering,
                chain,
            }),
        );
    }

    /// Offers a child a new certificate for the label it holds.
    pub(crate) fn offer_renewal(&mut self, link: LinkId, label: &Label) {
        let Some(held) = self.links.get(&link) else {
            return;
        };
        if held.offered.is_some() || self.may_issue().is_err() || !self.is_renewal_due(label) {
            return;
        }
        let Some(chain) = self.links.get(&link).and_then(|link| link.chain.clone()) else {
            return;
        };
        let child = self.kin.children.get(label);
        if child.is_none_or(|child| child.realm != chain.realm()) {
            return self.counters.refuse(Refused::Certificate);
        }
        if let Ok(offered) = self.offer_child(&chain, label.clone(), None) {
            self.send_offer(link, offered);
        }
    }

    /// Whether a child's certificate is old enough, or names a node that no longer signs.
    fn is_renewal_due(&self, label: &Label) -> bool {
        let child = self.kin.children.get(label);
        let cert = child.and_then(|child| child.child_cert.peek().ok());
        cert.is_some_and(|cert| {
            let age = self.wall().since(cert.not_before);
            age >= limits::CHILD_RENEW_MS || cert.parent_node != self.me.node()
        })
    }

    fn next_serial(&mut self) -> u64 {
        self.kin.serial = self.kin.serial.saturating_add(1);
        self.put(
            Table::Standing,
            standing::SERIAL,
            state::write(&self.kin.serial),
        );
        self.kin.serial
    }

    pub(crate) fn handle_accept(&mut self, link: LinkId, accept: Accept) {
        let Some(held) = self.links.get_mut(&link) else {
            return;
        };
        let (Some(offered), Some(chain)) = (held.offered.take(), held.chain.clone()) else {
            return self.counters.refuse(Refused::Unasked);
        };
        let stored = match (offered, accept.child_cert, accept.peering) {
            (
                Offered::Child {
                    ticket,
                    label,
                    cert,
                },
                Some(signed),
                None,
            ) => self.accept_child(link, &chain, (ticket, label, cert), signed),
            (
                Offered::Peer {
                    ticket,
                    petname,
                    peering,
                },
                None,
                Some(signed),
            ) => self.accept_peer(link, &chain, (ticket, petname, peering), signed),
            _ => false,
        };
        if !stored {
            self.counters.refuse(Refused::Certificate);
            self.close(
                link,
                Some(FailureCode::BadCertificate),
                "not what was offered",
            );
        }
    }

    fn accept_child(
        &mut self,
        link: LinkId,
        child: &VerifiedChain,
        (ticket, label, offered): (Option<TicketId>, Label, Signed<ChildCert>),
        signed: Signed<ChildCert>,
    ) -> bool {
        let keys = [*self.me.node().as_bytes(), *child.node().as_bytes()];
        if signed.payload != offered.payload || verify(&signed, &keys).is_err() {
            return false;
        }
        let Some(held) = self.kin.children.get(&label) else {
            return false;
        };
        let serial = offered.peek().map(|cert| cert.serial).unwrap_or_default();
        if held.realm != child.realm() || !held.serials().contains(&serial) {
            return false;
        }
        let first = !held.accepted;
        let record = ChildRecord {
            chain: ticket.is_none().then(|| child.shared_chain()),
            realm: child.realm(),
            accepted: true,
            child_cert: signed,
            issued: held.issued.clone(),
        };
        let digest = record.child_cert.digest();
        self.put(
            Table::Children,
            label.as_str().as_bytes(),
            state::write(&record),
        );
        self.kin.children.insert(label.clone(), record);
        self.routes.know_child(label.clone());
        if let (true, Some(ticket), Ok(path)) = (first, ticket, self.me.path().child(&label)) {
            let root = self.me.root();
            let scope = Scope { root, path };
            self.audit(AuditNote {
                realm: Some(scope.clone()),
                ..AuditNote::new("child.joined").about(label.to_string())
            });
            self.allow_as_invited(&ticket, &scope);
        }
        self.send_promise(link, &Frame::Joined(Joined { record: digest }));
        if ticket.is_some() && self.routes.relation(link).is_some() {
            // A join repeated: what was shared before, the child could not take.
            self.share_records(link);
        }
        true
    }

    fn accept_peer(
        &mut self,
        link: LinkId,
        peer: &VerifiedChain,
        (ticket, petname, offered): (TicketId, Label, Signed<Peering>),
        signed: Signed<Peering>,
    ) -> bool {
        let keys = [*self.me.node().as_bytes(), *peer.node().as_bytes()];
        if signed.payload != offered.payload || verify(&signed, &keys).is_err() {
            return false;
        }
        let used_by = self.kin.tickets.get(&ticket).map(|held| &held.used_by);
        if !used_by.is_some_and(|used_by| used_by.contains(&peer.realm())) || !self.me.is_root() {
            return false;
        }
        let digest = signed.digest();
        let first = !self.kin.peers.contains_key(&peer.root());
        self.write_peer(peer, petname, signed, Vec::new());
        if first {
            self.allow_as_invited(&ticket, &peer.place().scope());
        }
        self.send_promise(link, &Frame::Joined(Joined { record: digest }));
        self.admit(link, Relation::Peer(peer.root()), peer.clone());
        true
    }
}
