//! `stack`.

use realm_client::api::RemoveQuery;

use crate::{cli::StackCommand, failure::Failure, session::Session};

/// Lists, shows or removes stacks.
pub(crate) async fn run(session: &Session, command: StackCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        StackCommand::Ls => session.print(&daemon.ask(daemon.client.stacks()).await?),
        StackCommand::Show { id } => session.print(&daemon.ask(daemon.client.stack(&id)).await?),
        StackCommand::Rm { id, force } => {
            // What is not there is said before anybody is asked.
            let stack = daemon.ask(daemon.client.stack(&id)).await?;
            session.confirm(&format!(
                "remove stack {}, and what only it announces",
                stack.id
            ))?;
            session.say_realm(&daemon);
            let query = RemoveQuery {
                version: None,
                force,
            };
            session.print(&daemon.ask(daemon.client.remove_stack(&id, &query)).await?)
        }
    }
}
