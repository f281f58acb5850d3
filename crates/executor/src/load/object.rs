//! Reading an object member by member, keeping count of what was asked for.

use super::{
    Problem,
    document::{Reader, Rule},
    node::{Data, Member, Node, Place},
};

/// Edits between a key and a known one for which it is taken to be a slip.
const SLIP: usize = 2;

/// An object that is being read.
pub(super) struct Object<'a> {
    pub(super) at: Place,
    members: &'a [Member],
    asked: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// Takes a node that should be an object.
    pub(super) fn of(reader: &mut Reader<'_>, node: &'a Node, rule: Rule) -> Option<Self> {
        let Data::Map(members) = &node.data else {
            reader.problem(
                node.at,
                rule,
                format!("expected an object, found {}", node.noun()),
            );
            return None;
        };
        Some(Self {
            at: node.at,
            members,
            asked: Vec::new(),
        })
    }

    /// Marks members as known before anybody asks for them.
    pub(super) fn know(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let found = self.members.iter().find(|member| member.key == key)?;
        let null = matches!(found.value.data, Data::Scalar(serde_json::Value::Null));
        (!null).then_some(&found.value)
    }

    /// As [`Object::get`]; an absent member is a problem.
    pub(super) fn need(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            reader.problem(self.at, rule, format!("`{key}` is missing"));
        }
        found
    }

    pub(super) fn text(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<&'a str> {
        let node = self.get(key)?;
        text(reader, node, rule)
    }

    pub(super) fn need_text(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<&'a str> {
        let node = self.need(reader, key, rule)?;
        text(reader, node, rule)
    }

    /// Members nobody asked for.
    pub(super) fn rest(&self) -> impl Iterator<Item = &'a Member> {
        self.members
            .iter()
            .filter(|member| !self.asked.contains(&member.key.as_str()))
    }

    /// Reports every member nobody asked for, where the form is ours.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        if !reader.is_own() {
            return;
        }
        for member in self.rest() {
            let what = format!("`{}` is not known here", member.key);
            let meant = closest(&member.key, &self.asked);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            let problem = Problem::at(&reader.origin(member.at), "loop.key", what);
            reader.report(problem.hint(hint));
        }
    }
}

/// The text of a node that should be a string.
pub(super) fn text<'a>(reader: &mut Reader<'_>, node: &'a Node, rule: Rule) -> Option<&'a str> {
    let found = node.text();
    if found.is_none() {
        reader.problem(
            node.at,
            rule,
            format!("expected a string, found {}", node.noun()),
        );
    }
    found
}

/// The known word that a text is most likely a slip of.
pub(super) fn closest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|word| (distance(text, word), *word));
    near.filter(|(edits, _)| *edits <= SLIP)
        .min()
        .map(|(_, word)| word)
}

/// Edits that make one text of another, case aside; past 64 bytes the texts are just different.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, left) in a.bytes().enumerate() {
        let mut corner = index;
        let mut before = index + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = corner + usize::from(left != right);
            corner = *cell;
            *cell = replaced.min(corner + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
