//! Revisions of loops: which one is found, which are kept, and what needs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use realm_executor::{Effects, Manifest, RegisterError, Registry, RevisionChange};
use realm_protocol::{Digest, LoopId, limits};
use serde_json::{Value, json};

fn tool(id: &str, version: &str, description: &str) -> Manifest {
    read(&json!({
        "id": id, "version": version, "kind": "tool", "description": description,
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "http", "config": {"url": "https://a.example/"}},
    }))
}

fn calling(id: &str, called: &str, version: Option<&str>) -> Manifest {
    let mut step = json!({"loopId": called});
    if let Some(version) = version {
        step["loopVersion"] = version.into();
    }
    read(&json!({
        "id": id, "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "composite": {"steps": [step]},
    }))
}

fn read(document: &Value) -> Manifest {
    Manifest::from_json(document).unwrap()
}

fn id(text: &str) -> LoopId {
    text.parse().unwrap()
}

fn with(manifests: impl IntoIterator<Item = Manifest>) -> Registry {
    let mut registry = Registry::default();
    for manifest in manifests {
        registry.insert(manifest).unwrap();
    }
    registry
}

fn found(registry: &Registry, version: Option<&str>) -> Option<String> {
    let found = registry.find(&id("a"), version)?;
    Some(found.manifest.version.to_string())
}

#[test]
fn a_requirement_finds_the_newest_version_that_is_kept_and_none_the_one_applied_last() {
    let versions = ["1.0.0", "1.2.0", "2.0.0", "1.1.0"];

    let registry = with(versions.map(|version| tool("a", version, "")));

    let wanted = [
        (None, Some("1.1.0")),
        (Some("^1"), Some("1.2.0")),
        (Some("1.0.0"), Some("1.0.0")),
        (Some(">=1"), Some("2.0.0")),
        (Some("^3"), None),
        (Some("newest"), None),
    ];
    for (version, expected) in wanted {
        assert_eq!(
            found(&registry, version).as_deref(),
            expected,
            "{version:?}"
        );
    }
}

#[test]
fn a_replaced_revision_of_a_version_is_found_by_its_digest_alone() {
    let (first, second) = (tool("a", "1.0.0", "first"), tool("a", "1.0.0", "second"));
    let mut registry = with([first.clone(), second.clone()]);

    let by_version = registry.find(&id("a"), Some("1.0.0")).unwrap().digest;
    assert_eq!(by_version, second.digest());
    let by_digest = registry.by_digest(&first.digest()).unwrap();
    assert_eq!(*by_digest.manifest, first);

    registry.remove(&id("a"));
    assert!(registry.get(&id("a")).is_none());
    assert!(registry.find(&id("a"), Some("1.0.0")).is_none());
    for kept in [&first, &second] {
        assert!(registry.by_digest(&kept.digest()).is_some());
    }
}

#[test]
fn what_is_kept_survives_being_written_down() {
    let mut registry = with([
        tool("a", "1.0.0", "first"),
        tool("a", "1.0.0", "second"),
        tool("a", "2.0.0", ""),
        tool("gone", "1.0.0", ""),
        calling("b", "a", Some("^1")),
    ]);
    registry.remove(&id("gone"));
    let current = registry.iter().filter(|known| !known.builtin);
    let current = current
        .map(|known| Manifest::clone(&known.manifest))
        .collect();
    let kept = [id("a"), id("gone")]
        .map(|id| registry.kept(&id).to_vec())
        .concat();
    let kept = kept.iter().rev().map(|kept| {
        let manifest = Manifest::clone(&kept.registered.manifest);
        (manifest, kept.order, kept.offered)
    });

    let mut again = Registry::default();
    let refused = again.recover(current, kept.collect());

    assert_eq!(refused, []);
    for version in [None, Some("^1"), Some("^2")] {
        let digest = |registry: &Registry| registry.find(&id("a"), version).unwrap().digest;
        assert_eq!(digest(&again), digest(&registry), "{version:?}");
    }
    assert!(
        again
            .by_digest(&tool("a", "1.0.0", "first").digest())
            .is_some()
    );
    assert!(
        again
            .by_digest(&tool("gone", "1.0.0", "").digest())
            .is_some()
    );
    assert!(again.get(&id("gone")).is_none());
    assert_eq!(again.get(&id("b")).unwrap().effects, Effects::Once);
}

#[test]
fn the_oldest_version_that_nobody_needs_goes_first() {
    let mut registry = with([tool("a", "0.1.0", ""), calling("b", "a", Some("=0.1.0"))]);

    for minor in 2..=limits::LOOP_VERSIONS + 2 {
        let version = format!("0.{minor}.0");
        registry.insert(tool("a", &version, "")).unwrap();
    }

    assert_eq!(registry.versions(&id("a")).len(), limits::LOOP_VERSIONS);
    assert!(found(&registry, Some("=0.1.0")).is_some());
    assert_eq!(found(&registry, Some("=0.2.0")), None);
    assert!(
        registry
            .by_digest(&tool("a", "0.2.0", "").digest())
            .is_some()
    );
}

#[test]
fn revisions_past_the_limit_are_forgotten_and_said_to_be() {
    let mut registry = Registry::default();
    let revisions = 0..limits::LOOP_REVISIONS + 3;
    let manifests: Vec<_> = revisions
        .map(|n| tool("a", "1.0.0", &n.to_string()))
        .collect();

    let mut written = Vec::<Digest>::new();
    for manifest in &manifests {
        registry.insert(manifest.clone()).unwrap();
        for change in registry.take_changes() {
            match change {
                RevisionChange::Kept(_, digest) => written.push(digest),
                RevisionChange::Dropped(_, digest) => written.retain(|known| *known != digest),
            }
        }
    }

    let kept: Vec<Digest> = registry
        .kept(&id("a"))
        .iter()
        .map(|kept| kept.registered.digest)
        .collect();
    assert_eq!(kept.len(), limits::LOOP_REVISIONS);
    assert_eq!(written, kept);
    assert!(registry.by_digest(&manifests[1].digest()).is_none());
    assert!(registry.by_digest(&manifests[2].digest()).is_some());
}

#[test]
fn every_version_of_a_prompt_is_kept_until_all_prompts_together_have_no_room_for_another() {
    let prompt = |version: u64, words: &str| {
        Manifest::from_json(&json!({
            "id": "ask", "version": format!("0.{version}.0"), "kind": "prompt",
            "inputSchema": {}, "outputSchema": {},
            "prompt": {"template": words, "variables": []},
        }))
        .unwrap()
    };
    let mut registry = Registry::default();
    let all = 4 * (limits::LOOP_VERSIONS + limits::LOOP_REVISIONS) as u64;
    for version in 0..all {
        registry.insert(prompt(version, "draft")).unwrap();
        registry.insert(prompt(version, "final")).unwrap();
    }

    for version in 0..all {
        for words in ["draft", "final"] {
            let digest = prompt(version, words).digest();
            assert!(registry.by_digest(&digest).is_some(), "{version} {words}");
        }
    }
    assert_eq!(registry.versions(&id("ask")).len() as u64, all);
    registry.keep_prompts(20_000);
    let full = registry.clone().insert(prompt(all, "more"));
    let Err(RegisterError::PromptsFull { bytes, most }) = full else {
        panic!("{full:?}");
    };
    assert!(bytes > most && most == 20_000);
    // What is there already can be made the current one again, and other loops have room.
    registry.insert(prompt(0, "draft")).unwrap();
    registry.insert(tool("a", "1.0.0", "")).unwrap();
}

#[test]
fn an_earlier_revision_that_is_applied_again_is_the_current_one_and_kept_once() {
    let (one, two) = (tool("a", "1.0.0", ""), tool("a", "2.0.0", ""));

    let registry = with([one.clone(), two.clone(), one.clone(), one.clone()]);

    assert_eq!(registry.get(&id("a")).unwrap().digest, one.digest());
    let kept = registry.kept(&id("a"));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].registered.digest, two.digest());
}

#[test]
fn steps_that_would_find_their_loop_no_longer_are_named() {
    let registry = with([
        tool("a", "1.0.0", ""),
        tool("a", "2.0.0", ""),
        calling("pinned", "a", Some("^1")),
        calling("loose", "a", None),
    ]);
    let callers = |after: &Registry| -> Vec<String> {
        let needs = registry.needs_unmet(after);
        needs.iter().map(|need| need.caller.to_string()).collect()
    };

    let mut without = registry.clone();
    without.remove(&id("a"));
    assert_eq!(callers(&without), ["loose", "pinned"]);

    let mut without_one = registry.clone();
    assert!(without_one.remove_version(&id("a"), &"1.0.0".parse().unwrap()));
    assert_eq!(callers(&without_one), ["pinned"]);
    assert!(!without_one.remove_version(&id("a"), &"2.0.0".parse().unwrap()));
}

#[test]
fn a_pinned_step_takes_its_effects_and_its_circles_from_the_version_it_needs() {
    let quiet = Manifest {
        effects: Some(Effects::None),
        ..tool("a", "1.0.0", "")
    };
    let registry = with([quiet, tool("a", "2.0.0", ""), calling("b", "a", Some("^1"))]);
    assert_eq!(registry.get(&id("b")).unwrap().effects, Effects::None);

    let of_old = registry
        .validate_set(&[calling("c", "a", Some("^3"))])
        .unwrap_err();
    assert_eq!(
        of_old[0].what,
        "`a` is here in version 1.0.0, 2.0.0, not ^3"
    );
    let circle = Manifest {
        version: "2.1.0".parse().unwrap(),
        ..calling("a", "b", None)
    };
    assert_eq!(registry.validate_set(&[circle]), Ok(()));
}

#[test]
fn an_alias_finds_its_loop_and_belongs_to_one_alone() {
    let also = |id: &str, aliases: &[&str]| Manifest {
        aliases: aliases.iter().map(|alias| alias.parse().unwrap()).collect(),
        ..tool(id, "1.0.0", "")
    };
    let registry = with([also("a", &["old"]), calling("b", "old", Some("^1"))]);

    assert_eq!(
        registry.find(&id("old"), None).unwrap().manifest.id,
        id("a")
    );
    for other in [
        also("c", &["old"]),
        also("old", &[]),
        also("c", &["b"]),
        also("c", &["echo"]),
    ] {
        let problems = registry
            .validate_set(std::slice::from_ref(&other))
            .unwrap_err();
        assert_eq!(problems[0].rule, "loop.aliases", "{other:?}");
        assert!(registry.clone().insert(other).is_err());
    }

    let mut without = registry.clone();
    without.insert(also("a", &["new"])).unwrap();
    assert!(without.find(&id("old"), None).is_none());
    assert_eq!(registry.needs_unmet(&without)[0].called, id("old"));
}

#[test]
fn revisions_that_runs_under_way_use_outlive_any_number_of_newer_ones() {
    let used = tool("a", "1.0.0", "used");
    let removed = tool("b", "1.0.0", "");
    let mut registry = with([used.clone(), removed.clone()]);
    registry.spare([used.digest(), removed.digest()].into());

    registry.remove(&id("b"));
    for number in 0..=limits::LOOPS_REMOVED {
        let passing = tool(&format!("passing-{number}"), "1.0.0", "");
        registry.insert(passing).unwrap();
        registry.remove(&id(&format!("passing-{number}")));
    }
    for number in 0..3 * limits::LOOP_REVISIONS {
        registry
            .insert(tool("a", "1.0.0", &number.to_string()))
            .unwrap();
    }

    assert!(registry.by_digest(&used.digest()).is_some());
    assert!(registry.by_digest(&removed.digest()).is_some());
    let kept = registry.kept(&id("a")).len();
    assert_eq!(
        kept,
        limits::LOOP_REVISIONS + 1,
        "and nothing else is kept for it"
    );
    registry.spare([].into());
    registry.insert(tool("a", "1.0.0", "last")).unwrap();
    assert!(registry.by_digest(&used.digest()).is_none());
}

#[test]
fn loops_that_would_lead_back_to_themselves_are_not_inserted() {
    let mut registry = with([calling("a", "b", None)]);
    let refused = registry
        .clone()
        .insert_all(vec![calling("b", "c", None), calling("c", "a", None)]);
    let refused = refused.unwrap_err();
    let (_, error) = refused.first().unwrap();
    assert_eq!(
        error.to_string(),
        "loops call each other in a circle: b → c → a → b"
    );

    // What is replaced with them closes no circle.
    registry
        .insert_all(vec![calling("b", "a", None), tool("a", "2.0.0", "")])
        .unwrap();
}
