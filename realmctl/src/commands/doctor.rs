//! `doctor`: this machine's part first, then the daemon's.

use realm_client::{
    Exit,
    api::{Check, CheckGroup, Doctor, Finding},
};

use crate::{
    environment,
    failure::{self, Failure},
    session::Session,
};

/// Prints what was found; fails if something does not work.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let mut groups = vec![install()];
    let mut exit = Exit::Other;
    match ask(session).await {
        Ok(found) => groups.extend(found.groups),
        Err(failure) => {
            groups.push(unreachable(&failure));
            exit = Exit::Unreachable;
        }
    }
    let checks = groups.iter().flat_map(|group| &group.checks);
    let status = checks.map(|check| check.status).fold(Finding::Ok, worse);
    session.print(&Doctor { status, groups })?;
    if status == Finding::Fail {
        Err(Failure::Told(exit))
    } else {
        Ok(())
    }
}

async fn ask(session: &Session) -> Result<Doctor, Failure> {
    let daemon = session.daemon().await?;
    daemon.ask(daemon.client.doctor()).await
}

fn install() -> CheckGroup {
    let realmd = environment::program_beside("realmd");
    let beside = realmd.to_string_lossy().contains('/');
    let check = Check {
        code: "install.realmd".to_owned(),
        status: if beside { Finding::Ok } else { Finding::Warn },
        title: "realmd lies beside realmctl".to_owned(),
        evidence: realmd.to_string_lossy().into_owned(),
        fix: (!beside).then(|| "install both into one folder".to_owned()),
    };
    CheckGroup {
        name: "install".to_owned(),
        checks: vec![check],
    }
}

fn unreachable(failure: &Failure) -> CheckGroup {
    let told = failure::tell(failure);
    let (evidence, fix) = told.split_once("help: ").unwrap_or((&told, ""));
    let check = Check {
        code: "daemon.reachable".to_owned(),
        status: Finding::Fail,
        title: "the daemon answers".to_owned(),
        evidence: evidence.trim().replace('\n', "; "),
        fix: Some(fix.trim().to_owned()).filter(|fix| !fix.is_empty()),
    };
    CheckGroup {
        name: "daemon".to_owned(),
        checks: vec![check],
    }
}

fn worse(a: Finding, b: Finding) -> Finding {
    let rank = |finding| match finding {
        Finding::Ok | Finding::Skip => 0,
        Finding::Warn => 1,
        Finding::Fail => 2,
    };
    match (rank(a), rank(b)) {
        (_, 0) => a,
        (left, right) if left >= right => a,
        _ => b,
    }
}
