//! `breaker`.

use realm_client::api::ResetRequest;

use crate::{cli::BreakerCommand, failure::Failure, session::Session};

/// Lists, shows or closes breakers.
pub(crate) async fn run(session: &Session, command: BreakerCommand) -> Result<(), Failure> {
    match command {
        BreakerCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.breakers()).await?)
        }
        BreakerCommand::Show { name } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.breaker(&name)).await?)
        }
        BreakerCommand::Reset { name, why } => {
            let daemon = session.daemon_to_change().await?;
            let request = ResetRequest { why };
            let reset = daemon.client.reset_breaker(&name, &request);
            session.print(&daemon.ask(reset).await?)
        }
    }
}
