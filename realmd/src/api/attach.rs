//! Agents that attach: one session a connection, from its first word to its last.

mod loops;

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use http::Method;
use realm_backends::attached::{Instance, Seat, Told};
use realm_client::{
    api::{AgentMessage, Attach, FailureCategory, RealmMessage, routes},
    catalogue::Code,
};
use realm_executor::{AttachedRequest, BackendError, Category, Limit};
use realm_node::Node;
use realm_protocol::{json, limits};
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, timeout},
};
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    Gate, Shared, extract, people::let_in, problem::Fail, sign_in::present, socket::Upgrade,
    views::short,
};
use crate::{daemon::Daemon, people::Shown};

/// Connections that attach or are attached; one more is refused.
const SESSIONS: usize = 2 * limits::ATTACHED;
/// Calls an agent takes at once unless it says otherwise.
const CONCURRENCY: u64 = 8;
/// Time for a first word.
const FIRST: Duration = Duration::from_millis(limits::ATTACH_MS);
/// Longest silence of an agent, and longest wait until it takes what it is told.
const SILENCE: Duration = Duration::from_millis(limits::ATTACHED_SILENCE_MS);
/// Time between pings.
const BEAT: Duration = Duration::from_millis(limits::ATTACHED_SILENCE_MS / 3);
/// Time for last words.
const GOODBYE: Duration = Duration::from_secs(1);
/// Letters that are kept of what an agent says about a failure.
const MESSAGE: usize = 2_000;

pub(super) async fn attach(daemon: Shared, upgrade: Upgrade) -> Result<Response, Fail> {
    let State(daemon) = daemon;
    if daemon.sessions.len() >= SESSIONS {
        let what = format!("{SESSIONS} connections attach already");
        return Err(Fail::new(Code::TooManyRequests, what));
    }
    let response = upgrade.response();
    let sessions = daemon.sessions.clone();
    sessions.spawn(session(daemon, upgrade));
    Ok(response)
}

/// Why a session ends.
enum End {
    /// The agent did something that is not done.
    Refused(Fail),
    /// It has answered everything and wants no more.
    Left,
    /// The connection is gone, or nothing comes over it.
    Gone,
    /// The daemon stops.
    Stopping,
}

impl From<Fail> for End {
    fn from(fail: Fail) -> Self {
        Self::Refused(fail)
    }
}

async fn session(daemon: Arc<Daemon>, upgrade: Upgrade) {
    let gate = upgrade.gate.clone();
    let Ok(Ok(socket)) = timeout(FIRST, upgrade.socket()).await else {
        return;
    };
    let (mut sink, mut stream) = socket.split();
    let Err(end) = serve(&daemon, gate, &mut sink, &mut stream).await;
    let (problem, code, why) = match end {
        End::Gone => return,
        End::Refused(fail) => (Some(fail.into_problem()), CloseCode::Policy, "refused"),
        End::Left => (None, CloseCode::Normal, "detached"),
        End::Stopping => (None, CloseCode::Away, "the realm is shutting down"),
    };
    let farewell = async {
        if let Some(problem) = problem {
            tracing::debug!(code = problem.code, "an attached agent was refused");
            say(&mut sink, &RealmMessage::Refused { problem }).await?;
        }
        let frame = CloseFrame {
            code,
            reason: why.into(),
        };
        let close = Message::Close(Some(frame));
        sink.send(close).await.map_err(|_| End::Gone)?;
        // The other side says goodbye, too, before the connection is cut.
        while let Some(Ok(_)) = stream.next().await {}
        Ok::<(), End>(())
    };
    // Who does not listen to last words does not get them.
    let _ = timeout(GOODBYE, farewell).await;
}

/// Serves a connection to its end.
async fn serve(
    daemon: &Arc<Daemon>,
    gate: Option<Arc<Gate>>,
    sink: &mut (impl Sink<Message> + Unpin),
    stream: &mut (impl Stream<Item = Heard> + Unpin),
) -> Result<std::convert::Infallible, End> {
    let first = timeout(FIRST, hear(stream)).await.map_err(|_| {
        let what = format!("nothing was said within {} s", FIRST.as_secs());
        Fail::new(Code::RequestInvalid, what)
    })?;
    let AgentMessage::Attach(asked) = first? else {
        return Err(Fail::new(Code::RequestInvalid, "the first message is `attach`").into());
    };
    let Attach {
        agent,
        token,
        loops,
        concurrency,
    } = asked;
    if let Some(gate) = &gate {
        check(daemon, gate, token.as_deref(), &agent).await?;
    }
    let concurrency = concurrency.unwrap_or(CONCURRENCY);
    if !(1..=limits::ATTACHED_CALLS).contains(&concurrency) {
        let what = format!("concurrency is 1 to {}", limits::ATTACHED_CALLS);
        return Err(Fail::new(Code::RequestInvalid, what).into());
    }
    let claimed = loops::claim(&State(Arc::clone(daemon)), &agent, loops).await?;
    let instance = Instance {
        agent: claimed.agent,
        loops: claimed.serves,
        concurrency,
    };
    let attached = daemon.backends.attached();
    let most = daemon.handle.read(|node: &Node| node.limit(Limit::Agents));
    if let Some(most) = most
        .await
        .map_err(Fail::from)?
        .filter(|most| attached.len() >= *most)
    {
        let what =
            format!("{most} agents are attached, and a document lets no more: realmctl doctor");
        return Err(Fail::new(Code::TooManyRequests, what).into());
    }
    let (seat, mut told) = attached
        .attach(instance)
        .map_err(|full| Fail::new(Code::TooManyRequests, full.to_string()))?;
    tracing::info!(agent, concurrency, "an agent has attached");
    let welcome = RealmMessage::Attached {
        agent: agent.clone(),
        loops: claimed.loops,
        concurrency,
    };
    say(sink, &welcome).await?;
    let ended = tokio::select! {
        biased;
        () = daemon.stop.cancelled() => Err(End::Stopping),
        ended = stays(daemon, gate.as_deref(), (token.as_deref(), &agent)) => ended,
        ended = listen(stream, &seat) => ended,
        ended = tell(sink, &mut told, &seat) => ended,
    };
    tracing::info!(agent, "an agent is gone");
    ended
}

/// Whether whoever shows a token over TCP may attach as this agent.
async fn check(daemon: &Daemon, gate: &Gate, token: Option<&str>, agent: &str) -> Result<(), Fail> {
    let person = match gate.check_token(token)? {
        Shown::Agent(id) if id.as_str() == agent => return Ok(()),
        Shown::Agent(id) => {
            let what = format!(
                "this is the token of agent `{id}`, and not of `{}`",
                short(agent)
            );
            return Err(Fail::new(Code::RoleMissing, what));
        }
        Shown::Named(person) => person,
        Shown::SignedIn(member) => present(daemon, &member, limits::PERSON_READ_MS).await?,
    };
    let_in(daemon, &person, &Method::GET, routes::ATTACH).await
}

/// Ends once whoever has attached may no more: at once where the configuration says so, and otherwise as
/// soon as a look every few seconds tells.
async fn stays(
    daemon: &Daemon,
    gate: Option<&Gate>,
    (token, agent): (Option<&str>, &str),
) -> Result<std::convert::Infallible, End> {
    let Some(gate) = gate else {
        return std::future::pending().await;
    };
    let mut people = gate.people();
    let mut beat = interval(BEAT);
    loop {
        tokio::select! {
            Ok(()) = people.changed() => {}
            _ = beat.tick() => {}
        }
        check(daemon, gate, token, agent).await?;
    }
}

/// What comes over a connection.
type Heard = Result<Message, tungstenite::Error>;

/// The next message; signs of life are passed over.
async fn hear(stream: &mut (impl Stream<Item = Heard> + Unpin)) -> Result<AgentMessage, End> {
    loop {
        let heard = timeout(SILENCE, stream.next()).await;
        let text = match heard.map_err(|_| End::Gone)? {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                return Err(extract::invalid("messages are texts").into());
            }
            Some(Err(tungstenite::Error::Capacity(error))) => {
                return Err(Fail::new(Code::RequestTooLarge, error.to_string()).into());
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        };
        let value = json::parse(text.as_bytes());
        let value = value.map_err(|error| extract::invalid(&error.to_string()))?;
        return serde_path_to_error::deserialize(value)
            .map_err(|error| extract::misread(&error).into());
    }
}

/// Takes what an agent says, until it says no more.
async fn listen(
    stream: &mut (impl Stream<Item = Heard> + Unpin),
    seat: &Seat<'_>,
) -> Result<std::convert::Infallible, End> {
    loop {
        let (call, was_its) = match hear(stream).await? {
            AgentMessage::Output {
                call,
                output,
                state,
            } => {
                let state = state.map(Value::Object);
                (call, seat.answer(call, Ok(output), state))
            }
            AgentMessage::Failure {
                call,
                message,
                category,
                retry_after_ms,
            } => {
                let category = category.map_or(Category::Unknown, self::category);
                let message = message.chars().take(MESSAGE).collect();
                let error = BackendError::Reported {
                    message,
                    category,
                    retry_after_ms,
                };
                (call, seat.answer(call, Err(error), None))
            }
            AgentMessage::Ask {
                call,
                question,
                about,
            } => {
                let mut asked = Map::from_iter([("question".to_owned(), question.into())]);
                asked.extend(about.map(|about| ("about".to_owned(), about)));
                (call, seat.ask(call, asked.into()))
            }
            AgentMessage::Part { call, text } => {
                if text.len() > limits::STREAM_BYTES {
                    let what = format!("a part has at most {} bytes", limits::STREAM_BYTES);
                    return Err(Fail::new(Code::RequestTooLarge, what).into());
                }
                // Nothing more is read of the connection until somebody has taken it.
                seat.part(call, text).await;
                continue;
            }
            AgentMessage::Progress { call, progress } => {
                // It may have been answered by another thread of the agent's.
                seat.progress(call, progress);
                continue;
            }
            AgentMessage::Detach => match seat.leave() {
                true => return Err(End::Left),
                false => continue,
            },
            AgentMessage::Attach(_) => {
                return Err(extract::invalid("it is attached already").into());
            }
        };
        if !was_its {
            let what = format!("call {call} is not this agent's, or has its answer");
            return Err(extract::invalid(&what).into());
        }
        if seat.is_done() {
            return Err(End::Left);
        }
    }
}

/// Tells an agent what it is to do, and whether anybody is there in between. One that answers pings and leaves
/// calls hanging is turned away: it attaches anew with all its places.
async fn tell(
    sink: &mut (impl Sink<Message> + Unpin),
    told: &mut mpsc::Receiver<Told>,
    seat: &Seat<'_>,
) -> Result<std::convert::Infallible, End> {
    let mut beat = interval(BEAT);
    loop {
        tokio::select! {
            biased;
            next = told.recv() => say(sink, &message(next.ok_or(End::Gone)?)).await?,
            _ = beat.tick() => send(sink, Message::Ping(bytes::Bytes::new())).await?,
        }
        if let Some(call) = seat.hangs_in(Instant::now()) {
            let seconds = limits::ATTACHED_CANCELLED_MS / 1_000;
            let what = format!(
                "call {call} was cancelled and has no answer after {seconds} s: answer cancelled calls, too, and attach again"
            );
            return Err(Fail::new(Code::RequestInvalid, what).into());
        }
    }
}

fn message(told: Told) -> RealmMessage {
    match told {
        Told::Call { call, work } => {
            let AttachedRequest {
                agent: _,
                loop_id,
                version,
                key,
                input,
                state,
                answers,
                stream,
                repeatable: _,
                timeout_ms,
            } = *work;
            RealmMessage::Call {
                call,
                loop_id: loop_id.to_string(),
                version,
                key: key.to_string(),
                input,
                state,
                answers,
                stream,
                timeout_ms,
            }
        }
        Told::Cancel { call } => RealmMessage::Cancel { call },
    }
}

async fn say(sink: &mut (impl Sink<Message> + Unpin), said: &RealmMessage) -> Result<(), End> {
    let text = serde_json::to_string(said).map_err(|error| {
        tracing::error!(%error, "a message to an agent cannot be written");
        End::Gone
    })?;
    send(sink, Message::text(text)).await
}

async fn send(sink: &mut (impl Sink<Message> + Unpin), message: Message) -> Result<(), End> {
    match timeout(SILENCE, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

const fn category(said: FailureCategory) -> Category {
    match said {
        FailureCategory::Transient => Category::Transient,
        FailureCategory::Validation => Category::Validation,
        FailureCategory::Business => Category::Business,
        FailureCategory::Permission => Category::Permission,
        FailureCategory::Unknown => Category::Unknown,
    }
}
