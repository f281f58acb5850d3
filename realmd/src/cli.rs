//! The command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use realm_client::{
    Exit,
    catalogue::Code,
    homes::{Homes, HomesError, Selection},
};
use realm_net::Multiaddr;
use realm_store::EngineKind;

use crate::{
    check, commands,
    environment::Environment,
    failure::{Explained, Failure},
    hardening, start,
};

/// Hosts one realm: its keys, its store, its links, and the local API.
#[derive(Debug, Parser)]
#[command(
    name = "realmd",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    /// The realm's home, as a folder.
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// How results look.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text.
    Table,
    /// As table.
    Wide,
    /// JSON.
    Json,
    /// JSON, which is YAML too.
    Yaml,
    /// JSON on one line.
    Ndjson,
    /// As table.
    Name,
}

impl Format {
    /// Whether programs read it.
    pub(crate) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Ndjson)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a realm in the foreground.
    Run(RunArgs),
    /// Make a new realm.
    Init(InitArgs),
    /// Check a home, or files of definitions, policies or configuration, without a daemon.
    Check {
        /// The files; none for the home.
        files: Vec<PathBuf>,
    },
    /// Make a realm out of a backup.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Check a realm's store, or move it to another engine.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show a realm's configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show a realm's keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the OpenAPI document of the local API.
    Openapi,
    /// Print the version.
    Version,
}

/// What `run` takes.
#[derive(Args, Debug)]
struct RunArgs {
    /// The realm's name on this machine.
    name: Option<String>,
    /// Run a temporary realm with a demonstration loop, deleted at the end.
    #[arg(long, conflicts_with = "name")]
    dev: bool,
    /// Start with everything paused.
    #[arg(long)]
    halted: bool,
}

/// What `init` takes.
#[derive(Args, Debug)]
struct InitArgs {
    /// The realm's name; with `--home`, the folder's unless told otherwise.
    name: Option<String>,
    /// Address to listen on, as multiaddr; a free port unless told otherwise.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Multiaddr>,
    /// Where to write the recovery key, best on a removable disk; NAME.recovery here unless told.
    #[arg(long, value_name = "FILE")]
    recovery: Option<PathBuf>,
    /// The engine that keeps the store: redb or sled.
    #[arg(long, value_name = "ENGINE", value_parser = engine, default_value_t)]
    engine: EngineKind,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum StoreCommand {
    /// Check every checksum, index and sealed value.
    Check,
    /// Move the store to another engine while no daemon runs.
    Migrate {
        /// The engine that is to keep it.
        #[arg(long, value_name = "ENGINE", value_parser = engine)]
        to: EngineKind,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every key with its value and where that comes from.
    Show,
    /// Explain a key.
    Explain {
        /// The key: `store.retention`.
        key: String,
    },
    /// Print the configuration's JSON Schema.
    Schema,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum KeyCommand {
    /// Show the public keys.
    Show,
    /// Make a new node key.
    Rotate,
}

impl Explained for HomesError {
    fn code(&self) -> Code {
        Self::code(self)
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::None | Self::Unknown { .. } | Self::NotAHome(_) => "realmd init NAME".to_owned(),
            Self::Several(_) => "name one: realmd run NAME".to_owned(),
            Self::NoFolder => "--home DIR".to_owned(),
            Self::Name(_) | Self::Io { .. } => return None,
        })
    }
}

/// Wrong arguments that clap cannot see.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    /// `init` without a name and without a folder.
    #[error("`init` needs a name")]
    NoName,
    /// The name is no label.
    #[error("`{0}` is no realm's name: lower-case letters, digits and inner hyphens, up to 63")]
    Name(String),
    /// Not in this version.
    #[error("{0} is not in this version")]
    Unsupported(&'static str),
}

impl Explained for UsageError {
    fn code(&self) -> Code {
        match self {
            Self::NoName | Self::Name(_) => Code::Usage,
            Self::Unsupported(_) => Code::Unsupported,
        }
    }

    fn help(&self) -> Option<String> {
        matches!(self, Self::NoName).then(|| "realmd init lab".to_owned())
    }
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    hardening::harden();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            return ExitCode::from(exit.code());
        }
    };
    let environment = Environment::read();
    match dispatch(cli, &environment) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::from(failure.code.exit().code())
        }
    }
}

fn dispatch(cli: Cli, environment: &Environment) -> Result<Exit, Failure> {
    let Cli {
        home,
        output,
        command,
    } = cli;
    // Relative folders would change their meaning with the parts that are made of them.
    let home = home.map(|home| std::path::absolute(&home).unwrap_or(home));
    let selected = |name: Option<String>| {
        let selection = Selection {
            name,
            home: home.clone(),
        };
        Homes::new(&environment.homes)?.select(&selection)
    };
    match command {
        Command::Run(RunArgs { name, dev, halted }) => {
            if halted {
                return Err(UsageError::Unsupported("`--halted`").into());
            }
            if dev {
                return start::run_dev(environment);
            }
            let found = selected(name)?;
            start::run(&found.dir, environment)
        }
        Command::Init(args) => init(args, home, environment, output),
        Command::Check { files } if files.is_empty() => {
            check::home(&selected(None)?.dir, environment, output)
        }
        Command::Check { files } => check::files(&files, output),
        Command::Restore { file } => {
            let home = home.ok_or(UsageError::Unsupported("`restore` without --home DIR"))?;
            commands::restore(&file, &home, output)
        }
        Command::Store(StoreCommand::Check) => {
            commands::store::check(&selected(None)?.dir, environment, output)
        }
        Command::Store(StoreCommand::Migrate { to }) => {
            commands::store::migrate(&selected(None)?.dir, environment, to, output)
        }
        Command::Config(ConfigCommand::Schema) => commands::config_schema(),
        Command::Config(ConfigCommand::Show) => {
            commands::config_show(&selected(None)?.dir, environment, output)
        }
        Command::Config(ConfigCommand::Explain { key }) => {
            commands::config_explain(&selected(None)?.dir, environment, &key, output)
        }
        Command::Key(KeyCommand::Show) => commands::key_show(&selected(None)?.dir, output),
        Command::Key(KeyCommand::Rotate) => Err(UsageError::Unsupported("`key rotate`").into()),
        Command::Openapi => commands::openapi(),
        Command::Version => commands::version(output),
    }
}

fn engine(name: &str) -> Result<EngineKind, String> {
    let names = EngineKind::ALL.iter().map(|kind| kind.name());
    let unknown = || format!("must be one of {}", names.collect::<Vec<_>>().join(", "));
    EngineKind::named(name).ok_or_else(unknown)
}

fn init(
    args: InitArgs,
    home: Option<PathBuf>,
    environment: &Environment,
    output: Format,
) -> Result<Exit, Failure> {
    let InitArgs {
        name,
        listen,
        recovery,
        engine,
    } = args;
    let folder = home
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    let name = name
        .or_else(|| folder.map(str::to_owned))
        .ok_or(UsageError::NoName)?;
    let name: realm_protocol::Label = name.parse().map_err(|_| UsageError::Name(name))?;
    let (home, named) = match home {
        Some(home) => (home, false),
        None => (Homes::new(&environment.homes)?.home(name.as_str())?, true),
    };
    let recovery = recovery.unwrap_or_else(|| PathBuf::from(format!("{name}.recovery")));
    commands::init(name, &home, named, listen, recovery, engine, output)
}
