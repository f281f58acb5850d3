//! Realms of the LoopStacks Platform: what their limits restrict.

use realm_protocol::limits;

use super::{
    document::{Reader, Rule},
    mesh::has_items,
    mesh_policies::YEARS_MS,
    node::Node,
    object::Object,
    platform::at,
};
use crate::{Extent, Limit, Origin, Restricted, Restriction, Restrictions};

/// A realm of the Platform's, as far as it restricts one of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct PlatformRealm {
    /// Its name there, which the realm has here too: all of it, or its last label.
    pub name: String,
    /// What it restricts.
    pub restrictions: Restrictions,
    /// Where it was written.
    pub origin: Origin,
}

impl Reader<'_> {
    pub(super) fn platform_realm(&mut self, document: &Node) -> Option<PlatformRealm> {
        const NAME: Rule = at!("realm.metadata.name");
        const SPEC: Rule = at!("realm.spec");
        let mut whole = Object::of(self, document, at!("realm"))?;
        let about = whole.need(self, "metadata", at!("realm.metadata"));
        let name = about.and_then(|node| {
            let node = Object::of(self, node, at!("realm.metadata"))?.need(self, "name", NAME)?;
            self.restriction_name(node, NAME)
        });
        let spec = whole.need(self, "spec", SPEC)?;
        let mut spec = Object::of(self, spec, SPEC)?;
        spec.need_text(self, "description", at!("realm.description"));
        let mut what = self.realm_resources(&mut spec).unwrap_or_default();
        let extent = self.realm_extent(&mut spec);
        what.extend(
            extent
                .flatten()
                .map(|extent| ("calls", Restricted::Within(extent))),
        );
        what.extend(self.realm_governance(&mut spec).unwrap_or_default());
        let (name, origin) = (name?, self.origin(document.at));
        extent?;
        let all = what.into_iter().map(|(name, what)| Restriction {
            name: name.to_owned(),
            what,
            below: false,
            spared: Vec::new(),
            origin: origin.clone(),
        });
        let restrictions = Restrictions {
            document: format!("realm.{name}"),
            all: all.collect(),
        };
        Some(PlatformRealm {
            name,
            restrictions,
            origin,
        })
    }

    fn realm_resources(
        &mut self,
        spec: &mut Object<'_>,
    ) -> Option<Vec<(&'static str, Restricted)>> {
        const RULE: Rule = at!("realm.resources");
        const AGENTS: Rule = at!("realm.resources.maxAgentInstances");
        const LOOPS: Rule = at!("realm.resources.maxConcurrentLoops");
        const MAX_AGENTS: u64 = 100;
        const MAX_LOOPS: u64 = 1_000;
        let resources = spec.get("resources");
        let mut resources = resources.and_then(|node| Object::of(self, node, RULE));
        let mut limit = |key, rule, most, default| {
            let node = resources.as_mut().and_then(|resources| resources.get(key));
            node.map_or(Some(default), |node| self.count(node, rule, most))
        };
        let agents = limit(
            "maxAgentInstances",
            AGENTS,
            limits::ATTACHED as u64,
            MAX_AGENTS,
        );
        let loops = limit("maxConcurrentLoops", LOOPS, limits::CALLS as u64, MAX_LOOPS);
        for member in resources.iter().flat_map(Object::rest) {
            let what = format!("`{}` is no limit that is held to here", member.key);
            let problem = self.new_problem(member.at, RULE, what);
            self.report(problem.hint("leave it out; containers of loops have limits of their own"));
        }
        Some(vec![
            ("agents", Restricted::Limit(Limit::Agents, agents?)),
            ("runs", Restricted::Limit(Limit::Runs, loops?)),
        ])
    }

    /// How far calls go: not out of the realm unless it is said, and then as far as it is isolated.
    fn realm_extent(&mut self, spec: &mut Object<'_>) -> Option<Option<Extent>> {
        const NETWORKING: Rule = at!("realm.networking");
        const CROSS: Rule = at!("realm.networking.allowCrossRealmCommunication");
        const ENDPOINTS: Rule = at!("realm.networking.federationEndpoints");
        let isolations = [
            ("namespace", Some(Extent::Subtree)),
            ("cluster", Some(Extent::Tree)),
            ("federated", None),
        ];
        let isolation = spec.get("isolation");
        let isolated = isolation.map_or(Some(Some(Extent::Subtree)), |node| {
            self.named(node, at!("realm.isolation"), "isolation", &isolations)
        });
        let networking = spec.get("networking");
        let Some(mut networking) = networking.and_then(|node| Object::of(self, node, NETWORKING))
        else {
            return Some(Some(Extent::Alone));
        };
        let crosses = networking.get("allowCrossRealmCommunication");
        let crosses = crosses.map_or(Some(false), |node| self.flag(node, CROSS));
        if let Some(node) = networking
            .get("federationEndpoints")
            .filter(|node| has_items(node))
        {
            let what = "other organisations are met by tickets, and not by their addresses";
            let problem = self.new_problem(node.at, ENDPOINTS, what);
            self.report(problem.hint("leave it out, and: realmctl invite --peer; realmctl join -"));
        }
        let isolated = isolated?;
        crosses.map(|crosses| match crosses {
            true => isolated,
            false => Some(Extent::Alone),
        })
    }

    fn realm_governance(
        &mut self,
        spec: &mut Object<'_>,
    ) -> Option<Vec<(&'static str, Restricted)>> {
        const RULE: Rule = at!("realm.governance");
        const APPROVAL: Rule = at!("realm.governance.agentApprovalRequired");
        const AUDITED: Rule = at!("realm.governance.loopAuditingEnabled");
        const RETENTION: Rule = at!("realm.governance.retentionPolicy");
        let governance = spec.get("governance")?;
        let mut governance = Object::of(self, governance, RULE)?;
        if let Some(node) = governance.get("loopAuditingEnabled")
            && !self.flag(node, AUDITED)?
        {
            let what = "the audit log names every run, and cannot be switched off";
            let problem = self.new_problem(node.at, AUDITED, what);
            self.report(problem.hint("write true, or leave it out"));
        }
        // An agent takes part by its owner's word alone: nobody else applies loops, or lets one attach.
        if let Some(node) = governance.get("agentApprovalRequired") {
            self.flag(node, APPROVAL)?;
        }
        let retention = governance.get("retentionPolicy");
        let Some(mut retention) = retention.and_then(|node| Object::of(self, node, RETENTION))
        else {
            return Some(Vec::new());
        };
        let history = retention.get("loopHistory");
        let history = match history {
            Some(node) => Some(self.duration(node, RETENTION, YEARS_MS)?),
            None => None,
        };
        if let Some(node) = retention.get("agentLogs") {
            let logs = self.duration(node, RETENTION, YEARS_MS)?;
            if history != Some(logs) {
                let what = "what agents log is part of their runs, and is kept as long as those";
                let problem = self.new_problem(node.at, RETENTION, what);
                self.report(problem.hint("write the time of `loopHistory`, or leave it out"));
            }
        }
        let kept = history.map(|kept| ("kept", Restricted::Limit(Limit::Kept, kept)));
        Some(kept.into_iter().collect())
    }
}
