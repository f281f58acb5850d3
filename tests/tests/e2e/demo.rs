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
    assert!(calls.len() >= 6, "{shown}");
    for call in &calls {
        assert!(call.is_object(), "{call}");
    }
}
