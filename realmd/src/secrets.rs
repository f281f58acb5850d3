//! Keys of others' services: the configuration says where they are, and never what.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use realm_backends::{Model, Models, NamedSecrets, Opened, ProcessRules, Secret, Server, Servers};

use crate::{
    config::{Config, ProcessesConfig},
    environment,
    home::{
        Home,
        sealed::{Seal, SealError},
    },
};

/// Longest secret that is read, bytes.
const LONGEST: u64 = 8 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// In a file; a relative path begins at the home.
    File(PathBuf),
    /// Among systemd's credentials.
    Credential(String),
    /// In a variable of the environment.
    Variable(String),
}

/// A text that says no place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPlace;

impl FromStr for SecretPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (kind, rest) = text.split_once(':').ok_or(NoPlace)?;
        let plain = !rest.is_empty() && !rest.contains('/');
        match kind {
            "file" if !rest.is_empty() => Ok(Self::File(rest.into())),
            "credential" if plain && rest != ".." => Ok(Self::Credential(rest.to_owned())),
            "env" if plain => Ok(Self::Variable(rest.to_owned())),
            _ => Err(NoPlace),
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Variable(name) => write!(f, "env:{name}"),
        }
    }
}

/// Where secrets are looked for.
#[derive(Clone, Debug)]
pub(crate) struct SecretReader {
    home: PathBuf,
    credentials: Option<PathBuf>,
    seal: Option<Seal>,
}

impl SecretReader {
    /// Takes the home, where systemd leaves credentials, and what opens sealed files; without that none is opened.
    pub(crate) fn new(home: &Home, credentials: Option<PathBuf>, seal: Option<Seal>) -> Self {
        Self {
            home: home.dir().to_owned(),
            credentials,
            seal,
        }
    }

    /// A path of the configuration: a relative one begins at the home.
    pub(crate) fn at_home(&self, path: &Path) -> PathBuf {
        self.home.join(path)
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// Why it cannot be had, and what helps; never what was read.
    pub(crate) fn read(&self, place: &SecretPlace) -> Result<Secret, String> {
        let text = match place {
            SecretPlace::File(path) => self.opened(&self.home.join(path))?,
            SecretPlace::Credential(name) => {
                let folder = self.credentials.as_ref();
                let folder = folder.ok_or("systemd gave this daemon no credentials")?;
                from_file(&folder.join(name))?
            }
            SecretPlace::Variable(name) => {
                environment::secret(name).ok_or_else(|| format!("there is no variable {name}"))?
            }
        };
        match line(&text) {
            Some(line) => Ok(Secret::new(line)),
            None => Err(format!("what {place} holds is no key of one line")),
        }
    }

    /// Looks whether a secret of a file can be had: a sealed one counts as it is.
    ///
    /// # Errors
    /// As [`SecretReader::read`].
    pub(crate) fn look(&self, place: &SecretPlace) -> Result<(), String> {
        if let SecretPlace::File(path) = place
            && Seal::has_sealed(&from_file(&self.home.join(path))?)
        {
            return Ok(());
        }
        self.read(place).map(drop)
    }

    /// What a file holds, opened where it is sealed.
    fn opened(&self, path: &Path) -> Result<String, String> {
        let text = from_file(path)?;
        if !Seal::has_sealed(&text) {
            return Ok(text);
        }
        let name = path.display();
        let opened = self.seal.as_ref().and_then(|seal| seal.open(path, &text));
        let opened = opened.ok_or_else(|| {
            format!(
                "{name} was sealed by another realm or under another name: write the secret into it, and \
                 realmctl key seal {name}"
            )
        })?;
        Ok(opened.to_string())
    }

    /// The model backends that are configured, with their keys.
    pub(crate) fn models(&self, config: &Config) -> Models {
        let backends = config.backends.iter().map(|(id, backend)| {
            let model = Model {
                format: backend.format,
                url: backend.url.clone(),
                key: backend.key.as_ref().map(|place| self.read(place)),
                model: backend.model.clone(),
                max_tokens: backend.max_tokens,
                allow_private: backend.allow_private.clone(),
                price: backend.price,
                prices: config.prices.clone(),
            };
            if let Some(Err(reason)) = &model.key {
                tracing::warn!(backend = %id, %reason, "the key of a backend cannot be had");
            }
            (id.clone(), model)
        });
        backends.collect()
    }

    /// The secrets that loops name.
    pub(crate) fn named(&self, config: &Config) -> NamedSecrets {
        let named = config.secrets.iter().map(|(name, place)| {
            let read = self.read(place);
            if let Err(reason) = &read {
                tracing::warn!(secret = %name, %reason, "a secret of loops cannot be had");
            }
            (name.clone(), read)
        });
        named.collect()
    }

    /// The MCP servers that are configured, with their secrets.
    pub(crate) fn servers(&self, config: &Config) -> Servers {
        let servers = config.mcp.iter().map(|(id, server)| {
            let secrets = server.secrets.iter();
            let server = match server.url.as_str() {
                "" => Server::Stdio {
                    argv: server.argv.clone(),
                    env: server.env.clone(),
                    secrets: secrets
                        .map(|(name, place)| (name.clone(), self.read(place)))
                        .collect(),
                    cwd: server.cwd.clone(),
                    sandbox: server.sandbox.clone(),
                },
                url => Server::Http {
                    url: url.to_owned(),
                    key: server.key.as_ref().map(|place| self.read(place)),
                    allow_private: server.allow_private.clone(),
                },
            };
            if let Some(reason) = server.fault(id) {
                tracing::warn!(server = %id, %reason, "an MCP server cannot be used");
            }
            (id.clone(), server)
        });
        servers.collect()
    }
}

/// What loops may run, as configured.
pub(crate) fn process_rules(config: &Config) -> ProcessRules {
    let ProcessesConfig { allow, sandbox } = config.processes.clone();
    ProcessRules {
        allow,
        least: sandbox,
    }
}

/// Which hosts loops may be let through to though they are not public, as configured.
pub(crate) fn opened(config: &Config) -> Opened {
    let hosts = config.opened.iter().filter_map(|host| host.parse().ok());
    Opened::new(hosts.collect())
}

/// Seals the secret that a file holds, in its place.
///
/// # Errors
/// [`SealError`]; the file is as it was then.
pub(crate) fn seal(seal: &Seal, path: &Path) -> Result<(), SealError> {
    let name = path.display().to_string();
    let text = from_file(path);
    let text = text.map_err(|reason| SealError::NoSecret {
        path: name.clone(),
        reason,
    })?;
    if Seal::has_sealed(&text) {
        return Err(SealError::Already(name));
    }
    let secret = line(&text).ok_or_else(|| SealError::NoSecret {
        path: name,
        reason: "it is not one line".to_owned(),
    })?;
    seal.seal_file(path, secret)
}

/// A secret is one line, of letters that can be shown.
fn line(text: &str) -> Option<&str> {
    let line = text.trim_end_matches(['\n', '\r']);
    (!line.is_empty() && !line.chars().any(char::is_control)).then_some(line)
}

fn from_file(path: &Path) -> Result<String, String> {
    let name = path.display();
    let unreadable = |error: std::io::Error| format!("{name} cannot be read: {error}");
    let about = fs::metadata(path).map_err(unreadable)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{name} has mode {mode:04o}, so that others can read it: chmod 600 {name}"
        ));
    }
    if !about.is_file() || about.len() > LONGEST {
        return Err(format!("{name} is no file of at most {LONGEST} bytes"));
    }
    fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn write(path: &Path, mode: u32, text: &str) {
        use std::io::Write as _;
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .mode(mode)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_secret_is_read_from_a_file_of_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::new(place.path());
        let secrets = SecretReader::new(&home, Some(place.path().to_owned()), None);
        write(&place.path().join("right"), 0o600, "open sesame\n");
        write(&place.path().join("loose"), 0o644, "open sesame\n");
        write(&place.path().join("empty"), 0o600, "\n");
        write(&place.path().join("lines"), 0o600, "first\nsecond\n");
        let read = |place: &str| secrets.read(&place.parse().unwrap());

        assert_eq!(read("file:right"), Ok(Secret::new("open sesame")));
        assert_eq!(read("credential:right"), Ok(Secret::new("open sesame")));
        assert!(read("file:loose").unwrap_err().contains("chmod 600"));
        for wrong in [
            "file:empty",
            "file:lines",
            "file:none",
            "credential:none",
            "env:NO_SUCH",
        ] {
            let told = read(wrong).unwrap_err();
            assert!(!told.contains("first"), "{told}");
        }
    }

    #[test]
    fn what_is_no_place_is_not_taken_for_one() {
        for wrong in [
            "",
            "sk-canary",
            "file:",
            "credential:../x",
            "credential:..",
            "env:A/B",
            "vault:x",
        ] {
            assert!(wrong.parse::<SecretPlace>().is_err(), "{wrong}");
        }
    }
}
