//! Who may do what: people whom the file names, and groups of directories.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

use realm_backends::DirectoryKind;
use realm_protocol::{RealmName, records::Role};

use super::value::{self, Settings, Value};
use crate::secrets::SecretPlace;

/// Somebody whom the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PersonConfig {
    /// The user of this machine that they are.
    pub(crate) uid: Option<u32>,
    /// Where the token is that they show over TCP.
    pub(crate) token: Option<SecretPlace>,
    /// What they may do.
    pub(crate) roles: BTreeSet<Role>,
}

/// A directory that people sign in at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LdapConfig {
    /// Where it is.
    pub(crate) url: String,
    /// The certificates that its own must lead to; none for those of the system.
    pub(crate) authorities: Option<PathBuf>,
    /// Whom searches are made as.
    pub(crate) bind: String,
    /// Where their password is.
    pub(crate) password: SecretPlace,
    /// Below which people and groups stand.
    pub(crate) base: String,
    /// What kind it is.
    pub(crate) kind: DirectoryKind,
    /// The attribute that holds what people sign in with.
    pub(crate) name: String,
    /// How long a sign-in is good for, milliseconds.
    pub(crate) session_ms: u64,
}

/// What says who somebody is who is not named in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The directory of `[ldap]`.
    Ldap,
}

impl Origin {
    /// Its name, which people of it have in front of theirs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
        }
    }

    /// The one of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Ldap]
            .into_iter()
            .find(|origin| origin.name() == name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a group of a directory may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupConfig {
    /// What says who is in it.
    pub(crate) from: Origin,
    /// What it is called there.
    pub(crate) group: String,
    /// What its people may do.
    pub(crate) roles: BTreeSet<Role>,
    /// The realms where they may, with those below; empty for whichever reads this.
    pub(crate) realms: Vec<RealmName>,
}

fn text<'s>(settings: &'s Settings, key: &str) -> Option<&'s str> {
    match &settings.get(key)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn texts<'s>(settings: &'s Settings, key: &str) -> Option<&'s [String]> {
    match &settings.get(key)?.value {
        Value::Texts(texts) => Some(texts),
        _ => None,
    }
}

fn roles(settings: &Settings, key: &str) -> Option<BTreeSet<Role>> {
    let roles = texts(settings, key)?.iter().map(|role| role.parse().ok());
    roles.collect()
}

/// The people whom the file names.
pub(super) fn people(settings: &Settings) -> Option<BTreeMap<String, PersonConfig>> {
    let person = |name: &str| {
        let key = |key: &str| format!("people.{name}.{key}");
        let person = PersonConfig {
            uid: text(settings, &key("uid"))?.parse().ok(),
            token: text(settings, &key("token"))?.parse().ok(),
            roles: roles(settings, &key("roles"))?,
        };
        Some((name.to_owned(), person))
    };
    value::chosen(settings, "people").map(person).collect()
}

/// The directory that people sign in at; nothing but what stands in it is none.
pub(super) fn ldap(settings: &Settings) -> Option<Option<LdapConfig>> {
    let text = |name: &str| text(settings, &format!("ldap.{name}"));
    let url = text("url")?;
    if url.is_empty() {
        return Some(None);
    }
    let kind = match text("kind")? {
        "active-directory" => DirectoryKind::ActiveDirectory,
        _ => DirectoryKind::Standard,
    };
    let Value::Millis { millis, .. } = settings.get("ldap.session")?.value else {
        return None;
    };
    let set = |name: &str| Some(text(name)?).filter(|text| !text.is_empty());
    Some(Some(LdapConfig {
        url: url.to_owned(),
        authorities: set("ca").map(PathBuf::from),
        bind: text("bind")?.to_owned(),
        password: text("password")?.parse().ok()?,
        base: text("base")?.to_owned(),
        kind,
        name: set("name").unwrap_or(kind.name_attribute()).to_owned(),
        session_ms: millis,
    }))
}

/// What groups of directories may do.
pub(super) fn groups(settings: &Settings) -> Option<BTreeMap<String, GroupConfig>> {
    let group = |name: &str| {
        let key = |key: &str| format!("groups.{name}.{key}");
        let realms = texts(settings, &key("realms"))?.iter();
        let group = GroupConfig {
            from: Origin::named(text(settings, &key("from"))?)?,
            group: text(settings, &key("group"))?.to_owned(),
            roles: roles(settings, &key("roles"))?,
            realms: realms
                .map(|name| name.parse().ok())
                .collect::<Option<_>>()?,
        };
        Some((name.to_owned(), group))
    };
    value::chosen(settings, "groups").map(group).collect()
}
