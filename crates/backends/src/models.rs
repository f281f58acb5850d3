//! Models behind an API: what a realm has configured of them, and one exchange with one of them.
//!
//! A wire format is a file below here: what is sent ([`Asked`]) and how the answer reads ([`Said`]).

mod anthropic;
pub(crate) mod apart;
mod ollama;
mod openai;
mod responses;
mod writing;

use std::collections::BTreeMap;

use realm_executor::{
    BackendError, BackendOutput, BackendReply, ModelRequest, Price, Prices, ToolSpec, price_of,
};
use realm_protocol::json;
use serde_json::{Value, json};

use crate::{
    Parts, address,
    http::{Answer, HttpAgents, Post},
    pieces::Framing,
    secret::{Secret, Secrets},
};
use writing::Writing;

/// Characters of what a backend says about a failure that are repeated.
const SAID_CHARS: usize = 300;

/// Wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Chat completions, as `OpenAI` and everything compatible with it speaks.
    OpenAi,
    /// Responses, as `OpenAI` speaks.
    Responses,
    /// Messages, as Anthropic speaks.
    Anthropic,
    /// Chat, as Ollama speaks.
    Ollama,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Responses, Self::Anthropic, Self::Ollama];

    /// The format's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Where the maker of the format serves it.
    pub const fn url(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Ollama => "http://127.0.0.1:11434/api",
        }
    }

    fn ask(self, model: &Model, request: &ModelRequest, key: Option<&Secret>) -> Asking {
        match self {
            Self::OpenAi => openai::ask(model, request, key),
            Self::Responses => responses::ask(model, request, key),
            Self::Anthropic => anthropic::ask(model, request, key),
            Self::Ollama => ollama::ask(model, request, key),
        }
    }

    /// How an answer comes that is shown while it is being written.
    fn writing(self, request: &ModelRequest) -> (Framing, Box<dyn Writing>) {
        match self {
            Self::OpenAi => (Framing::Events, Box::<openai::Chunks>::default()),
            Self::Responses => (Framing::Events, Box::<responses::Events>::default()),
            Self::Anthropic => (Framing::Events, Box::new(anthropic::Events::of(request))),
            Self::Ollama => (Framing::Lines, Box::<ollama::Lines>::default()),
        }
    }

    /// What an answer says of why the backend went no further, where it says that in an answer.
    fn broken(self, answer: &Value) -> Option<Value> {
        match self {
            Self::Responses => responses::broken(answer),
            Self::OpenAi | Self::Anthropic | Self::Ollama => None,
        }
    }

    fn read(self, answer: &Value, request: &ModelRequest) -> Result<Said, BackendError> {
        match self {
            Self::OpenAi => openai::read(answer),
            Self::Responses => responses::read(answer),
            Self::Anthropic => anthropic::read(answer, request),
            Self::Ollama => ollama::read(answer),
        }
    }
}

/// A model backend that the realm has configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its wire format.
    pub format: Format,
    /// Where it is served; paths of the format follow.
    pub url: String,
    /// What it is shown to be let in, or why that cannot be had; none where it wants nothing.
    pub key: Option<Result<Secret, String>>,
    /// The model that answers where a loop names none.
    pub model: Option<String>,
    /// Most tokens of an answer where a loop does not say.
    pub max_tokens: u64,
    /// `host:port` pairs that may be reached though their addresses are not public.
    pub allow_private: Vec<String>,
    /// What it costs, if that is known.
    pub price: Option<Price>,
    /// What other models cost.
    pub prices: Prices,
}

impl Model {
    /// What can be told of it that will not work without asking it: its key, or its address.
    pub fn fault(&self, id: &str) -> Option<BackendError> {
        if let Some(Err(reason)) = &self.key {
            return Some(BackendError::NoKey {
                id: id.to_owned(),
                reason: reason.clone(),
            });
        }
        address::target(&self.url, &self.allow_private).err()
    }

    fn name<'a>(&'a self, request: &'a ModelRequest) -> Result<&'a str, BackendError> {
        let named = request.model.as_deref().or(self.model.as_deref());
        named.ok_or(BackendError::Refused {
            reason: "neither the loop nor the backend names a model",
        })
    }
}

type Asking = Result<Asked, BackendError>;

/// What is sent.
struct Asked {
    path: &'static str,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// What was answered.
struct Said {
    output: BackendOutput,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    model: Option<String>,
}

/// Lets a configured model complete a prompt, and shows what it writes while it does.
pub(crate) async fn complete(
    http: &HttpAgents,
    model: &Model,
    request: &ModelRequest,
    parts: Option<&Parts>,
) -> Result<BackendReply, BackendError> {
    let key = match &model.key {
        Some(Err(reason)) => {
            return Err(BackendError::NoKey {
                id: request.backend.clone(),
                reason: reason.clone(),
            });
        }
        Some(Ok(key)) => Some(key),
        None => None,
    };
    let parts = parts.filter(|_| request.stream);
    let mut asked = model.format.ask(model, request, key)?;
    let (framing, mut writing) = model.format.writing(request);
    if let (Some(_), Some(body)) = (parts, asked.body.as_object_mut()) {
        writing.ask_for(body);
    }
    let post = Post {
        url: format!("{}{}", model.url.trim_end_matches('/'), asked.path),
        headers: &asked.headers,
        body: &asked.body,
        timeout_ms: request.timeout_ms,
        allow_private: &model.allow_private,
    };
    let answer = match parts {
        Some(parts) => {
            let written = writing::follow(http, &post, (framing, &mut *writing), parts).await;
            written.map_err(|failure| failure.told(key))?
        }
        None => {
            let answer = http.exchange(&post).await?;
            if !answer.is_success() {
                return Err(refused(answer, key));
            }
            let whole = json::parse(&answer.body).map_err(|error| BackendError::BadOutput {
                reason: error.to_string(),
            })?;
            if let Some(failure) = model.format.broken(&whole) {
                return Err(status(500, (&failure, key), None));
            }
            whole
        }
    };
    let said = model.format.read(&answer, request)?;
    let tokens = said.input_tokens.zip(said.output_tokens);
    let own = (model.model.as_deref(), model.price);
    let asked = price_of(own, &model.prices, request.model.as_deref());
    // A name may stand for whichever model is the newest of its kind.
    let answered = || model.prices.get(said.model.as_ref()?).copied();
    let cost = asked.or_else(answered).zip(tokens);
    Ok(BackendReply {
        output: said.output,
        input_tokens: said.input_tokens,
        output_tokens: said.output_tokens,
        model: said.model,
        cost: cost.and_then(|(price, (input, output))| price.of(input, output)),
    })
}

/// A failure as the backend tells it.
fn refused(answer: Answer, key: Option<&Secret>) -> BackendError {
    let body = json::parse(&answer.body).unwrap_or_default();
    status(answer.status, (&body, key), answer.retry_after_ms)
}

/// A failure with what is said of it; whatever that is, the key is not repeated.
fn status(
    code: u16,
    (body, key): (&Value, Option<&Secret>),
    retry_after_ms: Option<u64>,
) -> BackendError {
    let error = body.get("error").unwrap_or(body);
    let said = error.get("message").unwrap_or(error).as_str();
    let said = said.unwrap_or_default();
    let said = Secrets::new(key).masked(said);
    BackendError::Status {
        code,
        said: said.chars().take(SAID_CHARS).collect(),
        retry_after_ms,
    }
}

/// What the model is told first: the system's words, if there are any, and the prompt.
fn opening(request: &ModelRequest) -> Vec<Value> {
    let system = request.system.iter();
    let system = system.map(|text| json!({"role": "system", "content": text}));
    let prompt = json!({"role": "user", "content": request.prompt});
    system.chain([prompt]).collect()
}

/// The tools as functions with parameters.
fn functions(tools: &[ToolSpec]) -> Value {
    let functions = tools.iter().map(|tool| {
        json!({"type": "function", "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.schema,
        }})
    });
    functions.collect()
}

/// The header that shows a key.
fn bearer(key: Option<&Secret>) -> BTreeMap<String, String> {
    let header = |key| {
        (
            "authorization".to_owned(),
            format!("Bearer {}", Secret::expose(key)),
        )
    };
    key.map(header).into_iter().collect()
}

/// The model that an answer names.
fn named(answer: &Value) -> Option<String> {
    let model = answer.get("model").and_then(Value::as_str);
    model.map(str::to_owned)
}

/// Arguments as text. What is no JSON stays text, which the loop's schema refuses.
fn arguments(text: Option<&Value>) -> Value {
    let text = text.and_then(Value::as_str).unwrap_or("{}");
    json::parse(text.as_bytes()).unwrap_or_else(|_| text.into())
}

/// The text of an answer, which has some.
fn text(found: Option<&Value>) -> Result<String, BackendError> {
    let text = found.and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| missing("a text"))
}

fn missing(what: &str) -> BackendError {
    BackendError::BadOutput {
        reason: format!("the model's API gave no {what}"),
    }
}

fn unfinished(reason: &str) -> BackendError {
    BackendError::Unfinished {
        reason: reason.to_owned(),
    }
}
