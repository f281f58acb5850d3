//! `--watch`: a call's events on stderr as they happen.

use std::{collections::VecDeque, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use realm_client::{
    StreamItem,
    api::{InvokeResult, InvokeStatus, RunExplanation, RunStatus, TraceEvent, Wait, WaitsOn},
};

use crate::{
    environment, escape,
    failure::Failure,
    session::{Daemon, Session},
    show,
};

/// Lines drawn at once on a terminal; older ones scroll out.
const LINES: usize = 16;
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
    listen(session, daemon, run, Painter::new(session)).await
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

async fn listen(
    session: &Session,
    daemon: &Daemon,
    run: &str,
    mut painter: Painter<'_>,
) -> Result<Option<InvokeResult>, Failure> {
    let mut last = None;
    for _ in 0..RESUMES {
        let mut events = daemon.ask(daemon.client.events(run, last)).await?;
        while let Ok(Some(item)) = events.next().await {
            match item {
                StreamItem::Event(event) => {
                    last = Some(event.index);
                    painter.event(&event);
                }
                // Traces hold none.
                StreamItem::Part(_) => {}
                StreamItem::End(result) => {
                    painter.end(&result);
                    return Ok(Some(*result));
                }
            }
        }
    }
    broke(session, run);
    Ok(None)
}

/// Lines on stderr: live on a terminal, one after the other elsewhere.
struct Painter<'a> {
    session: &'a Session,
    screen: Option<MultiProgress>,
    lines: VecDeque<ProgressBar>,
    started: Option<realm_client::api::Time>,
}

impl<'a> Painter<'a> {
    fn new(session: &'a Session) -> Self {
        let live = environment::draws() && !session.global.quiet;
        let screen = live.then(MultiProgress::new);
        Self {
            session,
            screen,
            lines: VecDeque::new(),
            started: None,
        }
    }

    fn event(&mut self, event: &TraceEvent) {
        let started = *self.started.get_or_insert(event.ts);
        let at = Duration::from_millis(event.ts.since(started)).as_millis();
        let payload = show::payload(&event.payload);
        let line = escape::line(&format!("{at:>6} ms  {}  {payload}", event.kind));
        let Some(screen) = &self.screen else {
            self.session.say(&line);
            return;
        };
        if let Some(last) = self.lines.back() {
            last.tick();
        }
        let bar = screen.add(ProgressBar::new_spinner().with_style(plain()));
        bar.set_message(line);
        bar.tick();
        self.lines.push_back(bar);
        if self.lines.len() > LINES
            && let Some(oldest) = self.lines.pop_front()
        {
            oldest.finish_and_clear();
            screen.remove(&oldest);
        }
    }

    fn end(&mut self, result: &InvokeResult) {
        if let Some(screen) = &self.screen {
            for line in self.lines.drain(..) {
                line.finish_and_clear();
            }
            // Only drawing is lost when the terminal is gone.
            screen.clear().ok();
        }
        let at = result
            .realm
            .as_ref()
            .map(|realm| format!("@{realm}"))
            .unwrap_or_default();
        let took = result
            .duration_ms
            .map(|took| format!(" in {took} ms"))
            .unwrap_or_default();
        let status = result.status.as_str();
        self.session.say(&format!(
            "{}{at}: {status}{took}, run {}",
            result.loop_id, result.run_id
        ));
    }
}

fn plain() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}
