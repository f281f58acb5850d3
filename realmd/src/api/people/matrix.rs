//! The code held against `docs/matrix.md`.

use std::collections::{BTreeMap, BTreeSet};

use realm_policy::{AskedResource, Policy, Principal, Request as Question};
use realm_protocol::{LoopId, RealmId, RealmPath, Scope, Timestamp};

use super::{super::openapi, *};

const TABLE: &str = include_str!("../../../../docs/matrix.md");
/// Who stands in the columns, with their role; agents, realms and strangers have none.
const COLUMNS: [(&str, Option<Role>); 9] = [
    ("owner", Some(Role::Owner)),
    ("operator", Some(Role::Operator)),
    ("approver", Some(Role::Approver)),
    ("viewer", Some(Role::Viewer)),
    ("agent", None),
    ("peer", None),
    ("child", None),
    ("parent", None),
    ("stranger", None),
];

/// A row: what policy is asked, and who may.
struct Row {
    asked: Vec<Action>,
    may: Vec<bool>,
}

/// The cells of a line of a table.
fn cells(line: &str) -> Vec<&str> {
    let inner = line.trim().trim_matches('|');
    inner.split('|').map(str::trim).collect()
}

/// The rows by method and path.
fn rows() -> BTreeMap<String, Row> {
    let mut lines = TABLE
        .lines()
        .skip_while(|line| !line.starts_with("| route |"));
    let head: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    assert_eq!(cells(lines.next().unwrap())[2..], head);
    let lines = lines.skip(1).take_while(|line| line.starts_with('|'));
    let mut rows = BTreeMap::new();
    for line in lines {
        let cells = cells(line);
        let route = cells[0].trim_matches('`').to_owned();
        let asked = match cells[1] {
            "—" => Vec::new(),
            asked => asked.split(", ").map(|one| one.parse().unwrap()).collect(),
        };
        let may = cells[2..].iter().map(|cell| match *cell {
            "yes" => true,
            "no" => false,
            other => panic!("{route}: `{other}` is neither yes nor no"),
        });
        let may = may.collect();
        assert!(
            rows.insert(route.clone(), Row { asked, may }).is_none(),
            "{route} twice"
        );
    }
    rows
}

fn person(role: Option<Role>) -> Person {
    Person {
        name: "eve".to_owned(),
        roles: role.into_iter().collect(),
    }
}

/// What is asked of a loop inside the node, once the request is read.
fn inside(route: &str) -> &'static [Action] {
    match route {
        routes::INVOKE => &[Action::Invoke, Action::Spend],
        // Of a run's loop, or of announced work, where somebody says what became of a call.
        routes::RUN_RESUME => &[Action::Invoke, Action::Announce],
        routes::BROADCASTS => &[Action::Announce, Action::Spend],
        routes::APPROVAL_APPROVE | routes::APPROVAL_DENY => &[Action::Approve],
        route if PROMPTS.contains(&route) => &[Action::PromotePrompt],
        _ => &[],
    }
}

/// Whether a realm with no documents of its own lets somebody.
fn policy_lets(policy: &Policy, person: &Person, action: Action) -> bool {
    let home = Scope {
        root: RealmId::new([7; 32]),
        path: RealmPath::ROOT,
    };
    let id: LoopId = "greet".parse().unwrap();
    let resource = match action {
        Action::ReadTrace | Action::Administer => AskedResource::Realm(home.clone()),
        _ => AskedResource::Loop {
            owner: home.clone(),
            id,
        },
    };
    let principal = Principal::Person {
        home: &home,
        name: &person.name,
        roles: &person.roles,
    };
    let now = Timestamp::from_millis(1_800_000_000_000);
    let question = Question::new(action, principal, resource.as_resource(), now);
    policy.decide(&question).is_permitted()
}

#[test]
fn every_route_lets_in_whom_the_matrix_says_and_asks_policy_what_it_says() {
    let mut policy = Policy::new();
    policy.set_own(BTreeMap::new()).unwrap();
    let mut rows = rows();
    for (method, path) in openapi::operations() {
        let route = format!("{} {path}", method.to_uppercase());
        let row = rows.remove(&route);
        let row = row.unwrap_or_else(|| panic!("docs/matrix.md has no row `{route}`"));
        let method: Method = method.to_uppercase().parse().unwrap();
        let asked: BTreeSet<Action> = asks(&method, path)
            .into_iter()
            .chain(inside(path).iter().copied())
            .collect();
        assert_eq!(asked, row.asked.iter().copied().collect(), "{route}");
        for ((name, role), expected) in COLUMNS.iter().zip(&row.may) {
            let person = person(*role);
            if *name == "agent" {
                let lets = agents_may(&method, path) || signs_in(&method, path);
                assert_eq!(lets, *expected, "{route}: {name}");
                continue;
            }
            let by_role = may(&person, &method, path).is_ok();
            let by_policy = asked
                .iter()
                .all(|action| policy_lets(&policy, &person, *action));
            assert_eq!(by_role && by_policy, *expected, "{route}: {name}");
            assert!(
                by_policy || !by_role,
                "{route}: policy keeps {name} from what the role gives"
            );
        }
    }
    let left: Vec<&String> = rows.keys().collect();
    assert_eq!(left, [""; 0], "rows without a route");
    assert!(may(&person(Some(Role::Operator)), &Method::POST, "/v1/later").is_err());
}
