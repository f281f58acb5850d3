//! Joining: a ticket is shown, and what the inviter offers is checked and countersigned.

use realm_crypto::{VerifiedChain, verify_first};
use realm_protocol::{
    Label, RealmId, RealmPath, Scope,
    audit::AuditNote,
    journal::Table,
    limits,
    link::{Accept, Frame, Join, Joined, Offer},
    records::{Admission, ChildCert, Peering, Signed, Ticket, TicketKind},
};
use realm_router::{LinkId, Relation};

use crate::{
    ControlId, Effect, JoinAsked, JoinedAs, Node, Refusal, Refused, Response,
    links::Dialled,
    state::{self, ParentRecord, PeerRecord, Target, standing},
};
impl Node {
    pub(crate) fn join(&mut self, id: ControlId, asked: JoinAsked) {
        if let Err(refusal) = self.may_join(&asked) {
            return self.refuse(id, refusal);
        }
        let (node, addresses) = (asked.ticket.node, asked.ticket.addresses.clone());
        let dial = self.next_dial();
        self.dials.insert(dial, Dialled::Join(id, Box::new(asked)));
        self.out.emit(Effect::Dial {
            dial,
            node,
            addresses,
        });
    }

    fn may_join(&self, asked: &JoinAsked) -> Result<(), Refusal> {
        self.may_issue()?;
        if asked.ticket.expires <= self.wall() {
            return Err(Refusal::TicketExpired);
        }
        let petname = asked.petname.as_ref().unwrap_or(&asked.ticket.petname);
        let pinned = self.kin.petnames.get(petname);
        let mine = *petname == self.root_name() && asked.ticket.root != self.me.root();
        let as_peer = matches!(asked.ticket.kind, TicketKind::Peer(_));
        if mine && as_peer || pinned.is_some_and(|pinned| *pinned != asked.ticket.root) {
            return Err(Refusal::PetnameTaken {
                petname: petname.clone(),
            });
        }
        if asked.ticket.realm == self.me.realm() {
            return Err(Refusal::TicketRefused {
                detail: "it is this realm's own".to_owned(),
            });
        }
        match &asked.ticket.kind {
            TicketKind::Peer(_) if !self.me.is_root() => Err(Refusal::NotRoot {
                scope: self.me.scope(),
            }),
            TicketKind::Peer(_) => Ok(()),
            TicketKind::Child(label) => match self.bound_by() {
                // A join whose end got lost may be repeated.
                Some(_) if self.is_place(&asked.ticket, label) => Ok(()),
                Some(what) => Err(Refusal::NotFree { what }),
                None => Ok(()),
            },
        }
    }

    /// Whether a ticket is for the place that this realm has.
    fn is_place(&self, ticket: &Ticket, label: &Label) -> bool {
        let cert = self.kin.parent.as_ref();
        let cert = cert.and_then(|parent| parent.child_cert.peek().ok());
        cert.is_some_and(|cert| cert.parent == ticket.realm && cert.label == *label)
    }

    /// What keeps this realm from taking a new place.
    fn bound_by(&self) -> Option<&'static str> {
        if self.kin.parent.is_some() {
            Some("a parent")
        } else if !self.kin.children.is_empty() {
            Some("children")
        } else if !self.kin.peers.is_empty() {
            Some("peers")
        } else {
            None
        }
    }

    fn joining(&self, link: LinkId) -> Option<(ControlId, &JoinAsked)> {
        let dial = self.links.get(&link)?.dial?;
        match self.dials.get(&dial)? {
            Dialled::Join(control, asked) => Some((*control, asked)),
            Dialled::Keep(_) => None,
        }
    }

    /// Whether a link was dialled to join with.
    pub(crate) fn is_joining(&self, link: LinkId) -> bool {
        self.joining(link).is_some()
    }

    /// Dials a parent or peer that this side has written down, though the join was not finished:
    /// the other side may have done so too.
    pub(crate) fn keep_what_was_joined(&mut self, asked: &JoinAsked) {
        match &asked.ticket.kind {
            TicketKind::Child(label) if self.is_place(&asked.ticket, label) => {
                self.schedule_redial(Target::Parent);
            }
            TicketKind::Peer(_) if self.kin.peers.contains_key(&asked.ticket.root) => {
                self.schedule_redial(Target::Peer(asked.ticket.root));
            }
            _ => {}
        }
    }

    /// The inviter has shown who it is: asks, if that is who the ticket names.
    pub(crate) fn ask_to_join(&mut self, link: LinkId) {
        let Some((_, asked)) = self.joining(link) else {
            return;
        };
        let ticket = &asked.ticket;
        let chain = self.links.get(&link).and_then(|link| link.chain.as_ref());
        let named = chain.is_some_and(|chain| {
            chain.realm() == ticket.realm
                && chain.root() == ticket.root
                && *chain.path() == ticket.path
        });
        if !named {
            return self.close(link, None, "not the realm that the ticket names");
        }
        let peer = matches!(ticket.kind, TicketKind::Peer(_));
        let join = Join {
            ticket: ticket.id,
            secret: ticket.secret,
            admission: peer.then(whole_tree),
            petname: peer.then(|| self.config.name.clone()),
        };
        self.send(link, &Frame::Join(join));
    }

    pub(crate) fn join_failed(&mut self, control: ControlId, detail: &str) {
        self.refuse(
            control,
            Refusal::Unreachable {
                detail: detail.to_owned(),
            },
        );
    }

    pub(crate) fn join_refused(&mut self, link: LinkId, detail: &str) {
        let Some((control, _)) = self.joining(link) else {
            return;
        };
        let dial = self.links.get(&link).and_then(|link| link.dial);
        let dialled = dial.and_then(|dial| self.dials.remove(&dial));
        if let Some(Dialled::Join(_, asked)) = dialled {
            self.keep_what_was_joined(&asked);
        }
        self.refuse(
            control,
            Refusal::TicketRefused {
                detail: detail.to_owned(),
            },
        );
    }

    pub(crate) fn handle_offer(&mut self, link: LinkId, offer: Offer) {
        let Some(chain) = self.links.get(&link).and_then(|link| link.chain.clone()) else {
            return self.counters.refuse(Refused::NotAdmitted);
        };
        match (offer.child_cert, offer.peering) {
            (Some(cert), None) => self.take_child_cert(link, &chain, cert),
            (None, Some(peering)) => self.take_peering(link, &chain, peering),
            _ => self.counters.refuse(Refused::Malformed),
        }
    }

    /// Countersigns a certificate if it says what was agreed.
    fn take_child_cert(
        &mut self,
        link: LinkId,
        parent: &VerifiedChain,
        mut cert: Signed<ChildCert>,
    ) {
        let joining = self.joining(link).map(|(_, asked)| asked.clone());
        let renewing = self.routes.relation(link) == Some(&Relation::Parent);
        let Ok(claimed) = cert.peek() else {
            return self.counters.refuse(Refused::Malformed);
        };
        let label_agreed = match joining.as_ref().map(|asked| &asked.ticket.kind) {
            Some(TicketKind::Child(label)) => claimed.label == *label,
            Some(TicketKind::Peer(_)) => false,
            None => renewing && self.me.path().last_label().as_ref() == Some(&claimed.label),
        };
        let mine = claimed.child == self.me.realm() && claimed.child_node == self.me.node();
        let theirs = claimed.parent == parent.realm() && claimed.parent_node == parent.node();
        // Something may have been bound to this place since the join was asked for.
        let free = match joining.as_ref().map(|asked| &asked.ticket) {
            Some(ticket) => self.is_place(ticket, &claimed.label) || self.bound_by().is_none(),
            None => true,
        };
        if !(label_agreed
            && mine
            && theirs
            && free
            && verify_first(&cert, parent.node().as_bytes()).is_ok())
        {
            self.counters.refuse(Refused::Certificate);
            return self.join_refused(link, "the certificate offered is not what was agreed");
        }
        self.me.signer().sign(&mut cert);
        let held = self.kin.parent.as_ref();
        let addresses = joining.as_ref().map(|asked| asked.ticket.addresses.clone());
        let petname = joining.as_ref().map(|asked| {
            asked
                .petname
                .clone()
                .unwrap_or_else(|| asked.ticket.petname.clone())
        });
        let (Some(addresses), Some(petname)) = (
            addresses.or_else(|| held.map(|held| held.addresses.clone())),
            petname.or_else(|| held.map(|held| held.petname.clone())),
        ) else {
            return;
        };
        let record = ParentRecord {
            chain: parent.chain().clone(),
            child_cert: cert.clone(),
            node: parent.node(),
            addresses,
            petname: petname.clone(),
        };
        if joining.is_some() {
            let with = parent.place().scope();
            self.audit(AuditNote {
                realm: Some(with.clone()),
                ..AuditNote::new("realm.joined").about(with.to_string())
            });
        }
        self.put(Table::Standing, standing::PARENT, state::write(&record));
        self.kin.parent = Some(record);
        self.pin(petname, parent.root());
        let before = self.me.scope();
        self.me.set_above(parent, cert.clone());
        if self.me.scope() == before {
            self.chain_changed();
        } else {
            self.take_place(&before);
        }
        if let Some(asked) = joining {
            self.allow_patterns(&parent.place().scope(), &asked.allow);
        }
        let accept = Accept {
            child_cert: Some(cert),
            peering: None,
        };
        self.send_promise(link, &Frame::Accept(accept));
    }

    /// This realm's place has changed: routes, own policies and the chain follow it.
    fn take_place(&mut self, before: &Scope) {
        self.routes.set_place(self.me.scope());
        self.move_default_policies(before);
        self.chain_changed();
    }

    fn take_peering(
        &mut self,
        link: LinkId,
        inviter: &VerifiedChain,
        mut peering: Signed<Peering>,
    ) {
        let Some((_, asked)) = self.joining(link) else {
            return self.counters.refuse(Refused::NotAdmitted);
        };
        let asked = asked.clone();
        let agreed = peering.peek().is_ok_and(|claimed| {
            claimed.inviter == inviter.realm()
                && claimed.acceptor == self.me.realm()
                && claimed.inviter_node == inviter.node()
                && claimed.acceptor_node == self.me.node()
                && claimed.from_acceptor == whole_tree()
        });
        let first = verify_first(&peering, inviter.node().as_bytes()).is_ok();
        if !(agreed && first && matches!(asked.ticket.kind, TicketKind::Peer(_))) {
            self.counters.refuse(Refused::Certificate);
            return self.join_refused(link, "the peering offered is not what was agreed");
        }
        self.me.signer().sign(&mut peering);
        let petname = asked
            .petname
            .clone()
            .unwrap_or_else(|| asked.ticket.petname.clone());
        let addresses = asked.ticket.addresses.clone();
        self.write_peer(inviter, petname, peering.clone(), addresses);
        self.allow_patterns(&inviter.place().scope(), &asked.allow);
        let accept = Accept {
            child_cert: None,
            peering: Some(peering),
        };
        self.send_promise(link, &Frame::Accept(accept));
    }

    /// The inviter has stored the record: the join is done.
    pub(crate) fn handle_joined(&mut self, link: LinkId, joined: &Joined) {
        let Some(chain) = self.links.get(&link).and_then(|link| link.chain.clone()) else {
            return;
        };
        let parent = self.kin.parent.as_ref();
        let as_child = parent.is_some_and(|parent| {
            parent.child_cert.digest() == joined.record && parent.node == chain.node()
        });
        let as_peer = self.kin.peers.get(&chain.root());
        let as_peer = as_peer.is_some_and(|peer| peer.peering.digest() == joined.record);
        let relation = match (as_child, as_peer) {
            (true, _) => Relation::Parent,
            (_, true) => Relation::Peer(chain.root()),
            _ => return self.counters.refuse(Refused::Unasked),
        };
        let control = self.joining(link).map(|(control, _)| control);
        let admitted = self.routes.relation(link) == Some(&relation);
        if control.is_none() && !admitted || self.relation_to(&chain) != Some(relation.clone()) {
            return self.counters.refuse(Refused::Unasked);
        }
        let with = chain.place().scope();
        let new = self.links.get(&link).is_some_and(|link| !link.admitted);
        if new {
            if relation == Relation::Parent {
                // The parent knew a stranger until now: the new chain shows its child.
                self.greet(link, false);
            }
            self.admit(link, relation, chain);
        }
        if let Some(control) = control {
            let petname = self.kin.petname_of(with.root).cloned();
            let joined = JoinedAs {
                me: self.me.scope(),
                petname: petname.unwrap_or_else(|| self.root_name()),
                peer: as_peer,
                with,
            };
            match self.links.get_mut(&link) {
                // What the tree permits, and the names it knows, follow in the parent's records.
                Some(link) if new && as_child => link.joined = Some((control, joined)),
                _ => self.respond(control, Response::Joined(joined)),
            }
        }
    }

    /// Tells whoever asked to join that it is done, unless that was told.
    pub(crate) fn tell_joined(&mut self, joined: Option<(ControlId, JoinedAs)>) {
        if let Some((control, joined)) = joined {
            self.respond(control, Response::Joined(joined));
        }
    }

    pub(crate) fn write_peer(
        &mut self,
        peer: &VerifiedChain,
        petname: Label,
        peering: Signed<Peering>,
        addresses: Vec<String>,
    ) {
        let root = peer.root();
        let addresses = match self.kin.peers.get(&root) {
            Some(held) if addresses.is_empty() => held.addresses.clone(),
            _ => addresses,
        };
        let record = PeerRecord {
            petname: petname.clone(),
            peering,
            chain: peer.chain().clone(),
            addresses,
            node: peer.node(),
        };
        self.put(Table::Peers, root.as_bytes(), state::write(&record));
        self.audit(AuditNote {
            realm: Some(peer.place().scope()),
            ..AuditNote::new("peer.joined").about(petname.to_string())
        });
        self.kin.peers.insert(root, record);
        self.rules.set_peers(&self.kin.peers);
        self.routes.know_peer(root);
        self.pin(petname.clone(), root);
        self.add_peer_policies(root, &petname);
        self.publish_policy();
    }

    /// Gives a root a petname on this machine.
    pub(crate) fn pin(&mut self, petname: Label, root: RealmId) {
        let row = state::write(&root);
        self.put(Table::Petnames, petname.as_str().as_bytes(), row);
        self.kin.petnames.insert(petname, root);
    }

    /// Asks the parent for a new certificate once the one held is old enough.
    pub(crate) fn renew_child_cert(&mut self) {
        let Some(cert) = self.me.parent_cert() else {
            return;
        };
        let (Ok(held), digest) = (cert.peek(), cert.digest()) else {
            return;
        };
        let age = self.wall().since(held.not_before);
        let Some(link) = self.routes.link_to(&Relation::Parent) else {
            return;
        };
        if age >= limits::CHILD_RENEW_MS.saturating_add(self.renewal_jitter_ms) {
            let renew = realm_protocol::link::Renew { held: Some(digest) };
            self.send(link, &Frame::Renew(renew));
        }
    }
}

/// Everything is let in: policy narrows it.
pub(crate) fn whole_tree() -> Admission {
    let (rate, burst) = limits::PEER_RATE;
    Admission {
        scopes: vec![RealmPath::ROOT],
        rate: u64::from(rate),
        burst: u64::from(burst),
    }
}
