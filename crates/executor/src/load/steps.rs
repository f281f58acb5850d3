//! The steps of composites and machines.

use realm_protocol::{LoopAddress, limits};

use super::{
    document::{Reader, Rule, rule},
    node::Node,
    object::{self, Object},
    references::Before,
};
use crate::{Call, Composite, Fallback, ForEach, Machine, Step, Work};

/// Steps in one composite, and branches in one step; more is refused.
const STEPS: usize = 256;
/// Calls of one `forEach` at a time, unless told.
const AT_A_TIME: u64 = 8;

/// Each member is read before any is missed, so that all problems come at once. What does not read is
/// a problem and then as good as absent: nothing of a file with problems is taken.
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
        let max_steps = object.get("maxSteps").and_then(|node| {
            let most = limits::MACHINE_STEPS;
            self.count(node, rule!("machine.maxSteps"), most)
        });
        let retry = self.retry(&mut object);
        let timeout_ms = self.span(&mut object, "timeout", rule!("machine.timeout"));
        let budget = self.budget(&mut object);
        let approval = self.approval(&mut object);
        object.finish(self);
        Some(Machine {
            step: Call {
                loop_id: loop_id?,
                loop_version,
                digest: None,
                input_mapping: None,
                for_each: None,
                retry,
                timeout_ms,
                fallback: None,
                budget,
                approval,
                origin,
            },
            max_steps: max_steps.unwrap_or(limits::MACHINE_STEPS),
        })
    }

    fn list<'n>(&mut self, node: &'n Node, rule: Rule) -> Option<&'n [Node]> {
        let items = self.items(node, rule)?;
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
        let for_each = for_each.and_then(|node| self.for_each(node, &before));
        let input_mapping = object
            .get("inputMapping")
            .map(|node| self.mapping(node, &before));
        let retry = self.retry(object);
        let timeout_ms = self.span(object, "timeout", rule!("composite.timeout"));
        let fallback = object.get("fallback");
        let fallback = fallback.and_then(|node| self.fallback(node));
        let budget = self.budget(object);
        let approval = self.approval(object);
        Some(Call {
            loop_id: loop_id?,
            loop_version,
            digest: None,
            input_mapping,
            for_each,
            retry,
            timeout_ms,
            fallback,
            budget,
            approval,
            origin: self.origin(address),
        })
    }

    /// The loop that is called, and its version.
    fn called(&mut self, object: &mut Object<'_>) -> (Option<LoopAddress>, Option<String>) {
        const RULE: Rule = rule!("composite.loopId");
        let address = object.need(self, "loopId", RULE);
        let address = address.and_then(|node| self.parsed(node, RULE));
        (address, self.step_version(object))
    }

    pub(super) fn step_version(&mut self, object: &mut Object<'_>) -> Option<String> {
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
        let concurrency = object.get("concurrency").and_then(|node| {
            let most = limits::ITEMS_AT_A_TIME;
            self.count(node, rule!("composite.forEach.concurrency"), most)
        });
        let keep_failures = object.get("onFailure").and_then(|node| {
            let known = [("stop", false), ("keep", true)];
            let rule = rule!("composite.forEach.onFailure");
            self.named(node, rule, "answer to a failure", &known)
        });
        object.finish(self);
        Some(ForEach {
            items: items?,
            concurrency: concurrency.unwrap_or(AT_A_TIME),
            keep_failures: keep_failures.unwrap_or_default(),
        })
    }
}
