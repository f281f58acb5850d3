//! `loop` and `agent`.

use realm_client::api::{AgentView, LoopQuery, Page, RemoveQuery};

use super::states;
use crate::{
    cli::{AgentCommand, LoopCommand},
    failure::Failure,
    session::Session,
};

/// More than a realm has.
const LOOPS: usize = usize::MAX;

/// Lists, shows or removes loops.
pub(crate) async fn run(session: &Session, command: LoopCommand) -> Result<(), Failure> {
    match command {
        LoopCommand::Ls { of } => {
            let realm = of.map(|realm| realm.trim_start_matches('@').to_owned());
            let daemon = session.daemon().await?;
            let items = daemon.loops(realm, LOOPS).await?;
            session.print(&Page { items, next: None })
        }
        LoopCommand::Show { address, example } => {
            let (id, realm) = match address.split_once('@') {
                Some((id, realm)) => (id, Some(realm.to_owned())),
                None => (address.as_str(), None),
            };
            let query = LoopQuery {
                realm,
                example,
                cursor: None,
            };
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.loop_detail(id, &query)).await?)
        }
        LoopCommand::History { id } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.loop_history(&id)).await?)
        }
        LoopCommand::Rm { id, version, force } => {
            own(&id)?;
            let daemon = session.daemon().await?;
            // What is not there is said before anybody is asked.
            let agent = daemon.ask(daemon.client.agent(&id)).await?;
            removable(&agent)?;
            let of = version
                .as_deref()
                .map(|version| format!("version {version} of "));
            session.confirm(&format!("remove {}loop {id}", of.unwrap_or_default()))?;
            session.say_realm(&daemon);
            let query = RemoveQuery { version, force };
            session.print(&daemon.ask(daemon.client.remove_loop(&id, &query)).await?)
        }
    }
}

/// Lists, shows or removes agents.
pub(crate) async fn agent(session: &Session, command: AgentCommand) -> Result<(), Failure> {
    match command {
        AgentCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.agents()).await?)
        }
        AgentCommand::Show { id } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.agent(&id)).await?)
        }
        AgentCommand::State(command) => states::run(session, command).await,
        AgentCommand::Rm { id, force } => {
            own(&id)?;
            let daemon = session.daemon().await?;
            let agent = daemon.ask(daemon.client.agent(&id)).await?;
            removable(&agent)?;
            session.confirm(&format!("remove agent {id}, and its loop"))?;
            session.say_realm(&daemon);
            let query = RemoveQuery {
                version: None,
                force,
            };
            session.print(&daemon.ask(daemon.client.remove_agent(&id, &query)).await?)
        }
    }
}

/// What comes with every realm stays.
fn removable(agent: &AgentView) -> Result<(), Failure> {
    if agent.builtin {
        let what = format!("loop `{}` is built in and cannot be removed", agent.loop_id);
        return Err(Failure::Usage(what, None));
    }
    Ok(())
}

fn own(id: &str) -> Result<(), Failure> {
    if id.contains('@') {
        let what = "only loops of this realm can be removed".to_owned();
        return Err(Failure::Usage(what, None));
    }
    Ok(())
}
