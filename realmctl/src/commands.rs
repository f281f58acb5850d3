//! One function a command.

mod apply;
mod approvals;
mod audit;
mod backends;
mod bids;
mod breakers;
mod broadcast;
mod ctx;
mod doctor;
mod erase;
pub(crate) mod eval;
mod explain;
mod generate;
mod grants;
mod halt;
mod invoke;
mod loops;
mod mcp;
mod new;
mod pages;
mod people;
mod policy;
mod prompts;
mod rates;
mod realms;
mod receipts;
mod runs;
mod stacks;
mod states;
mod tools;
mod traces;
mod verify;
mod visible;
mod watch;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use realm_client::api::BackupRequest;

use crate::{
    cli::{Command, ConfigCommand, InitArgs, KeyCommand, RestoreArgs, StoreCommand},
    daemon, demo,
    failure::Failure,
    files,
    session::Session,
    show::Version,
};

/// Runs a command; gives its exit code.
pub(crate) async fn run(session: &Session, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Init(args) => return init(session, args),
        Command::Check { files } if files.is_empty() => {
            return daemon::run_at_home(session, &["check"]);
        }
        Command::Check { files } => return apply::check(session, &files),
        Command::Restore(args) => return restore(session, args),
        Command::Store(command) => return store(session, &command),
        Command::Key(command) => return key(session, command),
        Command::Config(command) => return config(session, &command),
        Command::Diff(args) => return apply::diff(session, &args).await,
        Command::Validate(args) => return apply::validate(session, &args).await,
        Command::Import(args) => return apply::import(session, &args).await,
        Command::Policy(command) => return policy::run(session, command).await,
        Command::Trace(command) => return traces::run(session, command).await,
        Command::Bid(command) => return bids::run(session, command).await,
        Command::Verify { file, witness } => {
            return verify::run(session, &file, witness.as_deref());
        }
        Command::Apply(args) => apply::apply(session, &args).await?,
        Command::Status => status(session).await?,
        Command::Info => info(session).await?,
        Command::Doctor => doctor::run(session).await?,
        Command::Demo(args) => demo::run(session, &args).await?,
        Command::DemoAgent(agent) => demo::agent(session, &agent).await?,
        Command::New(command) => new::run(session, command)?,
        Command::Invite(args) => realms::invite(session, args).await?,
        Command::Join(args) => realms::join(session, args).await?,
        Command::Ticket(command) => realms::ticket(session, &command)?,
        Command::Allow(args) => policy::allow(session, args).await?,
        Command::Disallow(args) => policy::disallow(session, args).await?,
        Command::Peer(command) => realms::peer(session, command).await?,
        Command::Realm(command) => realms::realm(session, command).await?,
        Command::Loop(command) => loops::run(session, command).await?,
        Command::Stack(command) => stacks::run(session, command).await?,
        Command::Agent(command) => loops::agent(session, command).await?,
        Command::Mcp(args) => mcp::run(session, args).await?,
        Command::Generate(args) => generate::run(session, args).await?,
        Command::Backend(command) => backends::run(session, &command).await?,
        Command::Tool(command) => tools::run(session, &command).await?,
        Command::Prompt(command) => prompts::run(session, command).await?,
        Command::Eval(args) => return eval::run(session, &args).await,
        Command::Invoke(args) => invoke::run(session, args).await?,
        Command::Broadcast(args) => broadcast::run(session, *args).await?,
        Command::Approval(command) => approvals::run(session, command).await?,
        Command::Audit(command) => return audit::run(session, command).await,
        Command::Erase(command) => erase::run(session, command).await?,
        Command::Receipt(command) => return receipts::run(session, command).await,
        Command::Breaker(command) => breakers::run(session, command).await?,
        Command::Rate(command) => rates::run(session, command).await?,
        Command::People(command) => people::run(session, command).await?,
        Command::Login(args) => people::login(session, args).await?,
        Command::Logout => people::logout(session).await?,
        Command::Grant(command) => grants::run(session, command).await?,
        Command::Halt(args) => return halt::halt(session, args).await,
        Command::Unhalt(args) => return halt::unhalt(session, args).await,
        Command::Run(command) => runs::run(session, command).await?,
        Command::Backup { file } => backup(session, &file).await?,
        Command::Ctx(command) => ctx::run(session, &command)?,
        Command::Explain { topic } => explain::run(session, &topic)?,
        Command::Completions { shell } => pages::completions(session, shell)?,
        Command::Man(args) => pages::man(session, &args)?,
        Command::Version => version(session)?,
    }
    Ok(0)
}

async fn status(session: &Session) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    session.print(&daemon.ask(daemon.client.status()).await?)
}

async fn info(session: &Session) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    session.print(&daemon.ask(daemon.client.info()).await?)
}

async fn backup(session: &Session, file: &Path) -> Result<(), Failure> {
    let path = files::absolute(file)?.to_string_lossy().into_owned();
    let daemon = session.daemon().await?;
    let request = BackupRequest { path };
    session.print(&daemon.ask(daemon.client.backup(&request)).await?)
}

fn version(session: &Session) -> Result<(), Failure> {
    session.print(&Version {
        name: "realmctl",
        version: env!("CARGO_PKG_VERSION"),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn init(session: &Session, args: InitArgs) -> Result<u8, Failure> {
    if args.name.is_none() && session.global.home.is_none() {
        let what = "a new realm needs a name".to_owned();
        return Err(Failure::Usage(what, Some("realmctl init NAME".to_owned())));
    }
    let mut all = vec![OsString::from("init")];
    all.extend(args.name.map(OsString::from));
    if let Some(home) = &session.global.home {
        all.extend([OsString::from("--home"), home.into()]);
    }
    for address in args.listen {
        all.extend([OsString::from("--listen"), address.into()]);
    }
    flag(&mut all, "--recovery", args.recovery);
    flag(&mut all, "--passphrase-file", args.passphrase_file);
    daemon::run(session, all)
}

fn restore(session: &Session, args: RestoreArgs) -> Result<u8, Failure> {
    let home = match (&session.global.home, &session.global.realm) {
        (Some(home), _) => files::absolute(home)?,
        (None, Some(name)) => session.homes()?.home(name)?,
        (None, None) => {
            let what = "restore makes a new realm, and needs its name".to_owned();
            let help = format!("realmctl -r NAME restore {}", args.file.display());
            return Err(Failure::Usage(what, Some(help)));
        }
    };
    let mut all = vec![OsString::from("restore"), args.file.into()];
    flag(&mut all, "--home", Some(home));
    flag(&mut all, "--passphrase-file", args.passphrase_file);
    daemon::run(session, all)
}

fn store(session: &Session, command: &StoreCommand) -> Result<u8, Failure> {
    let verb = match command {
        StoreCommand::Check => "check",
        StoreCommand::Migrate => "migrate",
    };
    daemon::run_at_home(session, &["store", verb])
}

/// Adds a flag with a path, where there is one.
fn flag(all: &mut Vec<OsString>, name: &str, path: Option<PathBuf>) {
    if let Some(path) = path {
        all.extend([OsString::from(name), path.into()]);
    }
}

fn key(session: &Session, command: KeyCommand) -> Result<u8, Failure> {
    let mut all = vec![OsString::from("key")];
    let mut at_home = true;
    match command {
        KeyCommand::Show => all.push("show".into()),
        KeyCommand::Passphrase(args) => {
            all.push("passphrase".into());
            flag(&mut all, "--passphrase-file", args.passphrase_file);
            flag(&mut all, "--new-passphrase-file", args.new_passphrase_file);
            if args.remove {
                all.push("--remove".into());
            }
        }
        KeyCommand::Seal {
            files,
            passphrase_file,
        } => {
            all.push("seal".into());
            all.extend(files.into_iter().map(PathBuf::into_os_string));
            flag(&mut all, "--passphrase-file", passphrase_file);
        }
        KeyCommand::Rotate(args) => {
            all.push("rotate".into());
            flag(&mut all, "--recovery", Some(args.recovery));
            flag(&mut all, "--new-recovery", args.new_recovery);
            if args.compromised {
                all.push("--compromised".into());
            }
            at_home = args.identity.is_none();
            flag(&mut all, "--identity", args.identity);
            flag(&mut all, "--out", args.out);
            flag(&mut all, "--passphrase-file", args.passphrase_file);
        }
        KeyCommand::Certify(args) => {
            at_home = false;
            all.extend(["certify".into(), args.identity.into_os_string()]);
            flag(&mut all, "--key", Some(args.key));
            flag(&mut all, "--out", Some(args.out));
        }
        KeyCommand::Install {
            file,
            passphrase_file,
        } => {
            all.extend(["install".into(), file.into_os_string()]);
            flag(&mut all, "--passphrase-file", passphrase_file);
        }
    }
    if at_home {
        let home = session.home()?;
        flag(&mut all, "--home", Some(home.dir));
    }
    daemon::run(session, all)
}

fn config(session: &Session, command: &ConfigCommand) -> Result<u8, Failure> {
    match command {
        ConfigCommand::Show => daemon::run_at_home(session, &["config", "show"]),
        ConfigCommand::Explain { key } => daemon::run_at_home(session, &["config", "explain", key]),
        ConfigCommand::Schema => daemon::run(session, ["config", "schema"]),
    }
}
