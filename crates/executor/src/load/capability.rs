//! InterRealm's capabilities: their `loops` and `loopStacks`.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    LoopId,
    broadcast::{Aggregation, MILLION, Selection, Strategy, Waiting},
    limits,
};
use serde_json::{Map, Value, json};

use super::{
    document::{Reader, Rule},
    node::{Data, Node, Place},
    object::{self, Object},
    platform::{announced, at, unnamed},
};
use crate::{
    Body, Broadcast, Condition, LoopLimits, Manifest, Order, Stack,
    manifest::broadcast::list_of,
    stack::{Joined, Part, PartContract, binding, counted},
};

/// Milliseconds of a loop, unless told.
const RECRUITMENT_MS: u64 = 5_000;
const EXECUTION_MS: u64 = 30_000;
/// Participants unless told.
const PARTICIPANTS: u64 = 10;
/// The share that a quorum or a consensus needs, unless told.
const QUORUM: u64 = MILLION / 2;

/// One loop of a capability.
struct Recruited {
    name: String,
    contract: PartContract,
    broadcast: Broadcast,
    at: Place,
}

/// What a capability is called, and what it has said so far.
struct Scope<'n> {
    id: LoopId,
    version: semver::Version,
    objects: BTreeMap<String, Option<&'n Node>>,
}

impl Reader<'_> {
    /// The loops of a capability are announced work, and its loop stacks composites of it. Services and
    /// events are checked as far as they refer to each other.
    pub(super) fn capability(&mut self, document: &Node) -> Option<(Vec<Manifest>, Vec<Stack>)> {
        let mut whole = Object::of(self, document, at!("capability"))?;
        let about = whole.need(self, "metadata", at!("capability.metadata"))?;
        let mut about = Object::of(self, about, at!("capability.metadata"))?;
        let name = about.need(self, "name", at!("capability.metadata.name"));
        let id = name.and_then(|node| self.parsed(node, at!("capability.metadata.name")));
        let version = about.need(self, "version", at!("capability.metadata.version"));
        let version = version.and_then(|node| {
            let text = object::text(self, node, at!("capability.metadata.version"))?;
            self.semver(node.at, text)
        });
        let spec = whole.need(self, "spec", at!("capability.spec"))?;
        let mut spec = Object::of(self, spec, at!("capability.spec"))?;
        let objects = self.named_items(&mut spec, "domainObjects", at!("capability.domainObjects"));
        let objects = objects
            .into_iter()
            .map(|(name, node)| (name, node.get("schema")));
        let scope = Scope {
            id: id?,
            version: version?,
            objects: objects.collect(),
        };
        self.services(&mut spec, &scope);
        let loops = self.named_items(&mut spec, "loops", at!("capability.loops"));
        let mut recruited = BTreeMap::new();
        for (name, node) in loops {
            if let Some(found) = self.recruited(&name, node, &scope) {
                recruited.insert(name, found);
            }
        }
        let named = self.named_items(&mut spec, "loopStacks", at!("capability.loopStacks"));
        let mut stacks = Vec::new();
        for (name, node) in named {
            stacks.extend(self.loop_stack(&name, node, &recruited, &scope));
        }
        let mut made = Vec::new();
        for found in recruited.values() {
            made.push(self.recruiting(found, &scope));
        }
        let made: Option<Vec<Manifest>> = made.into_iter().collect();
        Some((made?, stacks))
    }

    /// The members of a list, each with a name that no other has.
    fn named_items<'n>(
        &mut self,
        spec: &mut Object<'n>,
        key: &'static str,
        rule: Rule,
    ) -> Vec<(String, &'n Node)> {
        let Some(Node {
            data: Data::List(items),
            ..
        }) = spec.get(key)
        else {
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for item in items {
            let Some(mut object) = Object::of(self, item, rule) else {
                continue;
            };
            let Some(name) = object.need_text(self, "name", rule) else {
                continue;
            };
            if !seen.insert(name) {
                self.problem(item.at, rule, format!("`{name}` is named twice"));
            }
            named.push((name.to_owned(), item));
        }
        named
    }

    fn services(&mut self, spec: &mut Object<'_>, scope: &Scope<'_>) {
        for (_, node) in self.named_items(spec, "services", at!("capability.services")) {
            for side in ["input", "output"] {
                if let Some(said) = node.get(side) {
                    self.referred(said, scope);
                }
            }
        }
        for (_, node) in self.named_items(spec, "events", at!("capability.events")) {
            if let Some(said) = node.get("payload") {
                self.referred(said, scope);
            }
        }
    }

    /// The schema that an input or an output names.
    fn referred(&mut self, node: &Node, scope: &Scope<'_>) -> Option<Value> {
        const RULE: Rule = at!("capability.domainObjectRef");
        if let Some(inline) = node.get("inlineSchema") {
            return Some(inline.to_value());
        }
        let Some(name) = node.get("domainObjectRef") else {
            // What stands elsewhere is not looked up: anything matches.
            return Some(Value::Bool(true));
        };
        let text = object::text(self, name, RULE)?;
        match scope.objects.get(text) {
            Some(schema) => Some(schema.map_or(Value::Bool(true), Node::to_value)),
            None => {
                let known: Vec<&str> = scope.objects.keys().map(String::as_str).collect();
                let what = format!("there is no domain object `{text}`");
                let problem = self.new_problem(name.at, RULE, what);
                self.report(problem.hint(format!("known: {}", known.join(", "))));
                None
            }
        }
    }

    fn recruited(&mut self, name: &str, node: &Node, scope: &Scope<'_>) -> Option<Recruited> {
        const RULE: Rule = at!("capability.loops");
        let mut object = Object::of(self, node, RULE)?;
        let known = [
            ("aggregation", (Selection::All, Strategy::Merge)),
            ("voting", (Selection::All, Strategy::Vote)),
            ("bidding", (Selection::Best, Strategy::Select)),
            ("consensus", (Selection::All, Strategy::Consensus)),
            ("workflow", (Selection::Best, Strategy::Select)),
        ];
        let kind = object.get("type");
        let kind = kind.and_then(|node| {
            self.named(node, at!("capability.loops.type"), "type of loop", &known)
        });
        let (selection, strategy) = kind.unwrap_or((Selection::Best, Strategy::Select));
        let mut broadcast = announced(vec![scope.id.clone()]);
        broadcast.rule.selection = selection;
        broadcast.aggregation.strategy = strategy;
        self.recruitment(&mut object, &mut broadcast);
        let waits = self.waiting(&mut object, &mut broadcast);
        self.aggregated(&mut object, &mut broadcast, waits);
        let mut side = |key| match object.get(key) {
            Some(node) => self.referred(node, scope),
            None => Some(Value::Bool(true)),
        };
        let (input, output) = (side("input"), side("output"));
        Some(Recruited {
            name: name.to_owned(),
            contract: PartContract {
                input: object_schema(input?),
                output: output?,
                effects: Some(crate::Effects::Idempotent),
            },
            broadcast,
            at: node.at,
        })
    }

    fn recruitment(&mut self, object: &mut Object<'_>, broadcast: &mut Broadcast) {
        const RULE: Rule = at!("capability.loops.recruitment");
        broadcast.window_ms = RECRUITMENT_MS;
        let all = broadcast.rule.selection == Selection::All;
        broadcast.rule.awards = if all { PARTICIPANTS } else { 1 };
        let Some(mut object) = object
            .get("recruitment")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return;
        };
        let at = object.at;
        self.highest_price(&mut object, RULE, broadcast);
        let mut number = |key, most| {
            let node = object.get(key)?;
            self.count(node, RULE, most)
        };
        let window = number("recruitmentTimeout", limits::WINDOW_MAX_MS);
        let least = number("minParticipants", limits::AWARDS).unwrap_or(1);
        let most = number("maxParticipants", limits::AWARDS);
        let most = most.unwrap_or(PARTICIPANTS.max(least));
        if least > most {
            let what = format!("{least} participants are asked for, and {most} taken");
            self.problem(at, RULE, what);
        }
        broadcast.window_ms = window.unwrap_or(RECRUITMENT_MS);
        broadcast.rule.min_bids = least;
        if all {
            broadcast.rule.awards = most;
            broadcast.aggregation.min_results = least;
        } else {
            broadcast.rule.max_bids = most;
        }
    }

    /// Whether it says for whom is waited.
    fn waiting(&mut self, object: &mut Object<'_>, broadcast: &mut Broadcast) -> bool {
        const RULE: Rule = at!("capability.loops.execution");
        broadcast.within_ms = EXECUTION_MS;
        let Some(mut object) = object
            .get("execution")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return false;
        };
        let within = object.get("executionTimeout");
        let within = within.and_then(|node| self.count(node, RULE, limits::RUN_MS));
        broadcast.within_ms = within.unwrap_or(EXECUTION_MS);
        let known = [
            ("all", Waiting::All),
            ("quorum", Waiting::Quorum),
            ("any", Waiting::Any),
            ("majority", Waiting::Majority),
        ];
        let waiting = object.get("waitStrategy");
        let waiting = waiting.and_then(|node| self.named(node, RULE, "way to wait", &known));
        broadcast.aggregation.waiting = waiting.unwrap_or(Waiting::All);
        waiting.is_some()
    }

    fn aggregated(&mut self, object: &mut Object<'_>, broadcast: &mut Broadcast, waits: bool) {
        const RULE: Rule = at!("capability.loops.aggregation");
        let node = object.get("aggregation");
        let mut quorum = None;
        if let Some(mut object) = node.and_then(|node| Object::of(self, node, RULE)) {
            let known = [
                ("merge", Strategy::Merge),
                ("sum", Strategy::Sum),
                ("average", Strategy::Average),
                ("vote", Strategy::Vote),
                ("rank", Strategy::Rank),
                // Whoever calls it makes of the results what it wants.
                ("custom", Strategy::CollectAll),
            ];
            let strategy = object.get("strategy");
            let strategy =
                strategy.and_then(|node| self.named(node, RULE, "way to make results one", &known));
            // What most agree on is what a consensus is made of.
            let consents = broadcast.aggregation.strategy == Strategy::Consensus;
            match strategy {
                Some(Strategy::Vote) if consents => {}
                Some(_) if consents => {
                    let what = "a loop of type `consensus` says by that how results are made one";
                    let problem = self.new_problem(object.at, RULE, what);
                    self.report(
                        problem.hint("take `strategy` away, or give the loop another type"),
                    );
                }
                Some(strategy) => broadcast.aggregation.strategy = strategy,
                None => {}
            }
            quorum = self.share(&mut object, "quorum", RULE);
        }
        let aggregation = &mut broadcast.aggregation;
        let consents = aggregation.strategy == Strategy::Consensus;
        if consents {
            aggregation.threshold = Some(quorum.unwrap_or(QUORUM));
        }
        let by_quorum = aggregation.waiting == Waiting::Quorum;
        aggregation.quorum = quorum.or(by_quorum.then_some(QUORUM));
        match quorum.zip(node) {
            None => {}
            Some(_) if consents || by_quorum => {}
            Some((quorum, node)) if waits => self.voted(node.at, quorum, aggregation),
            Some(_) => aggregation.waiting = Waiting::Quorum,
        }
    }

    /// Where it is said who is waited for, a quorum are those who have to vote for the same.
    fn voted(&mut self, at: Place, quorum: u64, aggregation: &mut Aggregation) {
        const RULE: Rule = at!("capability.loops.aggregation");
        let heard = match aggregation.waiting {
            Waiting::All | Waiting::Quorum => MILLION,
            Waiting::Majority => MILLION / 2,
            Waiting::Any => 0,
        };
        let what = match aggregation.strategy {
            Strategy::Vote if quorum <= heard => {
                aggregation.strategy = Strategy::Quorum;
                return;
            }
            Strategy::Vote => "fewer are waited for than the quorum that has to vote for the same",
            _ => {
                "a quorum is of those who are waited for, or who vote for the same: here of neither"
            }
        };
        let problem = self.new_problem(at, RULE, what);
        self.report(problem.hint("take `quorum` away, or wait by `waitStrategy: quorum`"));
    }

    /// A capability's loop as one of this realm's.
    fn recruiting(&mut self, found: &Recruited, scope: &Scope<'_>) -> Option<Manifest> {
        let origin = self.origin(found.at);
        let counted = counted(&found.name, &found.broadcast, &found.contract, &origin);
        let broadcast = counted.map_err(|problem| self.report(problem)).ok()?;
        let body = Body::Broadcast(Box::new(broadcast));
        let output = found.contract.output.clone();
        let output = match found.broadcast.gives_list() {
            true => list_of(&output),
            false => output,
        };
        Some(Manifest {
            id: format!("{}/{}", scope.id, found.name).parse().ok()?,
            version: scope.version.clone(),
            aliases: Vec::new(),
            capabilities: BTreeSet::new(),
            description: None,
            input_schema: found.contract.input.clone(),
            output_schema: output,
            effects: found.contract.effects,
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
            origin,
        })
    }

    fn loop_stack(
        &mut self,
        name: &str,
        node: &Node,
        recruited: &BTreeMap<String, Recruited>,
        scope: &Scope<'_>,
    ) -> Option<Stack> {
        const RULE: Rule = at!("capability.loopStacks");
        let mut object = Object::of(self, node, RULE)?;
        let loops = object.need(self, "loops", at!("capability.loopStacks.loops"))?;
        let items = self.items(loops, at!("capability.loopStacks.loops"))?;
        let mut parts: Vec<Part> = Vec::new();
        for item in items {
            let before: Vec<String> = parts.iter().map(|part| binding(&part.name)).collect();
            parts.extend(self.referred_loop(item, recruited, &before));
        }
        let mut side = |key| match object.get(key) {
            Some(node) => self.referred(node, scope).map(Some),
            None => Some(None),
        };
        let (input, output) = (side("input"), side("output"));
        let id = format!("{}/{name}", scope.id).parse();
        let id = id.map_err(|error: realm_protocol::NameError| {
            self.problem(node.at, RULE, error.to_string());
        });
        Some(Stack {
            id: id.ok()?,
            version: scope.version.clone(),
            input: input?.map(object_schema),
            output: output?,
            parts,
            order: Order::Sequential,
            joined: Joined::Merged,
            origin: self.origin(node.at),
            ..unnamed()?
        })
    }

    fn referred_loop(
        &mut self,
        node: &Node,
        recruited: &BTreeMap<String, Recruited>,
        before: &[String],
    ) -> Option<Part> {
        const RULE: Rule = at!("capability.loopRef");
        let mut object = Object::of(self, node, RULE)?;
        let name = object.need(self, "loopRef", RULE)?;
        let text = object::text(self, name, RULE)?;
        let Some(found) = recruited.get(text) else {
            let known: Vec<&str> = recruited.keys().map(String::as_str).collect();
            let problem = self.new_problem(name.at, RULE, format!("there is no loop `{text}`"));
            self.report(problem.hint(format!("known: {}", known.join(", "))));
            return None;
        };
        let condition = object.get("condition");
        let condition: Option<Condition> =
            condition.and_then(|node| self.condition(node, before.len(), before));
        let sub_loops = object.get("allowSubLoops");
        let sub_loops = sub_loops.and_then(|node| self.truth(node, RULE));
        Some(Part {
            name: found.name.clone(),
            contract: Some(found.contract.clone()),
            broadcast: Broadcast {
                sub_loops: sub_loops.unwrap_or(true),
                ..found.broadcast.clone()
            },
            when: condition,
            origin: self.origin(node.at),
        })
    }
}

/// Inputs are objects: a capability without a schema says nothing else of its own.
fn object_schema(schema: Value) -> Value {
    match schema {
        Value::Bool(true) => json!({"type": "object"}),
        schema => schema,
    }
}
