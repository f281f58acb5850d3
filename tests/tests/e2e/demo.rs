//! The demonstration.

use serde_json::Value;

use crate::person::Person;

#[test]
fn the_demo_prints_one_object_per_call_and_ends_well() {
    let person = Person::new();

    let shown = person.ctl("demo -o json").ok();

    let calls: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &calls {
        assert_eq!(line["ok"], true, "{line}");
    }
    let of = |kind: &str| {
        calls
            .iter()
            .filter(|line| line["type"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("call").len(), 7, "{shown}");
    let expected: Vec<_> = of("call")
        .iter()
        .map(|call| call["expected"].clone())
        .collect();
    let denied = expected
        .iter()
        .position(|expected| *expected == "Denied, raised by lab/genomics");
    assert_eq!(expected[denied.unwrap() + 1], "an output");
    assert!(expected.contains(&"SchemaInput, raised by mercy/cardiology".into()));
    assert!(expected.contains(&"Offline, raised by lab".into()));
    let market = of("market");
    assert_eq!(market[0]["killed"], "lab/genomics");
    assert_eq!(market[0]["result"]["output"]["by"], "lab");
    assert_eq!(market[0]["keys"][0], market[0]["keys"][1]);
    let secrecy = of("secrecy");
    assert_eq!(secrecy[0]["relays"], serde_json::json!(["mercy", "lab"]));
    assert!(secrecy[0]["files"].as_u64() > Some(20), "{shown}");
}
