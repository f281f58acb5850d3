//! Realms: daemons as processes, and one inside this program that calls.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail, ensure};
use realm_client::{
    Client,
    api::{AllowRequest, ApplyRequest, InviteKind, JoinRequest, SourceFile, TicketRequest},
    homes, ticket,
};
use realm_node::{InvokeAsked, JoinAsked, Request, Response};
use realm_protocol::LoopAddress;
use realmd::Embedded;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    load::Call,
    process::{self, Program},
};

/// Bytes of text in the payload.
pub(crate) const PAYLOAD: usize = 1_024;
/// How long a call may take, milliseconds.
const CALL_MS: u64 = 20_000;
/// Room for every call that a row has in flight, written to each home's configuration.
const SETTINGS: &str = "\n[limits]\nchild_rate = 250000\npeer_bytes = \"1 GiB\"\nannounce_rate = 1000000\nmax_calls = 65536\npending = 4096\nstrangers = 4096\n\
                        connections = 65536\n\n[log]\nlevel = \"warn\"\n";
/// A loop like `echo` that has effects, so that what it promises is durable before it answers.
const ONCE: &str = "id: echo-once\nversion: 1.0.0\nkind: tool\ndescription: Echoes, once.\n\
                    inputSchema: {type: object}\noutputSchema: {type: object}\neffects: once\n\
                    tool: {implementation: 'builtin:echo'}\n";

/// Where realms are made; everything goes with it.
#[derive(Debug)]
pub(crate) struct Ground {
    dir: TempDir,
    realmd: PathBuf,
}

impl Ground {
    /// Makes the folder, on a disk.
    pub(crate) fn new(scratch: &Path, realmd: &Path) -> Result<Self> {
        let realmd = std::path::absolute(realmd)?;
        let scratch = std::path::absolute(scratch)?;
        ensure!(
            realmd.is_file(),
            "{} is missing: cargo build --release -p realmd",
            realmd.display()
        );
        let dir = TempDir::with_prefix_in("bench-", scratch)?;
        Ok(Self { dir, realmd })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a realm's home; `more` goes before the sections of its configuration.
    pub(crate) async fn found(&self, name: &str, more: &str) -> Result<PathBuf> {
        let home = self.dir.path().join(name);
        let mut init = Command::new(&self.realmd);
        init.args(["init", name, "--listen", "/ip4/127.0.0.1/tcp/0", "--home"]);
        init.arg(&home).arg("--recovery");
        init.arg(home.with_extension("recovery"));
        process::finish(&mut init).await?;
        let config = home.join("realm.toml");
        let text = std::fs::read_to_string(&config)?;
        std::fs::write(&config, format!("{text}{more}{SETTINGS}"))?;
        Ok(home)
    }

    /// Makes a realm, and runs it as a process of its own.
    pub(crate) async fn daemon(&self, name: &str, more: &str) -> Result<Daemon> {
        let home = self.found(name, more).await?;
        self.start(name, &home).await
    }

    /// Runs the realm in this home as a process of its own.
    pub(crate) async fn start(&self, name: &str, home: &Path) -> Result<Daemon> {
        let mut run = Command::new(&self.realmd);
        run.args(["run", "--home"]).arg(home);
        let log = home.with_extension("log");
        let program = Program::start_and_be_told(&mut run, &log).await?;
        let client = Client::connect(homes::socket(home)).await?;
        let name = name.to_owned();
        Ok(Daemon {
            name,
            program,
            client,
        })
    }

    /// Makes a realm, and runs it inside this program.
    pub(crate) async fn caller(&self, name: &str) -> Result<Caller> {
        let home = self.found(name, "").await?;
        Caller::start(name, &home).await
    }
}

/// A realm as a process of its own.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) name: String,
    pub(crate) program: Program,
    pub(crate) client: Client,
}

impl Daemon {
    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.program.pid()
    }

    /// Makes a ticket for a child. Nothing is permitted to it here, so that a thousand children
    /// are not a thousand policies too.
    pub(crate) async fn invite(&self, label: &str) -> Result<String> {
        let asked = TicketRequest {
            kind: InviteKind::Child,
            label: Some(label.to_owned()),
            allow: Vec::new(),
            uses: Some(1),
            ttl_ms: None,
            petname: None,
        };
        Ok(self.client.invite(&asked).await?.ticket)
    }

    /// How many of its children are linked to it.
    pub(crate) async fn linked_children(&self) -> Result<u64> {
        Ok(self.client.status().await?.children.connected)
    }

    /// Becomes a child.
    pub(crate) async fn join(&self, ticket: String) -> Result<()> {
        let asked = JoinRequest {
            ticket,
            petname: None,
            allow: Vec::new(),
        };
        self.client.join(&asked).await?;
        Ok(())
    }

    /// Permits a realm to call everything here.
    pub(crate) async fn allow(&self, caller: &str) -> Result<()> {
        self.permit(caller, "invoke", "*").await
    }

    /// Permits a realm an action on loops by a pattern.
    pub(crate) async fn permit(&self, who: &str, action: &str, pattern: &str) -> Result<()> {
        let asked = AllowRequest {
            caller: who.to_owned(),
            action: action.to_owned(),
            loop_id: pattern.to_owned(),
            for_ms: None,
            dry_run: false,
        };
        self.client.allow(&asked).await?;
        Ok(())
    }

    /// Registers a loop.
    pub(crate) async fn apply(&self, text: &str) -> Result<()> {
        let file = SourceFile {
            name: "-".to_owned(),
            text: text.to_owned(),
            referred: false,
        };
        let asked = ApplyRequest {
            files: vec![file],
            dry_run: false,
            force: false,
            prune: false,
            stage: false,
            why: None,
        };
        self.client.apply(&asked).await?;
        Ok(())
    }

    /// Registers the loop with effects.
    pub(crate) async fn apply_once(&self) -> Result<()> {
        self.apply(ONCE).await
    }
}

/// A realm inside this program.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    realm: Arc<Embedded>,
}

impl Caller {
    /// Runs the realm in this home.
    pub(crate) async fn start(name: &str, home: &Path) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            realm: Arc::new(Embedded::start(home).await?),
        })
    }

    /// Asks the realm for something.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response> {
        Ok(self.realm.ask(request).await?)
    }

    /// Ends the realm in order; nobody else may hold it.
    pub(crate) async fn stop(self) -> Result<()> {
        let realm = Arc::into_inner(self.realm).context("somebody still calls")?;
        Ok(realm.stop().await?)
    }

    /// Becomes a child.
    pub(crate) async fn join(&self, text: &str) -> Result<()> {
        let asked = JoinAsked {
            ticket: ticket::decode(text)?,
            petname: None,
            allow: Vec::new(),
        };
        match self.realm.ask(Request::Join(asked)).await? {
            Response::Joined(_) => Ok(()),
            other => bail!("{} did not join: {other:?}", self.name),
        }
    }

    /// Makes a ticket for a child.
    pub(crate) async fn invite(&self, label: &str) -> Result<String> {
        let asked = realm_node::InviteAsked {
            kind: realm_node::InviteKind::Child(label.parse()?),
            allow: Vec::new(),
            uses: 1,
            ttl_ms: 3_600_000,
            petname: None,
        };
        match self.realm.ask(Request::Invite(asked)).await? {
            Response::Invited(invited) => Ok(ticket::encode(&invited.ticket)),
            other => bail!("{} did not invite: {other:?}", self.name),
        }
    }

    /// Something that calls a loop with a payload.
    pub(crate) fn to(&self, address: &str) -> Result<LoopCall> {
        Ok(LoopCall {
            realm: Arc::clone(&self.realm),
            address: address.parse()?,
            input: Arc::new(payload()),
        })
    }
}

/// What is sent in each call.
pub(crate) fn payload() -> Value {
    json!({ "data": "x".repeat(PAYLOAD - "{\"data\":\"\"}".len()) })
}

/// Calls of one loop.
#[derive(Clone, Debug)]
pub(crate) struct LoopCall {
    realm: Arc<Embedded>,
    address: LoopAddress,
    input: Arc<Value>,
}

impl Call for LoopCall {
    async fn call(&self) -> Result<()> {
        let asked = InvokeAsked {
            address: self.address.clone(),
            version: None,
            input: Value::clone(&self.input),
            timeout_ms: Some(CALL_MS),
            key: None,
            caller: Some("bench".to_owned()),
            store: false,
            detach: false,
            stream: false,
            budget: realm_protocol::budget::Budget::default(),
            backend: None,
        };
        match self.realm.ask(Request::Invoke(asked)).await? {
            Response::Invoked(invocation) => {
                let output = invocation
                    .result
                    .with_context(|| self.address.to_string())?;
                ensure!(output == *self.input, "the answer is not what was sent");
                Ok(())
            }
            other => bail!("{}: {other:?}", self.address),
        }
    }
}

/// A caller and a callee with some relays between them.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) caller: Caller,
    pub(crate) callee: String,
    /// The daemons; the last one is the callee.
    pub(crate) daemons: Vec<Daemon>,
}

impl Way {
    /// Sets realms up with this many relays: none from a root to its child; one between two
    /// children of a root; two from a child's child by the child and the root to its other child.
    pub(crate) async fn new(ground: &Ground, relays: usize) -> Result<Self> {
        let caller = ground.caller("caller").await?;
        let (daemons, caller_name, callee) = match relays {
            0 => {
                let callee = ground.daemon("callee", "").await?;
                callee.join(caller.invite("callee").await?).await?;
                (vec![callee], "caller", "caller/callee")
            }
            1 => {
                let root = ground.daemon("root", "").await?;
                let callee = ground.daemon("callee", "").await?;
                caller.join(&root.invite("caller").await?).await?;
                callee.join(root.invite("callee").await?).await?;
                (vec![root, callee], "root/caller", "root/callee")
            }
            2 => {
                let root = ground.daemon("root", "").await?;
                let middle = ground.daemon("middle", "").await?;
                let callee = ground.daemon("callee", "").await?;
                middle.join(root.invite("middle").await?).await?;
                callee.join(root.invite("callee").await?).await?;
                caller.join(&middle.invite("caller").await?).await?;
                (
                    vec![root, middle, callee],
                    "root/middle/caller",
                    "root/callee",
                )
            }
            more => bail!("{more} relays are not set up here"),
        };
        let last = daemons.last().context("no callee")?;
        last.allow(caller_name).await?;
        last.apply_once().await?;
        Ok(Self {
            caller,
            callee: callee.to_owned(),
            daemons,
        })
    }

    /// Process ids of the daemons.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.daemons.iter().map(Daemon::pid).collect()
    }
}
