//! JSON, read strictly first and then once more for the places of its parts.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Problem,
    node::{Data, Member, Node, Place},
};
use crate::Origin;

/// Reads one JSON document.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
    if let Err(error) = realm_protocol::json::parse(text.as_bytes()) {
        let origin = Origin {
            file: file.clone(),
            line: error.line(),
            column: error.column(),
        };
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        return Err(Problem::at(&origin, "json.syntax", what));
    }
    let mut walk = Walk {
        rest: text,
        at: Place { line: 1, column: 1 },
    };
    Ok(walk.node())
}

/// Walks a text that is known to be JSON of bounded depth.
struct Walk<'a> {
    rest: &'a str,
    at: Place,
}

impl Walk<'_> {
    fn node(&mut self) -> Node {
        self.skip_space();
        let at = self.at;
        let data = match self.rest.chars().next() {
            Some('{') => Data::Map(self.members()),
            Some('[') => Data::List(self.items()),
            _ => Data::Scalar(self.scalar()),
        };
        Node { at, data }
    }

    fn members(&mut self) -> Vec<Member> {
        let mut members = Vec::new();
        self.advance(1);
        while self.enters('}') {
            let at = self.at;
            let key = self.scalar();
            self.skip_space();
            self.advance(1);
            let key = key.as_str().unwrap_or_default().to_owned();
            members.push(Member {
                key,
                at,
                value: self.node(),
            });
        }
        members
    }

    fn items(&mut self) -> Vec<Node> {
        let mut items = Vec::new();
        self.advance(1);
        while self.enters(']') {
            items.push(self.node());
        }
        items
    }

    /// Goes to the next part of a list or map, or behind its end.
    fn enters(&mut self, end: char) -> bool {
        self.skip_space();
        if self.rest.starts_with(',') {
            self.advance(1);
            self.skip_space();
        }
        if self.rest.starts_with(end) || self.rest.is_empty() {
            self.advance(1);
            return false;
        }
        true
    }

    fn scalar(&mut self) -> Value {
        let length = if self.rest.starts_with('"') {
            string_length(self.rest)
        } else {
            let end = |c: char| c.is_ascii_whitespace() || ",]}".contains(c);
            self.rest.find(end).unwrap_or(self.rest.len())
        };
        let text = self.rest.get(..length).unwrap_or_default();
        let value = serde_json::from_str(text).unwrap_or_default();
        self.advance(length);
        value
    }

    fn skip_space(&mut self) {
        let space = self.rest.len() - self.rest.trim_ascii_start().len();
        self.advance(space);
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in passed.chars() {
            if c == '\n' {
                self.at = Place {
                    line: self.at.line + 1,
                    column: 1,
                };
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
    }
}

/// Bytes of the string that a text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}
