//! Joining, once and again, with what goes wrong on the way.

use realm_node::{InviteAsked, InviteKind, JoinAsked, Refusal, Request, Response};
use realm_protocol::{Secret16, records::Ticket};
use realm_tests::{CrashPoint, HostId, Tree, World, invariants};
use serde_json::json;

fn join(ticket: Ticket) -> Request {
    Request::Join(JoinAsked {
        ticket,
        petname: None,
        allow: vec![],
    })
}

fn child_ticket(world: &mut World, parent: HostId, label: &str) -> Ticket {
    world.ticket(parent, InviteKind::Child(label.parse().unwrap()), &[])
}

#[test]
fn a_ticket_is_good_for_one_realm() {
    let mut world = World::new(80);
    let acme = world.found("acme");
    let first = world.found("first");
    let second = world.found("second");
    let ticket = child_ticket(&mut world, acme, "health");
    let joined = world.ask_and_wait(first, join(ticket.clone()));
    assert!(matches!(joined, Response::Joined(_)), "{joined:?}");
    let refused = world.ask_and_wait(second, join(ticket));
    let Response::Refused(Refusal::TicketRefused { detail }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(detail, "the ticket has been used up");
    invariants::check(&mut world);
}

#[test]
fn a_wrong_secret_and_an_expired_ticket_are_refused() {
    let mut world = World::new(81);
    let acme = world.found("acme");
    let other = world.found("other");
    let ticket = child_ticket(&mut world, acme, "health");
    let wrong = Ticket {
        secret: Secret16::new([7; 16]),
        ..ticket.clone()
    };
    let refused = world.ask_and_wait(other, join(wrong));
    let Response::Refused(Refusal::TicketRefused { detail }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(detail, "the ticket is not valid");
    world.leap(2 * 3_600_000);
    let refused = world.ask_and_wait(other, join(ticket.clone()));
    assert!(
        matches!(refused, Response::Refused(Refusal::TicketExpired)),
        "{refused:?}"
    );
    let forged = Ticket {
        expires: ticket.expires.plus(10 * 3_600_000),
        ..ticket
    };
    let refused = world.ask_and_wait(other, join(forged));
    assert!(
        matches!(
            refused,
            Response::Refused(Refusal::TicketRefused { ref detail }) if detail == "the ticket is not valid"
        ),
        "{refused:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_policy_can_forbid_a_join_that_a_ticket_would_permit() {
    let mut world = World::new(82);
    let acme = world.found("acme");
    let other = world.found("other");
    let forbid = r#"forbid (principal, action == Action::"join", resource);"#;
    world.set_policy(acme, "no-joins", forbid, false);
    let ticket = child_ticket(&mut world, acme, "health");
    let refused = world.ask_and_wait(other, join(ticket));
    assert!(
        matches!(refused, Response::Refused(Refusal::TicketRefused { .. })),
        "{refused:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_join_interrupted_at_any_entry_can_be_repeated_with_its_ticket() {
    for peer in [false, true] {
        for inviter_crashes in [false, true] {
            for durable in [false, true] {
                for entries in 1..5 {
                    interrupted((peer, inviter_crashes), entries, durable);
                }
            }
        }
    }
}

fn interrupted((peer, inviter_crashes): (bool, bool), entries: u64, durable: bool) {
    let mut world = World::new(83 + entries);
    let case = format!("peer {peer}, inviter {inviter_crashes}, entry {entries}, {durable}");
    let acme = world.found("acme");
    let other = world.found("other");
    let kind = if peer {
        InviteKind::Peer
    } else {
        InviteKind::Child("health".parse().unwrap())
    };
    let ticket = world.ticket(acme, kind, &["echo"]);
    let point = CrashPoint {
        entries,
        durable,
        down_ms: 2_000,
    };
    let crashing = if inviter_crashes { acme } else { other };
    world.crash_points.insert(crashing, point);
    world.ask(other, join(ticket.clone()));
    world.run_for(20_000);
    world.crash_points.clear();
    let joined = world.ask_and_wait(other, join(ticket));
    assert!(matches!(joined, Response::Joined(_)), "{case}: {joined:?}");
    world.run_for(20_000);
    let call = world.call(other, "echo@acme", json!({"n": 1}));
    assert_eq!(call.result, Ok(json!({"n": 1})), "{case}");
    let broken = invariants::broken(&mut world);
    assert!(broken.is_empty(), "{case}: {broken:#?}");
}

#[test]
fn a_link_lost_in_the_middle_of_a_join_is_dialled_again() {
    for after in 1..40 {
        let mut world = World::new(84);
        let acme = world.found("acme");
        let other = world.found("other");
        let ticket = child_ticket(&mut world, acme, "health");
        world.ask(other, join(ticket.clone()));
        world.run_for(after);
        world.cut_once(acme, other);
        world.run_for(60_000);
        let joined = world.ask_and_wait(other, join(ticket));
        assert!(matches!(joined, Response::Joined(_)), "{after}: {joined:?}");
        world.run_for(1_000);
        let call = world.call(acme, "echo@acme/health", json!({}));
        assert_eq!(call.result, Ok(json!({})), "{after}");
        invariants::check(&mut world);
    }
}

#[test]
fn a_realm_that_is_bound_does_not_join_elsewhere() {
    let mut world = World::new(85);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let other = world.found("other");
    let ticket = child_ticket(&mut world, other, "health");
    let refused = world.ask_and_wait(health, join(ticket));
    assert!(
        matches!(refused, Response::Refused(Refusal::NotFree { .. })),
        "{refused:?}"
    );
    let peer = InviteAsked {
        kind: InviteKind::Peer,
        allow: vec![],
        uses: 1,
        ttl_ms: 1_000,
        petname: None,
    };
    let refused = world.ask_and_wait(health, Request::Invite(peer));
    assert!(
        matches!(refused, Response::Refused(Refusal::NotRoot { .. })),
        "{refused:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_stranger_s_clock_does_not_keep_a_realm_from_inviting() {
    let mut world = World::new(86);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.hosts[health.0].clock_offset = 3_600_000;
    world.run_for(10_000);
    child_ticket(&mut world, acme, "billing");
    let asked = InviteAsked {
        kind: InviteKind::Child("x".parse().unwrap()),
        allow: vec![],
        uses: 1,
        ttl_ms: 1_000,
        petname: None,
    };
    for _ in 0..12 {
        world.run_for(1_000);
        let refused = world.ask_and_wait(health, Request::Invite(asked.clone()));
        assert!(
            matches!(refused, Response::Refused(Refusal::ClockSkew { .. })),
            "{refused:?}"
        );
    }
    invariants::check(&mut world);
}

#[test]
fn used_tickets_do_not_use_up_the_room_for_new_ones() {
    let mut world = World::new(87);
    let acme = world.found("acme");
    let other = world.found("other");
    for _ in 0..256 {
        world.ticket(acme, InviteKind::Peer, &[]);
    }
    let asked = InviteAsked {
        kind: InviteKind::Peer,
        allow: vec![],
        uses: 1,
        ttl_ms: 1_000,
        petname: None,
    };
    let refused = world.ask_and_wait(acme, Request::Invite(asked));
    assert!(
        matches!(refused, Response::Refused(Refusal::Full { .. })),
        "{refused:?}"
    );
    world.leap(2 * 3_600_000);
    world.peer(acme, other);
    invariants::check(&mut world);
}
