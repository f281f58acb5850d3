//! `tool`.

use std::collections::BTreeMap;

use realm_client::api::{ApproveRequest, ModelToolView, ToolState};

use crate::{cli::ToolCommand, failure::Failure, session::Session};

/// Lists the loops that a prompt's model may call, and approves those of other realms.
pub(crate) async fn run(session: &Session, command: &ToolCommand) -> Result<(), Failure> {
    match command {
        ToolCommand::Ls { prompt } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.model_tools(prompt)).await?)
        }
        ToolCommand::Approve { prompt, tools } => approve(session, prompt, tools).await,
    }
}

/// Approves tools as they are shown: one that changes in between stays refused.
async fn approve(session: &Session, prompt: &str, wanted: &[String]) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let shown = daemon.ask(daemon.client.model_tools(prompt)).await?;
    let is_open = |tool: &ModelToolView| tool.state != ToolState::Approved;
    let mut approved = BTreeMap::new();
    for tool in shown.items {
        let named = wanted.contains(&tool.name);
        if !(named || wanted.is_empty() && is_open(&tool)) {
            continue;
        }
        if let Some(fault) = &tool.fault {
            session.say(&format!("{} ({}): {fault}", tool.name, tool.loop_id));
            continue;
        }
        let description = tool.description.unwrap_or_default();
        session.say(&format!("{} ({}): {description}", tool.name, tool.loop_id));
        approved.insert(tool.name, tool.digest);
    }
    for name in wanted {
        // The daemon says that there is no such tool.
        approved.entry(name.clone()).or_default();
    }
    if approved.is_empty() {
        session.say("nothing is left to approve");
        return Ok(());
    }
    let request = ApproveRequest { tools: approved };
    let asked = daemon.client.approve_model_tools(prompt, &request);
    session.print(&daemon.ask(asked).await?)
}
