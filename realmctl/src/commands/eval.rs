//! `eval`: cases against loops, side by side.

mod cases;
mod report;

use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use realm_client::api::{InvokeRequest, InvokeResult, InvokeStatus, ScoreKind, ScoreRequest};
use serde_json::{Value, json};

use crate::{
    cli::{EvalArgs, Span},
    environment,
    failure::Failure,
    files,
    session::{Daemon, Session},
};
use cases::{Case, Subject, has, read, subjects};
use report::{CaseResult, scores};
pub(crate) use report::{Evaluated, Report, told};

/// Most calls of one evaluation.
const CALLS: usize = 100_000;

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
