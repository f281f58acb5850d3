//! What a stack becomes: a composite, and a loop of kind `broadcast` for each part.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopAddress, LoopId, NameError, limits};
use serde_json::{Map, Value};

use super::{
    Joins, Part, Stack,
    members::members,
    order::{Arrangement, Source},
    settled::Settled,
};
use crate::{
    Body, Call, Composite, LoopLimits, Manifest, Origin, Problem, Reference, Retry, Step, Work,
};

/// Id of the loop that gives its input back.
const ECHO: &str = "echo";
/// What the steps before and after the parts are called.
const INTAKE: &str = "IN";
const OUTPUT: &str = "OUT";

impl Stack {
    pub(super) fn composite(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        (input, output): (Value, Value),
        joined: Option<Joins>,
    ) -> Manifest {
        let beside = [self.intake_ms, self.output_ms].into_iter().flatten();
        let mut lasts_ms = beside.fold(0, u64::saturating_add);
        let begins = self.intake_ms.and_then(|intake_ms| {
            let nothing = BTreeMap::new();
            self.phase(INTAKE, nothing, Some(intake_ms))
        });
        let mut steps: Vec<Step> = begins.into_iter().collect();
        for group in &arranged.groups {
            let of_group: Vec<Step> = group
                .iter()
                .filter_map(|part| self.step(parts, arranged, *part, &input))
                .collect();
            let spans = group
                .iter()
                .filter_map(|part| parts.get(*part))
                .map(|part| self.lasts_ms(part.part));
            lasts_ms = lasts_ms.saturating_add(spans.max().unwrap_or_default());
            match <[Step; 1]>::try_from(of_group) {
                Ok([step]) => steps.push(step),
                Err(of_group) => steps.push(Step {
                    work: Work::Parallel(of_group),
                    when: None,
                    output_binding: None,
                }),
            }
        }
        if let Some(joined) = joined {
            let mapping = joined.into_iter().filter_map(|(member, (source, needed))| {
                let reference = reference(parts, source, &member, needed)?;
                Some((member, reference))
            });
            steps.extend(self.phase(OUTPUT, mapping.collect(), self.output_ms));
        }
        Manifest {
            id: self.id.clone(),
            version: self.version.clone(),
            aliases: Vec::new(),
            capabilities: BTreeSet::new(),
            description: self.description.clone(),
            input_schema: input,
            output_schema: output,
            effects: None,
            limits: LoopLimits {
                timeout_ms: lasts_ms.clamp(1, limits::RUN_MS),
                ..LoopLimits::default()
            },
            retry: None,
            approval: None,
            asks: None,
            body: Body::Composite(Composite { steps }),
            bid: None,
            budget: realm_protocol::budget::Budget::default(),
            state: None,
            needs: Vec::new(),
            metadata: self.metadata.clone(),
            origin: self.origin.clone(),
        }
    }

    /// A step beside the parts, which must end within its time.
    fn phase(
        &self,
        name: &str,
        mapping: BTreeMap<String, Reference>,
        timeout_ms: Option<u64>,
    ) -> Option<Step> {
        let echo = call(ECHO, Some(mapping), None, &self.origin)?;
        Some(Step {
            work: Work::Call(Box::new(Call { timeout_ms, ..echo })),
            when: None,
            output_binding: Some(name.to_owned()),
        })
    }

    fn step(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        number: usize,
        input: &Value,
    ) -> Option<Step> {
        let part = parts.get(number)?;
        let taken = members(&part.contract.input);
        let sources = arranged.sources.get(number)?;
        let mut mapping = BTreeMap::new();
        for (member, _, needed) in &taken {
            if let Some(source) = sources.get(member) {
                mapping.insert(member.clone(), reference(parts, *source, member, *needed)?);
            }
        }
        if taken.is_empty() {
            mapping = self.everything_before(parts, arranged, number, input)?;
        }
        let mapping = (!mapping.is_empty() || !taken.is_empty()).then_some(mapping);
        let id = self.part_id(part.part);
        let call = call(&id, mapping, self.retry.clone(), &part.part.origin)?;
        Some(Step {
            work: Work::Call(Box::new(call)),
            when: part.part.when.clone(),
            output_binding: Some(part.binding.clone()),
        })
    }

    /// What a part gets whose schema names nothing: the input, and all that was given before.
    fn everything_before(
        &self,
        parts: &[Settled<'_>],
        arranged: &Arrangement,
        number: usize,
        input: &Value,
    ) -> Option<BTreeMap<String, Reference>> {
        let before = arranged
            .groups
            .iter()
            .take_while(|group| !group.contains(&number));
        let before: Vec<usize> = before.flatten().copied().collect();
        let mut all = BTreeMap::new();
        if before.is_empty() {
            return Some(all);
        }
        for (member, ..) in members(input) {
            let found = reference(parts, Source::Input, &member, false)?;
            all.insert(member, found);
        }
        for giver in before {
            for member in parts.get(giver)?.gives() {
                let found = reference(parts, Source::Part(giver), &member, false)?;
                all.insert(member, found);
            }
        }
        Some(all)
    }

    pub(super) fn announced(&self, part: &Settled<'_>) -> Result<Manifest, Problem> {
        let id = self.part_id(part.part);
        let broadcast = part.broadcast.clone();
        let id: LoopId = id.parse().map_err(|error: NameError| {
            Problem::at(&part.part.origin, "stack.name", error.to_string())
        })?;
        let body = Body::Broadcast(Box::new(broadcast));
        Ok(Manifest {
            id,
            version: self.version.clone(),
            aliases: Vec::new(),
            capabilities: BTreeSet::new(),
            description: None,
            input_schema: part.contract.input.clone(),
            output_schema: part.output.clone(),
            effects: Some(part.effects),
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
            origin: part.part.origin.clone(),
        })
    }

    fn part_id(&self, part: &Part) -> String {
        format!("{}/{}", self.id, part.name)
    }

    /// Milliseconds that a part may take with all its attempts.
    fn lasts_ms(&self, part: &Part) -> u64 {
        let once = part.broadcast.lasts_ms();
        let Some(retry) = &self.retry else {
            return once;
        };
        let pauses = (2..=retry.attempts).map(|attempt| retry.pause_ms(attempt));
        let pauses = pauses.fold(0, u64::saturating_add);
        once.saturating_mul(retry.attempts).saturating_add(pauses)
    }
}

fn reference(
    parts: &[Settled<'_>],
    source: Source,
    member: &str,
    needed: bool,
) -> Option<Reference> {
    let path = match source {
        Source::Input => format!("$.input.{member}"),
        Source::Part(giver) => {
            let part = parts.get(giver)?;
            match members(&part.output).is_empty() {
                true => format!("$.{}", part.binding),
                false => format!("$.{}.{member}", part.binding),
            }
        }
    };
    let mark = if needed { "" } else { "?" };
    format!("{path}{mark}").parse().ok()
}

fn call(
    id: &str,
    input_mapping: Option<BTreeMap<String, Reference>>,
    retry: Option<Retry>,
    origin: &Origin,
) -> Option<Call> {
    Some(Call {
        loop_id: LoopAddress {
            loop_id: id.parse().ok()?,
            realm: None,
        },
        loop_version: None,
        digest: None,
        input_mapping,
        for_each: None,
        retry,
        timeout_ms: None,
        fallback: None,
        budget: realm_protocol::budget::Budget::default(),
        approval: None,
        origin: origin.clone(),
    })
}
