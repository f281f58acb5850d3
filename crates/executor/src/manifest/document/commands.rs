//! Commands in our own form.

use serde_json::{Map, Value, json};

use super::{put, put_sandbox, put_secrets, put_some};
use crate::{Command, Commands, Word};

pub(super) fn put_commands(config: &mut Map<String, Value>, commands: &Commands) {
    let Commands {
        list,
        env,
        secrets,
        cwd,
        sandbox,
    } = commands;
    let list = list.iter();
    let list: Map<String, Value> = list
        .map(|(name, command)| (name.clone(), command_json(command)))
        .collect();
    put(config, "commands", list);
    put_some(config, "env", (!env.is_empty()).then(|| json!(env)));
    put_secrets(config, secrets);
    put_some(config, "cwd", cwd.as_deref());
    put_sandbox(config, sandbox);
}

fn command_json(command: &Command) -> Value {
    let Command {
        description,
        argv,
        arguments,
    } = command;
    let mut document = Map::new();
    put_some(&mut document, "description", description.as_deref());
    let argv: Vec<Value> = argv.iter().map(word_json).collect();
    put(&mut document, "argv", argv);
    let arguments = (!arguments.is_empty()).then(|| json!(arguments));
    put_some(&mut document, "arguments", arguments);
    Value::Object(document)
}

fn word_json(word: &Word) -> Value {
    match word {
        Word::Text(text) => Value::from(text.as_str()),
        Word::Argument { name, dash: false } => json!({"argument": name}),
        Word::Argument { name, dash: true } => json!({"argument": name, "dash": true}),
    }
}
