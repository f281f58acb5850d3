//! Levels, documents, cases: what a realm's whole policy decides.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use realm_policy::{
    Action, AskedResource, Case, Decision, Denial, Documents, Expect, Level, Policy, PolicyUse,
    Principal, Request, RequestCopy, default_policies, peer_policies, subtree_text,
};
use realm_protocol::{RealmId, Scope, Timestamp, records::Role};

const ACME: RealmId = RealmId::new([1; 32]);
const LAB: RealmId = RealmId::new([2; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn scope(root: RealmId, path: &str) -> Scope {
    let path = path.parse().unwrap();
    Scope { root, path }
}

fn a_loop(owner: Scope, id: &str) -> AskedResource {
    let id = id.parse().unwrap();
    AskedResource::Loop { owner, id }
}

fn ask(principal: &Scope, action: Action, resource: &AskedResource) -> RequestCopy {
    RequestCopy {
        action,
        principal: principal.clone().into(),
        resource: resource.clone(),
        answer: false,
        approved: 0,
        granted: false,
        cost: None,
        step: None,
        now: NOW,
    }
}

fn own(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("rule".to_owned(), text.to_owned())])
}

fn denial(policy: &Policy, request: &RequestCopy) -> Denial {
    policy.decide(&request.as_request()).denial().unwrap()
}

/// `acme/health`, fresh: its own default documents under its root's.
fn health() -> Policy {
    let Documents { own, subtree } = default_policies(&scope(ACME, ""));
    let mut policy = Policy::new();
    policy.set_ancestors(1);
    policy.set_own(own).unwrap();
    policy
        .set_ceiling(0, scope(ACME, ""), ACME, 7, &subtree_text(&subtree))
        .unwrap();
    policy
}

#[test]
fn nothing_is_permitted_before_a_policy_says_so() {
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );

    let denial = denial(&Policy::new(), &request);

    assert_eq!(denial.level, Level::Own);
    assert!(denial.determining.is_empty() && denial.errors.is_empty());
}

#[test]
fn by_default_my_own_tree_may_and_strangers_may_only_answer() {
    let policy = health();
    let (mine, strange) = (scope(ACME, "billing/eu"), scope(LAB, "dna"));
    let (here, there) = (
        AskedResource::Realm(scope(ACME, "health")),
        AskedResource::Realm(scope(LAB, "")),
    );
    let triage = a_loop(scope(ACME, "health"), "triage");
    let may = |principal: &Scope, action, resource: &AskedResource, answer| {
        let request = RequestCopy {
            answer,
            ..ask(principal, action, resource)
        };
        policy.decide(&request.as_request()).is_permitted()
    };

    for action in [Action::Discover, Action::Relay] {
        assert!(may(&mine, action, &here, false) && may(&mine, action, &there, false));
        assert!(!may(&strange, action, &here, false));
    }
    assert!(may(&mine, Action::Invoke, &triage, false));
    assert!(!may(&strange, Action::Invoke, &triage, false));
    assert!(may(&strange, Action::Relay, &here, true));
    assert!(!may(&strange, Action::Relay, &there, true));
    assert!(!may(&strange, Action::Invoke, &triage, true));
    assert!(!may(&mine, Action::Join, &here, false));
}

#[test]
fn a_realm_below_a_root_passes_on_what_those_above_let_in_and_a_root_does_not() {
    let passes = |me: &str, to: &str| {
        let mut policy = Policy::new();
        policy
            .set_own(default_policies(&scope(ACME, me)).own)
            .unwrap();
        let to = AskedResource::Realm(scope(ACME, to));
        let request = ask(&scope(LAB, "dna"), Action::Relay, &to);
        policy.decide(&request.as_request()).is_permitted()
    };

    assert!(passes("health", "health") && passes("health", "health/heart"));
    assert!(!passes("health", "billing") && !passes("health", ""));
    assert!(!passes("", "health"));
}

#[test]
fn a_permit_names_what_it_permits_and_the_records_it_rests_on() {
    let request = ask(
        &scope(ACME, ""),
        Action::Invoke,
        &a_loop(scope(ACME, "health"), "triage"),
    );

    let permit = health().decide(&request.as_request()).permit().unwrap();

    assert_eq!(
        permit.policies(),
        [PolicyUse {
            realm: ACME,
            number: 7
        }]
    );
    assert_eq!(
        (permit.principal().realm().unwrap(), permit.action()),
        (&scope(ACME, ""), Action::Invoke)
    );
    assert_eq!(permit.resource(), format!("triage@{ACME}/health"));
}

#[test]
fn a_peering_lets_the_peer_reach_its_scopes_and_nothing_else() {
    let texts = peer_policies(&scope(ACME, ""), LAB, "lab", &["health".parse().unwrap()]);
    let mut root = Policy::new();
    let mut documents = default_policies(&scope(ACME, "")).own;
    documents.insert("peer-lab".to_owned(), texts.own);
    root.set_own(documents).unwrap();
    let mut health = health();
    let mut subtree = default_policies(&scope(ACME, "")).subtree;
    subtree.insert("peer-lab".to_owned(), texts.subtree);
    health
        .set_ceiling(0, scope(ACME, ""), ACME, 8, &subtree_text(&subtree))
        .unwrap();

    let relay = |principal: &Scope, path| {
        let request = ask(
            principal,
            Action::Relay,
            &AskedResource::Realm(scope(ACME, path)),
        );
        root.decide(&request.as_request()).is_permitted()
    };
    assert!(relay(&scope(LAB, "dna"), "health") && relay(&scope(LAB, ""), "health/heart"));
    assert!(!relay(&scope(LAB, "dna"), "billing") && !relay(&scope(LAB, "dna"), ""));
    assert!(!relay(&scope(RealmId::new([3; 32]), ""), "health"));
    let call = ask(
        &scope(LAB, "dna"),
        Action::Invoke,
        &a_loop(scope(ACME, "health"), "triage"),
    );
    assert_eq!(
        denial(&health, &call).level,
        Level::Own,
        "the ceiling lets it through"
    );
}

#[test]
fn a_peering_without_scopes_opens_nothing() {
    let texts = peer_policies(&scope(ACME, ""), LAB, "lab", &[]);
    let mut policy = Policy::new();
    policy.set_own(own(&texts.own)).unwrap();
    let request = ask(
        &scope(LAB, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );

    assert!(denial(&policy, &request).determining.is_empty());
}

#[test]
fn a_permit_may_ask_for_a_person_and_no_other_permit_takes_that_back() {
    let me = scope(ACME, "");
    let asked = r#"@approval("approver") permit (principal, action == Action::"invoke", resource)
        when { resource.name like "roll*" };"#;
    let mut policy = Policy::new();
    let documents = [
        ("all", "permit (principal, action, resource);"),
        ("asked", asked),
    ];
    let documents = documents.map(|(id, text)| (id.to_owned(), text.to_owned()));
    policy.set_own(documents.into()).unwrap();
    let roles = |id: &str| {
        let request = ask(&me, Action::Invoke, &a_loop(me.clone(), id));
        let permit = policy.decide(&request.as_request()).permit().unwrap();
        permit.approvals().to_vec()
    };

    assert_eq!(roles("rollback"), [Role::Approver]);
    assert_eq!(roles("status"), []);

    let relay = r#"@approval("owner") permit (principal, action, resource);"#;
    let nobody = r#"@approval("viewer") permit (principal, action == Action::"invoke", resource);"#;
    let forbids = r#"@approval("owner") forbid (principal, action == Action::"invoke", resource);"#;
    for wrong in [relay, nobody, forbids] {
        policy.set_own(own(wrong)).unwrap_err();
        // What stands above and cannot be asked for denies.
        let above = policy.clone().set_ceiling(0, me.clone(), ACME, 1, wrong);
        above.unwrap_err();
    }
}

#[test]
fn a_forbid_wins_and_the_denial_names_it() {
    let mut policy = health();
    let mut documents = default_policies(&scope(ACME, "")).own;
    let forbid = r#"forbid (principal, action == Action::"invoke", resource) when { resource.name like "pay-*" };"#;
    documents.insert("no-pay".to_owned(), forbid.to_owned());
    policy.set_own(documents).unwrap();
    let call = |id| {
        ask(
            &scope(ACME, ""),
            Action::Invoke,
            &a_loop(scope(ACME, "health"), id),
        )
    };

    let denied = denial(&policy, &call("pay-out"));

    assert_eq!(
        (denied.level, denied.determining),
        (Level::Own, vec!["no-pay".to_owned()])
    );
    assert!(policy.decide(&call("triage").as_request()).is_permitted());
}

#[test]
fn the_level_nearest_the_root_is_named_and_its_policies_go_by_their_ids() {
    let mut policy = health();
    let text = r#"@id("freeze") forbid (principal, action, resource);
        forbid (principal, action, resource);"#;
    policy
        .set_ceiling(1, scope(ACME, "health"), LAB, 3, text)
        .unwrap();
    policy.set_own(BTreeMap::new()).unwrap();
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );

    let denied = denial(&policy, &request);

    let level = Level::Ceiling {
        scope: scope(ACME, "health"),
        number: 3,
    };
    assert_eq!(denied.level, level);
    assert_eq!(denied.determining, ["freeze", "policy1"]);
}

#[test]
fn a_policy_that_fails_denies_even_beside_one_that_permits() {
    let permit = "permit (principal, action, resource);";
    let overflow =
        "forbid (principal, action, resource) when { context.now * 9223372036854775807 > 0 };";
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );
    let mut broken_own = Policy::new();
    let documents = [("all", permit), ("bad", overflow)];
    let documents = documents.map(|(id, text)| (id.to_owned(), text.to_owned()));
    broken_own.set_own(documents.into()).unwrap();
    let mut broken_ceiling = Policy::new();
    broken_ceiling.set_own(own(permit)).unwrap();
    let text = format!("{permit} permit (principal, action, resource) when {{ context.later }};");
    broken_ceiling
        .set_ceiling(0, scope(ACME, ""), ACME, 1, &text)
        .unwrap();

    let at_own = denial(&broken_own, &request);
    let at_ceiling = denial(&broken_ceiling, &request);

    assert_eq!(at_own.level, Level::Own);
    assert!(at_own.errors[0].starts_with("bad: "), "{:?}", at_own.errors);
    assert!(matches!(at_ceiling.level, Level::Ceiling { .. }));
    assert_eq!(
        (at_ceiling.errors.len(), at_ceiling.determining.len()),
        (1, 0)
    );
}

#[test]
fn a_ceiling_that_cannot_be_read_denies_everything_until_a_better_one_comes() {
    let mut policy = health();
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );

    let problems = policy
        .set_ceiling(0, scope(ACME, ""), ACME, 8, "permit everything")
        .unwrap_err();

    assert_eq!(problems[0].line, 1);
    assert_eq!(denial(&policy, &request).errors.len(), problems.len());
    let subtree = subtree_text(&default_policies(&scope(ACME, "")).subtree);
    policy
        .set_ceiling(0, scope(ACME, ""), ACME, 9, &subtree)
        .unwrap();
    assert!(policy.decide(&request.as_request()).is_permitted());
}

#[test]
fn until_every_ancestor_has_spoken_everything_is_denied() {
    let mut policy = health();
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );
    let level = |policy: &Policy| denial(policy, &request).level;

    policy.set_ancestors(2);
    assert_eq!(level(&policy), Level::Missing { depth: 1 });
    policy.set_ancestors(1);
    assert!(policy.decide(&request.as_request()).is_permitted());
    policy.clear_ceilings_from(0);
    assert_eq!(level(&policy), Level::Missing { depth: 0 });
    let all = "permit (principal, action, resource);";
    policy
        .set_ceiling(2, scope(ACME, "a/b"), ACME, 1, all)
        .unwrap();
    assert_eq!(level(&policy), Level::Missing { depth: 0 });
    assert!(
        policy
            .set_ceiling(8, scope(ACME, "a"), ACME, 1, all)
            .is_err()
    );
}

#[test]
fn own_documents_are_replaced_whole_or_not_at_all() {
    let mut policy = health();
    let request = ask(
        &scope(ACME, ""),
        Action::Relay,
        &AskedResource::Realm(scope(ACME, "")),
    );
    let documents = [
        ("good", "forbid (principal, action, resource);"),
        ("bad", "permit (who);"),
    ];
    let documents = documents.map(|(id, text)| (id.to_owned(), text.to_owned()));

    let problems = policy.set_own(documents.into()).unwrap_err();

    assert!(
        problems.iter().all(|problem| problem.id == "bad"),
        "{problems:?}"
    );
    assert!(policy.decide(&request.as_request()).is_permitted());
}

#[test]
fn a_denial_survives_being_stored() {
    let mut policy = health();
    policy.set_ceiling(0, scope(ACME, ""), ACME, 8, "").unwrap();
    let call = ask(
        &scope(LAB, "dna"),
        Action::Invoke,
        &a_loop(scope(ACME, "health"), "triage"),
    );
    let denied = denial(&policy, &call);

    let stored = serde_json::to_string(&denied).unwrap();

    assert_eq!(serde_json::from_str::<Denial>(&stored).unwrap(), denied);
}

#[test]
fn a_table_of_cases_says_which_came_as_expected() {
    let table = format!(
        r#"[{{"principal": "{ACME}/billing", "action": "invoke", "resource": "triage@{ACME}/health", "expect": "permit"}},
            {{"principal": "{LAB}", "action": "relay", "resource": "{ACME}/health", "expect": "permit"}},
            {{"principal": "{LAB}", "action": "relay", "resource": "{ACME}/health", "answer": true, "expect": "permit"}}]"#
    );
    let cases: Vec<Case> = serde_json::from_str(&table).unwrap();

    let results = health().test(cases, NOW);

    let passed: Vec<bool> = results.iter().map(|result| result.passed).collect();
    assert_eq!(passed, [true, false, true]);
    assert_eq!(
        (results[1].denial.is_some(), results[1].case.expect),
        (true, Expect::Permit)
    );
}

/// A policy text for a level, and whether it permits the one request of the property below.
fn level() -> impl Strategy<Value = (String, bool)> {
    let statement = prop::sample::select(vec![
        ("permit (principal, action, resource);", true, false),
        (
            "permit (principal in Realm::\"ROOT\", action, resource);",
            true,
            false,
        ),
        (
            "permit (principal, action == Action::\"relay\", resource);",
            true,
            false,
        ),
        (
            "permit (principal, action == Action::\"join\", resource);",
            false,
            false,
        ),
        (
            "permit (principal, action, resource is Loop);",
            false,
            false,
        ),
        (
            "permit (principal, action, resource) when { context.answer };",
            false,
            false,
        ),
        ("forbid (principal, action, resource);", false, true),
        (
            "forbid (principal, action == Action::\"invoke\", resource);",
            false,
            false,
        ),
        (
            "forbid (principal, action, resource) unless { context.answer };",
            false,
            true,
        ),
        (
            "permit (principal, action, resource) when { context.nothing };",
            false,
            true,
        ),
    ]);
    prop::collection::vec(statement, 0..4).prop_map(|statements| {
        let text: Vec<&str> = statements.iter().map(|(text, ..)| *text).collect();
        let permits = statements.iter().any(|(_, permits, _)| *permits);
        let refuses = statements.iter().any(|(.., refuses)| *refuses);
        let text = text.join("\n").replace("ROOT", &ACME.to_string());
        (text, permits && !refuses)
    })
}

#[test]
fn a_document_decides_as_it_says_now_whatever_stood_under_its_id_before() {
    let here = scope(ACME, "");
    let resource = AskedResource::Realm(here.clone());
    let request = ask(&here, Action::Relay, &resource);
    let permits = |policy: &Policy| policy.decide(&request.as_request()).is_permitted();
    let (permit, forbid) = (
        "permit (principal, action, resource);",
        "forbid (principal, action, resource);",
    );
    let mut policy = Policy::new();
    let mut decided = Vec::new();

    for text in [permit, forbid, permit, permit] {
        policy.set_own(own(text)).unwrap();
        decided.push(permits(&policy));
    }
    policy.set_own(BTreeMap::new()).unwrap();
    decided.push(permits(&policy));
    let wrong = policy.set_own(own("permit (")).is_err();
    policy.set_own(own(forbid)).unwrap();
    decided.push(permits(&policy));

    assert!(wrong);
    assert_eq!(decided, [true, false, true, true, false, false]);
}

proptest! {
    #[test]
    fn all_levels_must_permit_so_a_child_narrows_and_never_widens(
        ceilings in prop::collection::vec(level(), 0..=8),
        own_permits in any::<bool>(),
    ) {
        let mut policy = Policy::new();
        let text = if own_permits { "permit (principal, action, resource);" } else { "" };
        policy.set_own(own(text)).unwrap();
        for (depth, (text, _)) in ceilings.iter().enumerate() {
            policy.set_ceiling(depth, scope(ACME, ""), ACME, depth as u64, text).unwrap();
        }
        let here = scope(ACME, "a");
        let resource = AskedResource::Realm(here.clone());
        let request = ask(&here, Action::Relay, &resource);

        let decision = policy.decide(&request.as_request());

        let first = ceilings.iter().position(|(_, permits)| !permits);
        match decision {
            Decision::Permitted(permit) => {
                prop_assert!(first.is_none() && own_permits);
                prop_assert_eq!(permit.policies().len(), ceilings.len());
            }
            Decision::Denied(denial) => {
                let number = first.map(|depth| depth as u64);
                let level = number.map(|number| Level::Ceiling { scope: scope(ACME, ""), number });
                prop_assert_eq!(denial.level, level.unwrap_or(Level::Own));
                prop_assert!(first.is_some() || !own_permits);
            }
        }
    }
}

#[test]
fn a_request_borrowed_back_from_its_copy_is_the_same() {
    let owner = scope(ACME, "health");
    let id = "triage".parse().unwrap();
    let request = Request {
        answer: true,
        cost: Some("EUR 0.50".parse().unwrap()),
        ..Request::new(
            Action::Invoke,
            Principal::from(&owner),
            realm_policy::Resource::Loop {
                owner: &owner,
                id: &id,
            },
            NOW,
        )
    };

    let copy = RequestCopy::from(&request);

    assert_eq!(RequestCopy::from(&copy.as_request()), copy);
}
