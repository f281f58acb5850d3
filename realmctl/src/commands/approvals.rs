//! `approval`.

use realm_client::api::{ApprovalQuery, ApproveCallRequest, DenyRequest};

use crate::{cli::ApprovalCommand, failure::Failure, session::Session};

/// Lists, shows or decides calls that wait for people to approve them.
pub(crate) async fn run(session: &Session, command: ApprovalCommand) -> Result<(), Failure> {
    match command {
        ApprovalCommand::Ls { run, all } => {
            let daemon = session.daemon().await?;
            let query = ApprovalQuery { run, all };
            session.print(&daemon.ask(daemon.client.approvals(&query)).await?)
        }
        ApprovalCommand::Show { id } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.approval(&id)).await?)
        }
        ApprovalCommand::Approve { id, reason } => {
            let daemon = session.daemon_to_change().await?;
            let request = ApproveCallRequest { reason };
            session.print(
                &daemon
                    .ask(daemon.client.approve_call(&id, &request))
                    .await?,
            )
        }
        ApprovalCommand::Deny { id, reason } => {
            let daemon = session.daemon_to_change().await?;
            let request = DenyRequest { reason };
            session.print(&daemon.ask(daemon.client.deny(&id, &request)).await?)
        }
    }
}
