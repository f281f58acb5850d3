//! Where the passphrase of the keys comes from: a file, a systemd credential, or a person.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use realm_client::{catalogue::Code, terminal::ask_silently};
use realm_crypto::PASSPHRASE_BYTES;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::failure::Explained;

/// Name of the systemd credential that holds the passphrase.
pub(crate) const CREDENTIAL: &str = "realm-passphrase";

/// A passphrase; it erases itself.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

/// Why there is no passphrase.
#[derive(Debug, Error)]
pub(crate) enum PassphraseSourceError {
    /// The keys are protected, and nothing says where the passphrase is.
    #[error("the keys are behind a passphrase, and there is no terminal to ask at")]
    NoSource,
    /// The file cannot be read.
    #[error("the passphrase file {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("the passphrase file {} has mode {mode:04o}: others can read it", .path.display())]
    LooseMode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is nothing in it, or too much.
    #[error("a passphrase has 1 to {PASSPHRASE_BYTES} bytes")]
    Length,
    /// The terminal cannot be used.
    #[error("the passphrase cannot be asked for at the terminal")]
    Terminal(#[source] io::Error),
    /// It was typed differently the second time.
    #[error("the two passphrases differ")]
    Differ,
}

impl Explained for PassphraseSourceError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::FileUnreadable,
            Self::LooseMode { .. } => Code::HomePermissions,
            Self::Length | Self::Differ => Code::Usage,
            Self::NoSource | Self::Terminal(_) => Code::KeysLocked,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::LooseMode { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Differ | Self::Length => return None,
            _ => format!(
                "name a file with it: --passphrase-file FILE, or give systemd's credential \
                 {CREDENTIAL}"
            ),
        })
    }
}

/// Where a passphrase is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PassphraseSource {
    /// In a file; a line end at its end does not count.
    File(PathBuf),
    /// In somebody's head.
    Prompt,
}

impl FromStr for PassphraseSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "prompt" => Self::Prompt,
            file => Self::File(PathBuf::from(file)),
        })
    }
}

impl PassphraseSource {
    /// Gives the passphrase that opens what is there.
    ///
    /// # Errors
    /// [`PassphraseSourceError`].
    pub(crate) fn read(&self) -> Result<Passphrase, PassphraseSourceError> {
        match self {
            Self::File(path) => read_file(path, true),
            Self::Prompt => ask("passphrase of the keys"),
        }
    }

    /// Gives a passphrase that will be needed later: who types it types it twice.
    ///
    /// # Errors
    /// [`PassphraseSourceError`].
    pub(crate) fn choose(&self) -> Result<Passphrase, PassphraseSourceError> {
        match self {
            Self::File(_) => self.read(),
            Self::Prompt => {
                let first = ask("new passphrase")?;
                if ask("the same again")? == first {
                    Ok(first)
                } else {
                    Err(PassphraseSourceError::Differ)
                }
            }
        }
    }
}

/// What opens a home beside what lies in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unlock {
    /// Where the passphrase is, if somebody said so.
    pub(crate) passphrase: Option<PassphraseSource>,
    /// The folder in which systemd leaves credentials.
    pub(crate) credentials: Option<PathBuf>,
}

impl Unlock {
    /// Gives the passphrase: as told, from systemd's credential, or from whoever sits there.
    ///
    /// # Errors
    /// [`PassphraseSourceError`].
    pub(crate) fn passphrase(&self) -> Result<Passphrase, PassphraseSourceError> {
        if let Some(source) = &self.passphrase {
            return source.read();
        }
        // Who may read the folder of credentials is systemd's to see to.
        if let Some(path) = self.credential(CREDENTIAL) {
            return read_file(&path, false);
        }
        if io::stdin().is_terminal() {
            return PassphraseSource::Prompt.read();
        }
        Err(PassphraseSourceError::NoSource)
    }

    /// The file of a credential, if it was given.
    pub(crate) fn credential(&self, name: &str) -> Option<PathBuf> {
        let path = self.credentials.as_ref()?.join(name);
        path.is_file().then_some(path)
    }
}

fn read_file(path: &Path, ours: bool) -> Result<Passphrase, PassphraseSourceError> {
    let at = |source| PassphraseSourceError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    let found = file.metadata().map_err(at)?;
    let mode = found.permissions().mode() & 0o7777;
    // A pipe has no reader but us.
    if ours && found.is_file() && mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(PassphraseSourceError::LooseMode { path, mode });
    }
    // As much as may be read is taken at once: what grows leaves copies behind.
    let room = PASSPHRASE_BYTES.saturating_add(2);
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    file.take(room as u64).read_to_end(&mut text).map_err(at)?;
    for end in [b'\n', b'\r'] {
        if text.last() == Some(&end) {
            text.pop();
        }
    }
    bounded(text)
}

fn bounded(text: Passphrase) -> Result<Passphrase, PassphraseSourceError> {
    if text.is_empty() || text.len() > PASSPHRASE_BYTES {
        return Err(PassphraseSourceError::Length);
    }
    Ok(text)
}

/// Asks at the terminal, which shows nothing of the answer.
fn ask(what: &str) -> Result<Passphrase, PassphraseSourceError> {
    if !io::stdin().is_terminal() {
        return Err(PassphraseSourceError::NoSource);
    }
    ask_silently(what, PASSPHRASE_BYTES)
        .map_err(PassphraseSourceError::Terminal)
        .and_then(bounded)
}
