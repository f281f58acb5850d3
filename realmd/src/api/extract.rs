//! Reading requests strictly: type, size, time, JSON without duplicates, no unknown members.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::{header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use realm_client::{
    api::{Fault, Problem},
    catalogue::Code,
};
use realm_protocol::{Digest, json};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment as Segments;

use super::problem::Fail;

/// Items of a page whose request does not say.
const PAGE: u32 = 50;
/// Items of a page at most.
const PAGE_MOST: u32 = 500;
/// Bytes of a request's body.
const BODY_BYTES: usize = 1024 * 1024;
/// Time for a request's body.
const BODY: Duration = Duration::from_secs(10);

/// How many items a page has.
pub(super) fn page_size(limit: Option<u32>) -> usize {
    let limit = limit.unwrap_or(PAGE).clamp(1, PAGE_MOST);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// A request's JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fail> {
        if !is_json(&request) {
            let detail = "the body must be JSON: Content-Type: application/json";
            return Err(Fail::status(415, Code::RequestInvalid, detail));
        }
        let bytes = collect(request.into_body()).await?;
        let value = json::parse(&bytes).map_err(|error| invalid(&error.to_string()))?;
        serde_path_to_error::deserialize(value)
            .map(Self)
            .map_err(|error| misread(&error))
    }
}

/// Reads a body whole, within its bounds.
pub(super) async fn collect(body: axum::body::Body) -> Result<Bytes, Fail> {
    let collected = Limited::new(body, BODY_BYTES).collect();
    match tokio::time::timeout(BODY, collected).await {
        Err(_) => {
            let detail = "the body did not arrive within 10 s";
            Err(Fail::status(408, Code::RequestInvalid, detail))
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("a request has at most {BODY_BYTES} bytes");
            Err(Problem::new(Code::RequestTooLarge, detail).into())
        }
        Ok(Err(_)) => Err(invalid("the body broke off")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// What is wrong with a member, and which.
pub(super) fn misread(error: &serde_path_to_error::Error<serde_json::Error>) -> Fail {
    let what = error.inner().to_string();
    let fault = Fault {
        pointer: Some(pointer(error.path())),
        ..Fault::new(what.clone())
    };
    Problem::new(Code::RequestInvalid, what)
        .with_errors(vec![fault])
        .into()
}

/// A path into a request as a JSON pointer (RFC 6901); empty for the whole.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let segment = |segment: &Segments| match segment {
        Segments::Seq { index } => format!("/{index}"),
        Segments::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segments::Enum { .. } | Segments::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A request's query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fail> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| invalid(&error.body_text()))
    }
}

/// The one variable segment of a request's path, decoded.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fail> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment
            .map(|Path(text)| Self(text))
            .map_err(|error| invalid(&error.body_text()))
    }
}

/// The digest that a tool is approved by.
pub(super) fn tool_digest(tool: &str, digest: &str) -> Result<Digest, Fail> {
    let read = digest.parse();
    read.map_err(|_| invalid(&format!("`{digest}` is no digest of the tool `{tool}`")))
}

/// A request that is not understood.
pub(super) fn invalid(detail: &str) -> Fail {
    Problem::new(Code::RequestInvalid, detail).into()
}
