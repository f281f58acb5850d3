//! Clients in Python: dataclasses, and a class with a method a loop.

use serde_json::Value;

use super::{
    Method, Named,
    names::{Names, is_name, snake},
    types::{Field, Record, Type},
};

/// Words that no member can be called by, and those that the file itself needs.
const TAKEN: [&str; 43] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "bool", "break", "class",
    "continue", "def", "del", "dict", "elif", "else", "except", "field", "finally", "float", "for",
    "from", "global", "if", "import", "in", "int", "is", "lambda", "list", "nonlocal", "not", "or",
    "pass", "raise", "return", "self", "str", "try", "while", "with", "yield",
];

pub(super) fn write(note: &str, records: &[Record], methods: &[Method]) -> String {
    let mut parts = vec![format!(
        "\"\"\"{note}\"\"\"\n\n{}",
        include_str!("client.py.txt").trim_end()
    )];
    parts.extend(records.iter().map(dataclass));
    let named = methods
        .iter()
        .flat_map(|method| [&method.input, &method.output]);
    let aliases: Vec<String> = named.filter_map(alias).collect();
    if !aliases.is_empty() {
        parts.push(aliases.join("\n"));
    }
    let mut names = Names::default();
    let methods: Vec<String> = methods
        .iter()
        .map(|method| function(method, &names.free(&member(&snake(&method.address)))))
        .collect();
    parts.push(format!(
        "class Loops:\n    \"\"\"The loops.\"\"\"\n\n    def __init__(self, caller: Caller) -> None:\n        \
         self._caller = caller\n\n{}",
        methods.join("\n\n")
    ));
    parts.join("\n\n\n") + "\n"
}

fn dataclass(record: &Record) -> String {
    let mut text = format!("@dataclass\nclass {}:\n", record.name);
    text.push_str(&comment("    ", record.description.as_deref()));
    if record.description.is_some() {
        text.push('\n');
    }
    // Members that may be left out have a default, and those come last.
    let (needed, others): (Vec<&Field>, Vec<&Field>) =
        record.fields.iter().partition(|field| field.required);
    let mut names = Names::default();
    let mut lines = Vec::new();
    for field in needed.into_iter().chain(others) {
        let name = names.free(&member(&field.name));
        let mut kind = shape(&field.shape);
        let json = Value::from(field.name.as_str());
        let renamed = (name != field.name).then(|| format!("metadata={{\"name\": {json}}}"));
        let default = (!field.required).then(|| "default=None".to_owned());
        if !field.required && !kind.split(" | ").any(|way| way == "None" || way == "Any") {
            kind.push_str(" | None");
        }
        let line = match (default, renamed) {
            (None, None) => format!("    {name}: {kind}\n"),
            (Some(_), None) => format!("    {name}: {kind} = None\n"),
            (default, renamed) => {
                let given: Vec<String> = default.into_iter().chain(renamed).collect();
                format!("    {name}: {kind} = field({})\n", given.join(", "))
            }
        };
        lines.push(line + &comment("    ", field.description.as_deref()));
    }
    text.push_str(lines.concat().trim_end());
    text
}

fn alias(named: &Named) -> Option<String> {
    let is_it = matches!(&named.shape, Type::Record(name) if *name == named.name);
    (!is_it).then(|| format!("{} = {}", named.name, shape(&named.shape)))
}

fn function(method: &Method, name: &str) -> String {
    let Method {
        address,
        version,
        effects,
        description,
        input,
        output,
    } = method;
    let what = description.as_deref().unwrap_or("Calls the loop.");
    let what = format!("{what}\n`{address}` {version}, effects: {effects}.");
    let address = Value::from(address.as_str());
    let (taken, given) = (&input.name, &output.name);
    format!(
        "    def {name}(self, input: {taken}) -> {given}:\n{}        \
         return _read({given}, self._caller.invoke({address}, _write(input)))",
        comment("        ", Some(&what)),
    )
}

/// A name that Python takes for a member, and gives no meaning of its own.
fn member(name: &str) -> String {
    let name = match is_name(name) {
        true => name.to_owned(),
        false => snake(name),
    };
    match TAKEN.contains(&name.as_str()) {
        true => format!("{name}_"),
        // Names that begin with two underscores are Python's own, or become another name inside of a class.
        false if name.starts_with("__") => format!("member{name}"),
        false => name,
    }
}

fn comment(indent: &str, text: Option<&str>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    let text = text.replace('\\', "\\\\").replace("\"\"\"", "'''");
    let text = text.replace('\n', &format!("\n{indent}"));
    let end = if text.ends_with('"') { " " } else { "" };
    format!("{indent}\"\"\"{text}{end}\"\"\"\n")
}

fn shape(of: &Type) -> String {
    match of {
        Type::Any => "Any".to_owned(),
        Type::Null => "None".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Integer => "int".to_owned(),
        Type::Number => "float".to_owned(),
        Type::Text => "str".to_owned(),
        Type::Literals(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("Literal[{}]", values.join(", "))
        }
        Type::List(item) => format!("list[{}]", shape(item)),
        Type::Map(value) => format!("dict[str, {}]", shape(value)),
        Type::Record(name) => name.clone(),
        Type::Union(ways) => {
            let ways: Vec<String> = ways.iter().map(shape).collect();
            ways.join(" | ")
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}
