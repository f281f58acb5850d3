//! Servers of the Model Context Protocol: configured once, connected when first called, shared by
//! all calls, started again after they die.

mod answer;
pub(crate) mod apart;
mod definition;
mod line;
mod link;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use realm_executor::{BackendError, BackendReply, Mcp as Tool, Sandbox};
use realm_protocol::Digest;
use serde_json::Value;
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
    time::Instant,
};

pub use definition::ToolDefinition;
use link::Link;

use crate::{
    address,
    http::HttpAgents,
    sandbox::Launcher,
    secret::{Secret, Secrets},
};

/// Time from start to the end of the handshake.
const START: Duration = Duration::from_secs(20);
/// Pause before a server that was of no use twice is started again; twice as long each time.
const REST: Duration = Duration::from_millis(250);
/// Times that the pause grows.
const GROWS: u32 = 7;

/// A server that the realm has configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// A child process that speaks on standard input and output.
    Stdio {
        /// Program and arguments; no shell reads them.
        argv: Vec<String>,
        /// Environment beside the minimum.
        env: BTreeMap<String, String>,
        /// Variables that must not be shown, or why one cannot be had.
        secrets: BTreeMap<String, Result<Secret, String>>,
        /// Working directory.
        cwd: Option<String>,
        /// What it is kept from.
        sandbox: Sandbox,
    },
    /// A server that speaks streamable HTTP.
    Http {
        /// Where it is served.
        url: String,
        /// The bearer token it is shown, or why that cannot be had.
        key: Option<Result<Secret, String>>,
        /// `host:port` pairs that may be reached though their addresses are not public.
        allow_private: Vec<String>,
    },
}

/// Servers by id.
pub type Servers = BTreeMap<String, Server>;

impl Server {
    /// What it is told in secret.
    fn secrets(&self) -> Secrets {
        match self {
            Self::Stdio { secrets, .. } => Secrets::new(secrets.values().flatten()),
            Self::Http { key, .. } => Secrets::new(key.iter().flatten()),
        }
    }

    /// What can be told of it that will not work without asking it: its keys, or its address.
    pub fn fault(&self, id: &str) -> Option<BackendError> {
        let no_key = |reason: &String| BackendError::NoKey {
            id: id.to_owned(),
            reason: reason.clone(),
        };
        match self {
            Self::Stdio { secrets, .. } => {
                let mut wrong = secrets.values().filter_map(|secret| secret.as_ref().err());
                wrong.next().map(no_key)
            }
            Self::Http {
                key: Some(Err(reason)),
                ..
            } => Some(no_key(reason)),
            Self::Http {
                url, allow_private, ..
            } => address::target(url, allow_private).err(),
        }
    }
}

/// What can be told about a tool that will not work, without asking its server.
pub fn tool_fault(tool: &Tool, servers: &Servers) -> Option<BackendError> {
    let id = || tool.server.clone();
    let Some(server) = servers.get(&tool.server) else {
        return Some(BackendError::NoServer { id: id() });
    };
    let unapproved = || BackendError::NotApproved {
        id: id(),
        tool: tool.tool.clone(),
    };
    let fault = server.fault(&tool.server);
    fault.or_else(|| tool.digest.is_none().then(unapproved))
}

/// The servers of one daemon, with their connections.
#[derive(Debug, Default)]
pub(crate) struct Mcp {
    slots: RwLock<BTreeMap<String, Arc<Slot>>>,
}

/// A server and its connection, if it has one.
#[derive(Debug)]
struct Slot {
    server: Server,
    standing: Mutex<Standing>,
    /// Starts since the last call that came to an end.
    starts: AtomicU32,
    /// The start under way, and looks whether the server is there, which go on whoever waits for them.
    beside: std::sync::Mutex<JoinSet<()>>,
}

/// What a start came to, once it is over.
type Started = Option<Result<Arc<Link>, BackendError>>;

#[derive(Debug, Default)]
struct Standing {
    link: Option<Arc<Link>>,
    /// The start under way.
    start: Option<watch::Receiver<Started>>,
    /// Until when it is not started again, and why it was of no use.
    rest: Option<(Instant, String)>,
}

/// How servers are reached.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) http: Arc<HttpAgents>,
    pub(crate) launcher: Launcher,
}

/// One call of a tool.
pub(crate) struct ToolUse<'a> {
    pub(crate) server: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) digest: Option<Digest>,
    pub(crate) input: Value,
    pub(crate) timeout_ms: u64,
}

impl Mcp {
    /// Has these servers from now on. Those that stay as they are keep their connections; of the
    /// others, calls under way end as they began.
    pub(crate) fn set(&self, servers: Servers) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let kept = servers.into_iter().map(|(id, server)| {
            let slot = slots.get(&id).filter(|slot| slot.server == server);
            let slot = slot.cloned().unwrap_or_else(|| Arc::new(Slot::new(server)));
            (id, slot)
        });
        *slots = kept.collect();
    }

    /// The servers that there are.
    pub(crate) fn servers(&self) -> Servers {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let servers = slots.iter();
        servers
            .map(|(id, slot)| (id.clone(), slot.server.clone()))
            .collect()
    }

    /// Calls a tool, if it is what was approved and the input matches its schema.
    pub(crate) async fn call(
        &self,
        ways: Ways,
        wanted: ToolUse<'_>,
    ) -> Result<BackendReply, BackendError> {
        let (id, tool) = (wanted.server, wanted.tool);
        let slot = self.slot(id)?;
        let after_ms = wanted.timeout_ms;
        let Some(approved) = wanted.digest else {
            return Err(BackendError::NotApproved {
                id: id.to_owned(),
                tool: tool.to_owned(),
            });
        };
        let Value::Object(arguments) = wanted.input else {
            return Err(BackendError::Refused {
                reason: "a tool's input is an object",
            });
        };
        let answered = async {
            let link = slot.link(ways, id).await?;
            let known = link.tool(tool).await?;
            if known.digest != approved {
                return Err(BackendError::ToolChanged {
                    id: id.to_owned(),
                    tool: tool.to_owned(),
                });
            }
            let reply = link.call(&known, arguments).await;
            if !matches!(reply, Err(BackendError::Server { .. })) {
                slot.starts.store(0, Ordering::Relaxed);
            }
            reply
        };
        let answered = tokio::time::timeout(Duration::from_millis(after_ms), answered).await;
        answered.unwrap_or_else(|_| {
            slot.look();
            Err(BackendError::Timeout { after_ms })
        })
    }

    /// The tools of a server as it tells them now.
    pub(crate) async fn tools(
        &self,
        ways: Ways,
        id: &str,
    ) -> Result<Vec<ToolDefinition>, BackendError> {
        let slot = self.slot(id)?;
        let told = async { slot.link(ways, id).await?.tell().await };
        let told = tokio::time::timeout(START, told).await;
        told.unwrap_or(Err(BackendError::Timeout {
            after_ms: START.as_millis() as u64,
        }))
    }

    fn slot(&self, id: &str) -> Result<Arc<Slot>, BackendError> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(id).cloned();
        slot.ok_or_else(|| BackendError::NoServer { id: id.to_owned() })
    }
}

/// How long a server rests that was of no use after so many starts; after one it is started again at
/// once.
fn rest_after(starts: u32) -> Duration {
    match starts.checked_sub(2) {
        Some(starts) => REST * 2_u32.saturating_pow(starts.min(GROWS)),
        None => Duration::ZERO,
    }
}

impl Slot {
    fn new(server: Server) -> Self {
        Self {
            server,
            standing: Mutex::default(),
            starts: AtomicU32::new(0),
            beside: std::sync::Mutex::default(),
        }
    }

    /// Until when the server rests that is of no use now.
    fn rested(&self) -> Instant {
        Instant::now() + rest_after(self.starts.load(Ordering::Relaxed))
    }

    /// The connection; a new one if there is none, or if it broke and the server has rested. A start that somebody
    /// no longer waits for goes on for whoever comes next.
    async fn link(self: &Arc<Self>, ways: Ways, id: &str) -> Result<Arc<Link>, BackendError> {
        let mut started = {
            let mut standing = self.standing.lock().await;
            if let Some(link) = &standing.link {
                if link.is_up() {
                    return Ok(Arc::clone(link));
                }
                standing.rest = Some((self.rested(), link.end()));
                standing.link = None;
            }
            if let Some(start) = &standing.start {
                start.clone()
            } else {
                standing.rests(id)?;
                let start = self.start(ways, id.to_owned());
                standing.start = Some(start.clone());
                start
            }
        };
        let started = started.wait_for(Option::is_some).await;
        let link = started.ok().and_then(|started| started.clone());
        link.unwrap_or_else(|| {
            Err(link::broken(
                id,
                "its start was broken off".to_owned(),
                false,
            ))
        })
    }

    /// Starts the server beside whoever asks for it.
    fn start(self: &Arc<Self>, ways: Ways, id: String) -> watch::Receiver<Started> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = watch::channel(None);
        let slot = Arc::clone(self);
        let start = async move {
            let link = tokio::time::timeout(START, Link::start(&ways, &id, &slot.server)).await;
            let link = link.unwrap_or_else(|_| {
                let seconds = START.as_secs();
                let reason = format!("it did not complete its handshake within {seconds} s");
                Err(link::broken(&id, reason, false))
            });
            let link = link.map(Arc::new);
            let mut standing = slot.standing.lock().await;
            standing.start = None;
            match &link {
                Ok(link) => standing.link = Some(Arc::clone(link)),
                Err(error) => standing.rest = Some((slot.rested(), error.to_string())),
            }
            tell.send_replace(Some(link));
        };
        self.do_beside(start);
        told
    }

    /// Looks, beside whoever has waited for it in vain, whether the server is there at all.
    fn look(self: &Arc<Self>) {
        let slot = Arc::clone(self);
        self.do_beside(async move {
            let link = slot.standing.lock().await.link.clone();
            if let Some(link) = link {
                link.look().await;
            }
        });
    }

    fn do_beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        while beside.try_join_next().is_some() {}
        beside.spawn(work);
    }
}

impl Standing {
    /// Whether it may be started again.
    ///
    /// # Errors
    /// Until when it may not, and why.
    fn rests(&self, id: &str) -> Result<(), BackendError> {
        let Some((until, why)) = &self.rest else {
            return Ok(());
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        Err(BackendError::Server {
            id: id.to_owned(),
            reason: format!("it rests before its next start: {why}"),
            sent: false,
            retry_after_ms: Some((left.as_millis() as u64).saturating_add(1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_no_use_rests_twice_as_long_each_time_up_to_half_a_minute() {
        let rests: Vec<u128> = [0, 1, 2, 3, 9, 100]
            .map(|starts| rest_after(starts).as_millis())
            .to_vec();

        assert_eq!(rests, [0, 0, 250, 500, 32_000, 32_000]);
    }
}
