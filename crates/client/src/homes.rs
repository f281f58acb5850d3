//! Where the realms of this machine live, and which one is meant.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use realm_protocol::Label;
use thiserror::Error;

use crate::catalogue::Code;

/// Largest number of homes that are listed.
const HOMES: usize = 1_024;

/// What the environment says about folders. Read at the edge.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `REALM_HOME`: a realm's home, or the name of one.
    pub realm_home: Option<PathBuf>,
}

/// Why no realm was found.
#[derive(Debug, Error)]
pub enum HomesError {
    /// Neither `HOME` nor `XDG_DATA_HOME` is set.
    #[error("neither HOME nor XDG_DATA_HOME is set; name a folder with --home")]
    NoFolder,
    /// The name is no label.
    #[error("`{0}` is no realm's name: lower-case letters, digits and hyphens, up to 63")]
    Name(String),
    /// There is no realm on this machine.
    #[error("there is no realm on this machine yet")]
    None,
    /// There are several, and none was named.
    #[error("several realms on this machine, and none is named: {}", .0.join(", "))]
    Several(Vec<String>),
    /// The named one does not exist.
    #[error("no realm named `{name}` on this machine; there is {}", list(.known))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// A folder that is no realm's home.
    #[error("{} is no realm's home: it has no realm.toml", .0.display())]
    NotAHome(PathBuf),
    /// A folder or the context file cannot be read or written.
    #[error("{}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl HomesError {
    /// The catalogue entry.
    pub const fn code(&self) -> Code {
        match self {
            Self::NoFolder | Self::Name(_) => Code::Usage,
            Self::None | Self::Unknown { .. } => Code::RealmUnknown,
            Self::Several(_) => Code::RealmUnnamed,
            Self::NotAHome(_) => Code::HomeInvalid,
            Self::Io { .. } => Code::FileUnreadable,
        }
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

/// How a realm was named on the command line.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `-r NAME`.
    pub name: Option<String>,
    /// `--home DIR`.
    pub home: Option<PathBuf>,
}

/// One realm's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its name on this machine: the folder's.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
}

impl Home {
    /// The socket of its daemon's API.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }
}

/// The socket in a realm's home.
pub fn socket(dir: &Path) -> PathBuf {
    dir.join("realmd.sock")
}

/// The folders of one user.
#[derive(Clone, Debug)]
pub struct Homes {
    dir: PathBuf,
    config: Option<PathBuf>,
    realm_home: Option<PathBuf>,
}

impl Homes {
    /// Takes what the environment says; touches no disk.
    ///
    /// # Errors
    /// [`HomesError::NoFolder`].
    pub fn new(environment: &Environment) -> Result<Self, HomesError> {
        let home = environment.home.as_deref();
        let absolute = |path: &Option<PathBuf>| path.clone().filter(|path| path.is_absolute());
        let data = absolute(&environment.data_home);
        let data = data.or_else(|| home.map(|home| home.join(".local/share")));
        let config = absolute(&environment.config_home);
        let config = config.or_else(|| home.map(|home| home.join(".config")));
        Ok(Self {
            dir: data.ok_or(HomesError::NoFolder)?.join("realm"),
            config: config.map(|config| config.join("realm")),
            realm_home: environment.realm_home.clone(),
        })
    }

    /// The folder that holds the homes.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the realm of that name lives, whether it exists or not.
    ///
    /// # Errors
    /// [`HomesError::Name`].
    pub fn home(&self, name: &str) -> Result<PathBuf, HomesError> {
        let label: Label = name
            .parse()
            .map_err(|_| HomesError::Name(name.to_owned()))?;
        Ok(self.dir.join(label.as_str()))
    }

    /// The realms that exist, by name.
    ///
    /// # Errors
    /// [`HomesError::Io`] when the folder exists and cannot be read.
    pub fn list(&self) -> Result<Vec<Home>, HomesError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(HomesError::Io {
                    path: self.dir.clone(),
                    source,
                });
            }
        };
        let homes = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.parse::<Label>().ok()?;
            let dir = entry.path();
            dir.join("realm.toml")
                .is_file()
                .then_some(Home { name, dir })
        });
        let mut homes: Vec<_> = homes.take(HOMES).collect();
        homes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(homes)
    }

    /// The realm that is meant: by `-r` or `--home`, by `REALM_HOME`, by the context, or because
    /// it is the only one.
    ///
    /// # Errors
    /// [`HomesError`]: an unknown name is never a silent default.
    pub fn select(&self, selection: &Selection) -> Result<Home, HomesError> {
        if let Some(dir) = &selection.home {
            return named_by_folder(dir);
        }
        if let Some(name) = &selection.name {
            return self.existing(name);
        }
        if let Some(home) = &self.realm_home {
            let is_path = home.components().count() > 1 || home.is_absolute();
            return match home.to_str() {
                Some(name) if !is_path => self.existing(name),
                _ => named_by_folder(home),
            };
        }
        if let Some(name) = self.context()? {
            return self.existing(&name);
        }
        self.only()
    }

    /// The name that `ctx use` set.
    ///
    /// # Errors
    /// [`HomesError::Io`] when the file exists and cannot be read.
    pub fn context(&self) -> Result<Option<String>, HomesError> {
        let Some(path) = self.context_file() else {
            return Ok(None);
        };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HomesError::Io { path, source }),
        }
    }

    /// Sets the realm that is meant where none is named; it must exist.
    ///
    /// # Errors
    /// [`HomesError`]: the realm does not exist, or the file cannot be written.
    pub fn set_context(&self, name: &str) -> Result<Home, HomesError> {
        let home = self.existing(name)?;
        let path = self.context_file().ok_or(HomesError::NoFolder)?;
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, format!("{name}\n"))
        };
        write().map_err(|source| HomesError::Io { path, source })?;
        Ok(home)
    }

    fn context_file(&self) -> Option<PathBuf> {
        Some(self.config.as_ref()?.join("context"))
    }

    /// Where this user keeps what they show to the daemon at that address.
    ///
    /// # Errors
    /// [`HomesError::NoFolder`].
    pub fn sign_in(&self, address: SocketAddr) -> Result<PathBuf, HomesError> {
        let config = self.config.as_ref().ok_or(HomesError::NoFolder)?;
        Ok(config.join("sign-ins").join(format!("{address}.json")))
    }

    fn existing(&self, name: &str) -> Result<Home, HomesError> {
        let dir = self.home(name)?;
        if has_config(&dir)? {
            return Ok(Home {
                name: name.to_owned(),
                dir,
            });
        }
        Err(HomesError::Unknown {
            name: name.to_owned(),
            known: self.names()?,
        })
    }

    fn only(&self) -> Result<Home, HomesError> {
        let mut homes = self.list()?;
        match (homes.pop(), homes.is_empty()) {
            (None, _) => Err(HomesError::None),
            (Some(home), true) => Ok(home),
            (Some(_), false) => Err(HomesError::Several(self.names()?)),
        }
    }

    fn names(&self) -> Result<Vec<String>, HomesError> {
        Ok(self.list()?.into_iter().map(|home| home.name).collect())
    }
}

/// Whether a folder is a realm's home. One that may not be looked into is not said to be none.
fn has_config(dir: &Path) -> Result<bool, HomesError> {
    let path = dir.join("realm.toml");
    match fs::metadata(&path) {
        Ok(found) => Ok(found.is_file()),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(HomesError::Io { path, source })
        }
        Err(_) => Ok(false),
    }
}

fn named_by_folder(dir: &Path) -> Result<Home, HomesError> {
    if !has_config(dir)? {
        return Err(HomesError::NotAHome(dir.to_owned()));
    }
    let dir = dir.canonicalize().map_err(|source| HomesError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let name = dir
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("realm");
    Ok(Home {
        name: name.to_owned(),
        dir: dir.clone(),
    })
}

#[cfg(test)]
mod tests;
