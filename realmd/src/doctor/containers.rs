//! The engine that runs containers, and the images that loops need.

use realm_client::api::{Check, Finding};

use super::{bad, ok};
use crate::{containers, daemon::Daemon, handle::Gone};

/// Nothing where the realm neither has an engine nor needs one.
pub(super) async fn checks(daemon: &Daemon) -> Result<Vec<Check>, Gone> {
    let images = containers::images(&daemon.handle).await?;
    let socket = daemon.config().config.containers.socket.clone();
    let mut checks = Vec::new();
    if socket.is_none() && images.is_empty() {
        return Ok(checks);
    }
    let (code, title) = ("backends.engine", "container engine");
    match daemon.backends.engine(None).await {
        Ok(engine) => {
            let runtime = engine.runtime.map(|version| format!(", runc {version}"));
            let evidence = format!("{}{}", engine.version, runtime.unwrap_or_default());
            checks.push(ok(code, title, evidence));
        }
        Err(error) => {
            let fix = "realmctl config explain containers.socket";
            checks.push(bad(Finding::Fail, code, title, error.to_string(), fix));
            return Ok(checks);
        }
    }
    for (image, loops) in images {
        let (code, title) = ("backends.image", format!("image of {}", loops.join(", ")));
        checks.push(match daemon.backends.engine(Some(&image)).await {
            Ok(_) => ok(code, &title, image),
            Err(error) => {
                let fix = format!("docker pull {image}");
                bad(Finding::Warn, code, &title, error.to_string(), fix)
            }
        });
    }
    Ok(checks)
}
