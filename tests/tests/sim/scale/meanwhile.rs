//! What goes on while a thousand realms are pulled about: some join, and some pay each other.

use realm_node::{ControlId, InviteKind, Invocation, InvokeAsked, JoinAsked, Request, Response};
use realm_protocol::{
    journal::{Direction, Run, Status},
    limits,
    records::Ticket,
};
use realm_tests::{HostId, Loops, Tree, World};
use serde_json::json;

use super::Land;

/// Realms that join meanwhile.
const GUESTS: usize = 20;
/// Pairs of which one calls a loop of the other's that must never run twice.
const PAIRS: usize = 50;
/// Of these, how many are answered meanwhile at least.
const ANSWERED: usize = PAIRS / 4;

/// What there is to do meanwhile, and what has been asked.
#[derive(Default)]
pub(super) struct Meanwhile {
    invited: Vec<Guest>,
    joining: Vec<(Guest, HostId, ControlId)>,
    payments: Vec<Payment>,
}

struct Guest {
    parent: HostId,
    label: String,
    ticket: Ticket,
}

struct Payment {
    from: HostId,
    to: HostId,
    asked: InvokeAsked,
    control: Option<ControlId>,
}

impl Land {
    /// Invites the guests, and lets those who are paid offer it. None of them has to do with who is
    /// let in no more.
    pub(super) fn prepare(&mut self, gone: &[HostId]) {
        while self.meanwhile.invited.len() < GUESTS {
            let parent = self.anybody();
            let depth = self.names[parent.0].matches('/').count();
            if depth < limits::PATH_DEPTH && !gone.contains(&parent) {
                let label = format!("g{}", self.meanwhile.invited.len());
                let guest = self.invite(parent, label);
                self.meanwhile.invited.push(guest);
            }
        }
        while self.meanwhile.payments.len() < PAIRS {
            let (from, to) = (self.anybody(), self.anybody());
            let roots = [from, to].map(|host| self.names[host.0].split('/').next());
            let strange = [from, to].iter().any(|host| gone.contains(host));
            if from == to || roots[0] != roots[1] || strange {
                continue;
            }
            self.world.apply(to, &[Loops::once("pay", 10)]);
            let n = self.meanwhile.payments.len();
            let address = format!("pay@{}", self.names[to.0]);
            let Request::Invoke(asked) = World::invoke(&address, json!({"n": n})) else {
                unreachable!("it invokes");
            };
            let asked = InvokeAsked {
                key: Some(format!("payment {n}")),
                ..asked
            };
            let control = None;
            self.meanwhile.payments.push(Payment {
                from,
                to,
                asked,
                control,
            });
        }
    }

    fn invite(&mut self, parent: HostId, label: String) -> Guest {
        let kind = InviteKind::Child(label.parse().unwrap());
        let ticket = self.world.ticket(parent, kind, &[]);
        Guest {
            parent,
            label,
            ticket,
        }
    }

    fn join(&mut self, host: HostId, guest: &Guest) -> ControlId {
        let asked = JoinAsked {
            ticket: guest.ticket.clone(),
            petname: None,
            allow: vec![],
        };
        self.world.ask(host, Request::Join(asked))
    }

    /// Lets the next guest join, and the next two pay; whether it works out is another matter.
    pub(super) fn go_on(&mut self) {
        if let Some(guest) = self.meanwhile.invited.pop() {
            let host = self.world.found(&guest.label);
            let above = &self.names[guest.parent.0];
            self.names.push(format!("{above}/{}", guest.label));
            self.parents.push(Some(guest.parent));
            let control = self.join(host, &guest);
            self.meanwhile.joining.push((guest, host, control));
        }
        for _ in 0..2 {
            let mut payments = self.meanwhile.payments.iter_mut();
            let due = |it: &&mut Payment| it.control.is_none() && self.world.is_up(it.from);
            if let Some(payment) = payments.find(due) {
                let asked = Request::Invoke(payment.asked.clone());
                payment.control = Some(self.world.ask(payment.from, asked));
            }
        }
    }

    /// The guests that are let in.
    pub(super) fn guests(&self) -> Vec<HostId> {
        let joining = self.meanwhile.joining.iter();
        let joined = joining.filter(|(_, host, control)| {
            let outcome = self.world.outcomes.get(&(*host, *control));
            outcome.is_some_and(|done| matches!(done.response, Response::Joined(_)))
        });
        joined.map(|(_, host, _)| *host).collect()
    }

    /// Lets in whoever has knocked in vain, by another ticket.
    pub(super) fn let_in(&mut self) {
        let joined = self.guests();
        assert!(!joined.is_empty(), "nobody joined meanwhile");
        for (guest, host, _) in std::mem::take(&mut self.meanwhile.joining) {
            if joined.contains(&host) {
                continue;
            }
            let label = format!("{}-again", guest.label);
            let guest = self.invite(guest.parent, label);
            let control = self.join(host, &guest);
            match self.world.wait_for(host, control) {
                Response::Joined(_) => {}
                other => panic!("{} is not let in: {other:?}", guest.label),
            }
        }
    }

    /// What was acknowledged is on both disks, and is the answer for ever; nothing was paid twice.
    pub(super) fn settle_payments(&mut self) {
        let payments = std::mem::take(&mut self.meanwhile.payments);
        let first = payments.iter().map(|it| self.paid(it, it.control));
        let first: Vec<_> = first.collect();
        let answered = first.iter().flatten().count();
        assert!(answered >= ANSWERED, "{answered} of {PAIRS} were answered");
        for (payment, paid) in payments.iter().zip(&first) {
            if let Some(paid) = paid {
                self.assert_kept(payment, paid);
            }
        }
        let mut again = Vec::new();
        for payment in &payments {
            let asked = Request::Invoke(payment.asked.clone());
            again.push(self.world.ask(payment.from, asked));
        }
        self.world.run_for(60_000);
        for ((payment, paid), control) in payments.iter().zip(first).zip(again) {
            let repeated = self.paid(payment, Some(control));
            if let Some(paid) = paid {
                let repeated = repeated.map(|again| again.result);
                assert_eq!(repeated, Some(paid.result), "{:?}", payment.asked);
            }
        }
        let work = self.world.work.values();
        let twice = work.filter(|work| work.times > 1);
        assert_eq!(twice.count(), 0, "something was paid twice");
        while self.world.resume_all() > 0 {
            self.world.run_for(200);
        }
    }

    /// How a payment ended, if it ended well.
    fn paid(&self, payment: &Payment, control: Option<ControlId>) -> Option<Invocation> {
        let outcome = self.world.outcomes.get(&(payment.from, control?))?;
        match &outcome.response {
            Response::Invoked(call) if call.result.is_ok() => Some((**call).clone()),
            _ => None,
        }
    }

    fn assert_kept(&self, payment: &Payment, paid: &Invocation) {
        let output = |run: &Run| {
            let output = run.output.as_deref()?;
            serde_json::from_slice(output).ok()
        };
        let holds = |host: HostId, direction: Direction| {
            let mut runs = self.world.hosts[host.0].disk.runs.values();
            let is_it = |run: &Run| {
                run.call == paid.call
                    && run.direction == direction
                    && run.status == Status::Completed
                    && output(run) == paid.result.as_ref().ok().cloned()
            };
            runs.any(is_it)
        };
        assert!(holds(payment.from, Direction::Out), "lost: {paid:?}");
        assert!(holds(payment.to, Direction::In), "lost: {paid:?}");
    }
}
