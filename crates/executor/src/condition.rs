//! Conditions in CEL, the Common Expression Language: what a step is run `when`.

use std::{fmt, str::FromStr, sync::Arc};

use cel::{Context, Program, Value as Cel};
use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use crate::mapping::Scope;

/// Bytes in one condition; a longer one is refused where it is read.
const BYTES: usize = 1_024;
/// Macros over lists in one condition; more is refused, as each can go over every item of the one
/// around it.
const MACROS: usize = 1;
/// Values that a condition with such a macro may look at, in all.
const VALUES: usize = 2_000;
/// Brackets and signs inside each other, in one condition: the parser takes some 150 KiB of stack for each
/// where nothing is optimised.
const DEPTH: usize = 5;
/// Choices (`a ? b : c`) in one condition.
const CHOICES: usize = 2;
/// Operators and members in all in one condition.
const PARTS: usize = 64;
/// Brackets in all in one condition: one that closes inside quotes closes nothing.
const BRACKETS: usize = 12;
/// Names of the macros that go over a list.
const OVER_LISTS: [&str; 5] = [
    ".all(",
    ".exists(",
    ".exists_one(",
    ".existsOne(",
    ".filter(",
];
/// What a condition needs none of: lists made of lists, and comments, which hide what is counted.
const REFUSED: [&str; 2] = [".map(", "//"];
/// Names a condition can use beside bindings.
const NAMES: [&str; 4] = ["input", "steps", "item", "index"];

/// An expression that holds or does not.
#[derive(Clone)]
pub struct Condition {
    text: String,
    program: Arc<Program>,
    goes_over_lists: bool,
}

/// Why a text is no condition.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConditionError {
    /// It is longer than allowed.
    #[error("a condition has at most {BYTES} bytes")]
    Long,
    /// It goes over lists too often, makes lists of them, or has comments.
    #[error("a condition goes over a list at most once, and has no `map` and no comments")]
    Macros,
    /// It nests too deep, or has too many parts.
    #[error(
        "a condition has at most {DEPTH} brackets and signs inside each other, {BRACKETS} in \
         all, {CHOICES} choices, and {PARTS} operators and members"
    )]
    Deep,
    /// It does not parse.
    #[error("not CEL: {0}")]
    Syntax(String),
}

impl Condition {
    /// Whether it holds where a step stands.
    ///
    /// # Errors
    /// What went wrong: a name that is not there, values that cannot be compared, an answer that is
    /// neither true nor false.
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        match self.execute(|name| scope.named(name))? {
            Cel::Bool(holds) => Ok(holds),
            other => Err(format!("gives {}, not true or false", kind(&other))),
        }
    }

    /// What it gives over what names stand for.
    fn execute(&self, named: impl Fn(&str) -> Option<Value>) -> Result<Cel, String> {
        let mut context = Context::default();
        let mut room = VALUES;
        for name in self.program.references().variables() {
            if let Some(value) = named(name) {
                if self.goes_over_lists && !takes(&value, &mut room) {
                    return Err(format!("goes over more than {VALUES} values"));
                }
                let value = cel::to_value(Whole(&value)).map_err(|error| error.to_string())?;
                context.add_variable_from_value(name.to_owned(), value);
            }
        }
        let given = self.program.execute(&context);
        given.map_err(|error| error.to_string())
    }

    /// What it gives over the members of an object; nothing if a member is not there, it fails, or
    /// what it gives is neither a number nor true or false.
    pub(crate) fn evaluate(&self, facts: &Value) -> Option<Value> {
        let known = |name: &String| facts.get(name).is_some();
        if !self.names().iter().all(known) {
            return None;
        }
        match self.execute(|name| facts.get(name).cloned()).ok()? {
            Cel::Bool(holds) => Some(holds.into()),
            Cel::Int(number) => Some(number.into()),
            Cel::UInt(number) => Some(number.into()),
            Cel::Float(number) => Some(number.into()),
            _ => None,
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The names it uses.
    pub(crate) fn names(&self) -> Vec<String> {
        let references = self.program.references();
        let names = references.variables().into_iter();
        names.map(str::to_owned).collect()
    }

    /// The bindings it uses.
    pub(crate) fn bindings(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| !NAMES.contains(&name.as_str()));
        names
    }
}

/// A value as CEL takes it: with whole numbers as `int`, which its literals are, where they fit.
struct Whole<'a>(&'a Value);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => match number.as_i64() {
                Some(whole) => to.serialize_i64(whole),
                None => number.serialize(to),
            },
            Value::Array(items) => to.collect_seq(items.iter().map(Whole)),
            Value::Object(members) => {
                to.collect_map(members.iter().map(|(name, value)| (name, Whole(value))))
            }
            scalar => scalar.serialize(to),
        }
    }
}

/// Whether there is room for every value in a value.
fn takes(value: &Value, room: &mut usize) -> bool {
    let Some(left) = room.checked_sub(1) else {
        return false;
    };
    *room = left;
    match value {
        Value::Array(items) => items.iter().all(|item| takes(item, room)),
        Value::Object(members) => members.values().all(|member| takes(member, room)),
        _ => true,
    }
}

/// Whether a text may take the parser too deep. Texts in quotes count as well: to tell them apart is
/// the parser's work.
fn is_deep(text: &str) -> bool {
    let (mut choices, mut parts, mut brackets) = (0, 0, 0);
    // Each bracket that is open, with the signs before it, and the signs since the last one.
    let (mut open, mut signs) = (Vec::new(), 0);
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'!' | b'-' => (signs, parts) = (signs + 1, parts + 1),
            b'(' | b'[' | b'{' => {
                open.push(signs + 1);
                (signs, brackets) = (0, brackets + 1);
            }
            b')' | b']' | b'}' => drop(open.pop()),
            _ => signs = 0,
        }
        choices += usize::from(byte == b'?');
        parts += usize::from(b".+*/%?&|<>=".contains(&byte));
        if open.iter().sum::<usize>() + signs > DEPTH {
            return true;
        }
    }
    choices > CHOICES || parts > PARTS || brackets > BRACKETS
}

fn kind(value: &Cel) -> &'static str {
    match value {
        Cel::List(_) => "a list",
        Cel::Map(_) => "an object",
        Cel::Int(_) | Cel::UInt(_) | Cel::Float(_) => "a number",
        Cel::String(_) => "text",
        Cel::Null => "null",
        _ => "something else",
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        if text.len() > BYTES {
            return Err(ConditionError::Long);
        }
        let bare: String = text.chars().filter(|char| !char.is_whitespace()).collect();
        let over_lists = OVER_LISTS.iter().map(|name| bare.matches(name).count());
        let refused = REFUSED.iter().any(|name| bare.contains(name));
        if refused || over_lists.sum::<usize>() > MACROS {
            return Err(ConditionError::Macros);
        }
        if is_deep(text) {
            return Err(ConditionError::Deep);
        }
        let program = Program::compile(text);
        let program = program.map_err(|error| ConditionError::Syntax(error.to_string()))?;
        Ok(Self {
            goes_over_lists: OVER_LISTS.iter().any(|name| bare.contains(name)),
            text: text.to_owned(),
            program: Arc::new(program),
        })
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
