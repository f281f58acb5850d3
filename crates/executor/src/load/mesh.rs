//! InterRealm's mesh configurations: the routes, bridges and policies of each realm in them.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopAddress, LoopId, RealmName, limits};
use serde_json::{Map, Value, json};

use super::{
    Problem,
    document::{Reader, Rule},
    mesh_policies::Held,
    node::{Data, Node, Place},
    object::{self, Object},
    platform::at,
};
use crate::{Body, Call, LoopLimits, Manifest, Pattern, Restrictions, Route, Target};

/// What one file says of the realms of a mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// The realms in it, each with the routes that it has: loops of that realm and no other's.
    pub realms: BTreeMap<RealmName, Vec<Manifest>>,
    /// What its policies restrict in each.
    pub restrictions: BTreeMap<RealmName, Restrictions>,
    /// What of it will not do what it seems to.
    pub warnings: Vec<Problem>,
    /// Where it was written.
    pub origin: crate::Origin,
}

/// The realms of a mesh, by their ids.
pub(super) type Names = BTreeMap<String, RealmName>;

/// A realm of the tree.
struct Known<'n> {
    name: RealmName,
    above: Option<RealmName>,
    node: &'n Node,
}

/// One realm's routes, by what they route.
#[derive(Default)]
struct Routed {
    targets: Vec<Target>,
    pattern: Option<Pattern>,
    aliases: BTreeSet<LoopId>,
    at: Option<Place>,
}

impl Reader<'_> {
    /// A mesh configuration: of its realms' routes and bridges loops are made.
    pub(super) fn mesh(&mut self, document: &Node) -> Option<Mesh> {
        let mut whole = Object::of(self, document, at!("mesh"))?;
        let about = whole.need(self, "metadata", at!("mesh.metadata"));
        let about = about.and_then(|node| Object::of(self, node, at!("mesh.metadata")));
        let mut mesh_id = None;
        let version = about.and_then(|mut about| {
            mesh_id = about.need(self, "meshId", at!("mesh.metadata.meshId"));
            let node = about.need(self, "version", at!("mesh.metadata.version"))?;
            let text = object::text(self, node, at!("mesh.metadata.version"))?;
            self.semver(node.at, text)
        });
        let spec = whole.need(self, "spec", at!("mesh.spec"))?;
        let mut spec = Object::of(self, spec, at!("mesh.spec"))?;
        let mut warnings = Vec::new();
        let mut known = Vec::new();
        let mut names = Names::new();
        if let Some(node) = spec.get("realms") {
            self.realms(node, None, &mut known, &mut names);
        }
        let policies = spec.get("policies");
        let restrictions =
            mesh_id.map(|id| self.restricted(id, policies, (&known, &names), &mut warnings));
        let version = version?;
        let mut realms = BTreeMap::new();
        for Known { name, node, .. } in known {
            let mut routed: BTreeMap<LoopId, Routed> = BTreeMap::new();
            for item in list(node, "routes") {
                self.mesh_route(item, (&name, &names), &mut routed, &mut warnings);
            }
            for item in list(node, "bridges") {
                self.bridge(item, &mut routed, &mut warnings);
            }
            let made = routed
                .into_iter()
                .filter(|(_, routed)| !routed.targets.is_empty());
            let made = made.map(|(id, routed)| self.mesh_loop(id, &version, routed));
            realms.insert(name, made.collect());
        }
        Some(Mesh {
            realms,
            restrictions: restrictions.unwrap_or_default(),
            warnings,
            origin: self.origin(document.at),
        })
    }

    /// What the policies of the mesh restrict in each realm; nothing where there are none and the mesh could
    /// not have any.
    fn restricted(
        &mut self,
        mesh_id: &Node,
        policies: Option<&Node>,
        (known, names): (&[Known<'_>], &Names),
        warnings: &mut Vec<Problem>,
    ) -> BTreeMap<RealmName, Restrictions> {
        const ID: Rule = at!("mesh.metadata.meshId");
        let named = match policies.filter(|node| has_items(node)) {
            Some(_) => self.restriction_name(mesh_id, ID),
            None => object::text(self, mesh_id, ID).map(str::to_owned),
        };
        let policies = policies.map(|node| self.mesh_policies(node, names, warnings));
        let policies = policies.unwrap_or_default();
        let mut held: Vec<(RealmName, Held)> = Vec::new();
        for Known { name, above, node } in known {
            let of_above = held.iter().find(|(known, _)| Some(known) == above.as_ref());
            let of_above = of_above.map_or_else(Held::default, |(_, held)| held.clone());
            if let Some(mut realm) = Object::of(self, node, at!("mesh.realms")) {
                let own = self.held_policies(&mut realm, &of_above, &policies);
                held.push((name.clone(), own));
            }
        }
        warnings.extend(self.idle_policies(&policies, held.iter().map(|(_, held)| held)));
        let Some(document) = named.map(|name| format!("mesh.{name}")) else {
            return BTreeMap::new();
        };
        let restricted = held.iter().map(|(name, own)| {
            let below = held.iter().filter(|(other, _)| {
                other != name && other.petname == name.petname && name.path.contains(&other.path)
            });
            let below: Vec<_> = below.cloned().collect();
            let all = self.restrictions(&document, own, &below, &policies);
            (name.clone(), all)
        });
        restricted.collect()
    }

    /// The realms of a tree, each with its name: the labels from the root down.
    fn realms<'n>(
        &mut self,
        node: &'n Node,
        above: Option<(&str, &RealmName)>,
        known: &mut Vec<Known<'n>>,
        names: &mut Names,
    ) {
        const RULE: Rule = at!("mesh.realmId");
        if known.len() > limits::CHILDREN {
            return;
        }
        for item in self.items(node, at!("mesh.realms")).unwrap_or_default() {
            let Some(mut object) = Object::of(self, item, at!("mesh.realms")) else {
                continue;
            };
            let Some(id) = object.need(self, "realmId", RULE) else {
                continue;
            };
            let Some(text) = object::text(self, id, RULE) else {
                continue;
            };
            // An id may repeat those above it: `finance/reporting` below `finance`.
            let label = text.rsplit('/').next().unwrap_or(text);
            let name = match above {
                Some((_, above)) => format!("{above}/{label}"),
                None => label.to_owned(),
            };
            let name = match name.parse::<RealmName>() {
                Ok(name) => name,
                Err(error) => {
                    self.problem(id.at, RULE, error.to_string());
                    continue;
                }
            };
            if names.insert(text.to_owned(), name.clone()).is_some() {
                self.problem(id.at, RULE, format!("`{text}` is the id of another realm"));
            }
            known.push(Known {
                name: name.clone(),
                above: above.map(|(_, above)| above.clone()),
                node: item,
            });
            if let Some(children) = object.get("children") {
                self.realms(children, Some((text, &name)), known, names);
            }
        }
    }

    fn mesh_route(
        &mut self,
        node: &Node,
        (own, names): (&RealmName, &Names),
        routed: &mut BTreeMap<LoopId, Routed>,
        warnings: &mut Vec<Problem>,
    ) -> Option<()> {
        const RULE: Rule = at!("mesh.routes");
        let mut object = Object::of(self, node, RULE)?;
        let capability = object.need(self, "capability", at!("mesh.routes.capability"))?;
        let text = object::text(self, capability, at!("mesh.routes.capability"))?;
        let operation = object.text(self, "operation", at!("mesh.routes.operation"));
        let id = match operation {
            Some(operation) => format!("{text}/{operation}"),
            None => text.to_owned(),
        };
        let id: LoopId = match id.parse() {
            Ok(id) => id,
            Err(error) => {
                self.problem(
                    capability.at,
                    at!("mesh.routes.capability"),
                    error.to_string(),
                );
                return None;
            }
        };
        let priority = object.get("priority");
        let priority = priority
            .and_then(|node| self.whole(node, at!("mesh.routes.priority"), limits::ROUTE_WEIGHT));
        let weight = object.get("weight");
        let weight = weight
            .and_then(|node| self.whole(node, at!("mesh.routes.weight"), limits::ROUTE_WEIGHT));
        let active = object.get("active").and_then(|node| self.truth(node, RULE));
        if active == Some(false) {
            return None;
        }
        let mut warn = |at: Place, what: String, hint: &str| {
            let problem = self.new_problem(at, RULE, what);
            warnings.push(problem.hint(hint));
        };
        if let Some(node) = object.get("targetMemberId") {
            let what = "a target is a realm here; the member is left out".to_owned();
            warn(node.at, what, "a realm says by itself who does its work");
        }
        let target = object.get("targetRealmId");
        let text = target.and_then(Node::text).unwrap_or_default();
        let target_at = target.map_or(node.at, |node| node.at);
        let known = names.get(text);
        let realm: Option<RealmName> = known.cloned().or_else(|| text.parse().ok());
        if known.is_none() {
            let what = match target {
                Some(_) => format!("there is no realm `{text}` in this mesh"),
                None => "the route names no realm, and is left out".to_owned(),
            };
            let all: Vec<&str> = names.keys().map(String::as_str).collect();
            warn(target_at, what, &format!("realms here: {}", all.join(", ")));
        }
        let realm = realm?;
        if realm == *own {
            let what = format!("the route leads `{own}` to itself, and is left out");
            warn(target_at, what, "a realm's own loops need no route");
            return None;
        }
        let pattern = object.text(self, "routePattern", at!("mesh.routes.routePattern"));
        let entry = routed.entry(id.clone()).or_default();
        entry.at.get_or_insert(node.at);
        entry.targets.push(Target {
            priority: priority.unwrap_or(0),
            weight: weight.unwrap_or(Target::WEIGHT),
            ..self.mesh_target(node.at, id, realm, None)
        });
        let name = pattern.map(|text| text.trim_start_matches('/'))?;
        match (name.parse::<Pattern>(), name.parse::<LoopId>()) {
            (Ok(pattern), _) => match &entry.pattern {
                Some(other) if *other != pattern => {
                    let what = format!("the pattern is left out: this route has `{other}` already");
                    let problem = self.new_problem(node.at, at!("mesh.routes.routePattern"), what);
                    warnings.push(problem.hint("one route takes one pattern"));
                }
                _ => entry.pattern = Some(pattern),
            },
            (_, Ok(alias)) => drop(entry.aliases.insert(alias)),
            (Err(error), _) => {
                let what = format!("the pattern is left out: {error}");
                let problem = self.new_problem(node.at, at!("mesh.routes.routePattern"), what);
                warnings.push(problem.hint("write a path, or one that ends with /*"));
            }
        }
        Some(())
    }

    /// What a bridge requires is routed to the peer that has the bridge's name.
    fn bridge(
        &mut self,
        node: &Node,
        routed: &mut BTreeMap<LoopId, Routed>,
        warnings: &mut Vec<Problem>,
    ) -> Option<()> {
        const RULE: Rule = at!("mesh.bridges");
        let mut object = Object::of(self, node, RULE)?;
        let name = object.need(self, "name", at!("mesh.bridges.name"))?;
        let realm: RealmName = self.parsed(name, at!("mesh.bridges.name"))?;
        let active = object.get("active").and_then(|node| self.truth(node, RULE));
        if active == Some(false) {
            return None;
        }
        let contract = object.need(self, "localContract", at!("mesh.bridges.localContract"))?;
        if contract.get("provides").is_some_and(has_items) {
            let what =
                format!("what the bridge provides is permitted to nobody by this: `{realm}`");
            let problem = self.new_problem(contract.at, at!("mesh.bridges.provides"), what);
            warnings.push(problem.hint(format!("realmctl allow {realm} invoke LOOP")));
        }
        for item in list(contract, "requires") {
            const RULE: Rule = at!("mesh.bridges.requires");
            let mut required = Object::of(self, item, RULE)?;
            let capability = required.need(self, "capability", RULE)?;
            let id: LoopId = self.parsed(capability, RULE)?;
            let version = required.get("version");
            let version = version.and_then(|node| self.requirement(node, RULE));
            let entry = routed.entry(id.clone()).or_default();
            entry.at.get_or_insert(item.at);
            let target = self.mesh_target(item.at, id, realm.clone(), version);
            entry.targets.push(target);
        }
        Some(())
    }

    fn mesh_target(
        &self,
        at: Place,
        loop_id: LoopId,
        realm: RealmName,
        loop_version: Option<String>,
    ) -> Target {
        Target {
            call: Call {
                loop_id: LoopAddress {
                    loop_id,
                    realm: Some(realm),
                },
                loop_version,
                digest: None,
                input_mapping: None,
                for_each: None,
                retry: None,
                timeout_ms: None,
                fallback: None,
                budget: realm_protocol::budget::Budget::default(),
                approval: None,
                origin: self.origin(at),
            },
            keeps_name: false,
            priority: 0,
            weight: Target::WEIGHT,
        }
    }

    fn mesh_loop(&mut self, id: LoopId, version: &semver::Version, routed: Routed) -> Manifest {
        let Routed {
            targets,
            pattern,
            aliases,
            at,
        } = routed;
        let at = at.unwrap_or_default();
        if targets.len() > limits::ROUTE_TARGETS {
            let what = format!("`{id}` has more than {} targets", limits::ROUTE_TARGETS);
            self.problem(at, at!("mesh.routes"), what);
        }
        let body = Body::Route(Route { pattern, targets });
        Manifest {
            id,
            version: version.clone(),
            aliases: aliases.into_iter().take(limits::LOOP_ALIASES).collect(),
            capabilities: BTreeSet::new(),
            description: None,
            // Contracts stand with capabilities; the targets check what they get.
            input_schema: json!({"type": "object"}),
            output_schema: Value::Bool(true),
            effects: None,
            limits: LoopLimits::of(&body),
            retry: None,
            approval: None,
            asks: None,
            body,
            bid: None,
            budget: realm_protocol::budget::Budget::default(),
            state: None,
            needs: Vec::new(),
            metadata: Map::new(),
            origin: self.origin(at),
        }
    }
}

pub(super) fn has_items(node: &Node) -> bool {
    matches!(&node.data, Data::List(items) if !items.is_empty())
}

/// The items of a member that may be absent.
fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    match node.get(key).map(|node| &node.data) {
        Some(Data::List(items)) => items,
        _ => &[],
    }
}
