//! The directories that people sign in at.

use realm_client::api::{Check, Finding};

use super::{bad, ok};
use crate::{config::Origin, daemon::Daemon};

/// Nothing where the realm has no directory.
pub(super) async fn checks(daemon: &Daemon) -> Vec<Check> {
    let people = std::sync::Arc::clone(&daemon.people.borrow());
    let reached = people.directories.reach().await;
    reached.into_iter().map(check).collect()
}

fn check((from, reached): (Origin, Result<(), String>)) -> Check {
    let (code, title) = (format!("people.{from}"), format!("directory {from}"));
    match reached {
        Ok(()) => ok(&code, &title, "it answers"),
        Err(reason) => {
            let fix = format!("realmctl config explain {from}.url");
            bad(Finding::Fail, &code, &title, reason, fix)
        }
    }
}
