//! `agent state`.

use realm_client::api::StateQuery;

use crate::{cli::StateCommand, failure::Failure, files, session::Session};

/// Lists, shows, exports or removes what agents keep.
pub(crate) async fn run(session: &Session, command: StateCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        StateCommand::Ls { agent: None } => {
            session.print(&daemon.ask(daemon.client.states()).await?)
        }
        StateCommand::Ls { agent: Some(agent) } => {
            let query = StateQuery::default();
            session.print(&daemon.ask(daemon.client.state(&agent, &query)).await?)
        }
        StateCommand::Show { agent, key } => {
            let query = StateQuery { key: Some(key) };
            let found = daemon.ask(daemon.client.state(&agent, &query)).await?;
            found
                .items
                .iter()
                .try_for_each(|value| session.print(value))
        }
        StateCommand::Export { agent, out } => {
            let query = StateQuery::default();
            let found = daemon.ask(daemon.client.state(&agent, &query)).await?;
            let text = serde_json::to_vec_pretty(&found.items)
                .map_err(|error| Failure::Json("the state".to_owned(), error))?;
            files::replace(&out, &text)
        }
        StateCommand::Rm { agent, key } => {
            let what = match &key {
                Some(key) => format!("remove {key} of what agent {agent} keeps"),
                None => format!("remove all that agent {agent} keeps"),
            };
            session.confirm(&what)?;
            session.say_realm(&daemon);
            let query = StateQuery { key };
            session.print(
                &daemon
                    .ask(daemon.client.remove_state(&agent, &query))
                    .await?,
            )
        }
    }
}
