//! The same answer to the same `Idempotency-Key`: a client whose connection broke may ask again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use realm_client::catalogue::Code;
use realm_protocol::Digest;
use tokio::sync::OnceCell;

use super::{Shared, extract, invoke::key, problem::Fail};

/// Keys remembered; one more forgets the oldest.
const KEYS: usize = 256;
/// Bytes of answers remembered; more forget the oldest.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Answers given under a key since the start, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<VecDeque<Remembered>>);

#[derive(Debug)]
struct Remembered {
    key: String,
    /// Of the route and the request.
    asked: Digest,
    answer: Answer,
}

/// Filled once by whoever comes first; the others wait for it.
type Answer = Arc<OnceCell<(StatusCode, Bytes)>>;

impl Answers {
    /// The place of this key's answer; none if the key belongs to another request.
    fn place(&self, key: String, asked: Digest) -> Option<Answer> {
        // Nothing panics while it is held.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.iter().find(|found| found.key == key) {
            return (found.asked == asked).then(|| Arc::clone(&found.answer));
        }
        while all.len() >= KEYS || bytes(&all) > ANSWER_BYTES {
            all.pop_front();
        }
        let answer = Answer::default();
        all.push_back(Remembered {
            key,
            asked,
            answer: Arc::clone(&answer),
        });
        Some(answer)
    }
}

fn bytes(all: &VecDeque<Remembered>) -> usize {
    let answers = all.iter().filter_map(|found| found.answer.get());
    answers.map(|(_, body)| body.len()).sum()
}

/// Does a request once for each `Idempotency-Key`. Refusals are not remembered.
pub(super) async fn once(daemon: Shared, request: Request, next: Next) -> Result<Response, Fail> {
    let State(daemon) = daemon;
    let Some(key) = key(request.headers(), None)? else {
        return Ok(next.run(request).await);
    };
    let (head, body) = request.into_parts();
    let body = extract::collect(body).await?;
    let asked = Digest::of(&[head.uri.path().as_bytes(), &body]);
    let Some(place) = daemon.answers.place(key, asked) else {
        let detail = "the Idempotency-Key was used for another request";
        return Err(Fail::new(Code::KeyReused, detail));
    };
    let ask = async || {
        let request = Request::from_parts(head, Body::from(body));
        keep(next.run(request).await).await
    };
    Ok(match place.get_or_try_init(ask).await {
        Ok((status, body)) => json(*status, body.clone()),
        Err(refused) => refused,
    })
}

/// An answer to remember; a refusal as it is.
async fn keep(response: Response) -> Result<(StatusCode, Bytes), Response> {
    let status = response.status();
    if !status.is_success() {
        return Err(response);
    }
    match response.into_body().collect().await {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(_) => Err(Fail::new(Code::Internal, "the answer broke off").into_response()),
    }
}

fn json(status: StatusCode, body: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(place: &Answer, body: &'static [u8]) {
        place
            .set((StatusCode::OK, Bytes::from_static(body)))
            .unwrap();
    }

    #[test]
    fn a_key_has_one_place_and_belongs_to_one_request() {
        let answers = Answers::default();
        let (one, other) = (Digest::of(&[b"one"]), Digest::of(&[b"other"]));

        fill(&answers.place("k".to_owned(), one).unwrap(), b"answer");

        let again = answers.place("k".to_owned(), one).unwrap();
        assert_eq!(again.get().unwrap().1, "answer");
        assert!(answers.place("k".to_owned(), other).is_none());
    }

    #[test]
    fn the_oldest_key_is_forgotten_at_the_bound() {
        let answers = Answers::default();
        let asked = Digest::of(&[b"asked"]);
        for number in 0..=KEYS {
            fill(&answers.place(number.to_string(), asked).unwrap(), b"a");
        }

        let has = |number: usize| {
            let all = answers.0.lock().unwrap();
            all.iter().any(|found| found.key == number.to_string())
        };

        assert!(!has(0));
        assert!(has(1) && has(KEYS));
    }
}
