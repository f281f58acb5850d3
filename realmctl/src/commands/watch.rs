//! `--watch`: the events of a run, and of the work that it has announced, as they happen.

mod painter;

use std::{collections::BTreeSet, time::Duration};

use futures::future::select_all;
use realm_client::{
    RunEvents, StreamItem,
    api::{
        InvokeResult, InvokeStatus, RunExplanation, RunQuery, RunStatus, RunSummary, TraceEvent,
        Wait, WaitsOn,
    },
};

use self::painter::Painter;
use crate::{
    failure::Failure,
    session::{Daemon, Session},
};

/// How often what counts down is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);
/// Runs that are listened to at a time; what more is announced is not shown.
const HEARD: usize = 32;
/// As high as no event's index is: nothing comes that has happened already.
const FROM_NOW_ON: u64 = u64::MAX - 1;
/// How often a broken stream is taken up again.
const RESUMES: usize = 5;

/// Draws a run until its end; gives its result.
pub(super) async fn until_end(
    session: &Session,
    daemon: &Daemon,
    begun: InvokeResult,
) -> Result<InvokeResult, Failure> {
    if begun.status != InvokeStatus::Running {
        return Ok(begun);
    }
    let ended = follow(session, daemon, &begun.run_id).await?;
    Ok(ended.unwrap_or(begun))
}

/// Draws a run until its end; gives its result, or none where the stream broke for good.
pub(super) async fn follow(
    session: &Session,
    daemon: &Daemon,
    run: &str,
) -> Result<Option<InvokeResult>, Failure> {
    let ended = Listener::begin(session, daemon, run)
        .await?
        .listen()
        .await?;
    if ended.is_none() {
        broke(session, run);
    }
    Ok(ended)
}

/// What a run has come to that was waited for.
pub(super) enum Waited {
    /// Its end.
    Ended(Box<InvokeResult>),
    /// It stands still until a person says something.
    Person(Box<RunExplanation>),
    /// The stream broke for good.
    Broken,
}

/// Waits until a run ends, or stands still until a person says something; draws nothing.
pub(super) async fn wait(session: &Session, daemon: &Daemon, run: &str) -> Result<Waited, Failure> {
    for _ in 0..RESUMES {
        let listening = daemon.client.events(run, Some(FROM_NOW_ON));
        let mut events = daemon.ask(listening).await?;
        if let Some(explanation) = for_a_person(daemon, run).await? {
            return Ok(Waited::Person(explanation));
        }
        while let Ok(Some(item)) = events.next().await {
            match item {
                StreamItem::Event(event) => {
                    if matches!(event.kind.as_str(), "approval.requested" | "run.paused")
                        && let Some(explanation) = for_a_person(daemon, run).await?
                    {
                        return Ok(Waited::Person(explanation));
                    }
                }
                // Traces hold none.
                StreamItem::Part(_) => {}
                StreamItem::End(result) => return Ok(Waited::Ended(result)),
            }
        }
    }
    broke(session, run);
    Ok(Waited::Broken)
}

/// What a run waits for, if that is a person.
async fn for_a_person(daemon: &Daemon, run: &str) -> Result<Option<Box<RunExplanation>>, Failure> {
    let explanation = daemon.ask(daemon.client.explain(run)).await?;
    let person = |wait: &Wait| matches!(wait.on, WaitsOn::Approval | WaitsOn::Person);
    let paused = explanation.run.status == RunStatus::Paused;
    let waits = paused && explanation.waits.iter().any(person);
    Ok(waits.then(|| Box::new(explanation)))
}

fn broke(session: &Session, run: &str) {
    session.say(&format!("the stream broke; realmctl run show {run}"));
}

/// A run, and what it has announced, while they are listened to.
struct Listener<'a> {
    daemon: &'a Daemon,
    painter: Painter<'a>,
    run: String,
    heard: Vec<Heard>,
    known: BTreeSet<String>,
}

/// A run that is listened to.
struct Heard {
    run: String,
    events: RunEvents,
    last: Option<u64>,
    resumes: usize,
}

impl<'a> Listener<'a> {
    async fn begin(session: &'a Session, daemon: &'a Daemon, run: &str) -> Result<Self, Failure> {
        Ok(Self {
            daemon,
            painter: Painter::new(session, run),
            run: run.to_owned(),
            heard: vec![Heard::begin(daemon, run).await?],
            known: BTreeSet::new(),
        })
    }

    /// Until the run and what it has announced have ended; gives its result, or none where its
    /// stream broke for good.
    async fn listen(mut self) -> Result<Option<InvokeResult>, Failure> {
        let mut redraw = tokio::time::interval(REDRAW);
        let mut ended = None;
        while !self.heard.is_empty() {
            let next = self.heard.iter_mut().map(|it| Box::pin(it.events.next()));
            let (item, place) = tokio::select! {
                biased;
                (item, place, _) = select_all(next) => (item, place),
                _ = redraw.tick(), if self.painter.draws() => {
                    self.painter.draw();
                    continue;
                }
            };
            match item {
                Ok(Some(StreamItem::Event(event))) => self.event(place, &event).await?,
                // Traces hold none.
                Ok(Some(StreamItem::Part(_))) => {}
                Ok(Some(StreamItem::End(result))) => {
                    if self.heard.remove(place).run == self.run {
                        ended = Some(*result);
                    }
                }
                Ok(None) | Err(_) => {
                    let mut broken = self.heard.remove(place);
                    if broken.resume(self.daemon).await? {
                        self.heard.push(broken);
                    } else if broken.run == self.run {
                        return Ok(None);
                    }
                }
            }
        }
        if let Some(result) = &ended {
            self.painter.end(result);
        }
        Ok(ended)
    }

    async fn event(&mut self, place: usize, event: &TraceEvent) -> Result<(), Failure> {
        let Some(it) = self.heard.get_mut(place) else {
            return Ok(());
        };
        it.last = Some(event.index);
        let run = it.run.clone();
        self.painter.event(&run, event)?;
        if event.kind != "call.announced" {
            return Ok(());
        }
        for announced in announced_by(self.daemon, &run).await? {
            if self.heard.len() < HEARD && self.known.insert(announced.id.clone()) {
                self.painter.announced(&announced, &run);
                let heard = Heard::begin(self.daemon, &announced.id).await?;
                self.heard.push(heard);
            }
        }
        Ok(())
    }
}

impl Heard {
    async fn begin(daemon: &Daemon, run: &str) -> Result<Self, Failure> {
        Ok(Self {
            run: run.to_owned(),
            events: daemon.ask(daemon.client.events(run, None)).await?,
            last: None,
            resumes: 0,
        })
    }

    /// Takes up a broken stream where it broke; false where that is of no use any more.
    async fn resume(&mut self, daemon: &Daemon) -> Result<bool, Failure> {
        self.resumes = self.resumes.saturating_add(1);
        if self.resumes >= RESUMES {
            return Ok(false);
        }
        let listening = daemon.client.events(&self.run, self.last);
        self.events = daemon.ask(listening).await?;
        Ok(true)
    }
}

/// The runs of what a run has announced, the oldest first.
async fn announced_by(daemon: &Daemon, run: &str) -> Result<Vec<RunSummary>, Failure> {
    let query = RunQuery {
        parent: Some(run.to_owned()),
        ..RunQuery::default()
    };
    let mut announced = daemon.ask(daemon.client.runs(&query)).await?.items;
    announced.reverse();
    Ok(announced)
}
