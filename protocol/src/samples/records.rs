//! One value of every record that a realm signs.

use super::{NOW, Sample, budget, digest, loop_id, node, path, realm, sample, signed};
use crate::{
    ApprovalId, CallId, Digest, GrantId, RealmPath, RunId, Secret16, TicketId,
    records::{
        Admission, Approval, ApprovalAction, ApprovalVerdict, Chain, ChainLink, ChildCert,
        ChildLimits, Grant, Inception, KemPurpose, KemRecord, NodeCert, Peering, Petname,
        PolicyRecord, RealmRecord, RevocationList, Role, Succession, SuccessionReason, Ticket,
        TicketKind,
    },
};

pub(super) fn inception() -> Inception {
    Inception {
        realm_key: [1; 32],
        next_key: digest(2),
        created: NOW,
    }
}

pub(super) fn succession() -> Succession {
    Succession {
        realm: realm(1),
        number: 1,
        previous: digest(1),
        realm_key: [3; 32],
        next_key: digest(4),
        reason: SuccessionReason::Routine,
        created: NOW,
    }
}

pub(super) fn node_cert() -> NodeCert {
    NodeCert {
        serial: 1,
        realm: realm(1),
        node: node(2),
        scopes: 3,
        not_before: NOW,
        not_after: NOW.plus(1),
        epoch: 0,
    }
}

pub(super) fn child_cert() -> ChildCert {
    ChildCert {
        serial: 70_000,
        parent: realm(1),
        label: "health".parse().unwrap(),
        child: realm(2),
        not_before: NOW,
        not_after: NOW.plus(1),
        parent_node: node(3),
        child_node: node(4),
        limits: ChildLimits {
            rate: 5_000,
            burst: 20_000,
            may_certify: true,
        },
        epoch: 1,
    }
}

fn kem() -> KemRecord {
    KemRecord {
        realm: realm(1),
        node: node(2),
        key: [9; 32],
        purpose: KemPurpose::Live,
        not_before: NOW,
        not_after: NOW.plus(1),
    }
}

fn realm_record() -> RealmRecord {
    RealmRecord {
        realm: realm(1),
        epoch: 1,
        node: node(2),
        created: NOW,
    }
}

pub(super) fn admission() -> Admission {
    Admission {
        scopes: vec![path(""), path("health/cardiology")],
        rate: 50,
        burst: 200,
    }
}

pub(super) fn peering() -> Peering {
    Peering {
        serial: 2,
        inviter: realm(1),
        acceptor: realm(2),
        from_inviter: admission(),
        from_acceptor: admission(),
        not_before: NOW,
        not_after: NOW.plus(1),
        inviter_node: node(3),
        acceptor_node: node(4),
    }
}

pub(super) fn revocations() -> RevocationList {
    RevocationList {
        realm: realm(1),
        number: 300,
        serials: vec![1, 24, 256, 65_536],
        created: NOW,
        node: node(2),
    }
}

pub(crate) fn approval() -> Approval {
    Approval {
        id: ApprovalId::new([1; 16]),
        action: ApprovalAction {
            realm: realm(1),
            run: RunId::new([1; 16]),
            frame: CallId::new([2; 16]),
            loop_id: "rollback@lab/genomics".to_owned(),
            version: Some("1.0.0".to_owned()),
            revision: Some(Digest::of(&[b"revision"])),
            contract: Some(Digest::of(&[b"contract"])),
            input: Digest::of(&[b"input"]),
            callee: Some(crate::Scope {
                root: realm(2),
                path: RealmPath::ROOT,
            }),
        },
        verdict: ApprovalVerdict::Granted,
        person: "alice".to_owned(),
        roles: vec![Role::Approver],
        reason: Some("as agreed".to_owned()),
        decided: NOW,
        expires: NOW,
        node: node(3),
    }
}

pub(super) fn policy() -> PolicyRecord {
    PolicyRecord {
        realm: realm(1),
        number: 1,
        cedar: "permit (principal, action, resource);".to_owned(),
        petnames: vec![Petname {
            name: "lab".parse().unwrap(),
            root: realm(2),
        }],
        created: NOW,
        node: node(2),
        above: Some(digest(5)),
    }
}

pub(super) fn ticket() -> Ticket {
    Ticket {
        id: TicketId::new([1; 16]),
        secret: Secret16::new([2; 16]),
        kind: TicketKind::Child("health".parse().unwrap()),
        realm: realm(1),
        root: realm(1),
        path: RealmPath::ROOT,
        petname: "acme".parse().unwrap(),
        node: node(2),
        addresses: vec!["/ip4/192.0.2.1/tcp/4100".to_owned()],
        expires: NOW,
    }
}

pub(super) fn all() -> Vec<Sample> {
    vec![
        sample("Inception", &inception()),
        sample("Signed<Inception>", &signed(&inception())),
        sample("Succession", &succession()),
        sample("NodeCert", &node_cert()),
        sample("ChildCert", &child_cert()),
        sample("Signed<ChildCert>", &signed(&child_cert())),
        sample("KemRecord", &kem()),
        sample("RealmRecord", &realm_record()),
        sample("Peering", &peering()),
        sample("RevocationList", &revocations()),
        sample("PolicyRecord", &policy()),
        sample("Approval", &approval()),
        sample("Grant", &grant()),
    ]
}

pub(super) fn chain() -> Chain {
    let link = |child_cert| ChainLink {
        inception: signed(&inception()),
        successions: vec![signed(&succession())],
        node_cert: signed(&node_cert()),
        child_cert,
    };
    Chain {
        links: vec![link(None), link(Some(signed(&child_cert())))],
        kem: vec![signed(&kem())],
        realm_record: signed(&realm_record()),
    }
}

pub(super) fn grant() -> Grant {
    Grant {
        id: GrantId::at(NOW, [1; 10]),
        issuer: realm(1),
        node: node(2),
        holder: realm(3),
        loops: vec!["billing/*".parse().unwrap()],
        uses: Some(3),
        budget: Some(budget()),
        not_before: NOW,
        not_after: NOW.plus(60_000),
        from: Some(digest(4)),
        agent: Some(loop_id()),
        run: Some(RunId::new([5; 16])),
    }
}
