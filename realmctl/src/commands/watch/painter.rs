//! What is watched, as it is shown.

use indicatif::{ProgressBar, ProgressStyle};
use realm_client::api::{InvokeResult, RunSummary, Time, TraceEvent};
use serde::Serialize;

use crate::{cli::Format, environment, failure::Failure, output, session::Session, show::Board};

/// A board that is drawn anew on a terminal, lines on stderr elsewhere; on stdout an event a line,
/// where JSON is asked for.
pub(super) struct Painter<'a> {
    session: &'a Session,
    screen: Option<ProgressBar>,
    board: Board,
}

/// An event with the run that it is of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfRun<'a> {
    run_id: &'a str,
    #[serde(flatten)]
    event: &'a TraceEvent,
}

impl<'a> Painter<'a> {
    pub(super) fn new(session: &'a Session, run: &str) -> Self {
        let live = environment::draws() && !session.global.quiet && !in_json(session);
        let screen = live.then(|| ProgressBar::new_spinner().with_style(plain()));
        Self {
            session,
            screen,
            board: Board::new(run),
        }
    }

    pub(super) const fn draws(&self) -> bool {
        self.screen.is_some()
    }

    pub(super) fn announced(&mut self, announced: &RunSummary, by: &str) {
        self.board.announced(&announced.id, &announced.loop_id, by);
    }

    pub(super) fn event(&mut self, run: &str, event: &TraceEvent) -> Result<(), Failure> {
        if in_json(self.session) {
            let line = output::json_line(&OfRun { run_id: run, event });
            let line = line.map_err(|error| Failure::Json("an event".to_owned(), error))?;
            return self.session.print_text(&line);
        }
        match self.board.take(run, event) {
            Some(line) if !self.draws() => self.session.say(&line),
            _ => self.draw(),
        }
        Ok(())
    }

    pub(super) fn draw(&self) {
        if let Some(screen) = &self.screen {
            let now = Time::from_millis(environment::now_millis());
            screen.set_message(self.board.lines(now).join("\n"));
            screen.tick();
        }
    }

    pub(super) fn end(&self, result: &InvokeResult) {
        if let Some(screen) = &self.screen {
            screen.finish_and_clear();
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

fn in_json(session: &Session) -> bool {
    matches!(session.format(), Format::Json | Format::Ndjson)
}

fn plain() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}
