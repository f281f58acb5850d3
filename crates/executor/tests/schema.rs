//! Schemas: faults, examples, and schemas that mean harm.

use realm_executor::{ToldSchema, example};
use serde_json::{Map, Value, json};

fn validate_json(schema: &Value, instance: &Value) -> Result<(), Vec<String>> {
    ToldSchema::new(schema.clone()).check(instance)
}

#[test]
fn faults_name_their_place() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {"b": {"items": {"type": "string"}}}});

    let faults = validate_json(&schema, &json!({"b": ["x", 1]})).unwrap_err();

    assert_eq!(faults.len(), 2);
    assert!(
        faults.iter().any(|fault| fault.starts_with("(root): ")),
        "{faults:?}"
    );
    assert!(
        faults.iter().any(|fault| fault.starts_with("/b/1: ")),
        "{faults:?}"
    );
}

#[test]
fn an_example_satisfies_the_schema_it_was_made_from() {
    for schema in [
        json!({"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer", "minimum": 3}}, "required": ["a", "n"]}),
        json!({"type": "array", "items": {"$ref": "#/$defs/item"}, "$defs": {"item": {"enum": ["x", "y"]}}}),
        json!({"type": ["null", "string"], "maxLength": 2}),
        json!({"oneOf": [{"type": "boolean"}, {"type": "string"}]}),
        json!({"type": "object", "properties": {"a": {"const": 1}}, "anyOf": [{"required": ["a"]}]}),
        json!({"allOf": [{"properties": {"a": {"type": "number"}}}, {"required": ["a"]}]}),
    ] {
        let made = example(&schema);
        assert_eq!(
            validate_json(&schema, &made),
            Ok(()),
            "{schema} gave {made}"
        );
    }
}

#[test]
fn an_example_of_a_schema_without_end_ends() {
    let schema =
        json!({"type": "object", "properties": {"next": {"$ref": "#"}, "other": {"$ref": "#"}}});

    assert!(example(&schema).is_object());
}

#[test]
fn patterns_that_backtrack_are_refused_or_linear() {
    let linear = json!({"pattern": "^(a+)+$"});
    let looking_around = json!({"pattern": "(?=a)b"});
    let huge = json!({"pattern": "(a{1000}){1000}"});

    assert!(validate_json(&linear, &json!(format!("{}b", "a".repeat(100_000)))).is_err());
    assert!(validate_json(&looking_around, &json!("b")).is_err());
    assert!(validate_json(&huge, &json!("a")).is_err());
}

/// Definitions of which each refers twice to the next.
fn doubling(levels: usize) -> Value {
    let twice = |level: usize| {
        let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
        (level.to_string(), json!({"allOf": [next, next]}))
    };
    let mut definitions: Map<String, Value> = (0..levels).map(twice).collect();
    definitions.insert(levels.to_string(), json!({"type": "object"}));
    json!({"$ref": "#/$defs/0", "$defs": definitions})
}

#[test]
fn schemas_whose_references_double_the_work_are_refused() {
    assert_eq!(validate_json(&doubling(8), &json!({})), Ok(()));
    assert!(validate_json(&doubling(30), &json!({})).unwrap_err()[0].contains("parts"));
    let chain = json!({"$ref": "#/$defs/0", "$defs": (0..100)
        .map(|level| (level.to_string(), json!({"$ref": format!("#/$defs/{}", level + 1)})))
        .chain([("100".to_owned(), json!({}))])
        .collect::<Map<String, Value>>()});
    assert!(validate_json(&chain, &json!({})).unwrap_err()[0].contains("references lead"));
}

#[test]
fn schemas_with_very_many_patterns_are_refused() {
    let patterned = |count: usize| {
        let property = |index: usize| (format!("p{index}"), json!({"pattern": "^[a-z]{1,64}$"}));
        json!({"properties": (0..count).map(property).collect::<Map<String, Value>>()})
    };

    assert_eq!(validate_json(&patterned(50), &json!({"p1": "a"})), Ok(()));
    assert!(validate_json(&patterned(1_000), &json!({})).unwrap_err()[0].contains("parts"));
}

#[test]
fn schemas_that_only_refer_to_themselves_end() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
    ] {
        assert_eq!(validate_json(&schema, &json!({"a": 1})), Ok(()), "{schema}");
    }
}

#[test]
fn deep_instances_of_branching_schemas_are_judged_in_bounded_work() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let branches = |also: &str| {
            let both = json!([{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y"}]);
            json!({"title": also, "properties": {"a": {keyword: both}, "b": {"type": "string"}}})
        };
        let schema =
            json!({"$ref": "#/$defs/x", "$defs": {"x": branches("x"), "y": branches("y")}});
        let deep = |leaf: Value| (0..60).fold(leaf, |inner, _| json!({"a": inner}));

        let faults = validate_json(&schema, &deep(json!({"b": 1})));

        assert_eq!(faults.unwrap_err().len(), 1, "{keyword}");
    }
}

#[test]
fn names_and_ids_inside_a_schema_keep_to_the_document() {
    let anchored = json!({"$ref": "#item", "$defs": {"i": {"$anchor": "item", "type": "string"}}});
    let renamed = json!({"$ref": "#/$defs/i", "$defs": {"i": {"$id": "https://example.org/i", "type": "string"}}});
    let described = json!({"properties": {"$id": {"type": "string"}, "id": {"type": "string"}}, "$id": "https://example.org/s"});

    assert!(validate_json(&anchored, &json!(1)).is_err());
    assert_eq!(validate_json(&anchored, &json!("x")), Ok(()));
    assert!(validate_json(&renamed, &json!("x")).unwrap_err()[0].contains("an id"));
    assert_eq!(validate_json(&described, &json!({"id": "x"})), Ok(()));
}

/// Definitions in a row, each nested, the last one leading to `end`.
fn row(length: usize, nesting: usize, wrap: impl Fn(Value) -> Value, end: Value) -> Value {
    let nested = |level: usize| {
        let reference = json!({"$ref": format!("#/$defs/{}", level + 1)});
        (
            level.to_string(),
            (0..nesting).fold(reference, |inner, _| wrap(inner)),
        )
    };
    let mut definitions: Map<String, Value> = (0..length).map(nested).collect();
    definitions.insert(length.to_string(), end);
    json!({"$ref": "#/$defs/0", "$defs": definitions})
}

#[test]
fn the_deepest_schemas_there_may_be_fit_on_a_small_stack() {
    let instance = (0..60).fold(json!({"b": 1}), |inner, _| json!([inner]));
    let descend = |inner| json!({"items": inner});
    let stay = |inner| json!({"allOf": [inner]});

    let too_deep = row(30, 28, descend, json!({}));
    assert!(validate_json(&too_deep, &instance).unwrap_err()[0].contains("nests deeper"));
    for length in [1, 4, 10, 30] {
        for nesting in [0, 1, 5, 12, 30] {
            for end in [
                json!({"type": "object"}),
                json!({"items": {"$ref": "#"}}),
                json!({"items": {"$ref": "#/$defs/0"}}),
            ] {
                let _ = validate_json(&row(length, nesting, descend, end.clone()), &instance);
                let _ = validate_json(&row(length, nesting, stay, end), &instance);
            }
        }
    }
}
