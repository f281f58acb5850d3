//! References of a composite's input mapping: `$.path` selects, `$.path?` selects what is there,
//! `literal:` gives itself.

use std::{fmt, str::FromStr};

use serde_json::{Value, json};
use thiserror::Error;

/// Segments one reference may have; more is refused where it is read.
const SEGMENTS: usize = 64;

/// Where a member of a child's input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    text: String,
    source: Source,
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Literal(String),
    Input(Vec<Segment>),
    Step(usize, Vec<Segment>),
    Binding(String, Vec<Segment>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Member(String),
    Item(usize),
}

/// Why a text is not a reference.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// It starts like nothing known.
    #[error("a reference starts with `$.` or `literal:`")]
    Start,
    /// A step's reference does not go through its output.
    #[error("a step is referred to as `$.steps[n].output`")]
    Step,
    /// The path is not members and `[n]`.
    #[error("a path is `.member` and `[n]`, one after the other")]
    Path,
}

impl Reference {
    /// The step it refers to by number, if it does.
    pub fn step(&self) -> Option<usize> {
        match self.source {
            Source::Step(index, _) => Some(index),
            _ => None,
        }
    }

    /// The binding it refers to, if it does.
    pub fn binding(&self) -> Option<&str> {
        match &self.source {
            Source::Binding(name, _) => Some(name),
            _ => None,
        }
    }

    /// Whether the member is left out where it finds nothing.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// Finds the value; none if a member or item on the way is missing.
    pub(crate) fn select(&self, scope: &Scope<'_>) -> Option<Value> {
        let (start, path) = match &self.source {
            Source::Literal(text) => return Some(Value::from(text.as_str())),
            Source::Input(path) => (Some(scope.input), path),
            Source::Step(index, path) => (scope.outputs.get(*index), path),
            Source::Binding(name, path) => match (name.as_str(), scope.item) {
                ("index", Some((index, _))) => return path.is_empty().then(|| index.into()),
                ("item", Some((_, item))) => (Some(item), path),
                _ => (scope.bound(name), path),
            },
        };
        let found = path
            .iter()
            .try_fold(start?, |value, segment| match segment {
                Segment::Member(name) => value.get(name),
                Segment::Item(index) => value.get(index),
            });
        found.cloned()
    }
}

/// What the references and the condition of one step can see.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) input: &'a Value,
    pub(crate) outputs: &'a [Value],
    pub(crate) bindings: &'a [Binding],
    pub(crate) item: Option<(usize, &'a Value)>,
}

/// A name for the output of a step, or of one of its branches.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) name: String,
    pub(crate) step: usize,
    pub(crate) branch: Option<usize>,
}

impl<'a> Scope<'a> {
    /// The value a name stands for in a condition.
    pub(crate) fn named(&self, name: &str) -> Option<Value> {
        match (name, self.item) {
            ("input", _) => Some(self.input.clone()),
            ("steps", _) => Some(self.outputs.iter().map(step_value).collect()),
            ("index", Some((index, _))) => Some(index.into()),
            ("item", Some((_, item))) => Some(item.clone()),
            _ => self.bound(name).cloned(),
        }
    }

    fn bound(&self, name: &str) -> Option<&'a Value> {
        let latest = self
            .bindings
            .iter()
            .rev()
            .find(|bound| bound.name == name)?;
        let output = self.outputs.get(latest.step)?;
        match latest.branch {
            Some(branch) => output.get(branch),
            None => Some(output),
        }
    }
}

fn step_value(output: &Value) -> Value {
    json!({ "output": output })
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (source, optional) = match (text.strip_prefix("literal:"), text.strip_suffix('?')) {
            (Some(literal), _) => (Source::Literal(literal.to_owned()), false),
            (None, Some(path)) => (source(path)?, true),
            (None, None) => (source(text)?, false),
        };
        Ok(Self {
            text: text.to_owned(),
            source,
            optional,
        })
    }
}

fn source(text: &str) -> Result<Source, ReferenceError> {
    let path = text.strip_prefix('$').ok_or(ReferenceError::Start)?;
    if !path.starts_with('.') {
        return Err(ReferenceError::Start);
    }
    let mut segments = segments(path)?.into_iter();
    let Some(Segment::Member(first)) = segments.next() else {
        return Err(ReferenceError::Start);
    };
    match first.as_str() {
        "input" => Ok(Source::Input(segments.collect())),
        "steps" => match (segments.next(), segments.next()) {
            (Some(Segment::Item(index)), Some(Segment::Member(output))) if output == "output" => {
                Ok(Source::Step(index, segments.collect()))
            }
            _ => Err(ReferenceError::Step),
        },
        _ => Ok(Source::Binding(first, segments.collect())),
    }
}

fn segments(mut path: &str) -> Result<Vec<Segment>, ReferenceError> {
    let mut segments = Vec::new();
    while !path.is_empty() {
        let (segment, rest) = segment(path)?;
        segments.push(segment);
        path = rest;
        if segments.len() > SEGMENTS {
            return Err(ReferenceError::Path);
        }
    }
    Ok(segments)
}

fn segment(path: &str) -> Result<(Segment, &str), ReferenceError> {
    if let Some(item) = path.strip_prefix('[') {
        let (index, rest) = item.split_once(']').ok_or(ReferenceError::Path)?;
        let index = index.parse().map_err(|_| ReferenceError::Path)?;
        return Ok((Segment::Item(index), rest));
    }
    let member = path.strip_prefix('.').ok_or(ReferenceError::Path)?;
    let end = member.find(['.', '[']).unwrap_or(member.len());
    let (name, rest) = member.split_at(end);
    if name.is_empty() {
        Err(ReferenceError::Path)
    } else {
        Ok((Segment::Member(name.to_owned()), rest))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
