//! `apply`, `validate`, `import`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use realm_client::{
    ClientError,
    api::{Applied, ApplyAction, ApplyRequest, Fault},
    homes::HomesError,
};

use crate::{
    cli::{ApplyArgs, DiffArgs, FileArgs},
    daemon,
    failure::Failure,
    files,
    session::Session,
};

/// Registers the loops that files define.
pub(crate) async fn apply(session: &Session, args: &ApplyArgs) -> Result<(), Failure> {
    let ApplyArgs {
        files,
        dry_run,
        prune,
        force,
        stage,
        why,
    } = args;
    let request = ApplyRequest {
        dry_run: *dry_run,
        prune: *prune,
        force: *force,
        stage: *stage,
        why: why.clone(),
        ..files::collect(&paths(files))?
    };
    let removes = request.prune && !request.dry_run;
    if removes {
        session.confirm("remove every loop that the files do not define")?;
    }
    let daemon = session.daemon_to_change().await?;
    let result = daemon.ask(daemon.client.apply(&request)).await?;
    warn(session, &result.warnings);
    session.print(&result)?;
    if result.dry_run {
        session.say("nothing was changed");
    } else if let Some(next) = result.applied.iter().find(|applied| is_new(applied)) {
        session.say(&format!("next: realmctl loop show {} --example", next.id));
    }
    Ok(())
}

/// Shows what applying files would change; 1 if it would change anything.
pub(crate) async fn diff(session: &Session, args: &DiffArgs) -> Result<u8, Failure> {
    let DiffArgs { files, prune } = args;
    let request = ApplyRequest {
        prune: *prune,
        ..files::collect(&paths(files))?
    };
    let daemon = session.daemon().await?;
    let result = daemon.ask(daemon.client.diff(&request)).await?;
    warn(session, &result.warnings);
    session.print(&result)?;
    Ok(u8::from(result.differs))
}

fn is_new(applied: &Applied) -> bool {
    applied.action == ApplyAction::Created
}

/// Checks files at the daemon, or by `realmd check` where there is none.
pub(crate) async fn validate(session: &Session, args: &FileArgs) -> Result<u8, Failure> {
    let paths = paths(args);
    // Stdin is only read here, and `realmd check` could not read it once more.
    let is_file = !paths.iter().any(|path| path == Path::new("-"));
    let daemon = match session.daemon().await {
        Err(failure) if is_absent(&failure) && is_file => return check(session, &paths),
        found => found?,
    };
    let request = files::collect(&paths)?;
    let result = daemon.ask(daemon.client.validate(&request)).await?;
    warn(session, &result.warnings);
    session.print(&result)?;
    Ok(0)
}

/// Shows foreign files in our own form, which only the daemon can.
pub(crate) async fn import(session: &Session, args: &FileArgs) -> Result<u8, Failure> {
    let request = files::collect(&paths(args))?;
    let daemon = session.daemon().await?;
    let result = daemon.ask(daemon.client.import(&request)).await?;
    for document in &result.documents {
        for note in &document.notes {
            session.say(&format!("note: {}: {note}", document.id));
        }
    }
    session.print(&result)?;
    Ok(0)
}

/// Checks files by `realmd check`.
pub(crate) fn check(session: &Session, paths: &[PathBuf]) -> Result<u8, Failure> {
    session.detail("no daemon asked: checking offline");
    let files = paths.iter().map(OsString::from);
    daemon::run(
        session,
        std::iter::once(OsString::from("check")).chain(files),
    )
}

/// Whether there is no daemon to ask, which `realmd check` can stand in for.
pub(crate) fn is_absent(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Client(ClientError::Unreachable { .. }, _)
            | Failure::Homes(HomesError::None | HomesError::NoFolder)
    )
}

fn paths(args: &FileArgs) -> Vec<PathBuf> {
    args.file.iter().chain(&args.paths).cloned().collect()
}

fn warn(session: &Session, warnings: &[Fault]) {
    for warning in warnings {
        let file = warning.file.as_deref().unwrap_or("");
        let line = warning
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        let separator = if file.is_empty() { "" } else { ": " };
        session.say(&format!(
            "warning: {file}{line}{separator}{}",
            warning.message
        ));
        if let Some(hint) = &warning.hint {
            session.say(&format!("  help: {hint}"));
        }
    }
}
