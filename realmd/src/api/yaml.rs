//! JSON values as YAML text that people edit.

use serde_json::Value;

/// Writes an object as a YAML document.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => block(value, 0, &mut text),
        _ => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
    text
}

/// Writes a filled list or object, each entry on its own line.
fn block(value: &Value, indent: usize, out: &mut String) {
    let margin = "  ".repeat(indent);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                out.push_str(&format!("{margin}{}:", string(key)));
                after_key(member, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{margin}-"));
                after_key(item, indent, out);
            }
        }
        _ => {}
    }
}

/// Writes what follows `key:` or `-`.
fn after_key(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            block(value, indent + 1, out);
        }
        Value::Array(items) if items.iter().any(is_nested) => {
            out.push('\n');
            block(value, indent + 1, out);
        }
        Value::String(text) if is_block_text(text) => {
            let margin = "  ".repeat(indent + 1);
            out.push_str(if text.ends_with('\n') {
                " |\n"
            } else {
                " |-\n"
            });
            for line in text.lines() {
                let line = if line.is_empty() {
                    String::new()
                } else {
                    format!("{margin}{line}")
                };
                out.push_str(&line);
                out.push('\n');
            }
        }
        scalar_value => {
            out.push(' ');
            out.push_str(&scalar(scalar_value));
            out.push('\n');
        }
    }
}

fn is_nested(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

/// Whether a text of several lines can stand as a block without changing.
fn is_block_text(text: &str) -> bool {
    let lines = text.contains('\n') && !text.ends_with("\n\n") && !text.starts_with([' ', '\n']);
    lines && text.chars().all(|c| c == '\n' || !c.is_control()) && text.trim() != ""
}

/// Writes anything on one line. JSON is YAML, so what needs quotes is written as JSON.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::write;

    #[test]
    fn what_import_writes_loads_as_the_same_loop() {
        let text = json!({
            "id": "tricky", "version": "1.0.0", "kind": "prompt",
            "description": "yes: no # \"quoted\" and 'single'",
            "inputSchema": {"type": "object", "properties": {"null": {"enum": ["on", "1e3", "", 1]}}},
            "outputSchema": {"type": "object", "examples": [{"a": []}, {}]},
            "prompt": {
                "template": "First {{name}}\n\n  - indented: line\n# no comment\n",
                "variables": ["name"],
            },
            "backend": {"id": "mock"},
            "metadata": {"note": "two\nlines", "~": "- dash", "nested": [[1, "a: b"], {"k": null}]},
        });
        let none = |_: &str| None;
        let original = realm_executor::load("a.json", &text.to_string(), &none).unwrap();

        let written = write(&original.loops[0].to_json());

        assert_eq!(
            realm_executor::load("a.yaml", &written, &none).unwrap(),
            original,
            "{written}"
        );
    }
}
