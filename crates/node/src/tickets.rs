//! Tickets: made by an invitation, used up by joins, gone with their time.

use realm_protocol::{
    RealmId, Scope, TicketId,
    audit::AuditNote,
    journal::Table,
    limits,
    records::{Ticket, TicketKind},
};

use crate::{
    ControlId, InviteAsked, InviteKind, Invited, Node, Refusal, Response,
    state::{self, TicketRecord, ticket_row},
};
impl Node {
    pub(crate) fn invite(&mut self, id: ControlId, by: Option<&str>, asked: InviteAsked) {
        match self.make_ticket(asked) {
            Ok(ticket) => {
                self.audit(AuditNote {
                    person: by.map(ToOwned::to_owned),
                    ..AuditNote::new("ticket.made").about(ticket.id.to_string())
                });
                self.respond(id, Response::Invited(Box::new(Invited { ticket })));
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    fn make_ticket(&mut self, asked: InviteAsked) -> Result<Ticket, Refusal> {
        self.may_issue()?;
        let now = self.wall();
        self.drop_expired_tickets();
        self.forget_a_used_ticket();
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
                    .child(&label)
                    .map_err(|error| Refusal::Range {
                        what: "the child's path",
                        range: error.to_string(),
                    })?;
                if self
                    .kin
                    .children
                    .get(&label)
                    .is_some_and(|child| child.accepted && !child.is_over(now))
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

    /// Takes back every ticket that a realm has used: it was let go, and is to be invited anew.
    pub(crate) fn forget_tickets_of(&mut self, realm: RealmId) {
        let used = self.kin.tickets.iter();
        let used: Vec<TicketId> = used
            .filter(|(_, held)| held.used_by.contains(&realm))
            .map(|(id, _)| *id)
            .collect();
        for id in used {
            self.kin.tickets.remove(&id);
            self.delete(Table::Tickets, &ticket_row(&id));
        }
    }

    /// Takes one use off a ticket for a realm that has not used it yet. It is taken when the
    /// certificate leaves, because that is when it begins to be good for something.
    pub(crate) fn use_ticket(&mut self, id: TicketId, joiner: RealmId) {
        let Some(held) = self.kin.tickets.get_mut(&id) else {
            return;
        };
        if !held.used_by.contains(&joiner) {
            held.uses = held.uses.saturating_sub(1);
            held.used_by.push(joiner);
            let row = state::write(held);
            self.put(Table::Tickets, &ticket_row(&id), row);
        }
    }

    /// Permits what the invitation promised, once: it may be taken back later.
    pub(crate) fn allow_as_invited(&mut self, ticket: &TicketId, caller: &Scope) {
        let held = self.kin.tickets.get(ticket);
        let allow = held.map(|held| held.allow.clone()).unwrap_or_default();
        self.allow_patterns(caller, &allow);
    }

    /// Where there is no room, a ticket without uses left goes: its joiner can no longer repeat
    /// the join.
    fn forget_a_used_ticket(&mut self) {
        if self.kin.tickets.len() < limits::TICKETS {
            return;
        }
        let used = self.kin.tickets.iter().filter(|(_, held)| held.uses == 0);
        let oldest = used.min_by_key(|(_, held)| held.ticket.expires);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.kin.tickets.remove(&id);
            self.delete(Table::Tickets, &ticket_row(&id));
        }
    }
}
