//! `eval`: cases against loops, side by side.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use realm_client::{
    Exit,
    api::{InvokeRequest, InvokeResult, InvokeStatus, ScoreKind, ScoreRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cli::{EvalArgs, Span},
    environment,
    failure::Failure,
    files,
    session::{Daemon, Session},
};

/// Most calls of one evaluation.
const CALLS: usize = 100_000;

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    name: Option<String>,
    input: Value,
    #[serde(default)]
    expect: Option<Value>,
}

/// A loop as it is evaluated.
#[derive(Clone, Debug)]
struct Subject {
    /// As it was given.
    name: String,
    address: String,
    version: Option<String>,
    /// Whom its prompts ask, where that is another backend than they name.
    backend: Option<String>,
}

impl Subject {
    /// Whether a result is of this loop with this backend.
    fn gave(&self, case: &CaseResult) -> bool {
        case.loop_id == self.name && case.backend == self.backend
    }
}

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
    loop_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    case: String,
    score: f64,
    run: Option<String>,
    version: Option<String>,
    duration_ms: Option<u64>,
    output: Option<Value>,
    /// Why there is no output, or no score.
    error: Option<String>,
    /// Why the judge says so.
    reason: Option<String>,
}

/// Evaluates loops; gives the exit code.
pub(crate) async fn run(session: &Session, args: &EvalArgs) -> Result<u8, Failure> {
    let cases = read(&files::text(&args.cases)?)?;
    if !(0.0..=1.0).contains(&args.threshold) {
        let what = "the threshold is from 0 to 1".to_owned();
        return Err(Failure::Usage(what, None));
    }
    let subjects = subjects(args);
    let count = subjects.len().saturating_mul(cases.len());
    if count == 0 || count > CALLS {
        let what = format!("1 to {CALLS} calls are made, and these are {count}");
        return Err(Failure::Usage(what, None));
    }
    let daemon = session.daemon().await?;
    let bar = progress(session, count);
    let pairs = subjects
        .iter()
        .flat_map(|subject| cases.iter().enumerate().map(move |case| (subject, case)));
    let calls = pairs.map(|(subject, (number, case))| {
        let (daemon, bar) = (&daemon, &bar);
        async move {
            let result = evaluate(session, daemon, args, (subject, number, case)).await;
            bar.inc(1);
            result
        }
    });
    let results: Vec<CaseResult> = stream::iter(calls)
        .buffered(usize::from(args.parallel))
        .collect()
        .await;
    bar.finish_and_clear();
    let report = Report::of(&subjects, results, args.threshold);
    if args.score {
        score(session, &daemon, &subjects, &report).await?;
    }
    if let Some(file) = &args.report {
        let text = serde_json::to_vec_pretty(&report)
            .map_err(|error| Failure::Json("the report".to_owned(), error))?;
        files::replace(file, &text)?;
    }
    session.print(&report)?;
    for case in report.cases.iter().filter(|case| case.score < 1.0) {
        let why = case.error.as_ref().or(case.reason.as_ref());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let CaseResult {
            loop_id,
            backend,
            case,
            score,
            ..
        } = case;
        let on = backend.as_ref().map(|backend| format!(" on {backend}"));
        let on = on.unwrap_or_default();
        session.detail(&format!("{loop_id}{on}, {case}: {score:.2}{why}"));
    }
    Ok(report.exit().code())
}

/// The cases: a list, or one a line.
fn read(text: &str) -> Result<Vec<Case>, Failure> {
    let wrong = |error| Failure::Json("the cases".to_owned(), error);
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(wrong);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let cases = lines.map(|line| serde_json::from_str(line).map_err(wrong));
    cases.collect()
}

/// Every loop with every backend; with its own, where none is named.
fn subjects(args: &EvalArgs) -> Vec<Subject> {
    let loops = args.loops.iter().map(|name| subject(name));
    if args.backends.is_empty() {
        return loops.collect();
    }
    let with = |subject: Subject| {
        let backends = args.backends.iter().cloned();
        backends.map(move |backend| Subject {
            backend: Some(backend),
            ..subject.clone()
        })
    };
    loops.flat_map(with).collect()
}

/// `loop@realm:version`, of which realm and version may be left out. A loop's id may have colons of its own.
fn subject(name: &str) -> Subject {
    let named = name.rsplit_once(':').filter(|(_, end)| is_version(end));
    let (address, version) = match named {
        Some((address, version)) => (address, Some(version.to_owned())),
        None => (name, None),
    };
    Subject {
        name: name.to_owned(),
        address: address.to_owned(),
        version,
        backend: None,
    }
}

/// Whether a text is three numbers, with whatever a version may have after them.
fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(number)
}

fn progress(session: &Session, count: usize) -> ProgressBar {
    if !environment::draws() || session.global.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}");
    let bar = ProgressBar::new(count as u64);
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

async fn evaluate(
    session: &Session,
    daemon: &Daemon,
    args: &EvalArgs,
    (subject, number, case): (&Subject, usize, &Case),
) -> CaseResult {
    let asked = call(session, &subject.address, case.input.clone());
    let asked = InvokeRequest {
        version: subject.version.clone(),
        backend: subject.backend.clone(),
        ..asked
    };
    let mut told = CaseResult {
        loop_id: subject.name.clone(),
        backend: subject.backend.clone(),
        case: case.name.clone().unwrap_or_else(|| number.to_string()),
        score: 0.0,
        run: None,
        version: None,
        duration_ms: None,
        output: None,
        error: None,
        reason: None,
    };
    let answered = daemon.client.invoke(&asked).await;
    let result = match answered {
        Ok(result) => result,
        Err(error) => {
            told.error = Some(error.to_string());
            return told;
        }
    };
    told.run = Some(result.run_id.clone());
    told.version.clone_from(&result.version);
    told.duration_ms = result.duration_ms;
    let output = match output_of(result) {
        Ok(output) => output,
        Err(error) => {
            told.error = Some(error);
            return told;
        }
    };
    let fits = case
        .expect
        .as_ref()
        .is_none_or(|expect| has(&output, expect));
    match &args.judge {
        None => told.score = if fits { 1.0 } else { 0.0 },
        Some(judge) => {
            let asks = json!({"input": case.input, "output": output, "expect": case.expect});
            match judged(session, daemon, judge, asks).await {
                Ok((score, reason)) => (told.score, told.reason) = (score, reason),
                Err(error) => told.error = Some(format!("the judge: {error}")),
            }
        }
    }
    told.output = Some(output);
    told
}

fn call(session: &Session, address: &str, input: Value) -> InvokeRequest {
    InvokeRequest {
        address: address.to_owned(),
        input,
        version: None,
        timeout_ms: session.global.timeout.map(Span::as_millis),
        idempotency_key: None,
        detach: false,
        store: false,
        stream: false,
        budget: None,
        backend: None,
    }
}

async fn judged(
    session: &Session,
    daemon: &Daemon,
    judge: &str,
    asks: Value,
) -> Result<(f64, Option<String>), String> {
    let asked = call(session, judge, asks);
    let result = daemon.client.invoke(&asked).await;
    let said = output_of(result.map_err(|error| error.to_string())?)?;
    let score = said.get("score").and_then(Value::as_f64);
    let score = score.filter(|score| (0.0..=1.0).contains(score));
    let reason = said.get("reason").and_then(Value::as_str);
    match score {
        Some(score) => Ok((score, reason.map(str::to_owned))),
        None => Err("its output has no `score` from 0 to 1".to_owned()),
    }
}

fn output_of(result: InvokeResult) -> Result<Value, String> {
    match (result.status, result.output, result.error) {
        (InvokeStatus::Ok, Some(output), _) => Ok(output),
        (_, _, Some(error)) => Err(error.message),
        _ => Err("there is no output".to_owned()),
    }
}

/// Whether a value has all members of another one.
fn has(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => expected.iter().all(|(name, wanted)| {
            let found = value.get(name);
            found.is_some_and(|found| has(found, wanted))
        }),
        (Value::Array(value), Value::Array(expected)) => {
            let pairs = value.iter().zip(expected);
            value.len() == expected.len()
                && pairs.into_iter().all(|(found, wanted)| has(found, wanted))
        }
        (Value::Number(value), Value::Number(expected)) => value.as_f64() == expected.as_f64(),
        (value, expected) => value == expected,
    }
}

impl Report {
    fn of(subjects: &[Subject], cases: Vec<CaseResult>, threshold: f64) -> Self {
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
}

impl Report {
    /// Whether every loop reaches the threshold; if not, whether calls failed or scores are low.
    fn exit(&self) -> Exit {
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
fn scores(subject: &Subject, cases: &[&CaseResult]) -> Vec<(String, f64, usize)> {
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

/// Scores the versions of prompts here that were evaluated.
async fn score(
    session: &Session,
    daemon: &Daemon,
    subjects: &[Subject],
    report: &Report,
) -> Result<(), Failure> {
    let prompts = daemon.ask(daemon.client.prompts()).await?;
    for subject in subjects {
        if !prompts
            .items
            .iter()
            .any(|prompt| prompt.id == subject.address)
        {
            session.say(&format!(
                "{} is no prompt of this realm: not scored",
                subject.name
            ));
            continue;
        }
        let cases = report.cases.iter().filter(|case| subject.gave(case));
        let scores = scores(subject, &cases.collect::<Vec<_>>());
        if scores.is_empty() {
            session.say(&format!(
                "{} has answered nothing, so that nobody knows of which version: not scored",
                subject.name
            ));
        }
        for (version, score, count) in scores {
            let request = ScoreRequest {
                score,
                version: Some(version),
                kind: ScoreKind::Evaluation,
                run: None,
                why: Some(format!("the mean of {count} cases")),
            };
            daemon
                .ask(daemon.client.score(&subject.address, &request))
                .await?;
        }
    }
    Ok(())
}

/// A time as it is told.
pub(crate) fn told(millis: Option<u64>) -> String {
    millis.map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn an_output_has_what_is_expected_if_every_member_of_that_is_in_it() {
        let output = json!({"topic": "billing", "sure": 0.5, "of": [{"n": 1, "m": 2}]});

        for expect in [
            json!({}),
            json!({"sure": 0.50}),
            json!({"of": [{"n": 1.0}]}),
        ] {
            assert!(has(&output, &expect), "{expect}");
        }
        for expect in [
            json!({"topic": "fault"}),
            json!({"of": []}),
            json!({"none": null}),
        ] {
            assert!(!has(&output, &expect), "{expect}");
        }
    }

    #[test]
    fn cases_are_a_list_or_stand_one_on_a_line() {
        let one = r#"{"input": {}, "expect": 1}"#;

        assert_eq!(read(&format!("{one}\n\n{one}\n")).unwrap().len(), 2);
        assert_eq!(read(&format!(" [{one}]")).unwrap().len(), 1);
        assert!(read(r#"{"inputs": {}}"#).is_err());
    }

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

    #[test]
    fn a_loop_may_be_given_with_a_version() {
        let given = subject("sort@lab/mail:1.2.0");

        assert_eq!(
            (given.address.as_str(), given.version.as_deref()),
            ("sort@lab/mail", Some("1.2.0"))
        );
    }

    #[test]
    fn a_loop_may_have_colons_in_its_id() {
        for (name, address, version) in [
            ("mail:sort", "mail:sort", None),
            ("mail:sort@lab", "mail:sort@lab", None),
            ("mail:sort:1.2.0-rc.1", "mail:sort", Some("1.2.0-rc.1")),
            ("mail:2", "mail:2", None),
        ] {
            let given = subject(name);

            assert_eq!(
                (given.address.as_str(), given.version.as_deref()),
                (address, version)
            );
        }
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
