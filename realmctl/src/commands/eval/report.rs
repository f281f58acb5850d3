//! What came of an evaluation: by case, by loop, and whether that is enough.

use std::collections::BTreeSet;

use realm_client::Exit;
use serde::Serialize;
use serde_json::Value;

use super::cases::Subject;

/// What came of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The mean that every loop has to reach.
    pub(crate) threshold: f64,
    /// Whether every one does.
    pub(crate) passed: bool,
    /// By loop and backend, in the order given.
    pub(crate) loops: Vec<Evaluated>,
    /// By loop, backend and case.
    pub(crate) cases: Vec<CaseResult>,
}

/// How a loop did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluated {
    /// The loop, as it was given.
    #[serde(rename = "loop")]
    pub(crate) loop_id: String,
    /// Whom its prompts asked, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<String>,
    /// Its version, where one answered; all that did, where versions share the calls.
    pub(crate) version: Option<String>,
    /// Cases.
    pub(crate) cases: usize,
    /// Those with a perfect score.
    pub(crate) perfect: usize,
    /// Those whose call failed.
    pub(crate) failed: usize,
    /// The mean of its scores.
    pub(crate) score: f64,
    /// The median time of a call, milliseconds.
    pub(crate) median_ms: Option<u64>,
    /// Whether the mean reaches the threshold.
    pub(crate) passed: bool,
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CaseResult {
    #[serde(rename = "loop")]
    pub(super) loop_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backend: Option<String>,
    pub(super) case: String,
    pub(super) score: f64,
    pub(super) run: Option<String>,
    pub(super) version: Option<String>,
    pub(super) duration_ms: Option<u64>,
    pub(super) output: Option<Value>,
    /// Why there is no output, or no score.
    pub(super) error: Option<String>,
    /// Why the judge says so.
    pub(super) reason: Option<String>,
}

impl Subject {
    /// Whether a result is of this loop with this backend.
    pub(super) fn gave(&self, case: &CaseResult) -> bool {
        case.loop_id == self.name && case.backend == self.backend
    }
}

impl Report {
    pub(super) fn of(subjects: &[Subject], cases: Vec<CaseResult>, threshold: f64) -> Self {
        let loops = subjects.iter().map(|subject| {
            let own = cases.iter().filter(|case| subject.gave(case));
            Evaluated::of(subject, &own.collect::<Vec<_>>(), threshold)
        });
        let loops: Vec<Evaluated> = loops.collect();
        Self {
            threshold,
            passed: loops.iter().all(|evaluated| evaluated.passed),
            loops,
            cases,
        }
    }

    /// Whether every loop reaches the threshold; if not, whether calls failed or scores are low.
    pub(super) fn exit(&self) -> Exit {
        let mut below = self.loops.iter().filter(|evaluated| !evaluated.passed);
        match (self.passed, below.any(|evaluated| evaluated.failed > 0)) {
            (true, _) => Exit::Ok,
            (false, true) => Exit::LoopFailed,
            (false, false) => Exit::Other,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a hundred thousand")]
fn mean(cases: &[&CaseResult]) -> f64 {
    let sum: f64 = cases.iter().map(|case| case.score).sum();
    sum / cases.len().max(1) as f64
}

/// The versions that answered.
fn versions<'a>(cases: &[&'a CaseResult]) -> BTreeSet<&'a str> {
    let versions = cases.iter().filter_map(|case| case.version.as_deref());
    versions.collect()
}

/// What each version that was evaluated scored, and in how many cases. Where versions share the calls, a call that none of
/// them answered counts for none.
pub(super) fn scores(subject: &Subject, cases: &[&CaseResult]) -> Vec<(String, f64, usize)> {
    let answered = versions(cases);
    let whole = |version: &str| vec![(version.to_owned(), mean(cases), cases.len())];
    let mut each = answered.iter();
    match (each.next(), each.next()) {
        (None, _) => subject.version.as_deref().map_or_else(Vec::new, whole),
        (Some(only), None) => whole(only),
        (Some(_), Some(_)) => {
            let of = |version: &&str| {
                let own = cases.iter().copied();
                let own = own.filter(|case| case.version.as_deref() == Some(*version));
                let own: Vec<&CaseResult> = own.collect();
                ((*version).to_owned(), mean(&own), own.len())
            };
            answered.iter().map(of).collect()
        }
    }
}

impl Evaluated {
    fn of(subject: &Subject, cases: &[&CaseResult], threshold: f64) -> Self {
        let versions: Vec<&str> = versions(cases).into_iter().collect();
        let score = mean(cases);
        let mut times: Vec<u64> = cases.iter().filter_map(|case| case.duration_ms).collect();
        times.sort_unstable();
        Self {
            loop_id: subject.name.clone(),
            backend: subject.backend.clone(),
            version: (!versions.is_empty()).then(|| versions.join(", ")),
            cases: cases.len(),
            perfect: cases.iter().filter(|case| case.score >= 1.0).count(),
            failed: cases.iter().filter(|case| case.error.is_some()).count(),
            score,
            median_ms: times.get(times.len() / 2).copied(),
            passed: score >= threshold,
        }
    }
}

/// A time as it is told.
pub(crate) fn told(millis: Option<u64>) -> String {
    millis.map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{
        super::cases::{subject, subjects},
        *,
    };
    use crate::cli::{Cli, Command};

    #[test]
    fn every_loop_is_evaluated_with_every_backend_and_each_pair_by_itself() {
        let args = ["eval", "-", "-l", "sort", "-l", "sum:1.2.0"];
        let args = [
            &args[..],
            &["--backend", "mock", "--backend", "office:small"],
        ]
        .concat();
        let Ok(Cli {
            command: Command::Eval(args),
            ..
        }) = Cli::try_parse_from([&["realmctl"], &args[..]].concat())
        else {
            panic!("an evaluation");
        };
        let subjects = subjects(&args);
        let told = |subject: &Subject| {
            (
                subject.address.clone(),
                subject.backend.clone().unwrap_or_default(),
            )
        };
        let pairs: Vec<(String, String)> = subjects.iter().map(told).collect();
        let pair = |loop_id: &str, backend: &str| (loop_id.to_owned(), backend.to_owned());
        assert_eq!(
            pairs,
            [
                pair("sort", "mock"),
                pair("sort", "office:small"),
                pair("sum", "mock"),
                pair("sum", "office:small"),
            ]
        );
        let case = |subject: &Subject, score: f64| CaseResult {
            backend: subject.backend.clone(),
            ..case(&subject.name, score, None)
        };
        let cases = subjects.iter().enumerate();
        let cases = cases.map(|(at, subject)| case(subject, if at == 1 { 0.0 } else { 1.0 }));
        let report = Report::of(&subjects, cases.collect(), 1.0);
        let passed: Vec<bool> = report.loops.iter().map(|one| one.passed).collect();
        assert_eq!(passed, [true, false, true, true]);
    }

    fn case(loop_id: &str, score: f64, version: Option<&str>) -> CaseResult {
        CaseResult {
            loop_id: loop_id.to_owned(),
            backend: None,
            case: "one".to_owned(),
            score,
            run: None,
            version: version.map(str::to_owned),
            duration_ms: None,
            output: None,
            error: None,
            reason: None,
        }
    }

    #[test]
    fn an_evaluation_without_an_answer_is_of_no_version_but_the_one_asked_for() {
        let scores = |name: &str| scores(&subject(name), &[&case(name, 0.0, None)]);

        assert_eq!(scores("sort"), []);
        assert_eq!(scores("sort:1.2.0"), [("1.2.0".to_owned(), 0.0, 1)]);
    }

    #[test]
    fn each_of_the_versions_that_share_the_calls_is_scored_by_its_own_answers() {
        let sort = subject("sort");
        let cases = [
            case("sort", 1.0, Some("1.0.0")),
            case("sort", 0.0, Some("1.1.0")),
            case("sort", 0.5, Some("1.1.0")),
            case("sort", 0.0, None),
        ];
        let cases: Vec<&CaseResult> = cases.iter().collect();
        let scored = |version: &str, score, count| (version.to_owned(), score, count);

        let one = scores(&sort, &[cases[0], cases[3]]);
        assert_eq!(one, [scored("1.0.0", 0.5, 2)]);
        let both = scores(&sort, &cases);
        assert_eq!(both, [scored("1.0.0", 1.0, 1), scored("1.1.0", 0.25, 2)]);
        let evaluated = Evaluated::of(&sort, &cases, 1.0);
        assert_eq!(evaluated.version.as_deref(), Some("1.0.0, 1.1.0"));
    }

    #[test]
    fn scores_that_are_low_end_otherwise_than_calls_that_fail() {
        let low = case("sort", 0.0, Some("1.0.0"));
        let failed = CaseResult {
            error: Some("out of luck".to_owned()),
            ..low.clone()
        };
        let exit = |cases: Vec<CaseResult>, threshold| {
            Report::of(&[subject("sort")], cases, threshold)
                .exit()
                .code()
        };

        assert_eq!(exit(vec![low.clone()], 0.0), Exit::Ok.code());
        assert_eq!(exit(vec![low.clone()], 0.5), Exit::Other.code());
        assert_eq!(exit(vec![low, failed], 0.5), Exit::LoopFailed.code());
    }
}
