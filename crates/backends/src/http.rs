//! POSTs of JSON over HTTP, and agents that answer them with JSON.

use std::{collections::BTreeMap, error::Error, sync::OnceLock, time::Duration};

use bytes::Bytes;
use realm_executor::{BackendError, BackendReply};
use realm_protocol::{json, limits};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde_json::Value;

use crate::{
    Parts, Progress,
    address::{self, Target},
    pieces::Framing,
    resolver::{CheckedResolver, NotAllowed},
    words::Words,
};

/// Time to connect, within the time of the whole exchange.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest pause that is taken from an answer, seconds.
const MOST_SECONDS: u64 = 24 * 60 * 60;
/// What answers that come in events are.
pub(crate) const EVENTS: &str = "text/event-stream";
/// Headers that belong to the exchange itself.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The clients: one that reaches public addresses only, one for hosts the operator allows by
/// name. They share no connections.
#[derive(Debug, Default)]
pub(crate) struct HttpAgents {
    public: OnceLock<Client>,
    private: OnceLock<Client>,
}

/// One POST of JSON.
pub(crate) struct Post<'a> {
    pub(crate) url: String,
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) body: &'a Value,
    pub(crate) timeout_ms: u64,
    pub(crate) allow_private: &'a [String],
}

/// What it was answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// When it may be asked again, milliseconds, if it said so.
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl HttpAgents {
    /// Asks an agent: JSON in, JSON out, or events until there is JSON.
    pub(crate) async fn ask(
        &self,
        post: &Post<'_>,
        parts: Option<&Parts>,
        progress: Progress,
    ) -> Result<BackendReply, BackendError> {
        let exchange = async {
            let begun = self.begin(post).await?;
            match begun.is_success() && begun.comes_in_events() {
                true => Self::follow(begun, parts, progress).await,
                false => Self::output(begun.read().await?),
            }
        };
        within(post.timeout_ms, exchange).await
    }

    /// Takes an answer's events until the last word.
    async fn follow(
        mut begun: Beginning,
        parts: Option<&Parts>,
        progress: Progress,
    ) -> Result<BackendReply, BackendError> {
        let mut words = Words::new(Framing::Events, parts, progress);
        while let Some(chunk) = begun.chunk().await? {
            if let Some(reply) = words.take(&chunk).await? {
                return Ok(reply);
            }
        }
        Err(begun.broke_off())
    }

    /// What an agent has answered in one piece.
    fn output(answer: Answer) -> Result<BackendReply, BackendError> {
        if !answer.is_success() {
            return Err(BackendError::Status {
                code: answer.status,
                said: String::new(),
                retry_after_ms: answer.retry_after_ms,
            });
        }
        let output = json::parse(&answer.body).map_err(|error| BackendError::BadOutput {
            reason: error.to_string(),
        })?;
        Ok(BackendReply::json(output))
    }

    /// Sends a POST and reads its whole answer, whatever its status.
    pub(crate) async fn exchange(&self, post: &Post<'_>) -> Result<Answer, BackendError> {
        let exchange = async { self.begin(post).await?.read().await };
        within(post.timeout_ms, exchange).await
    }

    /// Sends a POST and gives its answer as that begins.
    pub(crate) async fn begin(&self, post: &Post<'_>) -> Result<Beginning, BackendError> {
        let target = address::target(&post.url, post.allow_private)?;
        let headers = header_map(post.headers)?;
        let client = self.client(&target)?;
        let request = client.post(target.url.clone()).headers(headers);
        send(target, request.body(json::to_bytes(post.body))).await
    }

    /// The client that reaches a target.
    pub(crate) fn client(&self, target: &Target) -> Result<&Client, BackendError> {
        let cell = if target.private {
            &self.private
        } else {
            &self.public
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = build(target.private).map_err(|error| failed(target, &error))?;
        Ok(cell.get_or_init(|| client))
    }
}

/// Sends a request that is made for a target, and gives its answer as that begins.
pub(crate) async fn send(
    target: Target,
    request: RequestBuilder,
) -> Result<Beginning, BackendError> {
    let sent = request.send().await;
    let response = sent.map_err(|error| failed(&target, &error))?;
    Ok(Beginning {
        target,
        response,
        bytes: 0,
    })
}

fn build(private: bool) -> reqwest::Result<Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race to another installer is as good as winning it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    Client::builder()
        .user_agent(concat!("realm/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .dns_resolver(CheckedResolver { private })
        .build()
}

fn header_map(headers: &BTreeMap<String, String>) -> Result<HeaderMap, BackendError> {
    let mut map =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    for (name, value) in headers {
        let refused = || BackendError::Refused {
            reason: "a header's name or value is not allowed",
        };
        let name: HeaderName = name.parse().map_err(|_| refused())?;
        let value: HeaderValue = value.parse().map_err(|_| refused())?;
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(refused());
        }
        map.insert(name, value);
    }
    Ok(map)
}

/// Does work in the time it has.
///
/// # Errors
/// Its own, or [`BackendError::Timeout`].
pub(crate) async fn within<T, E: From<BackendError>>(
    after_ms: u64,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let done = tokio::time::timeout(Duration::from_millis(after_ms), work).await;
    done.unwrap_or_else(|_| Err(BackendError::Timeout { after_ms }.into()))
}

/// An answer of which the body is still to come.
pub(crate) struct Beginning {
    target: Target,
    response: Response,
    bytes: usize,
}

impl Beginning {
    pub(crate) fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// Whether it is a stream of events.
    fn comes_in_events(&self) -> bool {
        let kind = self.response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(EVENTS)
    }

    /// The next piece of the body; none at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, BackendError> {
        let chunk = self.response.chunk().await;
        let chunk = chunk.map_err(|error| failed(&self.target, &error))?;
        self.bytes = self
            .bytes
            .saturating_add(chunk.as_ref().map_or(0, Bytes::len));
        if self.bytes > limits::BACKEND_BYTES {
            return Err(BackendError::TooLarge {
                limit: limits::BACKEND_BYTES,
            });
        }
        Ok(chunk)
    }

    /// Reads what is to come.
    pub(crate) async fn read(self) -> Result<Answer, BackendError> {
        self.read_at_most(limits::BACKEND_BYTES).await
    }

    /// Reads what is to come, unless it is more than so many bytes.
    pub(crate) async fn read_at_most(mut self, limit: usize) -> Result<Answer, BackendError> {
        let length = self.response.content_length();
        if length.is_some_and(|length| length > limit as u64) {
            return Err(BackendError::TooLarge { limit });
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(BackendError::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: self.response.status().as_u16(),
            retry_after_ms: retry_after(self.response.headers()),
            body,
        })
    }

    /// The connection ended before the answer did.
    pub(crate) fn broke_off(&self) -> BackendError {
        BackendError::Unreachable {
            host: self.target.authority.clone(),
            reason: "it hung up in the middle of its answer".to_owned(),
            sent: true,
        }
    }
}

/// When to ask again, if the headers say so.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok();
    pause(text(RETRY_AFTER)?, text(DATE))
}

/// Milliseconds of a `Retry-After`, of at most a day: it tells seconds, or a time by the clock that has told when it
/// answered.
pub(crate) fn pause(told: &str, answered: Option<&str>) -> Option<u64> {
    let time = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let seconds = match told.trim().parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            let (until, from) = (time(told)?, time(answered?)?);
            until.duration_since(from).unwrap_or_default().as_secs()
        }
    };
    Some(seconds.min(MOST_SECONDS).saturating_mul(1_000))
}

/// The reason of a failed exchange: the resolver's refusal if there was one, else the innermost.
fn failed(target: &Target, error: &reqwest::Error) -> BackendError {
    let mut innermost: &dyn Error = error;
    loop {
        if let Some(NotAllowed(refused)) = innermost.downcast_ref() {
            return named(target, refused);
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => break,
        }
    }
    BackendError::Unreachable {
        host: target.authority.clone(),
        reason: innermost.to_string(),
        sent: !error.is_connect(),
    }
}

/// The resolver knows no ports; the operator's list does.
fn named(target: &Target, refused: &BackendError) -> BackendError {
    match refused {
        BackendError::Blocked { address, .. } => BackendError::Blocked {
            host: target.authority.clone(),
            address: address.clone(),
        },
        other => other.clone(),
    }
}
