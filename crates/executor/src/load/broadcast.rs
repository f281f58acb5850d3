//! Loops that are work without an address.

use std::collections::BTreeSet;

use realm_protocol::{
    LoopAddress,
    broadcast::{
        Aggregation, BidLimits, EarlyClose, MILLION, Rule as Choice, Selection, Strategy, Waiting,
        Weights, millionths,
    },
    limits,
};
use serde_json::Value;

use super::{
    document::{Reader, Rule, rule},
    node::{Data, Node, Place},
    object::{self, Object},
};
use crate::{
    Audience, Body, Broadcast, Wider,
    manifest::broadcast::{SELECTIONS, STRATEGIES, WAITS},
    stack::members::never_one,
};

/// Bids that may win in place of one that falls out, unless told.
const STANDBYS: u64 = 1;

impl Reader<'_> {
    pub(super) fn broadcast(&mut self, object: &mut Object<'_>) -> Option<Broadcast> {
        let node = object.need(self, "broadcast", rule!("broadcast"))?;
        let mut object = Object::of(self, node, rule!("broadcast"))?;
        let loop_id = object.get("loopId");
        let loop_id = loop_id.and_then(|node| self.parsed(node, rule!("broadcast.loopId")));
        let capabilities = object.get("capabilities");
        let mut capabilities =
            capabilities.map_or_else(Vec::new, |node| self.named_capabilities(node));
        capabilities.sort();
        capabilities.dedup();
        let scope = object.get("scope").map(|node| self.audiences(node));
        let depth = self.depth(&mut object);
        let scope = scope.unwrap_or_else(|| vec![Audience::Subtree]);
        let wider = object
            .get("wider")
            .and_then(|node| self.wider(node, &scope));
        let window = object
            .get("window")
            .and_then(|node| self.duration(node, rule!("broadcast.window"), limits::WINDOW_MAX_MS));
        let within = self.span(&mut object, "within", rule!("broadcast.within"));
        let bid_limits = self.bid_limits(&mut object);
        let choice = self.choice(&mut object, &bid_limits);
        let rule = rule!("broadcast.atOnce");
        let at_once = self.number_of(&mut object, "atOnce", rule, limits::AWARDS);
        let aggregation = self.aggregation(&mut object, &choice);
        let aggregator = self.aggregator(&mut object, &aggregation);
        let sub_loops = object.get("subLoops");
        let sub_loops = sub_loops.and_then(|node| self.truth(node, rule!("broadcast.subLoops")));
        object.finish(self);
        Some(Broadcast {
            loop_id,
            capabilities,
            scope,
            depth,
            wider,
            window_ms: window.unwrap_or(Broadcast::WINDOW_MS),
            within_ms: within.unwrap_or(Broadcast::WITHIN_MS),
            limits: bid_limits,
            rule: choice,
            at_once,
            aggregation,
            aggregator,
            sub_loops: sub_loops.unwrap_or(true),
        })
    }

    fn depth(&mut self, object: &mut Object<'_>) -> u64 {
        let depth = object.get("depth").and_then(|node| {
            let most = limits::PATH_DEPTH as u64;
            self.count(node, rule!("broadcast.depth"), most)
        });
        depth.unwrap_or(Broadcast::DEPTH)
    }

    /// Who is asked where there are too few bids, beside those who were asked before.
    fn wider(&mut self, node: &Node, before: &[Audience]) -> Option<Wider> {
        const RULE: Rule = rule!("broadcast.wider");
        let mut object = Object::of(self, node, RULE)?;
        let scope = object.need(self, "scope", RULE);
        let scope = scope.map(|node| self.audiences(node));
        let depth = self.depth(&mut object);
        object.finish(self);
        let scope = scope?;
        let named = before.iter().chain(&scope).filter_map(Audience::realm);
        let named = named.collect::<BTreeSet<_>>().len();
        if named > limits::NAMED_SCOPES {
            let most = limits::NAMED_SCOPES;
            let what = format!("`scope` and `wider` name {named} realms, {most} at most are asked");
            let problem = self.new_problem(node.at, RULE, what);
            self.report(problem.hint("a realm is named with all below it: name one above several"));
        }
        Some(Wider { scope, depth })
    }

    /// The loop of this realm that makes the results one.
    fn aggregator(
        &mut self,
        object: &mut Object<'_>,
        aggregation: &Aggregation,
    ) -> Option<LoopAddress> {
        const RULE: Rule = rule!("broadcast.aggregator");
        let place = object.at;
        let node = object.get("aggregator");
        let loop_id = node.and_then(|node| self.parsed(node, RULE));
        if node.is_some() != (aggregation.strategy == Strategy::Loop) {
            let what = "`aggregator` names the loop of `aggregate: loop`, and only there";
            let at = node.map_or(place, |node| node.at);
            self.problem(at, RULE, what);
        }
        loop_id.map(|loop_id| LoopAddress {
            loop_id,
            realm: None,
        })
    }

    /// Results that become a list are announced as what its items are, and can be made one.
    pub(super) fn check_output(&mut self, at: Place, body: Option<&Body>, output: Option<&Value>) {
        let Some(Body::Broadcast(broadcast)) = body.filter(|_| output.is_some()) else {
            return;
        };
        let is_list = output.and_then(|output| output.get("items")).is_some();
        if broadcast.gives_list() && !is_list {
            let what = "the output is a list, and `outputSchema` does not say of what";
            let problem = self.new_problem(at, rule!("broadcast.aggregate"), what);
            self.report(
                problem.hint("outputSchema: {type: array, items: …}, with what one winner gives"),
            );
        }
        let one = match broadcast.gives_list() {
            true => output.and_then(|output| output.get("items")),
            false => output,
        };
        if let Some(why) = one.and_then(|one| never_one(&broadcast.aggregation, one)) {
            let what = format!("results can never be made one: {why}");
            let problem = self.new_problem(at, rule!("broadcast.aggregate"), what);
            self.report(problem.hint("change `aggregate`, `field` or `outputSchema`"));
        }
    }

    /// One of those who are asked, or a list of them.
    pub(super) fn audiences(&mut self, node: &Node) -> Vec<Audience> {
        const RULE: Rule = rule!("broadcast.scope");
        let items = match &node.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() || items.len() > limits::NAMED_SCOPES {
            let what = format!("1 to {} are asked", limits::NAMED_SCOPES);
            self.problem(node.at, RULE, what);
        }
        let mut read = Vec::new();
        for item in items {
            read.extend(self.audience(item, RULE));
        }
        read
    }

    fn audience(&mut self, node: &Node, rule: Rule) -> Option<Audience> {
        let text = object::text(self, node, rule)?;
        let parsed = text.parse();
        if parsed.is_err() {
            let what = format!("`{text}` is neither children, subtree, peers nor a realm");
            let problem = self.new_problem(node.at, rule, what);
            self.report(
                problem.hint("a realm is written root/child; `realmctl realm ls` lists them"),
            );
        }
        parsed.ok()
    }

    fn bid_limits(&mut self, object: &mut Object<'_>) -> BidLimits {
        let price = object.get("maxPrice");
        let price = price.and_then(|node| self.price(node, rule!("broadcast.maxPrice")));
        let time_ms = self.span(object, "maxTime", rule!("broadcast.maxTime"));
        let confidence = self.share(object, "minConfidence", rule!("broadcast.minConfidence"));
        let (currency, price) = price.unzip();
        BidLimits {
            currency,
            price,
            time_ms,
            confidence,
        }
    }

    fn choice(&mut self, object: &mut Object<'_>, ceilings: &BidLimits) -> Choice {
        let place = object.at;
        let selection = object.get("select").and_then(|node| {
            self.named(
                node,
                rule!("broadcast.select"),
                "way to choose",
                &SELECTIONS,
            )
        });
        let selection = selection.unwrap_or(Selection::Best);
        let weights = object.get("weights");
        let weights = weights.and_then(|node| self.weights(node, selection, ceilings));
        if selection == Selection::Weighted && weights.is_none() {
            let what = "the weighted selection needs `weights`";
            let problem = self.new_problem(place, rule!("broadcast.weights"), what);
            self.report(problem.hint("weights: {price: 2, time: 1, confidence: 1}"));
        }
        let most = limits::BIDS as u64;
        let awards = self.number_of(
            object,
            "winners",
            rule!("broadcast.winners"),
            limits::AWARDS,
        );
        let standbys = object.get("standbys");
        let standbys =
            standbys.and_then(|node| self.whole(node, rule!("broadcast.standbys"), most));
        let min_bids = self.number_of(object, "minBids", rule!("broadcast.minBids"), most);
        let max_bids = self.number_of(object, "maxBids", rule!("broadcast.maxBids"), most);
        let per_realm = self.number_of(object, "perRealm", rule!("broadcast.perRealm"), most);
        let early = object
            .get("enough")
            .and_then(|node| self.early(node, ceilings));
        let (min_bids, max_bids) = (min_bids.unwrap_or(1), max_bids.unwrap_or(most));
        if min_bids > max_bids {
            let what = format!("{min_bids} bids are asked for, and {max_bids} taken");
            self.problem(place, rule!("broadcast.minBids"), what);
        }
        Choice {
            selection,
            weights,
            awards: awards.unwrap_or(1),
            standbys: standbys.unwrap_or(STANDBYS),
            min_bids,
            max_bids,
            early,
            per_realm,
        }
    }

    fn weights(
        &mut self,
        node: &Node,
        selection: Selection,
        ceilings: &BidLimits,
    ) -> Option<Weights> {
        const RULE: Rule = rule!("broadcast.weights");
        let mut object = Object::of(self, node, RULE)?;
        let mut weight = |key| {
            let node = object.get(key)?;
            self.whole(node, RULE, limits::WEIGHT)
        };
        let weights = Weights {
            price: weight("price").unwrap_or(0),
            time: weight("time").unwrap_or(0),
            confidence: weight("confidence").unwrap_or(0),
            trust: weight("trust").unwrap_or(0),
        };
        object.finish(self);
        if selection != Selection::Weighted {
            self.problem(node.at, RULE, "weights stand with `select: weighted` alone");
        }
        if weights.price > 0 && ceilings.price.is_none() {
            let problem = self.new_problem(node.at, RULE, "weighing prices needs a highest price");
            self.report(problem.hint("add `maxPrice: EUR 1.00`"));
        }
        Some(weights)
    }

    fn early(&mut self, node: &Node, ceilings: &BidLimits) -> Option<EarlyClose> {
        const RULE: Rule = rule!("broadcast.enough");
        let mut object = Object::of(self, node, RULE)?;
        let enough = object.need(self, "bids", RULE);
        let enough = enough.and_then(|node| self.count(node, RULE, limits::BIDS as u64));
        let price = object.get("price").and_then(|node| self.price(node, RULE));
        let time_ms = self.span(&mut object, "time", RULE);
        let confidence = self.share(&mut object, "confidence", RULE);
        object.finish(self);
        if let Some((currency, _)) = &price
            && ceilings.currency.as_ref() != Some(currency)
        {
            let asked = ceilings.currency.as_deref().unwrap_or("nothing");
            let what =
                format!("bids are asked for in {asked}, and good ones are to cost {currency}");
            let problem = self.new_problem(node.at, RULE, what);
            self.report(problem.hint("give `price` and `maxPrice` in one currency"));
        }
        Some(EarlyClose {
            enough: enough?,
            price: price.map(|(_, price)| price),
            time_ms,
            confidence,
        })
    }

    fn aggregation(&mut self, object: &mut Object<'_>, choice: &Choice) -> Aggregation {
        let place = object.at;
        let strategy = object.get("aggregate").and_then(|node| {
            let what = "way to make results one";
            self.named(node, rule!("broadcast.aggregate"), what, &STRATEGIES)
        });
        let strategy = strategy.unwrap_or(Strategy::Select);
        let waiting = object
            .get("wait")
            .and_then(|node| self.named(node, rule!("broadcast.wait"), "way to wait", &WAITS));
        let waiting = waiting.unwrap_or(Waiting::All);
        let quorum = self.share(object, "quorum", rule!("broadcast.quorum"));
        let threshold = self.share(object, "threshold", rule!("broadcast.threshold"));
        let least = self.number_of(
            object,
            "minResults",
            rule!("broadcast.minResults"),
            limits::AWARDS,
        );
        let confidence = self.share(
            object,
            "minResultConfidence",
            rule!("broadcast.minResultConfidence"),
        );
        let field = object.get("field").map(|node| self.way(node));
        let mut needed = |present: bool, rule, what: &str, hint: &str| {
            if !present {
                let problem = self.new_problem(place, rule, what);
                self.report(problem.hint(hint));
            }
        };
        let by_quorum = strategy == Strategy::Quorum || waiting == Waiting::Quorum;
        needed(
            !by_quorum || quorum.is_some(),
            rule!("broadcast.quorum"),
            "a quorum needs its share of the winners",
            "add `quorum: 0.5`",
        );
        needed(
            strategy != Strategy::Consensus || threshold.is_some(),
            rule!("broadcast.threshold"),
            "a consensus needs its share of the results",
            "add `threshold: 0.6`",
        );
        let least = least.unwrap_or(1);
        needed(
            least <= choice.awards,
            rule!("broadcast.minResults"),
            "no more results can be asked for than bids win",
            "raise `winners`",
        );
        Aggregation {
            strategy,
            waiting,
            quorum,
            threshold,
            min_results: least,
            confidence,
            field: field.unwrap_or_default(),
        }
    }

    /// The members on the way to a value: `risk.level`.
    fn way(&mut self, node: &Node) -> Vec<String> {
        const RULE: Rule = rule!("broadcast.field");
        let text = object::text(self, node, RULE).unwrap_or_default();
        let way: Vec<String> = text.split('.').map(str::to_owned).collect();
        if way.len() > limits::FIELD_DEPTH || way.iter().any(String::is_empty) {
            let what = format!("1 to {} members, with dots between", limits::FIELD_DEPTH);
            self.problem(node.at, RULE, what);
        }
        way
    }

    /// A currency and a price in millionths: `EUR 0.10`.
    pub(super) fn price(&mut self, node: &Node, rule: Rule) -> Option<(String, u64)> {
        let parts = node.text().and_then(|text| text.split_once(' '));
        let read = parts.and_then(|(currency, price)| {
            let letters =
                currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
            let price = millionths(price).filter(|_| letters)?;
            Some((currency.to_owned(), price))
        });
        if read.is_none() {
            let what = "a price is a currency of three upper-case letters and a number: EUR 0.10";
            self.problem(node.at, rule, what);
        }
        read
    }

    /// A share from 0 to 1, in millionths.
    pub(super) fn share(
        &mut self,
        object: &mut Object<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<u64> {
        let node = object.get(key)?;
        let read = match &node.data {
            Data::Scalar(Value::Number(number)) => millionths(&number.to_string()),
            _ => None,
        };
        let read = read.filter(|share| *share <= MILLION);
        if read.is_none() {
            let what = format!("`{key}` is a number from 0 to 1, of at most six decimal places");
            self.problem(node.at, rule, what);
        }
        read
    }

    fn number_of(
        &mut self,
        object: &mut Object<'_>,
        key: &'static str,
        rule: Rule,
        most: u64,
    ) -> Option<u64> {
        let node = object.get(key)?;
        self.count(node, rule, most)
    }

    pub(super) fn truth(&mut self, node: &Node, rule: Rule) -> Option<bool> {
        let read = match &node.data {
            Data::Scalar(value) => value.as_bool(),
            _ => None,
        };
        if read.is_none() {
            let what = format!("expected true or false, found {}", node.noun());
            self.problem(node.at, rule, what);
        }
        read
    }
}
