//! Values of keys, checked, with where they come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
};

use realm_backends::OpenedHost;
use realm_executor::Price;
use realm_net::Multiaddr;
use realm_policy::{Redaction, RedactionError};
use realm_protocol::{
    Label, LoopId, RealmName, broadcast::millionths, budget::Amount, records::Role,
};
use serde_json::json;
use toml_edit::Value as Toml;

use super::{keys::Kind, nearest};
use crate::secrets::SecretPlace;

/// What is logged, from nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A label, a choice, a filter.
    Text(String),
    /// A number.
    Number(u64),
    /// Bytes.
    Bytes(u64),
    /// A duration, and how it was written.
    Millis {
        /// Milliseconds.
        millis: u64,
        /// As written.
        written: String,
    },
    /// Addresses.
    Addresses(Vec<Multiaddr>),
    /// Texts.
    Texts(Vec<String>),
}

impl Value {
    /// The value as JSON, durations as they were written.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Millis { written: text, .. } => json!(text),
            Self::Number(number) | Self::Bytes(number) => json!(number),
            Self::Texts(texts) => json!(texts),
            Self::Addresses(addresses) => addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .into(),
        }
    }

    /// Whether it is a larger number, size or time than the other.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.amount() > other.amount()
    }

    const fn amount(&self) -> Option<u64> {
        match self {
            Self::Number(number) | Self::Bytes(number) => Some(*number),
            Self::Millis { millis, .. } => Some(*millis),
            Self::Text(_) | Self::Texts(_) | Self::Addresses(_) => None,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing sets it.
    Default,
    /// This line of the file.
    File(usize),
    /// This variable.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(line) => write!(f, "realm.toml:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A key's value and origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The value.
    pub(crate) value: Value,
    /// Where it comes from.
    pub(crate) source: Source,
}

/// Every key's setting.
pub(crate) type Settings = BTreeMap<String, Setting>;

/// The names that the owner has chosen in a section, sorted.
pub(crate) fn chosen<'s>(settings: &'s Settings, section: &str) -> impl Iterator<Item = &'s str> {
    let of_section = settings.keys().filter_map(move |key| {
        let rest = key.strip_prefix(section)?.strip_prefix('.')?;
        Some(rest.split_once('.')?.0)
    });
    let names: BTreeSet<&str> = of_section.collect();
    names.into_iter()
}

/// Checks a TOML value against what its key takes.
///
/// # Errors
/// What is wrong, for a person, and what it takes instead.
pub(crate) fn check(kind: Kind, value: &Toml) -> Result<Value, String> {
    let text = || value.as_str().ok_or_else(|| expected(kind, value));
    match kind {
        Kind::Label => label(text()?),
        Kind::Filter => filter(text()?),
        Kind::Choice(choices) => choice(text()?, choices),
        Kind::Number(least, most) => {
            let number = value.as_integer().ok_or_else(|| expected(kind, value))?;
            in_range(number, least, most).map(Value::Number)
        }
        Kind::Bytes(least, most) => {
            let bytes = match value.as_integer() {
                Some(number) => i128::from(number),
                None => bytes(text()?).ok_or_else(|| expected(kind, value))?.into(),
            };
            in_range(bytes, least, most).map(Value::Bytes)
        }
        Kind::Duration(least, most) => {
            let written = text()?;
            let millis = millis(written).ok_or_else(|| expected(kind, value))?;
            if (least..=most).contains(&millis) {
                let written = written.to_owned();
                return Ok(Value::Millis { millis, written });
            }
            Err(format!("must be from {} to {}", short(least), short(most)))
        }
        Kind::Addresses => addresses(value).map(Value::Addresses),
        Kind::Text => Ok(Value::Text(text()?.to_owned())),
        Kind::Url => url(text()?),
        Kind::Secret => secret(text()?),
        Kind::Price => price(text()?),
        Kind::Amount => amount(text()?),
        Kind::Hosts => hosts(value).map(Value::Texts),
        Kind::OpenedHosts => opened_hosts(value).map(Value::Texts),
        Kind::Arguments => texts(kind, value).map(Value::Texts),
        Kind::Variables => variables(kind, value, |_| true),
        Kind::SecretVariables => {
            variables(kind, value, |place| place.parse::<SecretPlace>().is_ok())
        }
        Kind::Loopback => loopback(text()?),
        Kind::User => user(value),
        Kind::Roles => roles(value).map(Value::Texts),
        Kind::RealmName => realm_name(text()?),
        Kind::RealmNames => realm_names(value).map(Value::Texts),
        Kind::Directory => directory(text()?),
        Kind::Issuer => issuer(text()?),
        Kind::Scopes => scopes(value).map(Value::Texts),
        Kind::Loops => loops(value).map(Value::Texts),
        Kind::Names => names(value).map(Value::Texts),
        Kind::Roots => roots(value).map(Value::Texts),
        Kind::Paths => rules(kind, value, |paths| Redaction::new(paths, &[])),
        Kind::Patterns => rules(kind, value, |patterns| Redaction::new(&[], patterns)),
    }
}

fn label(text: &str) -> Result<Value, String> {
    let label: Label = text.parse().map_err(|error| format!("{error}"))?;
    Ok(Value::Text(label.to_string()))
}

fn filter(text: &str) -> Result<Value, String> {
    for directive in text.split(',').map(str::trim) {
        // The parser of filters takes any other word for the name of a target.
        let level = directive
            .rsplit_once('=')
            .map_or(directive, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(no_level(level));
        }
    }
    let parsed = text.parse::<tracing_subscriber::filter::Targets>();
    let _ = parsed.map_err(|error| format!("is no log level or list of them: {error}"))?;
    Ok(Value::Text(text.to_owned()))
}

fn no_level(word: &str) -> String {
    let meant = nearest(&word.to_ascii_lowercase(), LEVELS)
        .map(|level| format!("; did you mean `{level}`?"))
        .unwrap_or_default();
    format!(
        "has `{word}`, which is no log level: {}, or `target=level`{meant}",
        LEVELS.join(", ")
    )
}

fn choice(text: &str, choices: &[&str]) -> Result<Value, String> {
    if choices.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    Err(format!("must be one of {}", choices.join(", ")))
}

/// A list of texts.
fn texts(kind: Kind, value: &Toml) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or_else(|| expected(kind, value))?;
    let text = |item: &Toml| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(expected(kind, item)),
    };
    items.iter().map(text).collect()
}

fn addresses(value: &Toml) -> Result<Vec<Multiaddr>, String> {
    let address = |text: &String| {
        text.parse()
            .map_err(|_| format!("`{text}` is no address such as /ip4/0.0.0.0/tcp/7420"))
    };
    texts(Kind::Addresses, value)?.iter().map(address).collect()
}

fn url(text: &str) -> Result<Value, String> {
    let right = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match text.is_empty() || url::Url::parse(text).is_ok_and(|url| right(&url)) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err("must be an address such as https://models.example.org/v1".to_owned()),
    }
}

fn secret(text: &str) -> Result<Value, String> {
    match text.is_empty() || text.parse::<SecretPlace>().is_ok() {
        true => Ok(Value::Text(text.to_owned())),
        // Whatever it is, it may be the secret itself.
        false => Err(
            "must say where the key is, and not be the key: \"file:PATH\", \"credential:NAME\" or \"env:NAME\""
                .to_owned(),
        ),
    }
}

fn price(text: &str) -> Result<Value, String> {
    match text.is_empty() || price_of(text).is_some() {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(
            "must be a currency and what a million tokens cost, read and written, such as \"USD 0.15 0.60\""
                .to_owned(),
        ),
    }
}

/// Reads `USD 0.15 0.60`.
pub(super) fn price_of(text: &str) -> Option<Price> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [currency, input, output] = parts.as_slice() else {
        return None;
    };
    Some(Price {
        currency: currency.parse().ok()?,
        input: millionths(input)?,
        output: millionths(output)?,
    })
}

fn amount(text: &str) -> Result<Value, String> {
    match text.is_empty() || text.parse::<Amount>().is_ok() {
        true => Ok(Value::Text(text.to_owned())),
        false => Err("must be an amount of money, such as \"EUR 0.50\"".to_owned()),
    }
}

fn loopback(text: &str) -> Result<Value, String> {
    let right = |address: SocketAddr| address.ip().is_loopback();
    match text.is_empty() || text.parse().is_ok_and(right) {
        true => Ok(Value::Text(text.to_owned())),
        false => {
            Err("must be an address on loopback with a port, such as 127.0.0.1:7421".to_owned())
        }
    }
}

fn user(value: &Toml) -> Result<Value, String> {
    let number = match (value.as_integer(), value.as_str()) {
        (Some(number), _) => u32::try_from(number).ok(),
        (None, Some("")) => return Ok(Value::Text(String::new())),
        // A variable of the environment is a text.
        (None, Some(text)) => text.parse().ok(),
        (None, None) => None,
    };
    let number = number.ok_or_else(|| expected(Kind::User, value))?;
    Ok(Value::Text(number.to_string()))
}

fn roles(value: &Toml) -> Result<Vec<String>, String> {
    let roles = texts(Kind::Roles, value)?;
    if roles.is_empty() {
        return Err("must name a role: viewer, operator, approver or owner".to_owned());
    }
    match roles.iter().find(|role| role.parse::<Role>().is_err()) {
        Some(wrong) => Err(format!(
            "has `{wrong}`, which is none of viewer, operator, approver, owner"
        )),
        None => Ok(roles),
    }
}

fn realm_name(text: &str) -> Result<Value, String> {
    match text.is_empty() || text.parse::<RealmName>().is_ok() {
        true => Ok(Value::Text(text.to_owned())),
        false => Err("must be a realm's name, such as lab/genomics".to_owned()),
    }
}

fn realm_names(value: &Toml) -> Result<Vec<String>, String> {
    let names = texts(Kind::RealmNames, value)?;
    match names.iter().find(|name| name.parse::<RealmName>().is_err()) {
        Some(wrong) => Err(format!(
            "has `{wrong}`, which is no realm's name such as lab/genomics"
        )),
        None => Ok(names),
    }
}

fn directory(text: &str) -> Result<Value, String> {
    match text.is_empty() || realm_backends::is_directory_url(text) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(
            "must be a host behind ldaps:// (TLS at once) or ldap:// (StartTLS), such as ldaps://dc.example.org"
                .to_owned(),
        ),
    }
}

fn issuer(text: &str) -> Result<Value, String> {
    match text.is_empty() || realm_backends::is_issuer(text) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(
            "must be the address of a provider behind https:// (http:// with an address of this machine alone, such as 127.0.0.1), such as https://id.example.org/realms/mercy"
                .to_owned(),
        ),
    }
}

fn scopes(value: &Toml) -> Result<Vec<String>, String> {
    let scopes = texts(Kind::Scopes, value)?;
    let right = |scope: &str| !scope.is_empty() && scope.chars().all(|c| c.is_ascii_graphic());
    if let Some(wrong) = scopes.iter().find(|scope| !right(scope)) {
        return Err(format!("has `{wrong}`, which is no scope"));
    }
    match scopes.iter().any(|scope| scope == "openid") {
        true => Ok(scopes),
        false => Err("must have `openid`, without which nobody is named".to_owned()),
    }
}

fn loops(value: &Toml) -> Result<Vec<String>, String> {
    let loops = texts(Kind::Loops, value)?;
    match loops.iter().find(|id| id.parse::<LoopId>().is_err()) {
        Some(wrong) => Err(format!("has `{wrong}`, which is no id of a loop")),
        None => Ok(loops),
    }
}

fn names(value: &Toml) -> Result<Vec<String>, String> {
    let names = texts(Kind::Names, value)?;
    match names.is_empty() || names.iter().any(String::is_empty) {
        true => Err("must name one at least, and none that is empty".to_owned()),
        false => Ok(names),
    }
}

fn roots(value: &Toml) -> Result<Vec<String>, String> {
    let roots = texts(Kind::Roots, value)?;
    match roots.iter().find(|root| root.parse::<Label>().is_err()) {
        Some(wrong) => Err(format!(
            "has `{wrong}`, which is no name of a root: write lab, not lab/genomics"
        )),
        None => Ok(roots),
    }
}

fn hosts(value: &Toml) -> Result<Vec<String>, String> {
    let hosts = texts(Kind::Hosts, value)?;
    let right = |host: &str| {
        let (name, port) = host.rsplit_once(':')?;
        (!name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(())
    };
    match hosts.iter().find(|host| right(host).is_none()) {
        Some(wrong) => Err(format!(
            "has `{wrong}`, which is no host and port such as 127.0.0.1:11434"
        )),
        None => Ok(hosts),
    }
}

fn opened_hosts(value: &Toml) -> Result<Vec<String>, String> {
    let hosts = texts(Kind::OpenedHosts, value)?;
    let wrong = |host: &String| Some((host.clone(), host.parse::<OpenedHost>().err()?));
    match hosts.iter().find_map(wrong) {
        Some((host, error)) => Err(format!("has `{host}`, which is {error}")),
        None => Ok(hosts),
    }
}

/// A list of variables, whose values must be right. A wrong one is not repeated: it may be a secret.
fn variables(kind: Kind, value: &Toml, right: fn(&str) -> bool) -> Result<Value, String> {
    let texts = texts(kind, value)?;
    let fits = |text: &String| variable_of(text).is_some_and(|(_, value)| right(value));
    match texts.iter().position(|text| !fits(text)) {
        Some(wrong) => Err(format!(
            "has a text that is not {}: number {}",
            match kind {
                Kind::SecretVariables => "NAME=file:PATH, NAME=credential:NAME or NAME=env:NAME",
                _ => "NAME=VALUE",
            },
            wrong + 1
        )),
        None => Ok(Value::Texts(texts)),
    }
}

/// Reads `NAME=VALUE`.
pub(super) fn variable_of(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let right = !name.is_empty() && name.chars().all(letter) && !value.contains('\0');
    right.then_some((name, value))
}

/// A list of rules that say what is taken out of traces.
fn rules(
    kind: Kind,
    value: &Toml,
    check: impl FnOnce(&[String]) -> Result<Redaction, Vec<RedactionError>>,
) -> Result<Value, String> {
    let texts = texts(kind, value)?;
    match check(&texts) {
        Ok(_) => Ok(Value::Texts(texts)),
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(errors.join("; "))
        }
    }
}

fn in_range(number: impl Into<i128>, least: u64, most: u64) -> Result<u64, String> {
    let number = u64::try_from(number.into()).ok();
    let fits = number.filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| format!("must be from {least} to {most}"))
}

fn expected(kind: Kind, found: &Toml) -> String {
    let wanted = match kind {
        Kind::Label
        | Kind::Filter
        | Kind::Choice(_)
        | Kind::Text
        | Kind::Url
        | Kind::Secret
        | Kind::Price
        | Kind::Amount
        | Kind::RealmName
        | Kind::Directory
        | Kind::Issuer
        | Kind::Loopback => "text",
        Kind::User => "the number of a user",
        Kind::Roles => "a list of roles as text",
        Kind::RealmNames => "a list of realms' names as text",
        Kind::Scopes => "a list of scopes as text",
        Kind::Loops => "a list of loop ids as text",
        Kind::Names => "a list of names as text",
        Kind::Roots => "a list of roots' names as text",
        Kind::Hosts | Kind::OpenedHosts => "a list of hosts and ports as text",
        Kind::Arguments => "a program and its arguments as a list of text",
        Kind::Variables | Kind::SecretVariables => "a list of variables as text",
        Kind::Addresses => "a list of addresses as text",
        Kind::Paths => "a list of JSON paths as text",
        Kind::Patterns => "a list of regular expressions as text",
        Kind::Number(..) => "a whole number",
        Kind::Bytes(..) => "a number of bytes, or text such as \"64 MiB\"",
        Kind::Duration(..) => "a duration as text, such as \"30s\" or \"30d\"",
    };
    format!("must be {wanted}, not {}", found.type_name())
}

/// Reads `500ms`, `30s`, `5m`, `12h`, `30d`.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Reads `4096`, `64 KiB`, `4MiB`, `1 GiB`.
fn bytes(text: &str) -> Option<u64> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Writes a duration in its largest whole unit.
pub(crate) fn short(millis: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let fits = units
        .iter()
        .find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}
