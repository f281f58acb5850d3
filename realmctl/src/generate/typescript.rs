//! Clients in TypeScript: interfaces, and a class with a method a loop.

use serde_json::Value;

use super::{
    Method, Named,
    names::{Names, camel, is_name},
    types::{Record, Type},
};

/// Names that no method may have: the class has them already, or would be taken for a promise.
const TAKEN: [&str; 3] = ["caller", "constructor", "then"];

const CALLER: &str = "\
/** Calls a loop by its address, as `Realm` of realm-sdk does. */
export interface Caller {
  invoke<T>(loop: string, input: unknown): Promise<T>;
}
";

pub(super) fn write(note: &str, records: &[Record], methods: &[Method]) -> String {
    let mut parts = vec![format!("// {note}\n"), CALLER.to_owned()];
    parts.extend(records.iter().map(interface));
    let named = methods
        .iter()
        .flat_map(|method| [&method.input, &method.output]);
    parts.extend(named.filter_map(alias));
    let mut names = Names::without(&TAKEN);
    let methods: Vec<String> = methods
        .iter()
        .map(|method| function(method, &names.free(&camel(&method.address))))
        .collect();
    parts.push(format!(
        "/** The loops. */\nexport class Loops {{\n  constructor(private readonly caller: Caller) {{}}\n{}}}\n",
        methods.concat()
    ));
    parts.join("\n")
}

fn interface(record: &Record) -> String {
    let mut text = comment("", record.description.as_deref());
    text.push_str(&format!("export interface {} {{\n", record.name));
    for field in &record.fields {
        text.push_str(&comment("  ", field.description.as_deref()));
        let name = match is_name(&field.name) {
            true => field.name.clone(),
            false => Value::from(field.name.as_str()).to_string(),
        };
        let mark = if field.required { "" } else { "?" };
        text.push_str(&format!("  {name}{mark}: {};\n", shape(&field.shape)));
    }
    text.push_str("}\n");
    text
}

/// What is no record has its name as another name of what it is.
fn alias(named: &Named) -> Option<String> {
    let is_it = matches!(&named.shape, Type::Record(name) if *name == named.name);
    (!is_it).then(|| format!("export type {} = {};\n", named.name, shape(&named.shape)))
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
    format!(
        "\n{}  {name}(input: {}): Promise<{}> {{\n    return this.caller.invoke({address}, input);\n  }}\n",
        comment("  ", Some(&what)),
        input.name,
        output.name,
    )
}

fn comment(indent: &str, text: Option<&str>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    let text = text.replace("*/", "* /");
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: String = lines
                .iter()
                .map(|line| format!("{indent} * {line}\n"))
                .collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    }
}

fn shape(of: &Type) -> String {
    match of {
        Type::Any => "unknown".to_owned(),
        Type::Null => "null".to_owned(),
        Type::Bool => "boolean".to_owned(),
        Type::Integer | Type::Number => "number".to_owned(),
        Type::Text => "string".to_owned(),
        Type::Literals(values) => {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            values.join(" | ")
        }
        Type::List(item) => format!("Array<{}>", shape(item)),
        Type::Map(value) => format!("Record<string, {}>", shape(value)),
        Type::Record(name) => name.clone(),
        Type::Union(ways) => {
            let ways: Vec<String> = ways.iter().map(shape).collect();
            ways.join(" | ")
        }
    }
}
