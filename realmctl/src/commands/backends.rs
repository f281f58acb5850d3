//! `backend`.

use std::collections::BTreeMap;

use realm_client::api::{ApproveRequest, ImportResult, ToolState, ToolView};

use crate::{
    cli::BackendCommand,
    failure::Failure,
    session::{Daemon, Session},
};

/// Lists or shows backends, approves tools of MCP servers, and writes loops for them.
pub(crate) async fn run(session: &Session, command: &BackendCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        BackendCommand::Ls => session.print(&daemon.ask(daemon.client.backends()).await?),
        BackendCommand::Show { id } => session.print(&daemon.ask(daemon.client.backend(id)).await?),
        BackendCommand::Approve { id, tools } => approve(session, id, tools).await,
        BackendCommand::Import { id, tools } => import(session, &daemon, id, tools).await,
    }
}

/// Approves tools as they are shown: one that changes in between stays refused.
async fn approve(session: &Session, id: &str, wanted: &[String]) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let shown = daemon.ask(daemon.client.backend(id)).await?;
    if let Some(fault) = shown.fault {
        session.say(&format!("fault: {fault}"));
    }
    let is_open = |tool: &ToolView| {
        matches!(tool.state, ToolState::Unapproved | ToolState::Changed) && !tool.digest.is_empty()
    };
    let mut approved = BTreeMap::new();
    for tool in shown.tools {
        let named = wanted.contains(&tool.name);
        if named || (wanted.is_empty() && is_open(&tool)) {
            session.say(&format!(
                "{}: {}",
                tool.name,
                tool.description.unwrap_or_default()
            ));
            approved.insert(tool.name, tool.digest);
        }
    }
    for name in wanted {
        // The daemon says that there is no such tool.
        approved.entry(name.clone()).or_default();
    }
    if approved.is_empty() {
        session.say("every tool that loops call is approved");
        return Ok(());
    }
    let request = ApproveRequest { tools: approved };
    session.print(&daemon.ask(daemon.client.approve(id, &request)).await?)
}

async fn import(
    session: &Session,
    daemon: &Daemon,
    id: &str,
    wanted: &[String],
) -> Result<(), Failure> {
    let ImportResult { mut documents } = daemon.ask(daemon.client.backend_loops(id)).await?;
    let tool = |document: &serde_json::Value| {
        let tool = document.pointer("/tool/config/tool");
        tool.and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    documents.retain(|loop_| {
        wanted.is_empty() || tool(&loop_.document).is_some_and(|tool| wanted.contains(&tool))
    });
    session.print(&ImportResult { documents })
}
