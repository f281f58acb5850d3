//! The realms of the story, alive: homes, processes, joins, peering, loops.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use realm_client::{
    Client, ClientError,
    api::{ApplyRequest, InviteKind, JoinRequest, SourceFile, TicketRequest},
    homes,
};
use tokio::time::{interval, timeout};

use super::{
    folder::Folder,
    market::KEYS,
    process::{Process, this_program},
    progress::Progress,
    story::{Definition, PEERS, Places, ROLES, Role, SCENES},
};
use crate::failure::Failure;

/// Longest it may take until everybody can reach whom they will call.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time between two looks whether something has come about.
const LOOK: Duration = Duration::from_millis(20);

/// One realm, alive.
#[derive(Debug)]
struct Member {
    process: Process,
    client: Client,
}

/// Everybody, by name.
#[derive(Debug)]
pub(super) struct Cast {
    members: BTreeMap<&'static str, Member>,
    prices: Process,
    /// Last, so that it is removed when nobody lives in it any more.
    folder: Folder,
}

impl Cast {
    /// Starts everybody, and binds them together.
    pub(super) async fn gather(progress: &Progress<'_>) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let program = this_program()?.to_string_lossy().into_owned();
        let (prices, address) = Process::agent(folder.path()).await?;
        let places = Places {
            program,
            prices: address,
            keys: folder.path().join(KEYS),
        };
        progress.step("making seven realms");
        found(progress, &folder).await?;
        progress.step("starting seven daemons");
        let members = start(progress, &folder).await?;
        let cast = Self {
            members,
            prices,
            folder,
        };
        cast.bind_all(progress).await?;
        progress.step("registering their loops");
        for role in ROLES {
            cast.apply(role, &places).await?;
        }
        progress.step("waiting until they know each other");
        for scene in SCENES {
            cast.introduce(scene.caller(), scene.callee()).await?;
        }
        Ok(cast)
    }

    /// The client of a realm.
    pub(super) fn client(&self, name: &str) -> Result<&Client, Failure> {
        let member = self.members.get(name);
        let absent = || Failure::Usage(format!("{name} has no part in the story"), None);
        member.map(|member| &member.client).ok_or_else(absent)
    }

    /// Waits for a realm's answer.
    pub(super) async fn ask<T>(
        &self,
        name: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        let run = || format!("--home {}", self.home(name).display());
        answer.await.map_err(|error| Failure::Client(error, run()))
    }

    /// Takes a realm down.
    pub(super) async fn stop(&mut self, name: &str) -> Result<(), Failure> {
        match self.members.remove(name) {
            Some(mut member) => {
                member.process.terminate();
                member.process.ended().await
            }
            None => Ok(()),
        }
    }

    /// Kills a realm's daemon at whatever it does, and starts it again.
    pub(super) async fn crash(&mut self, name: &'static str) -> Result<(), Failure> {
        if let Some(mut member) = self.members.remove(name) {
            member.process.kill().await?;
        }
        let home = self.home(name);
        let mut process = Process::run(name, &home)?;
        process.ready().await?;
        let client = connect(&home).await?;
        self.members.insert(name, Member { process, client });
        Ok(())
    }

    /// The folder that everything is in.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Those alive.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.keys().copied()
    }

    /// A realm's home, whether it is alive or not.
    pub(super) fn home(&self, name: &str) -> PathBuf {
        home(&self.folder, name)
    }

    /// A realm's log.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.home(name).with_extension("log")
    }

    /// Leaves everybody running; gives the script that ends them.
    pub(super) fn keep(mut self) -> Result<PathBuf, Failure> {
        let members = self.members.values_mut().map(|member| &mut member.process);
        let processes = members.chain([&mut self.prices]);
        let ids: Vec<u32> = processes.filter_map(Process::keep).collect();
        self.folder.keep(&ids)
    }

    /// Ends everybody, children before their parents.
    pub(super) async fn dismiss(mut self) -> Result<(), Failure> {
        for member in self.members.values().rev() {
            member.process.terminate();
        }
        for member in self.members.values_mut() {
            member.process.ended().await?;
        }
        Ok(())
    }

    async fn bind_all(&self, progress: &Progress<'_>) -> Result<(), Failure> {
        for role in ROLES {
            if let Some((parent, label)) = role.name.rsplit_once('/') {
                progress.step(&format!("{} joins {parent}", role.name));
                let label = Some(label.to_owned());
                self.bind(parent, role.name, InviteKind::Child, label)
                    .await?;
            }
        }
        let (inviter, joiner) = PEERS;
        progress.step(&format!("{joiner} and {inviter} become peers"));
        self.bind(inviter, joiner, InviteKind::Peer, None).await
    }

    /// Invites and joins, with a ticket as a person would carry it.
    async fn bind(
        &self,
        inviter: &str,
        joiner: &str,
        kind: InviteKind,
        label: Option<String>,
    ) -> Result<(), Failure> {
        let request = TicketRequest {
            kind,
            label,
            allow: Vec::new(),
            uses: Some(1),
            ttl_ms: None,
            petname: None,
        };
        let inviting = self.client(inviter)?.invite(&request);
        let issued = self.ask(inviter, inviting).await?;
        let request = JoinRequest {
            ticket: issued.ticket,
            petname: None,
            allow: Vec::new(),
        };
        let joining = self.client(joiner)?.join(&request);
        self.ask(joiner, joining).await?;
        Ok(())
    }

    async fn apply(&self, role: &Role, places: &Places) -> Result<(), Failure> {
        if role.loops.is_empty() {
            return Ok(());
        }
        let folder = self.folder.path();
        let file = |definition: &Definition| SourceFile {
            name: folder.join(definition.file).to_string_lossy().into_owned(),
            text: (definition.text)(places),
            referred: false,
        };
        let request = ApplyRequest {
            files: role.loops.iter().map(file).collect(),
            dry_run: false,
            ..ApplyRequest::default()
        };
        let applying = self.client(role.name)?.apply(&request);
        self.ask(role.name, applying).await?;
        Ok(())
    }

    /// Waits until one realm can reach another.
    async fn introduce(&self, caller: &str, callee: &str) -> Result<(), Failure> {
        let client = self.client(caller)?;
        let reached = async {
            let mut looks = interval(LOOK);
            loop {
                looks.tick().await;
                if client.ping(callee).await.is_ok() {
                    return;
                }
            }
        };
        if timeout(PATIENCE, reached).await.is_ok() {
            return Ok(());
        }
        // Once more, for the reason.
        self.ask(caller, client.ping(callee)).await.map(|_| ())
    }
}

fn home(folder: &Folder, name: &str) -> PathBuf {
    folder.path().join(name.replace('/', "-"))
}

/// Makes every home.
async fn found(progress: &Progress<'_>, folder: &Folder) -> Result<(), Failure> {
    let mut processes = Vec::new();
    for (role, port) in ROLES.iter().zip(free_ports(ROLES.len())?) {
        processes.push(Process::init(role.name, &home(folder, role.name), port)?);
    }
    for process in &mut processes {
        let ended = process.ended().await;
        told(progress, process, ended)?;
    }
    Ok(())
}

/// Starts every daemon.
async fn start(
    progress: &Progress<'_>,
    folder: &Folder,
) -> Result<BTreeMap<&'static str, Member>, Failure> {
    let mut processes = Vec::new();
    for role in ROLES {
        let home = home(folder, role.name);
        processes.push((role.name, Process::run(role.name, &home)?, home));
    }
    let mut members = BTreeMap::new();
    for (name, mut process, home) in processes {
        let ready = process.ready().await;
        told(progress, &process, ready)?;
        let client = connect(&home).await?;
        members.insert(name, Member { process, client });
    }
    Ok(members)
}

async fn connect(home: &Path) -> Result<Client, Failure> {
    let connected = Client::connect(homes::socket(home)).await;
    connected.map_err(|error| Failure::Client(error, format!("--home {}", home.display())))
}

/// Shows the end of a process's log if it failed.
fn told(
    progress: &Progress<'_>,
    process: &Process,
    done: Result<(), Failure>,
) -> Result<(), Failure> {
    if done.is_err() {
        progress.say(&process.last_words());
    }
    done
}

/// Ports of loopback that are free now; held together so that no two are alike.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = (0..count).map(bind).collect::<Result<Vec<_>, _>>();
    let listeners = listeners.map_err(|error| Failure::System("no port is free", error))?;
    let ports = listeners
        .iter()
        .map(|listener| listener.local_addr().map(|at| at.port()));
    let ports = ports.collect::<Result<Vec<_>, _>>();
    ports.map_err(|error| Failure::System("no port is free", error))
}
