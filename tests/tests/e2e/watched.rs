//! Runs that are watched where nothing can be drawn: by people as lines, by programs as JSON.

use serde_json::Value;

use crate::person::Person;

const QUOTE: &str = "id: quote
version: 1.0.0
kind: tool
inputSchema: {type: object}
outputSchema: {type: object}
effects: idempotent
tool: {implementation: \"builtin:echo\"}
bid: {price: EUR 0.02, time: 1s}
";
const ASK: &str = "id: ask
version: 1.0.0
kind: broadcast
inputSchema: {type: object}
outputSchema: {type: object}
effects: idempotent
broadcast: {loopId: quote, scope: children, window: 2s, within: 20s, maxPrice: EUR 0.10}
";

#[test]
fn whoever_watches_a_broadcast_hears_of_bids_and_of_what_the_run_announces_and_may_bound_the_costs()
{
    let shop = Person::new();
    let _daemon = shop.realm("shop");
    shop.write("quote.yaml", QUOTE);
    shop.write("ask.yaml", ASK);
    shop.ctl("apply -f quote.yaml -f ask.yaml").ok();

    let watched = shop.ctl("broadcast quote a=b --currency EUR --watch");
    assert_eq!(watched.out.trim_end(), r#"{"a":"b"}"#);
    let bid = watched.err.lines().find(|it| it.contains("broadcast.bid"));
    let bid = bid.unwrap_or_else(|| panic!("no bid in {watched:#?}"));
    assert!(
        bid.contains("price=EUR 0.02") && !bid.contains("entry="),
        "{bid}"
    );

    let lines = shop.ctl("invoke ask a=b --watch -o json").ok();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (end, events) = lines.split_last().unwrap();
    assert_eq!(end["output"]["a"], "b", "{end}");
    let leased = events.iter().find(|it| it["type"] == "broadcast.leased");
    let announced = leased.unwrap()["runId"].as_str().unwrap();
    let parent = end["runId"].as_str().unwrap();
    let listed = shop.ctl(&format!("run ls --parent {parent} -o name")).ok();
    assert_eq!(listed, announced);

    shop.ctl("broadcast quote a=b --currency EUR --budget EUR0.01")
        .fails(12, &["0 bids counted"]);
}
