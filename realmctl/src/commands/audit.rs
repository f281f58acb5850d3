//! `audit`.

use realm_client::{
    Exit,
    api::{AcknowledgeRequest, AuditEntry, AuditQuery, Time},
};

use super::{receipts, verify};
use crate::{
    cli::{AuditCommand, AuditExportArgs, AuditFilter, AuditFormat, Moment, WitnessCommand},
    environment,
    export::audit_csv,
    failure::Failure,
    files,
    session::{Daemon, Session},
};

/// Entries asked for at a time.
const PAGE: u32 = 500;

/// Lists or exports entries.
pub(crate) async fn run(session: &Session, command: AuditCommand) -> Result<u8, Failure> {
    let daemon = session.daemon().await?;
    match command {
        AuditCommand::Ls {
            filter,
            limit,
            cursor,
        } => {
            let query = AuditQuery {
                limit: Some(limit),
                cursor,
                ..query(filter)
            };
            let page = daemon.ask(daemon.client.audit(&query)).await?;
            session.print(&page)?;
            session.say_next(page.next.as_ref());
        }
        AuditCommand::Export(args) => export(session, &daemon, args).await?,
        AuditCommand::Statement(args) => receipts::statement(session, args).await?,
        AuditCommand::Witness(WitnessCommand::Ls) => {
            session.print(&daemon.ask(daemon.client.witnessed()).await?)?;
        }
        AuditCommand::Witness(WitnessCommand::Show { realm, out }) => {
            let file = daemon.ask(daemon.client.contradiction(&realm)).await?;
            let bytes = verify::bytes(&file.evidence)?;
            if let Some(out) = out {
                files::replace(&out, &bytes)?;
            }
            return verify::judge(session, &bytes, &file.realm);
        }
        AuditCommand::Witness(WitnessCommand::Acknowledge { realm, why }) => {
            let daemon = session.daemon_to_change().await?;
            let request = AcknowledgeRequest { why };
            session.print(
                &daemon
                    .ask(daemon.client.acknowledge(&realm, &request))
                    .await?,
            )?;
        }
    }
    Ok(Exit::Ok.code())
}

async fn export(session: &Session, daemon: &Daemon, args: AuditExportArgs) -> Result<(), Failure> {
    let AuditExportArgs {
        filter,
        format,
        out,
    } = args;
    let query = query(filter);
    let bytes = match format {
        AuditFormat::Signed => {
            let file = daemon.ask(daemon.client.audit_export(&query)).await?;
            session.say(&format!(
                "entries {} to {}, of which {} are shown",
                file.first,
                file.count.saturating_sub(1),
                file.shown
            ));
            verify::bytes(&file.evidence)?
        }
        AuditFormat::Json => {
            let entries = all(daemon, query).await?;
            let mut text = serde_json::to_vec_pretty(&entries)
                .map_err(|error| Failure::Json("the audit log".to_owned(), error))?;
            text.push(b'\n');
            text
        }
        AuditFormat::Csv => audit_csv(&all(daemon, query).await?).into_bytes(),
    };
    files::replace(&out, &bytes)
}

/// Every entry that is meant, the oldest first.
pub(super) async fn all(daemon: &Daemon, query: AuditQuery) -> Result<Vec<AuditEntry>, Failure> {
    let mut query = AuditQuery {
        limit: Some(PAGE),
        ..query
    };
    let mut entries = Vec::new();
    loop {
        let page = daemon.ask(daemon.client.audit(&query)).await?;
        entries.extend(page.items);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    entries.reverse();
    Ok(entries)
}

fn query(filter: AuditFilter) -> AuditQuery {
    let AuditFilter {
        loop_id,
        person,
        caller,
        action,
        since,
        until,
    } = filter;
    AuditQuery {
        loop_id,
        person,
        caller,
        action,
        since: since.map(time),
        until: until.map(time),
        limit: None,
        cursor: None,
    }
}

/// When a moment is.
pub(super) fn time(moment: Moment) -> Time {
    match moment {
        Moment::At(time) => time,
        Moment::Ago(span) => {
            Time::from_millis(environment::now_millis().saturating_sub(span.as_millis()))
        }
    }
}
