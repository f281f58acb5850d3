//! JSON values as YAML, for people.

use serde_json::Value;

use crate::escape;

/// Writes a value as one YAML document.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => members(&mut out, value, 0),
        Value::Array(items) if !items.is_empty() => members(&mut out, value, 0),
        _ => {
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
    out
}

fn members(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.push_str(&format!("{indent}{}:", text(key)));
                nested(out, value, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{indent}-"));
                element(out, item, depth + 1);
            }
        }
        _ => {}
    }
}

fn nested(out: &mut String, value: &Value, depth: usize) {
    if is_nested(value) {
        out.push('\n');
        members(out, value, depth);
    } else {
        out.push_str(&format!(" {}\n", scalar(value)));
    }
}

/// Writes the first member of an item on the line of its hyphen.
fn element(out: &mut String, value: &Value, depth: usize) {
    if !is_nested(value) {
        return nested(out, value, depth);
    }
    let mut inner = String::new();
    members(&mut inner, value, depth);
    out.push(' ');
    out.push_str(inner.trim_start_matches(' '));
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// A string, quoted unless no reader could take it for anything else.
fn text(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_/@ .-".contains(c);
    let starts = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let word = value.to_ascii_lowercase();
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let safe = starts && !value.ends_with(' ') && !meant.contains(&word.as_str());
    if safe && value.chars().all(plain) {
        value.to_owned()
    } else {
        escape::json(&Value::from(value).to_string())
    }
}
