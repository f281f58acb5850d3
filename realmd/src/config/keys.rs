//! What keys of the configuration are, and how one is found.

mod table;

pub(crate) use table::KEYS;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A realm's label.
    Label,
    /// A list of multiaddrs.
    Addresses,
    /// A whole number in a range, both ends included.
    Number(u64, u64),
    /// Bytes in a range: a number, or text such as `64 MiB`.
    Bytes(u64, u64),
    /// A duration in a range of milliseconds: text such as `30d`.
    Duration(u64, u64),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Filter directives for the log.
    Filter,
    /// A list of JSON paths.
    Paths,
    /// A list of regular expressions.
    Patterns,
    /// Text of any kind; empty for none.
    Text,
    /// Where a backend is served; empty where its format says it.
    Url,
    /// Where a secret is: `file:PATH`, `credential:NAME` or `env:NAME`; empty for none.
    Secret,
    /// What a million tokens cost: `USD 0.15 0.60`; empty for what nobody knows.
    Price,
    /// An amount of money: `EUR 0.50`; empty for none.
    Amount,
    /// A list of `HOST:PORT`.
    Hosts,
    /// A list of hosts and networks, with a port or all of them.
    OpenedHosts,
    /// A program and its arguments; empty for none.
    Arguments,
    /// A list of `NAME=VALUE`.
    Variables,
    /// A list of `NAME=PLACE`, where the place is one of a secret.
    SecretVariables,
    /// An address on loopback with its port; empty for none.
    Loopback,
    /// A user of the machine by number; empty for none.
    User,
    /// A list of roles, one at least.
    Roles,
    /// A realm's name, such as `lab/genomics`; empty for none.
    RealmName,
    /// A list of realms' names.
    RealmNames,
    /// Where a directory of people is; empty for none.
    Directory,
    /// Where a provider of people is; empty for none.
    Issuer,
    /// A list of scopes, `openid` among them.
    Scopes,
    /// A list of loop ids.
    Loops,
    /// A list of names of any kind, one at least.
    Names,
    /// A list of roots, by their names on this machine.
    Roots,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its dotted name; `*` stands for a name that the owner chooses.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// Its value where nothing sets it, as in the file; none where it must be set.
    pub(crate) default: Option<&'static str>,
    /// What it does.
    pub(crate) meaning: &'static str,
    /// Whether SIGHUP applies a change.
    pub(crate) reloads: bool,
}

impl Key {
    /// How many parts of its name follow this dotted one: none after `backends.local.url`, which is
    /// one of `backends.*.url`, two after `backends`. None where it begins with another.
    fn parts_after(&self, name: &str) -> Option<usize> {
        let mut own = self.name.split('.');
        let fits = |own: &str, given: &str| own == given || own == ANY && is_chosen(given);
        let begins = name
            .split('.')
            .all(|given| own.next().is_some_and(|own| fits(own, given)));
        begins.then(|| own.count())
    }

    /// Its dotted name for what the owner has chosen.
    pub(crate) fn name_for(&self, chosen: &str) -> String {
        self.name.replace(ANY, chosen)
    }

    /// The section whose names the owner chooses, if it belongs to one.
    pub(crate) fn chosen_in(&self) -> Option<&'static str> {
        self.name.split_once(".*.").map(|(section, _)| section)
    }
}

/// What stands for a name that the owner chooses.
const ANY: &str = "*";

/// Whether the owner may choose this as a name.
fn is_chosen(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=63).contains(&name.len()) && name.chars().all(letters)
}

/// Finds a key by its name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.parts_after(name) == Some(0))
}

/// Whether a name is that of a section which the owner has named, as in `mcp.tickets`.
pub(crate) fn is_named_section(name: &str) -> bool {
    let mut parts = name.split('.');
    let (Some(kind), Some(_), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let mut keys = KEYS.iter();
    keys.any(|key| {
        let mut named = key.name.split('.');
        named.next() == Some(kind) && named.next() == Some("*")
    })
}

/// Whether keys begin with this name and a dot.
pub(crate) fn is_section(name: &str) -> bool {
    let mut keys = KEYS.iter();
    keys.any(|key| key.parts_after(name).is_some_and(|parts| parts > 0))
}
