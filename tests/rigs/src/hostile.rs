//! Peers that mean harm, at the port of a real daemon: strangers, crowds, and a realm with good
//! certificates, while an honest realm goes on calling.

mod attack;
mod deeds;
mod eve;
mod strangers;
mod strikes;
mod verdict;
mod victim;
mod wire;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use realm_client::{
    Client,
    api::{InviteKind, TicketRequest},
    ticket,
};
use realm_protocol::records::Ticket;
use rustix::process::setpriority_process;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{
    daemon::Programs,
    dice::Dice,
    network::{Network, Plan},
};
use attack::Siege;
use eve::Eve;
use strangers::Door;
use victim::{Honest, Victim};

/// Where the daemons listen, and where the hostile peer comes from: none is a loopback address,
/// since those are exempt from what one address may do. All are local to the rig's own network.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
const EVE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 66);
/// Who is attacked, and its child, which goes on calling it as fast as it is answered.
const REALMS: [Plan; 2] = [Plan::new("mercy", None), Plan::new("cardiology", Some(0))];

/// What the siege takes.
#[derive(Args, Debug)]
pub(crate) struct Hostile {
    /// Connections of the crowd.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Honest calls during each attack, at least; half as many before it.
    #[arg(long, default_value_t = 1_000)]
    calls: usize,
    /// The same seed draws the same keys and addresses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only attacks whose names hold this.
    #[arg(long, default_value = "")]
    only: String,
    /// The daemon.
    #[arg(long)]
    realmd: PathBuf,
    /// Leave homes and logs where they are.
    #[arg(long)]
    keep: bool,
}

/// Runs it; gives whether the daemon stood it.
pub(crate) async fn hostile(args: Hostile) -> anyhow::Result<bool> {
    let dir = TempDir::with_prefix("realm-hostile-")?;
    let attackers = attackers()?;
    let outcome = siege(&args, &dir, &attackers).await;
    attackers.shutdown_background();
    if args.keep || !matches!(outcome, Ok(true)) {
        eprintln!("homes and logs: {}", dir.keep().display());
    }
    outcome
}

/// Threads of their own at the lowest priority: elsewhere the attackers' work would not slow the
/// machine they attack.
fn attackers() -> anyhow::Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(|| {
            // Without it the attack is only costlier than it needs to be.
            setpriority_process(None, 19).ok();
        })
        .enable_all()
        .build();
    Ok(runtime?)
}

async fn siege(args: &Hostile, dir: &TempDir, attackers: &Runtime) -> anyhow::Result<bool> {
    let programs = Programs {
        host: IpAddr::V4(HERE),
        ..Programs::new(&args.realmd, "redb")?
    };
    let scratch = dir.path().to_owned();
    let home = |label: &str| scratch.join(format!("home-{label}"));
    let network = Network::build(&programs, &scratch, &home, &REALMS, &[]).await;
    let network = network.context(
        "the daemons need addresses in 10.200.0.0/14: run scripts/hostile, which makes them",
    )?;
    let [mercy, cardiology] = network.places.as_slice() else {
        anyhow::bail!("two realms");
    };
    let status = mercy.client.status().await?;
    let to = listening(&status.listen)?;
    let mut eve = Eve::new(args.seed, EVE, to)?;
    eve.join(&invite(&mercy.client, "eve").await?).await?;
    let door = Door {
        to,
        dice: Dice::new(args.seed),
        ticket: invite(&mercy.client, "nobody").await?,
    };
    let victim = Victim {
        pid: status.pid,
        socket: mercy
            .client
            .socket()
            .map(Path::to_owned)
            .unwrap_or_default(),
    };
    let honest = Honest {
        client: cardiology.client.clone(),
        address: format!("echo@{}", mercy.name),
    };
    let mut siege = Siege::new(victim, honest, attackers.handle().clone(), args.calls);
    siege.only = args.only.clone();
    siege.all(Arc::new(door), eve, args.connections).await?;
    let mut network = network;
    let first = network.daemons.first_mut().context("the victim")?;
    siege.replay_over_restart(first).await?;
    for daemon in &mut network.daemons {
        daemon.stop().await?;
        anyhow::ensure!(daemon.damage().await?.is_none(), "a store is damaged");
    }
    Ok(siege.verdict())
}

/// The TCP address of a daemon.
fn listening(addresses: &[String]) -> anyhow::Result<SocketAddrV4> {
    let port = addresses.iter().find_map(|address| {
        let (_, port) = address.split_once("/tcp/")?;
        port.parse().ok()
    });
    Ok(SocketAddrV4::new(HERE, port.context("a TCP port")?))
}

async fn invite(inviter: &Client, label: &str) -> anyhow::Result<Ticket> {
    let request = TicketRequest {
        kind: InviteKind::Peer,
        label: Some(label.to_owned()),
        allow: vec!["echo".to_owned()],
        uses: None,
        ttl_ms: None,
        petname: None,
    };
    Ok(ticket::decode(&inviter.invite(&request).await?.ticket)?)
}
