//! What the machine holds: files, configuration, keys, store, ports.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

use realm_client::api::{Check, Finding};
use realm_protocol::{Timestamp, limits};

use super::{bad, ok, standing::Seen};
use crate::{
    api::openapi,
    config,
    daemon::Daemon,
    failure::Explained as _,
    home::{self, files, keys},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Age of a realm key that is worth a word, days.
const KEY_DAYS: u64 = 3 * 365;

pub(super) fn install() -> Vec<Check> {
    let version = env!("CARGO_PKG_VERSION");
    let client = std::env::current_exe().ok().and_then(|own| {
        let beside = own.parent()?.join("realmctl");
        beside.is_file().then_some(beside)
    });
    let program = match client {
        Some(path) => ok(
            "install.realmctl",
            "realmctl beside realmd",
            path.display().to_string(),
        ),
        None => bad(
            Finding::Warn,
            "install.realmctl",
            "realmctl beside realmd",
            "there is no realmctl in realmd's folder",
            "install both programs into one folder",
        ),
    };
    vec![
        ok("install.version", "version", format!("realmd {version}")),
        program,
    ]
}

pub(super) fn config(daemon: &Daemon) -> Vec<Check> {
    let path = daemon.home.config();
    let file = path.display().to_string();
    let read = match config::load(&path, &daemon.environment) {
        Ok(found) if found.config == daemon.config().config => ok(
            "config.file",
            "realm.toml",
            format!("{file} is what is in force"),
        ),
        Ok(_) => bad(
            Finding::Warn,
            "config.file",
            "realm.toml",
            format!("{file} has changed since it was read"),
            "kill -HUP the daemon, or restart it where a key does not reload",
        ),
        Err(error) => bad(
            Finding::Fail,
            "config.file",
            "realm.toml",
            error.to_string(),
            format!("realmd check --home {}", daemon.home.dir().display()),
        ),
    };
    let raised = config::raised_limits(&daemon.config().settings);
    let mut checks = vec![read, modes(daemon)];
    checks.extend(raised.into_iter().map(|key| {
        bad(
            Finding::Warn,
            "config.limit",
            key,
            "it is above its default, which is what was tested",
            format!("see whether it is needed: realmctl config explain {key}"),
        )
    }));
    checks
}

fn modes(daemon: &Daemon) -> Check {
    let checked = daemon
        .home
        .verify()
        .and_then(|()| home::verify_private(&daemon.home.socket(), 0o600));
    match checked {
        Ok(()) => ok(
            "config.modes",
            "modes of private files",
            "closed to other users",
        ),
        Err(error) => bad(
            Finding::Fail,
            "config.modes",
            "modes of private files",
            error.to_string(),
            error.help().unwrap_or_default(),
        ),
    }
}

pub(super) fn keys(daemon: &Daemon, seen: &Seen, now: Timestamp) -> Vec<Check> {
    let read = keys::PublicKeys::read(&daemon.home);
    let files = match &read {
        Ok(found) if found.node_cert.node == seen.standing.node => ok(
            "keys.files",
            "key files",
            "they belong to this realm and node",
        ),
        Ok(_) => bad(
            Finding::Fail,
            "keys.files",
            "key files",
            "they changed while the daemon was running",
            "put the right files back, or restart the daemon",
        ),
        Err(error) => bad(
            Finding::Fail,
            "keys.files",
            "key files",
            error.to_string(),
            error.help().unwrap_or_default(),
        ),
    };
    let mut checks = vec![files, node_cert(daemon, seen, now), recovery(daemon)];
    checks.extend(read.ok().map(|found| realm_key(&found, now)));
    checks.push(successors(seen));
    checks
}

fn node_cert(daemon: &Daemon, seen: &Seen, now: Timestamp) -> Check {
    let (code, title) = ("keys.nodeCertificate", "node certificate");
    let fix = if daemon.home.keys().join(keys::REALM).exists() {
        "restart the daemon, which renews it, and see the log if it does not"
    } else {
        "where the realm key is: realmd key certify identity --key FILE --out certified; then here, \
         with the daemon stopped: realmctl key install certified"
    };
    match seen.standing.node_cert_expires {
        None => bad(Finding::Fail, code, title, "there is none", fix),
        Some(expires) if expires <= now => bad(Finding::Fail, code, title, "it has expired", fix),
        Some(expires) => {
            let days = expires.since(now) / DAY_MS;
            let evidence = format!("good for {days} more days");
            if expires.since(now) < limits::NODE_CERT_MS - limits::NODE_WARN_MS {
                bad(Finding::Warn, code, title, evidence, fix)
            } else {
                ok(code, title, evidence)
            }
        }
    }
}

fn recovery(daemon: &Daemon) -> Check {
    let (code, title) = ("keys.recovery", "recovery key");
    let noted = files::read(&daemon.home.keys().join(keys::RECOVERY)).ok();
    let noted = noted.map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
    let beside = std::fs::read_dir(daemon.home.dir().parent().unwrap_or(daemon.home.dir()));
    let beside = beside
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let beside = beside.filter(|path| path.extension().is_some_and(|end| end == "recovery"));
    let mut found = noted
        .clone()
        .into_iter()
        .chain(beside)
        .filter(|path| path.is_file());
    match found.next() {
        Some(path) => bad(
            Finding::Warn,
            code,
            title,
            format!("{} is still on this machine", path.display()),
            format!(
                "move it to paper or another disk, then: shred -u {}",
                path.display()
            ),
        ),
        None if noted.is_none() => ok(code, title, "none was written by init"),
        None => ok(code, title, "not on this machine"),
    }
}

/// Whether this realm, or one it talks to, has two successors.
fn successors(seen: &Seen) -> Check {
    let (code, title) = ("keys.successors", "one history of keys");
    if seen.standing.superseded {
        let evidence =
            "a later key of this realm is in use: this copy is an old one, and serves nobody";
        let fix = "stop it, and run the latest copy; if there is none, somebody else has your \
                   recovery key";
        return bad(Finding::Fail, code, title, evidence, fix);
    }
    let forks = &seen.standing.forks;
    if let Some((realm, number)) = forks.first() {
        let others = forks.len().saturating_sub(1);
        let evidence =
            format!("{realm} shows two successions number {number} ({others} more realms)");
        let fix = "ask its owner which one is theirs: somebody holds a key they should not; the one \
                   seen first is believed here";
        return bad(Finding::Fail, code, title, evidence, fix);
    }
    ok(code, title, "no realm has shown two successors")
}

/// How old the realm key is, and whether it is behind a passphrase.
fn realm_key(found: &keys::PublicKeys, now: Timestamp) -> Check {
    let (code, title) = ("keys.realmKey", "realm key");
    let records = &found.identity;
    let since = match records.successions.last() {
        Some(last) => last.peek().map(|record| record.created),
        None => records.inception.peek().map(|record| record.created),
    };
    let days = now.since(since.unwrap_or(now)) / DAY_MS;
    let behind = match found.lock {
        Some(_) => "behind a passphrase",
        None => "not behind a passphrase",
    };
    let number = found.current.epoch;
    let evidence = format!("number {number}, {days} days old, the key files {behind}");
    if days > KEY_DAYS {
        let fix = "hand the realm on, with the daemon stopped: realmctl key rotate --recovery FILE";
        bad(Finding::Warn, code, title, evidence, fix)
    } else {
        ok(code, title, evidence)
    }
}

pub(super) async fn store(daemon: &Daemon) -> Vec<Check> {
    let write = match daemon.durability.borrow().failed.clone() {
        None => ok("store.write", "writes", "they become durable"),
        Some(error) => bad(
            Finding::Fail,
            "store.write",
            "writes",
            error.to_string(),
            "free space on the disk, or replace it; then restart the daemon",
        ),
    };
    let store = daemon.store.clone();
    let sample = tokio::task::spawn_blocking(move || {
        let page = store.runs(&realm_store::RunQuery::default())?;
        for run in &page.items {
            store.events(run.id, 0, 1_000)?;
        }
        Ok::<_, realm_store::ReadError>(page.items.len())
    });
    let (code, title) = ("store.sample", "the latest runs open");
    let fix = "realmd store check, then restore from a backup";
    let read = match sample.await {
        Ok(Ok(runs)) => ok(code, title, format!("{runs} runs with their events")),
        Ok(Err(error)) => bad(Finding::Fail, code, title, error.to_string(), fix),
        Err(error) => bad(Finding::Fail, code, title, error.to_string(), fix),
    };
    vec![write, read, space(daemon)]
}

/// Free space on the disk of the store.
fn space(daemon: &Daemon) -> Check {
    const LEAST: u64 = 256 * 1024 * 1024;
    let (code, title) = ("store.space", "free space");
    match rustix::fs::statvfs(daemon.home.data()) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let evidence = format!("{} MiB", free / (1024 * 1024));
            if free < LEAST {
                bad(
                    Finding::Warn,
                    code,
                    title,
                    evidence,
                    "free space, or shorten store.retention",
                )
            } else {
                ok(code, title, evidence)
            }
        }
        Err(error) => Check {
            status: Finding::Skip,
            ..ok(code, title, error.to_string())
        },
    }
}

pub(super) fn ports(daemon: &Daemon, listening: usize) -> Vec<Check> {
    let asked = daemon.config().config.listen.len();
    let (code, title) = ("ports.listen", "listening");
    let check = if asked == 0 {
        ok(
            code,
            title,
            "nothing to listen on is configured: this realm only dials",
        )
    } else if listening == 0 {
        bad(
            Finding::Fail,
            code,
            title,
            "no configured address is listened on",
            "set `listen` to a free port: realmctl config explain listen",
        )
    } else {
        ok(code, title, format!("on {listening} addresses"))
    };
    let operations = openapi::document();
    let served = operations
        .get("paths")
        .and_then(serde_json::Value::as_object)
        .map_or(0, serde_json::Map::len);
    let socket = daemon.home.socket().display().to_string();
    vec![
        check,
        ok(
            "ports.socket",
            "local API",
            format!("{served} routes at {socket}"),
        ),
    ]
}
