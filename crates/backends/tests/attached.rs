//! Agents that are attached: who is given which call, and what becomes of it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{future::Future, time::Duration};

use futures::FutureExt as _;
use realm_backends::{
    Backends, Parts, Progress,
    attached::{Instance, Seat, Told},
};
use realm_executor::{
    AttachedRequest, BackendError, BackendOutput, BackendReply, BackendRequest, Category,
};
use realm_protocol::{CallId, limits};
use serde_json::{Value, json};
use tokio::{sync::mpsc::Receiver, time::Instant};

fn work(loop_id: &str, repeatable: bool) -> BackendRequest {
    within(loop_id, repeatable, 600_000)
}

fn within(loop_id: &str, repeatable: bool, timeout_ms: u64) -> BackendRequest {
    BackendRequest::Attached(Box::new(AttachedRequest {
        agent: "desk".parse().unwrap(),
        loop_id: loop_id.parse().unwrap(),
        version: "1.0.0".to_owned(),
        key: CallId::new([7; 16]),
        input: json!({"n": 1}),
        state: None,
        answers: None,
        stream: true,
        repeatable,
        timeout_ms,
    }))
}

fn seat<'a>(
    backends: &'a Backends,
    loops: &[&str],
    concurrency: u64,
) -> (Seat<'a>, Receiver<Told>) {
    let instance = Instance {
        agent: "desk".parse().unwrap(),
        loops: loops.iter().map(|id| id.parse().unwrap()).collect(),
        concurrency,
    };
    backends.attached().attach(instance).unwrap()
}

/// The number of the call that an instance has been given, if it has.
fn given(told: &mut Receiver<Told>) -> Option<u64> {
    match told.try_recv().ok()? {
        Told::Call { call, .. } => Some(call),
        Told::Cancel { .. } => panic!("cancelled"),
    }
}

fn output(reply: Option<Result<BackendReply, BackendError>>) -> Value {
    match reply.unwrap().unwrap().output {
        BackendOutput::Json(output) => output,
        other => panic!("{other:?}"),
    }
}

fn polled<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    future.now_or_never()
}

#[tokio::test]
async fn a_call_waits_for_an_agent_and_gets_its_answer() {
    let backends = Backends::new();
    let mut call = Box::pin(backends.call(work("sort", false)));
    assert!(polled(&mut call).is_none());
    let (_other, mut others) = seat(&backends, &["other"], 4);
    let (seat, mut told) = seat(&backends, &["sort"], 4);

    let number = given(&mut told).unwrap();
    assert!(given(&mut others).is_none());
    assert!(seat.answer(number, Ok(json!("sorted")), None));

    assert_eq!(output(polled(&mut call)), "sorted");
    assert!(!seat.answer(number, Ok(json!("again")), None));
}

#[tokio::test]
async fn an_instance_has_no_more_calls_than_it_takes_and_two_share_them() {
    let backends = Backends::new();
    let (one, mut first) = seat(&backends, &["sort"], 1);
    let (_two, mut second) = seat(&backends, &["sort"], 1);
    let mut calls: Vec<_> = (0..3)
        .map(|_| Box::pin(backends.call(work("sort", false))))
        .collect();
    for call in &mut calls {
        assert!(polled(call).is_none());
    }

    let (number, _) = (given(&mut first).unwrap(), given(&mut second).unwrap());
    assert!(given(&mut first).is_none() && given(&mut second).is_none());
    one.answer(number, Ok(Value::Null), None);

    assert!(given(&mut first).is_some());
}

#[tokio::test]
async fn an_instance_that_leaves_a_cancelled_call_hanging_is_given_no_more_and_then_of_no_use() {
    let backends = Backends::new();
    let longest = Duration::from_millis(limits::ATTACHED_CANCELLED_MS);
    let (hung, mut told) = seat(&backends, &["sort"], 3);
    let mut cancelled = Box::pin(backends.call(work("sort", false)));
    let mut wanted = Box::pin(backends.call(work("sort", false)));
    assert!(polled(&mut cancelled).is_none() && polled(&mut wanted).is_none());
    let (first, second) = (given(&mut told).unwrap(), given(&mut told).unwrap());
    let before = Instant::now();
    drop(cancelled);
    assert_eq!(told.try_recv(), Ok(Told::Cancel { call: first }));
    assert_eq!(
        hung.hangs_in(before + longest - Duration::from_nanos(1)),
        None
    );

    // Whoever waits for another call of its is not cut off.
    let late = Instant::now() + longest;
    assert_eq!(hung.hangs_in(late), None);
    let mut next = Box::pin(backends.call(work("sort", false)));
    assert!(polled(&mut next).is_none());
    assert!(given(&mut told).is_none());
    hung.answer(second, Ok(json!("sorted")), None);
    assert_eq!(output(polled(&mut wanted)), "sorted");
    assert_eq!(hung.hangs_in(late), Some(first));

    // A late answer makes it as good as any.
    hung.answer(first, Ok(Value::Null), None);
    assert_eq!(hung.hangs_in(late), None);
    assert!(given(&mut told).is_some());
}

#[tokio::test]
async fn work_that_may_be_repeated_goes_to_the_next_instance_and_other_work_does_not() {
    let backends = Backends::new();
    let (one, mut first) = seat(&backends, &["sort"], 4);
    let mut repeatable = Box::pin(backends.call(work("sort", true)));
    let mut counts = Box::pin(backends.call(work("sort", false)));
    assert!(polled(&mut repeatable).is_none() && polled(&mut counts).is_none());
    assert!(given(&mut first).is_some() && given(&mut first).is_some());

    drop(one);

    let vanished = polled(&mut counts).unwrap().unwrap_err();
    assert!(
        matches!(vanished, BackendError::Vanished { .. }),
        "{vanished}"
    );
    assert!(vanished.may_have_begun());
    assert!(polled(&mut repeatable).is_none());
    let (two, mut second) = seat(&backends, &["sort"], 4);
    two.answer(given(&mut second).unwrap(), Ok(json!(2)), None);
    assert_eq!(output(polled(&mut repeatable)), 2);
}

#[tokio::test]
async fn work_that_every_instance_dies_of_ends() {
    let backends = Backends::new();
    let mut call = Box::pin(backends.call(work("poison", true)));
    for _ in 0..limits::ATTACHED_ASKS {
        assert!(polled(&mut call).is_none());
        let (seat, mut told) = seat(&backends, &["poison"], 1);
        assert!(given(&mut told).is_some());
        drop(seat);
    }

    let ended = polled(&mut call).unwrap().unwrap_err();

    assert!(matches!(ended, BackendError::Vanished { .. }), "{ended}");
}

#[tokio::test]
async fn a_cancelled_call_is_told_and_holds_its_place_until_it_is_answered() {
    let backends = Backends::new();
    let (seat, mut told) = seat(&backends, &["sort"], 1);
    let mut cancelled = Box::pin(backends.call(work("sort", true)));
    assert!(polled(&mut cancelled).is_none());
    let number = given(&mut told).unwrap();

    drop(cancelled);
    let mut next = Box::pin(backends.call(work("sort", true)));

    assert_eq!(told.try_recv(), Ok(Told::Cancel { call: number }));
    assert!(polled(&mut next).is_none() && given(&mut told).is_none());
    assert!(seat.answer(number, Ok(json!("late")), None));
    assert!(given(&mut told).is_some());
}

#[tokio::test]
async fn who_leaves_is_given_no_more_and_is_done_after_the_last_answer() {
    let backends = Backends::new();
    let (one, mut told) = seat(&backends, &["sort"], 4);
    let mut call = Box::pin(backends.call(work("sort", true)));
    assert!(polled(&mut call).is_none());
    let number = given(&mut told).unwrap();

    assert!(!one.leave());
    let mut next = Box::pin(backends.call(work("sort", true)));
    assert!(polled(&mut next).is_none() && given(&mut told).is_none());
    let reported = BackendError::Reported {
        message: "no paper".to_owned(),
        category: Category::Transient,
        retry_after_ms: Some(5),
    };
    one.answer(number, Err(reported.clone()), None);

    assert!(one.is_done());
    assert_eq!(polled(&mut call).unwrap().unwrap_err(), reported);
}

#[tokio::test]
async fn who_waits_in_vain_hears_why() {
    let backends = Backends::new();
    let absent = backends.call(within("sort", true, 100)).await.unwrap_err();
    let (_seat, mut told) = seat(&backends, &["sort"], 1);
    let mut held = Box::pin(backends.call(within("sort", true, 100)));
    assert!(polled(&mut held).is_none() && given(&mut told).is_some());
    let busy = backends.call(within("sort", true, 100)).await.unwrap_err();

    assert!(matches!(absent, BackendError::Absent { .. }), "{absent}");
    assert!(matches!(busy, BackendError::Busy { .. }), "{busy}");
    assert!(!absent.may_have_begun() && !busy.may_have_begun());
    let late = held.await.unwrap_err();
    assert!(matches!(late, BackendError::Timeout { .. }), "{late}");
}

#[tokio::test]
async fn what_a_call_waits_for_and_who_is_asked_again_is_told_while_it_waits() {
    let backends = Backends::new();
    let (said, mut heard) = tokio::sync::mpsc::channel(8);
    let progress = Progress::new(CallId::new([7; 16]), said);
    let mut call = Box::pin(backends.call_telling(within("sort", true, 100), None, progress));
    assert!(polled(&mut call).is_none());
    let (gone, mut told) = seat(&backends, &["sort"], 1);
    assert!(given(&mut told).is_some());

    drop(gone);
    call.await.unwrap_err();

    let (_, again) = heard.try_recv().unwrap();
    assert_eq!(
        (&again["agent"], &again["asked"]),
        (&json!("desk"), &json!(2))
    );
    let (_, waits) = heard.try_recv().unwrap();
    assert_eq!(
        waits["reason"],
        "no instance that serves the loop is attached"
    );
}

#[tokio::test]
async fn what_an_agent_keeps_comes_back_with_the_output_and_from_no_other_loop() {
    let backends = Backends::new();
    let (seat, mut told) = seat(&backends, &["sort"], 2);
    let keeps = match work("sort", true) {
        BackendRequest::Attached(work) => AttachedRequest {
            state: Some(json!({"total": null})),
            ..*work
        },
        other => panic!("{other:?}"),
    };
    let changes = json!({"total": {"value": 1}});
    let mut keeping = Box::pin(backends.call(BackendRequest::Attached(Box::new(keeps))));
    let mut plain = Box::pin(backends.call(work("sort", true)));
    assert!(polled(&mut keeping).is_none() && polled(&mut plain).is_none());

    for _ in 0..2 {
        seat.answer(
            given(&mut told).unwrap(),
            Ok(json!(7)),
            Some(changes.clone()),
        );
    }

    assert_eq!(
        output(polled(&mut keeping)),
        json!({"output": 7, "state": changes})
    );
    let refused = polled(&mut plain).unwrap().unwrap_err();
    assert!(refused.to_string().contains("keeps no state"), "{refused}");
}

#[tokio::test]
async fn words_are_shown_as_they_come_and_an_agent_waits_while_nobody_takes_them() {
    let backends = Backends::new();
    let (seat, mut told) = seat(&backends, &["sort"], 2);
    let (to, mut written) = tokio::sync::mpsc::channel(2);
    let call = CallId::new([7; 16]);
    let parts = Parts::new(call, to);
    let shows = backends.call_telling(work("sort", true), Some(&parts), Progress::default());
    let mut shows = Box::pin(shows);
    assert!(polled(&mut shows).is_none());
    let number = given(&mut told).unwrap();

    assert!(seat.part(number, "one ".to_owned()).await);
    assert!(seat.part(number, "two ".to_owned()).await);
    let mut third = Box::pin(seat.part(number, "three".to_owned()));
    assert!(polled(&mut third).is_none(), "there is no room");
    assert_eq!(written.recv().await, Some((call, 1, "one ".to_owned())));
    assert!(third.await);
    assert!(!seat.part(number + 1, "of nobody's".to_owned()).await);
    seat.answer(number, Ok(json!("sorted")), None);

    assert_eq!(output(polled(&mut shows)), "sorted");
    assert_eq!(written.recv().await, Some((call, 1, "two ".to_owned())));
    assert_eq!(written.recv().await, Some((call, 1, "three".to_owned())));
}

#[tokio::test]
async fn what_the_next_instance_writes_is_another_text_and_what_nobody_wants_goes_nowhere() {
    let backends = Backends::new();
    let (first, mut told) = seat(&backends, &["sort"], 2);
    let (to, mut written) = tokio::sync::mpsc::channel(4);
    let parts = Parts::new(CallId::new([7; 16]), to);
    let shows = backends.call_telling(work("sort", true), Some(&parts), Progress::default());
    let BackendRequest::Attached(silent) = work("sort", true) else {
        panic!("attached");
    };
    let silent = BackendRequest::Attached(Box::new(AttachedRequest {
        stream: false,
        ..*silent
    }));
    let hides = backends.call_telling(silent, Some(&parts), Progress::default());
    let (mut shows, mut hides) = (Box::pin(shows), Box::pin(hides));
    assert!(polled(&mut shows).is_none() && polled(&mut hides).is_none());
    let (shown, hidden) = (given(&mut told).unwrap(), given(&mut told).unwrap());

    first.part(shown, "half".to_owned()).await;
    first.part(hidden, "nothing".to_owned()).await;
    first.answer(hidden, Ok(Value::Null), None);
    drop(first);
    let (second, mut told) = seat(&backends, &["sort"], 2);
    assert!(polled(&mut shows).is_none());
    let again = given(&mut told).unwrap();
    second.part(again, "whole".to_owned()).await;
    second.answer(again, Ok(json!("sorted")), None);

    assert_eq!(output(polled(&mut shows)), "sorted");
    assert_eq!(output(polled(&mut hides)), Value::Null);
    drop(shows);
    drop(hides);
    drop(parts);
    let mut texts = Vec::new();
    while let Some((_, text, words)) = written.recv().await {
        texts.push((text, words));
    }
    assert_eq!(texts, [(1, "half".to_owned()), (2, "whole".to_owned())]);
}

#[tokio::test]
async fn a_question_ends_the_call_of_a_loop_that_may_ask_and_of_no_other() {
    let backends = Backends::new();
    let (seat, mut told) = seat(&backends, &["sort"], 1);
    let BackendRequest::Attached(asks) = work("sort", true) else {
        panic!("attached");
    };
    let asks = BackendRequest::Attached(Box::new(AttachedRequest {
        answers: Some(json!([])),
        ..*asks
    }));
    let question = json!({"question": "ascending?"});
    let mut asking = Box::pin(backends.call(asks.clone()));
    assert!(polled(&mut asking).is_none());
    assert!(seat.ask(given(&mut told).unwrap(), question.clone()));
    assert_eq!(output(polled(&mut asking)), json!({"ask": question}));

    let mut answering = Box::pin(backends.call(asks));
    assert!(polled(&mut answering).is_none());
    seat.answer(given(&mut told).unwrap(), Ok(json!(7)), None);
    assert_eq!(output(polled(&mut answering)), json!({"output": 7}));

    let mut silent = Box::pin(backends.call(work("sort", true)));
    assert!(polled(&mut silent).is_none());
    assert!(seat.ask(given(&mut told).unwrap(), question));
    let refused = polled(&mut silent).unwrap().unwrap_err();
    assert!(refused.to_string().contains("asks nobody"), "{refused}");
}
