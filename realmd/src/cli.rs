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
    check,
    commands::{
        self,
        keys::{self, Rotation},
    },
    environment::Environment,
    failure::{Explained, Failure},
    hardening,
    home::passphrase::{PassphraseSource, Unlock},
    init::Founding,
    start,
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
    /// File with the passphrase of the keys, or the word `prompt`.
    #[arg(long, global = true, value_name = "FILE|prompt")]
    passphrase_file: Option<PassphraseSource>,
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
    /// Start with the realm halted: nothing begins or goes on until `realmctl unhalt`.
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

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Show which keys there are, where and since when; never a secret.
    Show,
    /// Set, change or remove the passphrase of the key files; the daemon must not run.
    Passphrase {
        /// File with the new passphrase, or the word `prompt`.
        #[arg(long, value_name = "FILE|prompt", required_unless_present = "remove")]
        new_passphrase_file: Option<PassphraseSource>,
        /// Make the key files plain.
        #[arg(long, conflicts_with = "new_passphrase_file")]
        remove: bool,
    },
    /// Seal the secrets that files hold, such as keys of models, under this realm's keys.
    Seal {
        /// The files, of one line each.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Hand the realm to its recovery key; the daemon must not run.
    Rotate(RotateArgs),
    /// Certify a node where the realm key is: no home is needed.
    Certify {
        /// The home's `keys/identity`, which holds public records only.
        identity: PathBuf,
        /// The file with the realm key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where the certified records go.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take in records that were certified elsewhere; the daemon must not run.
    Install {
        /// The records.
        file: PathBuf,
    },
}

/// What `key rotate` takes.
#[derive(Args, Debug)]
struct RotateArgs {
    /// The recovery file: its key becomes the realm key.
    #[arg(long, value_name = "FILE")]
    recovery: PathBuf,
    /// Where the next recovery key goes; beside the old one unless told.
    #[arg(long, value_name = "FILE")]
    new_recovery: Option<PathBuf>,
    /// The realm key may be in other hands: everything it has signed is void at once.
    #[arg(long)]
    compromised: bool,
    /// Public records to work on instead of a home's.
    #[arg(long, value_name = "FILE", requires = "out")]
    identity: Option<PathBuf>,
    /// Where the new records go.
    #[arg(long, value_name = "FILE", requires = "identity")]
    out: Option<PathBuf>,
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
    hardening::make_room();
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
        passphrase_file,
        command,
    } = cli;
    let unlock = Unlock {
        passphrase: passphrase_file,
        credentials: environment.credentials.clone(),
    };
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
            if dev {
                return start::run_dev(environment, halted);
            }
            let found = selected(name)?;
            start::run(&found.dir, environment, &unlock, halted)
        }
        Command::Init(args) => init(args, home, environment, &unlock, output),
        Command::Check { files } if files.is_empty() => {
            check::home(&selected(None)?.dir, environment, output)
        }
        Command::Check { files } => check::files(&files, output),
        Command::Restore { file } => {
            let home = home.ok_or(UsageError::Unsupported("`restore` without --home DIR"))?;
            commands::restore(&file, &home, &unlock, output)
        }
        Command::Store(StoreCommand::Check) => {
            commands::store::check(&selected(None)?.dir, environment, &unlock, output)
        }
        Command::Store(StoreCommand::Migrate { to }) => {
            commands::store::migrate(&selected(None)?.dir, environment, &unlock, to, output)
        }
        Command::Config(ConfigCommand::Schema) => commands::config_schema(),
        Command::Config(ConfigCommand::Show) => {
            commands::config_show(&selected(None)?.dir, environment, output)
        }
        Command::Config(ConfigCommand::Explain { key }) => {
            commands::config_explain(&selected(None)?.dir, environment, &key, output)
        }
        Command::Key(command) => {
            let dir = || Ok::<_, Failure>(selected(None)?.dir);
            key(command, dir, environment, &unlock, output)
        }
        Command::Openapi => commands::openapi(),
        Command::Version => commands::version(output),
    }
}

fn engine(name: &str) -> Result<EngineKind, String> {
    let names = EngineKind::ALL.iter().map(|kind| kind.name());
    let unknown = || format!("must be one of {}", names.collect::<Vec<_>>().join(", "));
    EngineKind::named(name).ok_or_else(unknown)
}

fn key(
    command: KeyCommand,
    dir: impl Fn() -> Result<PathBuf, Failure>,
    environment: &Environment,
    unlock: &Unlock,
    output: Format,
) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Show => keys::show(&dir()?, unlock, output),
        KeyCommand::Passphrase {
            new_passphrase_file,
            remove: _,
        } => keys::passphrase(&dir()?, unlock, new_passphrase_file, output),
        KeyCommand::Seal { files } => keys::seal(&dir()?, unlock, &files, output),
        KeyCommand::Rotate(args) => {
            let rotation = Rotation {
                recovery: args.recovery,
                next: args.new_recovery,
                compromised: args.compromised,
                elsewhere: args.identity.zip(args.out),
            };
            match &rotation.elsewhere {
                Some(files) => keys::hand_over_elsewhere(&rotation, files, output),
                None => keys::hand_over(&dir()?, environment, unlock, &rotation, output),
            }
        }
        KeyCommand::Certify { identity, key, out } => keys::certify(&identity, &key, &out, output),
        KeyCommand::Install { file } => keys::install(&dir()?, unlock, &file, output),
    }
}

fn init(
    args: InitArgs,
    home: Option<PathBuf>,
    environment: &Environment,
    unlock: &Unlock,
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
    let passphrase = unlock.passphrase.as_ref();
    let founding = Founding {
        name,
        home,
        listen,
        recovery: Some(recovery),
        engine,
        passphrase: passphrase.map(PassphraseSource::choose).transpose()?,
    };
    commands::init(&founding, named, output)
}
