//! What stands still by somebody's word, and who has not confirmed that it does.

use realm_client::api::{Check, Finding};
use realm_node::{HaltView, HaltsView};
use realm_protocol::Scope;

use super::{bad, ok};

/// One for each word, and for each realm below that is told one and has not confirmed; `name` is what
/// people call a realm.
pub(super) fn checks(halts: &HaltsView, name: impl Fn(&Scope) -> String) -> Vec<Check> {
    let stands = |title: &str, evidence: String, fix: String| {
        bad(Finding::Warn, "halts.word", title, evidence, fix)
    };
    let mut checks = Vec::new();
    if let Some(halt) = &halts.all {
        let evidence = format!("{}; {} runs stand still", said(halt), halts.runs);
        checks.push(stands("this realm", evidence, "realmctl unhalt".to_owned()));
    }
    checks.extend(halts.loops.iter().map(|halted| {
        let fix = format!("realmctl unhalt --loop {}", halted.loop_id);
        let title = format!("loop {}", halted.loop_id);
        stands(&title, said(&halted.halt), fix)
    }));
    checks.extend(halts.above.iter().map(|word| {
        let by = name(&word.by);
        let evidence = format!("what is done for others is halted by {by}");
        let fix = format!("whoever halted it lets it go on, in {by}: realmctl unhalt");
        stands("this realm", evidence, fix)
    }));
    let unconfirmed = halts.below.iter().filter(|told| told.confirmed.is_none());
    checks.extend(unconfirmed.map(|told| {
        let word = if told.halted { "to halt" } else { "to go on" };
        bad(
            Finding::Fail,
            "halts.below",
            &format!("realm {}", name(&told.scope)),
            format!("told {word}, and has not confirmed: it is told again"),
            "see that its daemon runs and is connected: realmctl halt --show",
        )
    }));
    if checks.is_empty() {
        return vec![ok("halts.word", "this realm and its loops", "go on")];
    }
    checks
}

fn said(halt: &HaltView) -> String {
    let why = halt.why.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("halted by {}{why}", halt.by)
}

#[cfg(test)]
mod tests {
    use realm_node::BelowHaltView;
    use realm_protocol::{RealmId, Timestamp};

    use super::*;

    fn scope(path: &str) -> Scope {
        Scope {
            root: RealmId::new([1; 32]),
            path: path.parse().unwrap(),
        }
    }

    fn told(path: &str, confirmed: Option<Timestamp>) -> BelowHaltView {
        BelowHaltView {
            scope: scope(path),
            halted: true,
            subtree: true,
            at: Timestamp::from_millis(1),
            confirmed,
            runs: 0,
            own: true,
            below: Vec::new(),
            open: Vec::new(),
            unnamed: 0,
        }
    }

    #[test]
    fn what_stands_still_and_who_has_not_confirmed_is_told_with_what_helps() {
        let halt = HaltView {
            by: "ada".to_owned(),
            at: Timestamp::from_millis(1),
            why: Some("prices look wrong".to_owned()),
            loops: Vec::new(),
            runs: Vec::new(),
        };
        let halts = HaltsView {
            all: Some(halt),
            tree: true,
            below: vec![
                told("billing", None),
                told("desk", Some(Timestamp::from_millis(2))),
            ],
            runs: 3,
            ..HaltsView::default()
        };

        let found = checks(&halts, |scope| scope.path.to_string());

        let found = found.iter();
        let found: Vec<_> = found
            .map(|it| (it.status, it.title.as_str(), it.evidence.as_str()))
            .collect();
        let expected = [
            (
                Finding::Warn,
                "this realm",
                "halted by ada: prices look wrong; 3 runs stand still",
            ),
            (
                Finding::Fail,
                "realm billing",
                "told to halt, and has not confirmed: it is told again",
            ),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_realm_that_goes_on_has_nothing_to_tell() {
        let found = checks(&HaltsView::default(), |_| String::new());

        assert!(found.iter().all(|it| it.status == Finding::Ok));
    }
}
