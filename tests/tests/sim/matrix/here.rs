//! What policy is asked about a message for this realm: each action of the table is forbidden in turn, then all others
//! together, and what becomes of the message tells whether they were asked.

use std::collections::BTreeSet;

use realm_node::{ContractsOf, ControlId, HaltAsked, HaltOf, Request, Response, TraceOf};
use realm_policy::Action;
use realm_protocol::{
    broadcast::{Selection, Strategy},
    journal::{Direction, Status},
};
use realm_tests::Loops;
use serde_json::json;

use super::{
    super::{
        durable::bench::detached,
        market::{asked, bids, reach, rule},
    },
    *,
};

/// The kinds that begin something here, and the kind after which the policy changes; without one, before anything.
const WATCHED: [(Kind, Option<Kind>); 10] = [
    (Kind::Resolve, None),
    (Kind::Call, None),
    (Kind::Cancel, Some(Kind::Accepted)),
    (Kind::Contracts, None),
    (Kind::Announce, None),
    (Kind::Bid, Some(Kind::Announce)),
    (Kind::Award, Some(Kind::Bid)),
    (Kind::Lease, Some(Kind::Confirm)),
    (Kind::Halt, None),
    (Kind::TraceAsked, None),
];

/// Two organisations that may call and trade with each other, one with a child.
struct Fair {
    world: World,
    acme: HostId,
    ward: HostId,
    lab: HostId,
}

impl Fair {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (acme, lab) = (world.found("acme"), world.found("lab"));
        let ward = world.child(acme, "ward");
        world.peer(acme, lab);
        world.apply(
            acme,
            &[Loops::idempotent("see", 100), Loops::once("slow", 9_000)],
        );
        world.apply(lab, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
        world.allow(acme, "lab", "*");
        world.allow(lab, "acme", "see");
        world.permit(lab, "acme", "bid", "see");
        world.permit(acme, "lab", "award", "see");
        world.permit(acme, "lab", "read-trace", "see");
        world.run_for(5_000);
        world.tap = true;
        Self {
            world,
            acme,
            ward,
            lab,
        }
    }

    /// Who gets messages of a kind.
    fn receiver(&self, kind: Kind) -> HostId {
        match kind {
            Kind::Announce | Kind::Award | Kind::Lease => self.lab,
            Kind::Halt => self.ward,
            _ => self.acme,
        }
    }

    fn has_been_sent(&self, kind: Kind) -> bool {
        self.world.wire.iter().any(|(_, _, bytes)| {
            let frame = Frame::decode(bytes);
            let Ok(Frame::Envelope(envelope)) = frame else {
                return false;
            };
            envelope.peek().is_ok_and(|header| header.kind == kind)
        })
    }

    fn begin(&mut self, kind: Kind) -> (HostId, ControlId) {
        let (from, request) = match kind {
            Kind::Resolve => (self.lab, Request::Ping("acme".parse().unwrap())),
            Kind::Call => (self.lab, World::invoke("see@acme", json!({}))),
            Kind::Cancel => (self.lab, detached("slow@acme", json!({}))),
            Kind::Contracts => {
                let realm = "acme".parse().unwrap();
                let loop_id = None;
                (self.lab, Request::Contracts(ContractsOf { realm, loop_id }))
            }
            Kind::TraceAsked => {
                let runs = self.world.hosts[self.acme.0].disk.runs.values();
                let served = runs.last().expect("a run");
                let asked = TraceOf {
                    realm: self.world.hosts[self.acme.0].node().standing().scope,
                    call: served.call,
                    loop_id: "see".parse().unwrap(),
                    pass: None,
                };
                (self.lab, Request::Trace(Box::new(asked)))
            }
            Kind::Halt => {
                let halt = HaltAsked {
                    of: HaltOf::Realm("acme/ward".parse().unwrap()),
                    by: "owner".to_owned(),
                    why: None,
                };
                (self.acme, Request::Halt(halt))
            }
            _ => {
                let rule = rule(Selection::Best, 1, 0);
                let work = asked("see", reach(0, 0, 1), rule, Strategy::Select);
                (self.acme, Request::Broadcast(Box::new(work)))
            }
        };
        (from, self.world.ask(from, request))
    }

    /// Whether it came to what was meant.
    fn comes_to_it(&mut self, kind: Kind, (from, control): (HostId, ControlId)) -> bool {
        if kind == Kind::Cancel {
            let runs = self.world.hosts[self.lab.0].disk.runs.values();
            let run = runs.last().expect("a run").id;
            self.world.ask_and_wait(self.lab, Request::Cancel(run));
            self.world.run_for(2_000);
            let mut runs = self.world.hosts[self.acme.0].disk.runs.values();
            return runs
                .any(|run| run.direction == Direction::In && run.status == Status::Cancelled);
        }
        match self.world.wait_for(from, control) {
            Response::Pong { .. } => true,
            Response::Invoked(ended) => ended.result.is_ok(),
            Response::Contracts(known) => known.iter().any(|known| known.loop_id.as_str() == "see"),
            Response::TraceShown(shown) => !shown.items.is_empty(),
            Response::Broadcasted(ended) => ended.output.is_some(),
            Response::Done => {
                self.world.run_for(2_000);
                !self.world.hosts[self.ward.0]
                    .node()
                    .halts()
                    .above
                    .is_empty()
            }
            Response::Refused(_) => false,
            other => panic!("{kind:?}: {other:?}"),
        }
    }
}

/// Whether a message of a kind comes to what was meant where these actions are forbidden.
fn comes_to_it((kind, after): (Kind, Option<Kind>), forbidden: &BTreeSet<Action>) -> bool {
    let mut fair = Fair::new(714);
    if kind == Kind::TraceAsked {
        fair.world.call(fair.lab, "see@acme", json!({}));
        fair.world.run_for(1_000);
    }
    let to = fair.receiver(kind);
    let forbid = |fair: &mut Fair| {
        for action in forbidden {
            let id = format!("no-{action}");
            let cedar =
                format!("forbid (principal is Realm, action == Action::\"{action}\", resource);");
            fair.world.set_policy(to, &id, &cedar, false);
        }
    };
    if after.is_none() {
        forbid(&mut fair);
    }
    fair.world.wire.clear();
    let begun = fair.begin(kind);
    if let Some(after) = after {
        for _ in 0..10_000 {
            if fair.has_been_sent(after) {
                break;
            }
            fair.world.run_for(1);
        }
        assert!(fair.has_been_sent(after), "{}", after.name());
        forbid(&mut fair);
    }
    let comes = fair.comes_to_it(kind, begun);
    assert!(!comes || fair.has_been_sent(kind), "{}", kind.name());
    comes
}

#[test]
fn a_message_for_this_realm_is_asked_about_as_the_matrix_says_and_about_nothing_else() {
    let mut rows = table("message", &["asked of policy"]);
    let mut wrong = Vec::new();
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.is_spoken()) {
        let name = kind.name();
        let row = rows.remove(name).unwrap_or_else(|| panic!("no row {name}"));
        let expected: BTreeSet<Action> = match row[0].as_str() {
            "—" => BTreeSet::new(),
            asked => asked.split(", ").map(|one| one.parse().unwrap()).collect(),
        };
        let Some(watched) = WATCHED.into_iter().find(|(watched, _)| *watched == kind) else {
            assert!(expected.is_empty(), "{name}: no test lets it come");
            continue;
        };
        let others = Action::BETWEEN_REALMS.into_iter();
        let others = others.filter(|action| !expected.contains(action));
        if !comes_to_it(watched, &others.collect()) {
            wrong.push(format!("{name} is asked about more than {expected:?}"));
        }
        for action in expected {
            if comes_to_it(watched, &[action].into()) {
                wrong.push(format!("{name} is not asked about {action}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(rows.is_empty(), "rows without a kind: {rows:?}");
}
