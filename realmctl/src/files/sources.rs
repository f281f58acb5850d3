//! The files that a command sends to the daemon: definitions, and what they refer to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use realm_client::api::{ApplyRequest, SourceFile};

use super::{absolute, text};
use crate::failure::Failure;

/// Most files sent at once.
const FILES: usize = 1_024;
/// Deepest folder below the one that was named.
const DEPTH: usize = 8;

/// Reads definitions from files, folders and stdin, with the files they refer to by `$file`.
pub(crate) fn collect(paths: &[PathBuf]) -> Result<ApplyRequest, Failure> {
    let mut sources = Sources::default();
    for path in paths {
        sources.add(path)?;
    }
    Ok(ApplyRequest {
        files: sources.finish(),
        ..ApplyRequest::default()
    })
}

#[derive(Default)]
struct Sources {
    texts: BTreeMap<PathBuf, String>,
    referred: BTreeSet<PathBuf>,
}

impl Sources {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if path == Path::new("-") {
            return self.read(path.to_owned());
        }
        let path = absolute(path)?;
        if !path.is_dir() {
            return self.read(path);
        }
        let before = self.texts.len();
        self.folder(&path, 0)?;
        if self.texts.len() == before {
            let what = format!("{} holds no .yaml, .yml or .json file", path.display());
            return Err(Failure::Usage(
                what,
                Some("realmctl new loop ID".to_owned()),
            ));
        }
        Ok(())
    }

    fn folder(&mut self, dir: &Path, depth: usize) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::File(dir.to_owned(), error);
        let entries = fs::read_dir(dir).map_err(failed)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        paths.sort();
        for path in paths.into_iter().filter(|path| !is_hidden(path)) {
            if path.is_dir() && !path.is_symlink() && depth < DEPTH {
                self.folder(&path, depth + 1)?;
            } else if path.is_file() && is_definition(&path) {
                self.read(path)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, path: PathBuf) -> Result<(), Failure> {
        if self.texts.contains_key(&path) {
            return Ok(());
        }
        if self.texts.len() >= FILES {
            return Err(Failure::Usage(
                format!("more than {FILES} files at once"),
                None,
            ));
        }
        let content = text(&path)?;
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        let references = references(&content);
        self.texts.insert(path, content);
        for name in references
            .iter()
            .filter(|name| stays_inside(Path::new(name)))
        {
            // What is missing is reported by the daemon, with line and column.
            let file = dir.join(name);
            if file.is_file() {
                self.referred.insert(file.clone());
                self.read(file)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Vec<SourceFile> {
        let Self { texts, referred } = self;
        let file = |(path, text): (PathBuf, String)| SourceFile {
            name: path.to_string_lossy().into_owned(),
            text,
            referred: referred.contains(&path),
        };
        texts.into_iter().map(file).collect()
    }
}

/// A name that cannot lead out of the folder of the file that has it.
fn stays_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_definition(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

/// The names after `$file` in YAML or JSON. A name too many is harmless: the daemon decides.
fn references(text: &str) -> Vec<String> {
    let name = |rest: &str| {
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix(':')?.trim_start();
        let ends: &[char] = match rest.chars().next()? {
            '"' => &['"'],
            '\'' => &['\''],
            _ => &[',', '}', '#', '\n', '\r'],
        };
        let rest = rest.trim_start_matches(['"', '\'']);
        let name = rest.split(ends).next()?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    text.split("$file").skip(1).filter_map(name).collect()
}

#[cfg(test)]
mod tests;
