//! What a realm finds written down of its runs, where that is not what it wrote.

use realm_protocol::journal::Table;
use realm_tests::Loops;
use serde_json::json;

use super::bench::{Bench, call, composite};

#[test]
fn a_run_whose_revision_is_gone_ends_and_says_so() {
    let tools = [Loops::once("spend", 60_000)];
    let mut bench = Bench::with(51, &tools, json!([{"wait": "1h"}, call("spend", "a")]));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
    bench
        .world
        .apply(acme, &[composite("main", json!([call("spend", "b")]))]);
    bench.world.crash(acme);
    bench.world.hosts[acme.0].disk.lose(Table::Revisions);
    bench.world.start(acme);
    bench.world.run_for(1_000);

    assert_eq!(bench.effects(), 0);
    bench.fails(run, "Interrupted", "which this realm no longer keeps");
}

#[test]
fn a_run_whose_frames_do_not_read_ends_and_asks_nobody_again() {
    let tools = [Loops::once("spend", 60_000)];
    let mut bench = Bench::with(50, &tools, json!([call("spend", "a")]));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
    bench.world.crash(acme);
    for row in bench.world.hosts[acme.0].disk.rows_mut(Table::Frames) {
        row.truncate(1);
    }
    bench.world.start(acme);
    bench.world.run_for(1_000);

    assert_eq!(bench.effects(), 1);
    let left = bench.world.hosts[acme.0].disk.count(Table::Frames);
    assert_eq!(left, 0, "what does not read is not kept for ever");
    bench.fails(run, "Interrupted", "does not read");
}
