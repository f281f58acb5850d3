//! How realms become parent and child, or peers: invite, ask, offer, accept.
//!
//! The inviter signs first, the joiner countersigns; both write down before they say so.

use realm_crypto::{VerifiedChain, verify, verify_first};
use realm_policy::{Action, Resource};
use realm_protocol::{
    FailureCode, Label, RealmId, RealmPath, Scope, TicketId,
    journal::Table,
    limits,
    link::{Accept, Frame, Join, Joined, Offer},
    records::{ChildCert, ChildLimits, Grant, Peering, Signed, Ticket, TicketKind},
};
use realm_router::{LinkId, Relation};
use subtle::ConstantTimeEq;

use crate::{
    ControlId, Effect, InviteAsked, InviteKind, Invited, JoinAsked, JoinedAs, Node, Refusal,
    Refused, Response,
    links::Dialled,
    state::{self, ChildRecord, ParentRecord, PeerRecord, TicketRecord, standing, ticket_row},
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
    pub(crate) fn invite(&mut self, id: ControlId, asked: InviteAsked) {
        match self.make_ticket(asked) {
            Ok(ticket) => {
                self.respond(id, Response::Invited(Box::new(Invited { ticket })));
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    fn make_ticket(&mut self, asked: InviteAsked) -> Result<Ticket, Refusal> {
        self.may_issue()?;
        let now = self.wall();
        self.drop_expired_tickets();
        if self.kin.tickets.len() >= limits::TICKETS {
            return Err(Refusal::Full {
                what: "open tickets",
                limit: limits::TICKETS,
            });
        }
        let longest = 30 * limits::TICKET_MS;
        if asked.ttl_ms == 0 || asked.ttl_ms > longest {
            let range = "between one second and 30 days".to_owned();
            return Err(Refusal::Range {
                what: "the ticket's life",
                range,
            });
        }
        if asked.uses == 0 || asked.uses > 1_000 {
            let range = "between 1 and 1,000".to_owned();
            return Err(Refusal::Range {
                what: "the number of uses",
                range,
            });
        }
        let kind = match asked.kind {
            InviteKind::Child(label) => {
                self.me
                    .path()
                    .child(label.clone())
                    .map_err(|error| Refusal::Range {
                        what: "the child's path",
                        range: error.to_string(),
                    })?;
                if self
                    .kin
                    .children
                    .get(&label)
                    .is_some_and(|child| child.accepted)
                {
                    return Err(Refusal::LabelTaken { label });
                }
                if self.kin.children.len() >= limits::CHILDREN {
                    return Err(Refusal::Full {
                        what: "children",
                        limit: limits::CHILDREN,
                    });
                }
                TicketKind::Child(label)
            }
            InviteKind::Peer if !self.me.is_root() => {
                return Err(Refusal::NotRoot {
                    scope: self.me.scope(),
                });
            }
            InviteKind::Peer if self.kin.peers.len() >= limits::PEERS => {
                return Err(Refusal::Full {
                    what: "peers",
                    limit: limits::PEERS,
                });
            }
            InviteKind::Peer => TicketKind::Peer(self.root_name()),
        };
        let mut addresses = self.config.addresses.clone();
        addresses.truncate(limits::ADDRESSES);
        let ticket = Ticket {
            id: TicketId::new(self.random()),
            secret: realm_protocol::Secret16::new(self.random()),
            kind,
            realm: self.me.realm(),
            root: self.me.root(),
            path: self.me.path().clone(),
            petname: self.root_name(),
            node: self.me.node(),
            addresses,
            expires: now.plus(asked.ttl_ms),
        };
        let record = TicketRecord {
            ticket: ticket.clone(),
            uses: asked.uses,
            allow: asked.allow,
            petname: asked.petname,
            used_by: Vec::new(),
        };
        self.put(
            Table::Tickets,
            &ticket_row(&ticket.id),
            state::write(&record),
        );
        self.kin.tickets.insert(ticket.id, record);
        Ok(ticket)
    }

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
        if self.skew_ms > limits::CLOCK_SKEW_MS {
            return Err(Refusal::ClockSkew {
                skew_ms: self.skew_ms,
            });
        }
        if self.me.may_issue(self.wall()) {
            Ok(())
        } else {
            Err(Refusal::MayNotIssue)
        }
    }

    pub(crate) fn drop_expired_tickets(&mut self) {
        let now = self.wall();
        let expired = self
            .kin
            .tickets
            .iter()
            .filter(|(_, held)| held.ticket.expires <= now);
        let expired: Vec<TicketId> = expired.map(|(id, _)| *id).collect();
        for id in expired {
            self.kin.tickets.remove(&id);
            self.delete(Table::Tickets, &ticket_row(&id));
        }
    }

    // The joiner's side.

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
        if pinned.is_some_and(|pinned| *pinned != asked.ticket.root) {
            return Err(Refusal::PetnameTaken {
                petname: petname.clone(),
            });
        }
        if asked.ticket.realm == self.me.realm() {
            return Err(Refusal::TicketRefused {
                detail: "it is this realm's own".to_owned(),
            });
        }
        match asked.ticket.kind {
            TicketKind::Peer(_) if !self.me.is_root() => Err(Refusal::NotRoot {
                scope: self.me.scope(),
            }),
            TicketKind::Peer(_) => Ok(()),
            TicketKind::Child(_) => match self.bound_by() {
                Some(what) => Err(Refusal::NotFree { what }),
                None => Ok(()),
            },
        }
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
            grant: peer.then(whole_tree),
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
        if let Some(dial) = dial {
            self.dials.remove(&dial);
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
            None => renewing && self.me.path().labels().last() == Some(&claimed.label),
        };
        let mine = claimed.child == self.me.realm() && claimed.child_node == self.me.node();
        let theirs = claimed.parent == parent.realm() && claimed.parent_node == parent.node();
        if !(label_agreed
            && mine
            && theirs
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
        self.put(Table::Standing, standing::PARENT, state::write(&record));
        self.kin.parent = Some(record);
        self.pin(petname, parent.root());
        self.me.set_above(parent, cert.clone());
        self.take_place();
        if let Some(asked) = joining {
            self.allow_patterns(&parent.place().scope(), &asked.allow);
        }
        let accept = Accept {
            child_cert: Some(cert),
            peering: None,
        };
        self.send_promise(link, &Frame::Accept(accept));
    }

    /// This realm's place may have changed: routes, own policies and the chain follow it.
    fn take_place(&mut self) {
        self.routes.set_place(self.me.scope());
        self.renew_default_policies();
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
        let with = chain.place().scope();
        if relation == Relation::Parent {
            self.greet(link);
        }
        if self.links.get(&link).is_some_and(|link| !link.admitted) {
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
            self.respond(control, Response::Joined(joined));
        }
    }

    // The inviter's side.

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
        let offered = match kind {
            TicketKind::Child(label) => self.offer_child(joiner, label, Some(join.ticket))?,
            TicketKind::Peer(_) => self.offer_peer(joiner, join, given)?,
        };
        self.send_offer(link, offered);
        Ok(())
    }

    fn offer_child(
        &mut self,
        child: &VerifiedChain,
        label: Label,
        ticket: Option<TicketId>,
    ) -> Result<Offered, &'static str> {
        let held = self.kin.children.get(&label);
        if held.is_some_and(|held| held.realm != child.realm() && held.accepted) {
            return Err("the label belongs to another realm by now");
        }
        let epoch = held
            .and_then(|held| held.child_cert.peek().ok())
            .map_or(0, |cert| cert.epoch);
        let (rate, burst) = limits::CHILD_RATE;
        let now = self.wall();
        let mut cert = Signed::unsigned(&ChildCert {
            serial: self.next_serial(),
            parent: self.me.realm(),
            label: label.clone(),
            child: child.realm(),
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::CHILD_CERT_MS),
            parent_node: self.me.node(),
            child_node: child.node(),
            limits: ChildLimits {
                rate: u64::from(rate),
                burst: u64::from(burst),
                may_certify: true,
            },
            epoch: epoch.saturating_add(1),
        });
        self.me.signer().sign(&mut cert);
        Ok(Offered::Child {
            ticket,
            label,
            cert,
        })
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
        let petname = given.or(join.petname).ok_or("the join names no petname")?;
        let pinned = self.kin.petnames.get(&petname);
        if pinned.is_some_and(|pinned| *pinned != peer.root()) {
            return Err("your name is taken here: ask for an invitation with --as");
        }
        let grant = join.grant.ok_or("the join grants nothing")?;
        let now = self.wall();
        let mut peering = Signed::unsigned(&Peering {
            serial: self.next_serial(),
            inviter: self.me.realm(),
            acceptor: peer.realm(),
            from_inviter: whole_tree(),
            from_acceptor: grant,
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::PEERING_MS),
            inviter_node: self.me.node(),
            acceptor_node: peer.node(),
        });
        self.me.signer().sign(&mut peering);
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
        if self.may_issue().is_err() {
            return;
        }
        let Some(chain) = self.links.get(&link).and_then(|link| link.chain.clone()) else {
            return;
        };
        if let Ok(offered) = self.offer_child(&chain, label.clone(), None) {
            self.send_offer(link, offered);
        }
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
        let record = ChildRecord {
            chain: ticket.is_none().then(|| child.chain().clone()),
            realm: child.realm(),
            accepted: true,
            child_cert: signed,
        };
        let digest = record.child_cert.digest();
        self.put(
            Table::Children,
            label.as_str().as_bytes(),
            state::write(&record),
        );
        self.kin.children.insert(label.clone(), record);
        self.routes.know_child(label.clone());
        self.use_ticket(ticket, child, &label);
        self.send_promise(link, &Frame::Joined(Joined { record: digest }));
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
        let digest = signed.digest();
        self.write_peer(peer, petname.clone(), signed, Vec::new());
        self.use_ticket(Some(ticket), peer, &petname);
        self.send_promise(link, &Frame::Joined(Joined { record: digest }));
        self.admit(link, Relation::Peer(peer.root()), peer.clone());
        true
    }

    fn use_ticket(&mut self, ticket: Option<TicketId>, joiner: &VerifiedChain, name: &Label) {
        let Some(id) = ticket else { return };
        let Some(held) = self.kin.tickets.get_mut(&id) else {
            return;
        };
        if !held.used_by.contains(&joiner.realm()) {
            held.uses = held.uses.saturating_sub(1);
            held.used_by.push(joiner.realm());
        }
        let (row, allow, kind) = (
            state::write(held),
            held.allow.clone(),
            held.ticket.kind.clone(),
        );
        self.put(Table::Tickets, &ticket_row(&id), row);
        let caller = match kind {
            TicketKind::Child(_) => {
                let path = self.me.path().child(name.clone());
                path.map(|path| Scope {
                    root: self.me.root(),
                    path,
                })
                .ok()
            }
            TicketKind::Peer(_) => Some(joiner.place().scope()),
        };
        if let Some(caller) = caller {
            self.allow_patterns(&caller, &allow);
        }
    }

    fn write_peer(
        &mut self,
        peer: &VerifiedChain,
        petname: Label,
        peering: Signed<Peering>,
        addresses: Vec<String>,
    ) {
        let root = peer.root();
        let record = PeerRecord {
            petname: petname.clone(),
            peering,
            chain: peer.chain().clone(),
            addresses,
            node: peer.node(),
        };
        self.put(Table::Peers, root.as_bytes(), state::write(&record));
        self.kin.peers.insert(root, record);
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
        if age >= limits::CHILD_RENEW_MS {
            let renew = realm_protocol::link::Renew { held: Some(digest) };
            self.send(link, &Frame::Renew(renew));
        }
    }
}

/// A grant of everything: policy narrows it.
fn whole_tree() -> Grant {
    let (rate, burst) = limits::PEER_RATE;
    Grant {
        scopes: vec![RealmPath::ROOT],
        rate: u64::from(rate),
        burst: u64::from(burst),
    }
}
