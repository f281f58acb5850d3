//! The part of a document that says how the loop runs.

use std::{collections::BTreeMap, path::Path};

use realm_protocol::limits;
use serde_json::{Number, Value};

use super::{
    document::{Reader, Rule, rule},
    node::{Data, Node},
    object::{self, Object},
    values::hint,
};
use crate::{Attached, Body, Http, MOCK, Mcp, Process, Prompt, Sandbox, SandboxLevel, Tool};

/// Kinds whose bodies are read.
const KINDS: [&str; 6] = [
    "prompt",
    "composite",
    "machine",
    "tool",
    "broadcast",
    "route",
];
/// Implementations a tool may name.
const IMPLEMENTATIONS: [&str; 8] = [
    "builtin:echo",
    "builtin:count",
    "http",
    "mcp",
    "process",
    "commands",
    "container",
    "attached",
];

impl Reader<'_> {
    pub(super) fn body(&mut self, object: &mut Object<'_>) -> Option<Body> {
        object.know(&["prompt", "composite", "machine", "tool", "backend"]);
        if self.is_own() {
            object.know(&["broadcast", "route"]);
        }
        let node = object.need(self, "kind", rule!("kind"))?;
        let kind = object::text(self, node, rule!("kind"))?;
        let body = match kind {
            "prompt" => self.prompt(object).map(Body::Prompt),
            "composite" => self.composite(object).map(Body::Composite),
            "machine" => self.machine(object).map(Box::new).map(Body::Machine),
            "tool" => self.tool(object).map(Body::Tool),
            "broadcast" if self.is_own() => {
                self.broadcast(object).map(Box::new).map(Body::Broadcast)
            }
            "route" if self.is_own() => self.route(object).map(Body::Route),
            _ => {
                self.unknown_kind(node, kind);
                None
            }
        };
        self.foreign_bodies(object, kind);
        body
    }

    fn unknown_kind(&mut self, node: &Node, kind: &str) {
        let problem = if kind == "stack" {
            let what = "a stack is a composite whose steps call loops of kind `broadcast`";
            let problem = self.new_problem(node.at, rule!("kind.stack"), what);
            problem.hint("`realmctl import FILE` makes one of a LoopStack")
        } else {
            let problem = self.new_problem(
                node.at,
                rule!("kind"),
                format!("`{kind}` is not a kind of loop"),
            );
            problem.hint(hint(kind, &KINDS))
        };
        self.report(problem);
    }

    /// A body of another kind is a mistake in our own form; LSEM ignores it.
    fn foreign_bodies(&mut self, object: &mut Object<'_>, kind: &str) {
        for other in KINDS {
            match object.get(other) {
                Some(node) if other != kind && KINDS.contains(&kind) && self.is_own() => {
                    self.problem(
                        node.at,
                        rule!("kind"),
                        format!("`{other}` has no place in a loop of kind `{kind}`"),
                    );
                }
                _ => {}
            }
        }
        if let Some(node) = object
            .get("backend")
            .filter(|_| kind != "prompt" && self.is_own())
        {
            self.problem(
                node.at,
                rule!("kind"),
                "`backend` has no place in a loop without a prompt",
            );
        }
    }

    fn prompt(&mut self, object: &mut Object<'_>) -> Option<Prompt> {
        let backend = self.backend(object);
        let node = object.need(self, "prompt", rule!("prompt"))?;
        let mut object = Object::of(self, node, rule!("prompt"))?;
        let template = object.need_text(self, "template", rule!("prompt.template"));
        let system = object.text(self, "systemPrompt", rule!("prompt.systemPrompt"));
        let variables = object.need(self, "variables", rule!("prompt.variables"));
        let variables = variables.and_then(|node| self.texts(node, rule!("prompt.variables")));
        let max_tokens = self.number(&mut object, "maxTokens", rule!("prompt.maxTokens"));
        let temperature = self.number(&mut object, "temperature", rule!("prompt.temperature"));
        let tools = object.get("tools");
        let tools = tools.map_or(Some(Vec::new()), |node| self.model_tools(node));
        let max_turns = object.get("maxTurns").and_then(|node| {
            let most = limits::MODEL_TURNS_MAX;
            self.count(node, rule!("prompt.maxTurns"), most)
        });
        object.finish(self);
        let (backend, model) = backend?;
        Some(Prompt {
            template: template?.to_owned(),
            system: system.map(str::to_owned),
            variables: variables?,
            max_tokens: max_tokens.and_then(|number| number.as_u64()),
            temperature,
            backend,
            model,
            tools: tools?,
            max_turns: max_turns.unwrap_or(limits::MODEL_TURNS),
        })
    }

    /// The backend's id and model; the mock where none is named.
    fn backend(&mut self, object: &mut Object<'_>) -> Option<(String, Option<String>)> {
        let Some(node) = object.get("backend") else {
            return Some((MOCK.to_owned(), None));
        };
        let mut object = Object::of(self, node, rule!("backend"))?;
        let id = object.need_text(self, "id", rule!("backend.id"));
        let model = object.text(self, "model", rule!("backend.model"));
        object.finish(self);
        Some((id?.to_owned(), model.map(str::to_owned)))
    }

    fn number(&mut self, object: &mut Object<'_>, key: &'static str, rule: Rule) -> Option<Number> {
        let node = object.get(key)?;
        match &node.data {
            Data::Scalar(Value::Number(number)) if number.as_f64() >= Some(0.0) => {
                return Some(number.clone());
            }
            _ => self.problem(node.at, rule, format!("`{key}` is a number, zero or more")),
        }
        None
    }

    pub(super) fn tool(&mut self, object: &mut Object<'_>) -> Option<Tool> {
        let node = object.need(self, "tool", rule!("tool"))?;
        let mut object = Object::of(self, node, rule!("tool"))?;
        let at = object.at;
        let named = object.need(self, "implementation", rule!("tool.implementation"));
        let config = object.get("config");
        object.finish(self);
        let named = named?;
        let empty = Node {
            at,
            data: Data::Map(Vec::new()),
        };
        let config = Object::of(self, config.unwrap_or(&empty), rule!("tool.config"))?;
        match object::text(self, named, rule!("tool.implementation"))? {
            "builtin:echo" => Some(Tool::Echo),
            "builtin:count" => Some(Tool::Count),
            "http" => self.http(config, "url").map(Tool::Http),
            "process" => self.process(config).map(Tool::Process),
            "commands" if self.is_own() => self.commands(config).map(Tool::Commands),
            "container" => self.container(config).map(Tool::Container),
            "mcp" => self.mcp(config).map(Tool::Mcp),
            "attached" => self.attached(config).map(Tool::Attached),
            other => {
                self.unknown_implementation(named, other);
                None
            }
        }
    }

    fn unknown_implementation(&mut self, node: &Node, name: &str) {
        let what = format!("`{name}` is not a known implementation");
        let problem = self.new_problem(node.at, rule!("tool.implementation"), what);
        self.report(problem.hint(hint(name, &IMPLEMENTATIONS)));
    }

    pub(super) fn http(&mut self, mut config: Object<'_>, url_key: &'static str) -> Option<Http> {
        let url = config.need(self, url_key, rule!("http.url"));
        let url = url.and_then(|node| {
            let url = object::text(self, node, rule!("http.url"))?;
            let known = ["http://", "https://"]
                .iter()
                .any(|scheme| url.starts_with(scheme));
            if !known {
                self.problem(
                    node.at,
                    rule!("http.url"),
                    format!("`{url}` does not start with http:// or https://"),
                );
            }
            Some(url.to_owned())
        });
        let headers = config
            .get("headers")
            .map(|node| self.text_map(node, rule!("http.headers")));
        let key = config
            .text(self, "key", rule!("http.key"))
            .map(str::to_owned);
        let secrets = self.secrets(&mut config, headers.as_ref());
        let private = config.get("allowPrivate");
        let allow_private = private.and_then(|node| self.texts(node, rule!("http.allowPrivate")));
        config.finish(self);
        Some(Http {
            url: url?,
            headers: headers.unwrap_or_default(),
            key,
            secrets,
            allow_private: allow_private.unwrap_or_default(),
        })
    }

    fn process(&mut self, mut config: Object<'_>) -> Option<Process> {
        let node = config.need(self, "argv", rule!("process.argv"));
        let argv = node.and_then(|node| self.texts(node, rule!("process.argv")));
        if let (Some(node), Some([])) = (node, argv.as_deref()) {
            self.problem(node.at, rule!("process.argv"), "argv names a program first");
        }
        let env = config
            .get("env")
            .map(|node| self.text_map(node, rule!("process.env")));
        let secrets = self.secrets(&mut config, env.as_ref());
        let cwd = config
            .text(self, "cwd", rule!("process.cwd"))
            .map(str::to_owned);
        let sandbox = self.sandbox(&mut config);
        let lines = self.lines(&mut config);
        config.finish(self);
        Some(Process {
            argv: argv?,
            env: env.unwrap_or_default(),
            secrets,
            cwd: self.working_directory(cwd),
            sandbox: sandbox?,
            lines: lines?,
        })
    }

    /// The secrets of the realm by what they are given as, which is given as nothing else.
    pub(super) fn secrets(
        &mut self,
        config: &mut Object<'_>,
        plain: Option<&BTreeMap<String, String>>,
    ) -> BTreeMap<String, String> {
        const RULE: Rule = rule!("secrets");
        let Some(node) = config.get("secrets") else {
            return BTreeMap::new();
        };
        let secrets = self.text_map(node, RULE);
        let twice = |name: &&String| plain.is_some_and(|plain| plain.contains_key(*name));
        if let Some(name) = secrets.keys().find(twice) {
            let what = format!("`{name}` is given a value already, and cannot be a secret as well");
            self.problem(node.at, RULE, what);
        }
        secrets
    }

    /// Whether a program answers in lines.
    pub(super) fn lines(&mut self, config: &mut Object<'_>) -> Option<bool> {
        match config.get("lines") {
            Some(node) => self.flag(node, rule!("process.lines")),
            None => Some(false),
        }
    }

    pub(super) fn sandbox(&mut self, config: &mut Object<'_>) -> Option<Sandbox> {
        let level = match config.get("sandbox") {
            Some(node) => self.named(
                node,
                rule!("process.sandbox"),
                "level of a sandbox",
                &SandboxLevel::ALL.map(|level| (level.name(), level)),
            )?,
            None => SandboxLevel::default(),
        };
        let mut lists = [
            ("read", rule!("process.read")),
            ("write", rule!("process.write")),
        ]
        .map(|(key, rule)| {
            let node = config.get(key)?;
            if level != SandboxLevel::Strict {
                let what = format!("`{key}` says something only under `sandbox: strict`");
                self.problem(node.at, rule, what);
            }
            self.texts(node, rule)
        })
        .into_iter()
        .map(Option::unwrap_or_default);
        Some(Sandbox {
            level,
            read: lists.next().unwrap_or_default(),
            write: lists.next().unwrap_or_default(),
        })
    }

    pub(super) fn mcp(&mut self, mut config: Object<'_>) -> Option<Mcp> {
        let server = config.need_text(self, "server", rule!("mcp.server"));
        let tool = config.need_text(self, "tool", rule!("mcp.tool"));
        let digest = config
            .get("digest")
            .map(|node| self.parsed(node, rule!("mcp.digest")));
        config.finish(self);
        Some(Mcp {
            server: server?.to_owned(),
            tool: tool?.to_owned(),
            digest: match digest {
                Some(read) => Some(read?),
                None => None,
            },
        })
    }

    fn attached(&mut self, mut config: Object<'_>) -> Option<Attached> {
        let named = config.get("agent");
        config.finish(self);
        let Some(node) = named else {
            return Some(Attached::default());
        };
        let text = object::text(self, node, rule!("attached.agent"))?;
        match text.parse() {
            Ok(agent) => Some(Attached { agent: Some(agent) }),
            Err(_) => {
                let what = "an agent is called as loops are: letters, digits and `._:/-`";
                self.problem(node.at, rule!("attached.agent"), what);
                None
            }
        }
    }

    /// A process runs beside the file that describes it, where that file's place is known.
    pub(super) fn working_directory(&self, cwd: Option<String>) -> Option<String> {
        let file = Path::new(&*self.file);
        let folder = file.parent().filter(|_| file.is_absolute());
        match (folder, cwd) {
            (Some(folder), Some(cwd)) => Some(folder.join(cwd).to_string_lossy().into_owned()),
            (Some(folder), None) => Some(folder.to_string_lossy().into_owned()),
            (None, cwd) => cwd,
        }
    }

    pub(super) fn texts(&mut self, node: &Node, rule: Rule) -> Option<Vec<String>> {
        let Data::List(items) = &node.data else {
            self.problem(
                node.at,
                rule,
                format!("expected a list of strings, found {}", node.noun()),
            );
            return None;
        };
        let texts: Vec<_> = items
            .iter()
            .map(|item| object::text(self, item, rule).map(str::to_owned))
            .collect();
        texts.into_iter().collect()
    }

    pub(super) fn text_map(&mut self, node: &Node, rule: Rule) -> BTreeMap<String, String> {
        let members = self.members(node, rule).unwrap_or_default();
        let texts = members.iter().filter_map(|member| {
            let text = object::text(self, &member.value, rule)?;
            Some((member.key.clone(), text.to_owned()))
        });
        texts.collect()
    }
}
