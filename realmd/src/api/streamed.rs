//! A call whose output is shown while it is being made: server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse as _, Response,
    sse::{self, KeepAlive, Sse},
};
use futures::stream;
use realm_client::api::{InvokeResult, StreamPart};
use tokio::sync::{oneshot, watch};

use super::{events::encode, problem::Fail};
use crate::handle::{Gone, Shown};

/// Time between signs of life.
const PING: Duration = Duration::from_secs(20);

/// How a call ends.
pub(super) type Answer = oneshot::Receiver<Result<InvokeResult, Fail>>;

/// Answers with what a call shows, and its end. A call that fails before it shows anything is answered as
/// one that is not streamed.
pub(super) async fn respond(
    shown: watch::Receiver<Shown>,
    answer: Answer,
) -> Result<Response, Fail> {
    let mut streamed = Streamed {
        shown,
        answer: Some(answer),
        number: 0,
        told: 0,
        end: None,
    };
    let first = match streamed.step().await {
        Some(Told::Part(part)) => encode("part", &part),
        Some(Told::End(ended)) => encode("end", &(*ended)?),
        None => return Err(Gone.into()),
    };
    let rest = stream::unfold(streamed, |mut streamed| async {
        let event = match streamed.step().await? {
            Told::Part(part) => encode("part", &part)?,
            // What is refused is refused before anything is shown.
            Told::End(ended) => encode("end", &(*ended).ok()?)?,
        };
        Some((Ok::<_, Infallible>(event), streamed))
    });
    let first = stream::iter(first.map(Ok::<sse::Event, Infallible>));
    let events = futures::StreamExt::chain(first, rest);
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(PING));
    Ok(sse.into_response())
}

enum Told {
    Part(StreamPart),
    End(Box<Result<InvokeResult, Fail>>),
}

struct Streamed {
    shown: watch::Receiver<Shown>,
    answer: Option<Answer>,
    /// What was told last: its text, and how many bytes of that.
    number: u64,
    told: usize,
    end: Option<Result<InvokeResult, Fail>>,
}

impl Streamed {
    /// The next thing to tell: all that has come since, as one part.
    async fn step(&mut self) -> Option<Told> {
        loop {
            if let Some(part) = self.part() {
                return Some(Told::Part(part));
            }
            if let Some(end) = self.end.take() {
                return Some(Told::End(Box::new(end)));
            }
            let answer = self.answer.as_mut()?;
            tokio::select! {
                biased;
                Ok(()) = self.shown.changed() => {}
                ended = answer => {
                    self.answer = None;
                    self.end = Some(ended.ok()?);
                }
            }
        }
    }

    fn part(&mut self) -> Option<StreamPart> {
        let shown = self.shown.borrow_and_update();
        if shown.number != self.number {
            self.number = shown.number;
            self.told = 0;
        }
        let text = shown.text.get(self.told..).filter(|new| !new.is_empty())?;
        let part = StreamPart {
            number: self.number,
            offset: self.told as u64,
            text: text.to_owned(),
        };
        self.told = shown.text.len();
        Some(part)
    }
}
