//! `prompt`.

use realm_client::api::{
    PromoteRequest, PromptDiffQuery, PromptShare, RollbackRequest, ScoreRequest, ShareRequest,
};

use crate::{cli::PromptCommand, failure::Failure, session::Session};

/// Lists, shows, compares and changes prompts.
pub(crate) async fn run(session: &Session, command: PromptCommand) -> Result<(), Failure> {
    match command {
        PromptCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.prompts()).await?)
        }
        PromptCommand::Show { id } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.prompt(&id)).await?)
        }
        PromptCommand::Diff { id, from, to } => {
            let daemon = session.daemon().await?;
            let query = PromptDiffQuery { from, to };
            session.print(&daemon.ask(daemon.client.prompt_diff(&id, &query)).await?)
        }
        PromptCommand::Promote {
            id,
            version,
            best,
            why,
        } => {
            let daemon = session.daemon_to_change().await?;
            let request = PromoteRequest { version, best, why };
            session.print(&daemon.ask(daemon.client.promote(&id, &request)).await?)?;
            session.say(&format!("back again: realmctl prompt rollback {id}"));
            Ok(())
        }
        PromptCommand::Rollback { id, why } => {
            let daemon = session.daemon_to_change().await?;
            let request = RollbackRequest { why };
            session.print(&daemon.ask(daemon.client.rollback(&id, &request)).await?)
        }
        PromptCommand::Share { id, shares, why } => {
            let daemon = session.daemon_to_change().await?;
            let shares = shares.into_iter();
            let shares = shares.map(|(version, weight)| PromptShare { version, weight });
            let request = ShareRequest {
                shares: shares.collect(),
                why,
            };
            session.print(&daemon.ask(daemon.client.share(&id, &request)).await?)
        }
        PromptCommand::Score {
            id,
            score,
            version,
            run,
            kind,
            why,
        } => {
            let daemon = session.daemon_to_change().await?;
            let request = ScoreRequest {
                score,
                version,
                kind,
                run,
                why,
            };
            session.print(&daemon.ask(daemon.client.score(&id, &request)).await?)
        }
    }
}
