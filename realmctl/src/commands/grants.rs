//! `grant`.

use realm_client::api::{GrantRequest, HoldRequest};

use crate::{
    cli::{GrantArgs, GrantCommand},
    failure::Failure,
    files,
    session::Session,
};

/// Gives, takes, lists, shows or takes back grants.
pub(crate) async fn run(session: &Session, command: GrantCommand) -> Result<(), Failure> {
    match command {
        GrantCommand::Create(args) => create(session, args).await,
        GrantCommand::Add { grant } => {
            let grant = files::argument(&grant)?.trim().to_owned();
            let daemon = session.daemon_to_change().await?;
            let request = HoldRequest { grant };
            session.print(&daemon.ask(daemon.client.hold_grant(&request)).await?)
        }
        GrantCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.grants()).await?)
        }
        GrantCommand::Show { id } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.grant(&id)).await?)
        }
        GrantCommand::Revoke { id } => {
            let daemon = session.daemon_to_change().await?;
            session.print(&daemon.ask(daemon.client.revoke_grant(&id)).await?)
        }
    }
}

async fn create(session: &Session, args: GrantArgs) -> Result<(), Failure> {
    let GrantArgs {
        holder,
        loops,
        uses,
        within,
        from,
        budget,
    } = args;
    let request = GrantRequest {
        holder,
        loops,
        uses,
        budget: budget.into_budget(),
        for_ms: Some(within.as_millis()),
        from,
    };
    let daemon = session.daemon_to_change().await?;
    let given = daemon.ask(daemon.client.create_grant(&request)).await?;
    session.say(&format!(
        "{} takes it with: realmctl grant add LINE",
        given.holder
    ));
    session.print(&given)
}
