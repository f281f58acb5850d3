//! Prompt templates: `{{name}}`, filled once.

use serde_json::Value;

use crate::Prompt;

/// Fills the listed variables from the input, in one pass over the template: what a value holds
/// is never looked at again. Placeholders that are not listed stay as they are.
pub(crate) fn render(prompt: &Prompt, input: &Value) -> String {
    let mut text = String::with_capacity(prompt.template.len());
    let mut rest = prompt.template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let placeholder = after
            .split_once("}}")
            .map(|(name, tail)| (name.trim(), tail));
        match placeholder {
            Some((name, tail)) if prompt.variables.iter().any(|known| known == name) => {
                text.push_str(&value_text(input.get(name)));
                rest = tail;
            }
            _ => {
                text.push_str("{{");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

fn value_text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| value_text(Some(item))).collect();
            items.join(", ")
        }
        Some(other) => other.to_string(),
    }
}
