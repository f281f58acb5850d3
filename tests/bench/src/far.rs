//! Two hosts 40 ms apart: callers on one, their root and the callee on the other.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use realm_client::ticket;

use crate::{
    delay::Delayed,
    load::{Call as _, Times},
    realms::{Caller, Daemon, Ground, LoopCall},
};

/// How long a byte takes, each way.
pub(crate) const EACH_WAY: Duration = Duration::from_millis(20);
/// Fresh callers, each of which makes one first call.
const CALLERS: usize = 9;

/// The realms of both hosts.
#[derive(Debug)]
pub(crate) struct Far {
    callers: Vec<Caller>,
    daemons: [Daemon; 2],
}

impl Far {
    /// Sets them up; only the callers go over the slow link.
    pub(crate) async fn new(ground: &Ground) -> Result<Self> {
        let link = Delayed::new(EACH_WAY)?;
        let root = ground.daemon("root", "").await?;
        let callee = ground.daemon("callee", "").await?;
        callee.join(root.invite("callee").await?).await?;
        callee.allow("root").await?;
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            let name = format!("caller-{number}");
            let mut ticket = ticket::decode(&root.invite(&name).await?)?;
            let address = ticket
                .addresses
                .first()
                .context("a ticket without addresses")?;
            link.lead_to(socket(address)?);
            ticket.addresses = vec![format!("/ip4/127.0.0.1/tcp/{}", link.port())];
            let caller = ground.caller(&name).await?;
            caller.join(&ticket::encode(&ticket)).await?;
            callers.push(caller);
        }
        Ok(Self {
            callers,
            daemons: [root, callee],
        })
    }

    /// Each caller's first call.
    pub(crate) async fn first_calls(&self) -> Result<Times> {
        let started = Instant::now();
        let mut times = Vec::new();
        for caller in &self.callers {
            let call = caller.to("echo@root/callee")?;
            let at = Instant::now();
            call.call().await?;
            let took = at.elapsed();
            ensure!(
                took >= 2 * EACH_WAY,
                "a call went around the slow link: {took:?}"
            );
            times.push(u64::try_from(took.as_nanos())?);
        }
        Ok(Times::new(times, started.elapsed()))
    }

    /// Later calls, of the first caller.
    pub(crate) fn calls(&self) -> Result<LoopCall> {
        let caller = self.callers.first().context("no caller")?;
        caller.to("echo@root/callee")
    }

    /// Process ids of the daemons.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.daemons.iter().map(Daemon::pid).collect()
    }
}

/// The socket that `/ip4/…/tcp/…` names.
fn socket(address: &str) -> Result<SocketAddr> {
    let parts: Vec<&str> = address.split('/').collect();
    match parts.as_slice() {
        ["", "ip4", ip, "tcp", port, ..] => {
            Ok(SocketAddr::new(ip.parse::<IpAddr>()?, port.parse()?))
        }
        _ => anyhow::bail!("{address} is not TCP over IPv4"),
    }
}
