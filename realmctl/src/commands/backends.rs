//! `backend`.

use crate::{cli::BackendCommand, failure::Failure, session::Session};

/// Lists or shows model backends.
pub(crate) async fn run(session: &Session, command: &BackendCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        BackendCommand::Ls => session.print(&daemon.ask(daemon.client.backends()).await?),
        BackendCommand::Show { id } => session.print(&daemon.ask(daemon.client.backend(id)).await?),
    }
}
