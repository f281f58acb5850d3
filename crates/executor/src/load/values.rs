//! Values that many members have: names, numbers, durations, lists.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use realm_protocol::limits;
use serde_json::Value;

use super::{
    document::{Reader, Rule},
    duration,
    node::{Data, Member, Node},
    object::{self, Object},
};

impl Reader<'_> {
    /// What a text reads as; one that does not read is a problem.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        node: &Node,
        rule: Rule,
    ) -> Option<T> {
        let parsed = object::text(self, node, rule)?.parse::<T>();
        let told = parsed.map_err(|error| self.problem(node.at, rule, error.to_string()));
        told.ok()
    }

    /// What a name stands for; one that is not known is a problem, which says what was meant.
    pub(super) fn named<T: Copy>(
        &mut self,
        node: &Node,
        rule: Rule,
        what: &str,
        known: &[(&'static str, T)],
    ) -> Option<T> {
        let text = object::text(self, node, rule)?;
        let found = known.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let problem = self.new_problem(node.at, rule, format!("`{text}` is no {what}"));
            self.report(problem.hint(hint(text, &names)));
        }
        found.map(|(_, meant)| *meant)
    }

    /// The items of a list.
    pub(super) fn items<'n>(&mut self, node: &'n Node, rule: Rule) -> Option<&'n [Node]> {
        let Data::List(items) = &node.data else {
            let what = format!("expected a list, found {}", node.noun());
            self.problem(node.at, rule, what);
            return None;
        };
        Some(items)
    }

    /// The members of an object.
    pub(super) fn members<'n>(&mut self, node: &'n Node, rule: Rule) -> Option<&'n [Member]> {
        let Data::Map(members) = &node.data else {
            let what = format!("expected an object, found {}", node.noun());
            self.problem(node.at, rule, what);
            return None;
        };
        Some(members)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, node: &Node, rule: Rule) -> Option<bool> {
        let Data::Scalar(Value::Bool(flag)) = &node.data else {
            let what = format!("expected true or false, found {}", node.noun());
            self.problem(node.at, rule, what);
            return None;
        };
        Some(*flag)
    }

    /// As [`Reader::duration`], of a member that may be absent.
    pub(super) fn span(
        &mut self,
        object: &mut Object<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<u64> {
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
        self.whole_within(node, rule, 1..=most)
    }

    /// A whole number from zero to `most`.
    pub(super) fn whole(&mut self, node: &Node, rule: Rule, most: u64) -> Option<u64> {
        self.whole_within(node, rule, 0..=most)
    }

    fn whole_within(
        &mut self,
        node: &Node,
        rule: Rule,
        within: RangeInclusive<u64>,
    ) -> Option<u64> {
        let number = match &node.data {
            Data::Scalar(value) => Value::as_u64(value),
            _ => None,
        };
        let fits = number.filter(|number| within.contains(number));
        if fits.is_none() {
            let (least, most) = (within.start(), within.end());
            let what = format!("expected a whole number from {least} to {most}");
            self.problem(node.at, rule, what);
        }
        fits
    }
}

/// The known name that a text is most likely a slip of, or all of them.
pub(super) fn hint(text: &str, known: &[&str]) -> String {
    match object::closest(text, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}", known.join(", ")),
    }
}
