//! Commands that a loop may run: the owner writes each one down, callers choose among them and fill in what is
//! left open.

use std::collections::BTreeMap;

use realm_protocol::limits;
use serde_json::{Map, Value, json};

use super::Sandbox;

/// Commands of which the input names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// The commands by name.
    pub list: BTreeMap<String, Command>,
    /// Environment beside the minimum.
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secrets of the realm, by the secrets' names.
    pub secrets: BTreeMap<String, String>,
    /// Working directory; none for the daemon's.
    pub cwd: Option<String>,
    /// What they are kept from.
    pub sandbox: Sandbox,
}

/// A command: every word of it is written down, or one argument of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it is for.
    pub description: Option<String>,
    /// Program and arguments; no shell reads them. The program is never of the input.
    pub argv: Vec<Word>,
    /// JSON Schemas of the arguments, each of type `string` or `integer`.
    pub arguments: BTreeMap<String, Value>,
}

/// One element of an argv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// As it is written.
    Text(String),
    /// An argument of the input, whole.
    Argument {
        /// Its name.
        name: String,
        /// Whether it may begin with `-`.
        dash: bool,
    },
}

impl Commands {
    /// Member of the input that names the command.
    pub const NAME: &str = "command";

    /// JSON Schema of what a loop of these commands takes: the command's name, and the arguments of that one.
    pub fn input_schema(&self) -> Value {
        let names: Vec<&String> = self.list.keys().collect();
        let each = self.list.iter().map(|(name, command)| {
            json!({
                "if": {"properties": {Self::NAME: {"const": name}}, "required": [Self::NAME]},
                "then": command.input_schema(),
            })
        });
        json!({
            "type": "object",
            "properties": {Self::NAME: {"enum": names}},
            "required": [Self::NAME],
            "allOf": each.collect::<Vec<_>>(),
        })
    }

    /// JSON Schema of what a loop of commands gives.
    pub fn output_schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "exitCode": {"type": "integer"},
                "stdout": {"type": "string"},
                "stderr": {"type": "string"},
                "truncated": {"type": "boolean"},
            },
            "required": ["exitCode", "stdout", "stderr", "truncated"],
            "additionalProperties": false,
        })
    }

    /// The program and arguments that an input of this schema stands for.
    ///
    /// # Errors
    /// What of the input cannot be an argument, one line a fault, as faults of schemas are told.
    pub fn argv(&self, input: &Value) -> Result<Vec<String>, Vec<String>> {
        let name = input.get(Self::NAME).and_then(Value::as_str);
        let command = name.and_then(|name| self.list.get(name));
        let command = command.ok_or_else(|| {
            let names: Vec<&str> = self.list.keys().map(String::as_str).collect();
            vec![format!("/{}: one of {}", Self::NAME, names.join(", "))]
        })?;
        command.fill(input)
    }
}

impl Command {
    /// The program that it starts.
    pub fn program(&self) -> Option<&String> {
        match self.argv.first() {
            Some(Word::Text(program)) => Some(program),
            Some(Word::Argument { .. }) | None => None,
        }
    }

    fn input_schema(&self) -> Value {
        let mut properties = Map::from_iter([(Commands::NAME.to_owned(), Value::Bool(true))]);
        let arguments = self.arguments.iter();
        properties.extend(arguments.map(|(name, schema)| (name.clone(), schema.clone())));
        let required: Vec<&String> = properties.keys().collect();
        let mut schema = Map::from_iter([("required".to_owned(), json!(required))]);
        if let Some(description) = &self.description {
            schema.insert("description".to_owned(), json!(description));
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        Value::Object(schema)
    }

    fn fill(&self, input: &Value) -> Result<Vec<String>, Vec<String>> {
        let (mut argv, mut faults) = (Vec::new(), Vec::new());
        let mut operands = false;
        for word in &self.argv {
            match word {
                Word::Text(text) => {
                    operands |= text == "--";
                    argv.push(text.clone());
                }
                Word::Argument { name, dash } => {
                    match argument(input.get(name), operands || *dash) {
                        Ok(text) => argv.push(text),
                        Err(fault) => faults.push(format!("/{name}: {fault}")),
                    }
                }
            }
        }
        if faults.is_empty() {
            Ok(argv)
        } else {
            Err(faults)
        }
    }
}

/// The word that a value is, which no program takes for an option unless the owner lets it.
fn argument(value: Option<&Value>, dash: bool) -> Result<String, String> {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return Err("an argument is a text or a whole number".to_owned()),
    };
    if text.len() > limits::ARGUMENT_BYTES {
        let most = limits::ARGUMENT_BYTES;
        return Err(format!("an argument has at most {most} bytes"));
    }
    if text.contains('\0') {
        return Err("no argument holds a NUL".to_owned());
    }
    if text.starts_with('-') && !dash {
        let why = "begins with `-`, which would make it an option; the command does not let it";
        return Err(why.to_owned());
    }
    Ok(text)
}
