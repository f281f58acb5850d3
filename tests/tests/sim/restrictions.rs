//! What InterRealm's policies restrict, by type: what each refuses and what it permits.

use realm_executor::{Limit, load};
use realm_node::{LoopAction, Person, Refusal, Request, Response, RestrictAsked, RestrictReport};
use realm_protocol::{FailureCode, records::Role};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants};
use serde_json::{Value, json};

use super::people::told;

/// A hospital with a ward below, and a laboratory that may call whatever the ward offers.
struct Clinic {
    world: World,
    calls: u64,
    mercy: HostId,
    ward: HostId,
    lab: HostId,
}

impl Clinic {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mercy = world.found("mercy");
        let ward = world.child(mercy, "ward");
        let lab = world.found("lab");
        world.peer(mercy, lab);
        world.run_for(5_000);
        for host in [mercy, ward, lab] {
            world.apply(
                host,
                &[Loops::once("care.note", 1), Loops::once("pay.rent", 1)],
            );
        }
        for pattern in ["echo", "care.note", "pay.rent"] {
            world.allow(ward, "lab", pattern);
            world.allow(lab, "mercy", pattern);
        }
        Self {
            world,
            calls: 0,
            mercy,
            ward,
            lab,
        }
    }

    /// Applies a mesh at the realm of this name, as its daemon does.
    fn mesh(&mut self, host: HostId, realm: &str, policy: &str) -> Vec<RestrictReport> {
        match self.try_mesh(host, realm, policy) {
            Response::Restricted(reports) => reports,
            other => panic!("{policy}: {other:?}"),
        }
    }

    fn try_mesh(&mut self, host: HostId, realm: &str, policy: &str) -> Response {
        let text = format!(
            "apiVersion: interrealm.io/v1alpha1\nkind: MeshConfiguration\n\
             metadata: {{meshId: care, version: 1.0.0}}\nspec:\n  policies: [{policy}]\n  \
             realms: [{{realmId: mercy, policies: [{}], children: [{{realmId: ward}}]}}, {{realmId: lab}}]\n",
            if policy.is_empty() { "" } else { "p" }
        );
        let mut loaded = load("mesh.yaml", &text, &|_| None).expect("a mesh");
        let restrictions = loaded.meshes.remove(0).restrictions;
        let asked = RestrictAsked {
            restrictions: vec![restrictions[&realm.parse().expect("a realm")].clone()],
            dry_run: false,
            by: "olga".to_owned(),
        };
        let control = self.world.ask(host, Request::Restrict(asked));
        let response = self.world.wait_for(host, control);
        self.world.run_for(5_000);
        response
    }

    /// An input that no call had before.
    fn input(&mut self) -> Value {
        self.calls += 1;
        json!({ "call": self.calls })
    }

    fn calls(&mut self, from: HostId, address: &str) -> Result<(), FailureCode> {
        let input = self.input();
        let called = self.world.call(from, address, input);
        called.result.map(|_| ()).map_err(|failure| failure.code)
    }

    fn asks(&mut self, host: HostId, role: Role, address: &str) -> Result<(), FailureCode> {
        let person = Person {
            name: "ann".to_owned(),
            roles: [role].into(),
        };
        let call = World::invoke(address, self.input());
        let control = self.world.ask(host, Request::By(person, Box::new(call)));
        match self.world.wait_for(host, control) {
            Response::Invoked(ended) => ended.result.map(|_| ()).map_err(|failure| failure.code),
            Response::Refused(Refusal::Call(failure)) => Err(failure.code),
            other => panic!("{other:?}"),
        }
    }
}

const DENIED: Result<(), FailureCode> = Err(FailureCode::Denied);

#[test]
fn capability_access_holds_the_realm_and_those_below_it_and_is_gone_with_its_policy() {
    let mut clinic = Clinic::new(9_100);
    let (mercy, ward, lab) = (clinic.mercy, clinic.ward, clinic.lab);
    assert_eq!(clinic.calls(lab, "pay.rent@mercy/ward"), Ok(()));
    let policy = "{name: p, type: capability-access, config: {allowedCapabilities: ['care.*', echo], \
                  deniedCapabilities: [echo]}}";
    let reports = clinic.mesh(mercy, "mercy", policy);
    let ids: Vec<&str> = reports.iter().map(|report| report.id.as_str()).collect();
    assert_eq!(ids, ["mesh.care.p", "subtree.mesh.care.p"]);

    assert_eq!(clinic.calls(lab, "care.note@mercy/ward"), Ok(()));
    assert_eq!(clinic.calls(lab, "pay.rent@mercy/ward"), DENIED);
    assert_eq!(clinic.calls(lab, "echo@mercy/ward"), DENIED);
    assert_eq!(clinic.calls(ward, "pay.rent@mercy"), DENIED);
    assert_eq!(clinic.asks(mercy, Role::Operator, "care.note"), Ok(()));
    assert_eq!(clinic.asks(mercy, Role::Operator, "pay.rent"), DENIED);
    for host in [mercy, ward] {
        clinic.world.crash(host);
        clinic.world.start(host);
    }
    clinic.world.run_for(40_000);
    assert_eq!(clinic.calls(lab, "pay.rent@mercy/ward"), DENIED);

    let reports = clinic.mesh(mercy, "mercy", "");
    assert!(
        reports
            .iter()
            .all(|report| report.action == LoopAction::Removed),
        "{reports:?}"
    );
    assert_eq!(clinic.calls(lab, "pay.rent@mercy/ward"), Ok(()));
    assert_eq!(clinic.asks(mercy, Role::Operator, "pay.rent"), Ok(()));
    invariants::check(&mut clinic.world);
}

#[test]
fn access_control_lets_a_realm_call_what_stands_beside_its_name_and_nothing_else() {
    let mut clinic = Clinic::new(9_101);
    let (mercy, ward, lab) = (clinic.mercy, clinic.ward, clinic.lab);
    assert_eq!(clinic.calls(lab, "care.note@mercy"), DENIED);
    let policy = "{name: p, type: capability-access, config: {accessControl: \
                  [{source: 'bridge:lab', capabilities: ['care.*']}, {source: 'realm:ward', capabilities: [pay.rent]}]}}";
    clinic.mesh(mercy, "mercy", policy);

    assert_eq!(clinic.calls(lab, "care.note@mercy"), Ok(()));
    assert_eq!(clinic.calls(lab, "echo@mercy"), DENIED);
    assert_eq!(clinic.calls(ward, "pay.rent@mercy"), Ok(()));
    assert_eq!(clinic.calls(ward, "care.note@mercy"), DENIED);
    let unknown = policy.replace("bridge:lab", "bridge:nobody");
    let refused = clinic.try_mesh(mercy, "mercy", &unknown);
    assert!(
        matches!(refused, Response::Refused(Refusal::Restrictions(_))),
        "{refused:?}"
    );
    assert_eq!(clinic.calls(lab, "care.note@mercy"), Ok(()));
    invariants::check(&mut clinic.world);
}

#[test]
fn a_rate_limit_is_inherited_and_refuses_what_comes_too_soon() {
    let mut clinic = Clinic::new(9_102);
    let (ward, lab) = (clinic.ward, clinic.lab);
    let policy = "{name: p, type: rate-limit, config: {requestsPerMinute: 6, burstSize: 2}}";
    let reports = clinic.mesh(ward, "mercy/ward", policy);
    assert_eq!(reports[0].id, "mesh.care.p");
    clinic.world.crash(ward);
    clinic.world.start(ward);
    clinic.world.run_for(5_000);
    let soon = |clinic: &mut Clinic| {
        let ask = World::invoke_within("echo@mercy/ward", clinic.input(), 2_000);
        let control = clinic.world.ask(lab, ask);
        match clinic.world.wait_for(lab, control) {
            Response::Invoked(ended) => ended.result.map(|_| ()).map_err(|failure| failure.code),
            other => panic!("{other:?}"),
        }
    };
    let found: Vec<_> = (0..3).map(|_| soon(&mut clinic)).collect();
    assert_eq!(found, [Ok(()), Ok(()), Err(FailureCode::Overloaded)]);

    clinic.mesh(ward, "mercy/ward", "");
    assert_eq!(soon(&mut clinic), Ok(()));
    invariants::check(&mut clinic.world);
}

#[test]
fn authorization_lets_people_call_what_their_roles_have() {
    let mut clinic = Clinic::new(9_103);
    let (mercy, lab, ward) = (clinic.mercy, clinic.lab, clinic.ward);
    let policy = "{name: p, type: authorization, config: {roles: [{name: operator, capabilities: ['care.*']}, \
                  {name: owner, capabilities: ['*']}]}}";
    clinic.mesh(mercy, "mercy", policy);

    assert_eq!(clinic.asks(mercy, Role::Operator, "care.note"), Ok(()));
    assert_eq!(clinic.asks(mercy, Role::Operator, "pay.rent"), DENIED);
    assert_eq!(clinic.asks(mercy, Role::Owner, "pay.rent"), Ok(()));
    assert_eq!(clinic.asks(ward, Role::Operator, "pay.rent"), DENIED);
    assert_eq!(clinic.calls(lab, "pay.rent@mercy/ward"), Ok(()));
    invariants::check(&mut clinic.world);
}

#[test]
fn data_goes_as_far_as_its_classification_lets_it() {
    let mut clinic = Clinic::new(9_104);
    let (mercy, ward, lab) = (clinic.mercy, clinic.ward, clinic.lab);
    let ways = |clinic: &mut Clinic| {
        [
            clinic.asks(ward, Role::Operator, "echo"),
            clinic.calls(mercy, "echo@mercy/ward"),
            clinic.calls(ward, "echo@lab"),
            clinic.calls(lab, "echo@mercy/ward"),
        ]
    };
    let class = |name: &str| {
        format!("{{name: p, type: data-governance, config: {{dataClassification: {name}}}}}")
    };
    for (name, expected) in [
        ("public", [Ok(()), Ok(()), Ok(()), Ok(())]),
        ("internal", [Ok(()), Ok(()), DENIED, DENIED]),
        ("confidential", [Ok(()), DENIED, DENIED, DENIED]),
        ("restricted", [Ok(()), DENIED, DENIED, DENIED]),
    ] {
        clinic.mesh(ward, "mercy/ward", &class(name));
        assert_eq!(ways(&mut clinic), expected, "{name}");
    }
    invariants::check(&mut clinic.world);
}

#[test]
fn a_custom_policy_denies_everything_until_it_is_taken_out() {
    let mut clinic = Clinic::new(9_105);
    let (mercy, lab) = (clinic.mercy, clinic.lab);
    clinic.mesh(
        mercy,
        "mercy",
        "{name: p, type: custom, config: {handler: wand}}",
    );
    assert_eq!(clinic.calls(lab, "echo@mercy/ward"), DENIED);
    assert_eq!(clinic.asks(mercy, Role::Owner, "echo"), DENIED);
    clinic.mesh(mercy, "mercy", "");
    assert_eq!(clinic.calls(lab, "echo@mercy/ward"), Ok(()));
    assert_eq!(clinic.asks(mercy, Role::Owner, "echo"), Ok(()));
    invariants::check(&mut clinic.world);
}

#[test]
fn what_audit_and_authentication_ask_for_holds_without_them() {
    let mut clinic = Clinic::new(9_106);
    let (mercy, ward, lab) = (clinic.mercy, clinic.ward, clinic.lab);
    let audit = "{name: p, type: audit, config: {logLevel: info, capabilities: ['care.*']}}";
    assert_eq!(clinic.mesh(mercy, "mercy", audit), []);
    let authentication = "{name: p, type: authentication, config: {required: true}}";
    assert_eq!(clinic.mesh(mercy, "mercy", authentication), []);

    assert_eq!(clinic.calls(lab, "care.note@mercy/ward"), Ok(()));
    clinic.world.run_for(1_000);
    let entries = audit::entries(&clinic.world.hosts[ward.0].disk);
    let served = entries.iter().filter(|entry| entry.action == "call.served");
    assert_eq!(served.count(), 1);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_mesh_applied_again_changes_only_what_differs_and_the_log_names_who_did_it() {
    let mut clinic = Clinic::new(9_107);
    let mercy = clinic.mercy;
    let slow = |per_minute: u64| {
        format!("{{name: p, type: rate-limit, config: {{requestsPerMinute: {per_minute}}}}}")
    };
    let actions = |reports: Vec<RestrictReport>| -> Vec<LoopAction> {
        reports.iter().map(|report| report.action).collect()
    };
    assert_eq!(
        actions(clinic.mesh(mercy, "mercy", &slow(6))),
        [LoopAction::Created]
    );
    assert_eq!(
        actions(clinic.mesh(mercy, "mercy", &slow(6))),
        [LoopAction::Unchanged]
    );
    assert_eq!(
        actions(clinic.mesh(mercy, "mercy", &slow(7))),
        [LoopAction::Changed]
    );
    // The name comes to stand for a policy instead.
    let custom = "{name: p, type: custom}";
    clinic.mesh(mercy, "mercy", custom);
    assert!(clinic.world.hosts[mercy.0].node().rates().is_empty());

    clinic.world.run_for(1_000);
    let by_olga = |action: &str, id: &str| {
        let told = told(&clinic.world, mercy, action);
        told.into_iter()
            .filter(|one| *one == ("olga".to_owned(), id.to_owned()))
            .count()
    };
    assert_eq!(by_olga("rate.applied", "mesh.care.p"), 2);
    assert_eq!(by_olga("policy.set", "mesh.care.p"), 1);
    assert_eq!(by_olga("policy.set", "subtree.mesh.care.p"), 1);
}

/// Applies a realm of the Platform's, with these limits.
fn platform(clinic: &mut Clinic, host: HostId, spec: &str) -> Vec<RestrictReport> {
    let text = format!(
        "apiVersion: loopstacks.io/v1\nkind: Realm\nmetadata: {{name: ward}}\n\
         spec: {{description: A ward., {spec}}}\n"
    );
    let mut loaded = load("realm.yaml", &text, &|_| None).unwrap();
    let asked = RestrictAsked {
        restrictions: vec![loaded.realms.remove(0).restrictions],
        dry_run: false,
        by: "olga".to_owned(),
    };
    match clinic.world.ask_and_wait(host, Request::Restrict(asked)) {
        Response::Restricted(reports) => reports,
        other => panic!("{spec}: {other:?}"),
    }
}

const OPEN: &str = "isolation: federated, networking: {allowCrossRealmCommunication: true}";

#[test]
fn a_realm_of_the_platform_talks_to_others_only_if_it_says_so() {
    let mut clinic = Clinic::new(9_108);
    let (mercy, ward, lab) = (clinic.mercy, clinic.ward, clinic.lab);
    let closed = "networking: {allowCrossRealmCommunication: false}";
    let tree = "isolation: cluster, networking: {allowCrossRealmCommunication: true}";
    for (spec, expected) in [
        (closed, [Ok(()), DENIED, DENIED, DENIED]),
        (tree, [Ok(()), Ok(()), DENIED, DENIED]),
        (OPEN, [Ok(()); 4]),
    ] {
        platform(&mut clinic, ward, spec);
        let found = [
            clinic.asks(ward, Role::Operator, "echo"),
            clinic.calls(mercy, "echo@mercy/ward"),
            clinic.calls(ward, "echo@lab"),
            clinic.calls(lab, "echo@mercy/ward"),
        ];
        assert_eq!(found, expected, "{spec}");
    }
    invariants::check(&mut clinic.world);
}

#[test]
fn a_realm_of_the_platform_runs_so_many_loops_at_once_and_keeps_its_limits_over_restarts() {
    let mut clinic = Clinic::new(9_109);
    let (mercy, ward) = (clinic.mercy, clinic.ward);
    clinic.world.apply(ward, &[Loops::once("slow", 20_000)]);
    clinic.world.allow(ward, "mercy", "slow");
    let limited = format!(
        "{OPEN}, resources: {{maxConcurrentLoops: 2, maxAgentInstances: 3}}, \
                           governance: {{retentionPolicy: {{loopHistory: 2d}}}}"
    );
    platform(&mut clinic, ward, &limited);
    clinic.world.crash(ward);
    clinic.world.start(ward);
    clinic.world.run_for(40_000);
    let node = clinic.world.hosts[ward.0].node();
    assert_eq!(node.limit(Limit::Runs), Some(2));
    assert_eq!(node.limit(Limit::Agents), Some(3));
    assert_eq!(node.limit(Limit::Kept), Some(2 * 24 * 60 * 60 * 1_000));

    let at_once = |clinic: &mut Clinic| {
        let asked: Vec<_> = (0..3)
            .map(|_| {
                let ask = World::invoke_within("slow@mercy/ward", clinic.input(), 30_000);
                let asked = clinic.world.ask(mercy, ask);
                clinic.world.run_for(1_000);
                asked
            })
            .collect();
        let ended = asked
            .into_iter()
            .map(|control| match clinic.world.wait_for(mercy, control) {
                Response::Invoked(ended) => {
                    ended.result.map(|_| ()).map_err(|failure| failure.code)
                }
                other => panic!("{other:?}"),
            });
        ended.collect::<Vec<_>>()
    };
    let refused = at_once(&mut clinic);
    assert_eq!(refused[..2], [Ok(()), Ok(())]);
    assert_eq!(refused[2], Err(FailureCode::Overloaded));
    let reports = platform(
        &mut clinic,
        ward,
        &format!("{OPEN}, resources: {{maxConcurrentLoops: 3}}"),
    );
    let removed = reports.iter().find(|report| report.id == "realm.ward.kept");
    assert_eq!(
        removed.map(|report| report.action),
        Some(LoopAction::Removed)
    );
    assert_eq!(at_once(&mut clinic), [Ok(()); 3]);
    invariants::check(&mut clinic.world);
}
