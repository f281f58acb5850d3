//! YAML, read event by event so that depth is bounded and every part knows its place.

use std::{borrow::Cow, sync::Arc};

use realm_protocol::limits;
use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Number, Value};

use super::{
    Problem,
    node::{Data, Member, Node, Place},
};
use crate::Origin;

/// Largest integer that every JSON reader keeps exactly: 2^53 - 1.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reads every document of a YAML text; empty documents are left out.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Node>, Problem> {
    let mut builder = Builder {
        file,
        open: Vec::new(),
        documents: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.scan_problem(&error))?;
        builder.take(event, span)?;
    }
    let filled = |node: &Node| !matches!(node.data, Data::Scalar(Value::Null));
    Ok(builder.documents.into_iter().filter(filled).collect())
}

struct Builder<'a> {
    file: &'a Arc<str>,
    open: Vec<Open>,
    documents: Vec<Node>,
}

/// A list or map whose end has not come.
struct Open {
    at: Place,
    kind: Container,
}

enum Container {
    List(Vec<Node>),
    Map(Vec<Member>, Option<(String, Place)>),
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = place(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_anchor(anchor, at)?;
                self.scalar(text, style, tag.as_ref(), at)
            }
            Event::SequenceStart(anchor, _) => {
                self.no_anchor(anchor, at)?;
                self.begin(Container::List(Vec::new()), at)
            }
            Event::MappingStart(anchor, _) => {
                self.no_anchor(anchor, at)?;
                self.begin(Container::Map(Vec::new(), None), at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) => self.no_anchor(1, at),
            _ => Ok(()),
        }
    }

    fn no_anchor(&self, anchor: usize, at: Place) -> Result<(), Problem> {
        if anchor == 0 {
            return Ok(());
        }
        let problem = self.problem(at, "yaml.alias", "anchors and aliases are not read");
        Err(problem.hint("write the value out where it is used"))
    }

    fn begin(&mut self, kind: Container, at: Place) -> Result<(), Problem> {
        if matches!(
            self.open.last(),
            Some(Open {
                kind: Container::Map(_, None),
                ..
            })
        ) {
            return Err(self.problem(at, "yaml.key", "a key is a plain word or a string"));
        }
        if self.open.len() >= limits::JSON_DEPTH {
            let what = format!("nested deeper than {}", limits::JSON_DEPTH);
            return Err(self.problem(at, "yaml.depth", what));
        }
        self.open.push(Open { at, kind });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { at, kind }) = self.open.pop() else {
            return Ok(());
        };
        let data = match kind {
            Container::List(items) => Data::List(items),
            Container::Map(members, _) => Data::Map(members),
        };
        self.add(Node { at, data });
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        at: Place,
    ) -> Result<(), Problem> {
        if let Some(Open {
            kind: Container::Map(members, key @ None),
            ..
        }) = self.open.last_mut()
        {
            if members.iter().any(|member| member.key == text) {
                let what = format!("`{text}` stands here twice");
                return Err(self.problem(at, "yaml.duplicate", what));
            }
            *key = Some((text.into_owned(), at));
            return Ok(());
        }
        let value = match Scalar::parse_from_cow_and_metadata(text, style, tag) {
            Some(scalar) => json_scalar(scalar),
            None => None,
        };
        let what = "not a value that JSON has: a number is finite and at most 2^53 - 1";
        let value = value.ok_or_else(|| self.problem(at, "yaml.value", what))?;
        self.add(Node {
            at,
            data: Data::Scalar(value),
        });
        Ok(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.documents.push(node),
            Some(Container::List(items)) => items.push(node),
            Some(Container::Map(members, key)) => {
                members.extend(key.take().map(|(key, at)| Member {
                    key,
                    at,
                    value: node,
                }));
            }
        }
    }

    fn problem(&self, at: Place, rule: &'static str, what: impl Into<String>) -> Problem {
        let origin = Origin {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
        };
        Problem::at(&origin, rule, what)
    }

    fn scan_problem(&self, error: &ScanError) -> Problem {
        self.problem(place(*error.marker()), "yaml.syntax", error.info())
    }
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn json_scalar(scalar: Scalar<'_>) -> Option<Value> {
    match scalar {
        Scalar::Null => Some(Value::Null),
        Scalar::Boolean(value) => Some(value.into()),
        Scalar::Integer(value) => (value.unsigned_abs() <= SAFE_INTEGER).then(|| value.into()),
        Scalar::FloatingPoint(value) => Number::from_f64(value.into_inner()).map(Value::Number),
        Scalar::String(text) => Some(text.into_owned().into()),
    }
}
