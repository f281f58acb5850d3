//! `realm.toml`, the environment, and what they set.
//!
//! [`keys::KEYS`] is the one table of keys: reading, explaining and the schema come from it.

mod explain;
mod keys;
mod nearest;
mod people;
mod read;
mod schema;
mod value;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use realm_backends::Format;
use realm_client::catalogue::Code;
use realm_executor::{BreakerBounds, Price, Prices, Sandbox, SandboxLevel, SecretLoops};
use realm_net::Multiaddr;
use realm_node::{Budgets, Rate};
use realm_protocol::{Label, LoopId, budget::Budget};
use realm_store::EngineKind;
use thiserror::Error;

use crate::{
    failure::{Explained, Place},
    secrets::SecretPlace,
};
pub(crate) use explain::{entries, entry, raised_limits};
pub(crate) use nearest::nearest;
pub(crate) use people::{GroupConfig, LdapConfig, OidcConfig, Origin, PersonConfig};
pub(crate) use read::read;
pub(crate) use schema::schema;
pub(crate) use value::{Setting, Settings, Source};

use value::Value;

/// What traces hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TracesConfig {
    /// JSON paths of what is taken out.
    pub(crate) redact: Vec<String>,
    /// Regular expressions of what is taken out of texts.
    pub(crate) redact_patterns: Vec<String>,
}

/// The configuration of one daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// What this machine calls the realm.
    pub(crate) name: Label,
    /// Addresses to listen on.
    pub(crate) listen: Vec<Multiaddr>,
    /// Addresses that tickets name first.
    pub(crate) advertise: Vec<Multiaddr>,
    /// The store.
    pub(crate) store: StoreConfig,
    /// What is kept for realms that are offline.
    pub(crate) custody: CustodyConfig,
    /// Whether a realm above may halt this realm's own work as well.
    pub(crate) halted_from_above: bool,
    /// What traces hold.
    pub(crate) traces: TracesConfig,
    /// Bounds.
    pub(crate) limits: LimitsConfig,
    /// What calls may use where nobody else says.
    pub(crate) budgets: Budgets,
    /// What makes breakers open though nothing fails.
    pub(crate) breakers: BreakerBounds,
    /// How often calls begin, by name.
    pub(crate) rates: Vec<Rate>,
    /// The log.
    pub(crate) log: LogConfig,
    /// Where the local API is served over TCP, if anywhere.
    pub(crate) http: Option<SocketAddr>,
    /// Model backends by id.
    pub(crate) backends: BTreeMap<String, BackendConfig>,
    /// What models cost, by their names.
    pub(crate) prices: Prices,
    /// Bytes that prompts' definitions may have together.
    pub(crate) prompt_bytes: u64,
    /// MCP servers by id.
    pub(crate) mcp: BTreeMap<String, ServerConfig>,
    /// Where the secrets are that loops name.
    pub(crate) secrets: BTreeMap<String, SecretPlace>,
    /// Which loops they are for.
    pub(crate) secret_loops: SecretLoops,
    /// Where the tokens are that agents attach and call with, by the agents' names.
    pub(crate) agents: BTreeMap<LoopId, SecretPlace>,
    /// Hosts and networks that loops may be let through to though they are not public.
    pub(crate) opened: Vec<String>,
    /// What loops may run.
    pub(crate) processes: ProcessesConfig,
    /// Which engine runs containers.
    pub(crate) containers: ContainersConfig,
    /// Who may do what, by name.
    pub(crate) people: BTreeMap<String, PersonConfig>,
    /// The directory that people sign in at, if there is one.
    pub(crate) ldap: Option<LdapConfig>,
    /// The provider that people sign in at, if there is one.
    pub(crate) oidc: Option<OidcConfig>,
    /// What groups of directories may do, by a name of the owner's choice.
    pub(crate) groups: BTreeMap<String, GroupConfig>,
    /// How people are told that a call waits for them.
    pub(crate) notify: NotifyConfig,
    /// Roots that hear the names of people.
    pub(crate) hear_names: BTreeSet<Label>,
}

/// How people are told that a call waits for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotifyConfig {
    /// Where notices are posted.
    pub(crate) webhook: Option<String>,
    /// Where the bearer token for that is.
    pub(crate) key: Option<SecretPlace>,
    /// Hosts and ports that may have addresses that are not public.
    pub(crate) allow_private: Vec<String>,
    /// Program and arguments that take a notice on standard input; empty for none.
    pub(crate) command: Vec<String>,
}

/// Which engine runs containers, and what it may let them do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainersConfig {
    /// The engine's socket; none where no containers run.
    pub(crate) socket: Option<PathBuf>,
    /// Networks that they may join.
    pub(crate) networks: Vec<String>,
    /// Registries that their images may be fetched from.
    pub(crate) registries: Vec<String>,
    /// Whether they run though programs can break out of what starts them.
    pub(crate) old_runtime: bool,
}

/// What loops may run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessesConfig {
    /// Programs; empty for any.
    pub(crate) allow: Vec<String>,
    /// The least that they are kept from.
    pub(crate) sandbox: SandboxLevel,
}

/// An MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerConfig {
    /// Program and arguments; empty where it is served at an address.
    pub(crate) argv: Vec<String>,
    /// Environment of the program.
    pub(crate) env: BTreeMap<String, String>,
    /// Where secret environment of the program is.
    pub(crate) secrets: BTreeMap<String, SecretPlace>,
    /// Folder that the program runs in.
    pub(crate) cwd: Option<String>,
    /// What the program is kept from.
    pub(crate) sandbox: Sandbox,
    /// Where it is served; empty where it is a program.
    pub(crate) url: String,
    /// Where its bearer token is; none where it wants none.
    pub(crate) key: Option<SecretPlace>,
    /// Hosts and ports that may have addresses that are not public.
    pub(crate) allow_private: Vec<String>,
}

/// A model backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackendConfig {
    /// How it is spoken to.
    pub(crate) format: Format,
    /// Where it is served.
    pub(crate) url: String,
    /// Where its key is; none where it wants none.
    pub(crate) key: Option<SecretPlace>,
    /// The model that answers where a loop names none.
    pub(crate) model: Option<String>,
    /// Most tokens of an answer where a loop does not say.
    pub(crate) max_tokens: u64,
    /// Hosts and ports that may have addresses that are not public.
    pub(crate) allow_private: Vec<String>,
    /// What it costs.
    pub(crate) price: Option<Price>,
}

/// How the realm remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreConfig {
    /// The engine's name.
    pub(crate) engine: EngineKind,
    /// Bytes of pages kept in memory.
    pub(crate) cache_bytes: usize,
    /// How long ended runs are kept, milliseconds.
    pub(crate) retention_ms: u64,
}

/// What is kept for realms that are offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CustodyConfig {
    /// Whether the parent is asked to keep calls.
    pub(crate) ask: bool,
    /// Whether calls are kept for children that ask.
    pub(crate) keep_for_children: bool,
    /// Longest that one is kept, milliseconds.
    pub(crate) keep_ms: u64,
}

/// How much the realm takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitsConfig {
    /// Calls under way, in and out.
    pub(crate) max_calls: usize,
    /// Calls under way here from one foreign root.
    pub(crate) max_calls_per_peer: usize,
    /// Inbound links that are not certified.
    pub(crate) connections: usize,
    /// Messages a second that a child's link carries.
    pub(crate) child_rate: usize,
    /// Bytes a second that are taken from one peer.
    pub(crate) peer_bytes: usize,
    /// Announcements a second that are passed on from under one root.
    pub(crate) announce_rate: usize,
    /// Resident bytes of the process.
    pub(crate) max_memory: usize,
    /// How long a call waits that does not say, milliseconds.
    pub(crate) call_timeout_ms: u64,
    /// Connections in their handshake, and dials under way.
    pub(crate) pending: usize,
    /// Links of realms that are let in only to join.
    pub(crate) strangers: usize,
    /// Links with one node.
    pub(crate) per_node: usize,
    /// Connections from one address that are not admitted.
    pub(crate) unadmitted_per_address: usize,
    /// Handshakes a second from one address.
    pub(crate) handshakes: usize,
    /// From connection to admission, milliseconds.
    pub(crate) admission_ms: u64,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogConfig {
    /// `auto`, `pretty` or `json`.
    pub(crate) format: String,
    /// Filter directives of `tracing`.
    pub(crate) level: String,
}

/// A configuration with the origin of every value.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    /// What is set.
    pub(crate) config: Config,
    /// Every key's setting, by key.
    pub(crate) settings: Settings,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file or the environment is wrong.
    #[error("the configuration has {} problem{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
    Problems(Vec<Problem>),
    /// There is no such key.
    #[error("`{key}` is no key of the configuration")]
    UnknownKey {
        /// What was asked for.
        key: String,
        /// The key that looks most like it.
        nearest: Option<&'static str>,
    },
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) place: Place,
}

impl Explained for ConfigError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::FileUnreadable,
            Self::Problems(problems) => problems
                .first()
                .map_or(Code::ConfigSyntax, |problem| problem.code),
            Self::UnknownKey { .. } => Code::ConfigUnknownKey,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Problems(_) => Some("realmd config schema".to_owned()),
            Self::UnknownKey { nearest, .. } => {
                nearest.map(|nearest| format!("realmd config explain {nearest}"))
            }
        }
    }

    fn places(&self) -> Vec<Place> {
        match self {
            Self::Problems(problems) => problems
                .iter()
                .map(|problem| problem.place.clone())
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads a home's configuration and lays the environment over it.
///
/// # Errors
/// [`ConfigError`] with every problem at once.
pub(crate) fn load(
    path: &Path,
    environment: &[(String, String)],
) -> Result<Configured, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    read(&path.display().to_string(), &text, environment)
}

/// Whether SIGHUP applies a change of this key.
pub(crate) fn reloads(key: &str) -> bool {
    keys::find(key).is_some_and(|key| key.reloads)
}

/// Checks a configuration's text alone; gives what is wrong, one text a problem.
pub(crate) fn check(file: &str, text: &str) -> Result<(), Vec<String>> {
    let problems = match read(file, text, &[]) {
        Ok(_) => return Ok(()),
        Err(ConfigError::Problems(problems)) => problems,
        Err(error) => return Err(vec![error.to_string()]),
    };
    Err(problems.into_iter().map(|it| it.place.what).collect())
}

/// The file that a new realm begins with.
pub(crate) fn template(name: &Label, listen: &[Multiaddr], engine: EngineKind) -> String {
    let listen: Vec<String> = listen
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    let store = match engine {
        EngineKind::Redb => "# [store]\n".to_owned(),
        other => format!("[store]\nengine = \"{other}\"\n"),
    };
    format!(
        "# The realm `{name}`. `realmctl config explain KEY` says what a key means.\n\
         name = \"{name}\"\n\
         \n\
         # Where other realms connect. The port was free when the realm was made.\n\
         listen = [{}]\n\
         \n\
         # Addresses that invitations name first, if this machine is reached at others than its own.\n\
         # advertise = [\"/dns4/realm.example.org/tcp/7420\"]\n\
         \n\
         {store}\
         # retention = \"30d\"\n\
         \n\
         # [log]\n\
         # level = \"info\"\n",
        listen.join(", ")
    )
}

/// Builds the typed configuration; none only if the table of keys and this function differ.
fn typed(settings: &Settings) -> Option<Config> {
    let text = |key: &str| match &settings.get(key)?.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let number = |key: &str| match &settings.get(key)?.value {
        Value::Number(number) | Value::Bytes(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let millis = |key: &str| match &settings.get(key)?.value {
        Value::Millis { millis, .. } => Some(*millis),
        _ => None,
    };
    let addresses = |key: &str| match &settings.get(key)?.value {
        Value::Addresses(addresses) => Some(addresses.clone()),
        _ => None,
    };
    let texts = |key: &str| match &settings.get(key)?.value {
        Value::Texts(texts) => Some(texts.clone()),
        _ => None,
    };
    let places = |section: &str, name: &str| -> Option<BTreeMap<String, SecretPlace>> {
        let named = value::chosen(settings, section).map(|id| {
            let place = text(&format!("{section}.{id}.{name}"))?;
            Some((id.to_owned(), place.parse().ok()?))
        });
        named.collect()
    };
    let money = |key: &str| {
        let text = text(key)?;
        Some(Budget {
            money: text.parse().ok(),
            ..Budget::default()
        })
    };
    Some(Config {
        name: text("name")?.parse().ok()?,
        listen: addresses("listen")?,
        advertise: addresses("advertise")?,
        store: StoreConfig {
            engine: EngineKind::named(&text("store.engine")?)?,
            cache_bytes: number("store.cache_bytes")?,
            retention_ms: millis("store.retention")?,
        },
        custody: CustodyConfig {
            ask: text("custody.ask")? == "yes",
            keep_for_children: text("custody.keep_for_children")? == "yes",
            keep_ms: millis("custody.keep")?,
        },
        halted_from_above: text("halt.from_above")? == "all",
        traces: TracesConfig {
            redact: texts("traces.redact")?,
            redact_patterns: texts("traces.redact_patterns")?,
        },
        budgets: Budgets {
            run: money("budget.run")?,
            served: money("budget.served")?,
            ask: money("budget.ask")?,
        },
        breakers: BreakerBounds {
            slow_ms: Some(millis("breakers.slow")?),
            paid: money("breakers.paid")?.money,
        },
        limits: LimitsConfig {
            max_calls: number("limits.max_calls")?,
            max_calls_per_peer: number("limits.max_calls_per_peer")?,
            connections: number("limits.connections")?,
            child_rate: number("limits.child_rate")?,
            peer_bytes: number("limits.peer_bytes")?,
            announce_rate: number("limits.announce_rate")?,
            max_memory: number("limits.max_memory")?,
            call_timeout_ms: millis("limits.call_timeout")?,
            pending: number("limits.pending")?,
            strangers: number("limits.strangers")?,
            per_node: number("limits.per_node")?,
            unadmitted_per_address: number("limits.unadmitted_per_address")?,
            handshakes: number("limits.handshakes")?,
            admission_ms: millis("limits.admission")?,
        },
        rates: value::chosen(settings, "rates")
            .map(|name| {
                let key = |key: &str| format!("rates.{name}.{key}");
                let amount = |name: &str| number(&key(name)).map(|number| number as u64);
                let loops = texts(&key("loops"))?.into_iter();
                Some(Rate {
                    name: name.to_owned(),
                    callers: text(&key("callers"))?.parse().ok(),
                    loops: loops.filter_map(|id| id.parse().ok()).collect(),
                    per_minute: amount("per_minute")?,
                    burst: amount("burst")?,
                    shared: text(&key("shared"))? == "yes",
                    queue: amount("queue")?,
                })
            })
            .collect::<Option<_>>()?,
        log: LogConfig {
            format: text("log.format")?,
            level: text("log.level")?,
        },
        http: match text("http.listen")?.as_str() {
            "" => None,
            address => Some(address.parse().ok()?),
        },
        backends: value::chosen(settings, "backends")
            .map(|id| {
                let key = |name: &str| format!("backends.{id}.{name}");
                let set = |name: &str| text(&key(name)).filter(|text| !text.is_empty());
                let format = Format::named(&text(&key("format"))?)?;
                let backend = BackendConfig {
                    format,
                    url: set("url").unwrap_or_else(|| format.url().to_owned()),
                    key: set("key").and_then(|place| place.parse().ok()),
                    model: set("model"),
                    max_tokens: number(&key("max_tokens"))? as u64,
                    allow_private: texts(&key("allow_private"))?,
                    price: set("price").and_then(|price| value::price_of(&price)),
                };
                Some((id.to_owned(), backend))
            })
            .collect::<Option<_>>()?,
        prices: value::chosen(settings, "prices")
            .flat_map(|id| {
                let price = text(&format!("prices.{id}.price"));
                let price = price.and_then(|price| value::price_of(&price));
                let models = texts(&format!("prices.{id}.models")).unwrap_or_default();
                models
                    .into_iter()
                    .filter_map(move |model| Some((model, price?)))
            })
            .collect(),
        prompt_bytes: number("prompts.keep")? as u64,
        hear_names: texts("pseudonyms.except")?
            .iter()
            .map(|root| root.parse().ok())
            .collect::<Option<_>>()?,
        mcp: value::chosen(settings, "mcp")
            .map(|id| {
                let key = |name: &str| format!("mcp.{id}.{name}");
                let set = |name: &str| text(&key(name)).filter(|text| !text.is_empty());
                let variables = |name: &str| -> Option<BTreeMap<String, String>> {
                    let texts = texts(&key(name))?;
                    let read = texts.iter().map(|text| {
                        let (name, value) = value::variable_of(text)?;
                        Some((name.to_owned(), value.to_owned()))
                    });
                    read.collect()
                };
                let places = variables("secrets")?.into_iter();
                let places = places.map(|(name, place)| Some((name, place.parse().ok()?)));
                let server = ServerConfig {
                    argv: texts(&key("argv"))?,
                    env: variables("env")?,
                    secrets: places.collect::<Option<_>>()?,
                    cwd: set("cwd"),
                    sandbox: Sandbox {
                        level: SandboxLevel::named(&text(&key("sandbox"))?)?,
                        read: texts(&key("read"))?,
                        write: texts(&key("write"))?,
                    },
                    url: set("url").unwrap_or_default(),
                    key: set("key").and_then(|place| place.parse().ok()),
                    allow_private: texts(&key("allow_private"))?,
                };
                Some((id.to_owned(), server))
            })
            .collect::<Option<_>>()?,
        secrets: places("secrets", "key")?,
        secret_loops: SecretLoops::new(value::chosen(settings, "secrets").map(|name| {
            let loops = texts(&format!("secrets.{name}.loops")).unwrap_or_default();
            let loops = loops.iter().filter_map(|id| id.parse().ok());
            (name.to_owned(), loops.collect())
        })),
        agents: {
            let named = places("agents", "token")?.into_iter();
            let named = named.map(|(id, place)| Some((id.parse().ok()?, place)));
            named.collect::<Option<_>>()?
        },
        opened: texts("loops.allow_private")?,
        processes: ProcessesConfig {
            allow: texts("processes.allow")?,
            sandbox: SandboxLevel::named(&text("processes.sandbox")?)?,
        },
        containers: ContainersConfig {
            socket: text("containers.socket")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            networks: texts("containers.networks")?,
            registries: texts("containers.registries")?,
            old_runtime: text("containers.old_runtime")? == "yes",
        },
        notify: NotifyConfig {
            webhook: text("notify.webhook").filter(|url| !url.is_empty()),
            key: text("notify.key")?.parse().ok(),
            allow_private: texts("notify.allow_private")?,
            command: texts("notify.command")?,
        },
        people: people::people(settings)?,
        ldap: people::ldap(settings)?,
        oidc: people::oidc(settings)?,
        groups: people::groups(settings)?,
    })
}

#[cfg(test)]
mod tests;
