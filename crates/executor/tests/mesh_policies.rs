//! Which of InterRealm's policies become what, and which are refused with what to write instead.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use realm_executor::{
    Extent, Limit, LoopsLet, Mesh, Problem, RateLet, Restricted, Restriction, Restrictions, load,
};
use realm_protocol::{RealmName, records::Role};

/// A mesh whose root has this policy, in the form of its format's own examples.
fn with(policy: &str) -> String {
    format!(
        "apiVersion: interrealm.io/v1alpha1\nkind: MeshConfiguration\n\
         metadata: {{meshId: prod-main-mesh, version: 3.0.0}}\nspec:\n  \
         policies:\n    - {policy}\n  realms:\n    - realmId: root\n      policies: [p]\n      \
         children: [{{realmId: finance, children: [{{realmId: finance/reporting}}]}}]\n"
    )
}

fn mesh(text: &str) -> Result<Mesh, Vec<Problem>> {
    Ok(load("mesh.yaml", text, &|_| None)?.meshes.remove(0))
}

fn name(text: &str) -> RealmName {
    text.parse().unwrap()
}

fn names(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn restrictions<'m>(mesh: &'m Mesh, realm: &str) -> &'m Restrictions {
    &mesh.restrictions[&name(realm)]
}

/// What the root's one policy becomes.
fn becomes(policy: &str) -> Option<Restricted> {
    let mesh = mesh(&with(policy)).unwrap();
    let all = &restrictions(&mesh, "root").all;
    all.first().map(|one| one.what.clone())
}

fn rate(per_minute: u64, burst: u64, shared: bool, queue: u64) -> Option<Restricted> {
    let rate = RateLet {
        per_minute,
        burst,
        shared,
        queue,
    };
    Some(Restricted::Rate(rate))
}

#[test]
fn each_type_of_policies_becomes_what_the_table_says() {
    let finance = LoopsLet {
        everybody: Some(names(&["finance.*", "messaging.send"])),
        by_realm: Vec::new(),
        nobody: names(&["finance.transactions.delete"]),
    };
    let sources = LoopsLet {
        everybody: Some(Vec::new()),
        by_realm: vec![
            (name("root/finance"), names(&["messaging.send"])),
            (name("partner"), names(&["finance.report"])),
        ],
        nobody: Vec::new(),
    };
    let black = LoopsLet {
        nobody: names(&["hr.*"]),
        ..LoopsLet::default()
    };
    let within = |extent| Some(Restricted::Within(extent));
    let roles = BTreeMap::from([(Role::Operator, names(&["finance.*", "hr.*"]))]);
    for (policy, expected) in [
        (
            "{name: p, type: capability-access, config: {mode: whitelist, allowedCapabilities: ['finance.*', messaging.send], \
             deniedCapabilities: [finance.transactions.delete]}}",
            Some(Restricted::Loops(finance)),
        ),
        (
            "{name: p, type: capability-access, config: {accessControl: [{source: 'realm:finance', capabilities: [messaging.send]}, \
             {source: 'bridge:partner', capabilities: [finance.report]}]}}",
            Some(Restricted::Loops(sources)),
        ),
        (
            "{name: p, type: capability-access, config: {mode: blacklist, deniedCapabilities: ['hr.*']}}",
            Some(Restricted::Loops(black)),
        ),
        (
            "{name: p, type: rate-limit, config: {requestsPerMinute: 1000, burstSize: 100}}",
            rate(1_000, 100, false, 0),
        ),
        (
            "{name: p, type: rate-limit, config: {requestsPerMinute: 6, perMember: false, action: queue}}",
            rate(6, 1, true, 6),
        ),
        (
            "{name: p, type: rate-limit, config: {requestsPerMinute: 100000, action: throttle}}",
            rate(100_000, 1, false, 65_536),
        ),
        (
            "{name: p, type: audit, config: {logLevel: debug, includePayload: false, capabilities: ['finance.*']}}",
            None,
        ),
        ("{name: p, type: audit}", None),
        (
            "{name: p, type: authentication, config: {required: true, allowedAuthTypes: [mtls]}}",
            None,
        ),
        (
            "{name: p, type: authorization, config: {model: rbac, roles: [{name: operator, capabilities: ['finance.*']}, \
             {name: operator, capabilities: ['hr.*']}]}}",
            Some(Restricted::Roles(roles)),
        ),
        (
            "{name: p, type: authorization}",
            Some(Restricted::Roles(BTreeMap::new())),
        ),
        (
            "{name: p, type: data-governance, config: {dataClassification: public}}",
            None,
        ),
        (
            "{name: p, type: data-governance, config: {dataClassification: internal, encryption: {required: true, \
             algorithm: ChaCha20-Poly1305}}}",
            within(Extent::Tree),
        ),
        (
            "{name: p, type: data-governance, config: {dataClassification: confidential, compliance: []}}",
            within(Extent::Subtree),
        ),
        (
            "{name: p, type: data-governance, config: {dataClassification: restricted}}",
            within(Extent::Alone),
        ),
        (
            "{name: p, type: custom, config: {handler: fraud, config: {threshold: 5}}}",
            Some(Restricted::Nothing),
        ),
    ] {
        assert_eq!(becomes(policy), expected, "{policy}");
    }
}

#[test]
fn retention_of_governed_data_limits_how_long_runs_are_kept() {
    let policy =
        "{name: p, type: data-governance, config: {dataClassification: internal, retention: 90d}}";
    let mesh = mesh(&with(policy)).unwrap();
    let all = restrictions(&mesh, "root").all.iter();
    let all: Vec<_> = all.map(|one| (one.name.as_str(), &one.what)).collect();
    let kept = Restricted::Limit(Limit::Kept, 90 * 24 * 60 * 60 * 1_000);
    let expected = [("p", &Restricted::Within(Extent::Tree)), ("p.kept", &kept)];
    assert_eq!(all, expected);
}

#[test]
fn what_has_no_effect_here_is_refused_where_it_stands_with_what_to_write_instead() {
    for (kind, config, rule, hint) in [
        ("capability-access", "{mode: open}", "mode", "whitelist"),
        (
            "capability-access",
            "{}",
            "allowedCapabilities",
            "mode: blacklist",
        ),
        (
            "capability-access",
            "{mode: blacklist, allowedCapabilities: [a]}",
            "allowedCapabilities",
            "mode: whitelist",
        ),
        (
            "capability-access",
            "{accessControl: [{source: 'member:app', capabilities: [a]}]}",
            "source",
            "realm:ID",
        ),
        (
            "capability-access",
            "{allowedCapabilities: [a], allow: [b]}",
            "config",
            "leave it out",
        ),
        (
            "rate-limit",
            "{requestsPerMinute: 6, action: drop}",
            "action",
            "known: reject",
        ),
        ("audit", "{logLevel: warn}", "logLevel", "write info"),
        (
            "audit",
            "{retention: 90d}",
            "retention",
            "realmctl audit export",
        ),
        (
            "audit",
            "{includePayload: true}",
            "includePayload",
            "realmctl trace show",
        ),
        (
            "authentication",
            "{required: false}",
            "required",
            "write true",
        ),
        (
            "authentication",
            "{allowedAuthTypes: [api-key, jwt]}",
            "allowedAuthTypes",
            "[mtls]",
        ),
        (
            "authentication",
            "{tokenExpiration: 24h}",
            "tokenExpiration",
            "--for 24h",
        ),
        (
            "authorization",
            "{model: abac}",
            "model",
            "realmctl policy apply",
        ),
        (
            "authorization",
            "{attributes: {a: 1}}",
            "attributes",
            "realmctl policy apply",
        ),
        (
            "authorization",
            "{roles: [{name: reader, capabilities: [a]}]}",
            "roles",
            "owner, operator, approver, viewer",
        ),
        (
            "data-governance",
            "{dataClassification: secret}",
            "dataClassification",
            "public",
        ),
        (
            "data-governance",
            "{encryption: {algorithm: AES-256-GCM}}",
            "encryption",
            "leave it out",
        ),
        ("data-governance", "{retention: for ever}", "retention", ""),
        (
            "data-governance",
            "{compliance: [HIPAA]}",
            "compliance",
            "as policies",
        ),
        ("fire-drill", "{}", "type", "known: capability-access"),
    ] {
        let policy = format!("{{name: p, type: {kind}, config: {config}}}");
        let problems = mesh(&with(&policy)).expect_err(&policy);
        let problem = &problems[0];
        assert_eq!(problem.rule, format!("mesh.policies.{rule}"), "{policy}");
        assert_eq!(problem.line, 6, "{policy}");
        let told = problem.hint.as_deref().unwrap_or_default();
        assert!(told.contains(hint), "{policy}: {told}");
    }
    let without = mesh(&with("{name: p, type: rate-limit}")).unwrap_err();
    assert!(
        without[0]
            .to_string()
            .contains("`requestsPerMinute` is missing"),
        "{}",
        without[0]
    );
}

const TREE: &str = "\
apiVersion: interrealm.io/v1alpha1
kind: MeshConfiguration
metadata: {meshId: care, version: 1.0.0}
spec:
  policies:
    - {name: shut, type: capability-access, config: {mode: blacklist, deniedCapabilities: [old]}}
    - {name: here, type: capability-access, config: {mode: blacklist, deniedCapabilities: [new], applyToChildren: false}}
    - {name: slow, type: rate-limit, config: {requestsPerMinute: 10}}
    - {name: idle, type: rate-limit, config: {requestsPerMinute: 10}}
    - {name: magic, type: custom, config: {handler: wand}}
  realms:
    - realmId: mercy
      policies: [shut, here, slow]
      children:
        - {realmId: ward}
        - {realmId: lab, inheritPolicies: false, policies: [magic], children: [{realmId: annex}]}
";

#[test]
fn realms_have_their_own_policies_and_those_of_the_realms_above_unless_they_inherit_none() {
    let mesh = mesh(TREE).unwrap();
    let told = |realm: &str| -> Vec<String> {
        let restrictions = restrictions(&mesh, realm);
        assert_eq!(restrictions.document, "mesh.care");
        let tell = |one: &Restriction| {
            let spared: Vec<String> = one.spared.iter().map(ToString::to_string).collect();
            let below = if one.below { " and below" } else { "" };
            let but = spared.join(" ");
            format!(
                "{}{below}{}{but}",
                one.name,
                if but.is_empty() { "" } else { " but " }
            )
        };
        restrictions.all.iter().map(tell).collect()
    };

    let but = "but mercy/lab mercy/lab/annex";
    assert_eq!(
        told("mercy"),
        [
            "here but mercy/ward mercy/lab mercy/lab/annex".to_owned(),
            format!("shut and below {but}"),
            format!("slow and below {but}"),
        ]
    );
    assert_eq!(told("mercy/ward"), ["shut", "slow"]);
    assert_eq!(told("mercy/lab"), ["magic and below"]);
    assert_eq!(told("mercy/lab/annex"), ["magic"]);
    let warned: Vec<String> = mesh.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(
        warned[0].contains("`wand`") && warned[0].contains("denied"),
        "{warned:?}"
    );
    assert!(warned[1].contains("`idle`"), "{warned:?}");
}

#[test]
fn policies_that_are_not_there_twice_there_or_of_no_usable_name_are_refused() {
    for (line, instead, rule, says) in [
        (
            "policies: [shut, here",
            "policies: [shot, here",
            "mesh.realms.policies",
            "did you mean `shut`?",
        ),
        (
            "name: here",
            "name: shut",
            "mesh.policies.name",
            "another policy `shut`",
        ),
        (
            "name: here",
            "name: no name",
            "mesh.policies.name",
            "dashes",
        ),
        (
            "meshId: care",
            "meshId: care.home",
            "mesh.metadata.meshId",
            "dashes",
        ),
        (
            "inheritPolicies: false",
            "inheritPolicies: no way",
            "mesh.inheritPolicies",
            "true or false",
        ),
    ] {
        let problems = mesh(&TREE.replace(line, instead)).unwrap_err();
        assert_eq!(problems[0].rule, rule, "{instead}: {problems:?}");
        assert!(problems[0].to_string().contains(says), "{}", problems[0]);
    }
}
