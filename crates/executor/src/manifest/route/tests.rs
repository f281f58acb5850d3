use realm_protocol::{CallId, LoopAddress, RunId};

use super::{Route, Target};
use crate::{Call, Origin};

fn target(priority: u64, weight: u64) -> Target {
    Target {
        call: Call {
            loop_id: LoopAddress {
                loop_id: "grade".parse().unwrap(),
                realm: None,
            },
            loop_version: None,
            digest: None,
            input_mapping: None,
            for_each: None,
            retry: None,
            timeout_ms: None,
            fallback: None,
            budget: realm_protocol::budget::Budget::default(),
            approval: None,
            origin: Origin::default(),
        },
        keeps_name: false,
        priority,
        weight,
    }
}

fn orders(route: &Route) -> Vec<Vec<usize>> {
    let order = |run: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&run.to_be_bytes());
        route.order(RunId::new(id), CallId::new([9; 16]))
    };
    (0..2_000).map(order).collect()
}

#[test]
fn every_target_has_its_turn_the_highest_priority_first_and_no_weight_last() {
    let targets = vec![target(0, 1), target(7, 0), target(7, 1), target(7, 3)];
    let route = Route {
        pattern: None,
        targets,
    };

    for order in orders(&route) {
        assert!(
            matches!(order.as_slice(), [2, 3, 1, 0] | [3, 2, 1, 0]),
            "{order:?}"
        );
    }
}

#[test]
fn targets_of_one_priority_are_first_as_often_as_their_weights_say_and_the_same_for_a_run() {
    let targets = vec![target(1, 1), target(1, 3)];
    let route = Route {
        pattern: None,
        targets,
    };

    let orders = self::orders(&route);

    let heavier = orders.iter().filter(|order| order[0] == 1).count();
    assert!((1_400..1_600).contains(&heavier), "{heavier} of 2000");
    assert_eq!(orders, self::orders(&route));
}
