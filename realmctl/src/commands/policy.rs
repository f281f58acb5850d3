//! `allow`, `disallow`, `policy`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use realm_client::{
    ClientError, Exit,
    api::{
        AllowRequest, DisallowRequest, PolicyApply, PolicyCases, PolicyQuestion, PolicyText,
        Problem,
    },
    catalogue::Code,
};

use super::apply::{check, is_absent};
use crate::{
    cli::{AllowArgs, DisallowArgs, PolicyCommand, Span},
    failure::Failure,
    files,
    session::Session,
};

/// Permits a realm to use loops.
pub(crate) async fn allow(session: &Session, args: AllowArgs) -> Result<(), Failure> {
    let AllowArgs {
        caller,
        action,
        pattern,
        lasts,
        dry_run,
    } = args;
    let relays = action == "relay";
    let request = AllowRequest {
        loop_id: pattern_of(&caller, &action, pattern, "allow")?,
        for_ms: lasts.map(Span::as_millis),
        caller,
        action,
        dry_run,
    };
    let daemon = session.daemon_to_change().await?;
    let allowed = daemon.ask(daemon.client.allow(&request)).await?;
    session.print(&allowed)?;
    for warning in &allowed.warnings {
        session.say(&format!("warning: {warning}"));
    }
    if relays {
        let who = &request.caller;
        session.say(&format!(
            "{who}, and every realm below it, may send messages through this realm"
        ));
    }
    if allowed.dry_run {
        session.say("nothing was added");
    } else {
        session.say(&format!(
            "take it back with: realmctl disallow {}",
            allowed.policy_id
        ));
    }
    Ok(())
}

/// Takes permissions back.
pub(crate) async fn disallow(session: &Session, args: DisallowArgs) -> Result<(), Failure> {
    let DisallowArgs {
        subject,
        action,
        pattern,
        dry_run,
    } = args;
    let loop_id = match &action {
        Some(action) => Some(pattern_of(&subject, action, pattern, "disallow")?),
        None => None,
    };
    let daemon = session.daemon_to_change().await?;
    let all = daemon.ask(daemon.client.policies()).await?.items;
    // What looks like the id of a policy is reported as one where there is none of it.
    let is_id = subject.starts_with("allow-") || subject.contains('.');
    let is_id = is_id || all.iter().any(|policy| policy.id == subject);
    let by_id = action.is_none() && is_id;
    let request = DisallowRequest {
        policy_id: by_id.then(|| subject.clone()),
        caller: (!by_id).then_some(subject),
        action,
        loop_id,
        dry_run,
    };
    session.print(&daemon.ask(daemon.client.disallow(&request)).await?)
}

/// The loops that a permission is about. Relaying is about the realm itself.
fn pattern_of(
    caller: &str,
    action: &str,
    pattern: Option<String>,
    verb: &str,
) -> Result<String, Failure> {
    match pattern {
        Some(pattern) => Ok(pattern),
        None if action == "relay" => Ok("*".to_owned()),
        None => {
            let what = format!("`{action}` needs a loop or a pattern");
            let help = format!("realmctl {verb} {caller} {action} LOOP, or '*' for every loop");
            Err(Failure::Usage(what, Some(help)))
        }
    }
}

/// Reads, checks and asks the policy.
pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Result<u8, Failure> {
    match command {
        PolicyCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.policies()).await?)?;
            Ok(0)
        }
        PolicyCommand::Show { id } => {
            show(session, &id).await?;
            Ok(0)
        }
        PolicyCommand::Check { file, id, subtree } => {
            check_text(session, file, (id, subtree)).await
        }
        PolicyCommand::Test { file } => test(session, file).await,
        PolicyCommand::Apply {
            file,
            id,
            subtree,
            dry_run,
        } => {
            let request = PolicyApply {
                id: id_of(&file, id)?,
                text: files::text(&file)?,
                subtree,
                dry_run,
            };
            apply(session, &request).await?;
            Ok(0)
        }
        PolicyCommand::Shadow { file, id } => {
            let request = PolicyApply {
                id: id_of(&file, id)?,
                text: files::text(&file)?,
                subtree: false,
                dry_run: true,
            };
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.shadow(&request)).await?)?;
            Ok(0)
        }
        PolicyCommand::Why {
            who,
            action: Some(action),
            what: Some(resource),
        } => {
            let question = PolicyQuestion {
                principal: who,
                action,
                resource,
            };
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.why(&question)).await?)?;
            Ok(0)
        }
        PolicyCommand::Why { who, .. } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.denial(&who)).await?)?;
            Ok(0)
        }
    }
}

async fn show(session: &Session, id: &str) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    let all = daemon.ask(daemon.client.policies()).await?;
    let found = all.items.into_iter().find(|policy| policy.id == id);
    let missing = || {
        let problem = Problem::new(Code::PolicyUnknown, format!("there is no policy `{id}`"));
        ClientError::Problem(Box::new(problem.with_hint("realmctl policy ls")))
    };
    let found = daemon.ask(async { found.ok_or_else(missing) }).await?;
    session.print(&found)
}

/// The id of a policy from a file: the one that was named, or what the file is called.
fn id_of(file: &Path, id: Option<String>) -> Result<String, Failure> {
    let stem = file.file_stem().and_then(OsStr::to_str);
    let stem = stem.filter(|stem| *stem != "-").map(str::to_owned);
    id.or(stem).ok_or_else(|| {
        let help = "realmctl policy apply - --id NAME".to_owned();
        Failure::Usage("what is read from stdin needs an id".to_owned(), Some(help))
    })
}

async fn apply(session: &Session, request: &PolicyApply) -> Result<(), Failure> {
    let daemon = session.daemon_to_change().await?;
    let applied = daemon.ask(daemon.client.apply_policy(request)).await?;
    session.print(&applied)?;
    for warning in &applied.warnings {
        session.say(&format!("warning: {}", warning.message));
    }
    if applied.dry_run {
        session.say("nothing was changed");
    } else {
        session.say(&format!(
            "take it back with: realmctl disallow {}",
            applied.policy_id
        ));
    }
    Ok(())
}

async fn check_text(
    session: &Session,
    file: PathBuf,
    (id, subtree): (Option<String>, bool),
) -> Result<u8, Failure> {
    // `realmd check` knows policies by their ending.
    let is_known = file.extension().is_some_and(|ending| ending == "cedar");
    let daemon = match session.daemon().await {
        Err(failure) if is_absent(&failure) && is_known => return check(session, &[file]),
        found => found?,
    };
    let text = files::text(&file)?;
    let name = file.display().to_string();
    let request = PolicyText {
        name: Some(name.clone()),
        id: id_of(&file, id).ok(),
        text,
        subtree,
    };
    let checked = daemon.ask(daemon.client.check_policy(&request)).await?;
    session.print(&checked)?;
    for warning in &checked.warnings {
        session.say(&format!("warning: {}", warning.message));
    }
    if checked.valid {
        return Ok(0);
    }
    let what = format!("{name} cannot be used");
    Err(Failure::Faults(Code::PolicySyntax, what, checked.errors))
}

async fn test(session: &Session, file: PathBuf) -> Result<u8, Failure> {
    let text = files::text(&file)?;
    let name = file.display().to_string();
    let cases = realm_client::json::parse(text.as_bytes()).and_then(serde_json::from_value);
    let cases: PolicyCases = cases.map_err(|error| Failure::Json(name, error))?;
    // The answers depend on what the daemon has in force, so nothing can stand in for it.
    let daemon = session.daemon().await?;
    let tested = daemon.ask(daemon.client.test_policy(&cases)).await?;
    session.print(&tested)?;
    if tested.failed == 0 {
        Ok(0)
    } else {
        Err(Failure::Told(Exit::Other))
    }
}
