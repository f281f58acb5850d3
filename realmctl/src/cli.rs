//! The command line, as clap reads it.

mod approvals;
mod audit;
mod breakers;
mod broadcast;
mod calls;
mod daemon;
mod duration;
mod erase;
mod grants;
mod halt;
mod key;
mod local;
mod mcp;
mod people;
mod policy;
mod prompts;
mod rates;
mod realms;
mod receipts;

use std::{any::TypeId, path::PathBuf};

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    builder::NonEmptyStringValueParser,
};

pub use approvals::ApprovalCommand;
pub use audit::{
    AuditCommand, AuditExportArgs, AuditFilter, AuditFormat, Moment, Month, StatementArgs,
    WitnessCommand,
};
pub use breakers::BreakerCommand;
pub use broadcast::{AggregateBy, BroadcastArgs, Decimal, Good, Scored, SelectBy, WaitBy, Weight};
pub use calls::{
    AgentCommand, ApplyArgs, BackendCommand, BidCommand, BudgetArgs, DiffArgs, ExportFormat,
    FileArgs, InvokeArgs, Language, LoopCommand, NewCommand, RunCommand, RunDirection, RunFilter,
    RunState, StackCommand, StateCommand, ToolCommand, TraceCommand,
};
pub use daemon::{
    ConfigCommand, InitArgs, KeyCertifyArgs, KeyCommand, KeyPassphraseArgs, KeyRotateArgs,
    RestoreArgs, StoreCommand,
};
pub use duration::Span;
pub use erase::{EraseCommand, EraseHow};
pub use grants::{GrantArgs, GrantCommand};
pub use halt::{HaltArgs, UnhaltArgs};
pub use key::Key;
pub use local::{ClientLanguage, ContextCommand, DemoAgent, DemoArgs, GenerateArgs, ManArgs};
pub use mcp::{Chosen, McpArgs};
pub use people::{LoginArgs, PeopleCommand};
pub use policy::{AllowArgs, DisallowArgs, PolicyCommand};
pub use prompts::{EvalArgs, PromptCommand};
pub use rates::{RateArgs, RateCommand};
pub use realms::{InviteArgs, JoinArgs, PeerCommand, RealmCommand, TicketCommand};
pub use receipts::{ReceiptCommand, ReceiptFilter};

/// Speaks to the daemon of a realm.
#[derive(Debug, Parser)]
#[command(name = "realmctl", version, subcommand_required = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads this process's command line. No text on it may be empty.
    ///
    /// # Errors
    /// What is wrong, or what `--help` and `--version` print.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = without_empty_texts(Self::command());
        let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

fn without_empty_texts(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        if arg.get_value_parser().type_id() == TypeId::of::<String>() {
            arg.value_parser(NonEmptyStringValueParser::new())
        } else {
            arg
        }
    });
    command.mut_subcommands(without_empty_texts)
}

/// What holds for every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Realm on this machine, by name.
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "home"
    )]
    pub realm: Option<String>,
    /// Realm on this machine, by its folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Daemon by its address on this machine, such as http://127.0.0.1:7421, as whoever has signed in there.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        conflicts_with_all = ["realm", "home"]
    )]
    pub url: Option<String>,
    /// How to print; only json and ndjson are stable.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Print data and errors only.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Never ask; fail instead, and name the flag.
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer every question with yes.
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// How long to wait: 500ms, 30s, 5m.
    #[arg(long, global = true, value_name = "TIME")]
    pub timeout: Option<Span>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns, the most useful.
    #[default]
    Table,
    /// All columns.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// One JSON document a line, one line an item.
    Ndjson,
    /// Names only, one a line.
    Name,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new realm on this machine.
    Init(InitArgs),
    /// Where the realm stands.
    Status,
    /// What the daemon is.
    Info,
    /// Look for what is wrong, and say what helps.
    Doctor,
    /// Watch seven realms of two organisations work together.
    Demo(DemoArgs),
    /// Be an agent of the demo.
    #[command(subcommand, hide = true)]
    DemoAgent(DemoAgent),
    /// Write a loop's folder that works as it is.
    #[command(subcommand)]
    New(NewCommand),

    /// Invite a realm to become a child, or a root to become a peer.
    Invite(InviteArgs),
    /// Redeem a ticket.
    Join(JoinArgs),
    /// Read tickets.
    #[command(subcommand, alias = "tickets")]
    Ticket(TicketCommand),

    /// Permit a realm to use loops.
    Allow(AllowArgs),
    /// Take a permission back.
    Disallow(DisallowArgs),
    /// Read, check and ask the policy.
    #[command(subcommand, alias = "policies")]
    Policy(PolicyCommand),

    /// Realms next to this one.
    #[command(subcommand, alias = "peers")]
    Peer(PeerCommand),
    /// Realms known here, as trees.
    #[command(subcommand, alias = "realms")]
    Realm(RealmCommand),

    /// Register the loops that files define; all of them, or none.
    Apply(ApplyArgs),
    /// Show what applying files would change.
    Diff(DiffArgs),
    /// Check files without registering anything.
    Validate(FileArgs),
    /// Show foreign files in this project's own form.
    Import(FileArgs),
    /// Loops, here and in other realms.
    #[command(subcommand, alias = "loops")]
    Loop(LoopCommand),
    /// Composites that announce work.
    #[command(subcommand, alias = "stacks")]
    Stack(StackCommand),
    /// Who runs the loops of this realm.
    #[command(subcommand, alias = "agents")]
    Agent(AgentCommand),
    /// The model backends of this realm.
    #[command(subcommand, alias = "backends")]
    Backend(BackendCommand),
    /// The loops that models call as their tools: those of other realms as somebody has approved them.
    #[command(subcommand, alias = "tools")]
    Tool(ToolCommand),
    /// Prompts and their versions: which is called, and how good each was found.
    #[command(subcommand, alias = "prompts")]
    Prompt(PromptCommand),
    /// Let loops do cases, and say how well each did.
    Eval(EvalArgs),

    /// Call a loop.
    Invoke(InvokeArgs),
    /// Announce work without an address.
    Broadcast(Box<BroadcastArgs>),
    /// Serve the loops that this realm may call as tools, to any host of the Model Context Protocol, on
    /// standard input and output.
    Mcp(McpArgs),
    /// Write a typed client for the loops that this realm may call, from their contracts.
    Generate(GenerateArgs),
    /// Bids that this realm has made, and what proves how they were treated.
    #[command(subcommand, alias = "bids")]
    Bid(BidCommand),
    /// The audit log: what was done in this realm, by whom, and how it ended.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Erase the content of runs that have ended; what they did, when and for whom stays in the audit log.
    ///
    /// The files of the daemon hold what was erased, sealed, until it starts the next time.
    #[command(subcommand)]
    Erase(EraseCommand),
    /// Receipts of calls, which both sides have signed.
    #[command(subcommand, alias = "receipts")]
    Receipt(ReceiptCommand),
    /// Check what a file proves, without a daemon: a transcript, a bid's receipt, an audit log, receipts
    /// of calls, two heads of an audit log.
    ///
    /// Exit 0 if everything in it follows from what was signed and every signature holds, 1 if
    /// something is wrong; the first entry that is wrong is named.
    Verify {
        /// The file.
        file: PathBuf,
        /// An earlier export of the same audit log, which must be the beginning of this one; or the other
        /// side's receipts, of which a statement must not lack any.
        #[arg(long, value_name = "FILE")]
        witness: Option<PathBuf>,
    },
    /// Calls, past and present.
    #[command(subcommand, alias = "runs")]
    Run(RunCommand),
    /// Calls that wait for people to approve them.
    #[command(subcommand, alias = "approvals")]
    Approval(ApprovalCommand),
    /// Backends, agents, organisations and loops that have failed lately, and those left alone.
    #[command(subcommand, alias = "breakers")]
    Breaker(BreakerCommand),
    /// How often calls of others begin.
    #[command(subcommand, alias = "rates")]
    Rate(RateCommand),
    /// What realms let each other do, for a purpose and a time.
    #[command(subcommand, alias = "grants")]
    Grant(GrantCommand),
    /// Who uses this realm, and what they may do.
    #[command(subcommand, alias = "person")]
    People(PeopleCommand),
    /// Sign in at a daemon, as somebody whom its directory or provider knows.
    Login(LoginArgs),
    /// End the sign-in at a daemon.
    Logout,
    /// Stop everything here and below, or a part of it, and keep its state.
    Halt(HaltArgs),
    /// Let what was halted go on.
    Unhalt(UnhaltArgs),
    /// Traces of calls.
    #[command(subcommand, alias = "traces")]
    Trace(TraceCommand),

    /// Check a realm's configuration, or files of loops and policies, without a daemon.
    Check {
        /// Files to check; none for the realm's own configuration.
        files: Vec<PathBuf>,
    },
    /// Write a backup while the daemon runs.
    Backup {
        /// File to write; it must not exist.
        file: PathBuf,
    },
    /// Make a realm out of a backup.
    Restore(RestoreArgs),
    /// Check or migrate a realm's store while its daemon does not run.
    #[command(subcommand)]
    Store(StoreCommand),
    /// A realm's keys.
    #[command(subcommand, alias = "keys")]
    Key(KeyCommand),
    /// A realm's configuration.
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Which realm is meant where none is named.
    #[command(subcommand)]
    Ctx(ContextCommand),
    /// Explain a field of a definition, or an error.
    Explain {
        /// `loop`, `loop.limits.timeout`, or `RLM-0106`.
        topic: String,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all pages to a folder.
    Man(ManArgs),
    /// Print the version.
    Version,
}
