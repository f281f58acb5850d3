//! What is being done, while it is done: one living line on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{environment, escape, session::Session};

/// Time between two pictures of the living line.
const TICK: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    session: &'a Session,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Nothing is being done yet.
    pub(super) fn new(session: &'a Session) -> Self {
        let live = environment::draws() && !session.global.quiet;
        let bar = live.then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { session, bar }
    }

    /// Says what is done now.
    pub(super) fn step(&self, what: &str) {
        self.moment(what);
        if self.bar.is_none() {
            self.session.say(&format!("… {what}"));
        }
    }

    /// Says what is done now where that leaves no trace; what comes of it is printed anyway.
    pub(super) fn moment(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(escape::line(what));
        }
    }

    /// Says something that stays.
    pub(super) fn say(&self, text: &str) {
        self.aside(|| self.session.say(text));
    }

    /// Prints something else in between.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
