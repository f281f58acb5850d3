//! The folder of one show: the homes, the logs, and a script that ends what was left running.

use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use super::random;
use crate::failure::Failure;

/// Longest path of the system's folder below which the sockets' paths are not too long.
const ROOM: usize = 48;

/// Ends the processes, if they are still the demo's, and removes the folder.
const STOP: &str = r#"#!/bin/sh
# Ends the demo and removes its folder.
runs() { readlink "/proc/$1/exe" 2> /dev/null | grep -q '/realmd\|/realmctl'; }
for id in IDS; do
  runs "$id" && kill "$id"
done
tries=100
for id in IDS; do
  while runs "$id" && [ "$tries" -gt 0 ]; do
    sleep 0.1
    tries=$((tries - 1))
  done
done
cd "$(dirname "$0")" && here=$PWD && cd / && rm -rf "$here"
"#;

/// The folder of one show; gone afterwards unless kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// Makes the folder, for this user alone.
    pub(super) fn new() -> Result<Self, Failure> {
        let random = random::bytes::<4>()?;
        let below = env::temp_dir();
        let below = if below.as_os_str().len() > ROOM {
            Path::new("/tmp")
        } else {
            &below
        };
        let path = below.join(format!("realm-demo-{}", HEXLOWER.encode(&random)));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::File(path.clone(), error))?;
        Ok(Self { path, kept: false })
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the folder, and writes the script that ends the processes and removes it.
    pub(super) fn keep(&mut self, processes: &[u32]) -> Result<PathBuf, Failure> {
        self.kept = true;
        let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
        let script = self.path.join("stop");
        let text = STOP.replace("IDS", &ids.join(" "));
        let write = || {
            fs::write(&script, text)?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o700))
        };
        write().map_err(|error| Failure::File(script.clone(), error))?;
        Ok(script)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // What is left behind lies in the system's temporary folder.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}
