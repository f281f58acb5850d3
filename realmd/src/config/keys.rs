//! Every key of the configuration, once.

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
    /// A list of loop ids.
    Loops,
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

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const SECOND: u64 = 1_000;
const HOUR: u64 = 60 * 60 * SECOND;
const DAY: u64 = 24 * HOUR;

/// The keys, sorted by name.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "advertise",
        kind: Kind::Addresses,
        default: Some("[]"),
        meaning: "Addresses that invitations name before those of this machine, the best first.",
        reloads: true,
    },
    Key {
        name: "backends.*.allow_private",
        kind: Kind::Hosts,
        default: Some("[]"),
        meaning: "Hosts and ports such as 127.0.0.1:11434 that this backend may be reached at though their addresses are not public.",
        reloads: true,
    },
    Key {
        name: "backends.*.format",
        kind: Kind::Choice(&["anthropic", "ollama", "openai", "responses"]),
        default: None,
        meaning: "How this model backend is spoken to; openai fits everything that is compatible with it.",
        reloads: true,
    },
    Key {
        name: "backends.*.key",
        kind: Kind::Secret,
        default: Some("\"\""),
        meaning: "Where this backend's key is: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME.",
        reloads: true,
    },
    Key {
        name: "backends.*.max_tokens",
        kind: Kind::Number(1, 1_000_000),
        default: Some("4096"),
        meaning: "Most tokens of an answer where a loop does not say.",
        reloads: true,
    },
    Key {
        name: "backends.*.model",
        kind: Kind::Text,
        default: Some("\"\""),
        meaning: "The model that answers where a loop names none.",
        reloads: true,
    },
    Key {
        name: "backends.*.price",
        kind: Kind::Price,
        default: Some("\"\""),
        meaning: "What a million tokens cost, read and written, such as USD 0.15 0.60; without it costs are unknown.",
        reloads: true,
    },
    Key {
        name: "backends.*.url",
        kind: Kind::Url,
        default: Some("\"\""),
        meaning: "Where this backend is served, with what comes before the format's own paths; empty for the format's maker.",
        reloads: true,
    },
    Key {
        name: "budget.run",
        kind: Kind::Amount,
        default: Some("\"\""),
        meaning: "Most that a call made on this machine may cost where it does not say, such as EUR 5; empty for no bound.",
        reloads: false,
    },
    Key {
        name: "budget.served",
        kind: Kind::Amount,
        default: Some("\"\""),
        meaning: "Most that a call of another realm may cost here, whatever it says, such as EUR 0.50; empty for no bound of this realm's.",
        reloads: false,
    },
    Key {
        name: "containers.networks",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "Networks of the container engine that loops' containers may join; without any, they have no network.",
        reloads: true,
    },
    Key {
        name: "containers.old_runtime",
        kind: Kind::Choice(&["no", "yes"]),
        default: Some("\"no\""),
        meaning: "Whether containers run though the engine's runc is so old that programs can break out of it.",
        reloads: true,
    },
    Key {
        name: "containers.socket",
        kind: Kind::Text,
        default: Some("\"\""),
        meaning: "Socket of the container engine that runs loops' containers, such as /run/docker.sock; empty for none. Whoever may use it is as mighty as root.",
        reloads: true,
    },
    Key {
        name: "custody.ask",
        kind: Kind::Choice(&["no", "yes"]),
        default: Some("\"no\""),
        meaning: "Whether this realm asks its parent to keep calls for it while it is offline.",
        reloads: false,
    },
    Key {
        name: "custody.keep",
        kind: Kind::Duration(60 * SECOND, 7 * DAY),
        default: Some("\"7d\""),
        meaning: "Longest that a call is kept for a child that is offline; then its sender hears Expired.",
        reloads: false,
    },
    Key {
        name: "custody.keep_for_children",
        kind: Kind::Choice(&["no", "yes"]),
        default: Some("\"no\""),
        meaning: "Whether this realm keeps calls for children that are offline and ask for it.",
        reloads: false,
    },
    Key {
        name: "halt.from_above",
        kind: Kind::Choice(&["tree", "all"]),
        default: Some("\"tree\""),
        meaning: "What a realm above may halt here: what this realm does for others and asks of them (tree), or its own work as well (all).",
        reloads: false,
    },
    Key {
        name: "http.listen",
        kind: Kind::Loopback,
        default: Some("\"\""),
        meaning: "Address on loopback such as 127.0.0.1:7421 where the local API is served over TCP too, to whoever shows the token in keys/http.token; empty for nowhere.",
        reloads: false,
    },
    Key {
        name: "limits.admission",
        kind: Kind::Duration(SECOND, 5 * 60 * SECOND),
        default: Some("\"10s\""),
        meaning: "How long a new link has to prove who it is; then it is cut.",
        reloads: false,
    },
    Key {
        name: "limits.announce_rate",
        kind: Kind::Number(1, 1_000_000),
        default: Some("250"),
        meaning: "Announcements a second that are passed on from under one root, or from one subtree beside this realm, half as many at each level below; four times as many at once.",
        reloads: false,
    },
    Key {
        name: "limits.call_timeout",
        kind: Kind::Duration(SECOND, HOUR),
        default: Some("\"60s\""),
        meaning: "How long a call waits for its answer where the caller does not say.",
        reloads: false,
    },
    Key {
        name: "limits.child_rate",
        kind: Kind::Number(1, 1_000_000),
        default: Some("5000"),
        meaning: "Messages a second that a child's link carries, four times as many at once; in certificates from the next renewal on.",
        reloads: false,
    },
    Key {
        name: "limits.connections",
        kind: Kind::Number(1, 65_536),
        default: Some("256"),
        meaning: "Inbound links that are neither parent, child nor peer; more are refused.",
        reloads: false,
    },
    Key {
        name: "limits.handshakes",
        kind: Kind::Number(1, 10_000),
        default: Some("10"),
        meaning: "Handshakes a second from one address; more are refused. Loopback is exempt.",
        reloads: false,
    },
    Key {
        name: "limits.max_calls",
        kind: Kind::Number(1, 65_536),
        default: Some("4096"),
        meaning: "Calls under way, in and out; more are refused as Overloaded.",
        reloads: false,
    },
    Key {
        name: "limits.max_calls_per_peer",
        kind: Kind::Number(1, 65_536),
        default: Some("8"),
        meaning: "Calls under way here from one foreign root; more are refused as Overloaded.",
        reloads: false,
    },
    Key {
        name: "limits.max_memory",
        kind: Kind::Bytes(64 * MIB, 1024 * GIB),
        default: Some("\"1 GiB\""),
        meaning: "Resident memory; from 75 % no connection is taken, from 90 % strangers are cut.",
        reloads: false,
    },
    Key {
        name: "limits.pending",
        kind: Kind::Number(1, 4_096),
        default: Some("64"),
        meaning: "Connections in their handshake, and dials under way; more are refused.",
        reloads: false,
    },
    Key {
        name: "limits.per_node",
        kind: Kind::Number(2, 16),
        default: Some("2"),
        meaning: "Links with one node, both directions; more are refused.",
        reloads: false,
    },
    Key {
        name: "limits.strangers",
        kind: Kind::Number(1, 4_096),
        default: Some("32"),
        meaning: "Links of realms that are let in only to join; one more is closed.",
        reloads: false,
    },
    Key {
        name: "limits.unadmitted_per_address",
        kind: Kind::Number(1, 4_096),
        default: Some("8"),
        meaning: "Connections from one address that have not proved who they are; more are refused. Loopback is exempt.",
        reloads: false,
    },
    Key {
        name: "listen",
        kind: Kind::Addresses,
        default: None,
        meaning: "Addresses that other realms connect to, as multiaddr text.",
        reloads: false,
    },
    Key {
        name: "log.format",
        kind: Kind::Choice(&["auto", "pretty", "json"]),
        default: Some("\"auto\""),
        meaning: "How log lines look; auto is pretty on a terminal and JSON otherwise.",
        reloads: false,
    },
    Key {
        name: "log.level",
        kind: Kind::Filter,
        default: Some("\"info\""),
        meaning: "What is logged: error, warn, info, debug, trace, or a list such as info,realm_node=debug; libraries only warn unless named.",
        reloads: true,
    },
    Key {
        name: "mcp.*.allow_private",
        kind: Kind::Hosts,
        default: Some("[]"),
        meaning: "Hosts and ports such as 127.0.0.1:8000 that this MCP server may be reached at though their addresses are not public.",
        reloads: true,
    },
    Key {
        name: "mcp.*.argv",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "The program that is this MCP server on standard input and output, and its arguments; no shell reads them.",
        reloads: true,
    },
    Key {
        name: "mcp.*.cwd",
        kind: Kind::Text,
        default: Some("\"\""),
        meaning: "Folder that the MCP server's program runs in; empty for the daemon's.",
        reloads: true,
    },
    Key {
        name: "mcp.*.env",
        kind: Kind::Variables,
        default: Some("[]"),
        meaning: "Environment of the MCP server's program, as NAME=VALUE; it inherits nothing.",
        reloads: true,
    },
    Key {
        name: "mcp.*.key",
        kind: Kind::Secret,
        default: Some("\"\""),
        meaning: "Where the bearer token is that a served MCP server is shown: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME.",
        reloads: true,
    },
    Key {
        name: "mcp.*.read",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "Files and folders that the MCP server's program may read and run under the sandbox strict, beside its folder and the system's.",
        reloads: true,
    },
    Key {
        name: "mcp.*.sandbox",
        kind: Kind::Choice(&["none", "basic", "strict"]),
        default: Some("\"basic\""),
        meaning: "What the MCP server's program is kept from: basic from the terminal, new privileges and outliving the daemon, strict from files, network and other processes too.",
        reloads: true,
    },
    Key {
        name: "mcp.*.secrets",
        kind: Kind::SecretVariables,
        default: Some("[]"),
        meaning: "Secret environment of the MCP server's program, as NAME=file:PATH, NAME=credential:NAME or NAME=env:NAME.",
        reloads: true,
    },
    Key {
        name: "mcp.*.url",
        kind: Kind::Url,
        default: Some("\"\""),
        meaning: "Where this MCP server is served over streamable HTTP, if it is no program.",
        reloads: true,
    },
    Key {
        name: "mcp.*.write",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "Files and folders that the MCP server's program may change under the sandbox strict.",
        reloads: true,
    },
    Key {
        name: "name",
        kind: Kind::Label,
        default: None,
        meaning: "What this machine calls the realm; for a root also the name it offers to others.",
        reloads: false,
    },
    Key {
        name: "notify.allow_private",
        kind: Kind::Hosts,
        default: Some("[]"),
        meaning: "Hosts and ports such as 127.0.0.1:8080 that notices may be posted to though their addresses are not public.",
        reloads: true,
    },
    Key {
        name: "notify.command",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "Program and arguments, without a shell, that take a notice as JSON on standard input when a call waits for people, and when that ends; empty for none. `processes.allow` holds for it.",
        reloads: true,
    },
    Key {
        name: "notify.key",
        kind: Kind::Secret,
        default: Some("\"\""),
        meaning: "Where the bearer token is that notices are posted with: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME.",
        reloads: true,
    },
    Key {
        name: "notify.webhook",
        kind: Kind::Url,
        default: Some("\"\""),
        meaning: "Where a notice is posted as JSON when a call waits for people, and when that ends; empty for nowhere.",
        reloads: true,
    },
    Key {
        name: "people.*.roles",
        kind: Kind::Roles,
        default: None,
        meaning: "What this person may do: viewer reads, operator runs loops, approver approves what asks for a person, owner does everything.",
        reloads: true,
    },
    Key {
        name: "people.*.token",
        kind: Kind::Secret,
        default: Some("\"\""),
        meaning: "Where the token is that this person shows over TCP: file:PATH (mode 0600, from the home if relative), credential:NAME or env:NAME; 32 letters at least.",
        reloads: true,
    },
    Key {
        name: "people.*.uid",
        kind: Kind::User,
        default: Some("\"\""),
        meaning: "The user of this machine that this person is at the socket, by number. The user that the daemon runs as is an owner, whatever stands here.",
        reloads: true,
    },
    Key {
        name: "processes.allow",
        kind: Kind::Arguments,
        default: Some("[]"),
        meaning: "Programs that loops may run, as their argv names them; empty for any.",
        reloads: true,
    },
    Key {
        name: "processes.sandbox",
        kind: Kind::Choice(&["none", "basic", "strict"]),
        default: Some("\"none\""),
        meaning: "The least that processes of loops are kept from, whatever a loop says.",
        reloads: true,
    },
    Key {
        name: "rates.*.burst",
        kind: Kind::Number(1, 1_000_000),
        default: Some("1"),
        meaning: "How many calls begin at once under this rate, before it holds.",
        reloads: true,
    },
    Key {
        name: "rates.*.callers",
        kind: Kind::RealmName,
        default: Some("\"\""),
        meaning: "Whose calls this rate is for: a realm such as lab/genomics, and all below it; empty for everybody's but this realm's own.",
        reloads: true,
    },
    Key {
        name: "rates.*.loops",
        kind: Kind::Loops,
        default: Some("[]"),
        meaning: "Loops whose calls this rate is for; empty for all.",
        reloads: true,
    },
    Key {
        name: "rates.*.per_minute",
        kind: Kind::Number(1, 60_000_000),
        default: None,
        meaning: "How many calls begin in a minute under this rate; all rates that are for a call must let it begin.",
        reloads: true,
    },
    Key {
        name: "rates.*.queue",
        kind: Kind::Number(0, 65_536),
        default: Some("0"),
        meaning: "How many calls wait for their turn under this rate, in their own time; one more is refused as Overloaded, and 0 refuses at once.",
        reloads: true,
    },
    Key {
        name: "rates.*.shared",
        kind: Kind::Choice(&["no", "yes"]),
        default: Some("\"no\""),
        meaning: "Whether its callers share this rate; otherwise each realm has as much.",
        reloads: true,
    },
    Key {
        name: "store.cache_bytes",
        kind: Kind::Bytes(MIB, 64 * GIB),
        default: Some("\"1 MiB\""),
        meaning: "Pages of the store kept in memory.",
        reloads: false,
    },
    Key {
        name: "store.engine",
        kind: Kind::Choice(&["redb", "sled"]),
        default: Some("\"redb\""),
        meaning: "The engine that keeps the store's files; `realmd store migrate --to ENGINE` moves a store to another.",
        reloads: false,
    },
    Key {
        name: "store.retention",
        kind: Kind::Duration(HOUR, 3_650 * DAY),
        default: Some("\"30d\""),
        meaning: "How long ended runs and their traces are kept.",
        reloads: true,
    },
    Key {
        name: "traces.redact",
        kind: Kind::Paths,
        default: Some("[]"),
        meaning: "JSON paths of what is taken out of inputs and outputs before traces are written.",
        reloads: false,
    },
    Key {
        name: "traces.redact_patterns",
        kind: Kind::Patterns,
        default: Some("[]"),
        meaning: "Regular expressions; what matches is taken out of texts before traces are written.",
        reloads: false,
    },
];

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
