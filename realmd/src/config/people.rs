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

/// A provider that people sign in at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OidcConfig {
    /// Where it is, and what it calls itself.
    pub(crate) issuer: String,
    /// What this realm is called there.
    pub(crate) client: String,
    /// Where what this realm shows there is.
    pub(crate) secret: Option<SecretPlace>,
    /// What it is asked for.
    pub(crate) scopes: Vec<String>,
    /// The claim that holds what people are called.
    pub(crate) name: String,
    /// The claim that holds their groups.
    pub(crate) groups: String,
    /// Where it may be though the addresses are not public.
    pub(crate) allow_private: Vec<String>,
    /// How long a sign-in is good for, milliseconds.
    pub(crate) session_ms: u64,
}

/// What says who somebody is who is not named in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The directory of `[ldap]`.
    Ldap,
    /// The provider of `[oidc]`.
    Oidc,
}

impl Origin {
    /// Its name, which people of it have behind theirs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ldap => "ldap",
            Self::Oidc => "oidc",
        }
    }

    /// What it is.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Ldap => "directory",
            Self::Oidc => "provider",
        }
    }

    /// The key that says where it is.
    pub(crate) const fn place(self) -> &'static str {
        match self {
            Self::Ldap => "ldap.url",
            Self::Oidc => "oidc.issuer",
        }
    }

    /// The one of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Ldap, Self::Oidc].into_iter();
        all.find(|origin| origin.name() == name)
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

/// The provider that people sign in at; nothing but what stands in it is none.
pub(super) fn oidc(settings: &Settings) -> Option<Option<OidcConfig>> {
    let text = |name: &str| text(settings, &format!("oidc.{name}")).map(str::to_owned);
    let texts = |name: &str| texts(settings, &format!("oidc.{name}")).map(<[String]>::to_vec);
    let issuer = text("issuer")?;
    if issuer.is_empty() {
        return Some(None);
    }
    let Value::Millis { millis, .. } = settings.get("oidc.session")?.value else {
        return None;
    };
    Some(Some(OidcConfig {
        issuer,
        client: text("client")?,
        secret: text("secret")?.parse().ok(),
        scopes: texts("scopes")?,
        name: text("name")?,
        groups: text("groups")?,
        allow_private: texts("allow_private")?,
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
