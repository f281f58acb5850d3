//! Receipts of calls: that both sides keep the same, and what anybody can tell of them.

use realm_evidence::{
    CallsAccount, CallsError, EvidenceError, Finding, examine, examine_witnessed,
};
use realm_node::{InvokeAsked, Request};
use realm_protocol::{
    Kind,
    audit::AuditOutcome,
    budget::{Amount, Budget},
    receipt::CallReceipt,
};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants, receipts};
use serde_json::{Value, json};

/// A prompt on a model that is paid for.
fn prompt(id: &str) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "Say something.", "variables": [], "maxTokens": 300},
        "backend": {"id": "office"},
    })
}

/// acme asks lab, which asks its child genomics: each has a model that is paid for.
fn cast(seed: u64) -> (World, [HostId; 3]) {
    cast_in(World::new(seed))
}

fn cast_in(mut world: World) -> (World, [HostId; 3]) {
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(acme, lab);
    let genomics = world.child(lab, "genomics");
    world.allow(lab, "acme", "*");
    world.allow(genomics, "lab", "*");
    world.apply(genomics, &[prompt("read")]);
    let mut study = Loops::composite("study", &["think", "read@lab/genomics"]);
    study["outputSchema"] = json!({});
    world.apply(lab, &[prompt("think"), study]);
    world.run_for(1_000);
    (world, [acme, lab, genomics])
}

/// A call with an euro to spend.
fn ask(address: &str) -> Request {
    let money = Amount {
        currency: "EUR".parse().unwrap(),
        micros: 1_000_000,
    };
    let budget = Budget {
        money: Some(money),
        ..Budget::default()
    };
    match World::invoke(address, json!({})) {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked { budget, ..asked }),
        other => other,
    }
}

/// Everything that a realm shows of its calls with another one, promised to be all.
fn statement(world: &World, by: HostId, about: HostId) -> Vec<u8> {
    statement_of(world, by, about, |_| true)
}

fn statement_of(
    world: &World,
    by: HostId,
    about: HostId,
    shown: impl Fn(&CallReceipt) -> bool,
) -> Vec<u8> {
    let peer = world.hosts[about.0].node().standing().scope;
    let host = &world.hosts[by.0];
    let other = world.hosts[about.0].node().standing().realm;
    let with = |receipt: &CallReceipt| {
        [&receipt.caller, &receipt.callee]
            .map(|place| place.realm)
            .contains(&Some(other))
    };
    let all = Some(receipts::all_with(peer));
    receipts::export(host.node(), &host.disk, all, |receipt| {
        with(receipt) && shown(receipt)
    })
}

fn account(found: Result<Finding, EvidenceError>) -> CallsAccount {
    match found.unwrap() {
        Finding::Calls(account) => account,
        other => panic!("no receipts: {other:?}"),
    }
}

fn wrong(found: Result<Finding, EvidenceError>) -> CallsError {
    match found.unwrap_err() {
        EvidenceError::Calls(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn both_sides_of_every_call_keep_one_receipt_and_their_statements_come_to_the_same() {
    let (mut world, [acme, lab, genomics]) = cast(1);
    for address in ["study@lab", "think@lab", "nothing@lab"] {
        world.ask_and_wait(acme, ask(address));
    }
    world.run_for(1_000);

    let bill = account(examine_witnessed(
        &statement(&world, acme, lab),
        &statement(&world, lab, acme),
    ));
    let same = account(examine_witnessed(
        &statement(&world, lab, acme),
        &statement(&world, acme, lab),
    ));
    let below = account(examine(&statement(&world, genomics, lab)));

    assert_eq!(
        bill.unmatched,
        Some(1),
        "the refusal is the caller's to keep"
    );
    let counted: Vec<_> = bill.bills.iter().map(|it| &it.counted).collect();
    let theirs: Vec<_> = same.bills.iter().map(|it| &it.counted).collect();
    assert_eq!(counted, theirs);
    let outcomes: Vec<_> = bill.receipts.iter().map(|it| it.outcome).collect();
    let expected = [
        AuditOutcome::Success,
        AuditOutcome::Success,
        AuditOutcome::Refusal,
    ];
    assert_eq!(outcomes, expected);
    let study = &bill.receipts[0];
    assert_eq!(
        below.receipts[0].root, study.root,
        "one root over three realms"
    );
    assert_eq!(below.receipts[0].parent, study.run);
    let billed: u64 = world.billed.values().sum();
    assert_eq!(counted[0].money["EUR"], billed, "to the micro-unit");
    invariants::check(&mut world);
}

#[test]
fn a_call_that_was_accepted_leaves_its_receipt_whoever_restarts_meanwhile() {
    for down in [0, 1] {
        let (mut world, hosts) = cast(2);
        let [acme, lab, _] = hosts;
        world.apply(lab, &[Loops::idempotent("later", 20_000)]);
        let asked = match World::invoke("later@lab", json!({})) {
            Request::Invoke(asked) => InvokeAsked {
                detach: true,
                ..asked
            },
            other => panic!("{other:?}"),
        };
        world.ask(acme, Request::Invoke(asked));
        world.run_for(10_000);

        world.crash_for(hosts[down], 500);
        world.run_for(200_000);

        let kept = receipts::kept(&world.hosts[acme.0].disk);
        assert_eq!(kept, receipts::kept(&world.hosts[lab.0].disk));
        assert_eq!(kept.len(), 1, "host {down} was down");
        account(examine(&statement(&world, acme, lab)));
        account(examine(&statement(&world, lab, acme)));
        invariants::check(&mut world);
    }
}

#[test]
fn no_byte_of_a_statement_can_be_changed() {
    let (mut world, [acme, lab, _]) = cast(3);
    world.ask_and_wait(acme, ask("think@lab"));
    world.run_for(1_000);

    for bytes in [statement(&world, acme, lab), statement(&world, lab, acme)] {
        let whole = account(examine(&bytes));
        for at in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(Finding::Calls(found)) = examine(&changed) {
                assert_eq!(found, whole, "byte {at}");
            }
        }
    }
}

#[test]
fn a_statement_that_leaves_out_a_call_is_told_by_the_other_sides() {
    let (mut world, [acme, lab, _]) = cast(4);
    world.ask_and_wait(acme, ask("study@lab"));
    world.ask_and_wait(acme, ask("think@lab"));
    world.run_for(1_000);

    let short = |receipt: &CallReceipt| receipt.loop_id.as_str() != "study";
    let told = statement_of(&world, acme, lab, short);

    account(examine(&told));
    let error = wrong(examine_witnessed(&told, &statement(&world, lab, acme)));
    let realm = world.hosts[acme.0].node().standing().realm;
    assert!(
        matches!(error, CallsError::LeftOut { realm: by, .. } if by == realm),
        "{error}"
    );
}

#[test]
fn a_realm_that_reports_less_than_it_spent_is_named_by_what_others_have_signed() {
    let mut world = World::new(5);
    world.overhear();
    let (mut world, [acme, lab, genomics]) = cast_in(world);
    world.tap = true;
    // What lab's node truly says gets lost, and its owner says something else.
    world.mute(lab, acme, Kind::Result, u64::MAX);
    let control = world.ask(acme, ask("study@lab"));
    world.run_for(1_000);
    let mut truth = 0;
    world.answer_otherwise((lab, acme), |receipt| {
        truth = receipt.spent.money[0].micros;
        receipt.spent.money[0].micros /= 10;
    });
    world.wait_for(acme, control);
    world.run_for(1_000);

    let told = statement(&world, acme, lab);
    let bill = account(examine(&told));
    let caused = statement(&world, genomics, lab);
    let error = wrong(examine_witnessed(&told, &caused));

    let run = bill.receipts[0].run;
    let liar = world.hosts[lab.0].realm;
    assert_eq!(error, CallsError::Underreported { realm: liar, run });
    assert!(error.to_string().contains("less than it spent"), "{error}");
    // What both sides have kept of one call differs, and the lie is in the log of who was told it.
    assert_eq!(bill.bills[0].counted.money["EUR"], truth / 10);
    let own = account(examine(&statement(&world, lab, acme)));
    assert_eq!(own.bills[0].counted.money["EUR"], truth);
    let logged = audit::entries(&world.hosts[acme.0].disk).into_iter();
    let mut logged = logged.filter_map(|entry| entry.receipt);
    assert!(logged.any(|receipt| receipt == bill.receipts[0].receipt));
}
