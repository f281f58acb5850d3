//! Agents that attach by themselves, and are not there.

use std::collections::BTreeMap;

use realm_client::api::{Check, Finding};
use realm_node::Node;
use realm_protocol::LoopId;

use super::{bad, ok};
use crate::{daemon::Daemon, handle::Gone};

/// One for each agent that loops name.
pub(super) async fn checks(daemon: &Daemon) -> Result<Vec<Check>, Gone> {
    let look = |node: &Node| {
        let mut agents: BTreeMap<LoopId, Vec<LoopId>> = BTreeMap::new();
        for known in node.registry().iter() {
            if let Some(agent) = known.manifest.agent() {
                let loops = agents.entry(agent.clone()).or_default();
                loops.push(known.manifest.id.clone());
            }
        }
        agents
    };
    let agents = daemon.handle.read(look).await?;
    let attached = daemon.backends.attached();
    let check = |(agent, mut loops): (LoopId, Vec<LoopId>)| {
        let (code, title) = ("backends.agent", format!("agent {agent}"));
        loops.retain(|id| attached.instances(&agent, id) == 0);
        if loops.is_empty() {
            return ok(code, &title, "attached");
        }
        let names: Vec<&str> = loops.iter().map(LoopId::as_str).collect();
        let evidence = format!("not attached: calls of {} wait for it", names.join(", "));
        bad(
            Finding::Warn,
            code,
            &title,
            evidence,
            "start its program; realmctl agent ls",
        )
    };
    Ok(agents.into_iter().map(check).collect())
}
