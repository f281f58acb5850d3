//! What needs no daemon.

pub(crate) mod keys;
pub(crate) mod store;

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::Path,
};

use realm_client::Exit;
use realm_protocol::limits;
use serde_json::{Value, json};

use crate::{
    api::openapi as document,
    cli::Format,
    clock::Clock,
    config,
    environment::Environment,
    failure::Failure,
    home::{Home, passphrase::Unlock},
    init::{self, Founding},
    restore as restoring,
};

pub(crate) fn init(founding: &Founding, named: bool, output: Format) -> Result<Exit, Failure> {
    let Founding {
        name,
        home: dir,
        recovery,
        passphrase,
        ..
    } = founding;
    let recovery = recovery.clone().unwrap_or_default();
    let founded = init::init(founding, Clock::wall())?;
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
            "keys",
            match passphrase {
                Some(_) => "behind a passphrase, which every start needs",
                None => "plain files, for this user alone: realmctl key passphrase --help",
            }
            .to_owned(),
        ),
        (
            "policy",
            "own-tree: realms of this tree may call each other; nobody else may".to_owned(),
        ),
        ("next", next),
    ])
}

pub(crate) fn restore(
    file: &Path,
    dir: &Path,
    unlock: &Unlock,
    output: Format,
) -> Result<Exit, Failure> {
    let restored = restoring::restore(file, &Home::new(dir), unlock)?;
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

pub(crate) fn openapi() -> Result<Exit, Failure> {
    print_json(&document::document(), Format::Json)
}

pub(crate) fn version(output: Format) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if output.is_json() {
        let wire = limits::WIRE_OLDEST..=limits::WIRE_VERSION;
        return print_json(
            &json!({"name": "realmd", "version": version, "wire": wire.collect::<Vec<_>>()}),
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
