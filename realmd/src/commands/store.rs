//! What is done to a store while no daemon runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use realm_client::{Exit, catalogue::Code};
use realm_crypto::StoreKey;
use realm_store::{EngineKind, MigrateError, OpenError, Options, check_files};
use serde_json::json;
use thiserror::Error;

use super::{print_json, print_lines};
use crate::{
    cli::Format,
    config,
    environment::Environment,
    failure::{Explained, Failure},
    home::{Home, HomeLock, files, keys::HomeKeys, passphrase::Unlock},
};

/// Why a store could not be checked, or is not sound.
#[derive(Debug, Error)]
pub(crate) enum StoreCheckError {
    /// It does not open.
    #[error("the store in {} does not open", .dir.display())]
    Open {
        /// Its folder.
        dir: PathBuf,
        /// Why not.
        source: realm_store::OpenError,
    },
    /// Something in it is damaged.
    #[error("the store has {found} problem{}: {first}", if *found == 1 { "" } else { "s" })]
    Damaged {
        /// How many problems.
        found: u64,
        /// The first of them.
        first: String,
    },
}

/// Why a store was not moved to another engine.
#[derive(Debug, Error)]
pub(crate) enum StoreMigrateError {
    /// The store stays as it was.
    #[error("the store in {} stays with its engine", .dir.display())]
    Store {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        source: MigrateError,
    },
    /// The store was moved, and the configuration does not say so yet.
    #[error("the store is kept by {to} now, but {} cannot be changed", .path.display())]
    Config {
        /// The configuration.
        path: PathBuf,
        /// The engine that keeps the store.
        to: EngineKind,
        /// What the system said.
        source: io::Error,
    },
}

/// The catalogue entry of a store that does not open.
pub(crate) fn open_code(error: &realm_store::OpenError) -> Code {
    use realm_store::OpenError as Error;

    match error {
        Error::Locked { .. } => Code::StoreLocked,
        Error::Newer { .. } => Code::StoreNewer,
        Error::Older { .. } => Code::StoreOlder,
        Error::OtherEngine { .. } | Error::LeftOut(_) => Code::StoreEngine,
        Error::Corrupt(_) | Error::Missing(_) => Code::StoreCorrupt,
        Error::WrongKey => Code::StoreWrongKey,
        Error::Io(_) | Error::Engine(_) => Code::StoreWrite,
        Error::Randomness => Code::Internal,
    }
}

/// What helps when a store does not open.
pub(crate) fn open_help(error: &OpenError) -> Option<String> {
    match error {
        OpenError::OtherEngine { found, asked } => Some(format!(
            "realmd store migrate --to {asked}, or in realm.toml under [store]: engine = \"{found}\""
        )),
        OpenError::Missing(_) => Some("realmd restore BACKUP --home DIR".to_owned()),
        _ => None,
    }
}

impl Explained for StoreMigrateError {
    fn code(&self) -> Code {
        match self {
            Self::Store { source, .. } => match source {
                MigrateError::Store(error) => open_code(error),
                MigrateError::Read(_) => Code::StoreCorrupt,
                MigrateError::Write { .. } | MigrateError::Differs { .. } => Code::StoreWrite,
            },
            Self::Config { .. } => Code::FileUnreadable,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Store {
                source: MigrateError::Store(OpenError::Locked { .. }),
                ..
            } => Some("stop the daemon, then try again".to_owned()),
            Self::Store {
                source: MigrateError::Store(error),
                ..
            } => open_help(error),
            Self::Store {
                source: MigrateError::Read(_),
                ..
            } => Some("realmd store check".to_owned()),
            Self::Store { .. } => {
                Some("make room for a second copy of the store, then try again".to_owned())
            }
            Self::Config { to, .. } => {
                Some(format!("in realm.toml under [store]: engine = \"{to}\""))
            }
        }
    }
}

impl Explained for StoreCheckError {
    fn code(&self) -> Code {
        match self {
            Self::Open { source, .. } => open_code(source),
            Self::Damaged { .. } => Code::StoreCorrupt,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Open {
                source: realm_store::OpenError::Locked { .. },
                ..
            } => Some("the daemon runs: ask it instead: realmctl doctor".to_owned()),
            Self::Open { source, .. } => open_help(source),
            Self::Damaged { .. } => Some("realmd restore BACKUP --home DIR".to_owned()),
        }
    }
}

fn options(home: &Home, environment: &Environment, unlock: &Unlock) -> Result<Options, Failure> {
    let config = config::load(&home.config(), &environment.settings)?.config;
    let keys = HomeKeys::read(home, unlock)?;
    Ok(Options {
        cache_bytes: config.store.cache_bytes,
        engine: config.store.engine,
        ..Options::new(keys.realm_id(), StoreKey::from_bytes(*keys.store))
    })
}

pub(crate) fn check(
    dir: &Path,
    environment: &Environment,
    unlock: &Unlock,
    output: Format,
) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let options = options(&home, environment, unlock)?;
    let report = check_files(&home.data(), options).map_err(|source| StoreCheckError::Open {
        dir: home.data(),
        source,
    })?;
    for problem in &report.problems {
        eprintln!("{problem}");
    }
    if let Some(first) = report.problems.first() {
        let (found, first) = (report.problems_found, first.to_string());
        return Err(StoreCheckError::Damaged { found, first }.into());
    }
    if output.is_json() {
        return print_json(
            &json!({
                "records": report.records, "runs": report.runs, "events": report.events,
                "indexRows": report.index_rows, "problems": [],
            }),
            output,
        );
    }
    print_lines(&[
        ("store", "sound".to_owned()),
        ("records", report.records.to_string()),
        ("runs", report.runs.to_string()),
        ("events", report.events.to_string()),
    ])
}

/// Moves a home's store to another engine, and lets the configuration name it.
pub(crate) fn migrate(
    dir: &Path,
    environment: &Environment,
    unlock: &Unlock,
    to: EngineKind,
    output: Format,
) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let _lock = HomeLock::acquire(&home)?;
    let options = options(&home, environment, unlock)?;
    let moved = realm_store::migrate(&home.data(), options, to).map_err(|source| {
        StoreMigrateError::Store {
            dir: home.data(),
            source,
        }
    })?;
    name_engine(&home, to).map_err(|source| StoreMigrateError::Config {
        path: home.config(),
        to,
        source,
    })?;
    if output.is_json() {
        let (from, to) = (moved.from.name(), moved.to.name());
        return print_json(&json!({"from": from, "to": to, "rows": moved.rows}), output);
    }
    let rows = if moved.from == to {
        "none had to be moved".to_owned()
    } else {
        format!("{}, copied and compared", moved.rows)
    };
    print_lines(&[
        ("from", moved.from.to_string()),
        ("to", to.to_string()),
        ("rows", rows),
    ])
}

/// Writes `store.engine` into the configuration, whole or not at all; the rest of the text stays.
fn name_engine(home: &Home, engine: EngineKind) -> io::Result<()> {
    let path = home.config();
    let invalid = |error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    };
    let text = String::from_utf8(files::read(&path)?).map_err(|error| invalid(&error))?;
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|error| invalid(&error))?;
    let store = document
        .entry("store")
        .or_insert_with(toml_edit::table)
        .as_table_like_mut()
        .ok_or_else(|| invalid(&"`store` is no table"))?;
    store.insert("engine", toml_edit::value(engine.name()));
    let partial = path.with_extension("toml.partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    files::write(&partial, document.to_string().as_bytes())?;
    fs::rename(&partial, &path)?;
    files::sync_dir(home.dir())
}
