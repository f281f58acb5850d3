//! Files of every format, good and bad.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use realm_executor::{Body, Effects, Kind, Manifest, Problem, Registry, Tool, load};
use realm_protocol::{Digest, LoopId, limits};
use serde_json::json;

const PROMPT: &str = r#"{
  "id": "summarize", "name": "Summarize", "version": "1.0.0", "kind": "prompt",
  "description": "Summarizes a text.",
  "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
  "outputSchema": {"type": "object", "required": ["summary"]},
  "prompt": {"template": "Summarize: {{text}}", "systemPrompt": "Be brief.", "variables": ["text"],
             "maxTokens": 256, "temperature": 0.2},
  "backend": {"id": "mock", "model": "m-1"},
  "metadata": {"team": "a"}, "owner": "somebody"
}"#;

const COMPOSITE: &str = r#"{
  "id": "pipeline", "name": "Pipeline", "version": "1.0.0", "kind": "composite",
  "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
  "composite": {"steps": [
    {"loopId": "summarize", "loopVersion": "1.0.0", "inputMapping": {"text": "$.input.doc.text"}, "outputBinding": "first"},
    {"loopId": "echo", "inputMapping": {"again": "$.first.summary", "n": "$.steps[0].output.keyPoints[1]", "x": "literal:y"}}
  ]}
}"#;

const TOOL: &str = r#"{
  "id": "parrot", "name": "Parrot", "version": "0.1.0", "kind": "tool",
  "inputSchema": {}, "outputSchema": {}, "tool": {"implementation": "builtin:echo", "config": {"ignored": 1}}
}"#;

const OWN: &str = "\
id: variant-call
version: 1.2.0
kind: tool
description: Calls variants in a read set.
inputSchema: {$file: in.json}
outputSchema: {type: object}
effects: once
tool: {implementation: process, config: {argv: [python3, variant.py]}}
bid: {price: EUR 0.02, time: 2s, confidence: 0.9, when: \"load < 0.8\"}
capabilities: [genome.variants, genome.reads]
limits: {timeout: 30s, concurrency: 4}
";

fn read(name: &str, text: &str) -> Result<Vec<Manifest>, Vec<Problem>> {
    let loaded = load(name, text, &|file| {
        (file == "in.json").then(|| r#"{"type": "object"}"#.to_owned())
    })?;
    Ok(loaded.loops)
}

fn one(name: &str, text: &str) -> Manifest {
    let mut manifests = read(name, text).unwrap();
    assert_eq!(manifests.len(), 1);
    manifests.pop().unwrap()
}

/// Where and which: `line:column rule`.
fn places(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.rule))
        .collect()
}

#[test]
fn lsem_files_of_all_three_kinds_load() {
    let prompt = one("summarize.json", PROMPT);
    let composite = one("pipeline.json", COMPOSITE);
    let tool = one("parrot.json", TOOL);

    let Body::Prompt(body) = &prompt.body else {
        panic!("a prompt")
    };
    assert_eq!(
        (
            body.backend.as_str(),
            body.model.as_deref(),
            body.max_tokens
        ),
        ("mock", Some("m-1"), Some(256))
    );
    assert_eq!(prompt.metadata["name"], "Summarize");
    assert_eq!(prompt.metadata["owner"], "somebody");
    assert_eq!(prompt.own_effects(), Effects::Idempotent);
    assert_eq!(composite.kind(), Kind::Composite);
    assert_eq!(tool.body, Body::Tool(Tool::Echo));
    assert_eq!(tool.own_effects(), Effects::None);
}

#[test]
fn our_own_form_loads_with_a_schema_from_a_file() {
    let manifest = one("/srv/loops/variant.yaml", OWN);

    let Body::Tool(Tool::Process(process)) = &manifest.body else {
        panic!("a process")
    };
    assert_eq!(process.argv, ["python3", "variant.py"]);
    assert_eq!(process.cwd.as_deref(), Some("/srv/loops"));
    assert_eq!(manifest.input_schema, json!({"type": "object"}));
    assert_eq!(manifest.effects, Some(Effects::Once));
    let capabilities = manifest.capabilities.iter().map(LoopId::as_str);
    assert!(capabilities.eq(["genome.reads", "genome.variants"]));
    assert_eq!(
        (manifest.limits.timeout_ms, manifest.limits.concurrency),
        (30_000, 4)
    );
}

#[test]
fn every_manifest_survives_the_way_into_its_document_and_back() {
    for manifest in [
        one("a.json", PROMPT),
        one("b.json", COMPOSITE),
        one("c.json", TOOL),
        one("/d/d.yaml", OWN),
    ] {
        let document = manifest.to_json();
        assert_eq!(Manifest::from_json(&document).unwrap(), manifest);
    }
}

#[test]
fn one_yaml_file_holds_many_loops() {
    let text = format!("{OWN}---\n{}\n---\n", PROMPT.replace('\n', " "));

    let ids: Vec<String> = read("all.yaml", &text)
        .unwrap()
        .iter()
        .map(|found| found.id.to_string())
        .collect();

    assert_eq!(ids, ["variant-call", "summarize"]);
}

#[test]
fn sketches_load_as_far_as_a_loop_can_say_them() {
    let llm = one(
        "a.json",
        r#"{"id": "ask", "type": "llm", "llm": {"model": "m", "systemPrompt": "s", "tools": []}}"#,
    );
    let http = one(
        "b.yaml",
        "{id: agent, type: http, http: {url: 'https://example.org/run'}}",
    );
    let mcp = read("c.json", r#"{"id": "mcp", "type": "mcp", "mcp": {}}"#).unwrap_err();
    let tools = r#"{"id": "ask", "type": "llm", "llm": {"model": "m", "tools": [{"name": "t", "loopRef": "x"}]}}"#;

    assert_eq!(llm.kind(), Kind::Prompt);
    assert!(matches!(http.body, Body::Tool(Tool::Http(_))));
    assert_eq!(
        places(&mcp),
        ["1:37 sketch.mcp.server", "1:37 sketch.mcp.tool"]
    );
    let Body::Prompt(prompt) = one("d.json", tools).body else {
        panic!("a prompt")
    };
    assert_eq!(prompt.tools[0].name, "t");
    assert_eq!(prompt.tools[0].call.loop_id.to_string(), "x");
}

#[test]
fn tools_of_models_are_read_and_written_again_and_two_of_one_name_are_refused() {
    let text = "\
id: ask
version: 1.0.0
kind: prompt
inputSchema: {}
outputSchema: {}
prompt:
  template: '?'
  variables: []
  maxTurns: 3
  tools:
    - {name: look, loopId: look@lab/desk, description: Looks., timeout: 5s, inputSchema: {type: object}}
    - {name: note, loopId: note}
";
    let digest = Digest::of(&[b"look"]);
    let text = &text.replace("timeout: 5s", &format!("timeout: 5s, digest: {digest}"));
    let ask = one("ask.yaml", text);
    let again = Manifest::from_json(&ask.to_json()).unwrap();
    assert_eq!(again, ask);
    let approved: Vec<_> = ask.calls().iter().map(|call| call.digest).collect();
    assert_eq!(approved, [Some(digest), None]);

    let twice = text
        .replace("name: note", "name: look")
        .replace("note}", "no te}");
    let found = places(&read("ask.yaml", &twice).unwrap_err());
    assert_eq!(
        found,
        [
            "12:14 loop.prompt.tools.name",
            "12:28 loop.prompt.tools.loopId"
        ]
    );
}

#[test]
fn secrets_are_named_and_stand_beside_no_value_of_the_same_name() {
    let tool = |config: &str| {
        format!(
            "id: ask\nversion: 1.0.0\nkind: tool\ninputSchema: {{}}\noutputSchema: {{}}\ntool: {config}\n"
        )
    };
    let agent = "{implementation: http, config: {url: 'https://a.example/', key: lab, secrets: {x-desk: desk}}}";
    let program =
        "{implementation: process, config: {argv: [a], env: {A: b}, secrets: {TOKEN: lab}}}";
    for (config, names) in [(agent, ["lab", "desk"].as_slice()), (program, &["lab"])] {
        let manifest = one("ask.yaml", &tool(config));
        assert_eq!(manifest.secrets(), names);
        assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
    }

    let both = tool(&program.replace("TOKEN", "A"));
    let found = places(&read("ask.yaml", &both).unwrap_err());
    assert_eq!(found, ["6:75 loop.secrets"]);
}

#[test]
fn a_bound_above_which_people_are_asked_is_read_and_written_again_and_says_something() {
    let with = |approval: &str| format!("{OWN}{approval}\n");
    let loaded = one(
        "loop.yaml",
        &with("approval: {role: owner, above: {money: EUR 0.50, tokens: 9000}}"),
    );
    let above = loaded.approval.as_ref().and_then(|rule| rule.above);
    let above = above.expect("a bound");
    assert_eq!(above.money.unwrap().to_string(), "EUR 0.50");
    assert_eq!((above.tokens, above.calls), (Some(9_000), None));
    let again = Manifest::from_json(&loaded.to_json()).unwrap();
    assert_eq!(again.approval, loaded.approval);

    for (approval, rule) in [
        ("approval: {above: {}}", "approval.above"),
        ("approval: {above: {money: much}}", "approval.above"),
        ("approval: {above: {tokens: 0}}", "approval.above"),
        ("asks: {above: {tokens: 5}}", "asks"),
    ] {
        let problems = read("loop.yaml", &with(approval)).expect_err(approval);
        assert_eq!(problems[0].rule, format!("loop.{rule}"), "{approval}");
    }
}

#[test]
fn all_problems_of_a_file_come_at_once_with_their_places() {
    let text = "\
id: Bad Id
version: one
kind: tool
inputSchema:
  type: object
  properties:
    a: {type: strin}
outputSchema: 7
effect: once
tool:
  implementation: htp
  config: {}
limits:
  timeout: 30
  concurrency: 0
";

    let problems = read("bad.yaml", text).unwrap_err();

    let expected = [
        "1:5 loop.id",
        "2:10 loop.version",
        "7:15 loop.inputSchema",
        "8:15 loop.outputSchema",
        "9:1 loop.key",
        "11:19 loop.tool.implementation",
        "14:12 loop.limits.timeout",
        "15:16 loop.limits.concurrency",
    ];
    assert_eq!(places(&problems), expected);
    assert_eq!(problems[4].hint.as_deref(), Some("did you mean `effects`?"));
    assert_eq!(problems[5].hint.as_deref(), Some("did you mean `http`?"));
    assert!(problems.iter().all(|problem| problem.file == "bad.yaml"));
}

#[test]
fn lsem_files_that_break_lsems_rules_are_refused_under_its_names() {
    let text = "{\n  \"name\": \"n\", \"version\": \"1.0\",\n  \"kind\": \"promt\", \"unknown\": 1,\n  \"inputSchema\": {}\n}";

    let problems = read("bad.json", text).unwrap_err();

    assert_eq!(
        places(&problems),
        [
            "1:1 lsem.id",
            "1:1 lsem.outputSchema",
            "2:27 lsem.version",
            "3:11 lsem.kind"
        ]
    );
    assert_eq!(problems[3].hint.as_deref(), Some("did you mean `prompt`?"));
}

#[test]
fn steps_that_refer_to_what_has_not_run_are_refused() {
    let text = "\
id: c
version: 1.0.0
kind: composite
inputSchema: {}
outputSchema: {}
composite:
  steps:
    - {loopId: echo, inputMapping: {a: '$.steps[0].output', b: '$.later.x', c: 'input.x'}}
    - {loopId: 'bad id', outputBinding: later}
";

    let problems = read("c.yaml", text).unwrap_err();

    let expected = [
        "8:40 loop.composite.inputMapping",
        "8:64 loop.composite.inputMapping",
        "8:80 loop.composite.inputMapping",
        "9:16 loop.composite.loopId",
    ];
    assert_eq!(places(&problems), expected);
}

#[test]
fn what_this_version_does_not_serve_says_so() {
    let stack = OWN.replace("kind: tool", "kind: stack");
    let platform = "apiVersion: loopstacks.io/v1\nkind: Fleet\n";

    let stack = read("a.yaml", &stack).unwrap_err();

    assert_eq!(
        stack[0].what,
        "a stack is a composite whose steps call loops of kind `broadcast`"
    );
    assert_eq!(
        places(&read("c.yaml", platform).unwrap_err()),
        ["1:13 format.unknown"]
    );
}

#[test]
fn texts_that_are_not_documents_are_refused_where_they_go_wrong() {
    for (name, text, place) in [
        (
            "a.json",
            "{\"id\": \"a\",\n \"id\": \"b\"}",
            "2:5 json.syntax",
        ),
        ("a.json", "{\"id\": 9007199254740993}", "1:23 json.syntax"),
        ("a.yaml", "id: a\nid: b\n", "2:1 yaml.duplicate"),
        ("a.yaml", "a: &x 1\nb: *x\n", "1:4 yaml.alias"),
        ("a.yaml", "a: .nan\n", "1:4 yaml.value"),
        ("a.yaml", "a: [1\n", "2:1 yaml.syntax"),
        ("a.yaml", "# nothing\n", "1:1 file.empty"),
        ("a.yaml", "- a\n", "1:1 loop.document"),
    ] {
        assert_eq!(places(&read(name, text).unwrap_err()), [place], "{text}");
    }
}

#[test]
fn nesting_without_end_is_refused_before_it_costs_anything() {
    let yaml = read("a.yaml", &"[".repeat(100)).unwrap_err();
    let endless = read("a.yaml", &"[".repeat(500_000)).unwrap_err();
    let json = read("a.json", &"[".repeat(500_000)).unwrap_err();

    assert_eq!(yaml[0].rule, "yaml.depth");
    assert_eq!(endless[0].rule, "yaml.syntax");
    assert_eq!(json[0].rule, "json.syntax");
}

#[test]
fn schemas_that_reach_outside_their_document_are_refused() {
    for schema in [
        r#"{"$ref": "https://example.org/s.json"}"#,
        r#"{"$ref": "file:///etc/passwd"}"#,
        r#"{"properties": {"a": {"$ref": "other.json"}}}"#,
        r##"{"$ref": "#/$defs/none"}"##,
    ] {
        let text = TOOL.replace("\"inputSchema\": {}", &format!("\"inputSchema\": {schema}"));
        assert_eq!(
            read("a.json", &text).unwrap_err()[0].rule,
            "lsem.inputSchema",
            "{schema}"
        );
    }
    let outside = OWN.replace("in.json", "../in.json");
    assert!(
        read("a.yaml", &outside).unwrap_err()[0]
            .what
            .contains("not beside or below")
    );
}

#[test]
fn schemas_past_the_limit_are_refused() {
    let long = format!(r#"{{"description": "{}"}}"#, "x".repeat(70_000));
    let text = TOOL.replace("\"inputSchema\": {}", &format!("\"inputSchema\": {long}"));

    assert!(
        read("a.json", &text).unwrap_err()[0]
            .what
            .contains("more than 65536 bytes")
    );
}

#[test]
fn loops_applied_together_may_call_each_other_but_not_in_a_circle() {
    let step = |id: &str, calls: &str| {
        let text = format!(
            "id: {id}\nversion: 1.0.0\nkind: composite\ninputSchema: {{}}\noutputSchema: {{}}\n\
             composite: {{steps: [{{loopId: {calls}}}]}}\n"
        );
        one("set.yaml", &text)
    };
    let registry = Registry::default();

    let good = registry.validate_set(&[
        step("a", "b"),
        step("b", "echo"),
        step("c", "x@acme/health"),
    ]);
    let circle = registry
        .validate_set(&[step("a", "b"), step("b", "c"), step("c", "a")])
        .unwrap_err();
    let itself = registry.validate_set(&[step("a", "a")]).unwrap_err();
    let unknown = registry.validate_set(&[step("a", "nobody")]).unwrap_err();

    assert_eq!(good, Ok(()));
    assert!(
        circle[0].what.ends_with("a → b → c → a"),
        "{}",
        circle[0].what
    );
    assert_eq!(
        circle
            .iter()
            .filter(|problem| problem.rule == "composite.cycle")
            .count(),
        1
    );
    assert!(itself[0].what.ends_with("a → a"));
    assert_eq!(places(&unknown), ["6:30 composite.loopId"]);
}

#[test]
fn a_composite_has_the_strongest_effects_of_what_it_calls_and_may_not_claim_less() {
    let prompt = one("p.json", PROMPT);
    let composite = one("c.json", COMPOSITE);
    let claims = |effects| Manifest {
        effects: Some(effects),
        ..composite.clone()
    };
    let mut registry = Registry::default();

    registry.insert(composite.clone()).unwrap();
    let alone = registry.get(&composite.id).unwrap().clone();
    registry.insert(prompt.clone()).unwrap();
    let together = registry.get(&composite.id).unwrap().clone();

    assert_eq!(
        (alone.effects, together.effects),
        (Effects::Once, Effects::Idempotent)
    );
    assert_ne!(alone.contract, together.contract);
    let weaker = registry.validate_set(&[claims(Effects::None)]).unwrap_err();
    assert_eq!(weaker[0].rule, "loop.effects");
    assert_eq!(registry.validate_set(&[claims(Effects::Once)]), Ok(()));
}

#[test]
fn echo_is_always_there_and_cannot_be_replaced_or_removed() {
    let mut registry = Registry::default();
    let id = "echo".parse().unwrap();
    let other = Manifest {
        id: "echo".parse().unwrap(),
        ..one("t.json", TOOL)
    };

    assert!(registry.remove(&id).is_none());
    assert!(registry.insert(other.clone()).is_err());
    assert_eq!(
        registry.validate_set(&[other]).unwrap_err()[0].rule,
        "loop.builtin"
    );
    assert_eq!(registry.get(&id).unwrap().effects, Effects::None);
}

#[test]
fn the_contract_is_effects_and_schemas_whatever_the_order_of_keys() {
    let written = one("t.json", TOOL);
    let schema = |text: &str| serde_json::from_str(text).unwrap();
    let a = Manifest {
        input_schema: schema(r#"{"type":"object","title":"t"}"#),
        ..written.clone()
    };
    let b = Manifest {
        input_schema: schema(r#"{"title":"t","type":"object"}"#),
        description: None,
        ..written
    };

    assert_eq!(
        a.contract_digest(Effects::None),
        b.contract_digest(Effects::None)
    );
    assert_ne!(
        a.contract_digest(Effects::None),
        a.contract_digest(Effects::Once)
    );
}

#[test]
fn json_and_yaml_keep_every_value_as_it_is_written() {
    let written = r#"{"e\u00e9\ud83d\ude00": "\"\\\n\/", "n": [-0, 1e3, 0.5, 9007199254740991, -7],
        "empty": [{}, [], "", null, true], "nested": {"a": {"b": [[["]}"]]]}}, "k:,{": ":,{"}"#;
    let text = TOOL.replace("{\"ignored\": 1}", "{}").replacen(
        '{',
        &format!("{{\"metadata\": {written},"),
        1,
    );

    let metadata = one("t.json", &text).metadata;

    let mut expected: serde_json::Map<_, _> = serde_json::from_str(written).unwrap();
    expected.insert("name".to_owned(), json!("Parrot"));
    assert_eq!(metadata, expected);
    let yaml = OWN.to_owned()
        + "metadata: {a: 012, b: '7', c: yes, d: 1.5, e: ~, f: \"x\\ny\", g: [1, {h: false}]}\n";
    let expected = json!({"a": 12, "b": "7", "c": "yes", "d": 1.5, "e": null, "f": "x\ny", "g": [1, {"h": false}]});
    assert_eq!(
        serde_json::Value::Object(one("t.yaml", &yaml).metadata),
        expected
    );
}

#[test]
fn a_bid_that_says_nothing_is_refused_with_the_reason() {
    for (bid, column, says) in [
        ("ask", 6, "write {price"),
        ("{time: 2s, speed: 3}", 6, "`speed` is not known"),
        ("{time: 2s, price: 0.02}", 24, "three upper-case letters"),
        (
            "{time: 2s, price: eur 0.02}",
            24,
            "three upper-case letters",
        ),
        ("{price: EUR 0.02}", 6, "time to the result"),
        ("{time: 31d}", 13, "1ms to 30d"),
        ("{time: 2s, confidence: 1.5}", 29, "from 0 to 1"),
        ("{time: 2s, when: \"load <\"}", 23, "`when`: not CEL"),
        ("{time: \"wait * 2\"}", 13, "`time`: `wait` is not known"),
        ("{time: 2s, price: EUR 1 +}", 24, "`price`: not CEL"),
        ("{time: 2s, budget: EUR load}", 25, "for a day"),
        ("{ask: quote, time: 2s}", 25, "`time` and `ask` exclude"),
        ("{ask: quote, within: 2m}", 27, "1ms to 60s"),
        ("{time: 2s, within: 2s}", 25, "write `ask`"),
    ] {
        let line = "bid: {price: EUR 0.02, time: 2s, confidence: 0.9, when: \"load < 0.8\"}";
        let text = OWN.replace(line, &format!("bid: {bid}"));
        let problems = read("loop.yaml", &text).unwrap_err();
        assert_eq!(places(&problems), [format!("9:{column} loop.bid")], "{bid}");
        assert!(problems[0].what.contains(says), "{}", problems[0].what);
    }
}

const BROADCAST: &str = "\
id: quote
version: 1.0.0
kind: broadcast
inputSchema: {type: object}
outputSchema: {type: object}
broadcast:
  capabilities: [prices.quote, goods.find]
  scope: [children, lab/genomics]
  window: 500ms
  within: 10s
  maxPrice: EUR 0.105
  select: weighted
  weights: {price: 2, trust: 1}
  winners: 3
  minBids: 2
  enough: {bids: 3, price: EUR 0.05, confidence: 0.9}
  aggregate: consensus
  threshold: 0.6
  field: risk.level
  subLoops: false
  wider: {scope: peers, depth: 2}
  atOnce: 2
";

#[test]
fn announced_work_loads_and_may_take_its_window_and_its_work() {
    let manifest = one("quote.yaml", BROADCAST);

    let Body::Broadcast(broadcast) = &manifest.body else {
        panic!("a broadcast")
    };
    let capabilities = broadcast.capabilities.iter().map(LoopId::as_str);
    assert!(capabilities.eq(["goods.find", "prices.quote"]));
    assert_eq!(broadcast.limits.price, Some(105_000));
    assert_eq!(broadcast.aggregation.field, ["risk", "level"]);
    assert_eq!(broadcast.at_once, Some(2));
    assert_eq!(manifest.limits.timeout_ms, 10_500);
    assert_eq!(manifest.own_effects(), Effects::Once);
    assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
}

#[test]
fn announced_work_that_contradicts_itself_is_refused_where_it_does() {
    for (line, instead, place, says) in [
        (
            "  window: 500ms",
            "  window: 2m",
            "9:11 loop.broadcast.window",
            "at most",
        ),
        (
            "  maxPrice: EUR 0.105",
            "  maxPrice: 0.105",
            "11:13 loop.broadcast.maxPrice",
            "EUR 0.10",
        ),
        (
            "  maxPrice: EUR 0.105",
            "  depth: 1",
            "13:12 loop.broadcast.weights",
            "highest price",
        ),
        (
            "  select: weighted",
            "  select: best",
            "13:12 loop.broadcast.weights",
            "alone",
        ),
        (
            "  threshold: 0.6",
            "  depth: 1",
            "7:3 loop.broadcast.threshold",
            "its share",
        ),
        (
            "  aggregate: consensus",
            "  aggregate: concensus",
            "17:14 loop.broadcast.aggregate",
            "no way",
        ),
        (
            "  winners: 3",
            "  minResults: 3",
            "7:3 loop.broadcast.minResults",
            "bids win",
        ),
        (
            "  subLoops: false",
            "  aggregator: join",
            "20:15 loop.broadcast.aggregator",
            "only there",
        ),
        ("  minBids: 2", "  bids: 2", "15:3 loop.key", "not known"),
        (
            "  scope: [children, lab/genomics]",
            "  scope: every one",
            "8:10 loop.broadcast.scope",
            "nor a realm",
        ),
    ] {
        let text = BROADCAST.replace(line, instead);
        let problems = read("quote.yaml", &text).unwrap_err();
        assert_eq!(places(&problems)[0], place, "{instead}");
        assert!(problems[0].what.contains(says), "{}", problems[0].what);
    }
}

#[test]
fn no_round_of_announced_work_names_more_realms_than_an_announcement_may() {
    let named = |range: std::ops::Range<usize>| {
        let realms: Vec<String> = range.map(|number| format!("r{number}")).collect();
        realms.join(", ")
    };
    let with = |before: std::ops::Range<usize>, besides: std::ops::Range<usize>| {
        let text = BROADCAST.replace("[children, lab/genomics]", &format!("[{}]", named(before)));
        let wider = format!("{{scope: [peers, {}]}}", named(besides));
        read(
            "quote.yaml",
            &text.replace("{scope: peers, depth: 2}", &wider),
        )
    };
    let (half, all) = (limits::NAMED_SCOPES / 2, limits::NAMED_SCOPES);

    assert!(with(0..half, half..all).is_ok());
    assert!(
        with(0..all, 1..half).is_ok(),
        "those named twice count once"
    );
    let problems = with(0..half, half..all + 1).unwrap_err();
    assert_eq!(places(&problems), ["21:10 loop.broadcast.wider"]);
    assert!(
        problems[0].what.contains("name 65 realms"),
        "{}",
        problems[0].what
    );
}

#[test]
fn announced_work_whose_results_can_never_be_made_one_is_refused() {
    let level = |of: &str| {
        let risk = format!("{{type: object, properties: {{level: {{type: {of}}}}}}}");
        format!("outputSchema: {{type: object, properties: {{risk: {risk}}}}}")
    };
    let list = |of: &str| format!("outputSchema: {{type: array, items: {{type: {of}}}}}");
    for (output, aggregate, expected) in [
        (level("number"), "sum", None),
        (level("integer"), "average", None),
        (
            level("string"),
            "sum",
            Some("counted has to be number, and is string"),
        ),
        (level("string"), "consensus", None),
        (list("string"), "rank", Some("no `risk` in what is string")),
        (list("object"), "rank", None),
        (
            "outputSchema: {type: string}".to_owned(),
            "consensus",
            Some("no `risk` in what is string"),
        ),
        (
            "outputSchema: {type: array}".to_owned(),
            "merge",
            Some("no `risk` in what is array"),
        ),
    ] {
        let text = BROADCAST
            .replace("outputSchema: {type: object}", &output)
            .replace("aggregate: consensus", &format!("aggregate: {aggregate}"));
        let read = read("quote.yaml", &text);
        match (read, expected) {
            (Ok(_), None) => {}
            (Err(problems), Some(says)) => {
                assert_eq!(problems[0].rule, "loop.broadcast.aggregate");
                assert!(problems[0].what.contains(says), "{}", problems[0].what);
            }
            (read, _) => panic!("{output}, {aggregate}: {read:?}"),
        }
    }
}

const ROUTE: &str = "\
id: grade
version: 1.0.0
kind: route
inputSchema: {type: object}
outputSchema: {type: object}
effects: idempotent
route:
  pattern: grade/*
  targets:
    - {realm: lab/pathology, priority: 2, weight: 3, timeout: 5s}
    - {realm: partner, loop: grade-slide, version: ^2, priority: 2}
    - {loop: by-hand, weight: 0}
    - broadcast: {scope: peers, window: 1s, within: 9s}
";

#[test]
fn a_route_loads_with_the_loop_that_announces_its_work() {
    let manifests = read("grade.yaml", ROUTE).unwrap();

    let [route, announced] = manifests.as_slice() else {
        panic!("{manifests:?}")
    };
    let Body::Broadcast(broadcast) = &announced.body else {
        panic!("a broadcast")
    };
    let called = route
        .calls()
        .into_iter()
        .map(|call| call.loop_id.to_string());
    let called: Vec<String> = called.collect();
    assert_eq!(
        called,
        [
            "grade@lab/pathology",
            "grade-slide@partner",
            "by-hand",
            "grade/announced"
        ]
    );
    assert_eq!(announced.id.as_str(), "grade/announced");
    assert_eq!(broadcast.loop_id, Some(route.id.clone()));
    assert_eq!(announced.own_effects(), Effects::Idempotent);
    assert_eq!(route.limits.timeout_ms, 5_000 + 2 * 60_000 + 10_000);
    assert_eq!(&Manifest::from_json(&route.to_json()).unwrap(), route);
}

#[test]
fn a_route_that_leads_nowhere_is_refused_where_it_does() {
    for (line, instead, place, says) in [
        (
            "grade/*",
            "grade",
            "8:12 loop.route.pattern",
            "`*` at its end",
        ),
        (
            "grade/*",
            "'*'",
            "8:12 loop.route.pattern",
            "beginning of names",
        ),
        (
            "weight: 3",
            "weight: 65536",
            "10:51 loop.route.targets.weight",
            "65535",
        ),
        (
            "loop: by-hand, ",
            "",
            "12:7 loop.route.targets",
            "a `realm`",
        ),
        (
            "version: ^2",
            "version: two",
            "11:52 loop.route.targets.version",
            "neither",
        ),
        (
            "scope: peers",
            "scope: every one",
            "13:26 loop.broadcast.scope",
            "nor a realm",
        ),
        (
            "realm: partner",
            "real: partner",
            "11:8 loop.key",
            "did you mean `realm`",
        ),
    ] {
        let problems = read("grade.yaml", &ROUTE.replace(line, instead)).unwrap_err();
        assert_eq!(places(&problems)[0], place, "{instead}");
        assert!(problems[0].to_string().contains(says), "{}", problems[0]);
    }
}

const MESH: &str = "\
apiVersion: interrealm.io/v1alpha1
kind: MeshConfiguration
metadata: {meshId: care, version: 3.0.0}
spec:
  gatewayUrl: wss://gateway.example.com
  policies: [{name: slow, type: rate-limit, config: {requestsPerMinute: 10}}]
  realms:
    - realmId: mercy
      routes:
        - {routePattern: /pharmacy/*, capability: healthcare.pharmacy, targetRealmId: mercy/pharmacy, priority: 2}
        - {capability: healthcare.pharmacy, targetRealmId: night, priority: 1, weight: 3}
        - {capability: healthcare.pharmacy, operation: Refill, targetRealmId: desk}
        - {capability: old.things, targetRealmId: desk, active: false}
      bridges:
        - name: partner
          connectionType: websocket
          remoteGatewayUrl: wss://partner.example.com
          bridgeKey: secret
          localContract:
            name: both
            version: 1.0.0
            provides: [{capability: healthcare.reports, providedBy: mercy}]
            requires: [{capability: compliance.validate, version: '>=1.0.0'}]
      children:
        - realmId: mercy/pharmacy
          children: [{realmId: desk}]
";

fn mesh(text: &str) -> Result<realm_executor::Mesh, Vec<Problem>> {
    Ok(load("mesh.yaml", text, &|_| None)?.meshes.remove(0))
}

#[test]
fn routes_and_bridges_of_a_mesh_become_loops_of_the_realm_that_has_them() {
    let mesh = mesh(MESH).unwrap();

    let realms: Vec<String> = mesh.realms.keys().map(ToString::to_string).collect();
    assert_eq!(realms, ["mercy", "mercy/pharmacy", "mercy/pharmacy/desk"]);
    let loops = &mesh.realms[&"mercy".parse().unwrap()];
    let targets = loops.iter().map(|route| {
        let Body::Route(body) = &route.body else {
            panic!("a route")
        };
        let targets = body.targets.iter();
        let targets =
            targets.map(|it| format!("{} {}*{}", it.call.loop_id, it.priority, it.weight));
        let targets: Vec<String> = targets.collect();
        (route.id.to_string(), targets.join(", "))
    });
    let expected = [
        ("compliance.validate", "compliance.validate@partner 0*1"),
        (
            "healthcare.pharmacy",
            "healthcare.pharmacy@mercy/pharmacy 2*1, healthcare.pharmacy@night 1*3",
        ),
        (
            "healthcare.pharmacy/Refill",
            "healthcare.pharmacy/Refill@mercy/pharmacy/desk 0*1",
        ),
    ];
    assert!(targets.eq(expected.map(|(id, to)| (id.to_owned(), to.to_owned()))));
    assert_eq!(
        places(&mesh.warnings),
        [
            "6:14 mesh.policies",
            "11:60 mesh.routes",
            "20:13 mesh.bridges.provides"
        ]
    );
}

#[test]
fn a_mesh_that_breaks_its_own_rules_is_refused_where_it_does() {
    for (line, instead, place, says) in [
        (
            "version: 3.0.0",
            "version: three",
            "3:35 loop.version",
            "semantic version",
        ),
        (
            "priority: 2",
            "priority: -1",
            "10:113 mesh.routes.priority",
            "whole number",
        ),
        (
            "{realmId: desk}",
            "{realmId: mercy}",
            "26:32 mesh.realmId",
            "another realm",
        ),
        (
            "{realmId: desk}",
            "{displayName: Desk}",
            "26:22 mesh.realmId",
            "missing",
        ),
        (
            "- {capability: healthcare.pharmacy, targetRealmId: night",
            "- {targetRealmId: night",
            "11:11 mesh.routes.capability",
            "missing",
        ),
    ] {
        let problems = mesh(&MESH.replace(line, instead)).unwrap_err();
        assert_eq!(places(&problems)[0], place, "{instead}");
        assert!(problems[0].to_string().contains(says), "{}", problems[0]);
    }
}
