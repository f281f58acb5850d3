//! Looking for what does not work, or will not for ever.

mod agents;
mod containers;
mod halts;
mod machine;
mod people;
mod standing;

use realm_client::api::{Check, CheckGroup, Doctor, Finding};
use realm_node::Node;

use crate::{daemon::Daemon, handle::Gone};

/// Examines everything.
///
/// # Errors
/// [`Gone`] when the daemon is stopping.
pub(crate) async fn examine(daemon: &Daemon) -> Result<Doctor, Gone> {
    let (models, servers) = (daemon.backends.models(), daemon.backends.servers());
    let seen = move |node: &Node| standing::Seen::of(node, &models, &servers);
    let standing = daemon.handle.read(seen).await?;
    let now = daemon.clock.now().wall;
    let listening = daemon.listening.borrow().len();
    let mut backends = standing.backends();
    backends.extend(agents::checks(daemon).await?);
    backends.extend(containers::checks(daemon).await?);
    let groups = vec![
        group("install", machine::install()),
        group("config", machine::config(daemon)),
        group("keys", machine::keys(daemon, &standing, now)),
        group("clock", standing.clock()),
        group("store", machine::store(daemon).await),
        group("ports", machine::ports(daemon, listening)),
        group("parent and peers", standing.neighbours(now)),
        group("people", people::checks(daemon).await),
        group("backends", backends),
        group("policy", standing.policy()),
        group("halts", standing.halts),
    ];
    let worst = groups
        .iter()
        .flat_map(|group| &group.checks)
        .map(|check| check.status);
    Ok(Doctor {
        status: worst
            .filter(|status| *status != Finding::Skip)
            .max()
            .unwrap_or(Finding::Ok),
        groups,
    })
}

fn group(name: &str, checks: Vec<Check>) -> CheckGroup {
    CheckGroup {
        name: name.to_owned(),
        checks,
    }
}

/// A check that found nothing wrong.
fn ok(code: &str, title: &str, evidence: impl Into<String>) -> Check {
    Check {
        code: code.to_owned(),
        status: Finding::Ok,
        title: title.to_owned(),
        evidence: evidence.into(),
        fix: None,
    }
}

/// A check that found something, with what helps.
fn bad(
    status: Finding,
    code: &str,
    title: &str,
    evidence: impl Into<String>,
    fix: impl Into<String>,
) -> Check {
    Check {
        status,
        fix: Some(fix.into()),
        ..ok(code, title, evidence)
    }
}
