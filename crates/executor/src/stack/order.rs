//! In which order the parts of a stack run, and where each member of their inputs comes from.

use std::collections::{BTreeMap, BTreeSet};

/// How the parts of a stack run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One after the other, as they are written.
    Sequential,
    /// All side by side.
    Parallel,
    /// As their schemas imply: who needs what another gives runs after it, others side by side.
    Adaptive,
}

/// What a part takes and gives, by member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// The members of its input, and whether it cannot do without.
    pub(super) takes: BTreeMap<String, bool>,
    /// The members of its output.
    pub(super) gives: BTreeSet<String>,
}

/// Members that are there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// These.
    Named(BTreeSet<String>),
    /// Nobody says which: any may be.
    Open,
}

/// Where a member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The stack's own input.
    Input,
    /// The output of a part.
    Part(usize),
}

/// The parts in the order in which they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// Those that run side by side, one group after the other.
    pub(super) groups: Vec<Vec<usize>>,
    /// By part, where each member that it gets comes from.
    pub(super) sources: Vec<BTreeMap<String, Source>>,
}

/// Why parts cannot run in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OrderError {
    /// Nobody gives what a part needs.
    Missing { part: usize, member: String },
    /// Who gives what a part needs runs after it.
    Later {
        part: usize,
        member: String,
        giver: usize,
    },
    /// Who gives what a part needs runs beside it.
    Beside {
        part: usize,
        member: String,
        giver: usize,
    },
    /// Each of these needs what another of them gives.
    Circle(Vec<usize>),
}

/// Puts parts into an order, so that each finds what it takes.
///
/// Under [`Order::Adaptive`] what the input has is taken from there and everything else from the first
/// part that gives it; under [`Order::Sequential`] the part that gave it last counts before the input.
pub(super) fn arrange(
    order: Order,
    input: &Given,
    flows: &[Flow],
) -> Result<Arrangement, Vec<OrderError>> {
    let mut errors = Vec::new();
    let mut sources = Vec::new();
    for (part, flow) in flows.iter().enumerate() {
        let mut found = BTreeMap::new();
        for (member, needed) in &flow.takes {
            match source(order, input, flows, part, member) {
                Ok(source) => drop(found.insert(member.clone(), source)),
                Err(error) if *needed => errors.push(error),
                Err(_) => {}
            }
        }
        sources.push(found);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let all = 0..flows.len();
    let groups = match order {
        Order::Sequential => all.map(|part| vec![part]).collect(),
        Order::Parallel => vec![all.collect()],
        Order::Adaptive => adapt(input, flows, &mut sources).map_err(|circle| vec![circle])?,
    };
    Ok(Arrangement { groups, sources })
}

/// Where a member of a part's input comes from, as far as that depends on no other part's order.
fn source(
    order: Order,
    input: &Given,
    flows: &[Flow],
    part: usize,
    member: &str,
) -> Result<Source, OrderError> {
    let mut givers = flows.iter().enumerate();
    let gives = |(_, flow): &(usize, &Flow)| flow.gives.contains(member);
    let named = matches!(input, Given::Named(members) if members.contains(member));
    let open = *input == Given::Open;
    let member = member.to_owned();
    match order {
        Order::Sequential => {
            let (before, after) = flows.split_at_checked(part).unwrap_or((flows, &[]));
            let latest = before.iter().enumerate().rev().find(gives);
            let later = after
                .iter()
                .skip(1)
                .position(|flow| flow.gives.contains(&member));
            match (latest, later) {
                (Some((giver, _)), _) => Ok(Source::Part(giver)),
                (None, _) if named || open => Ok(Source::Input),
                (None, Some(later)) => Err(OrderError::Later {
                    part,
                    member,
                    giver: part.saturating_add(later).saturating_add(1),
                }),
                (None, None) => Err(OrderError::Missing { part, member }),
            }
        }
        Order::Parallel if named || open => Ok(Source::Input),
        Order::Parallel => Err(match givers.find(gives) {
            Some((giver, _)) if giver != part => OrderError::Beside {
                part,
                member,
                giver,
            },
            _ => OrderError::Missing { part, member },
        }),
        Order::Adaptive if named => Ok(Source::Input),
        Order::Adaptive => match givers.find(|giver| giver.0 != part && gives(giver)) {
            Some((giver, _)) => Ok(Source::Part(giver)),
            None if open => Ok(Source::Input),
            None => Err(OrderError::Missing { part, member }),
        },
    }
}

/// The groups that sources imply. What a part could do without is left out where waiting for it would
/// lead into a circle.
fn adapt(
    input: &Given,
    flows: &[Flow],
    sources: &mut [BTreeMap<String, Source>],
) -> Result<Vec<Vec<usize>>, OrderError> {
    let mut after: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); flows.len()];
    for needed in [true, false] {
        for (part, flow) in flows.iter().enumerate() {
            let Some(found) = sources.get_mut(part) else {
                continue;
            };
            let wanted = flow.takes.iter().filter(|(_, strict)| **strict == needed);
            for (member, _) in wanted {
                let Some(Source::Part(giver)) = found.get(member).copied() else {
                    continue;
                };
                if needed || !leads_to(&after, giver, part) {
                    after.get_mut(part).map(|of| of.insert(giver));
                } else if *input == Given::Open {
                    found.insert(member.clone(), Source::Input);
                } else {
                    found.remove(member);
                }
            }
        }
    }
    let mut groups = Vec::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    while done.len() < flows.len() {
        let waiting = after
            .iter()
            .enumerate()
            .filter(|(part, _)| !done.contains(part));
        let ready = waiting.filter(|(_, of)| of.is_subset(&done));
        let ready: Vec<usize> = ready.map(|(part, _)| part).collect();
        if ready.is_empty() {
            return Err(OrderError::Circle(circle(&after, &done)));
        }
        done.extend(&ready);
        groups.push(ready);
    }
    Ok(groups)
}

/// Whether a part runs after another, over any number of others.
fn leads_to(after: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(part) = waiting.pop() {
        if part == to {
            return true;
        }
        if seen.insert(part) {
            waiting.extend(after.get(part).into_iter().flatten());
        }
    }
    false
}

/// The parts that wait for each other, among those that are not done.
fn circle(after: &[BTreeSet<usize>], done: &BTreeSet<usize>) -> Vec<usize> {
    let waiting = (0..after.len()).filter(|part| !done.contains(part));
    let in_circle = waiting.filter(|part| {
        let givers = after.get(*part).into_iter().flatten();
        givers
            .into_iter()
            .any(|giver| leads_to(after, *giver, *part))
    });
    in_circle.collect()
}

#[cfg(test)]
mod tests;
