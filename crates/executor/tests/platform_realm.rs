//! What the limits of the Platform's realms become, and which are refused with what to write instead.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use realm_executor::{Extent, Limit, PlatformRealm, Problem, Restricted, load};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn realm(spec: &str) -> Result<PlatformRealm, Vec<Problem>> {
    let text = format!(
        "apiVersion: loopstacks.io/v1\nkind: Realm\nmetadata: {{name: shop}}\n\
         spec: {{description: Sells things., {spec}}}\n"
    );
    Ok(load("realm.yaml", &text, &|_| None)?.realms.remove(0))
}

fn becomes(spec: &str) -> Vec<(String, Restricted)> {
    let restrictions = realm(spec).unwrap().restrictions;
    assert_eq!(restrictions.document, "realm.shop");
    let all = restrictions.all.into_iter();
    all.map(|one| (one.name, one.what)).collect()
}

#[test]
fn each_limit_becomes_what_the_table_says_and_what_is_absent_is_as_the_platform_has_it() {
    let with = |agents, runs, more: &[(&str, Restricted)]| {
        let limit = |name: &str, of, most| (name.to_owned(), Restricted::Limit(of, most));
        let mut all = vec![
            limit("agents", Limit::Agents, agents),
            limit("runs", Limit::Runs, runs),
        ];
        all.extend(
            more.iter()
                .map(|(name, what)| ((*name).to_owned(), what.clone())),
        );
        all
    };
    let calls = |extent| ("calls", Restricted::Within(extent));
    let kept = ("kept", Restricted::Limit(Limit::Kept, 30 * DAY_MS));
    for (spec, expected) in [
        (
            "isolation: federated",
            with(100, 1_000, &[calls(Extent::Alone)]),
        ),
        (
            "resources: {maxAgentInstances: 5, maxConcurrentLoops: 7}, networking: {allowCrossRealmCommunication: false}",
            with(5, 7, &[calls(Extent::Alone)]),
        ),
        (
            "isolation: namespace, networking: {allowCrossRealmCommunication: true}",
            with(100, 1_000, &[calls(Extent::Subtree)]),
        ),
        (
            "isolation: cluster, networking: {allowCrossRealmCommunication: true, federationEndpoints: []}",
            with(100, 1_000, &[calls(Extent::Tree)]),
        ),
        (
            "isolation: federated, networking: {allowCrossRealmCommunication: true}, \
             governance: {agentApprovalRequired: true, loopAuditingEnabled: true, \
             retentionPolicy: {loopHistory: 30d, agentLogs: 30d}}",
            with(100, 1_000, &[kept]),
        ),
    ] {
        assert_eq!(becomes(spec), expected, "{spec}");
    }
}

#[test]
fn what_has_no_effect_here_is_refused_with_what_to_write_instead() {
    for (spec, rule, hint) in [
        ("isolation: vm", "isolation", "known: namespace"),
        ("resources: {maxCpu: 4}", "resources", "leave it out"),
        (
            "resources: {maxConcurrentLoops: 0}",
            "resources.maxConcurrentLoops",
            "",
        ),
        (
            "networking: {federationEndpoints: ['wss://example.org']}",
            "networking.federationEndpoints",
            "invite --peer",
        ),
        (
            "governance: {agentApprovalRequired: perhaps}",
            "governance.agentApprovalRequired",
            "",
        ),
        (
            "governance: {loopAuditingEnabled: false}",
            "governance.loopAuditingEnabled",
            "write true",
        ),
        (
            "governance: {retentionPolicy: {loopHistory: 30d, agentLogs: 7d}}",
            "governance.retentionPolicy",
            "loopHistory",
        ),
        (
            "governance: {retentionPolicy: {loopHistory: soon}}",
            "governance.retentionPolicy",
            "",
        ),
    ] {
        let problems = realm(spec).unwrap_err();
        assert_eq!(problems[0].rule, format!("realm.{rule}"), "{spec}");
        let told = problems[0].hint.as_deref().unwrap_or_default();
        assert!(told.contains(hint), "{spec}: {told}");
    }
}
