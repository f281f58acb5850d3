//! `invite`, `join`, `ticket`, `peer`, `realm`.

use realm_client::{
    api::{InviteKind, JoinRequest, RevokeRequest, TicketRequest},
    ticket,
};

use crate::{
    cli::{InviteArgs, JoinArgs, PeerCommand, RealmCommand, TicketCommand},
    failure::Failure,
    files,
    session::Session,
};

/// Prints a ticket, and nothing else, on stdout.
pub(crate) async fn invite(session: &Session, args: InviteArgs) -> Result<(), Failure> {
    let InviteArgs {
        label,
        peer,
        allow,
        uses,
        ttl,
        petname,
    } = args;
    let request = TicketRequest {
        kind: if peer {
            InviteKind::Peer
        } else {
            InviteKind::Child
        },
        label,
        allow,
        uses: Some(uses),
        ttl_ms: Some(ttl.as_millis()),
        petname,
    };
    let daemon = session.daemon_to_change().await?;
    let issued = daemon.ask(daemon.client.invite(&request)).await?;
    session.print(&issued)?;
    session.say(&format!(
        "good until {}, for {} use(s)",
        issued.expires_at, issued.uses
    ));
    session.say("there: realmctl join -   (and paste the line above)");
    Ok(())
}

/// Redeems a ticket.
pub(crate) async fn join(session: &Session, args: JoinArgs) -> Result<(), Failure> {
    let JoinArgs {
        ticket,
        petname,
        allow,
    } = args;
    let text = files::argument(&ticket)?.trim().to_owned();
    let view = ticket::show(&text)?;
    let daemon = session.daemon_to_change().await?;
    session.say(&format!(
        "joining {} at {}",
        view.name,
        view.addresses.join(" ")
    ));
    let request = JoinRequest {
        ticket: text,
        petname,
        allow,
    };
    session.print(&daemon.ask(daemon.client.join(&request)).await?)
}

/// Shows what a ticket says.
pub(crate) fn ticket(session: &Session, command: &TicketCommand) -> Result<(), Failure> {
    let TicketCommand::Show { ticket: argument } = command;
    session.print(&ticket::show(&files::argument(argument)?)?)
}

/// Realms next to this one.
pub(crate) async fn peer(session: &Session, command: PeerCommand) -> Result<(), Failure> {
    match command {
        PeerCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.peers()).await?)
        }
        PeerCommand::Show { name } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.peer(&name)).await?)
        }
        PeerCommand::Ping { name } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.ping(&name)).await?)
        }
        PeerCommand::Rm { name } => {
            let daemon = session.daemon().await?;
            // What is not there is said before anybody is asked.
            daemon.ask(daemon.client.peer(&name)).await?;
            session.confirm(&format!("end what binds {name} to this realm"))?;
            session.say_realm(&daemon);
            session.print(&daemon.ask(daemon.client.remove_peer(&name)).await?)
        }
    }
}

/// Realms known here.
pub(crate) async fn realm(session: &Session, command: RealmCommand) -> Result<(), Failure> {
    match command {
        RealmCommand::Ls | RealmCommand::Tree => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.realms()).await?)
        }
        RealmCommand::Show { name } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.realm(&name)).await?)
        }
        RealmCommand::Revoke { name, reason } => {
            let daemon = session.daemon().await?;
            daemon.ask(daemon.client.peer(&name)).await?;
            session.confirm(&format!(
                "cut off {name} for good, with everything below it"
            ))?;
            session.say_realm(&daemon);
            let request = RevokeRequest { reason };
            session.print(&daemon.ask(daemon.client.revoke(&name, &request)).await?)
        }
    }
}
