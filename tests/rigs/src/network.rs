//! Several real daemons in trees and peerings, with loops of every kind of effect.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use realm_client::{
    Client,
    api::{AllowRequest, ApplyRequest, InviteKind, JoinRequest, SourceFile, TicketRequest},
};
use serde_json::json;

use crate::daemon::{Daemon, Programs};

/// Loops that anybody in the network may call: without effects, and with each kind of them.
pub(crate) const LOOPS: [&str; 4] = ["echo", "idempotent", "once", "none"];

/// A realm to be made: its label, and its parent by position; a root has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The realm's own label.
    pub(crate) label: &'static str,
    /// Position of the parent, which stands earlier.
    pub(crate) parent: Option<usize>,
}

impl Plan {
    /// A realm under the one at `parent`, or a root.
    pub(crate) const fn new(label: &'static str, parent: Option<usize>) -> Self {
        Self { label, parent }
    }
}

/// Where a realm is called, and from.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its address for everybody in the network.
    pub(crate) name: String,
    /// Its local API.
    pub(crate) client: Client,
}

/// Running realms, and who is next to whom.
#[derive(Debug)]
pub(crate) struct Network {
    /// The daemons, in the order of the plan.
    pub(crate) daemons: Vec<Daemon>,
    /// The same realms as callers see them.
    pub(crate) places: Arc<Vec<Place>>,
    /// Pairs that hold a link.
    pub(crate) links: Vec<(usize, usize)>,
}

impl Network {
    /// Makes the realms, joins children to parents and roots to each other, and registers loops.
    /// Homes lie where `home` says by label, everything else in `scratch`.
    pub(crate) async fn build(
        programs: &Programs,
        scratch: &Path,
        home: &dyn Fn(&str) -> PathBuf,
        plans: &[Plan],
        peerings: &[(usize, usize)],
    ) -> anyhow::Result<Self> {
        let mut daemons: Vec<Daemon> = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        let mut links = Vec::new();
        for (at, plan) in plans.iter().enumerate() {
            let mut daemon = Daemon::init(programs, plan.label, &home(plan.label), scratch).await?;
            daemon.start().await?;
            let client = daemon.client().await?;
            let mut name = plan.label.to_owned();
            if let Some(parent) = plan.parent {
                let above = places.get(parent).context("a parent stands earlier")?;
                name = format!("{}/{name}", above.name);
                join(&above.client, &client, InviteKind::Child, plan.label).await?;
                links.push((parent, at));
            }
            client.apply(&loops(programs, scratch)).await?;
            daemons.push(daemon);
            places.push(Place { name, client });
        }
        for &(one, other) in peerings {
            let pair = places.get(one).zip(places.get(other));
            let pair = pair.context("a peering of two in the plan")?;
            let (inviter, joiner) = pair;
            join(
                &inviter.client,
                &joiner.client,
                InviteKind::Peer,
                &joiner.name,
            )
            .await?;
            links.push((one, other));
            for (root, guest) in [pair, (pair.1, pair.0)] {
                open_tree(&places, &root.name, &guest.name).await?;
            }
        }
        Ok(Self {
            daemons,
            places: Arc::new(places),
            links,
        })
    }

    /// Realms that hold a link with this one.
    pub(crate) fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> {
        self.links.iter().filter_map(move |&(one, other)| match at {
            at if at == one => Some(other),
            at if at == other => Some(one),
            _ => None,
        })
    }
}

async fn join(
    inviter: &Client,
    joiner: &Client,
    kind: InviteKind,
    label: &str,
) -> anyhow::Result<()> {
    let allow: Vec<String> = match kind {
        // Within a tree everything is allowed as it is.
        InviteKind::Child => Vec::new(),
        InviteKind::Peer => LOOPS.map(str::to_owned).to_vec(),
    };
    let request = TicketRequest {
        kind,
        label: Some(label.to_owned()),
        allow: allow.clone(),
        uses: None,
        ttl_ms: None,
        petname: None,
    };
    let issued = inviter.invite(&request).await?;
    let request = JoinRequest {
        ticket: issued.ticket,
        petname: None,
        allow,
    };
    joiner.join(&request).await?;
    Ok(())
}

/// Lets a peer call a root's children: the root relays, and each of them permits for itself.
async fn open_tree(places: &[Place], root: &str, guest: &str) -> anyhow::Result<()> {
    let allow = |action: &str, loop_id: &str| AllowRequest {
        caller: guest.to_owned(),
        action: action.to_owned(),
        loop_id: loop_id.to_owned(),
        for_ms: None,
        dry_run: false,
    };
    for place in places {
        match place.name.strip_prefix(root) {
            Some("") => {
                place.client.allow(&allow("relay", "*")).await?;
            }
            Some(path) if path.starts_with('/') => {
                for id in LOOPS {
                    place.client.allow(&allow("invoke", id)).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file in which agents write down their effects; it lies outside of every home.
pub(crate) fn effects(scratch: &Path) -> PathBuf {
    scratch.join("effects")
}

/// One loop for each kind of effect, all run by this program as a child process.
pub(crate) fn loops(programs: &Programs, scratch: &Path) -> ApplyRequest {
    let argv = json!([programs.rig, "agent", effects(scratch)]);
    let file = |id: &str| SourceFile {
        name: scratch.join(format!("{id}.yaml")).display().to_string(),
        text: format!(
            "id: {id}\nversion: 1.0.0\nkind: tool\ninputSchema: {{type: object}}\n\
             outputSchema: {{type: object}}\neffects: {id}\n\
             tool: {{implementation: process, config: {{argv: {argv}}}}}\n\
             limits: {{timeout: 20s, concurrency: 32}}\n"
        ),
        referred: false,
    };
    ApplyRequest {
        files: ["idempotent", "once", "none"].map(file).to_vec(),
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        why: None,
    }
}
