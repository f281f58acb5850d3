//! Commands about loops and calls.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use realm_client::api::{Amount, Budget};

use super::{Key, Span};
use crate::complete;

/// Which files.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// File or folder; `-` for stdin.
    #[arg(value_name = "FILE", required_unless_present = "file")]
    pub paths: Vec<PathBuf>,
    /// File or folder; `-` for stdin.
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
}

/// Which files, and what becomes of other loops.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// Which files.
    #[command(flatten)]
    pub files: FileArgs,
    /// Check everything, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove every loop that the files do not define.
    #[arg(long)]
    pub prune: bool,
    /// Go on where a version breaks its own contract, or other loops need what goes.
    #[arg(long)]
    pub force: bool,
    /// Keep new versions beside the current ones, which stay what they are: `prompt promote` makes one
    /// current.
    #[arg(long)]
    pub stage: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

/// Which files, and whether other loops would go.
#[derive(Args, Debug)]
#[command(after_help = "Exits with 0 if nothing would change, and with 1 if something would.")]
pub struct DiffArgs {
    /// Which files.
    #[command(flatten)]
    pub files: FileArgs,
    /// Show what `apply --prune` would remove.
    #[arg(long)]
    pub prune: bool,
}

/// Loops, here and in other realms.
#[derive(Debug, Subcommand)]
pub enum LoopCommand {
    /// List the loops of this realm, or those of another that this one may see.
    #[command(alias = "list")]
    Ls {
        /// Another realm: `@lab/genomics`.
        // Not `realm`, which is `-r`.
        #[arg(value_name = "REALM")]
        of: Option<String>,
    },
    /// Show a loop's contract.
    #[command(alias = "get")]
    Show {
        /// `loop` or `loop@realm/path`.
        #[arg(add = ArgValueCompleter::new(complete::addresses))]
        address: String,
        /// Print an input to fill in.
        #[arg(long)]
        example: bool,
    },
    /// Show what was changed of a loop of this realm, when, and by whom.
    History {
        /// The loop; also one that is gone.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
    },
    /// Remove a loop of this realm, or one version of it.
    Rm {
        /// The loop.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
        /// Only this version; the current one goes with the loop.
        #[arg(long = "loop-version", value_name = "VERSION")]
        version: Option<String>,
        /// Go on where other loops need it.
        #[arg(long)]
        force: bool,
    },
}

/// Composites that announce work.
#[derive(Debug, Subcommand)]
pub enum StackCommand {
    /// List stacks, each with what it announces in which order.
    #[command(alias = "list")]
    Ls,
    /// Show what a stack announces, step by step.
    #[command(alias = "get")]
    Show {
        /// The stack.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
    },
    /// Remove a stack, and what only it announces.
    Rm {
        /// The stack.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
        /// Go on where other loops need it.
        #[arg(long)]
        force: bool,
    },
}

/// Who runs the loops of this realm.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// List who runs what.
    #[command(alias = "list")]
    Ls,
    /// Show who runs a loop.
    #[command(alias = "get")]
    Show {
        /// The loop.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
    },
    /// What agents keep between calls.
    #[command(subcommand)]
    State(StateCommand),
    /// Remove an agent, and its loop with it.
    Rm {
        /// The loop.
        #[arg(add = ArgValueCompleter::new(complete::own_loops))]
        id: String,
        /// Go on where other loops need it.
        #[arg(long)]
        force: bool,
    },
}

/// What agents keep between calls: values by key, changed by calls alone.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List the agents that keep something, or what one keeps.
    #[command(alias = "list")]
    Ls {
        /// The agent.
        agent: Option<String>,
    },
    /// Show one value.
    #[command(alias = "get")]
    Show {
        /// The agent.
        agent: String,
        /// The key.
        key: String,
    },
    /// Write all that an agent keeps into a file, as JSON.
    Export {
        /// The agent.
        agent: String,
        /// The file; it is replaced.
        #[arg(long)]
        out: PathBuf,
    },
    /// Remove what an agent keeps, or one value of it.
    Rm {
        /// The agent.
        agent: String,
        /// The key; all without it.
        key: Option<String>,
    },
}

/// The model backends of this realm; `realm.toml` makes them.
#[derive(Debug, Subcommand)]
pub enum BackendCommand {
    /// List them.
    #[command(alias = "list")]
    Ls,
    /// Show one, and what will not work; of an MCP server its tools.
    #[command(alias = "get")]
    Show {
        /// Its id.
        id: String,
    },
    /// Let loops call tools of an MCP server as they are now.
    Approve {
        /// The server's id.
        id: String,
        /// The tools; without any, all that loops call.
        tools: Vec<String>,
    },
    /// Write loops for the tools of an MCP server; applying them approves the tools.
    Import {
        /// The server's id.
        id: String,
        /// The tools; without any, all.
        tools: Vec<String>,
    },
}

/// The loops that models call as their tools: those of other realms as somebody has approved them.
#[derive(Debug, Subcommand)]
pub enum ToolCommand {
    /// List those of a prompt, as they are now.
    #[command(alias = "list")]
    Ls {
        /// The prompt's id.
        prompt: String,
    },
    /// Let a prompt's model call loops of other realms as they are now.
    Approve {
        /// The prompt's id.
        prompt: String,
        /// The tools, by the names that the model knows; without any, all that are not approved.
        tools: Vec<String>,
    },
}

/// Call a loop.
#[derive(Args, Debug)]
pub struct InvokeArgs {
    /// `loop` or `loop@realm/path`.
    #[arg(value_name = "LOOP", add = ArgValueCompleter::new(complete::addresses))]
    pub address: String,
    /// Members of the input: `name=text` or `name:=JSON`.
    #[arg(value_name = "KEY=VALUE")]
    pub members: Vec<String>,
    /// Input: JSON, `@FILE`, or `-` for stdin.
    #[arg(short, long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// The loop's version.
    #[arg(long = "loop-version", value_name = "VERSION")]
    pub version: Option<String>,
    /// Draw the call on stderr as it goes.
    #[arg(long)]
    pub watch: bool,
    /// Print the run's id and do not wait.
    #[arg(long, conflicts_with = "watch")]
    pub detach: bool,
    /// Show on stderr what the model writes while it writes; with `-o ndjson` as objects on stdout.
    #[arg(long, conflicts_with_all = ["watch", "detach"])]
    pub stream: bool,
    /// Let the callee's parent keep the call while the callee is offline, for 7 days at most.
    #[arg(long)]
    pub store: bool,
    /// Asking again under the same key never runs the loop twice.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<Key>,
    /// What it may use.
    #[command(flatten)]
    pub budget: BudgetArgs,
}

/// What a call and all that it causes may use: it is stopped before what would be more.
#[derive(Args, Clone, Debug)]
pub struct BudgetArgs {
    /// Most that it may cost, with all that it calls: `EUR 0.50`.
    #[arg(long, value_name = "AMOUNT")]
    pub budget: Option<Amount>,
    /// Most tokens that models may read and write for it.
    #[arg(long, value_name = "TOKENS")]
    pub budget_tokens: Option<u64>,
    /// How often models, tools, other realms and bidders may be asked for it.
    #[arg(long, value_name = "CALLS")]
    pub budget_calls: Option<u64>,
}

impl BudgetArgs {
    /// The budget, if anything is bounded.
    pub(crate) fn into_budget(self) -> Option<Budget> {
        let budget = Budget {
            money: self.budget,
            tokens: self.budget_tokens,
            calls: self.budget_calls,
        };
        (budget != Budget::default()).then_some(budget)
    }
}

/// Bids that this realm has made.
#[derive(Debug, Subcommand)]
pub enum BidCommand {
    /// List this realm's bids, the newest first, or those that a broadcast of its own counted.
    #[command(alias = "list")]
    Ls {
        /// A run of this realm that announced: the bids that counted, in rank order.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Say why a bid won or lost; of this realm's own, whether the close proves that it counted.
    #[command(alias = "get")]
    Show {
        /// The bid.
        bid: String,
        /// A run of this realm that announced, for a bid that it counted.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
    },
    /// List the bidders that this realm has given work to, the least trusted first, and why.
    Trust,
    /// Write a bid's receipt as a file that `verify` checks.
    Export {
        /// The bid.
        bid: String,
        /// File to write; one that exists is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Calls, past and present.
#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// List runs, the newest first.
    #[command(alias = "list")]
    Ls(RunFilter),
    /// Show a run.
    #[command(alias = "get")]
    Show {
        /// The run.
        id: String,
        /// Draw its events on stderr until it ends, then show it.
        #[arg(long)]
        watch: bool,
    },
    /// Show the calls a run made, as a tree.
    Tree {
        /// The run.
        id: String,
        /// Draw its events on stderr until it ends, then show the tree.
        #[arg(long)]
        watch: bool,
    },
    /// Show the turns a run took, by time.
    History {
        /// The run.
        id: String,
    },
    /// Show every attempt at every call of a run.
    Attempts {
        /// The run.
        id: String,
    },
    /// Show the tools a run called, and whether a result is recorded.
    ToolCalls {
        /// The run.
        id: String,
    },
    /// Say why a run is where it is; of a broadcast also who bid, and why each won or lost.
    Explain {
        /// The run.
        id: String,
    },
    /// Write everything that was said and done in a broadcast, signed, as a file for `verify`.
    Transcript {
        /// The run that announced.
        id: String,
        /// Only what this realm, which has bid, may see: its own bids, those of winners, and of all others
        /// the digests.
        #[arg(long = "for", value_name = "REALM")]
        reader: Option<String>,
        /// File to write; one that exists is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Wait until a run has ended, and print what it gave; exit with 10 where it waits for a person.
    Wait {
        /// The run.
        id: String,
    },
    /// Hold a run where it stands, until it is resumed.
    Pause {
        /// The run.
        id: String,
    },
    /// Let a paused run go on. Where it is not known what a call did, say what becomes of it.
    Resume {
        /// The run.
        id: String,
        /// The call is made again.
        #[arg(long, group = "decision")]
        again: bool,
        /// The call was done and gave this: JSON, `@FILE`, or `-` for stdin.
        #[arg(
            long,
            group = "decision",
            value_name = "JSON|@FILE|-",
            allow_hyphen_values = true
        )]
        gave: Option<String>,
        /// The call failed, for this reason.
        #[arg(long, group = "decision", value_name = "REASON")]
        failed: Option<String>,
    },
    /// Cancel a run.
    Cancel {
        /// The run.
        id: String,
    },
}

/// Which runs.
#[derive(Args, Debug)]
pub struct RunFilter {
    /// Of this loop.
    #[arg(long = "loop", value_name = "LOOP")]
    pub loop_id: Option<String>,
    /// With this realm.
    #[arg(long, value_name = "REALM")]
    pub peer: Option<String>,
    /// That stand so.
    #[arg(long, value_enum)]
    pub status: Option<RunState>,
    /// Called here, elsewhere, or both.
    #[arg(long, value_enum)]
    pub direction: Option<RunDirection>,
    /// That this run caused.
    #[arg(long, value_name = "RUN")]
    pub parent: Option<String>,
    /// Begun within this time until now: `24h`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Span>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// The page after this one, as the page before printed it.
    #[arg(long)]
    pub cursor: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RunState {
    /// Not finished.
    Running,
    /// Finished with an output.
    Completed,
    /// Finished with an error.
    Failed,
    /// Stopped by somebody.
    Cancelled,
    /// Waiting to be resumed.
    Paused,
}

/// Which half of a call a run is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RunDirection {
    /// Called and run here.
    Local,
    /// Called here, run elsewhere.
    Out,
    /// Called elsewhere, run here.
    In,
}

/// Traces of calls.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Show this realm's half of a run's trace.
    #[command(alias = "get")]
    Show {
        /// The run.
        id: String,
        /// Ask the realms that the run led to what they show of it, and show one tree.
        #[arg(long)]
        federated: bool,
    },
    /// Write a run's trace as a file for others.
    Export {
        /// A run, or `@FILE` for a trace exported as json; that needs no daemon.
        #[arg(value_name = "RUN|@FILE")]
        run: String,
        /// What to write.
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// File to write, in place of stdout; one that exists is replaced.
        // Not `output`, which is how data is printed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Put inputs, outputs and messages into the spans of otlp.
        #[arg(long)]
        content: bool,
    },
    /// Compare two runs frame by frame; exit 1 if they differ.
    ///
    /// Compared are loops, versions, contracts, models, status, errors, attempts, tool calls, and
    /// inputs and outputs or their digests; not times.
    Diff {
        /// A run, or `@FILE` for a trace exported as json.
        #[arg(value_name = "RUN|@FILE")]
        left: String,
        /// Another.
        #[arg(value_name = "RUN|@FILE")]
        right: String,
    },
}

/// The form of an exported trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One page that needs nothing else, with inputs and outputs.
    Html,
    /// The run, its frames and its events, with inputs and outputs.
    Json,
    /// A row a frame, without inputs and outputs.
    Csv,
    /// OpenTelemetry's OTLP in JSON, a span a frame.
    Otlp,
}

/// Write a folder that works as it is.
#[derive(Debug, Subcommand)]
pub enum NewCommand {
    /// A loop, run by a program in the folder.
    #[command(alias = "agent")]
    Loop {
        /// The loop's id; also the folder's name.
        id: String,
        /// The program's language.
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// Where to make the folder.
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
    },
}

/// The language of a new loop's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Python 3.
    #[default]
    Python,
    /// JavaScript that TypeScript checks, so that every Node runs it as it is.
    Typescript,
    /// POSIX shell.
    Sh,
}
