//! Reads an electrocardiogram for whoever has announced the work.

use std::{fs::OpenOptions, io::Write as _, path::Path, time::Duration};

use serde_json::json;
use tokio::time::interval;

use crate::{environment, failure::Failure, output, session::Session};

/// Time between two looks whether the daemon is still there.
const LOOK: Duration = Duration::from_millis(20);

/// Notes under which key it works. Then gives its opinion, or works until its daemon is gone.
pub(in crate::demo) async fn run(
    session: &Session,
    keys: &Path,
    by: &str,
    endless: bool,
) -> Result<(), Failure> {
    let parent = rustix::process::getppid();
    let key = environment::idempotency_key().unwrap_or_default();
    let note = || {
        let mut file = OpenOptions::new().create(true).append(true).open(keys)?;
        file.write_all(format!("{key}\n").as_bytes())
    };
    note().map_err(|error| Failure::File(keys.to_owned(), error))?;
    if endless {
        let mut looks = interval(LOOK);
        while rustix::process::getppid() == parent {
            looks.tick().await;
        }
        return Ok(());
    }
    let opinion = json!({"opinion": "no sign of ischaemia", "by": by});
    let line = output::json_line(&opinion);
    session.print_text(&line.map_err(|error| Failure::Json("the opinion".to_owned(), error))?)
}
