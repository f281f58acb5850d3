//! What is remembered of decisions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use realm_policy::{
    Action, AskedPrincipal, AskedResource, Memo, Permit, Policy, RequestCopy, StepCopy,
};
use realm_protocol::{RealmId, Scope, Timestamp, limits, records::Role};

const ACME: RealmId = RealmId::new([1; 32]);
const SECOND: u64 = 1_800_000_000;

/// Texts a realm's document or its parent's record may have.
const TEXTS: [&str; 7] = [
    "permit(principal, action, resource);",
    "permit(principal, action, resource) when { context.now < 1800000002 };",
    "permit(principal, action, resource) when { context.answer };",
    "forbid(principal, action, resource);",
    r#"permit(principal in Group::"peers", action, resource);"#,
    r#"forbid(principal is Person, action == Action::"spend", resource)
       when { context.amount > 2000000 };"#,
    r#"forbid(principal, action == Action::"step", resource)
       when { context.tool && context.by == "risk" };"#,
];

fn root() -> Scope {
    Scope {
        root: ACME,
        path: "".parse().unwrap(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Own(usize),
    Ceiling(usize),
    Clear,
    Ancestors(usize),
    Peers(bool),
    Ask(Box<RequestCopy>),
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof!["", "health", "health/cardiology"].prop_map(|path: String| Scope {
        root: ACME,
        path: path.parse().unwrap(),
    })
}

fn resource() -> impl Strategy<Value = AskedResource> {
    (scope(), prop_oneof!["", "triage", "risk"]).prop_map(|(owner, id)| match id.as_str() {
        "" => AskedResource::Realm(owner),
        id => AskedResource::Loop {
            owner,
            id: id.parse().unwrap(),
        },
    })
}

fn principal() -> impl Strategy<Value = AskedPrincipal> {
    let role = prop_oneof![Just(Role::Owner), Just(Role::Viewer)];
    let person = (scope(), role).prop_map(|(home, role)| AskedPrincipal::Person {
        home,
        name: "ann".to_owned(),
        roles: [role].into(),
    });
    let agent = scope().prop_map(|home| AskedPrincipal::Agent {
        home,
        id: "risk".parse().unwrap(),
    });
    prop_oneof![scope().prop_map(AskedPrincipal::Realm), person, agent]
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        Just(Action::Invoke),
        Just(Action::Step),
        Just(Action::Relay),
        Just(Action::Spend),
        Just(Action::Administer)
    ];
    let ask = (action, principal(), resource(), any::<bool>(), 0..4_000_u64);
    let ask = ask.prop_map(|(action, principal, resource, answer, ms)| {
        Step::Ask(Box::new(RequestCopy {
            action,
            principal,
            resource,
            answer,
            approved: 0,
            granted: false,
            cost: (ms % 2 == 0).then(|| format!("EUR {}", 1 + ms % 3).parse().unwrap()),
            step: (ms % 3 > 0).then(|| StepCopy {
                by: "risk".parse().unwrap(),
                tool: ms % 3 == 1,
            }),
            now: Timestamp::from_millis(SECOND * 1_000 + ms),
        }))
    });
    prop_oneof![
        1 => (0..TEXTS.len()).prop_map(Step::Own),
        1 => (0..TEXTS.len()).prop_map(Step::Ceiling),
        1 => Just(Step::Clear),
        1 => (0..2_usize).prop_map(Step::Ancestors),
        1 => any::<bool>().prop_map(Step::Peers),
        12 => ask,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_remembered_is_what_would_be_decided(steps in prop::collection::vec(step(), 1..80)) {
        let root = root();
        let mut policy = Policy::new();
        let mut memo = Memo::default();
        for step in steps {
            match step {
                Step::Own(text) => {
                    let own = BTreeMap::from([("rule".to_owned(), TEXTS[text].to_owned())]);
                    policy.set_own(own).unwrap();
                }
                Step::Ceiling(text) => {
                    policy.set_ceiling(0, root.clone(), ACME, 1, TEXTS[text]).unwrap();
                }
                Step::Clear => policy.clear_ceilings_from(0),
                Step::Ancestors(count) => policy.set_ancestors(count),
                Step::Peers(any) => policy.set_peers(any.then_some(ACME).into_iter().collect()),
                Step::Ask(request) => {
                    let request = request.as_request();
                    let fresh = policy.decide(&request);
                    let remembered = memo.decide(&policy, &request);
                    prop_assert_eq!(fresh.clone().permit(), remembered.as_deref().ok().cloned());
                    prop_assert_eq!(fresh.denial(), remembered.err().map(|denial| *denial));
                }
            }
        }
    }
}

#[test]
fn a_question_asked_again_is_remembered_and_a_denial_is_not() {
    let mut policy = Policy::new();
    let mut memo = Memo::default();
    let request = RequestCopy {
        action: Action::Invoke,
        principal: root().into(),
        resource: AskedResource::Realm(root()),
        answer: false,
        approved: 0,
        granted: false,
        cost: None,
        step: None,
        now: Timestamp::from_millis(SECOND * 1_000),
    };
    assert!(memo.decide(&policy, &request.as_request()).is_err());
    assert!(memo.is_empty());
    let own = BTreeMap::from([("rule".to_owned(), TEXTS[0].to_owned())]);
    policy.set_own(own).unwrap();
    let first = memo.decide(&policy, &request.as_request()).unwrap();
    let again = memo.decide(&policy, &request.as_request()).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(memo.len(), 1);
}

/// A policy of one text, and a memo that may be asked about loops at times of that second.
struct Asked {
    policy: Policy,
    memo: Memo,
}

impl Asked {
    fn new(text: usize) -> Self {
        let mut asked = Self {
            policy: Policy::new(),
            memo: Memo::default(),
        };
        asked.set(text);
        asked
    }

    fn set(&mut self, text: usize) {
        let own = BTreeMap::from([("rule".to_owned(), TEXTS[text].to_owned())]);
        self.policy.set_own(own).unwrap();
    }

    fn ask(&mut self, id: &str, millis: u64) -> Option<Arc<Permit>> {
        let request = RequestCopy {
            action: Action::Invoke,
            principal: root().into(),
            resource: format!("{id}@{ACME}").parse().unwrap(),
            answer: false,
            approved: 0,
            granted: false,
            cost: None,
            step: None,
            now: Timestamp::from_millis(SECOND * 1_000 + millis),
        };
        self.memo.decide(&self.policy, &request.as_request()).ok()
    }

    /// Whether the answer is one that was given before.
    fn remembers(&mut self, given: &Arc<Permit>, id: &str, millis: u64) -> bool {
        let again = self.ask(id, millis).unwrap();
        Arc::ptr_eq(given, &again)
    }
}

#[test]
fn what_no_policy_makes_depend_on_the_time_is_remembered_for_long() {
    let mut asked = Asked::new(0);

    let first = asked.ask("a", 0).unwrap();
    asked.ask("b", 1).unwrap();

    assert_eq!(asked.memo.len(), 2);
    assert!(asked.remembers(&first, "a", 3_600_000));
}

#[test]
fn where_a_policy_sees_the_time_each_permit_is_good_for_its_second() {
    let mut asked = Asked::new(1);

    let first = asked.ask("a", 0).unwrap();
    asked.ask("b", 1).unwrap();

    assert!(asked.remembers(&first, "a", 999));
    assert!(!asked.remembers(&first, "a", 1_000));
    assert_eq!(asked.memo.len(), 1);
    assert!(asked.ask("a", 2_000).is_none(), "its time is over");
    assert!(asked.ask("a", 1_000).is_some(), "clocks go back");
}

#[test]
fn a_ceiling_that_comes_to_see_the_time_ends_what_was_remembered() {
    let mut asked = Asked::new(0);
    let first = asked.ask("a", 0).unwrap();
    for (text, later) in [(TEXTS[0], true), (TEXTS[1], false)] {
        let ceiling = asked.policy.set_ceiling(0, root(), ACME, 1, text);
        ceiling.unwrap();

        assert!(!asked.remembers(&first, "a", 0), "a policy has changed");
        assert_eq!(asked.ask("a", 5_000).is_some(), later);
    }
    asked.policy.clear_ceilings_from(0);
    assert!(asked.ask("a", 5_000).is_some());
    assert!(!asked.policy.sees_time());
}

#[test]
fn at_the_bound_the_oldest_permit_makes_room() {
    let mut asked = Asked::new(0);
    let ids = 0..limits::BIDS;
    let given: Vec<_> = ids
        .map(|n| asked.ask(&format!("l{n}"), 0).unwrap())
        .collect();

    asked.ask("one-more", 0).unwrap();

    assert_eq!(asked.memo.len(), given.len());
    assert!(asked.remembers(&given[1], "l1", 0));
    assert!(asked.remembers(&given[8_191], "l8191", 0));
    assert!(!asked.remembers(&given[0], "l0", 0));
    assert_eq!(asked.memo.len(), given.len());
}
