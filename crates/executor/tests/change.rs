//! Which changes of a contract are called compatible, and what is said of the others.
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use realm_executor::{ContractChange, Effects, Terms, ToldSchema, Verdict, version_to_break};
use serde_json::{Map, Value, json};

const NOTHING: Value = Value::Bool(true);

fn input(old: &Value, new: &Value) -> ContractChange {
    let terms = |input| Terms {
        input,
        output: &NOTHING,
        effects: Effects::None,
    };
    ContractChange::between(terms(old), terms(new))
}

fn output(old: &Value, new: &Value) -> ContractChange {
    let terms = |output| Terms {
        input: &NOTHING,
        output,
        effects: Effects::None,
    };
    ContractChange::between(terms(old), terms(new))
}

fn told(change: &ContractChange) -> Vec<String> {
    change.differences.iter().map(ToString::to_string).collect()
}

fn closed(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

#[test]
fn an_input_that_takes_all_it_took_is_compatible() {
    let text = json!({"type": "string"});
    let cases = [
        (
            closed(json!({"a": text}), &["a"]),
            closed(json!({"a": text}), &[]),
        ),
        (
            closed(json!({"a": text}), &["a"]),
            closed(json!({"a": text, "b": text}), &["a"]),
        ),
        (
            closed(json!({"a": text}), &["a"]),
            json!({"type": "object"}),
        ),
        (
            json!({"type": "integer"}),
            json!({"type": ["number", "null"]}),
        ),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["b", "a", "c"]}),
        ),
        (
            json!({"const": 3}),
            json!({"type": "integer", "minimum": 3}),
        ),
        (json!({"minimum": 3}), json!({"exclusiveMinimum": 2.5})),
        (json!({"maxLength": 3}), json!({"maxLength": 4})),
        (
            json!({"items": {"maximum": 1}, "minItems": 2}),
            json!({"items": {"maximum": 2}}),
        ),
        (
            json!({"type": "string", "title": "t"}),
            json!({"type": "string", "minimum": 3}),
        ),
        (
            json!({"anyOf": [text, {"type": "null"}], "minLength": 2}),
            json!({"anyOf": [text, {"type": "null"}]}),
        ),
        (
            json!({"pattern": "^a", "x-order": 1}),
            json!({"pattern": "^a", "x-order": 2}),
        ),
        (json!({"type": "string"}), json!({})),
        (json!(false), json!({"type": "string"})),
    ];
    for (old, new) in cases {
        assert_eq!(told(&input(&old, &new)), [""; 0], "{old} to {new}");
        assert_eq!(told(&output(&new, &old)), [""; 0], "{new} to {old}");
    }
}

#[test]
fn what_breaks_a_caller_is_named_with_its_place_and_what_was_and_is() {
    let text = json!({"type": "string"});
    let cases = [
        (
            closed(json!({"age": text}), &[]),
            closed(json!({"age": text}), &["age"]),
            "/properties/age: was optional, is required",
        ),
        (
            closed(json!({"a/b": text}), &[]),
            closed(json!({}), &[]),
            "/properties/a~1b: was allowed, is not allowed",
        ),
        (
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": text}}),
            "/properties/a: was anything, is string",
        ),
        (
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": false}),
            "/additionalProperties: was allowed, is not allowed",
        ),
        (
            json!({"type": ["string", "null"]}),
            text.clone(),
            ": was string or null, is string",
        ),
        (
            json!({"type": "number"}),
            json!({"type": "integer"}),
            ": was number, is integer",
        ),
        (
            json!({"enum": ["red", 1]}),
            json!({"enum": [1.0]}),
            ": \"red\" was accepted, is refused",
        ),
        (
            text.clone(),
            json!({"type": "string", "enum": ["a"]}),
            "/enum: was any value of the type, is [\"a\"]",
        ),
        (
            json!({"minimum": 3}),
            json!({"exclusiveMinimum": 3}),
            "/exclusiveMinimum: was 3, is 3 exclusively",
        ),
        (
            json!({}),
            json!({"maxItems": 2}),
            "/maxItems: was absent, is 2",
        ),
        (
            json!({}),
            json!({"pattern": "^a"}),
            "/pattern: was absent, is \"^a\"",
        ),
        (
            json!({"items": true}),
            json!({"items": {"type": "null"}}),
            "/items: was anything, is null",
        ),
    ];
    for (old, new, expected) in cases {
        let change = input(&old, &new);
        assert_eq!(change.verdict(), Verdict::Breaking, "{old} to {new}");
        assert_eq!(told(&change), [format!("/inputSchema{expected}")]);
    }
}

#[test]
fn an_output_may_promise_more_but_not_less() {
    let (loose, strict) = (
        json!({"type": "object", "properties": {"n": {"type": "number"}}}),
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}),
    );

    assert!(output(&loose, &strict).is_compatible());
    assert_eq!(
        told(&output(&strict, &loose)),
        [
            "/outputSchema/properties/n: was required, is optional",
            "/outputSchema/properties/n: was integer, is number",
        ]
    );
    let grown = output(&json!({"enum": ["a"]}), &json!({"enum": ["a", "b"]}));
    assert_eq!(
        told(&grown),
        ["/outputSchema: \"b\" was never given, can be"]
    );
}

#[test]
fn effects_may_get_weaker_but_not_stronger() {
    let terms = |effects| Terms {
        input: &NOTHING,
        output: &NOTHING,
        effects,
    };

    let weaker = ContractChange::between(terms(Effects::Once), terms(Effects::None));
    let stronger = ContractChange::between(terms(Effects::None), terms(Effects::Once));

    assert!(weaker.is_compatible());
    assert_eq!(told(&stronger), ["/effects: was none, is once"]);
}

#[test]
fn what_is_not_decided_is_unknown_and_not_compatible() {
    let embedded = |kind: &str| json!({"$defs": {"a": {"$id": "https://a.example/", "type": kind}}, "$ref": "#/$defs/a"});
    let cases = [
        (
            json!({"anyOf": [{"type": "string"}]}),
            json!({"anyOf": [true]}),
        ),
        (json!({}), json!({"not": {"type": "null"}})),
        (
            json!({"contains": {"const": 1}, "minContains": 0}),
            json!({"contains": {"const": 1}}),
        ),
        (json!({}), json!({"unevaluatedProperties": false})),
        (json!({}), json!({"format": "email"})),
        (
            json!({}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": true}, "type": "string"}),
            json!({"type": "string"}),
        ),
        (embedded("string"), embedded("number")),
        (
            json!({"minimum": 9_007_199_254_740_993_u64}),
            json!({"minimum": 9_007_199_254_740_992.5}),
        ),
    ];
    for (old, new) in cases {
        assert_eq!(
            input(&old, &new).verdict(),
            Verdict::Unknown,
            "{old} to {new}"
        );
    }
}

#[test]
fn references_are_followed_and_schemas_that_refer_to_themselves_compared_once() {
    let tree = |kind: &str, extra: Value| {
        let mut node = json!({"type": "object", "properties": {
            "value": {"type": kind},
            "next": {"$ref": "#/$defs/node"},
            "all": {"type": "array", "items": {"$ref": "#"}},
        }});
        if let (Value::Object(node), Value::Object(extra)) = (&mut node, extra) {
            node.extend(extra);
        }
        json!({"$ref": "#/$defs/node", "$defs": {"node": node}})
    };
    let (narrow, wide) = (
        tree("integer", json!({})),
        tree("number", json!({"title": "node"})),
    );

    assert!(input(&narrow, &wide).is_compatible());
    assert_eq!(
        told(&input(&wide, &narrow)),
        ["/inputSchema/properties/value: was number, is integer"]
    );
    let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}});
    assert_eq!(
        input(&circle, &json!({"type": "string"})).verdict(),
        Verdict::Unknown
    );
}

#[test]
fn the_version_that_tells_of_a_break_leaves_the_line() {
    let cases = [
        ("1.2.3", "1.3.0", Some("2.0.0")),
        ("1.2.3", "1.2.3", Some("2.0.0")),
        ("1.2.3", "2.0.0", None),
        ("0.3.1", "0.3.2", Some("0.4.0")),
        ("0.3.1", "0.4.0", None),
        ("0.0.4", "0.0.5", None),
    ];
    for (old, new, expected) in cases {
        let told = version_to_break(&old.parse().unwrap(), &new.parse().unwrap());
        assert_eq!(
            told.map(|told| told.to_string()).as_deref(),
            expected,
            "{old} to {new}"
        );
    }
}

/// Bytes that decide what is made; past their end all are zero.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self, below: u8) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first % below
    }

    fn schema(&mut self, depth: u8) -> Value {
        if self.next(12) == 0 {
            return Value::Bool(self.next(4) > 0);
        }
        let mut schema = Map::new();
        let mut put = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
        let types = ["object", "integer", "string", "array", "number", "null"];
        if self.next(5) > 0 {
            let first = usize::from(self.next(6));
            let second = (first + 1 + usize::from(self.next(5))) % 6;
            match self.next(3) {
                0 => put("type", json!([types[first], types[second]])),
                _ => put("type", types[first].into()),
            }
        }
        for (name, most) in [
            ("minimum", 3),
            ("exclusiveMaximum", 3),
            ("minLength", 2),
            ("maxItems", 3),
            ("minProperties", 2),
        ] {
            if self.next(6) == 0 {
                put(name, self.next(most).into());
            }
        }
        if self.next(8) == 0 {
            put(
                "enum",
                json!([self.instance(1), self.instance(1), self.instance(1)]),
            );
        }
        if self.next(12) == 0 {
            put(
                "anyOf",
                json!([{"type": "string"}, {"minimum": self.next(2)}]),
            );
        }
        if depth > 0 {
            let mut members = Map::new();
            for name in ["a", "b"] {
                if self.next(2) == 0 {
                    members.insert(name.to_owned(), self.schema(depth - 1));
                }
            }
            put("properties", members.into());
            if self.next(3) == 0 {
                let name = ["a", "b", "c"][usize::from(self.next(3))];
                put("required", json!([name]));
            }
            match self.next(4) {
                0 => put("additionalProperties", false.into()),
                1 => put("additionalProperties", self.schema(depth - 1)),
                _ => {}
            }
            match self.next(4) {
                0 => put("items", self.schema(depth - 1)),
                1 => put("items", json!({"$ref": "#"})),
                2 if self.next(3) == 0 => put("prefixItems", json!([self.schema(depth - 1)])),
                _ => {}
            }
        }
        Value::Object(schema)
    }

    fn instance(&mut self, depth: u8) -> Value {
        match self.next(if depth > 0 { 8 } else { 5 }) {
            0 => Value::Null,
            1 => self.next(4).into(),
            2 => json!(f64::from(self.next(8)) / 2.0),
            3 => ["", "x", "yy"][usize::from(self.next(3))].into(),
            4 => json!({}),
            5 => (0..self.next(3))
                .map(|_| self.instance(depth - 1))
                .collect(),
            _ => {
                let mut members = Map::new();
                for name in ["a", "b", "c"] {
                    if self.next(2) == 0 {
                        members.insert(name.to_owned(), self.instance(depth - 1));
                    }
                }
                members.into()
            }
        }
    }
}

/// Bytes that look random and come again.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    std::iter::repeat_with(step).take(count).collect()
}

#[test]
fn no_instance_that_was_accepted_is_refused_after_a_compatible_change() {
    let (mut compatible, mut accepted) = (0_u32, 0_u32);
    for seed in 0..3_000_u64 {
        let choices = bytes(seed, 160);
        let mut altered = choices.clone();
        let place = usize::from(choices[150]) % 40;
        altered[place] = altered[place].wrapping_add(1);
        let old = Choices(&choices[..80]).schema(2);
        let new = Choices(&altered[..80]).schema(2);
        if old == new || !input(&old, &new).is_compatible() {
            continue;
        }
        compatible += 1;
        let (before, after) = (ToldSchema::new(old), ToldSchema::new(new));
        for other in 0..20_u64 {
            let choices = bytes(seed ^ (other << 32) ^ 0xabcd, 40);
            let instance = Choices(&choices).instance(3);
            if before.check(&instance).is_ok() {
                accepted += 1;
                assert_eq!(
                    after.check(&instance),
                    Ok(()),
                    "{instance}: {} to {}",
                    before.schema(),
                    after.schema()
                );
            }
        }
    }
    assert!(compatible > 80 && accepted > 150, "{compatible} {accepted}");
}
