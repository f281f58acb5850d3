//! The directories and the provider that people sign in at.

use realm_client::api::{Check, Finding};

use super::{bad, ok};
use crate::{config::Origin, daemon::Daemon};

/// Nothing where the realm has no directory.
pub(super) async fn checks(daemon: &Daemon) -> Vec<Check> {
    let people = std::sync::Arc::clone(&daemon.people.borrow());
    let reached = people.directories.reach(daemon.clock.now()).await;
    reached.into_iter().map(check).collect()
}

fn check((from, reached): (Origin, Result<(), String>)) -> Check {
    let (code, title) = (format!("people.{from}"), format!("{} {from}", from.what()));
    match reached {
        Ok(()) => ok(&code, &title, "it answers"),
        Err(reason) => {
            let fix = format!("realmctl config explain {}", from.place());
            bad(Finding::Fail, &code, &title, reason, fix)
        }
    }
}
