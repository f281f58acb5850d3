//! Routes: who is tried, when another one is, and what a restart changes about that.

use realm_executor::{CallError, Registry};
use realm_protocol::FailureCode;
use serde_json::{Value, json};

use crate::world::{World, a_loop, tool};

fn route(effects: &str, targets: Value) -> Value {
    let mut document = a_loop("grade", "route", json!({"targets": targets}));
    document["effects"] = json!(effects);
    document
}

/// Lab first, then the hospital, then this realm itself.
fn three(effects: &str) -> World {
    let targets = json!([
        {"realm": "hospital", "loop": "grade-slide", "priority": 1},
        {"loop": "by-hand"},
        {"realm": "lab/pathology", "priority": 2},
    ]);
    let loops = [tool("by-hand", effects), route(effects, targets)];
    let mut world = World::new(&loops, "grade", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world
}

impl World {
    /// Whom the route has asked.
    fn target(&self) -> String {
        let called: Vec<String> = self
            .called
            .iter()
            .map(|it| it.address.to_string())
            .collect();
        called.join(" ")
    }

    /// The realm that was asked gives no output.
    fn fails(&mut self, code: FailureCode, may_have_begun: bool) {
        let asked = self.called.pop_front().unwrap();
        let error = CallError {
            code,
            message: "no output".to_owned(),
            details: Vec::new(),
            may_have_begun,
        };
        self.executor
            .invoke_done(asked.call, Err(error), None, &self.registry, self.now);
        self.turn(false);
    }

    fn failure(&self) -> (FailureCode, String) {
        let error = self.outcome.as_ref().unwrap().result.as_ref().unwrap_err();
        (error.code, error.details.join("\n"))
    }
}

#[test]
fn a_target_that_did_nothing_makes_room_for_the_next_down_to_the_last() {
    let mut world = three("once");
    assert_eq!(world.target(), "grade@lab/pathology");

    world.fails(FailureCode::Offline, false);
    assert_eq!(world.target(), "grade-slide@hospital");
    world.fails(FailureCode::Denied, false);
    world.run();

    assert_eq!(world.output(), &json!({"n": 2}));
    assert_eq!(world.count("call.rerouted"), 2);
}

#[test]
fn work_that_counts_each_time_goes_nowhere_else_once_it_may_have_begun() {
    let mut world = three("once");

    world.fails(FailureCode::Timeout, true);

    assert_eq!(world.failure().0, FailureCode::Timeout);
    assert_eq!(world.target(), "");
}

#[test]
fn work_that_may_be_repeated_goes_to_another_target_though_it_may_have_begun() {
    let mut world = three("idempotent");

    world.fails(FailureCode::Timeout, true);

    assert_eq!(world.target(), "grade-slide@hospital");
}

#[test]
fn what_a_target_says_of_the_work_itself_is_the_end_of_it() {
    for code in [FailureCode::LoopFailed, FailureCode::SchemaInput] {
        let mut world = three("none");

        world.fails(code, false);

        assert_eq!(world.failure().0, code);
    }
}

#[test]
fn a_restart_asks_the_target_that_was_chosen_and_no_other() {
    let mut world = three("once");
    world.fails(FailureCode::Offline, false);
    let asked = world.called[0].clone();

    world.restart();
    world.turn(false);

    assert_eq!(world.target(), "grade-slide@hospital");
    assert_eq!(world.called[0].frame, asked.frame);
    // Nobody knows whether the realm had begun when the process ended.
    world.fails(FailureCode::Offline, false);
    let (code, details) = world.failure();
    assert_eq!(code, FailureCode::Offline);
    assert!(
        details.contains("grade@lab/pathology: Offline"),
        "{details}"
    );
}

#[test]
fn a_name_that_nobody_has_goes_to_the_route_with_the_longest_pattern() {
    let routed = |id: &str, pattern: &str, realm: &str| {
        let body = json!({"pattern": pattern, "targets": [{"realm": realm}]});
        a_loop(id, "route", body)
    };
    let loops = [
        routed("shop", "shop/*", "market"),
        routed("pharmacy", "shop/pharmacy/*", "mercy"),
        tool("shop/here", "none"),
    ];
    for (called, asked) in [
        ("shop/toys", "shop/toys@market"),
        ("shop/pharmacy/refill", "shop/pharmacy/refill@mercy"),
        ("shop", "shop@market"),
        ("shop/here", ""),
    ] {
        let mut world = World::new(&loops, called, json!({}));
        world.begin();
        world.turn(false);
        assert_eq!(world.target(), asked, "{called}");

        world.restart();
        world.turn(false);
        assert_eq!(world.target(), asked, "{called}, after a restart");
    }
}

#[test]
fn two_routes_do_not_take_the_same_names() {
    let mut registry = Registry::default();
    let read = |id: &str| {
        let body = json!({"pattern": "shop/*", "targets": [{"realm": "market"}]});
        realm_executor::Manifest::from_json(&a_loop(id, "route", body)).unwrap()
    };
    registry.insert(read("one")).unwrap();

    let problems = registry.validate_set(&[read("other")]).unwrap_err();

    assert_eq!(problems[0].rule, "route.pattern");
    assert!(registry.insert(read("other")).is_err());
    assert!(registry.insert(read("one")).is_ok());
}
