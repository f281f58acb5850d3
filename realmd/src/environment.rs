//! The environment of the process, read once.

use std::{env, path::PathBuf};

use realm_client::homes;

/// Prefix of the variables that set keys of the configuration.
pub(crate) const PREFIX: &str = "REALMD_";

/// What the daemon takes from its environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Where realms live.
    pub(crate) homes: homes::Environment,
    /// Variables that begin with `REALMD_`, sorted.
    pub(crate) settings: Vec<(String, String)>,
    /// `NOTIFY_SOCKET`, where the service manager listens.
    pub(crate) notify_socket: Option<String>,
    /// `CREDENTIALS_DIRECTORY`, where systemd leaves credentials.
    pub(crate) credentials: Option<PathBuf>,
}

/// A variable that holds a secret.
pub(crate) fn secret(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok()
}

impl Environment {
    /// Reads the environment.
    pub(crate) fn read() -> Self {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let text = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let mut settings: Vec<_> = text.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        settings.sort();
        Self {
            homes: homes::Environment {
                home: path("HOME"),
                data_home: path("XDG_DATA_HOME"),
                config_home: path("XDG_CONFIG_HOME"),
                realm_home: path("REALM_HOME"),
            },
            settings,
            credentials: path("CREDENTIALS_DIRECTORY"),
            notify_socket: env::var_os("NOTIFY_SOCKET").and_then(|name| name.into_string().ok()),
        }
    }
}
