//! What is set, where, and what it means.

use realm_client::api::ConfigEntry;
use toml_edit::Value as Toml;

use super::{
    ConfigError,
    keys::{self, KEYS, Key},
    nearest,
    value::{self, Settings, Value},
};

/// Every key with its value, sorted by key.
pub(crate) fn entries(settings: &Settings) -> Vec<ConfigEntry> {
    let names = settings.keys();
    let entries = names.filter_map(|name| Some(describe(keys::find(name)?, name, settings)));
    entries.collect()
}

/// One key with its value.
///
/// # Errors
/// [`ConfigError::UnknownKey`].
pub(crate) fn entry(settings: &Settings, key: &str) -> Result<ConfigEntry, ConfigError> {
    let found = keys::find(key).ok_or_else(|| ConfigError::UnknownKey {
        key: key.chars().take(80).collect(),
        nearest: nearest(key, KEYS.iter().map(|key| key.name)),
    })?;
    Ok(describe(found, key, settings))
}

fn describe(key: &Key, name: &str, settings: &Settings) -> ConfigEntry {
    let setting = settings.get(name);
    ConfigEntry {
        key: name.to_owned(),
        value: setting.map_or(serde_json::Value::Null, |setting| setting.value.to_json()),
        source: setting.map_or_else(String::new, |setting| setting.source.to_string()),
        default: default(key),
        meaning: key.meaning.to_owned(),
        reloads: key.reloads,
    }
}

/// A key's default as JSON; null where it must be set.
pub(super) fn default(key: &Key) -> serde_json::Value {
    checked_default(key).map_or(serde_json::Value::Null, |value| value.to_json())
}

fn checked_default(key: &Key) -> Option<Value> {
    let toml = key.default?.parse::<Toml>().ok()?;
    value::check(key.kind, &toml).ok()
}

/// The limits that are set above their defaults.
pub(crate) fn raised_limits(settings: &Settings) -> Vec<&'static str> {
    let raised = |key: &&Key| {
        let (Some(setting), Some(default)) = (settings.get(key.name), checked_default(key)) else {
            return false;
        };
        setting.value.exceeds(&default)
    };
    let limits = KEYS.iter().filter(|key| key.name.starts_with("limits."));
    limits.filter(raised).map(|key| key.name).collect()
}
