//! The audit log: what goes into it, and what anybody can tell of a part of it.

use realm_evidence::{
    AuditAccount, AuditError, EvidenceError, Finding, examine, examine_witnessed,
};
use realm_node::{Request, Response};
use realm_protocol::{
    audit::{AuditExport, AuditItem, AuditOutcome},
    broadcast::Evidence,
    cbor::{self, Blob},
};
use realm_tests::{HostId, Tree, World, audit, invariants};
use serde_json::json;

fn exported(world: &World, id: HostId) -> Vec<u8> {
    let host = &world.hosts[id.0];
    audit::export(host.node(), &host.disk, (None, None), |_, _| true)
}

fn account(bytes: &[u8]) -> Result<AuditAccount, EvidenceError> {
    match examine(bytes)? {
        Finding::Audit(account) => Ok(account),
        other => panic!("no audit log: {other:?}"),
    }
}

/// A root and a child that have called each other, were allowed and denied things, and restarted.
fn busy(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    for number in 0..4 {
        world.call(health, "echo@acme", json!({"number": number}));
        world.call(acme, "pay@acme/health", json!({"number": number}));
    }
    world.allow(acme, "acme/health", "pay");
    world.crash_for(acme, 500);
    world.run_for(5_000);
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(1_000);
    world.call(lab, "echo@acme", json!({}));
    world.run_for(1_000);
    (world, acme, health)
}

#[test]
fn every_outcome_is_in_the_log_with_who_and_what_and_never_the_contents() {
    let (mut world, acme, health) = busy(1);
    let canary = world.canary(&[acme, health]);
    let call = world.call(health, "echo@acme", json!({"secret": canary}));
    world.run_for(1_000);

    let entries = audit::entries(&world.hosts[acme.0].disk);
    let served = entries.iter().find(|entry| entry.call == Some(call.call));
    let served = served.expect("the call was served");
    let health_scope = world.hosts[health.0].node().standing().scope;
    assert_eq!(served.action, "call.served");
    assert_eq!(served.outcome, AuditOutcome::Success);
    assert_eq!(served.realm, Some(health_scope));
    assert_eq!(served.parent, Some(call.run));
    assert!(served.contract.is_some());
    let made = audit::entries(&world.hosts[health.0].disk);
    assert!(made.iter().any(|entry| entry.action == "call.made"
        && entry.call == served.call
        && entry.contract == served.contract));
    for action in ["child.joined", "policy.allowed", "policy.denied"] {
        let known = entries.iter().any(|entry| entry.action == action);
        assert!(known, "{action} is missing of {entries:#?}");
    }
    let whole = exported(&world, acme);
    let canary = canary.as_bytes();
    assert!(!whole.windows(canary.len()).any(|part| part == canary));
    invariants::check(&mut world);
}

#[test]
fn a_crash_at_any_entry_of_the_journal_keeps_the_log_and_what_it_tells_of_together() {
    for after in 0..30 {
        let mut world = World::new(100 + after);
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        world.run_for(1_000);
        let before = world.hosts[acme.0].disk.durable().0;
        for number in 0..3 {
            world.ask(
                health,
                World::invoke_within("pay@acme", json!({"number": number}), 30_000),
            );
        }
        for _ in 0..2_000 {
            if world.hosts[acme.0].disk.durable().0 >= before + after {
                break;
            }
            world.run_for(1);
        }

        world.crash_for(acme, 500);
        world.run_for(40_000);

        account(&exported(&world, acme)).expect("the log goes on as it was");
        invariants::check(&mut world);
    }
}

/// Exports that differ from one in a single entry, and which entry a verdict must name.
fn spoilt(export: &AuditExport) -> Vec<(String, u64, AuditExport)> {
    let items: Vec<AuditItem> = export
        .pages
        .iter()
        .flat_map(|page| cbor::decode::<Vec<AuditItem>>(page).unwrap())
        .collect();
    let with = |items: &[AuditItem]| {
        let pages = items.chunks(realm_protocol::limits::AUDIT_ITEMS);
        AuditExport {
            pages: pages
                .map(|page| cbor::encode(&page.to_vec()).into())
                .collect(),
            ..export.clone()
        }
    };
    let mut all = Vec::new();
    for at in 0..items.len() {
        let place = export.first + at as u64;
        let encoded = items[at].entry.clone().unwrap();
        for byte in 0..encoded.len() {
            let mut bytes = encoded.to_vec();
            bytes[byte] ^= 1;
            let mut changed = items.clone();
            changed[at].entry = Some(Blob::from(bytes));
            all.push((format!("byte {byte} of {place}"), place, with(&changed)));
        }
        let mut changed = items.clone();
        let details = changed[at].details.clone().unwrap();
        let mut bytes = details.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        changed[at].details = Some(bytes.into());
        all.push((format!("details of {place}"), place, with(&changed)));
        let mut removed = items.clone();
        removed.remove(at);
        all.push((format!("{place} removed"), place, with(&removed)));
        let mut doubled = items.clone();
        doubled.insert(at, items[at].clone());
        all.push((format!("{place} doubled"), place + 1, with(&doubled)));
        for other in at + 1..items.len() {
            let mut moved = items.clone();
            moved.swap(at, other);
            all.push((
                format!("{place} in the place of {other}"),
                place,
                with(&moved),
            ));
        }
    }
    all
}

#[test]
fn whoever_removes_edits_moves_or_doubles_any_one_entry_of_an_export_is_found_out() {
    let (world, acme, _) = busy(2);
    let bytes = exported(&world, acme);
    let Ok(Evidence::Audit(export)) = cbor::decode(&bytes) else {
        panic!("an export");
    };
    let whole = account(&bytes).expect("as it was exported");
    assert_eq!((whole.hidden, whole.erased), (0, 0));
    assert!(whole.shown > 10, "{whole:?}");

    for (what, place, spoilt) in spoilt(&export) {
        let evidence = cbor::encode(&Evidence::Audit(spoilt));

        let error = account(&evidence).expect_err(&what);

        assert_eq!(error.entry(), Some(place), "{what}: {error}");
    }
}

#[test]
fn an_entry_that_is_not_shown_still_has_its_place() {
    let (world, acme, _) = busy(3);
    let host = &world.hosts[acme.0];
    let only = |action: &'static str| {
        audit::export(host.node(), &host.disk, (None, None), move |entry, _| {
            entry.action == action
        })
    };

    let served = account(&only("call.served")).expect("a part");

    assert_eq!(served.first, 0);
    assert_eq!(served.shown + served.hidden, served.count);
    assert!(served.shown >= 4 && served.hidden > 4, "{served:?}");
}

#[test]
fn heads_are_signed_as_the_log_grows_and_an_export_may_begin_at_one() {
    let mut world = World::new(4);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    for _ in 0..300 {
        world.call(health, "echo@acme", json!({}));
    }
    world.run_for(100_000);
    let middle = world.now(acme).wall;
    for _ in 0..600 {
        world.call(health, "echo@acme", json!({}));
    }
    world.run_for(100_000);
    let host = &world.hosts[acme.0];

    let later = audit::export(host.node(), &host.disk, (Some(middle), None), |_, _| true);
    let earlier = audit::export(host.node(), &host.disk, (None, Some(middle)), |_, _| true);

    let (later, earlier) = (account(&later).unwrap(), account(&earlier).unwrap());
    assert!(later.first > 0 && later.heads > 1, "{later:?}");
    assert!(earlier.count < later.count, "{earlier:?}");
    assert!(earlier.signed >= middle);
    let response = world.ask_and_wait(acme, Request::Disallow("nothing".to_owned()));
    assert!(matches!(response, Response::Refused(_)));
    world.run_for(200);
    let last = audit::entries(&world.hosts[acme.0].disk).pop().unwrap();
    assert_eq!(last.outcome, AuditOutcome::Refusal);
}

#[test]
fn a_log_that_was_put_back_cut_short_or_told_anew_is_not_the_one_that_a_witness_has_kept() {
    let (mut world, acme, health) = busy(5);
    let backup = world.hosts[acme.0].disk.copy();
    world.call(health, "echo@acme", json!({"number": 10}));
    world.run_for(2_000);
    let kept = exported(&world, acme);
    let witnessed = |world: &World| examine_witnessed(&exported(world, acme), &kept);
    assert!(witnessed(&world).is_ok());
    world.call(health, "echo@acme", json!({"number": 11}));
    world.run_for(2_000);
    let count = match witnessed(&world) {
        Ok(Finding::Audit(account)) => account.count,
        other => panic!("it goes on as it was: {other:?}"),
    };

    world.crash(acme);
    world.hosts[acme.0].disk = backup;
    world.start(acme);
    world.run_for(2_000);
    let put_back = witnessed(&world).expect_err("an older log");
    for number in 20..30 {
        world.call(health, "echo@acme", json!({"number": number}));
    }
    world.run_for(2_000);
    let told_anew = witnessed(&world).expect_err("another log");

    let is_short = |error: &EvidenceError| match error {
        EvidenceError::Audit(AuditError::Short {
            count: now,
            witnessed,
        }) => now < witnessed,
        _ => false,
    };
    assert!(is_short(&put_back), "{put_back}");
    let forked = matches!(told_anew, EvidenceError::Audit(AuditError::Fork { .. }));
    assert!(forked && count > 0, "{told_anew}");
}

#[test]
fn a_clock_that_is_set_is_in_the_log() {
    let mut world = World::new(77);
    let acme = world.found("acme");
    world.run_for(60_000);
    for offset in [0, 7_200_000, 0] {
        world.hosts[acme.0].clock_offset = offset;
        world.run_for(60_000);
    }
    // While it is down, too.
    world.hosts[acme.0].clock_offset = -7_200_000;
    world.crash_for(acme, 500);
    world.run_for(60_000);

    let entries = audit::entries(&world.hosts[acme.0].disk);
    let moved = entries.iter().filter(|entry| entry.action == "clock.moved");
    let said: Vec<&str> = moved.filter_map(|entry| entry.error.as_deref()).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for (said, way) in said.iter().zip(["forward", "back", "back"]) {
        assert!(
            said.starts_with(&format!("the wall clock moved {way} by ")),
            "{said}"
        );
    }
    invariants::check(&mut world);
}
