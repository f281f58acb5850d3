//! Loops that hand their work on by priority and weight.

use realm_protocol::{LoopAddress, LoopId, RealmName, limits};

use super::{
    document::{Reader, Rule, rule},
    node::Node,
    object::{self, Object},
};
use crate::{Body, Broadcast, Call, LoopLimits, Manifest, Pattern, Route, Target};

/// What the loop that announces a route's work is called below it.
const ANNOUNCED: &str = "announced";

impl Reader<'_> {
    /// Reads a route; how it announces its work, and which target does, waits until its name is known.
    pub(super) fn route(&mut self, object: &mut Object<'_>) -> Option<Route> {
        const RULE: Rule = rule!("route.targets");
        let node = object.need(self, "route", rule!("route"))?;
        let mut object = Object::of(self, node, rule!("route"))?;
        let pattern = object.get("pattern");
        let pattern: Option<Pattern> =
            pattern.and_then(|node| self.parsed(node, rule!("route.pattern")));
        let targets = object.need(self, "targets", RULE);
        object.finish(self);
        let targets = targets?;
        let items = self.items(targets, RULE)?;
        if items.is_empty() || items.len() > limits::ROUTE_TARGETS {
            let what = format!("a route has 1 to {} targets", limits::ROUTE_TARGETS);
            self.problem(targets.at, RULE, what);
        }
        let mut announced: Option<(usize, Broadcast)> = None;
        let mut read = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some((target, broadcast)) = self.target(item) else {
                continue;
            };
            if broadcast.is_some() && announced.is_some() {
                self.problem(item.at, RULE, "one target of a route announces its work");
            }
            announced = announced.or(broadcast.map(|broadcast| (index, broadcast)));
            read.push(target);
        }
        let whole = read.len() == items.len();
        self.announced = announced;
        whole.then_some(Route {
            pattern,
            targets: read,
        })
    }

    fn target(&mut self, node: &Node) -> Option<(Target, Option<Broadcast>)> {
        const RULE: Rule = rule!("route.targets");
        let mut object = Object::of(self, node, RULE)?;
        let realm = object.get("realm");
        let realm: Option<RealmName> =
            realm.and_then(|node| self.parsed(node, rule!("route.targets.realm")));
        let named = object.get("loop");
        let named: Option<LoopId> =
            named.and_then(|node| self.parsed(node, rule!("route.targets.loop")));
        let announces = object.get("broadcast").is_some();
        let broadcast = announces.then(|| self.broadcast(&mut object));
        let version = object.get("version");
        let version =
            version.and_then(|node| self.requirement(node, rule!("route.targets.version")));
        let most = limits::ROUTE_WEIGHT;
        let mut number = |key, rule| {
            let node = object.get(key)?;
            self.whole(node, rule, most)
        };
        let priority = number("priority", rule!("route.targets.priority"));
        let weight = number("weight", rule!("route.targets.weight"));
        let timeout = self.span(&mut object, "timeout", rule!("route.targets.timeout"));
        let place = object.at;
        object.finish(self);
        if announces == (realm.is_some() || named.is_some()) {
            let what = "a target is a `realm`, with a `loop` if it is called otherwise there, or a \
                        `loop` of this realm, or a `broadcast`";
            self.problem(place, RULE, what);
            return None;
        }
        let broadcast = match broadcast {
            Some(broadcast) => Some(broadcast?),
            None => None,
        };
        let keeps_name = named.is_none() && !announces;
        let lasts = broadcast.as_ref().map(Broadcast::lasts_ms);
        let call = Call {
            loop_id: LoopAddress {
                loop_id: named.or_else(|| ANNOUNCED.parse().ok())?,
                realm,
            },
            loop_version: version,
            digest: None,
            input_mapping: None,
            for_each: None,
            retry: None,
            timeout_ms: timeout.or(lasts),
            fallback: None,
            budget: realm_protocol::budget::Budget::default(),
            approval: None,
            origin: self.origin(place),
        };
        let target = Target {
            call,
            keeps_name,
            priority: priority.unwrap_or(0),
            weight: weight.unwrap_or(Target::WEIGHT),
        };
        Some((target, broadcast))
    }

    /// A version, or a requirement of one.
    pub(super) fn requirement(&mut self, node: &Node, rule: Rule) -> Option<String> {
        let text = object::text(self, node, rule)?;
        if semver::VersionReq::parse(text).is_err() {
            let what = format!("`{text}` is neither a version nor a requirement such as ^1.2");
            self.problem(node.at, rule, what);
        }
        Some(text.to_owned())
    }

    /// Gives the targets of a route the names that go with its own, and the loop that announces its
    /// work if one does.
    pub(super) fn name_targets(
        &mut self,
        manifest: &mut Manifest,
        announced: Option<(usize, Broadcast)>,
    ) -> Option<Manifest> {
        let Body::Route(route) = &mut manifest.body else {
            return None;
        };
        let id = manifest.id.clone();
        for target in route.targets.iter_mut().filter(|target| target.keeps_name) {
            target.call.loop_id.loop_id = id.clone();
        }
        let (index, mut broadcast) = announced?;
        let made: LoopId = format!("{id}/{ANNOUNCED}").parse().ok()?;
        route.targets.get_mut(index)?.call.loop_id.loop_id = made.clone();
        if broadcast.capabilities.is_empty() {
            broadcast.loop_id.get_or_insert(id);
        }
        let body = Body::Broadcast(Box::new(broadcast));
        Some(Manifest {
            id: made,
            aliases: Vec::new(),
            capabilities: Default::default(),
            limits: LoopLimits::of(&body),
            retry: None,
            approval: None,
            asks: None,
            body,
            bid: None,
            budget: realm_protocol::budget::Budget::default(),
            state: None,
            needs: Vec::new(),
            ..manifest.clone()
        })
    }
}
