//! Trees of realms in a world: invited, joined and peered as people do it.

use realm_node::{
    AllowAsked, CallerName, InviteAsked, InviteKind, InvokeAsked, JoinAsked, Request, Response,
};
use realm_protocol::records::Ticket;
use serde_json::Value;

use crate::{HostId, World};

/// Ways to build trees and to call across them.
pub trait Tree {
    /// Founds a realm and joins it to a parent under a label.
    fn child(&mut self, parent: HostId, label: &str) -> HostId;
    /// Peers two roots.
    fn peer(&mut self, inviter: HostId, acceptor: HostId);
    /// Calls a loop and waits for the end.
    fn call(&mut self, from: HostId, address: &str, input: Value) -> realm_node::Invocation;
    /// The request of a call.
    fn invoke(address: &str, input: Value) -> Request;
    /// The request of a call with a deadline of its own.
    fn invoke_within(address: &str, input: Value, timeout_ms: u64) -> Request;
    /// Permits a realm and all below it to invoke loops of a host's.
    fn allow(&mut self, host: HostId, caller: &str, pattern: &str);
    /// Permits a realm and all below it an action on loops by a pattern.
    fn permit(&mut self, host: HostId, who: &str, action: &str, pattern: &str);
    /// Sets a policy of a host's, for itself or for the realms below it.
    fn set_policy(&mut self, host: HostId, id: &str, cedar: &str, subtree: bool);
    /// Makes a ticket.
    fn ticket(&mut self, inviter: HostId, kind: InviteKind, allow: &[&str]) -> Ticket;
}

impl Tree for World {
    fn child(&mut self, parent: HostId, label: &str) -> HostId {
        let child = self.found(label);
        let kind = InviteKind::Child(label.parse().expect("a label"));
        let ticket = self.ticket(parent, kind, &[]);
        let asked = JoinAsked {
            ticket,
            petname: None,
            allow: vec![],
        };
        match self.ask_and_wait(child, Request::Join(asked)) {
            Response::Joined(_) => child,
            other => panic!("{label} could not join: {other:?}"),
        }
    }

    fn peer(&mut self, inviter: HostId, acceptor: HostId) {
        let ticket = self.ticket(inviter, InviteKind::Peer, &[]);
        let asked = JoinAsked {
            ticket,
            petname: None,
            allow: vec![],
        };
        match self.ask_and_wait(acceptor, Request::Join(asked)) {
            Response::Joined(_) => {}
            other => panic!("no peering: {other:?}"),
        }
    }

    fn call(&mut self, from: HostId, address: &str, input: Value) -> realm_node::Invocation {
        match self.ask_and_wait(from, Self::invoke(address, input)) {
            Response::Invoked(invocation) => *invocation,
            other => panic!("{address}: {other:?}"),
        }
    }

    fn invoke(address: &str, input: Value) -> Request {
        Request::Invoke(InvokeAsked {
            address: address.parse().expect("an address"),
            version: None,
            input,
            timeout_ms: None,
            key: None,
            caller: None,
            store: false,
            detach: false,
            stream: false,
            budget: realm_protocol::budget::Budget::default(),
            backend: None,
        })
    }

    fn invoke_within(address: &str, input: Value, timeout_ms: u64) -> Request {
        match Self::invoke(address, input) {
            Request::Invoke(asked) => Request::Invoke(InvokeAsked {
                timeout_ms: Some(timeout_ms),
                ..asked
            }),
            other => other,
        }
    }

    fn allow(&mut self, host: HostId, caller: &str, pattern: &str) {
        self.permit(host, caller, "invoke", pattern);
    }

    fn permit(&mut self, host: HostId, who: &str, action: &str, pattern: &str) {
        let asked = AllowAsked {
            caller: CallerName::Realm(who.parse().expect("a realm")),
            action: action.to_owned(),
            pattern: pattern.to_owned(),
            owner: None,
            for_ms: None,
            subtree: false,
            dry_run: false,
        };
        match self.ask_and_wait(host, Request::Allow(asked)) {
            Response::Allowed(_) => {}
            other => panic!("{who} is not permitted to {action}: {other:?}"),
        }
    }

    fn set_policy(&mut self, host: HostId, id: &str, cedar: &str, subtree: bool) {
        let request = Request::SetPolicy {
            id: id.to_owned(),
            cedar: cedar.to_owned(),
            subtree,
        };
        match self.ask_and_wait(host, request) {
            Response::Done => {}
            other => panic!("the policy is not set: {other:?}"),
        }
    }

    fn ticket(&mut self, inviter: HostId, kind: InviteKind, allow: &[&str]) -> Ticket {
        let asked = InviteAsked {
            kind,
            allow: allow.iter().map(|pattern| (*pattern).to_owned()).collect(),
            uses: 1,
            ttl_ms: 3_600_000,
            petname: None,
        };
        match self.ask_and_wait(inviter, Request::Invite(asked)) {
            Response::Invited(invited) => invited.ticket,
            other => panic!("no ticket: {other:?}"),
        }
    }
}
