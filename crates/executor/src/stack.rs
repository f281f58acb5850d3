//! Stacks of others' formats, IN → BID → DO → OUT: each becomes a composite whose steps are loops of
//! kind `broadcast`, one a part, and nothing of its own form is left.
//!
//! Its own input and output are the composite's. What a part takes and gives comes from the loops that
//! have its capabilities, and [`Order`] says when it runs. A stack whose parts cannot find what they
//! take, or whose output nobody can give, is refused before it ever runs.

mod made;
pub(crate) mod members;
mod order;
mod settled;

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::LoopId;
use serde_json::{Map, Value};

use crate::{Broadcast, Condition, Effects, Manifest, Origin, Problem, Registry, Retry};
use members::{members, never_meet, object_of};
pub use order::Order;
use order::{Arrangement, Flow, Given, OrderError, Source, arrange};
use settled::{Settled, settle};
pub(crate) use settled::{binding, counted};

/// A stack as it was written, before the loops that have its capabilities are looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Its name.
    pub(crate) id: LoopId,
    /// Its version.
    pub(crate) version: semver::Version,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// JSON Schema of what it takes; none for what its parts take and none of them gives.
    pub(crate) input: Option<Value>,
    /// JSON Schema of what it gives; none for what its last part gives.
    pub(crate) output: Option<Value>,
    /// Its parts, in the order in which they are written.
    pub(crate) parts: Vec<Part>,
    /// The order in which they run.
    pub(crate) order: Order,
    /// How their outputs become its own.
    pub(crate) joined: Joined,
    /// What of a part's work is announced again.
    pub(crate) retry: Option<Retry>,
    /// Milliseconds from the beginning to the first part; none where nothing is said of that.
    pub(crate) intake_ms: Option<u64>,
    /// Milliseconds from the last part to the output; none where nothing is said of that.
    pub(crate) output_ms: Option<u64>,
    /// What else its author says.
    pub(crate) metadata: Map<String, Value>,
    /// Where it was written.
    pub(crate) origin: Origin,
}

/// How the outputs of parts become the stack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// Their members together; of two that are called alike the later part's.
    Merged,
    /// The last part's that gives what is needed.
    Last,
}

/// One part of a stack: work that is announced.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// Its name, as it was written.
    pub(crate) name: String,
    /// What it takes and gives; none for what the loops say that have its capabilities.
    pub(crate) contract: Option<PartContract>,
    /// How it is announced.
    pub(crate) broadcast: Broadcast,
    /// It runs only where this holds.
    pub(crate) when: Option<Condition>,
    /// Where it was written.
    pub(crate) origin: Origin,
}

/// What a part takes, and what one winner gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartContract {
    pub(crate) input: Value,
    pub(crate) output: Value,
    pub(crate) effects: Option<Effects>,
}

/// Where each member of the output comes from, and whether the output needs it.
type Joins = BTreeMap<String, (Source, bool)>;

impl Registry {
    /// Makes composites and broadcasts of stacks. Their capabilities are those of loops here, and of
    /// `new` ones that are about to be registered with them.
    ///
    /// # Errors
    /// Every capability that nobody here has, and every stack that cannot work.
    pub fn plan_stacks(
        &self,
        stacks: &[Stack],
        new: &[Manifest],
    ) -> Result<Vec<Manifest>, Vec<Problem>> {
        let kept = self.iter().map(|known| (&*known.manifest, known.effects));
        let kept = kept.filter(|(known, _)| !new.iter().any(|new| new.id == known.id));
        let able: Vec<(&Manifest, Effects)> = kept
            .chain(new.iter().map(|new| (new, new.own_effects())))
            .filter(|(known, _)| !known.capabilities.is_empty())
            .collect();
        let mut loops = Vec::new();
        let mut problems = Vec::new();
        for stack in stacks {
            match stack.plan(&able) {
                Ok(planned) => loops.extend(planned),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(loops)
        } else {
            Err(problems)
        }
    }
}

impl Stack {
    /// The composite, and a broadcast for each part.
    fn plan(&self, able: &[(&Manifest, Effects)]) -> Result<Vec<Manifest>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut settled = Vec::new();
        for part in &self.parts {
            match settle(part, able) {
                Ok(found) => settled.push(found),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.check_names(&settled)?;
        let flows: Vec<Flow> = settled.iter().map(Settled::flow).collect();
        let given = self.given();
        let arranged = arrange(self.order, &given, &flows)
            .map_err(|errors| self.order_problems(&settled, errors))?;
        let input = self.input.clone();
        let input = input.unwrap_or_else(|| derived_input(&settled, &arranged));
        self.check_types(&settled, &arranged, &input)?;
        let output = self.output.clone().or_else(|| {
            let last = arranged.groups.last()?.last()?;
            settled.get(*last).map(|part| part.output.clone())
        });
        let output = output.unwrap_or(Value::Bool(true));
        let joined = self.joined(&settled, &arranged, (&input, &output))?;
        let mut loops = vec![self.composite(&settled, &arranged, (input, output), joined)];
        for part in &settled {
            loops.push(self.announced(part).map_err(|problem| vec![problem])?);
        }
        Ok(loops)
    }

    /// References reach every member by its name.
    fn check_names(&self, parts: &[Settled<'_>]) -> Result<(), Vec<Problem>> {
        let own = [self.input.as_ref(), self.output.as_ref()];
        let own = own
            .into_iter()
            .flatten()
            .map(|schema| (schema, &self.origin));
        let of_parts = parts.iter().flat_map(|part| {
            let schemas = [&part.contract.input, &part.contract.output];
            schemas.map(|schema| (schema, &part.part.origin))
        });
        let twice = parts.iter().enumerate().filter_map(|(at, part)| {
            let mut before = parts.iter().take(at);
            let other = before.find(|other| other.binding == part.binding)?;
            let what = format!(
                "`{}` and `{}` are both called `{}` by references",
                other.part.name, part.part.name, part.binding
            );
            let problem = Problem::at(&part.part.origin, "stack.member", what);
            Some(problem.hint("give one of the two another name"))
        });
        let unreachable = own.chain(of_parts).flat_map(|(schema, origin)| {
            let names = members(schema).into_iter().map(|(name, ..)| name);
            let unreachable =
                names.filter(|name| name.is_empty() || name.contains(['.', '[', ']', '?']));
            unreachable.map(|name| {
                let what = format!("no reference reaches a member called `{name}`");
                Problem::at(origin, "stack.member", what)
                    .hint("name it without `.`, `[`, `]` and `?`")
            })
        });
        let problems: Vec<Problem> = twice.chain(unreachable).collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// What is there from the beginning.
    fn given(&self) -> Given {
        let named = self.input.as_ref().map(members).unwrap_or_default();
        match named.is_empty() {
            true => Given::Open,
            false => Given::Named(named.into_iter().map(|(name, ..)| name).collect()),
        }
    }

    fn order_problems(&self, parts: &[Settled<'_>], errors: Vec<OrderError>) -> Vec<Problem> {
        let name = |part: usize| parts.get(part).map_or("", |part| part.part.name.as_str());
        let problem = |part: usize, what: String| {
            let origin = parts
                .get(part)
                .map_or(&self.origin, |part| &part.part.origin);
            Problem::at(origin, "stack.order", what)
        };
        let told = errors.into_iter().map(|error| match error {
            OrderError::Missing { part, member } => {
                let what = format!(
                    "`{}` needs `{member}`, which neither the input of `{}` nor another part gives",
                    name(part),
                    self.id
                );
                problem(part, what).hint(format!("add `{member}` to the input schema"))
            }
            OrderError::Later {
                part,
                member,
                giver,
            } => {
                let (part_name, giver) = (name(part), name(giver));
                let what =
                    format!("`{part_name}` needs `{member}`, which `{giver}` gives after it");
                problem(part, what).hint(format!("write `{giver}` before `{part_name}`"))
            }
            OrderError::Beside {
                part,
                member,
                giver,
            } => {
                let what = format!(
                    "`{}` needs `{member}`, which `{}` gives beside it",
                    name(part),
                    name(giver)
                );
                problem(part, what).hint("write `parallelism: adaptive`")
            }
            OrderError::Circle(parts) => {
                let names: Vec<String> = parts
                    .iter()
                    .map(|part| format!("`{}`", name(*part)))
                    .collect();
                let first = parts.first().copied().unwrap_or_default();
                let what = format!("{} each need what another of them gives", names.join(", "));
                problem(first, what).hint("give one of them what it needs with the input")
            }
        });
        told.collect()
    }

    /// No part is given what its schema can never accept.
    fn check_types(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        input: &Value,
    ) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for (part, sources) in parts.iter().zip(&arranged.sources) {
            for (member, taken, _) in members(&part.contract.input) {
                let Some(source) = sources.get(&member) else {
                    continue;
                };
                let (giver, given) = member_of(parts, input, *source, &member);
                if given
                    .as_ref()
                    .is_some_and(|given| never_meet(given, &taken))
                {
                    let what = format!(
                        "`{}` takes `{member}` as {}, and {giver} gives it as {}",
                        part.part.name,
                        short(&taken),
                        short(&given.unwrap_or_default()),
                    );
                    let problem = Problem::at(&part.part.origin, "stack.input", what);
                    problems.push(problem.hint("change one of the two schemas"));
                }
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Where the members of the output come from; none for the whole output of the last part.
    fn joined(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        (input, output): (&Value, &Value),
    ) -> Result<Option<Joins>, Vec<Problem>> {
        let wanted = members(output);
        let candidates = self.candidates(parts, arranged, &wanted);
        let alone = arranged.groups.last().map(Vec::as_slice);
        let whole = self.output.is_none() || wanted.is_empty() && candidates.len() == 1;
        if whole && alone.is_some_and(|last| last.len() == 1 && candidates.ends_with(last)) {
            let last = candidates.last().and_then(|last| parts.get(*last));
            let clash = last.filter(|last| never_meet(&last.output, output));
            return clash.map_or(Ok(None), |last| Err(vec![self.whole_clash(last, output)]));
        }
        let given = || candidates.iter().filter_map(|part| parts.get(*part));
        let given: BTreeSet<String> = given().flat_map(Settled::gives).collect();
        let names = match wanted.is_empty() {
            false => wanted,
            true => {
                let all = given.iter().cloned();
                all.map(|name| (name, Value::Bool(true), false)).collect()
            }
        };
        let mut found = Joins::new();
        let mut problems = Vec::new();
        for (member, taken, needed) in names {
            match output_source(parts, &candidates, input, &member) {
                Some(source) => {
                    problems.extend(self.output_clash(parts, input, source, (&member, &taken)));
                    found.insert(member, (source, needed));
                }
                None if needed => {
                    let what = format!(
                        "the output of `{}` needs `{member}`, which no part gives",
                        self.id
                    );
                    let given: Vec<&str> = given.iter().map(String::as_str).collect();
                    let hint = format!("given are: {}", given.join(", "));
                    problems.push(Problem::at(&self.origin, "stack.output", what).hint(hint));
                }
                None => {}
            }
        }
        if problems.is_empty() {
            Ok(Some(found))
        } else {
            Err(problems)
        }
    }

    /// The parts whose outputs are part of the stack's, in the order in which they run.
    fn candidates(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        wanted: &[(String, Value, bool)],
    ) -> Vec<usize> {
        let order: Vec<usize> = arranged.groups.iter().flatten().copied().collect();
        if self.joined == Joined::Merged {
            return order;
        }
        let gives_all = |part: &&usize| {
            let gives = parts.get(**part).map(Settled::gives).unwrap_or_default();
            let mut needed = wanted.iter().filter(|(_, _, needed)| *needed);
            needed.all(|(member, ..)| gives.contains(member))
        };
        let chosen = order.iter().rev().find(gives_all);
        chosen.or(order.last()).copied().into_iter().collect()
    }

    fn whole_clash(&self, last: &Settled<'_>, output: &Value) -> Problem {
        let what = format!(
            "the output of `{}` is {}, and `{}` gives {}",
            self.id,
            short(output),
            last.part.name,
            short(&last.output),
        );
        Problem::at(&self.origin, "stack.output", what).hint("change one of the two schemas")
    }

    fn output_clash(
        &self,
        parts: &[Settled<'_>],
        input: &Value,
        source: Source,
        (member, taken): (&str, &Value),
    ) -> Option<Problem> {
        let (giver, given) = member_of(parts, input, source, member);
        let given = given.filter(|given| never_meet(given, taken))?;
        let what = format!(
            "the output of `{}` has `{member}` as {}, and {giver} gives it as {}",
            self.id,
            short(taken),
            short(&given),
        );
        let problem = Problem::at(&self.origin, "stack.output", what);
        Some(problem.hint("change one of the two schemas"))
    }
}

/// Where a member of the output comes from: the last part that gives it, or else the input.
fn output_source(
    parts: &[Settled<'_>],
    candidates: &[usize],
    input: &Value,
    member: &str,
) -> Option<Source> {
    let gives = |part: &&usize| {
        let part = parts.get(**part);
        part.is_some_and(|part| part.gives().contains(member))
    };
    let giver = candidates.iter().rev().find(gives);
    let named = || members(input).iter().any(|(name, ..)| name == member);
    match giver {
        Some(giver) => Some(Source::Part(*giver)),
        None => named().then_some(Source::Input),
    }
}

/// The input of a stack that does not say: what its parts take from it.
fn derived_input(parts: &[Settled<'_>], arranged: &Arrangement) -> Value {
    let mut found: Vec<(String, Value, bool)> = Vec::new();
    for (part, sources) in parts.iter().zip(&arranged.sources) {
        for (member, schema, needed) in members(&part.contract.input) {
            if sources.get(&member) != Some(&Source::Input) {
                continue;
            }
            match found.iter_mut().find(|(known, ..)| *known == member) {
                Some((.., strict)) => *strict |= needed,
                None => found.push((member, schema, needed)),
            }
        }
    }
    object_of(found)
}

/// Who gives a member, and what is said of it.
fn member_of(
    parts: &[Settled<'_>],
    input: &Value,
    source: Source,
    member: &str,
) -> (String, Option<Value>) {
    let (giver, schema) = match source {
        Source::Input => ("the input".to_owned(), Some(input)),
        Source::Part(giver) => {
            let part = parts.get(giver);
            let name = part.map_or(String::new(), |part| format!("`{}`", part.part.name));
            (name, part.map(|part| &part.output))
        }
    };
    let Some(schema) = schema else {
        return (giver, None);
    };
    let named = members(schema);
    if named.is_empty() && source != Source::Input {
        return (giver, Some(schema.clone()));
    }
    let found = named.into_iter().find(|(name, ..)| name == member);
    (giver, found.map(|(_, schema, _)| schema))
}

fn short(schema: &Value) -> String {
    let text = schema.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
