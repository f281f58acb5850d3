//! The log: pretty on a terminal, JSON otherwise, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    Registry,
    filter::Targets,
    fmt,
    layer::{Layer as _, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use crate::config::LogConfig;

/// Changes what is logged while the daemon runs.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<Targets, Registry>);

/// Starts the log. A second start in one process changes nothing.
pub(crate) fn start(config: &LogConfig) -> LogLevel {
    let (filter, handle) = reload::Layer::new(targets(&config.level));
    let pretty = match config.format.as_str() {
        "pretty" => true,
        "json" => false,
        _ => io::stderr().is_terminal(),
    };
    let layer = if pretty {
        let ansi = io::stderr().is_terminal();
        fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(ansi)
            .with_target(false)
            .boxed()
    } else {
        fmt::layer()
            .with_writer(io::stderr)
            .json()
            .flatten_event(true)
            .boxed()
    };
    // Fails only where a log was started before, which then goes on.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init();
    LogLevel(handle)
}

impl LogLevel {
    /// Logs by these directives from now on.
    pub(crate) fn set(&self, level: &str) {
        if let Err(error) = self.0.reload(targets(level)) {
            tracing::warn!(%error, "the log level stays as it was");
        }
    }
}

/// Reads directives that the configuration has checked. What the transport says of itself is
/// shown only where it is asked for.
fn targets(level: &str) -> Targets {
    let quiet = if level.contains("libp2p") {
        ""
    } else {
        ",libp2p=warn"
    };
    let read = format!("{level}{quiet}").parse();
    read.unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO))
}
