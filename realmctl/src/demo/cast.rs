//! The realms of the story, alive: homes, processes, joins, peering, loops.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use realm_client::{
    Client, ClientError,
    api::{ApplyRequest, InviteKind, JoinRequest, SourceFile, TicketRequest},
    homes,
};

use super::{
    process::Process,
    story::{ROLES, Role},
};
use crate::{failure::Failure, session::Session};

/// One realm, alive.
#[derive(Debug)]
struct Member {
    home: PathBuf,
    process: Process,
    client: Client,
}

/// Everybody, by name.
#[derive(Debug)]
pub(super) struct Cast {
    folder: Folder,
    members: BTreeMap<&'static str, Member>,
    /// What the last denial suggests, and who may do it.
    pub(super) denied: Option<(String, String)>,
}

impl Cast {
    /// Starts everybody, and binds them together.
    pub(super) async fn gather(session: &Session, keep: bool) -> Result<Self, Failure> {
        let folder = Folder::make(keep)?;
        let mut members = BTreeMap::new();
        for (role, port) in ROLES.iter().zip(free_ports(ROLES.len())?) {
            session.say(&format!("starting {}", role.name));
            members.insert(role.name, start(&folder.path, role, port, keep).await?);
        }
        let cast = Self {
            folder,
            members,
            denied: None,
        };
        for role in ROLES {
            if let Some((parent, label)) = role.name.rsplit_once('/') {
                cast.bind(parent, role.name, InviteKind::Child, label)
                    .await?;
            }
        }
        session.say("peering mercy and lab");
        cast.bind("lab", "mercy", InviteKind::Peer, "lab").await?;
        for role in ROLES {
            cast.apply(role).await?;
        }
        Ok(cast)
    }

    /// The client of a realm.
    pub(super) fn client(&self, name: &str) -> Result<&Client, Failure> {
        let member = self.members.get(name);
        member
            .map(|member| &member.client)
            .ok_or_else(|| absent(name))
    }

    /// Waits for a realm's answer.
    pub(super) async fn ask<T>(
        name: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        answer
            .await
            .map_err(|error| Failure::Client(error, name.to_owned()))
    }

    /// Takes a realm down.
    pub(super) async fn stop(&mut self, name: &str) -> Result<(), Failure> {
        let member = self.members.remove(name).ok_or_else(|| absent(name))?;
        member.process.stop().await
    }

    /// The homes of those alive.
    pub(super) fn homes(&self) -> impl Iterator<Item = &Path> {
        self.members.values().map(|member| member.home.as_path())
    }

    /// Ends everybody, unless they are to be kept.
    pub(super) async fn dismiss(self) -> Result<(), Failure> {
        if !self.folder.keep {
            for member in self.members.into_values().rev() {
                member.process.stop().await?;
            }
        }
        Ok(())
    }

    async fn bind(
        &self,
        inviter: &str,
        joiner: &str,
        kind: InviteKind,
        label: &str,
    ) -> Result<(), Failure> {
        let request = TicketRequest {
            kind,
            label: Some(label.to_owned()),
            allow: Vec::new(),
            uses: Some(1),
            ttl_ms: None,
            petname: None,
        };
        let issued = Self::ask(inviter, self.client(inviter)?.invite(&request)).await?;
        let request = JoinRequest {
            ticket: issued.ticket,
            petname: None,
            allow: Vec::new(),
        };
        Self::ask(joiner, self.client(joiner)?.join(&request)).await?;
        Ok(())
    }

    async fn apply(&self, role: &Role) -> Result<(), Failure> {
        if role.loops.is_empty() {
            return Ok(());
        }
        let file = |(name, text): &(&str, &str)| SourceFile {
            name: self.folder.path.join(name).to_string_lossy().into_owned(),
            text: (*text).to_owned(),
            referred: false,
        };
        let files = role.loops.iter().map(file).collect();
        let request = ApplyRequest {
            files,
            dry_run: false,
        };
        Self::ask(role.name, self.client(role.name)?.apply(&request)).await?;
        Ok(())
    }
}

async fn start(folder: &Path, role: &Role, port: u16, keep: bool) -> Result<Member, Failure> {
    let file = role.name.replace('/', "-");
    let home = folder.join(&file);
    let label = role.name.rsplit('/').next().unwrap_or(role.name);
    Process::init(label, &home, &format!("/ip4/127.0.0.1/tcp/{port}")).await?;
    let log = folder.join(format!("{file}.log"));
    let process = Process::start(&home, &log, keep).await?;
    let client = Cast::ask(role.name, Client::connect(homes::socket(&home))).await?;
    Ok(Member {
        home,
        process,
        client,
    })
}

fn absent(name: &str) -> Failure {
    Failure::Usage(format!("{name} has no part in the story"), None)
}

/// Ports that are free now; held together so that no two are alike.
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

/// The folder of one show; gone afterwards unless kept.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: bool) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("realm-demo-{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::File(path.clone(), error))?;
        Ok(Self { path, keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What is left behind lies in the system's temporary folder.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}
