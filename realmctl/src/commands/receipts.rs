//! `receipt`, and `audit statement`.

use realm_client::{
    Exit,
    api::{Page, ReceiptQuery},
};
use realm_evidence::{CallsAccount, Finding, examine};

use super::{audit::time, verify};
use crate::{
    cli::{ReceiptCommand, ReceiptFilter, StatementArgs},
    failure::Failure,
    files,
    session::Session,
};

/// Lists, shows or exports receipts; gives the exit code.
pub(crate) async fn run(session: &Session, command: ReceiptCommand) -> Result<u8, Failure> {
    let daemon = session.daemon().await?;
    match command {
        ReceiptCommand::Ls { filter, limit } => {
            let query = ReceiptQuery {
                limit: Some(limit),
                ..query(filter)
            };
            let file = daemon.ask(daemon.client.receipts(&query)).await?;
            let items = account(&verify::bytes(&file.evidence)?)?.receipts;
            session.print(&Page { items, next: None })?;
        }
        ReceiptCommand::Show { call } => {
            let query = ReceiptQuery {
                call: Some(call.clone()),
                ..ReceiptQuery::default()
            };
            let file = daemon.ask(daemon.client.receipts(&query)).await?;
            return verify::judge(session, &verify::bytes(&file.evidence)?, &call);
        }
        ReceiptCommand::Export { filter, open, out } => {
            let query = ReceiptQuery {
                open: Some(open),
                ..query(filter)
            };
            let file = daemon.ask(daemon.client.receipts(&query)).await?;
            files::replace(&out, &verify::bytes(&file.evidence)?)?;
            session.say(&format!("{} receipts", file.count));
        }
    }
    Ok(Exit::Ok.code())
}

/// Says what a month comes to, and writes the signed statement where that is wanted.
pub(super) async fn statement(session: &Session, args: StatementArgs) -> Result<(), Failure> {
    let StatementArgs { peer, month, out } = args;
    let daemon = session.daemon().await?;
    let query = ReceiptQuery {
        peer: Some(peer),
        since: Some(month.since),
        until: Some(month.until),
        statement: Some(true),
        ..ReceiptQuery::default()
    };
    let file = daemon.ask(daemon.client.receipts(&query)).await?;
    let bytes = verify::bytes(&file.evidence)?;
    let items = account(&bytes)?.bills;
    if let Some(out) = out {
        files::replace(&out, &bytes)?;
    }
    session.print(&Page { items, next: None })
}

/// What the daemon's receipts come to, recomputed from their bytes.
fn account(bytes: &[u8]) -> Result<CallsAccount, Failure> {
    match examine(bytes) {
        Ok(Finding::Calls(account)) => Ok(account),
        Ok(_) => Err(Failure::Usage("these are no receipts".to_owned(), None)),
        Err(error) => Err(Failure::Usage(
            format!("the daemon's receipts: {error}"),
            None,
        )),
    }
}

fn query(filter: ReceiptFilter) -> ReceiptQuery {
    let ReceiptFilter {
        peer,
        loop_id,
        call,
        since,
        until,
    } = filter;
    ReceiptQuery {
        peer,
        loop_id,
        call,
        since: since.map(time),
        until: until.map(time),
        ..ReceiptQuery::default()
    }
}
