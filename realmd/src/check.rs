//! `realmd check`: a home, or files, without a daemon.

use std::{
    io,
    path::{Path, PathBuf},
};

use realm_client::{
    Exit,
    api::{Fault, SourceFile},
    catalogue::Code,
};
use realm_executor::{Manifest, Registry};
use serde_json::json;
use thiserror::Error;

use crate::{
    cli::Format,
    commands::{print_json, print_lines},
    config::{self, Config},
    definitions::{self, MESH},
    environment::Environment,
    failure::{Explained, Failure, Place},
    home::{Home, keys::PublicKeys},
    secrets::{SecretPlace, SecretReader},
};

/// Why files do not pass.
#[derive(Debug, Error)]
pub(crate) enum CheckError {
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The files are wrong.
    #[error("{} problem{}", .places.len(), if .places.len() == 1 { "" } else { "s" })]
    Problems {
        /// The catalogue entry.
        code: Code,
        /// Each problem at its place.
        places: Vec<Place>,
    },
}

impl Explained for CheckError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::FileUnreadable,
            Self::Problems { code, .. } => *code,
        }
    }

    fn places(&self) -> Vec<Place> {
        match self {
            Self::Unreadable { .. } => Vec::new(),
            Self::Problems { places, .. } => places.clone(),
        }
    }
}

/// Checks a home: modes, configuration, keys.
pub(crate) fn home(dir: &Path, environment: &Environment, output: Format) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let configured = config::load(&home.config(), &environment.settings)?;
    let keys = PublicKeys::read(&home)?;
    secrets(&home, &configured.config)?;
    if output.is_json() {
        let name = &configured.config.name;
        return print_json(
            &json!({"name": name, "realm": keys.realm_id(), "ok": true}),
            output,
        );
    }
    print_lines(&[
        ("home", format!("{}: closed to other users", dir.display())),
        ("config", format!("{}: ok", home.config().display())),
        ("keys", format!("belong to {}", keys.realm_id())),
    ])
}

/// Checks that the secrets of loops are in files, where the configuration says so, and closed to other users. What
/// systemd and the environment hold, only the daemon sees.
fn secrets(home: &Home, config: &Config) -> Result<(), CheckError> {
    let reader = SecretReader::new(home, None, None);
    let in_files = config.secrets.iter();
    let in_files = in_files.filter(|(_, place)| matches!(place, SecretPlace::File(_)));
    let places: Vec<Place> = in_files
        .filter_map(|(name, place)| {
            let reason = reader.look(place).err()?;
            Some(Place {
                file: home.config().display().to_string(),
                at: None,
                what: format!("`secrets.{name}.key`: {reason}"),
                snippet: None,
                hint: None,
            })
        })
        .collect();
    match places.is_empty() {
        true => Ok(()),
        false => Err(CheckError::Problems {
            code: Code::ConfigValue,
            places,
        }),
    }
}

/// Checks files by what they are: `.toml` configuration, `.cedar` policy, anything else loops.
pub(crate) fn files(paths: &[PathBuf], output: Format) -> Result<Exit, Failure> {
    let mut sources = Vec::new();
    let mut checked = Vec::new();
    for path in expand(paths)? {
        let text = read(&path)?;
        match path.extension().and_then(|end| end.to_str()) {
            Some("toml") => {
                config::read(&path.display().to_string(), &text, &[])?;
                checked.push((path.display().to_string(), "configuration".to_owned()));
            }
            Some("cedar") => {
                policy(&path, &text)?;
                checked.push((path.display().to_string(), "policy".to_owned()));
            }
            _ => sources.push(source(&path, text)?),
        }
    }
    let (loops, warnings) = loops(&sources)?;
    checked.extend(loops);
    for warning in &warnings {
        eprint!("{warning}");
    }
    if output.is_json() {
        let files: Vec<_> = checked
            .iter()
            .map(|(name, what)| json!({"name": name, "is": what}))
            .collect();
        return print_json(&json!({"checked": files, "ok": true}), output);
    }
    let lines: Vec<(&str, &str)> = checked
        .iter()
        .map(|(name, what)| (name.as_str(), what.as_str()))
        .collect();
    print_lines(&lines)
}

/// Takes the definitions out of folders; other files stand for themselves.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CheckError> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let unreadable = |source| CheckError::Unreadable {
            path: path.clone(),
            source,
        };
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| {
            let end = path.extension().and_then(|end| end.to_str());
            matches!(end, Some("yaml" | "yml" | "cedar"))
        });
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

fn read(path: &Path) -> Result<String, CheckError> {
    std::fs::read_to_string(path).map_err(|source| CheckError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn source(path: &Path, text: String) -> Result<SourceFile, CheckError> {
    let absolute = std::path::absolute(path).map_err(|source| CheckError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(SourceFile {
        name: absolute.display().to_string(),
        text,
        referred: false,
    })
}

fn policy(path: &Path, text: &str) -> Result<(), CheckError> {
    let problems = realm_policy::check(text);
    if problems.is_empty() {
        return Ok(());
    }
    let places = problems.into_iter().map(|problem| Place {
        file: path.display().to_string(),
        at: Some((problem.line, problem.column)),
        snippet: text
            .lines()
            .nth(problem.line.saturating_sub(1))
            .map(|line| (line.to_owned(), 1)),
        what: problem.what,
        hint: problem.hint,
    });
    Err(CheckError::Problems {
        code: Code::PolicySyntax,
        places: places.collect(),
    })
}

/// What was checked, by name, and what of it will not do what it seems to.
type Checked = (Vec<(String, String)>, Vec<String>);

/// Checks loops against each other, with the files that they refer to, and the routes of each realm of a mesh
/// against those of the same realm.
fn loops(sources: &[SourceFile]) -> Result<Checked, CheckError> {
    let all = definitions::with_referred(sources);
    let refused = |problems: Vec<realm_executor::Problem>| CheckError::Problems {
        code: definitions::code(&problems),
        places: problems
            .iter()
            .map(|problem| place(definitions::fault(problem, &all)))
            .collect(),
    };
    let loaded = definitions::load_all(&all).map_err(refused)?;
    let mut checked = Vec::new();
    let validate = |manifests: &[Manifest]| Registry::default().validate_set(manifests);
    let (realms, warnings) = loaded.meshes();
    for (realm, routes) in realms {
        validate(routes).map_err(refused)?;
        let routes = routes.iter();
        checked.extend(routes.map(|it| (format!("{} of {realm}", it.id), told(it, MESH))));
    }
    let warnings = warnings.into_iter();
    let warnings = warnings.map(|warning| warned(&place(definitions::fault(&warning, &all))));
    let warnings = warnings.collect();
    let planned = loaded.plan(&Registry::default(), None);
    let loaded = planned.map_err(refused)?.loops;
    let manifests = loaded.iter().map(|(manifest, _)| manifest.clone());
    validate(&manifests.collect::<Vec<_>>()).map_err(refused)?;
    let loops = loaded.iter();
    checked.extend(loops.map(|(it, format)| (it.id.to_string(), told(it, format))));
    Ok((checked, warnings))
}

fn told(manifest: &Manifest, format: &str) -> String {
    format!("{} {} ({format})", manifest.kind(), manifest.version)
}

/// A warning with its place, and what helps.
fn warned(place: &Place) -> String {
    let at = place
        .at
        .map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let hint = place.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!("  help: {hint}\n"));
    format!("warning: {}\n  --> {}{at}\n{hint}", place.what, place.file)
}

fn place(fault: Fault) -> Place {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let rule = fault
        .rule
        .map(|rule| format!(" [{rule}]"))
        .unwrap_or_default();
    Place {
        file: fault.file.unwrap_or_default(),
        at: fault
            .line
            .zip(fault.column)
            .map(|(line, column)| (number(line), number(column))),
        what: format!("{}{rule}", fault.message),
        snippet: fault.snippet.map(|line| (line, 1)),
        hint: fault.hint,
    }
}
