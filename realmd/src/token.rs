//! The token of the local API over TCP: in a file of the home, for this user alone.

use std::{fmt, fs, io, path::PathBuf};

use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;

use crate::{
    home::{Home, files, verify_private},
    random::{self, NoRandomness},
};

/// The file, among the keys.
const FILE: &str = "http.token";
/// Letters of a token: 256 bits.
const LETTERS: usize = 43;

/// What is shown to be let in.
#[derive(Clone)]
pub(crate) struct Token(String);

/// Why there is no token.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    /// The file cannot be read or made.
    #[error("{} cannot be read or made", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error("{} can be read by others: chmod 600 {}", .0.display(), .0.display())]
    Loose(PathBuf),
    /// It holds something else.
    #[error("{} holds no token: remove it, and the next start makes one", .0.display())]
    Other(PathBuf),
    /// The system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Token {
    /// Reads the home's token; makes it where there is none. Whoever wants another removes the file.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn of_home(home: &Home) -> Result<Self, TokenError> {
        let path = Self::path(home);
        match fs::read_to_string(&path) {
            Ok(text) => {
                verify_private(&path, 0o600).map_err(|_| TokenError::Loose(path.clone()))?;
                let text = text.trim_end();
                match text.len() == LETTERS && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok() {
                    true => Ok(Self(text.to_owned())),
                    false => Err(TokenError::Other(path)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::fresh()?;
                let written = files::write(&path, format!("{}\n", token.text()).as_bytes());
                written.map_err(|source| TokenError::File { path, source })?;
                Ok(token)
            }
            Err(source) => Err(TokenError::File { path, source }),
        }
    }

    /// One that nobody has yet.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(crate) fn fresh() -> Result<Self, NoRandomness> {
        let seed = random::seed()?;
        Ok(Self(BASE64URL_NOPAD.encode(seed.as_slice())))
    }

    /// Where a home's token is.
    pub(crate) fn path(home: &Home) -> PathBuf {
        home.keys().join(FILE)
    }

    /// The token itself.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
