//! Writing a backup while the realm runs.

use std::path::PathBuf;

use realm_client::{
    api::{BackupReport, BackupRequest, Problem},
    catalogue::Code,
};
use realm_node::{Note, Request};

use super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::carry_out,
    people::Asker,
    problem::Fail,
};
use crate::{archive::ArchiveError, backup, failure::Explained as _};

pub(super) async fn backup(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<BackupRequest>,
) -> Answer<BackupReport> {
    let path = PathBuf::from(&request.path);
    if !path.is_absolute() {
        return Err(invalid("the path of a backup is absolute"));
    }
    let (home, store) = (daemon.home.clone(), daemon.store.clone());
    let before = daemon.clock.now().tick;
    let target = path.clone();
    let written = tokio::task::spawn_blocking(move || backup::write(&home, &store, &target));
    let written = written.await?.map_err(|error| match error {
        backup::BackupError::Archive(ArchiveError::Exists(_)) => {
            let problem = Problem::new(Code::BackupExists, error.to_string());
            Fail::from(problem.with_hint("name another file"))
        }
        error => {
            tracing::error!(%error, "the backup was not written");
            let problem = Problem::new(error.code(), with_cause(&error));
            match error.help() {
                Some(help) => problem.with_hint(help).into(),
                None => problem.into(),
            }
        }
    })?;
    let note = Note::BackedUp {
        person: asker.name().to_owned(),
        path: request.path.clone(),
    };
    carry_out(&daemon, Request::Note(note)).await?;
    Ok(axum::Json(BackupReport {
        path: request.path,
        bytes: written.bytes,
        records: written.records,
        runs: written.runs,
        events: written.events,
        seq: written.last.0,
        duration_ms: daemon.clock.now().tick.since(before),
    }))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
