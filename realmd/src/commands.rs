//! What needs no daemon.

pub(crate) mod store;

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use realm_client::{Exit, catalogue::Code};
use realm_crypto::StoreKey;
use realm_net::Multiaddr;
use realm_protocol::Label;
use realm_store::EngineKind;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    api::openapi as document,
    cli::Format,
    clock::Clock,
    config,
    environment::Environment,
    failure::{Explained, Failure},
    home::{Home, keys::HomeKeys},
    init::{self, Founding},
    restore as restoring,
};

pub(crate) fn init(
    name: Label,
    dir: &Path,
    named: bool,
    listen: Vec<Multiaddr>,
    recovery: PathBuf,
    engine: EngineKind,
    output: Format,
) -> Result<Exit, Failure> {
    let founding = Founding {
        name: name.clone(),
        home: dir.to_owned(),
        listen,
        recovery: Some(recovery.clone()),
        engine,
    };
    let founded = init::init(&founding, Clock::wall())?;
    let listen: Vec<String> = founded.listen.iter().map(ToString::to_string).collect();
    let next = if named {
        format!("realmd run {name}")
    } else {
        format!("realmd run --home {}", dir.display())
    };
    if output.is_json() {
        return print_json(
            &json!({
                "name": name, "realm": founded.realm, "node": founded.node, "home": dir,
                "listen": listen, "recovery": recovery, "next": next,
            }),
            output,
        );
    }
    print_lines(&[
        ("realm", name.to_string()),
        ("id", founded.realm.to_string()),
        ("home", dir.display().to_string()),
        ("listen", listen.join(" ")),
        (
            "recovery",
            format!("{}   keep it off this machine", recovery.display()),
        ),
        (
            "policy",
            "own-tree: realms of this tree may call each other; nobody else may".to_owned(),
        ),
        ("next", next),
    ])
}

pub(crate) fn restore(file: &Path, dir: &Path, output: Format) -> Result<Exit, Failure> {
    let restored = restoring::restore(file, &Home::new(dir))?;
    let next = format!("realmd run --home {}", dir.display());
    if output.is_json() {
        let seq = restored.last.0;
        return print_json(
            &json!({"realm": restored.realm, "home": dir, "seq": seq, "next": next}),
            output,
        );
    }
    print_lines(&[
        ("id", restored.realm.to_string()),
        ("home", dir.display().to_string()),
        (
            "journal",
            format!("goes on after entry {}", restored.last.0),
        ),
        ("next", next),
    ])
}

pub(crate) fn config_schema() -> Result<Exit, Failure> {
    print_json(&config::schema(), Format::Json)
}

pub(crate) fn config_show(
    dir: &Path,
    environment: &Environment,
    output: Format,
) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    let configured = config::load(&home.config(), &environment.settings)?;
    let entries = config::entries(&configured.settings);
    if output.is_json() {
        let file = home.config();
        return print_json(&json!({"file": file, "entries": entries}), output);
    }
    let lines: Vec<(&str, String)> = entries
        .iter()
        .map(|entry| {
            (
                entry.key.as_str(),
                format!("{}   ({})", entry.value, entry.source),
            )
        })
        .collect();
    print_lines(&lines)
}

pub(crate) fn config_explain(
    dir: &Path,
    environment: &Environment,
    key: &str,
    output: Format,
) -> Result<Exit, Failure> {
    let configured = config::load(&Home::new(dir).config(), &environment.settings)?;
    let entry = config::entry(&configured.settings, key)?;
    if output.is_json() {
        return print_json(&json!(entry), output);
    }
    let reload = if entry.reloads {
        "applied by SIGHUP"
    } else {
        "applied by a restart"
    };
    print_lines(&[
        ("key", entry.key),
        ("value", entry.value.to_string()),
        ("source", entry.source),
        ("default", entry.default.to_string()),
        ("meaning", entry.meaning),
        ("change", reload.to_owned()),
    ])
}

pub(crate) fn key_show(dir: &Path, output: Format) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let keys = HomeKeys::read(&home)?;
    let expires = keys
        .identity
        .node_cert
        .peek()
        .ok()
        .map(|cert| cert.not_after);
    let expires = expires.map(|at| realm_client::api::Time::from_millis(at.as_millis()));
    let here = keys.realm.is_some();
    if output.is_json() {
        return print_json(
            &json!({
                "realm": keys.realm_id(), "node": keys.node_id(), "realmKeyHere": here,
                "firstNodeCertificateUntil": expires,
            }),
            output,
        );
    }
    let expires = expires.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
    print_lines(&[
        ("realm", keys.realm_id().to_string()),
        ("node", keys.node_id().to_string()),
        (
            "realm key",
            if here { "in keys/" } else { "kept elsewhere" }.to_owned(),
        ),
        (
            "certificate",
            format!("the first one until {expires}; the daemon renews it"),
        ),
    ])
}

pub(crate) fn openapi() -> Result<Exit, Failure> {
    print_json(&document::document(), Format::Json)
}

pub(crate) fn version(output: Format) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if output.is_json() {
        let wire = realm_protocol::limits::WIRE_VERSION;
        return print_json(
            &json!({"name": "realmd", "version": version, "wire": [wire]}),
            output,
        );
    }
    print(&format!("realmd {version}\n"))
}

/// Prints names and values in two columns.
pub(crate) fn print_lines<V: Display>(lines: &[(&str, V)]) -> Result<Exit, Failure> {
    print(&aligned(lines))
}

/// Names and values in two columns.
pub(crate) fn aligned<V: Display>(lines: &[(&str, V)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"));
    lines.collect()
}

pub(crate) fn print_json(value: &Value, output: Format) -> Result<Exit, Failure> {
    if output == Format::Ndjson {
        return print(&format!("{value}\n"));
    }
    print(&format!("{value:#}\n"))
}

/// Writes to standard output. A reader that went away has seen enough.
pub(crate) fn print(text: &str) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(Exit::Ok)
}
