//! Cedar written and read: `allow`, suggestions, hostile names, and what `check` finds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use cedar_policy::PolicySet;
use proptest::prelude::*;
use realm_policy::{
    Action, Allow, AskedResource, Level, Policy, RequestCopy, allow_policy, check,
    default_policies, peer_policies, subtree_text, suggest,
};
use realm_protocol::{RealmId, Scope, Timestamp};

const ACME: RealmId = RealmId::new([1; 32]);
const LAB: RealmId = RealmId::new([2; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn scope(root: RealmId, path: &str) -> Scope {
    let path = path.parse().unwrap();
    Scope { root, path }
}

fn allow(action: Action, pattern: &str) -> Allow {
    Allow {
        caller: scope(ACME, "health").into(),
        action,
        pattern: pattern.to_owned(),
        owner: scope(LAB, "dna"),
        expires: None,
        caller_name: "acme/health".to_owned(),
    }
}

fn ask(caller: Scope, action: Action, resource: &str) -> RequestCopy {
    RequestCopy {
        action,
        principal: caller.into(),
        resource: resource.parse().unwrap(),
        answer: false,
        approved: 0,
        granted: false,
        cost: None,
        step: None,
        now: NOW,
    }
}

fn with(documents: impl IntoIterator<Item = (String, String)>) -> Policy {
    let mut policy = Policy::new();
    policy.set_own(documents.into_iter().collect()).unwrap();
    policy
}

fn permits(policy: &Policy, request: &RequestCopy) -> bool {
    policy.decide(&request.as_request()).is_permitted()
}

#[test]
fn a_word_for_150_peers_fits_a_record_and_what_its_owner_changed_stays() {
    let me = scope(ACME, "");
    let text = |number: u8| {
        let peer = RealmId::new([number; 32]);
        peer_policies(
            &me,
            peer,
            &format!("lab-{number}"),
            std::slice::from_ref(&me.path),
        )
        .subtree
    };
    let mut documents: BTreeMap<String, String> = (10..160)
        .map(|number| (format!("peer-lab-{number}"), text(number)))
        .collect();
    let [joined, closed] = [
        "@id(\"a\") forbid (principal, action, resource); ",
        "] || true && [1",
    ];
    let before = text(10).replacen("@id(", &format!("{joined}@id("), 1);
    let within = text(11).replacen("] }", &format!("{closed}] }}"), 1);

    let all = subtree_text(&documents);
    documents.insert("before".to_owned(), before.clone());
    documents.insert("within".to_owned(), within.clone());
    let changed = subtree_text(&documents);

    assert!(all.len() <= realm_protocol::limits::POLICY_BYTES);
    assert_eq!(check(&all), []);
    assert!(changed.contains(&before) && changed.contains(&within));
    let mut policy = with([]);
    policy.set_ceiling(0, me, ACME, 1, &all).unwrap();
    let caller = |number| {
        ask(
            scope(RealmId::new([number; 32]), ""),
            Action::Invoke,
            &format!("x@{ACME}"),
        )
    };
    let level = |number| match policy.decide(&caller(number).as_request()) {
        realm_policy::Decision::Denied(denial) => denial.level,
        realm_policy::Decision::Permitted(_) => Level::Own,
    };
    assert_eq!(level(159), Level::Own, "the ceiling lets it through");
    assert!(matches!(level(160), Level::Ceiling { .. }));
}

#[test]
fn what_the_daemon_writes_passes_its_own_check() {
    let scopes = ["".parse().unwrap(), "health/heart".parse().unwrap()];
    let default = default_policies(&scope(ACME, "health"));
    let peer = peer_policies(&scope(ACME, ""), LAB, "lab", &scopes);
    let texts = default
        .own
        .into_values()
        .chain(default.subtree.into_values());

    for text in texts.chain([peer.own, peer.subtree]) {
        assert_eq!(check(&text), [], "{text}");
    }
    for action in Action::BETWEEN_REALMS {
        for pattern in ["*", "variant-*", "variant-call"] {
            let expires = Some(NOW.plus(1_000));
            let (_, text) = allow_policy(&Allow {
                expires,
                ..allow(action, pattern)
            });
            assert_eq!(check(&text), [], "{text}");
        }
    }
}

#[test]
fn allow_to_invoke_permits_that_loop_to_be_called_and_found_by_that_subtree() {
    let policy = with([allow_policy(&allow(Action::Invoke, "variant-call"))]);
    let may = |root, path, action, id| {
        permits(
            &policy,
            &ask(scope(root, path), action, &format!("{id}@{LAB}/dna")),
        )
    };

    assert!(may(ACME, "health", Action::Invoke, "variant-call"));
    assert!(may(ACME, "health/heart", Action::Discover, "variant-call"));
    assert!(!may(ACME, "", Action::Invoke, "variant-call"));
    assert!(!may(ACME, "healthy", Action::Invoke, "variant-call"));
    assert!(!may(ACME, "health", Action::Invoke, "variant-calls"));
    assert!(!permits(
        &policy,
        &ask(scope(ACME, "health"), Action::Relay, &format!("{LAB}/dna"))
    ));
}

#[test]
fn a_pattern_permits_the_loops_it_matches_in_that_realm() {
    let policy = with([allow_policy(&allow(Action::Invoke, "variant-*"))]);
    let may = |resource: String| {
        permits(
            &policy,
            &ask(scope(ACME, "health"), Action::Invoke, &resource),
        )
    };

    assert!(may(format!("variant-call@{LAB}/dna")) && may(format!("variant-@{LAB}/dna/rare")));
    assert!(!may(format!("a-variant-call@{LAB}/dna")) && !may(format!("variant-call@{LAB}/rna")));
}

#[test]
fn allow_to_relay_or_discover_is_about_realms() {
    let policy = with([
        allow_policy(&allow(Action::Relay, "*")),
        allow_policy(&allow(Action::Discover, "*")),
    ]);
    let may =
        |action, resource: String| permits(&policy, &ask(scope(ACME, "health"), action, &resource));

    assert!(may(Action::Relay, format!("{LAB}/dna")));
    assert!(may(Action::Discover, format!("{LAB}/dna/rare")));
    assert!(may(Action::Discover, format!("any@{LAB}/dna")));
    assert!(
        !may(Action::Relay, format!("{LAB}")) && !may(Action::Invoke, format!("any@{LAB}/dna"))
    );
}

#[test]
fn an_allow_ends_at_its_second() {
    let expires = Some(Timestamp::from_millis(1_800_000_001_999));
    let policy = with([allow_policy(&Allow {
        expires,
        ..allow(Action::Invoke, "*")
    })]);
    let at = |millis| {
        let now = Timestamp::from_millis(millis);
        let request = ask(
            scope(ACME, "health"),
            Action::Invoke,
            &format!("x@{LAB}/dna"),
        );
        permits(&policy, &RequestCopy { now, ..request })
    };

    assert_eq!(
        [at(1_800_000_000_999), at(1_800_000_001_000)],
        [true, false]
    );
}

#[test]
fn allowing_the_same_again_has_the_same_id_and_anything_else_another() {
    let id = |allow: &Allow| allow_policy(allow).0;
    let first = allow(Action::Invoke, "a");
    let renewed = Allow {
        expires: Some(NOW),
        caller_name: "them".to_owned(),
        ..first.clone()
    };

    assert_eq!(id(&first), id(&renewed));
    assert_eq!(id(&first).len(), "allow-".len() + 8);
    let others = [
        allow(Action::Discover, "a"),
        allow(Action::Invoke, "b"),
        Allow {
            caller: scope(ACME, "").into(),
            ..first.clone()
        },
        Allow {
            owner: scope(LAB, ""),
            ..first.clone()
        },
    ];
    assert!(others.iter().all(|other| id(other) != id(&first)));
}

#[test]
fn a_suggestion_followed_permits_what_was_denied() {
    let mut documents = BTreeMap::new();
    let requests = [
        ask(
            scope(ACME, "health"),
            Action::Invoke,
            &format!("v.1:a/b-c@{LAB}/dna"),
        ),
        ask(
            scope(ACME, "health"),
            Action::Discover,
            &format!("other@{LAB}/dna"),
        ),
        ask(scope(ACME, ""), Action::Discover, &format!("{LAB}/dna")),
        ask(scope(ACME, ""), Action::Relay, &format!("{LAB}/dna/rare")),
    ];

    for request in requests {
        let denial = with(documents.clone())
            .decide(&request.as_request())
            .denial()
            .unwrap();
        let suggestion = suggest(&denial).unwrap();
        assert_eq!(
            (&suggestion.at, suggestion.disallow.len()),
            (&Level::Own, 0)
        );
        let (id, text) = allow_policy(&suggestion.allow("them".to_owned(), None));
        documents.insert(id, text);
        assert!(permits(&with(documents.clone()), &request));
    }
}

#[test]
fn a_suggestion_at_a_ceiling_permits_in_the_ancestors_record() {
    let mut policy = with([(
        "all".to_owned(),
        "permit (principal, action, resource);".to_owned(),
    )]);
    policy.set_ceiling(0, scope(LAB, ""), LAB, 1, "").unwrap();
    let request = ask(
        scope(ACME, ""),
        Action::Invoke,
        &format!("triage@{LAB}/dna"),
    );

    let denial = policy.decide(&request.as_request()).denial().unwrap();
    let suggestion = suggest(&denial).unwrap();

    assert_eq!(
        suggestion.at,
        Level::Ceiling {
            scope: scope(LAB, ""),
            number: 1
        }
    );
    let documents = BTreeMap::from([allow_policy(&suggestion.allow("acme".to_owned(), None))]);
    policy
        .set_ceiling(0, scope(LAB, ""), LAB, 2, &subtree_text(&documents))
        .unwrap();
    assert!(permits(&policy, &request));
}

#[test]
fn a_suggestion_against_a_forbid_names_what_to_take_away() {
    let forbid = (
        "freeze".to_owned(),
        "forbid (principal, action, resource);".to_owned(),
    );
    let request = ask(scope(ACME, ""), Action::Relay, &format!("{LAB}"));

    let denial = with([forbid])
        .decide(&request.as_request())
        .denial()
        .unwrap();

    assert_eq!(suggest(&denial).unwrap().disallow, ["freeze"]);
}

#[test]
fn nothing_is_suggested_where_no_allow_would_help() {
    let realm = format!("{LAB}");
    let failing =
        "permit (principal, action, resource) when { context.now * 9223372036854775807 > 0 };";
    let failing = with([("bad".to_owned(), failing.to_owned())]);
    let mut missing = Policy::new();
    missing.set_ancestors(1);
    let cases = [
        (failing, Action::Relay),
        (missing, Action::Relay),
        (Policy::new(), Action::Join),
    ];

    for (policy, action) in cases {
        let request = ask(scope(ACME, ""), action, &realm);
        let denial = policy.decide(&request.as_request()).denial().unwrap();
        assert_eq!(suggest(&denial), None);
    }
}

#[test]
fn check_says_where_and_what() {
    let cases = [
        ("permit (principal, action, resource)", 1, 37),
        (
            "// fine\npermit (principal, action == Action::\"invok\", resource);",
            2,
            30,
        ),
        (
            "permit (principal == User::\"x\", action, resource);",
            1,
            22,
        ),
        (
            "permit (principal, action, resource)\n  when { context.time > 3 };",
            2,
            10,
        ),
        (
            "permit (principal, action, resource) when { resource.name == \"x\" };",
            1,
            45,
        ),
        (
            "permit (principal, action == Action::\"invoke\", resource is Realm);",
            1,
            1,
        ),
        (
            "permit (principal, action, resource) when { context.now };",
            1,
            45,
        ),
        ("permit (principal == ?principal, action, resource);", 1, 1),
    ];

    for (text, line, column) in cases {
        let problems = check(text);
        let first = problems.first().unwrap();
        assert_eq!(
            (first.line, first.column),
            (line, column),
            "{text}\n{problems:#?}"
        );
        assert_eq!(
            problems.len(),
            1,
            "one complaint for each place: {problems:#?}"
        );
    }
}

#[test]
fn nested_text_is_refused_before_it_can_exhaust_the_stack() {
    let within = |open: &str, close: &str, levels: usize| {
        let (open, close) = (open.repeat(levels), close.repeat(levels));
        format!("permit (principal, action, resource) when {{ {open}true{close} }};")
    };
    let shapes = [
        ("(", ")", 4_000),
        ("[", "]", 4_000),
        ("{a: ", "}", 2_000),
        ("!(", ")", 3_000),
        ("if true then true else ", "", 500),
        ("(if true then true else ", ")", 400),
        ("[1].contains(", ")", 700),
        ("\"\\\"\" == (", ")", 500),
        ("// (\n(", ")", 500),
        ("(", "; )", 2_000),
    ];

    for (open, close, levels) in shapes {
        let text = within(open, close, levels);
        let problems = check(&text);
        assert_eq!(
            problems[0].what, "the policy is nested too deeply",
            "{open}"
        );
    }
    for (open, close, _) in shapes.iter().take(9) {
        // Whether it means anything or not, it is read to its end without harm.
        check(&within(open, close, 5));
    }
    assert_eq!(check(&within("(", ")", 11)), []);
}

#[test]
fn brackets_in_strings_and_comments_do_not_nest() {
    let open = "(".repeat(100);
    let text = format!(
        "// {open}\npermit (principal, action == Action::\"invoke\", resource)\n\
         when {{ resource.name != \"{open}\\\"{open}\" }};"
    );

    assert_eq!(check(&text), []);
    assert_eq!(check(&text.repeat(20)), []);
}

#[test]
fn long_chains_are_read_without_harm() {
    let chains = [
        ("context.answer", " || context.answer", 600),
        ("context", ".a", 5_000),
        ("1 == 1", " + 1", 2_500),
        ("context", "[\"a\"]", 2_000),
        ("context", ".contains(1)", 800),
        ("context", " has a", 20),
        ("-1 == 1", " && !context.answer", 500),
    ];
    let request = ask(scope(ACME, ""), Action::Relay, &format!("{LAB}"));

    for (first, next, times) in chains {
        let chain = next.repeat(times);
        let text = format!("permit (principal, action, resource) when {{ {first}{chain} }};");
        let mut policy = with([]);
        let _ = check(&text);
        let _ = policy.set_ceiling(0, scope(LAB, ""), LAB, 1, &text);
        assert!(!permits(&policy, &request), "{first}{next}");
    }
}

#[test]
fn too_long_a_text_is_refused() {
    let text = format!("// {}", "x".repeat(realm_protocol::limits::POLICY_BYTES));
    assert_eq!(check(&text).len(), 1);
}

/// Text of everything that could end a literal, a comment or a policy.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "\"",
        "\\",
        "\n",
        "\r",
        "\0",
        "\u{2028}",
        "*",
        "\\*",
        "\u{e9}",
        "\u{301}",
        "//",
        ")",
        ";",
        "a",
        "{",
        "permit (principal, action, resource);",
        "\"); permit (principal, action, resource); //",
        "\" || true || resource.name like \"",
        "\\u{22}",
        "\\\"",
        "?principal",
        "@id(\"x\")",
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_the_text_it_is_written_into(name in hostile(), pattern in hostile()) {
        let caller_name = name.clone();
        let (_, allowed) = allow_policy(&Allow { caller_name, ..allow(Action::Invoke, &pattern) });
        let peer = peer_policies(&scope(LAB, ""), ACME, &name, &["dna".parse().unwrap()]);
        let texts = [(allowed, "caller"), (peer.own, "peer"), (peer.subtree, "peer")];

        for (text, annotation) in texts {
            let set: PolicySet = text.parse().unwrap();
            let policies: Vec<_> = set.policies().collect();
            prop_assert_eq!(policies.len(), 1, "{}", text);
            prop_assert_eq!(policies[0].annotation(annotation), Some(name.as_str()));
            let mut policy = with([("all".to_owned(), "permit (principal, action, resource);".to_owned())]);
            policy.set_ceiling(0, scope(LAB, ""), LAB, 1, &text).unwrap();
            let stranger = RealmId::new([9; 32]);
            for (root, action, resource) in [
                (stranger, Action::Invoke, format!("x@{LAB}/dna")),
                (ACME, Action::Invoke, format!("x@{LAB}/rna")),
                (ACME, Action::Join, format!("{LAB}/dna")),
            ] {
                prop_assert!(!permits(&policy, &ask(scope(root, "health"), action, &resource)));
            }
        }
    }

    #[test]
    fn a_pattern_matches_literally_but_for_its_stars(id in "[a-zA-Z0-9._:/-]{1,20}", pattern in "[ab._:/*-]{1,5}") {
        let policy = with([allow_policy(&allow(Action::Invoke, &pattern))]);
        let request = ask(scope(ACME, "health"), Action::Invoke, &format!("{id}@{LAB}/dna"));

        prop_assert_eq!(permits(&policy, &request), matches(pattern.as_bytes(), id.as_bytes()));
        prop_assert_eq!(permits(&policy, &RequestCopy {
            resource: AskedResource::Loop { owner: scope(LAB, "rna"), id: id.parse().unwrap() },
            ..request
        }), false);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in hostile(), cedar in "[ a-z(){};=.\"/\\\\?@:&|]{0,80}") {
        let _ = check(&text);
        let _ = check(&cedar);
        let _ = check(&format!("permit (principal, action, resource) when {{ {cedar} }};"));
    }
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        Some((byte, rest)) => text
            .split_first()
            .is_some_and(|(first, text)| first == byte && matches(rest, text)),
    }
}
