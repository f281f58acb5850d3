//! Models behind a server that others have written and published: it speaks the wire formats as it reads their
//! documentation, and not as this project does.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::{
    limit::{PATIENCE, skip, within},
    person::Person,
};

const INSTALL: &str = "a server of models' wire formats needs Node.js: scripts/model-server";
/// Each format, and below which path the server speaks it.
const FORMATS: [(&str, &str); 4] = [
    ("openai", "/v1"),
    ("responses", "/v1"),
    ("anthropic", "/v1"),
    ("ollama", "/api"),
];

/// The server, for as long as a test asks it.
struct Server {
    url: String,
    child: Child,
}

impl Server {
    /// Starts it; none where it is not installed.
    fn start() -> Option<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let modules = tests.join("../target/models");
        let node = Command::new("node").arg("--version").output();
        if node.is_err() || !modules.join("installed").exists() {
            skip(INSTALL);
            return None;
        }
        let mut child = Command::new("node")
            .arg(tests.join("models/server.mjs"))
            .arg(modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = within(PATIENCE, "the server says where it is", move || {
            said.next().unwrap().unwrap()
        });
        Some(Self { url, child })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The loops of a format: one that gives words, one that gives a form, one whose model calls `look`.
fn loops(format: &str) -> String {
    let prompt = |id: &str, output: &str, tools: &str| {
        format!(
            "---\nid: {id}-{format}\nversion: 1.0.0\nkind: prompt\nbackend: {{id: {format}}}\n\
             inputSchema: {{type: object}}\noutputSchema: {output}\n\
             prompt: {{template: \"{{{{say}}}}\", variables: [say]{tools}}}\n"
        )
    };
    let words = "{type: object, properties: {text: {type: string}}, required: [text]}";
    let form = "{type: object, properties: {category: {type: string}}, required: [category], additionalProperties: false}";
    [
        prompt("words", words, ""),
        prompt("form", form, ""),
        prompt("tool", words, ", tools: [{name: look, loopId: look}]"),
    ]
    .concat()
}

#[test]
fn every_format_is_spoken_with_a_server_that_others_have_written() {
    let Some(server) = Server::start() else {
        return;
    };
    let person = Person::new();
    person.ctl("init lab").ok();
    let home = person.home("lab");
    let host = server.url.trim_start_matches("http://");
    let config = fs::File::options()
        .append(true)
        .open(home.join("realm.toml"));
    let mut config = config.unwrap();
    let mut text = "id: look\nversion: 1.0.0\nkind: tool\ntool: {implementation: \"builtin:echo\"}\n\
                    inputSchema: {type: object, properties: {n: {type: integer}}}\noutputSchema: {}\n"
        .to_owned();
    for (format, path) in FORMATS {
        let table = format!(
            "\n[backends.{format}]\nformat = \"{format}\"\nurl = \"{}{path}\"\n\
             allow_private = [\"{host}\"]\nmodel = \"any\"\n",
            server.url
        );
        config.write_all(table.as_bytes()).unwrap();
        text += &loops(format);
    }
    let daemon = person.start("lab");
    person.ctl_with("apply -f -", &text).ok();

    for (format, _) in FORMATS {
        let say = |id: &str, say: &str| person.ctl(&format!("invoke {id}-{format} say={say}"));
        let greeting = json!({"text": "Good day to all of you."});
        assert_eq!(say("words", "greet").json(), greeting, "{format}");
        let shown = person.ctl(&format!("invoke words-{format} say=greet --stream"));
        let shown = shown.ok();
        assert!(
            shown.contains("Good day to all of you."),
            "{format}: {shown}"
        );
        assert_eq!(
            say("form", "sort").json(),
            json!({"category": "billing"}),
            "{format}"
        );
        let seen = json!({"text": "I have seen seven."});
        assert_eq!(say("tool", "look").json(), seen, "{format}");
        let shown = person.ctl(&format!("invoke tool-{format} say=look --stream"));
        let shown = shown.ok();
        assert!(shown.contains("I have seen seven."), "{format}: {shown}");
        say("words", "hurry").fails(8, &["status 429: not so fast"]);
    }
    daemon.stop();
}
