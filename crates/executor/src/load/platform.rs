//! Documents of the LoopStacks Platform: agents, and stacks in both forms.

use realm_protocol::{
    LoopId,
    broadcast::{Aggregation, BidLimits, MILLION, Rule as Choice, Selection, Strategy, Waiting},
    limits,
};
use serde_json::{Map, Value};

use super::{
    document::{Reader, Rule},
    node::Node,
    object::{self, Object},
};
use crate::{
    Audience, Backoff, Body, Broadcast, Category, LoopLimits, Manifest, Order, Retry, Stack,
    manifest::broadcast::both_of,
    stack::{Joined, Part},
};

/// What a document says of itself that says nothing.
const VERSION: &str = "1.0.0";
/// Bids taken unless told.
const MAX_BIDS: u64 = 10;
/// Attempts beside the first, unless told.
const MAX_RETRIES: u64 = 3;
/// The share of results that a consensus needs, unless told.
pub(super) const CONSENSUS: u64 = MILLION / 2;

/// Milliseconds of the phases, unless told.
const INTAKE_MS: u64 = 30_000;
const BIDDING_MS: u64 = 5_000;
const EXECUTION_MS: u64 = 300_000;
const OUTPUT_MS: u64 = 30_000;

/// A rule's id, the same in every form.
macro_rules! at {
    ($name:literal) => {
        [$name; 3]
    };
}
pub(super) use at;

/// Announced work of a foreign format, before its format has said more.
pub(super) fn announced(capabilities: Vec<LoopId>) -> Broadcast {
    let mut capabilities = capabilities;
    capabilities.sort();
    capabilities.dedup();
    Broadcast {
        loop_id: None,
        capabilities,
        scope: vec![Audience::Subtree],
        depth: Broadcast::DEPTH,
        wider: None,
        window_ms: Broadcast::WINDOW_MS,
        within_ms: Broadcast::WITHIN_MS,
        limits: BidLimits {
            currency: None,
            price: None,
            time_ms: None,
            confidence: None,
        },
        rule: Choice {
            selection: Selection::Best,
            weights: None,
            awards: 1,
            standbys: 1,
            min_bids: 1,
            max_bids: limits::BIDS as u64,
            early: None,
            per_realm: None,
        },
        at_once: None,
        aggregation: Aggregation {
            strategy: Strategy::Select,
            waiting: Waiting::All,
            quorum: None,
            threshold: None,
            min_results: 1,
            confidence: None,
            field: Vec::new(),
        },
        aggregator: None,
        sub_loops: true,
    }
}

/// What `metadata` and `spec.metadata` say.
struct About {
    id: LoopId,
    version: semver::Version,
    description: Option<String>,
    metadata: Map<String, Value>,
}

impl Reader<'_> {
    /// An agent is a contract and what it can do; who runs it is whoever bids for that.
    pub(super) fn agent(&mut self, document: &Node) -> Option<Manifest> {
        let mut whole = Object::of(self, document, at!("agent"))?;
        let spec = whole.need(self, "spec", at!("agent.spec"))?;
        let about = self.about(&mut whole, spec);
        let mut spec = Object::of(self, spec, at!("agent.spec"))?;
        self.runtime(&mut spec);
        let capabilities = spec.need(self, "capabilities", at!("agent.capabilities"));
        let capabilities = capabilities.map(|node| self.capability_names(node));
        let schema = spec.need(self, "schema", at!("agent.schema"));
        let (input, output) = self.both_schemas(schema?, at!("agent.schema"))?;
        let capabilities = capabilities?;
        let About {
            id,
            version,
            description,
            metadata,
        } = about?;
        let body = Body::Broadcast(Box::new(announced(capabilities.clone())));
        Some(Manifest {
            id,
            version,
            aliases: Vec::new(),
            capabilities: capabilities.into_iter().collect(),
            description,
            input_schema: input,
            output_schema: output,
            effects: Some(crate::Effects::Idempotent),
            limits: LoopLimits::of(&body),
            retry: None,
            approval: None,
            asks: None,
            body,
            bid: None,
            budget: realm_protocol::budget::Budget::default(),
            state: None,
            needs: Vec::new(),
            metadata,
            origin: self.origin(document.at),
        })
    }

    fn runtime(&mut self, spec: &mut Object<'_>) {
        const RULE: Rule = at!("agent.runtime");
        let Some(node) = spec.need(self, "runtime", RULE) else {
            return;
        };
        let Some(mut runtime) = Object::of(self, node, RULE) else {
            return;
        };
        runtime.need_text(self, "image", at!("agent.runtime.image"));
        if let Some(node) = runtime.need(self, "language", at!("agent.runtime.language")) {
            let known = [("typescript", ()), ("python", ()), ("go", ())];
            self.named(
                node,
                at!("agent.runtime.language"),
                "language of agents",
                &known,
            );
        }
    }

    /// A stack, in whichever form it is written.
    pub(super) fn stack(&mut self, document: &Node) -> Option<Stack> {
        let mut whole = Object::of(self, document, at!("stack"))?;
        let spec = whole.need(self, "spec", at!("stack.spec"))?;
        let about = self.about(&mut whole, spec);
        let spec_object = Object::of(self, spec, at!("stack.spec"))?;
        let stack = match spec.get("loops") {
            Some(loops) => self.loops_form(loops),
            None => self.phases_form(spec_object),
        };
        let About {
            id,
            version,
            description,
            metadata,
        } = about?;
        stack.map(|stack| Stack {
            id,
            version,
            description,
            metadata,
            origin: self.origin(document.at),
            ..stack
        })
    }

    fn about(&mut self, whole: &mut Object<'_>, spec: &Node) -> Option<About> {
        const RULE: Rule = at!("document.metadata");
        let node = whole.need(self, "metadata", RULE)?;
        let mut metadata = Object::of(self, node, RULE)?;
        let id = metadata.need(self, "name", at!("document.metadata.name"));
        let id = id.and_then(|node| self.parsed(node, at!("document.metadata.name")));
        let said = spec.get("metadata");
        let version = node.get("version").or_else(|| said?.get("version"));
        let version = match version {
            Some(node) => {
                let text = object::text(self, node, at!("document.version"))?;
                self.semver(node.at, text.strip_prefix('v').unwrap_or(text))
            }
            None => semver::Version::parse(VERSION).ok(),
        };
        let text = |node: Option<&Node>| node.and_then(Node::text).map(str::to_owned);
        let description = text(spec.get("description"));
        let description = description.or_else(|| text(said?.get("description")));
        let said = said.map(Node::to_value);
        let kept = said.and_then(|said| match said {
            Value::Object(members) => Some(members),
            _ => None,
        });
        Some(About {
            id: id?,
            version: version?,
            description,
            metadata: kept.unwrap_or_default(),
        })
    }

    /// A list of capabilities, of which there is at least one.
    fn capability_names(&mut self, node: &Node) -> Vec<LoopId> {
        let names = self.named_capabilities(node);
        if matches!(&node.data, super::node::Data::List(items) if items.is_empty()) {
            self.problem(
                node.at,
                at!("document.capabilities"),
                "at least one is named here",
            );
        }
        names
    }

    fn both_schemas(&mut self, node: &Node, rule: Rule) -> Option<(Value, Value)> {
        let mut object = Object::of(self, node, rule)?;
        let input = self.schema(&mut object, "input", rule);
        let output = self.schema(&mut object, "output", rule);
        Some((input?, output?))
    }

    /// `phases` and `capabilities`: each capability is a part, and all phases are each one's.
    fn phases_form(&mut self, mut spec: Object<'_>) -> Option<Stack> {
        spec.need_text(self, "description", at!("stack.description"));
        let schema = spec.need(self, "schema", at!("stack.schema"));
        let schema = schema.and_then(|node| self.both_schemas(node, at!("stack.schema")));
        let named = spec.need(self, "capabilities", at!("stack.capabilities"));
        let phases = spec.need(self, "phases", at!("stack.phases"));
        let mut phases = Object::of(self, phases?, at!("stack.phases"))?;
        let place = phases.at;
        let (intake_ms, intake_schema) = self.intake(&mut phases);
        let mut broadcast = announced(Vec::new());
        self.bidding(&mut phases, &mut broadcast);
        let (order, retry) = self.execution(&mut phases, &mut broadcast);
        let (output_ms, joined) = self.output_phase(&mut phases, &mut broadcast);
        let (input, output) = schema?;
        let named = named?;
        let names = self.capability_names(named);
        let items = self.items(named, at!("stack.capabilities"))?;
        let parts = names.into_iter().zip(items).map(|(name, node)| Part {
            name: name.to_string(),
            contract: None,
            broadcast: Broadcast {
                capabilities: vec![name],
                ..broadcast.clone()
            },
            when: None,
            origin: self.origin(node.at),
        });
        let parts = parts.collect();
        let input = match intake_schema {
            Some(stricter) => both_of(&input, &stricter).map_err(|what| {
                let what =
                    format!("`schema.input` and the intake's schema define `{what}` in two ways");
                let rule = at!("stack.phases.intake.validation.schema");
                let problem = self.new_problem(place, rule, what);
                self.report(problem.hint("give one of the two another name"));
            }),
            None => Ok(input),
        };
        Some(Stack {
            input: Some(input.ok()?),
            output: Some(output),
            parts,
            order,
            joined,
            retry,
            intake_ms: Some(intake_ms),
            output_ms: Some(output_ms),
            ..unnamed()?
        })
    }

    /// How long the input may take, and what else it has to match.
    fn intake(&mut self, phases: &mut Object<'_>) -> (u64, Option<Value>) {
        const RULE: Rule = at!("stack.phases.intake");
        let Some(mut intake) = phases
            .get("intake")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return (INTAKE_MS, None);
        };
        let timeout = self.span(&mut intake, "timeout", at!("stack.phases.intake.timeout"));
        let validation = intake
            .get("validation")
            .and_then(|node| Object::of(self, node, RULE));
        let schema = validation.and_then(|mut validation| {
            let required = validation.get("required");
            let required = required.and_then(|node| self.truth(node, RULE));
            let rule = at!("stack.phases.intake.validation.schema");
            validation.get("schema")?;
            let schema = self.schema(&mut validation, "schema", rule)?;
            required.unwrap_or(true).then_some(schema)
        });
        (timeout.unwrap_or(INTAKE_MS), schema)
    }

    fn bidding(&mut self, phases: &mut Object<'_>, broadcast: &mut Broadcast) {
        const RULE: Rule = at!("stack.phases.bidding");
        broadcast.window_ms = BIDDING_MS;
        broadcast.rule.max_bids = MAX_BIDS;
        let Some(mut bidding) = phases
            .get("bidding")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return;
        };
        let place = bidding.at;
        if let Some(node) = bidding.get("timeout") {
            let rule = at!("stack.phases.bidding.timeout");
            let window = self.duration(node, rule, limits::WINDOW_MAX_MS);
            broadcast.window_ms = window.unwrap_or(BIDDING_MS);
        }
        if let Some(node) = bidding.get("scope") {
            broadcast.scope = self.audiences(node);
        }
        self.highest_price(
            &mut bidding,
            at!("stack.phases.bidding.maxPrice"),
            broadcast,
        );
        let most = limits::BIDS as u64;
        let mut number = |key, rule| {
            let node = bidding.get(key)?;
            self.count(node, rule, most)
        };
        let least = number("minBids", at!("stack.phases.bidding.minBids")).unwrap_or(1);
        let taken = number("maxBids", at!("stack.phases.bidding.maxBids"));
        broadcast.rule.per_realm = number("perRealm", at!("stack.phases.bidding.perRealm"));
        let taken = taken.unwrap_or(MAX_BIDS.max(least));
        if least > taken {
            let what = format!("{least} bids are asked for, and {taken} taken");
            self.problem(place, at!("stack.phases.bidding.minBids"), what);
        }
        (broadcast.rule.min_bids, broadcast.rule.max_bids) = (least, taken);
        let known = [
            ("best", Selection::Best),
            ("first", Selection::First),
            ("random", Selection::Random),
            ("all", Selection::All),
        ];
        let selection = bidding.get("selectionStrategy").and_then(|node| {
            let rule = at!("stack.phases.bidding.selectionStrategy");
            self.named(node, rule, "way to choose", &known)
        });
        broadcast.rule.selection = selection.unwrap_or(Selection::Best);
        if broadcast.rule.selection == Selection::All {
            broadcast.rule.awards = taken.min(limits::AWARDS);
        }
    }

    /// What a bid may cost at most; without it those alone bid that ask for nothing.
    pub(super) fn highest_price(
        &mut self,
        object: &mut Object<'_>,
        rule: Rule,
        broadcast: &mut Broadcast,
    ) {
        let price = object.get("maxPrice");
        let price = price.and_then(|node| self.price(node, rule));
        (broadcast.limits.currency, broadcast.limits.price) = price.unzip();
    }

    fn execution(
        &mut self,
        phases: &mut Object<'_>,
        broadcast: &mut Broadcast,
    ) -> (Order, Option<Retry>) {
        const RULE: Rule = at!("stack.phases.execution");
        broadcast.within_ms = EXECUTION_MS;
        let Some(mut execution) = phases
            .get("execution")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return (Order::Adaptive, None);
        };
        let timeout = self.span(
            &mut execution,
            "timeout",
            at!("stack.phases.execution.timeout"),
        );
        broadcast.within_ms = timeout.unwrap_or(EXECUTION_MS);
        let known = [
            ("parallel", Order::Parallel),
            ("sequential", Order::Sequential),
            ("adaptive", Order::Adaptive),
        ];
        let order = execution.get("parallelism").and_then(|node| {
            let rule = at!("stack.phases.execution.parallelism");
            self.named(node, rule, "parallelism", &known)
        });
        let retry = execution
            .get("retryPolicy")
            .and_then(|node| self.retry_policy(node));
        if retry.is_some() {
            // The work is announced again: a standby as well would begin it once more each time.
            broadcast.rule.standbys = 0;
        }
        if order == Some(Order::Sequential) {
            broadcast.at_once = Some(1);
        }
        (order.unwrap_or(Order::Adaptive), retry)
    }

    fn retry_policy(&mut self, node: &Node) -> Option<Retry> {
        const RULE: Rule = at!("stack.phases.execution.retryPolicy");
        let mut policy = Object::of(self, node, RULE)?;
        let retries = policy.get("maxRetries");
        let retries = retries.and_then(|node| self.whole(node, RULE, limits::RETRIES - 1));
        let known = [
            ("exponential", Backoff::Exponential),
            ("linear", Backoff::Linear),
        ];
        let backoff = policy.get("backoffStrategy");
        let backoff = backoff.and_then(|node| self.named(node, RULE, "way to back off", &known));
        Some(Retry {
            attempts: retries.unwrap_or(MAX_RETRIES).saturating_add(1),
            backoff: backoff.unwrap_or(Backoff::Exponential),
            delay_ms: Retry::DELAY_MS,
            max_delay_ms: Retry::MAX_DELAY_MS,
            on: [Category::Transient].into(),
        })
    }

    fn output_phase(
        &mut self,
        phases: &mut Object<'_>,
        broadcast: &mut Broadcast,
    ) -> (u64, Joined) {
        const RULE: Rule = at!("stack.phases.output");
        let Some(mut output) = phases
            .get("output")
            .and_then(|node| Object::of(self, node, RULE))
        else {
            return (OUTPUT_MS, Joined::Merged);
        };
        let timeout = self.span(&mut output, "timeout", at!("stack.phases.output.timeout"));
        let known = [
            ("merge", Strategy::Merge),
            ("select", Strategy::Select),
            ("consensus", Strategy::Consensus),
        ];
        let strategy = output.get("aggregationStrategy").and_then(|node| {
            let rule = at!("stack.phases.output.aggregationStrategy");
            self.named(node, rule, "way to make results one", &known)
        });
        let strategy = strategy.unwrap_or(Strategy::Merge);
        broadcast.aggregation.strategy = strategy;
        broadcast.aggregation.threshold = (strategy == Strategy::Consensus).then_some(CONSENSUS);
        let joined = match strategy {
            Strategy::Select => Joined::Last,
            _ => Joined::Merged,
        };
        (timeout.unwrap_or(OUTPUT_MS), joined)
    }

    /// `loops`: each is a part with phases of its own, one after the other.
    fn loops_form(&mut self, node: &Node) -> Option<Stack> {
        const RULE: Rule = at!("stack.loops");
        let items = self.items(node, RULE)?;
        if items.is_empty() {
            self.problem(node.at, RULE, "at least one loop stands here");
        }
        let mut parts = Vec::new();
        for item in items {
            parts.extend(self.stack_loop(item));
        }
        Some(Stack {
            parts,
            order: Order::Sequential,
            joined: Joined::Last,
            ..unnamed()?
        })
    }

    fn stack_loop(&mut self, node: &Node) -> Option<Part> {
        let mut object = Object::of(self, node, at!("stack.loops"))?;
        let name = object.need(self, "loopId", at!("stack.loops.loopId"));
        let name: Option<LoopId> =
            name.and_then(|node| self.parsed(node, at!("stack.loops.loopId")));
        let rule = at!("stack.loops.requiredCapabilities");
        let capabilities = object.need(self, "requiredCapabilities", rule);
        let capabilities = capabilities.map(|node| self.capability_names(node));
        let mut broadcast = announced(capabilities?);
        if let Some(node) = object.get("timeout") {
            let rule = at!("stack.loops.timeout");
            let timeout = self.count(node, rule, limits::RUN_MS);
            if timeout.is_some_and(|timeout| timeout < 100) {
                self.problem(node.at, rule, "a loop has at least 100 ms");
            }
            let timeout = timeout.unwrap_or(Broadcast::WITHIN_MS);
            broadcast.window_ms = (timeout / 2).clamp(1, Broadcast::WINDOW_MS);
            broadcast.within_ms = timeout.saturating_sub(broadcast.window_ms).max(1);
        }
        self.highest_price(&mut object, at!("stack.loops.maxPrice"), &mut broadcast);
        if let Some(node) = object.get("aggregation") {
            self.loop_aggregation(node, &mut broadcast);
        }
        Some(Part {
            name: name?.to_string(),
            contract: None,
            broadcast,
            when: None,
            origin: self.origin(node.at),
        })
    }

    fn loop_aggregation(&mut self, node: &Node, broadcast: &mut Broadcast) {
        const RULE: Rule = at!("stack.loops.aggregation");
        let Some(mut object) = Object::of(self, node, RULE) else {
            return;
        };
        let known = [
            ("highest_confidence", Strategy::HighestConfidence),
            ("collect_all", Strategy::CollectAll),
            ("consensus", Strategy::Consensus),
            ("weighted_average", Strategy::WeightedAverage),
            ("first_valid", Strategy::FirstValid),
            ("merge_objects", Strategy::Merge),
        ];
        let rule = at!("stack.loops.aggregation.strategy");
        let strategy = object.need(self, "strategy", rule);
        let strategy =
            strategy.and_then(|node| self.named(node, rule, "way to make results one", &known));
        let mut number = |key| {
            let node = object.get(key)?;
            self.count(node, RULE, limits::AWARDS)
        };
        let least = number("minimumAgents").unwrap_or(1);
        let most = number("maximumAgents").unwrap_or(MAX_BIDS.max(least));
        if least > most {
            let what = format!("{least} agents are asked for, and {most} taken");
            self.problem(node.at, RULE, what);
        }
        let confidence = self.share(&mut object, "confidenceThreshold", RULE);
        let threshold = self.share(&mut object, "consensusThreshold", RULE);
        let strategy = strategy.unwrap_or(Strategy::Select);
        let rule = &mut broadcast.rule;
        rule.selection = match strategy {
            Strategy::FirstValid => Selection::First,
            _ => Selection::All,
        };
        (rule.awards, rule.min_bids, rule.max_bids) = (most, least, limits::BIDS as u64);
        let aggregation = &mut broadcast.aggregation;
        aggregation.strategy = strategy;
        aggregation.min_results = least;
        aggregation.confidence = confidence;
        aggregation.threshold =
            (strategy == Strategy::Consensus).then(|| threshold.unwrap_or(CONSENSUS));
        if strategy == Strategy::FirstValid {
            aggregation.waiting = Waiting::Any;
        }
    }
}

/// A stack that says nothing yet.
pub(super) fn unnamed() -> Option<Stack> {
    Some(Stack {
        id: "stack".parse().ok()?,
        version: semver::Version::parse(VERSION).ok()?,
        description: None,
        input: None,
        output: None,
        parts: Vec::new(),
        order: Order::Adaptive,
        joined: Joined::Merged,
        retry: None,
        intake_ms: None,
        output_ms: None,
        metadata: Map::new(),
        origin: crate::Origin::default(),
    })
}
