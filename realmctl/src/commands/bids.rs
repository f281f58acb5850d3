//! `bid`.

use realm_client::{
    ClientError, Exit,
    api::{BidQuery, EvidenceFile, Page, TranscriptQuery},
};
use realm_evidence::{Account, BidAccount, EvidenceError, Finding, examine};

use super::verify;
use crate::{
    cli::BidCommand,
    failure::Failure,
    files,
    session::{Daemon, Session},
};

/// Lists, shows or exports bids; gives the exit code.
pub(crate) async fn run(session: &Session, command: BidCommand) -> Result<u8, Failure> {
    let daemon = session.daemon().await?;
    match command {
        BidCommand::Ls { run: None, limit } => {
            let query = BidQuery { limit: Some(limit) };
            session.print(&daemon.ask(daemon.client.bids(&query)).await?)?;
        }
        BidCommand::Ls {
            run: Some(run),
            limit,
        } => {
            let account = account(&daemon, &run).await?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let items = account.bids.into_iter().take(limit).collect();
            session.print(&Page { items, next: None })?;
        }
        BidCommand::Show { bid, run: None } => {
            let file = daemon.ask(daemon.client.receipt(&bid)).await?;
            return verify::judge(session, &verify::bytes(&file.evidence)?, &bid);
        }
        BidCommand::Show {
            bid,
            run: Some(run),
        } => session.print(&counted(&account(&daemon, &run).await?, &bid, &run)?)?,
        BidCommand::Trust => session.print(&daemon.ask(daemon.client.bidders()).await?)?,
        BidCommand::Export { bid, out } => {
            let file = daemon.ask(daemon.client.receipt(&bid)).await?;
            files::replace(&out, &verify::bytes(&file.evidence)?)?;
        }
    }
    Ok(Exit::Ok.code())
}

/// A broadcast of this realm's, recomputed from its transcript.
async fn account(daemon: &Daemon, run: &str) -> Result<Account, Failure> {
    let query = TranscriptQuery::default();
    let file = daemon.ask(daemon.client.transcript(run, &query)).await?;
    recomputed(&file, run)
}

/// The broadcast that a run has announced, recomputed; none where it announced none, or several.
pub(super) async fn announced(
    session: &Session,
    daemon: &Daemon,
    run: &str,
) -> Result<Option<Account>, Failure> {
    let query = TranscriptQuery::default();
    let file = match daemon.ask(daemon.client.transcript(run, &query)).await {
        Ok(file) => file,
        Err(Failure::Client(ClientError::Problem(problem), _)) if problem.status < 500 => {
            session.detail(&format!("no transcript: {}", problem.detail));
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    recomputed(&file, run).map(Some)
}

fn recomputed(file: &EvidenceFile, run: &str) -> Result<Account, Failure> {
    match examine(&verify::bytes(&file.evidence)?) {
        Ok(Finding::Transcript(account)) => Ok(account),
        Ok(_) => Err(unexplained(run, None)),
        Err(error) => Err(unexplained(run, Some(&error))),
    }
}

fn unexplained(run: &str, error: Option<&EvidenceError>) -> Failure {
    let why = error.map_or_else(|| "no transcript".to_owned(), ToString::to_string);
    let help = format!("realmctl trace show {run}");
    Failure::Usage(
        format!("what run {run} wrote down does not add up: {why}"),
        Some(help),
    )
}

fn counted(account: &Account, bid: &str, run: &str) -> Result<BidAccount, Failure> {
    let mut bids = account.bids.iter();
    let found = bids.find(|counted| counted.bid.to_string() == bid);
    found.cloned().ok_or_else(|| {
        let help = format!("realmctl bid ls --run {run}");
        Failure::Usage(format!("run {run} has counted no bid {bid}"), Some(help))
    })
}
