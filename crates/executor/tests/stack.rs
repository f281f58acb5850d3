//! Stacks of other systems become composites of announced work, or are refused with the reason.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use realm_executor::{Body, Broadcast, Manifest, Problem, Registry, Work, load};
use realm_protocol::broadcast::{Strategy, Waiting};
use serde_json::{Value, json};

/// An agent that takes and gives these members, all of them needed.
fn agent(name: &str, capability: &str, takes: &str, gives: &str) -> String {
    let schema = |names: &str| {
        let names: Vec<&str> = names.split_whitespace().collect();
        let members: Vec<String> = names
            .iter()
            .map(|name| format!("{name}: {{type: string}}"))
            .collect();
        format!(
            "{{type: object, required: [{}], properties: {{{}}}}}",
            names.join(", "),
            members.join(", ")
        )
    };
    format!(
        "---
apiVersion: loopstacks.io/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  runtime: {{image: example/{name}, language: python}}
  capabilities: [{capability}]
  schema: {{input: {}, output: {}}}
",
        schema(takes),
        schema(gives)
    )
}

/// A stack of these capabilities.
fn stack(capabilities: &str, takes: &str, gives: &str, phases: &str) -> String {
    format!(
        "---
apiVersion: loopstacks.io/v1
kind: LoopStack
metadata: {{name: desk}}
spec:
  description: Answers.
  schema:
    input: {{type: object, required: [{takes}], properties: {{{takes}: {{type: string}}}}}}
    output: {{type: object, required: [{gives}]}}
  capabilities: [{capabilities}]
  phases: {phases}
"
    )
}

fn agents() -> String {
    [
        agent("mood", "text.mood", "text", "mood"),
        agent("topic", "text.topic", "text", "topic"),
        agent("writer", "text.reply", "text mood topic", "reply"),
    ]
    .concat()
}

/// Loads and plans a file's stacks over the loops beside them.
fn plan(text: &str) -> Result<Vec<Manifest>, Vec<Problem>> {
    let loaded = load("stack.yaml", text, &|_| None)?;
    let registry = Registry::default();
    let mut planned = registry.plan_stacks(&loaded.stacks, &loaded.loops)?;
    let mut all = loaded.loops;
    all.append(&mut planned);
    registry.validate_set(&all)?;
    Ok(all)
}

fn named<'a>(loops: &'a [Manifest], id: &str) -> &'a Manifest {
    let found = loops.iter().find(|known| known.id.as_str() == id);
    found.unwrap_or_else(|| panic!("no `{id}`"))
}

fn broadcast<'a>(loops: &'a [Manifest], id: &str) -> &'a Broadcast {
    match &named(loops, id).body {
        Body::Broadcast(broadcast) => broadcast,
        other => panic!("{other:?}"),
    }
}

/// The steps as `a | b c | echo`.
fn steps(manifest: &Manifest) -> String {
    let Body::Composite(composite) = &manifest.body else {
        panic!("a composite")
    };
    let step = |work: &Work| match work {
        Work::Call(call) => call.loop_id.to_string(),
        Work::Parallel(steps) => {
            let calls = steps.iter().filter_map(|step| step.call());
            let names: Vec<String> = calls.map(|call| call.loop_id.to_string()).collect();
            names.join(" ")
        }
        Work::Wait { .. } => "wait".to_owned(),
    };
    let steps: Vec<String> = composite
        .steps
        .iter()
        .map(|each| step(&each.work))
        .collect();
    steps.join(" | ")
}

fn document(manifest: &Manifest) -> Value {
    manifest.to_json()
}

#[test]
fn a_stack_runs_its_capabilities_in_the_order_that_their_schemas_imply() {
    let phases = "{execution: {parallelism: adaptive}}";
    let text = agents()
        + &stack(
            "text.reply, text.mood, text.topic",
            "text",
            "reply, mood",
            phases,
        );

    let loops = plan(&text).unwrap();

    let desk = named(&loops, "desk");
    assert_eq!(
        steps(desk),
        "echo | desk/text.mood desk/text.topic | desk/text.reply | echo"
    );
    let steps = &document(desk)["composite"]["steps"];
    assert_eq!(
        steps[2]["inputMapping"],
        json!({"text": "$.input.text", "mood": "$.text_mood.mood", "topic": "$.text_topic.topic"})
    );
    assert_eq!(
        steps[3]["inputMapping"],
        json!({"mood": "$.text_mood.mood", "reply": "$.text_reply.reply"})
    );
    let reply = named(&loops, "desk/text.reply");
    assert_eq!(reply.output_schema, named(&loops, "writer").output_schema);
    for planned in &loops {
        let again = Manifest::from_json(&planned.to_json()).unwrap();
        assert_eq!(&again, planned);
    }
}

#[test]
fn every_field_of_the_phases_has_its_effect() {
    let phases = "
    intake: {timeout: 1s, validation: {required: true, schema: {required: [tone]}}}
    bidding: {timeout: 2s, minBids: 2, maxBids: 5, perRealm: 3, selectionStrategy: all, scope: [subtree, peers], maxPrice: EUR 0.05}
    execution: {timeout: 10s, parallelism: sequential, retryPolicy: {maxRetries: 2, backoffStrategy: linear}}
    output: {timeout: 4s, aggregationStrategy: consensus}";
    let text = agents() + &stack("text.mood, text.topic", "text", "mood", phases);

    let loops = plan(&text).unwrap();

    let desk = named(&loops, "desk");
    assert_eq!(
        steps(desk),
        "echo | desk/text.mood | desk/text.topic | echo"
    );
    assert_eq!(desk.input_schema["allOf"][1], json!({"required": ["tone"]}));
    // Twice three attempts of 12 s with pauses of 1 s and 2 s, and intake and output beside.
    assert_eq!(desk.limits.timeout_ms, 2 * (3 * 12_000 + 3_000) + 5_000);
    let steps = &document(desk)["composite"]["steps"];
    let phase = |step: usize| (&steps[step]["outputBinding"], &steps[step]["timeout"]);
    assert_eq!(phase(0), (&json!("IN"), &json!("1000ms")));
    assert_eq!(phase(3), (&json!("OUT"), &json!("4000ms")));
    let retry = &steps[1]["retry"];
    assert_eq!(
        (&retry["attempts"], &retry["backoff"]),
        (&json!(3), &json!("linear"))
    );
    let mood = document(named(&loops, "desk/text.mood"));
    assert_eq!(
        mood["broadcast"],
        json!({
            "capabilities": ["text.mood"], "scope": ["subtree", "peers"], "window": "2000ms",
            "within": "10000ms", "select": "all", "winners": 5, "standbys": 0, "minBids": 2,
            "maxBids": 5, "perRealm": 3, "atOnce": 1, "maxPrice": "EUR 0.05", "aggregate": "consensus", "threshold": 0.5,
        })
    );
}

#[test]
fn an_input_that_intake_bounds_keeps_what_its_references_name() {
    let stricter = "required: [text], properties: {text: {$ref: '#/$defs/Short'}}, $defs: {Short: {maxLength: 3}}";
    let phases = format!("{{intake: {{validation: {{schema: {{{stricter}}}}}}}}}");
    let own = "{type: object, allOf: [{properties: {text: {$ref: '#/$defs/Text'}}}], $defs: {Text: {type: string}}}";
    let text = |own: &str| {
        let plain = "input: {type: object, required: [text], properties: {text: {type: string}}}";
        let stack = stack("text.mood", "text", "mood", &phases);
        assert!(stack.contains(plain));
        agents() + &stack.replacen(plain, &format!("input: {own}"), 1)
    };

    let loops = plan(&text(own)).unwrap();
    let clash = plan(&text(&own.replace("Text", "Short"))).unwrap_err();
    let other = text(&own.replace("{text:", "{words:"));
    let other = plan(&other.replace(stricter, "maxProperties: 5")).unwrap_err();

    let mut registry = Registry::default();
    registry.insert_all(loops).unwrap();
    let desk = registry.get(&"desk".parse().unwrap()).unwrap();
    assert!(desk.check_input(&json!({"text": "abc"})).is_ok());
    assert!(desk.check_input(&json!({"text": "abcd"})).is_err());
    assert!(desk.check_input(&json!({"text": 1})).is_err());
    assert_eq!(clash[0].rule, "stack.phases.intake.validation.schema");
    assert!(clash[0].what.contains("$defs/Short"), "{clash:?}");
    assert_eq!(other[0].rule, "stack.order", "{other:?}");
}

#[test]
fn parts_that_references_call_alike_are_refused() {
    let text = agents()
        + &agent("tone", "text-mood", "text", "tone")
        + &stack("text.mood, text-mood", "text", "mood", "{}");

    let problems = plan(&text).unwrap_err();

    assert_eq!(problems[0].rule, "stack.member", "{problems:?}");
    assert!(problems[0].what.contains("`text_mood`"), "{problems:?}");
}

#[test]
fn the_second_form_runs_its_loops_one_after_the_other_and_derives_its_contract() {
    let text = agents() + "---
metadata: {name: desk, version: v1.2.3}
spec:
  loops:
    - {loopId: IN, requiredCapabilities: [text.mood], timeout: 3000, maxPrice: EUR 0.10}
    - loopId: BID
      requiredCapabilities: [text.topic]
      aggregation: {strategy: consensus, minimumAgents: 2, maximumAgents: 3, confidenceThreshold: 0.7, consensusThreshold: 0.6}
    - {loopId: OUT, requiredCapabilities: [text.reply], aggregation: {strategy: collect_all, maximumAgents: 2}}
";

    let loops = plan(&text).unwrap();

    let desk = named(&loops, "desk");
    assert_eq!(desk.version.to_string(), "1.2.3");
    assert_eq!(steps(desk), "desk/IN | desk/BID | desk/OUT");
    assert_eq!(desk.input_schema["required"], json!(["text"]));
    assert_eq!(
        desk.output_schema["items"],
        named(&loops, "writer").output_schema
    );
    let first = broadcast(&loops, "desk/IN");
    assert_eq!((first.window_ms, first.within_ms), (1_500, 1_500));
    assert_eq!(first.limits.currency.as_deref(), Some("EUR"));
    let second = broadcast(&loops, "desk/BID");
    assert_eq!((second.rule.awards, second.rule.min_bids), (3, 2));
    assert_eq!(second.aggregation.min_results, 2);
    assert_eq!(second.aggregation.threshold, Some(600_000));
    assert_eq!(second.aggregation.confidence, Some(700_000));
}

#[test]
fn a_stack_that_cannot_work_is_refused_with_the_reason() {
    let adaptive = "{execution: {parallelism: adaptive}}";
    let clash = agents().replace(
        "mood: {type: string}, topic",
        "mood: {type: integer}, topic",
    );
    for (text, rule, says, hint) in [
        (
            agents() + &stack("text.moot", "text", "mood", adaptive),
            "stack.capability",
            "no loop of this realm has `text.moot`",
            "known: text.mood, text.reply, text.topic",
        ),
        (
            agents() + &stack("text.mood, text.reply", "text", "reply", adaptive),
            "stack.order",
            "`text.reply` needs `topic`, which neither the input of `desk` nor another part gives",
            "add `topic`",
        ),
        (
            agents()
                + &stack(
                    "text.mood, text.topic, text.reply",
                    "text",
                    "reply",
                    "{execution: {parallelism: parallel}}",
                ),
            "stack.order",
            "`text.reply` needs `mood`, which `text.mood` gives beside it",
            "adaptive",
        ),
        (
            agents()
                + &stack(
                    "text.reply, text.mood, text.topic",
                    "text",
                    "reply",
                    "{execution: {parallelism: sequential}}",
                ),
            "stack.order",
            "`text.reply` needs `mood`, which `text.mood` gives after it",
            "before",
        ),
        (
            agents() + &stack("text.mood", "text", "score", adaptive),
            "stack.output",
            "the output of `desk` needs `score`, which no part gives",
            "given are: mood",
        ),
        (
            clash
                + &stack(
                    "text.mood, text.topic, text.reply",
                    "text",
                    "reply",
                    adaptive,
                ),
            "stack.input",
            "takes `mood` as {\"type\":\"integer\"}, and `text.mood` gives it as {\"type\":\"string\"}",
            "change one",
        ),
        (
            agents()
                + &agent("other", "text.mood", "text", "mood score")
                + &stack("text.mood", "text", "mood", adaptive),
            "stack.capability",
            "both have `text.mood`, with different schemas",
            "another capability",
        ),
        (
            agent("a", "a", "x", "y")
                + &agent("b", "b", "y", "x")
                + &stack("a, b", "text", "x", adaptive),
            "stack.order",
            "each need what another of them gives",
            "with the input",
        ),
    ] {
        let problems = plan(&text).unwrap_err();
        assert_eq!(problems[0].rule, rule, "{problems:?}");
        assert!(problems[0].what.contains(says), "{}", problems[0].what);
        let told = problems[0].hint.clone().unwrap_or_default();
        assert!(told.contains(hint), "{told}");
        assert!(problems[0].line > 1, "{problems:?}");
    }
}

#[test]
fn a_stack_whose_results_or_members_can_never_fit_is_refused() {
    let mood = "output: {type: object, required: [mood], properties: {mood: {type: string}}}";
    let giving = |output: &str| {
        let text = agent("mood", "text.mood", "text", "mood");
        assert!(text.contains(mood));
        text.replace(mood, output)
    };
    let desk = |capabilities: &str, gives: &str| {
        stack(capabilities, "text", gives, "{output: {timeout: 4s}}")
    };
    let scored = |of: &str| {
        format!("mood: {{type: object, required: [score], properties: {{score: {{type: {of}}}}}}}")
    };
    let given = format!(
        "output: {{type: object, required: [mood], properties: {{{}}}}}",
        scored("string")
    );
    let taking = |of: &str| {
        agent("writer", "text.reply", "mood", "reply").replace("mood: {type: string}", &scored(of))
    };
    let counting = "---
metadata: {name: desk}
spec: {loops: [{loopId: DO, requiredCapabilities: [text.mood], aggregation: {strategy: weighted_average}}]}
";
    for (text, rule, says) in [
        (
            giving("output: {type: array}") + &desk("text.mood", "mood"),
            "stack.aggregation",
            "what is merged has to be object, and is array",
        ),
        (
            giving("output: {type: [string, 'null']}") + counting,
            "stack.aggregation",
            "what is counted has to be number, and is null or string",
        ),
        (
            giving(&given) + &taking("number") + &desk("text.mood, text.reply", "reply"),
            "stack.input",
            "takes `mood` as",
        ),
        (
            giving(mood)
                + &desk("text.mood", "mood").replace(
                    "output: {type: object, required: [mood]}",
                    "output: {type: string}",
                ),
            "stack.output",
            "the output of `desk` is {\"type\":\"string\"}, and `text.mood` gives",
        ),
    ] {
        let problems = plan(&text).unwrap_err();
        assert_eq!(problems[0].rule, rule, "{problems:?}");
        assert!(problems[0].what.contains(says), "{}", problems[0].what);
    }
    let fits = giving(&given) + &taking("string") + &desk("text.mood, text.reply", "reply");
    assert!(plan(&fits).is_ok());
}

#[test]
fn a_file_that_breaks_the_rules_of_its_own_format_is_refused_where_it_does() {
    let phases = |inside: &str| agents() + &stack("text.mood", "text", "mood", inside);
    for (text, rule) in [
        (phases("{bidding: {timeout: soon}}"), "stack.phases.bidding.timeout"),
        (phases("{bidding: {timeout: 2m}}"), "stack.phases.bidding.timeout"),
        (phases("{bidding: {minBids: 3, maxBids: 2}}"), "stack.phases.bidding.minBids"),
        (phases("{bidding: {selectionStrategy: bset}}"), "stack.phases.bidding.selectionStrategy"),
        (phases("{bidding: {scope: Everybody}}"), "loop.broadcast.scope"),
        (phases("{bidding: {maxPrice: 5}}"), "stack.phases.bidding.maxPrice"),
        (phases("{execution: {parallelism: both}}"), "stack.phases.execution.parallelism"),
        (phases("{output: {aggregationStrategy: vote}}"), "stack.phases.output.aggregationStrategy"),
        (agents().replace("python", "rust"), "agent.runtime.language"),
        (agents().replace("[text.mood]", "[]"), "document.capabilities"),
        ("metadata: {name: a}\nspec: {loops: [{loopId: IN, requiredCapabilities: [a], timeout: 99}]}\n".to_owned(), "stack.loops.timeout"),
    ] {
        let problems = plan(&text).unwrap_err();
        assert_eq!(problems[0].rule, rule, "{problems:?}");
        assert!(problems[0].line > 0, "{problems:?}");
    }
}

#[test]
fn what_winners_give_is_announced_as_their_loops_have_it_where_it_becomes_a_list() {
    let shared = "output: {$defs: {mood: {type: string}}, type: object, required: [mood], properties: {mood: {$ref: \"#/$defs/mood\"}}}";
    let own = "output: {type: object, required: [mood], properties: {mood: {type: string}}}";
    let text = agent("mood", "text.mood", "text", "mood").replace(own, shared)
        + "---
metadata: {name: desk}
spec: {loops: [{loopId: DO, requiredCapabilities: [text.mood], aggregation: {strategy: collect_all}}]}
";
    assert!(text.contains("$defs"));

    let loops = plan(&text).unwrap();

    let announced = named(&loops, "desk/DO");
    assert_eq!(announced.output_schema["type"], "array");
    assert_eq!(
        announced.result_schema(),
        named(&loops, "mood").output_schema
    );
    let mut registry = Registry::default();
    registry.insert_all(loops.clone()).unwrap();
    let registered = registry.get(&announced.id).unwrap();
    assert!(registered.check_output(&json!([{"mood": "calm"}])).is_ok());
    assert!(registered.check_output(&json!([{"mood": 1}])).is_err());
    assert!(registered.check_result(&json!({"mood": "calm"})).is_ok());
}

const CAPABILITY: &str = "
apiVersion: interrealm.io/v1alpha1
kind: Capability
metadata: {name: pharmacy.review, version: 2.0.0}
spec:
  domainObjects:
    - {name: Order, schema: {type: object, required: [drug], properties: {drug: {type: string}}}}
    - {name: Opinion, schema: {type: object, required: [safe], properties: {safe: {type: boolean}}}}
  loops:
    - name: opinions
      type: voting
      recruitment: {recruitmentTimeout: 1000, minParticipants: 2, maxParticipants: 4, maxPrice: EUR 1}
      execution: {executionTimeout: 9000, waitStrategy: majority}
      input: {domainObjectRef: Order}
      output: {domainObjectRef: Opinion}
    - name: dispense
      type: bidding
      input: {inlineSchema: {type: object, required: [drug, safe], properties: {drug: {}, safe: {}}}}
      output: {inlineSchema: {type: object, properties: {receipt: {type: string}}}}
  loopStacks:
    - name: order
      loops:
        - {loopRef: opinions, allowSubLoops: false}
        - {loopRef: dispense, condition: opinions.safe}
      input: {domainObjectRef: Order}
";

#[test]
fn the_loops_and_loop_stacks_of_a_capability_become_announced_work_and_composites() {
    let loops = plan(CAPABILITY).unwrap();

    let opinions = broadcast(&loops, "pharmacy.review/opinions");
    assert_eq!((opinions.rule.awards, opinions.rule.min_bids), (4, 2));
    assert_eq!((opinions.window_ms, opinions.within_ms), (1_000, 9_000));
    assert_eq!(opinions.limits.price, Some(1_000_000));
    assert_eq!(opinions.aggregation.waiting, Waiting::Majority);
    assert_eq!(opinions.aggregation.quorum, None);
    let order = named(&loops, "pharmacy.review/order");
    let document = document(order);
    let steps = &document["composite"]["steps"];
    assert_eq!(steps[1]["when"], "opinions.safe");
    assert_eq!(
        steps[1]["inputMapping"],
        json!({"drug": "$.input.drug", "safe": "$.opinions.safe"})
    );
    assert!(!broadcast(&loops, "pharmacy.review/order/opinions").sub_loops);
    assert!(opinions.sub_loops);
}

#[test]
fn a_share_of_the_participants_is_waited_for_where_a_capability_says_so() {
    for (execution, aggregation, expected) in [
        (
            "waitStrategy: quorum",
            "strategy: vote",
            (Waiting::Quorum, Some(500_000)),
        ),
        (
            "waitStrategy: quorum",
            "quorum: 0.75",
            (Waiting::Quorum, Some(750_000)),
        ),
        (
            "executionTimeout: 9000",
            "quorum: 0.75",
            (Waiting::Quorum, Some(750_000)),
        ),
        ("waitStrategy: all", "strategy: vote", (Waiting::All, None)),
    ] {
        let loops = format!("{{{execution}}}\n      aggregation: {{{aggregation}}}");
        let text = CAPABILITY.replace("{executionTimeout: 9000, waitStrategy: majority}", &loops);

        let loops = plan(&text).unwrap();

        let opinions = broadcast(&loops, "pharmacy.review/opinions");
        let found = (opinions.aggregation.waiting, opinions.aggregation.quorum);
        assert_eq!(found, expected, "{execution}, {aggregation}");
        assert_eq!(opinions.aggregation.strategy, Strategy::Vote);
    }
}

#[test]
fn a_quorum_of_a_capability_that_is_not_waited_for_has_to_agree_or_is_refused() {
    for (wait, aggregation, expected) in [
        ("all", "quorum: 0.75", Some(Waiting::All)),
        ("all", "strategy: vote, quorum: 0.75", Some(Waiting::All)),
        ("majority", "quorum: 0.5", Some(Waiting::Majority)),
        ("majority", "quorum: 0.75", None),
        ("any", "quorum: 0.75", None),
        ("all", "strategy: merge, quorum: 0.75", None),
        ("any", "strategy: custom, quorum: 0.75", None),
    ] {
        let loops = format!("{{waitStrategy: {wait}}}\n      aggregation: {{{aggregation}}}");
        let text = CAPABILITY.replace("{executionTimeout: 9000, waitStrategy: majority}", &loops);

        let read = plan(&text);

        match (read, expected) {
            (Ok(loops), Some(waiting)) => {
                let made = &broadcast(&loops, "pharmacy.review/opinions").aggregation;
                assert_eq!((made.waiting, made.strategy), (waiting, Strategy::Quorum));
            }
            (Err(problems), None) => {
                assert_eq!(problems[0].rule, "capability.loops.aggregation", "{loops}");
            }
            (read, _) => panic!("{loops}: {read:?}"),
        }
    }
}

#[test]
fn a_capabilitys_own_loop_counts_the_one_number_of_its_output() {
    let summing = |numbers: &str| {
        let text = CAPABILITY
            .replace(
                "execution: {executionTimeout: 9000, waitStrategy: majority}",
                "aggregation: {strategy: sum}",
            )
            .replace("properties: {safe: {type: boolean}}", numbers);
        plan(&text)
    };

    let loops = summing("properties: {safe: {type: number}, why: {type: string}}").unwrap();
    let several = summing("properties: {safe: {type: number}, odds: {type: number}}").unwrap_err();

    for id in ["pharmacy.review/opinions", "pharmacy.review/order/opinions"] {
        assert_eq!(broadcast(&loops, id).aggregation.field, ["safe"]);
    }
    assert!(
        several
            .iter()
            .any(|problem| problem.rule == "stack.aggregation")
    );
}

#[test]
fn a_consensus_waits_for_everybody_unless_it_is_told_otherwise() {
    for (execution, expected) in [
        ("executionTimeout: 9000", Waiting::All),
        ("waitStrategy: all", Waiting::All),
        ("waitStrategy: quorum", Waiting::Quorum),
    ] {
        let loops = format!("{{{execution}}}\n      aggregation: {{quorum: 0.75}}");
        let text = CAPABILITY
            .replace("{executionTimeout: 9000, waitStrategy: majority}", &loops)
            .replace("type: voting", "type: consensus");

        let loops = plan(&text).unwrap();

        let aggregation = &broadcast(&loops, "pharmacy.review/opinions").aggregation;
        assert_eq!(aggregation.waiting, expected, "{execution}");
        assert_eq!(aggregation.threshold, Some(750_000));
    }
}

#[test]
fn a_consensus_is_made_one_by_its_type_alone() {
    let with = |strategy: &str| {
        let aggregation = format!("aggregation: {{strategy: {strategy}}}");
        let execution = "execution: {executionTimeout: 9000, waitStrategy: majority}";
        let text = CAPABILITY
            .replace(execution, &aggregation)
            .replace("type: voting", "type: consensus");
        plan(&text)
    };

    let problems = with("merge").unwrap_err();
    assert_eq!(problems[0].rule, "capability.loops.aggregation");
    assert!(with("vote").is_ok());
}

#[test]
fn what_a_capability_refers_to_exists() {
    for (from, to, rule) in [
        (
            "{loopRef: opinions, ",
            "{loopRef: opinion, ",
            "capability.loopRef",
        ),
        (
            "input: {domainObjectRef: Order}",
            "input: {domainObjectRef: Orders}",
            "capability.domainObjectRef",
        ),
        (
            "{name: Opinion,",
            "{name: Order,",
            "capability.domainObjects",
        ),
        ("version: 2.0.0", "version: 2.0.x", "loop.version"),
        (
            "condition: opinions.safe",
            "condition: dispense.safe",
            "loop.composite.when",
        ),
    ] {
        let problems = plan(&CAPABILITY.replace(from, to)).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.rule == rule),
            "{problems:?}"
        );
    }
}
