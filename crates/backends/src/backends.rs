//! One door to every backend.

use realm_executor::{BackendError, BackendReply, BackendRequest};
use serde_json::{Value, json};

use crate::{http::HttpAgents, mock, process};

/// Header in which an HTTP agent finds the key of its work, the same in every attempt.
pub const KEY_HEADER: &str = "idempotency-key";
/// Variable in which a process finds the key of its work, the same in every attempt.
pub const KEY_VARIABLE: &str = "REALM_IDEMPOTENCY_KEY";

/// All backends of one daemon. Making it does nothing; HTTP clients are built when first used.
#[derive(Debug, Default)]
pub struct Backends {
    http: HttpAgents,
}

impl Backends {
    /// Makes the backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does a piece of work. Dropping the future stops it.
    ///
    /// # Errors
    /// [`BackendError`] by what went wrong; the request's time is kept here.
    pub async fn call(&self, request: BackendRequest) -> Result<BackendReply, BackendError> {
        match request {
            BackendRequest::Mock {
                prompt,
                system: _,
                model,
            } => Ok(mock::reply(&prompt, model)),
            BackendRequest::Echo { input } => Ok(BackendReply::json(input)),
            BackendRequest::Count { input } => Ok(BackendReply::json(count(&input))),
            BackendRequest::Http {
                url,
                mut headers,
                key,
                body,
                timeout_ms,
                allow_private,
            } => {
                headers
                    .entry(KEY_HEADER.to_owned())
                    .or_insert_with(|| key.to_string());
                self.http
                    .post(&url, &headers, &body, timeout_ms, &allow_private)
                    .await
            }
            BackendRequest::Process {
                argv,
                mut env,
                key,
                cwd,
                input,
                timeout_ms,
            } => {
                env.entry(KEY_VARIABLE.to_owned())
                    .or_insert_with(|| key.to_string());
                process::run(&argv, &env, cwd.as_deref(), &input, timeout_ms).await
            }
        }
    }
}

/// Answers a request that needs no IO, as the mock model and `echo` do; gives any other back.
///
/// # Errors
/// The request itself.
pub fn pure(request: BackendRequest) -> Result<BackendReply, BackendRequest> {
    match request {
        BackendRequest::Mock {
            prompt,
            system: _,
            model,
        } => Ok(mock::reply(&prompt, model)),
        BackendRequest::Echo { input } => Ok(BackendReply::json(input)),
        BackendRequest::Count { input } => Ok(BackendReply::json(count(&input))),
        request @ (BackendRequest::Http { .. } | BackendRequest::Process { .. }) => Err(request),
    }
}

/// One step of a machine that counts.
fn count(input: &Value) -> Value {
    let number = |name| input.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (next, to) = (number("n").saturating_add(1), number("to"));
    if next >= to {
        json!({"complete": {"n": next}})
    } else {
        json!({"continue": {"n": next, "to": to}})
    }
}
