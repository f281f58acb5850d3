//! Inviting and joining.

use realm_client::{
    api::{InviteKind, JoinRequest, Joined, Problem, TicketIssued, TicketRequest},
    catalogue::Code,
    ticket,
};
use realm_node::{InviteAsked, JoinAsked, Node, Request, Response};
use realm_protocol::{Label, RealmId, limits};

use super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::unexpected,
    people::Asker,
    policy::pattern,
    problem::Fail,
    views::{own_realm, realm, short, time},
};
use crate::addresses;

pub(super) async fn invite(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<TicketRequest>,
) -> Answer<TicketIssued> {
    let TicketRequest {
        kind,
        label,
        allow,
        uses,
        ttl_ms,
        petname,
    } = request;
    let (listening, config) = (daemon.listening.borrow().clone(), daemon.config());
    if addresses::for_tickets(&config.config.advertise, &listening).is_empty() {
        return Err(Problem::new(
            Code::NotReady,
            "the realm has no address that a ticket could name",
        )
        .with_hint("set `advertise` or `listen`: realmctl config explain advertise")
        .into());
    }
    let label = label.map(|text| read_label(&text)).transpose()?;
    let petname = petname.map(|text| read_label(&text)).transpose()?;
    let allow = patterns(&allow)?;
    let (invited, petname) = match (kind, label) {
        (InviteKind::Child, Some(label)) => (realm_node::InviteKind::Child(label), petname),
        (InviteKind::Child, None) => return Err(invalid("an invitation of a child needs a label")),
        (InviteKind::Peer, label) => (realm_node::InviteKind::Peer, label.or(petname)),
    };
    let uses = uses.unwrap_or(1);
    let asked = InviteAsked {
        kind: invited,
        allow,
        uses: u64::from(uses),
        ttl_ms: ttl_ms.unwrap_or(limits::TICKET_MS),
        petname,
    };
    match daemon
        .handle
        .ask(asker.asks(Request::Invite(asked)))
        .await?
    {
        Response::Invited(invited) => {
            let made = &invited.ticket;
            let label = match &made.kind {
                realm_protocol::records::TicketKind::Child(label) => Some(label.to_string()),
                realm_protocol::records::TicketKind::Peer(_) => None,
            };
            Ok(axum::Json(TicketIssued {
                ticket: ticket::encode(made),
                id: made.id.to_string(),
                kind,
                label,
                uses,
                expires_at: time(made.expires),
                addresses: made.addresses.clone(),
            }))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn join(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<JoinRequest>,
) -> Answer<Joined> {
    let JoinRequest {
        ticket,
        petname,
        allow,
    } = request;
    let ticket =
        ticket::decode(&ticket).map_err(|error| Fail::new(error.code(), error.to_string()))?;
    let inviter = ticket.realm;
    let asked = JoinAsked {
        ticket,
        petname: petname.map(|text| read_label(&text)).transpose()?,
        allow: patterns(&allow)?,
    };
    let before = daemon.handle.read(policy_ids).await?;
    match daemon.handle.ask(asker.asks(Request::Join(asked))).await? {
        Response::Joined(joined) => {
            let look = move |node: &Node| joined_view(node, &joined, inviter, &before);
            Ok(axum::Json(daemon.handle.read(look).await?))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

fn policy_ids(node: &Node) -> Vec<String> {
    node.policies().map(|(id, ..)| id.to_owned()).collect()
}

fn joined_view(
    node: &Node,
    joined: &realm_node::JoinedAs,
    inviter: RealmId,
    before: &[String],
) -> Joined {
    let peers = node.peers();
    let peering = peers
        .iter()
        .find(|peer| peer.root == joined.with.root && joined.peer);
    let expires = match peering {
        Some(peering) => peering.expires,
        None => node.standing().chain_expires,
    };
    Joined {
        kind: if joined.peer {
            InviteKind::Peer
        } else {
            InviteKind::Child
        },
        realm: own_realm(node),
        with: realm(node, &joined.with, Some(inviter)),
        expires_at: time(expires.unwrap_or_default()),
        policies: policy_ids(node)
            .into_iter()
            .filter(|id| !before.contains(id))
            .collect(),
    }
}

fn patterns(texts: &[String]) -> Result<Vec<String>, Fail> {
    texts.iter().map(|text| pattern(text)).collect()
}

fn read_label(text: &str) -> Result<Label, Fail> {
    text.parse()
        .map_err(|error| Fail::new(Code::InviteLabel, format!("`{}`: {error}", short(text))))
}
