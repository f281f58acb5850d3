//! Parts of a stack whose contract is known.

use std::collections::BTreeSet;

use realm_protocol::{LoopId, broadcast::Strategy};
use serde_json::{Value, json};

use super::{
    Part, PartContract,
    members::{members, never_meet, never_one},
    order::Flow,
};
use crate::{Broadcast, Effects, Manifest, Origin, Problem, manifest::broadcast::list_of};

/// A part whose contract is known.
pub(super) struct Settled<'a> {
    pub(super) part: &'a Part,
    /// What later steps call its output by.
    pub(super) binding: String,
    pub(super) contract: PartContract,
    /// What the part gives, with all winners' results made one.
    pub(super) output: Value,
    pub(super) effects: Effects,
    /// How it is announced.
    pub(super) broadcast: Broadcast,
}

impl Settled<'_> {
    pub(super) fn flow(&self) -> Flow {
        let takes = members(&self.contract.input).into_iter();
        Flow {
            takes: takes.map(|(name, _, needed)| (name, needed)).collect(),
            gives: self.gives(),
        }
    }

    /// The members of its output; an output without any goes by the part's name.
    pub(super) fn gives(&self) -> BTreeSet<String> {
        let named = members(&self.output).into_iter().map(|(name, ..)| name);
        let named: BTreeSet<String> = named.collect();
        if named.is_empty() {
            [self.binding.clone()].into()
        } else {
            named
        }
    }
}

/// Finds what a part takes and gives.
pub(super) fn settle<'a>(
    part: &'a Part,
    able: &[(&Manifest, Effects)],
) -> Result<Settled<'a>, Problem> {
    let contract = match &part.contract {
        Some(contract) => contract.clone(),
        None => contract_of(part, able)?,
    };
    let output = match part.broadcast.gives_list() {
        true => list_of(&contract.output),
        false => contract.output.clone(),
    };
    Ok(Settled {
        broadcast: counted(&part.name, &part.broadcast, &contract, &part.origin)?,
        binding: binding(&part.name),
        effects: contract.effects.unwrap_or(Effects::Idempotent),
        output,
        contract,
        part,
    })
}

/// The announced work as [`with_number`] has it, if what its winners give can be made one.
pub(crate) fn counted(
    name: &str,
    broadcast: &Broadcast,
    contract: &PartContract,
    origin: &Origin,
) -> Result<Broadcast, Problem> {
    let broadcast = with_number(name, broadcast, contract, origin)?;
    match never_one(&broadcast.aggregation, &contract.output) {
        None => Ok(broadcast),
        Some(why) => {
            let what = format!("results of `{name}` can never be made one: {why}");
            let problem = Problem::at(origin, "stack.aggregation", what);
            Err(problem.hint("change the strategy, or the output of those who have the capability"))
        }
    }
}

/// The announced work, with the member that numbers are taken from where they are counted: the only
/// number in an object, whatever is said of how sure somebody is.
fn with_number(
    name: &str,
    broadcast: &Broadcast,
    contract: &PartContract,
    origin: &Origin,
) -> Result<Broadcast, Problem> {
    let mut broadcast = broadcast.clone();
    let aggregation = &mut broadcast.aggregation;
    let counts = matches!(
        aggregation.strategy,
        Strategy::Average | Strategy::WeightedAverage | Strategy::Sum | Strategy::Rank
    );
    let named = members(&contract.output);
    if !counts || !aggregation.field.is_empty() || named.is_empty() {
        return Ok(broadcast);
    }
    let number = json!({"type": "number"});
    let is_number = |(name, schema, _): &&(String, Value, bool)| {
        name != "confidence" && schema.get("type").is_some() && !never_meet(schema, &number)
    };
    let numbers: Vec<&str> = named
        .iter()
        .filter(is_number)
        .map(|(name, ..)| name.as_str())
        .collect();
    match numbers.as_slice() {
        [only] => aggregation.field = vec![(*only).to_owned()],
        several => {
            let what = format!(
                "`{name}` counts a number, and its output has {}",
                match several {
                    [] => "none".to_owned(),
                    several => several.join(", "),
                }
            );
            let problem = Problem::at(origin, "stack.aggregation", what);
            return Err(problem.hint("let the output have one number beside `confidence`"));
        }
    }
    Ok(broadcast)
}

/// What the loops say that have a part's capabilities.
fn contract_of(part: &Part, able: &[(&Manifest, Effects)]) -> Result<PartContract, Problem> {
    let needed = &part.broadcast.capabilities;
    let has_all = |known: &Manifest| needed.iter().all(|name| known.capabilities.contains(name));
    let mut found = able.iter().filter(|(known, _)| has_all(known));
    let names: Vec<&str> = needed.iter().map(LoopId::as_str).collect();
    let names = names.join(", ");
    let Some((first, effects)) = found.next() else {
        let known: BTreeSet<&str> = able
            .iter()
            .flat_map(|(known, _)| known.capabilities.iter())
            .map(LoopId::as_str)
            .collect();
        let known: Vec<&str> = known.into_iter().collect();
        let what = format!("unknown capability: no loop of this realm has `{names}`");
        let hint = match known.is_empty() {
            true => "apply an agent that declares it (`capabilities:`); its schemas are what is announced".to_owned(),
            false => format!("known: {}; apply an agent that declares it; `realmctl loop ls` lists loops", known.join(", ")),
        };
        return Err(Problem::at(&part.origin, "stack.capability", what).hint(hint));
    };
    let mut strongest = *effects;
    for (other, effects) in found {
        if other.input_schema != first.input_schema || other.output_schema != first.output_schema {
            let what = format!(
                "`{}` and `{}` both have `{names}`, with different schemas",
                first.id, other.id
            );
            let hint = "give both the same schemas, or one of them another capability";
            return Err(Problem::at(&part.origin, "stack.capability", what).hint(hint));
        }
        strongest = strongest.max(*effects);
    }
    Ok(PartContract {
        input: first.input_schema.clone(),
        output: first.output_schema.clone(),
        effects: Some(strongest),
    })
}

/// A name that references and conditions can use.
pub(crate) fn binding(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    let mut text: String = name.chars().map(plain).collect();
    if text.starts_with(|first: char| first.is_ascii_digit())
        || ["input", "steps", "item", "index"].contains(&text.as_str())
    {
        text.insert(0, '_');
    }
    text
}
