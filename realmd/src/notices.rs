//! Telling people that a call waits for them, or that work stands still, by webhook and by command.
//!
//! Nothing waits for a notice: what does not fit into the queue, or cannot be delivered in a few
//! attempts, is left to `realmctl approval ls` and `halt --show`, and said in the log. After a start everybody is
//! told again of what waits: rather twice than never.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use realm_backends::Backends;
use realm_executor::{BackendError, BackendRequest, Sandbox};
use realm_node::{Node, StandingHalt};
use realm_protocol::{
    CallId, Digest,
    audit::{AuditDetails, AuditEntry, AuditRow},
    cbor,
    journal::{Change, Entry, Event},
    json,
};
use serde_json::{Value, json as object};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, NotifyConfig},
    handle::Handle,
    secrets::SecretReader,
};

/// Notices that wait to be sent; one more is lost, and the log says so.
const WAITING: usize = 256;
/// Notices under way by each channel, those included that wait for another attempt; one more is lost,
/// and the log says so.
const UNDER_WAY: usize = 64;
/// Time for one attempt.
const ATTEMPT_MS: u64 = 15_000;
/// The pauses between attempts.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];
/// The events that people are told of.
const TOLD: [&str; 5] = [
    "approval.requested",
    "approval.escalated",
    "approval.granted",
    "approval.denied",
    "approval.expired",
];

/// The entries of the audit log that people are told of.
const TOLD_OF_LOG: [&str; 2] = ["halt.begun", "halt.lifted"];

/// One thing that people are told. It holds no arguments: whoever may see them asks the realm.
pub(crate) struct Notice(Value);

/// Where the loop leaves notices.
#[derive(Clone)]
pub(crate) struct Notices(mpsc::Sender<Notice>);

impl Notices {
    /// Makes the queue.
    pub(crate) fn queue() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Takes what an entry of the journal tells people.
    pub(crate) fn heed(&self, entry: &Entry) {
        for change in &entry.changes {
            match change {
                Change::Event(event) if TOLD.contains(&event.kind.as_str()) => {
                    self.tell(of_event(event));
                }
                Change::Audit(_, row) => {
                    if let Some(notice) = of_log(row) {
                        self.tell(notice);
                    }
                }
                _ => {}
            }
        }
    }

    fn tell(&self, notice: Notice) {
        // Where nobody is told anything, the queue is closed.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(notice) {
            tracing::warn!("too many notices wait already: one is lost; realmctl approval ls");
        }
    }

    /// Tells again of everything that waits, and of what stands still.
    async fn tell_again(&self, handle: &Handle) {
        let waiting = handle.read(|node: &Node| node.approvals(None, false)).await;
        for asked in waiting.into_iter().flatten() {
            self.tell(Notice(object!({
                "event": "approval.requested",
                "again": true,
                "approval": asked.id,
                "loopId": asked.action.loop_id,
                "run": asked.action.run,
                "expires": asked.expires,
            })));
        }
        let halts = handle.read(Node::standing_halts).await;
        for StandingHalt { what, by, at, why } in halts.into_iter().flatten() {
            self.tell(Notice(object!({
                "event": "halt.begun",
                "again": true,
                "what": what,
                "by": by,
                "why": why,
                "at": at.to_string(),
            })));
        }
    }
}

fn of_event(event: &Event) -> Notice {
    let mut told = match json::parse(&event.payload) {
        Ok(Value::Object(told)) => told,
        _ => serde_json::Map::new(),
    };
    told.insert("event".to_owned(), event.kind.clone().into());
    told.insert("run".to_owned(), event.run.to_string().into());
    told.insert("at".to_owned(), event.at.to_string().into());
    Notice(Value::Object(told))
}

/// What people are told of an entry of the audit log, if anything.
fn of_log(row: &AuditRow) -> Option<Notice> {
    // Every call leaves an entry: few are read.
    let names = |action: &&str| {
        let mut places = row.entry.windows(action.len());
        places.any(|place| place == action.as_bytes())
    };
    if !TOLD_OF_LOG.iter().any(names) {
        return None;
    }
    let entry: AuditEntry = cbor::decode(&row.entry).ok()?;
    if !TOLD_OF_LOG.contains(&entry.action.as_str()) {
        return None;
    }
    let details = row.details.as_deref().map(cbor::decode::<AuditDetails>);
    let details = details.and_then(Result::ok);
    let (by, why) = details.map_or((None, None), |it| (it.person, it.why));
    Some(Notice(object!({
        "event": entry.action,
        "what": entry.subject,
        "by": by,
        "why": why,
        "at": entry.at.to_string(),
    })))
}

/// Who is told, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channels {
    realm: String,
    requests: Vec<BackendRequest>,
}

impl Channels {
    /// Takes what is configured.
    pub(crate) fn of(config: &Config, secrets: &SecretReader) -> Self {
        let NotifyConfig {
            webhook,
            key,
            allow_private,
            command,
        } = config.notify.clone();
        let mut headers = BTreeMap::new();
        match key.map(|place| secrets.read(&place)) {
            Some(Ok(key)) => {
                let bearer = format!("Bearer {}", key.expose());
                headers.insert("authorization".to_owned(), bearer);
            }
            Some(Err(reason)) => {
                tracing::warn!(reason, "the key of `notify.webhook` cannot be had");
            }
            None => {}
        }
        let webhook = webhook.map(|url| BackendRequest::Http {
            url,
            headers,
            bearer: None,
            secrets: BTreeMap::new(),
            key: CallId::new([0; 16]),
            body: Value::Null,
            stream: false,
            timeout_ms: ATTEMPT_MS,
            allow_private,
        });
        let command = (!command.is_empty()).then(|| BackendRequest::Process {
            argv: command,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            key: CallId::new([0; 16]),
            cwd: None,
            sandbox: Box::new(Sandbox::default()),
            input: Value::Null,
            lines: false,
            stream: false,
            timeout_ms: ATTEMPT_MS,
        });
        Self {
            realm: config.name.to_string(),
            requests: webhook.into_iter().chain(command).collect(),
        }
    }
}

/// What sends notices, beside the loop.
pub(crate) struct Sender {
    pub(crate) notices: Notices,
    pub(crate) waiting: mpsc::Receiver<Notice>,
    pub(crate) channels: watch::Receiver<Arc<Channels>>,
    pub(crate) backends: Arc<Backends>,
    pub(crate) handle: Handle,
}

impl Sender {
    /// Sends notices until the daemon stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.notices.tell_again(&self.handle).await;
        // A channel that is down takes no room from another.
        let mut places: Vec<Arc<Semaphore>> = Vec::new();
        let mut sending = JoinSet::new();
        loop {
            let notice = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                notice = self.waiting.recv() => notice,
            };
            let Some(Notice(mut told)) = notice else {
                return;
            };
            while sending.try_join_next().is_some() {}
            let channels = Arc::clone(&self.channels.borrow());
            told["realm"] = channels.realm.clone().into();
            places.resize_with(places.len().max(channels.requests.len()), || {
                Arc::new(Semaphore::new(UNDER_WAY))
            });
            for (request, places) in channels.requests.iter().zip(&places) {
                let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
                    tracing::warn!(
                        "too many notices are under way: one is lost; realmctl approval ls"
                    );
                    continue;
                };
                let (backends, request) = (Arc::clone(&self.backends), with(request, &told));
                sending.spawn(async move {
                    let _permit = permit;
                    deliver(&backends, request).await;
                });
            }
        }
    }
}

/// The request that carries a notice.
fn with(request: &BackendRequest, told: &Value) -> BackendRequest {
    let mut request = request.clone();
    if let BackendRequest::Http {
        body: content, key, ..
    }
    | BackendRequest::Process {
        input: content,
        key,
        ..
    } = &mut request
    {
        *content = told.clone();
        // The same in every attempt.
        *key = CallId::new(Digest::of(&[&json::to_bytes(told)]).half());
    }
    request
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause between attempts, beside the loop"
)]
async fn deliver(backends: &Backends, request: BackendRequest) {
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match backends.call_for_owner(request.clone()).await {
            // Nobody asked it for an answer.
            Ok(_) | Err(BackendError::BadOutput { .. }) => return,
            Err(error) => error,
        };
        let Some(pause) = pauses.next() else {
            tracing::warn!(%error, "a notice was not delivered, and is given up");
            return;
        };
        tracing::debug!(%error, "a notice was not delivered, and is sent again");
        tokio::time::sleep(pause).await;
    }
}
