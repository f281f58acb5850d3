//! Tools whose input chooses one of the commands that are written down.

use std::collections::BTreeMap;

use realm_protocol::limits;
use serde_json::Value;

use super::{
    document::{Reader, Rule, rule},
    node::{Data, Member, Node},
    object::{self, Object},
};
use crate::{Body, Command, Commands, Tool, Word, schema::Compiled};

/// Bytes of the name of a command or an argument.
const NAME_BYTES: usize = 64;

impl Reader<'_> {
    /// The schemas of a loop's input and output, which commands have by themselves.
    pub(super) fn contract(&mut self, object: &mut Object<'_>) -> Option<[Value; 2]> {
        let input = self.schema(object, "inputSchema", rule!("inputSchema"));
        let output = self.schema(object, "outputSchema", rule!("outputSchema"));
        Some([input?, output?])
    }

    /// Whether a loop runs commands, whose contract follows from them.
    pub(super) fn runs_commands(&self, object: &mut Object<'_>) -> bool {
        let tool = object.get("tool").filter(|_| self.is_own());
        let named = tool.and_then(|tool| tool.get("implementation"));
        named.and_then(Node::text) == Some("commands")
    }

    /// The contract of commands; one that is written beside them is a problem.
    pub(super) fn commands_contract(
        &mut self,
        object: &mut Object<'_>,
        body: Option<&Body>,
    ) -> Option<[Value; 2]> {
        for (key, rule) in [
            ("inputSchema", rule!("inputSchema")),
            ("outputSchema", rule!("outputSchema")),
        ] {
            if let Some(node) = object.get(key) {
                let what = format!("`{key}` of commands follows from them");
                let problem = self.new_problem(node.at, rule, what);
                let hint =
                    "leave it out; `realmctl loop show` prints it, and each argument has a schema";
                self.report(problem.hint(hint));
            }
        }
        let Some(Body::Tool(Tool::Commands(commands))) = body else {
            return None;
        };
        let input = commands.input_schema();
        match Compiled::new(&input) {
            Ok(_) => Some([input, Commands::output_schema()]),
            Err(error) => {
                let what = format!("the schemas of all arguments together are refused: {error}");
                self.problem(object.at, rule!("commands"), what);
                None
            }
        }
    }

    pub(super) fn commands(&mut self, mut config: Object<'_>) -> Option<Commands> {
        const RULE: Rule = rule!("commands");
        let node = config.need(self, "commands", RULE);
        let list = node.and_then(|node| {
            let members = self.members(node, RULE)?;
            if members.is_empty() || members.len() > limits::COMMANDS {
                let what = format!("there are 1 to {} commands", limits::COMMANDS);
                self.problem(node.at, RULE, what);
            }
            let read = members.iter().map(|member| {
                self.check_name(member, RULE);
                Some((member.key.clone(), self.command(&member.value)?))
            });
            let read: Vec<_> = read.collect();
            read.into_iter().collect::<Option<BTreeMap<_, _>>>()
        });
        let env = config
            .get("env")
            .map(|node| self.text_map(node, rule!("process.env")));
        let secrets = self.secrets(&mut config, env.as_ref());
        let cwd = config
            .text(self, "cwd", rule!("process.cwd"))
            .map(str::to_owned);
        let sandbox = self.sandbox(&mut config);
        config.finish(self);
        Some(Commands {
            list: list?,
            env: env.unwrap_or_default(),
            secrets,
            cwd: self.working_directory(cwd),
            sandbox: sandbox?,
        })
    }

    fn command(&mut self, node: &Node) -> Option<Command> {
        const RULE: Rule = rule!("commands.argv");
        let mut object = Object::of(self, node, rule!("commands"))?;
        let description = object.text(self, "description", rule!("commands.description"));
        let node = object.need(self, "argv", RULE);
        let arguments = object.get("arguments");
        let arguments = arguments.map_or(Some(BTreeMap::new()), |node| self.arguments(node));
        object.finish(self);
        let (node, arguments) = (node?, arguments?);
        let items = self.items(node, RULE)?;
        let words: Vec<_> = items.iter().map(|item| self.word(item)).collect();
        let argv: Vec<Word> = words.into_iter().collect::<Option<_>>()?;
        if !matches!(argv.first(), Some(Word::Text(program)) if !program.is_empty()) {
            let what = "argv names a program first, which is not of the input";
            self.problem(node.at, RULE, what);
        }
        if argv.len() > limits::ARGV {
            let what = format!("argv has at most {} elements", limits::ARGV);
            self.problem(node.at, RULE, what);
        }
        let used = |wanted: &String| {
            let mut words = argv.iter();
            words.any(|word| matches!(word, Word::Argument { name, .. } if name == wanted))
        };
        if let Some(unused) = arguments.keys().find(|name| !used(name)) {
            let what = format!("no element of argv is the argument `{unused}`");
            let problem = self.new_problem(node.at, RULE, what);
            self.report(problem.hint(format!("one is written {{argument: {unused}}}")));
        }
        for word in &argv {
            match word {
                Word::Argument { name, .. } if !arguments.contains_key(name) => {
                    let what = format!("the argument `{name}` has no schema");
                    let problem = self.new_problem(node.at, RULE, what);
                    let hint = format!("`arguments: {{{name}: {{type: string}}}}` gives it one");
                    self.report(problem.hint(hint));
                }
                _ => {}
            }
        }
        Some(Command {
            description: description.map(str::to_owned),
            argv,
            arguments,
        })
    }

    /// An element of an argv: a text, or an argument of the input.
    fn word(&mut self, node: &Node) -> Option<Word> {
        const RULE: Rule = rule!("commands.argv");
        match &node.data {
            Data::Map(_) => {
                let mut object = Object::of(self, node, RULE)?;
                let name = object.need_text(self, "argument", RULE);
                let dash = object.get("dash").map(|node| self.flag(node, RULE));
                object.finish(self);
                Some(Word::Argument {
                    name: name?.to_owned(),
                    dash: dash.unwrap_or(Some(false))?,
                })
            }
            _ => object::text(self, node, RULE).map(|text| Word::Text(text.to_owned())),
        }
    }

    fn arguments(&mut self, node: &Node) -> Option<BTreeMap<String, Value>> {
        const RULE: Rule = rule!("commands.arguments");
        let members = self.members(node, RULE)?;
        let read = members.iter().map(|member| {
            self.check_name(member, RULE);
            if member.key == Commands::NAME {
                let what = "`command` is what names the command, and no argument";
                self.problem(member.value.at, RULE, what);
            }
            let schema = self.schema_of(&member.value, RULE)?;
            let kind = schema.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer")) {
                let what = "an argument's schema says `type: string` or `type: integer`";
                self.problem(member.value.at, RULE, what);
            }
            Some((member.key.clone(), schema))
        });
        let read: Vec<_> = read.collect();
        read.into_iter().collect()
    }

    fn check_name(&mut self, member: &Member, rule: Rule) {
        let name = &member.key;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(known) {
            let what =
                format!("`{name}` is no name: 1 to {NAME_BYTES} of letters, digits and `-_.`");
            self.problem(member.value.at, rule, what);
        }
    }
}
