//! What people and loops of a realm may do in it, and how far the realms above have a say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use realm_policy::{
    Action, Allow, AskedPrincipal, AskedResource, Denial, Level, Policy, Request, RequestCopy,
    SCHEMA, StepCopy, Used, allow_policy, check, default_policies, suggest,
};
use realm_protocol::{RealmId, Scope, Timestamp, records::Role};

const ACME: RealmId = RealmId::new([1; 32]);
const LAB: RealmId = RealmId::new([2; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn health() -> Scope {
    let path = "health".parse().unwrap();
    Scope { root: ACME, path }
}

fn person(roles: &[Role]) -> AskedPrincipal {
    AskedPrincipal::Person {
        home: health(),
        name: "ann".to_owned(),
        roles: roles.iter().copied().collect(),
    }
}

fn triage() -> AskedResource {
    AskedResource::Loop {
        owner: health(),
        id: "triage".parse().unwrap(),
    }
}

fn using(kind: Used, name: &str) -> AskedResource {
    AskedResource::Used {
        owner: health(),
        kind,
        name: name.to_owned(),
    }
}

fn ask(principal: &AskedPrincipal, action: Action, resource: &AskedResource) -> RequestCopy {
    RequestCopy::from(&Request::new(
        action,
        principal.as_principal(),
        resource.as_resource(),
        NOW,
    ))
}

/// `acme/health` with these documents, and its root's word.
fn policy(own: &[(&str, &str)], above: &str) -> Policy {
    let mut policy = Policy::new();
    policy.set_ancestors(1);
    let own = own
        .iter()
        .map(|(id, text)| (id.to_string(), text.to_string()));
    policy.set_own(own.collect()).unwrap();
    let root = Scope {
        root: ACME,
        path: "".parse().unwrap(),
    };
    policy.set_ceiling(0, root, ACME, 7, above).unwrap();
    policy
}

fn denial(policy: &Policy, request: &RequestCopy) -> Option<Denial> {
    policy.decide(&request.as_request()).denial()
}

/// What is about a loop is asked of one, and anything else of the realm.
fn about(action: Action) -> AskedResource {
    match action {
        Action::ReadTrace | Action::Administer => AskedResource::Realm(health()),
        _ => triage(),
    }
}

const PEOPLES: [Action; 7] = [
    Action::Invoke,
    Action::Announce,
    Action::Spend,
    Action::Approve,
    Action::ReadTrace,
    Action::PromotePrompt,
    Action::Administer,
];

#[test]
fn people_may_what_their_roles_give_and_nothing_without_a_role() {
    let policy = policy(&[], "");
    let may = |roles: &[Role]| {
        let may = |action: &Action| {
            let request = ask(&person(roles), *action, &about(*action));
            denial(&policy, &request).is_none()
        };
        PEOPLES.into_iter().filter(may).collect::<Vec<_>>()
    };

    assert_eq!(may(&[Role::Owner]), PEOPLES);
    let operates = &PEOPLES[..5];
    assert_eq!(may(&[Role::Operator]), operates);
    assert_eq!(may(&[Role::Approver]), [Action::Approve, Action::ReadTrace]);
    assert_eq!(may(&[Role::Viewer]), [Action::ReadTrace]);
    assert_eq!(may(&[Role::Viewer, Role::Operator]), operates);
    assert_eq!(may(&[]), []);
}

#[test]
fn a_document_takes_from_people_what_their_roles_give() {
    let forbid = r#"forbid (principal is Person, action == Action::"invoke", resource is Loop)
        when { resource.name == "triage" && principal.name == "ann" };"#;
    let cheap = r#"forbid (principal, action == Action::"spend", resource)
        when { context.currency != "EUR" || context.amount > 2500000 };"#;
    let policy = policy(&[("not-ann", forbid), ("cheap", cheap)], "");
    let owner = person(&[Role::Owner]);
    let spends = |cost: Option<&str>| {
        let request = RequestCopy {
            cost: cost.map(|cost| cost.parse().unwrap()),
            ..ask(&owner, Action::Spend, &triage())
        };
        denial(&policy, &request).map_or_else(Vec::new, |denial| denial.determining)
    };

    let denied = denial(&policy, &ask(&owner, Action::Invoke, &triage())).unwrap();
    assert_eq!(
        (&denied.level, &denied.determining[..]),
        (&Level::Own, &["not-ann".to_owned()][..])
    );
    assert_eq!(suggest(&denied).unwrap().disallow, ["not-ann"]);
    let other = using(Used::Tool, "process:python3");
    let triage = AskedPrincipal::Loop {
        owner: health(),
        id: "triage".parse().unwrap(),
    };
    assert_eq!(denial(&policy, &ask(&triage, Action::Use, &other)), None);
    assert_eq!(spends(Some("EUR 2.50")), [""; 0]);
    assert_eq!(spends(Some("EUR 2.51")), ["cheap"]);
    assert_eq!(spends(Some("USD 1.00")), ["cheap"]);
    assert_eq!(spends(None), ["cheap"]);
}

#[test]
fn a_loop_uses_what_its_definition_names_until_a_document_forbids_it() {
    let realms = r#"forbid (principal, action == Action::"invoke", resource)
        unless { context.approved >= 1 };"#;
    let hosts = r#"forbid (principal, action == Action::"use", resource is Host)
        unless { resource.name like "*.example.org" };"#;
    let tools = r#"forbid (principal == Loop::"triage@SCOPE", action == Action::"use", resource is Tool)
        when { resource.name like "process:*" };"#;
    let tools = tools.replace("SCOPE", &health().to_string());
    let policy = policy(
        &[("realms", realms), ("hosts", hosts), ("tools", &tools)],
        "",
    );
    let uses = |id: &str, kind, name: &str| {
        let principal = AskedPrincipal::Loop {
            owner: health(),
            id: id.parse().unwrap(),
        };
        denial(&policy, &ask(&principal, Action::Use, &using(kind, name))).is_none()
    };

    assert!(uses("triage", Used::Host, "api.example.org"));
    assert!(!uses("triage", Used::Host, "example.com"));
    assert!(!uses("triage", Used::Tool, "process:python3"));
    assert!(uses("triage", Used::Tool, "mcp:files/read"));
    assert!(uses("risk", Used::Tool, "process:python3"));
    assert!(uses("triage", Used::Agent, "triage"));
}

#[test]
fn a_run_calls_the_loops_that_definitions_name_until_a_document_or_a_realm_above_forbids_it() {
    let models = r#"forbid (principal, action == Action::"step", resource is Loop)
        when { context.tool && context.by != "desk" };"#;
    let labs = format!(
        r#"forbid (principal in Realm::"{LAB}", action == Action::"step", resource is Loop)
        when {{ resource.name == "triage" }};"#
    );
    let own = [("models", models), ("labs", &labs)];
    let by = |principal: AskedPrincipal, by: &str, tool| RequestCopy {
        step: Some(StepCopy {
            by: by.parse().unwrap(),
            tool,
        }),
        ..ask(&principal, Action::Step, &triage())
    };
    let lab = AskedPrincipal::Realm(Scope {
        root: LAB,
        path: "dna".parse().unwrap(),
    });

    for above in ["", "permit (principal, action, resource);"] {
        let policy = policy(&own, above);
        let denied = |request: RequestCopy| {
            denial(&policy, &request).map_or_else(Vec::new, |denial| denial.determining)
        };
        assert_eq!(denied(by(person(&[]), "main", false)), [""; 0]);
        assert_eq!(denied(by(person(&[]), "desk", true)), [""; 0]);
        assert_eq!(denied(by(person(&[Role::Owner]), "ask", true)), ["models"]);
        assert_eq!(denied(by(health().into(), "main", false)), [""; 0]);
        assert_eq!(denied(by(lab.clone(), "main", false)), ["labs"]);
    }
    let closed = policy(
        &[],
        r#"forbid (principal, action == Action::"step", resource);"#,
    );
    let denied = denial(&closed, &by(health().into(), "main", false));
    assert!(matches!(denied.unwrap().level, Level::Ceiling { .. }));
}

#[test]
fn realms_above_can_forbid_what_people_do_and_never_permit_it_or_take_the_realm_from_its_owner() {
    let everything = "permit (principal, action, resource);";
    let nothing = "forbid (principal, action, resource);";
    let (owner, viewer) = (person(&[Role::Owner]), person(&[Role::Viewer]));

    let open = policy(&[], everything);
    let promote = ask(&viewer, Action::PromotePrompt, &triage());
    assert_eq!(denial(&open, &promote).unwrap().level, Level::Own);

    let closed = policy(&[("all", everything)], nothing);
    for action in PEOPLES {
        let denied = denial(&closed, &ask(&owner, action, &about(action)));
        let level = denied.map(|denied| denied.level);
        let above = matches!(level, Some(Level::Ceiling { number: 7, .. }));
        assert_eq!(above, action != Action::Administer, "{action}: {level:?}");
    }

    // A record that is not there yet, or says nothing of it, leaves people what their realm gives them.
    let mut orphan = Policy::new();
    orphan.set_ancestors(1);
    orphan.set_own(BTreeMap::new()).unwrap();
    let read = ask(&owner, Action::ReadTrace, &AskedResource::Realm(health()));
    assert_eq!(denial(&orphan, &read), None);
    // One that does not parse denies, as it denies everything.
    let mut broken = orphan.clone();
    let root = Scope {
        root: ACME,
        path: "".parse().unwrap(),
    };
    broken
        .set_ceiling(0, root, ACME, 8, "forbid (")
        .unwrap_err();
    assert!(denial(&broken, &read).is_some());
}

#[test]
fn every_realm_of_a_peers_tree_is_among_the_peers_as_long_as_the_peering_lasts() {
    let peers = r#"permit (principal in Group::"peers", action == Action::"invoke", resource);"#;
    let mut policy = Policy::new();
    policy
        .set_own(BTreeMap::from([("peers".to_owned(), peers.to_owned())]))
        .unwrap();
    let dna = AskedPrincipal::Realm(Scope {
        root: LAB,
        path: "dna".parse().unwrap(),
    });
    let request = ask(&dna, Action::Invoke, &triage());

    assert!(denial(&policy, &request).is_some());
    policy.set_peers([LAB].into());
    assert_eq!(denial(&policy, &request), None);
    policy.set_peers([].into());
    assert!(denial(&policy, &request).is_some());
}

#[test]
fn every_action_is_in_the_schema_and_default_documents_give_people_nothing() {
    for action in Action::ALL {
        let quoted = format!("action \"{action}\" appliesTo");
        assert!(SCHEMA.contains(&format!("action {action} appliesTo")) || SCHEMA.contains(&quoted));
        assert_eq!(action.to_string().parse(), Ok(action));
        let json = serde_json::to_string(&action).unwrap();
        assert_eq!(json, format!("\"{action}\""));
    }
    let defaults = default_policies(&health());
    let mut own = Policy::new();
    own.set_own(defaults.own).unwrap();
    for action in [Action::Spend, Action::Approve, Action::PromotePrompt] {
        assert!(
            denial(&own, &ask(&person(&[]), action, &triage())).is_some(),
            "{action}"
        );
    }
    assert_eq!(
        check(r#"permit (principal, action == Action::"approve", resource is Realm);"#).len(),
        1
    );
}

#[test]
fn who_asks_for_what_reads_back_from_its_text() {
    let principals = [
        person(&[Role::Approver, Role::Viewer]),
        person(&[]),
        AskedPrincipal::Realm(health()),
        AskedPrincipal::Loop {
            owner: health(),
            id: "mail:send".parse().unwrap(),
        },
    ];
    for principal in principals {
        assert_eq!(principal.to_string().parse(), Ok(principal));
    }
    let resources = [
        using(Used::Tool, "mcp:files/read"),
        using(Used::Tool, "container:registry.example/a@sha256:0"),
        using(Used::Host, "[::1]"),
        using(Used::Agent, "desk"),
        triage(),
    ];
    for resource in resources {
        assert_eq!(resource.to_string().parse(), Ok(resource));
    }
    for wrong in ["person=ann", "thing=a@b", "loop=@", "person=ann:king@b"] {
        assert!(wrong.parse::<AskedPrincipal>().is_err(), "{wrong}");
    }
}

#[test]
fn what_realms_are_permitted_gives_people_in_them_nothing_that_their_roles_do_not() {
    let above = scope_of("");
    let defaults = default_policies(&health());
    let allow = Allow {
        caller: above.clone().into(),
        action: Action::Invoke,
        pattern: "*".to_owned(),
        owner: health(),
        expires: None,
        caller_name: "acme".to_owned(),
    };
    let own = defaults.own.into_iter().chain([allow_policy(&allow)]);
    let own: Vec<(String, String)> = own.collect();
    let own: Vec<(&str, &str)> = own.iter().map(|(id, text)| (&**id, &**text)).collect();
    let policy = policy(&own, &default_policies(&above).subtree["own-tree"]);
    let may = |principal: &AskedPrincipal, action, resource: &AskedResource| {
        denial(&policy, &ask(principal, action, resource)).is_none()
    };

    for role in [Role::Viewer, Role::Approver] {
        for action in [Action::Invoke, Action::Announce, Action::Spend] {
            assert!(
                !may(&person(&[role]), action, &triage()),
                "{role:?} {action}"
            );
        }
    }
    for role in [Role::Operator, Role::Owner] {
        assert!(may(&person(&[role]), Action::Invoke, &triage()), "{role:?}");
    }
    for realm in [health(), scope_of("billing"), above] {
        assert!(may(&realm.into(), Action::Invoke, &triage()));
    }
    let agent = AskedPrincipal::Loop {
        owner: health(),
        id: "triage".parse().unwrap(),
    };
    assert!(may(&agent, Action::Use, &using(Used::Agent, "nurse")));
    assert!(!may(&agent, Action::Invoke, &triage()), "its realm calls");
}

fn scope_of(path: &str) -> Scope {
    let path = path.parse().unwrap();
    Scope { root: ACME, path }
}
