//! `trace`.

use std::path::Path;

use realm_client::{Exit, api::Trace, trace, trace::TraceTree};

use crate::{
    cli::{ExportFormat, TraceCommand},
    export,
    failure::Failure,
    files,
    session::Session,
};

/// Shows, exports or compares traces; gives the exit code.
pub(crate) async fn run(session: &Session, command: TraceCommand) -> Result<u8, Failure> {
    match command {
        TraceCommand::Show { id, federated } => {
            let daemon = session.daemon().await?;
            match federated {
                true => session.print(&daemon.ask(daemon.client.federated(&id)).await?)?,
                false => session.print(&daemon.ask(daemon.client.trace(&id)).await?)?,
            }
        }
        TraceCommand::Export {
            run,
            format,
            out,
            content,
        } => {
            if content && format != ExportFormat::Otlp {
                let what = "--content is for --format otlp alone".to_owned();
                let help = format!("realmctl trace export {run} --format otlp --content");
                return Err(Failure::Usage(what, Some(help)));
            }
            let tree = TraceTree::new(named(session, &run).await?);
            let text = exported(&tree, format, content)
                .map_err(|error| Failure::Json("the trace".to_owned(), error))?;
            match out {
                Some(file) => files::replace(&file, text.as_bytes())?,
                None => session.print_text(&text)?,
            }
        }
        TraceCommand::Diff { left, right } => {
            let left = TraceTree::new(named(session, &left).await?);
            let right = TraceTree::new(named(session, &right).await?);
            let diff = trace::diff(&left, &right);
            session.print(&diff)?;
            if !diff.equal {
                return Ok(Exit::Other.code());
            }
        }
    }
    Ok(Exit::Ok.code())
}

fn exported(
    tree: &TraceTree,
    format: ExportFormat,
    content: bool,
) -> Result<String, serde_json::Error> {
    match format {
        ExportFormat::Html => export::html(tree),
        ExportFormat::Json => export::json(tree),
        ExportFormat::Csv => Ok(export::csv(tree)),
        ExportFormat::Otlp => export::otlp(tree, content),
    }
}

/// The trace of a run of the daemon, or one that was exported.
async fn named(session: &Session, name: &str) -> Result<Trace, Failure> {
    let Some(file) = name.strip_prefix('@') else {
        return recorded(session, name).await;
    };
    let text = files::export(Path::new(file))?;
    serde_json::from_str(&text).map_err(|error| Failure::Json(file.to_owned(), error))
}

async fn recorded(session: &Session, id: &str) -> Result<Trace, Failure> {
    let daemon = session.daemon().await?;
    daemon.ask(daemon.client.trace(id)).await
}
