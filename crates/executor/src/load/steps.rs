//! The steps of composites and machines.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopAddress, limits};
use serde_json::Value;

use super::{
    body::hint,
    document::{Reader, Rule, rule},
    duration,
    node::{Data, Node},
    object::{self, Object},
};
use crate::{
    Backoff, Call, Category, Composite, Condition, Fallback, ForEach, Machine, Reference, Retry,
    Step, Work,
};

/// Steps in one composite, and branches in one step; more is refused.
const STEPS: usize = 256;
/// Calls of one `forEach` at a time, unless told.
const AT_A_TIME: u64 = 8;

/// What a step can refer to.
struct Before<'a> {
    /// How many steps are behind it.
    steps: usize,
    bindings: &'a [String],
    /// Whether it is called once for each item.
    items: bool,
}

impl Reader<'_> {
    pub(super) fn composite(&mut self, object: &mut Object<'_>) -> Option<Composite> {
        const RULE: Rule = rule!("composite.steps");
        let node = object.need(self, "composite", rule!("composite"))?;
        let mut object = Object::of(self, node, rule!("composite"))?;
        let steps = object.need(self, "steps", RULE);
        object.finish(self);
        let items = self.list(steps?, RULE)?;
        let mut bindings = Vec::new();
        let mut read = Vec::new();
        for (index, item) in items.iter().enumerate() {
            read.push(self.step(index, item, &mut bindings, true));
        }
        Some(Composite {
            steps: read.into_iter().collect::<Option<_>>()?,
        })
    }

    pub(super) fn machine(&mut self, object: &mut Object<'_>) -> Option<Machine> {
        let node = object.need(self, "machine", rule!("machine"))?;
        let origin = self.origin(node.at);
        let mut object = Object::of(self, node, rule!("machine"))?;
        let (loop_id, loop_version) = self.called(&mut object);
        let max_steps = object.get("maxSteps").map(|node| {
            let most = limits::MACHINE_STEPS;
            self.count(node, rule!("machine.maxSteps"), most)
        });
        let retry = self.retry(&mut object);
        let timeout_ms = self.span(&mut object, "timeout", rule!("machine.timeout"));
        object.finish(self);
        let max_steps = max_steps.unwrap_or(Some(limits::MACHINE_STEPS));
        Some(Machine {
            step: Call {
                loop_id: loop_id?,
                loop_version,
                input_mapping: None,
                for_each: None,
                retry,
                timeout_ms,
                fallback: None,
                origin,
            },
            max_steps: max_steps?,
        })
    }

    fn list<'n>(&mut self, node: &'n Node, rule: Rule) -> Option<&'n [Node]> {
        let Data::List(items) = &node.data else {
            let what = format!("expected a list, found {}", node.noun());
            self.problem(node.at, rule, what);
            return None;
        };
        if items.is_empty() || items.len() > STEPS {
            self.problem(node.at, rule, format!("here stand 1 to {STEPS} steps"));
        }
        Some(items)
    }

    fn step(
        &mut self,
        index: usize,
        node: &Node,
        bindings: &mut Vec<String>,
        whole: bool,
    ) -> Option<Step> {
        let mut object = Object::of(self, node, rule!("composite.steps"))?;
        object.know(&["loopId"]);
        let when = object
            .get("when")
            .and_then(|node| self.condition(node, index, bindings));
        let binding = object.text(self, "outputBinding", rule!("composite.outputBinding"));
        let parallel = whole.then(|| object.get("parallel")).flatten();
        let wait = whole.then(|| object.get("wait")).flatten();
        let work = match (parallel, wait) {
            (Some(node), None) => self.parallel(index, node, bindings).map(Work::Parallel),
            (None, Some(node)) => self
                .duration(node, rule!("composite.wait"), limits::RUN_MS)
                .map(|for_ms| Work::Wait { for_ms }),
            (Some(_), Some(_)) => {
                let what = "a step calls a loop, or has `parallel` steps, or a `wait`";
                self.problem(object.at, rule!("composite.steps"), what);
                None
            }
            (None, None) => self
                .call(index, &mut object, bindings)
                .map(|call| Work::Call(Box::new(call))),
        };
        bindings.extend(binding.map(str::to_owned));
        object.finish(self);
        Some(Step {
            work: work?,
            when,
            output_binding: binding.map(str::to_owned),
        })
    }

    /// Steps side by side see what was bound before them, and not each other.
    fn parallel(
        &mut self,
        index: usize,
        node: &Node,
        bindings: &mut Vec<String>,
    ) -> Option<Vec<Step>> {
        let items = self.list(node, rule!("composite.parallel"))?;
        let mut bound = Vec::new();
        let mut read = Vec::new();
        for item in items {
            let mut seen = bindings.clone();
            let before = seen.len();
            read.push(self.step(index, item, &mut seen, false));
            bound.extend(seen.drain(before..));
        }
        bindings.extend(bound);
        read.into_iter().collect()
    }

    fn call(&mut self, index: usize, object: &mut Object<'_>, bindings: &[String]) -> Option<Call> {
        let address = object.get("loopId").map_or(object.at, |node| node.at);
        let (loop_id, loop_version) = self.called(object);
        let for_each = object.get("forEach");
        let before = Before {
            steps: index,
            bindings,
            items: for_each.is_some(),
        };
        let for_each = for_each.map(|node| self.for_each(node, &before));
        let input_mapping = object
            .get("inputMapping")
            .map(|node| self.mapping(node, &before));
        let retry = self.retry(object);
        let timeout_ms = self.span(object, "timeout", rule!("composite.timeout"));
        let fallback = object.get("fallback").map(|node| self.fallback(node));
        Some(Call {
            loop_id: loop_id?,
            loop_version,
            input_mapping,
            for_each: match for_each {
                Some(each) => Some(each?),
                None => None,
            },
            retry,
            timeout_ms,
            fallback: match fallback {
                Some(fallback) => Some(fallback?),
                None => None,
            },
            origin: self.origin(address),
        })
    }

    /// The loop that is called, and its version.
    fn called(&mut self, object: &mut Object<'_>) -> (Option<LoopAddress>, Option<String>) {
        const RULE: Rule = rule!("composite.loopId");
        let address = object.need(self, "loopId", RULE).and_then(|node| {
            let parsed = object::text(self, node, RULE)?.parse();
            parsed
                .map_err(|error| self.problem(node.at, RULE, format!("{error}")))
                .ok()
        });
        (address, self.step_version(object))
    }

    fn step_version(&mut self, object: &mut Object<'_>) -> Option<String> {
        let node = object.get("loopVersion")?;
        let text = object::text(self, node, rule!("composite.loopVersion"))?;
        if semver::VersionReq::parse(text).is_err() {
            let what = format!("`{text}` is neither a version nor a requirement such as ^1.2");
            self.problem(node.at, rule!("composite.loopVersion"), what);
        }
        Some(text.to_owned())
    }

    fn fallback(&mut self, node: &Node) -> Option<Fallback> {
        let mut object = Object::of(self, node, rule!("composite.fallback"))?;
        let (loop_id, loop_version) = self.called(&mut object);
        object.finish(self);
        Some(Fallback {
            loop_id: loop_id?,
            loop_version,
        })
    }

    /// `$.path` alone, or an object with more to say.
    fn for_each(&mut self, node: &Node, before: &Before<'_>) -> Option<ForEach> {
        const RULE: Rule = rule!("composite.forEach");
        let outside = Before {
            items: false,
            ..*before
        };
        if node.text().is_some() {
            return Some(ForEach {
                items: self.reference(node, RULE, &outside)?,
                concurrency: AT_A_TIME,
                keep_failures: false,
            });
        }
        let mut object = Object::of(self, node, RULE)?;
        let items = object.need(self, "items", RULE);
        let items = items.and_then(|node| self.reference(node, RULE, &outside));
        let concurrency = object.get("concurrency").map(|node| {
            let most = limits::ITEMS_AT_A_TIME;
            self.count(node, rule!("composite.forEach.concurrency"), most)
        });
        let on_failure = object.get("onFailure");
        let keep_failures = on_failure.map_or(Some(false), |node| {
            const RULE: Rule = rule!("composite.forEach.onFailure");
            match object::text(self, node, RULE)? {
                "stop" => Some(false),
                "keep" => Some(true),
                other => {
                    let what = format!("`{other}` is neither stop nor keep");
                    self.problem(node.at, RULE, what);
                    None
                }
            }
        });
        object.finish(self);
        Some(ForEach {
            items: items?,
            concurrency: concurrency.unwrap_or(Some(AT_A_TIME))?,
            keep_failures: keep_failures?,
        })
    }

    pub(super) fn retry(&mut self, object: &mut Object<'_>) -> Option<Retry> {
        let node = object.get("retry")?;
        let mut object = Object::of(self, node, rule!("retry"))?;
        let attempts = object.need(self, "attempts", rule!("retry.attempts"));
        let attempts =
            attempts.and_then(|node| self.count(node, rule!("retry.attempts"), limits::RETRIES));
        let backoff = object.get("backoff");
        let backoff = backoff.map_or(Some(Backoff::Exponential), |node| {
            let text = object::text(self, node, rule!("retry.backoff"))?;
            let mut known = Backoff::ALL.into_iter();
            let found = known.find(|known| known.name() == text);
            if found.is_none() {
                let what = format!("`{text}` is no way to back off");
                let names = Backoff::ALL.map(Backoff::name);
                let problem = self.new_problem(node.at, rule!("retry.backoff"), what);
                self.report(problem.hint(hint(text, &names)));
            }
            found
        });
        let delay_ms = self.span(&mut object, "delay", rule!("retry.delay"));
        let max_delay_ms = self.span(&mut object, "maxDelay", rule!("retry.maxDelay"));
        let on = object.get("on").map(|node| self.categories(node));
        object.finish(self);
        let delay_ms = delay_ms.unwrap_or(Retry::DELAY_MS);
        Some(Retry {
            attempts: attempts?,
            backoff: backoff?,
            delay_ms,
            max_delay_ms: max_delay_ms.unwrap_or(Retry::MAX_DELAY_MS.max(delay_ms)),
            on: on.unwrap_or_else(|| [Category::Transient].into()),
        })
    }

    fn categories(&mut self, node: &Node) -> BTreeSet<Category> {
        const RULE: Rule = rule!("retry.on");
        let texts = self.texts(node, RULE).unwrap_or_default();
        let names = Category::ALL.map(Category::name);
        let mut categories = BTreeSet::new();
        for text in texts {
            let mut known = Category::ALL.into_iter();
            match known.find(|known| known.name() == text) {
                Some(category) => drop(categories.insert(category)),
                None => {
                    let what = format!("`{text}` is no category of failures");
                    let problem = self.new_problem(node.at, RULE, what);
                    self.report(problem.hint(hint(&text, &names)));
                }
            }
        }
        categories
    }

    fn condition(&mut self, node: &Node, index: usize, bindings: &[String]) -> Option<Condition> {
        const RULE: Rule = rule!("composite.when");
        let condition: Condition = match object::text(self, node, RULE)?.parse() {
            Ok(condition) => condition,
            Err(error) => {
                self.problem(node.at, RULE, format!("{error}"));
                return None;
            }
        };
        for name in condition.bindings() {
            if !bindings.contains(&name) {
                let what = format!(
                    "`{name}` is not known: a condition sees `input`, `steps`, and what steps before \
                     step {index} bind"
                );
                self.problem(node.at, RULE, what);
            }
        }
        Some(condition)
    }

    fn mapping(&mut self, node: &Node, before: &Before<'_>) -> BTreeMap<String, Reference> {
        const RULE: Rule = rule!("composite.inputMapping");
        let mut mapping = BTreeMap::new();
        let Data::Map(members) = &node.data else {
            let what = format!("expected an object, found {}", node.noun());
            self.problem(node.at, RULE, what);
            return mapping;
        };
        for member in members {
            if let Some(reference) = self.reference(&member.value, RULE, before) {
                mapping.insert(member.key.clone(), reference);
            }
        }
        mapping
    }

    fn reference(&mut self, node: &Node, rule: Rule, before: &Before<'_>) -> Option<Reference> {
        let text = object::text(self, node, rule)?;
        match text.parse::<Reference>() {
            Ok(reference) => {
                if let Some(what) = too_early(&reference, before) {
                    self.problem(node.at, rule, what);
                }
                Some(reference)
            }
            Err(error) => {
                self.problem(node.at, rule, format!("`{text}`: {error}"));
                None
            }
        }
    }

    fn span(&mut self, object: &mut Object<'_>, key: &'static str, rule: Rule) -> Option<u64> {
        let node = object.get(key)?;
        self.duration(node, rule, limits::RUN_MS)
    }

    /// A duration from a millisecond to `most`, in milliseconds.
    pub(super) fn duration(&mut self, node: &Node, rule: Rule, most: u64) -> Option<u64> {
        match duration::parse(object::text(self, node, rule)?) {
            Ok(millis) if (1..=most).contains(&millis) => return Some(millis),
            Ok(_) => {
                let days = most / (24 * 60 * 60 * 1_000);
                self.problem(node.at, rule, format!("at least 1ms and at most {days}d"));
            }
            Err(error) => self.problem(node.at, rule, error.to_string()),
        }
        None
    }

    /// A whole number from one to `most`.
    pub(super) fn count(&mut self, node: &Node, rule: Rule, most: u64) -> Option<u64> {
        let number = match &node.data {
            Data::Scalar(value) => Value::as_u64(value),
            _ => None,
        };
        let fits = number.filter(|number| (1..=most).contains(number));
        if fits.is_none() {
            let what = format!("expected a whole number from 1 to {most}");
            self.problem(node.at, rule, what);
        }
        fits
    }
}

/// Why a reference cannot find anything in the step that makes it.
fn too_early(reference: &Reference, before: &Before<'_>) -> Option<String> {
    let index = before.steps;
    match (reference.step(), reference.binding()) {
        (Some(step), _) if step >= index => Some(format!(
            "`{reference}`: step {step} has not run before step {index}"
        )),
        (_, Some("item" | "index")) if before.items => None,
        (_, Some(name)) if !before.bindings.iter().any(|known| known == name) => Some(format!(
            "`{reference}`: no step before step {index} binds `{name}`"
        )),
        _ => None,
    }
}
