//! The log: pretty on a terminal, JSON otherwise, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
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

/// Reads directives that the configuration has checked. A word alone is meant for this project's
/// own parts: what libraries say of themselves is shown from WARN on, unless it is asked for.
fn targets(level: &str) -> Targets {
    let directive = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(wanted) => format!("{},realm={wanted}", wanted.min(LevelFilter::WARN)),
        Err(_) => directive.to_owned(),
    };
    let all: Vec<String> = level.split(',').map(directive).collect();
    let read = all.join(",").parse();
    read.unwrap_or_else(|_| Targets::new().with_target("realm", LevelFilter::INFO))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_word_is_meant_for_the_realm_and_libraries_only_warn() {
        let info = targets("info");

        assert!(info.would_enable("realmd::start", &Level::INFO));
        assert!(info.would_enable("realm_node", &Level::INFO));
        assert!(!info.would_enable("libp2p_swarm", &Level::INFO));
        assert!(info.would_enable("libp2p_swarm", &Level::WARN));
        assert!(!targets("error").would_enable("libp2p_swarm", &Level::WARN));
    }

    #[test]
    fn a_list_asks_for_more_or_less_of_a_single_part() {
        let list = targets("info,libp2p_swarm=debug,realm_node=trace");

        assert!(list.would_enable("libp2p_swarm", &Level::DEBUG));
        assert!(list.would_enable("realm_node", &Level::TRACE));
        assert!(list.would_enable("realmd", &Level::INFO));
        assert!(!list.would_enable("realmd", &Level::DEBUG));
        assert!(!list.would_enable("yamux", &Level::INFO));
    }
}
