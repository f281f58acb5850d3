//! Traces of several realms: each shows the others what its policy permits, and the rest as digests.

use realm_node::{
    AllowAsked, CallerName, Refusal, Request, Response, ShownTrace, TraceOf, TracePart, TraceProof,
    TraceWalk,
};
use realm_protocol::{
    CallId, FailureCode, Kind, Scope,
    journal::{Direction, Event, Run},
    link::Frame,
    records::Signed,
    trace::{TraceItem, TracePass, TraceRoot},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

/// acme asks lab, which asks its child genomics.
struct Cast {
    world: World,
    acme: HostId,
    lab: HostId,
    genomics: HostId,
}

impl Cast {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let acme = world.found("acme");
        let lab = world.found("lab");
        world.peer(acme, lab);
        let genomics = world.child(lab, "genomics");
        world.allow(lab, "acme", "*");
        world.allow(genomics, "lab", "*");
        world.apply(genomics, &[Loops::once("read", 5)]);
        let study = Loops::composite("study", &["weigh", "read@lab/genomics"]);
        world.apply(lab, &[Loops::idempotent("weigh", 5), study]);
        world.run_for(1_000);
        Self {
            world,
            acme,
            lab,
            genomics,
        }
    }

    /// A call that was made, and its run at the caller.
    fn called(seed: u64) -> (Self, CallId) {
        let mut cast = Self::new(seed);
        let canary = cast.world.canary(&[cast.acme, cast.lab, cast.genomics]);
        let input = json!({ "patient": canary });
        let ended = cast.world.call(cast.acme, "study@lab", input);
        assert!(ended.result.is_ok(), "{ended:?}");
        cast.world.run_for(1_000);
        let call = run_of(&cast.world, cast.acme, Direction::Out).call;
        (cast, call)
    }

    fn shows(&mut self, at: HostId, to: &str, pattern: &str) -> String {
        let asked = AllowAsked {
            caller: CallerName::Realm(to.parse().unwrap()),
            action: "read-trace".to_owned(),
            pattern: pattern.to_owned(),
            owner: None,
            for_ms: None,
            subtree: false,
            dry_run: false,
        };
        match self.world.ask_and_wait(at, Request::Allow(asked)) {
            Response::Allowed(allowed) => allowed.id,
            other => panic!("not allowed: {other:?}"),
        }
    }

    fn scope(&self, of: HostId) -> Scope {
        self.world.hosts[of.0].node().standing().scope
    }

    fn of(&self, realm: HostId, call: CallId, loop_id: &str) -> TraceOf {
        TraceOf {
            realm: self.scope(realm),
            call,
            loop_id: loop_id.parse().unwrap(),
            pass: None,
        }
    }

    fn ask(&mut self, from: HostId, asked: TraceOf) -> Result<ShownTrace, Refusal> {
        let request = Request::Trace(Box::new(asked));
        match self.world.ask_and_wait(from, request) {
            Response::TraceShown(shown) => Ok(*shown),
            Response::Refused(refusal) => Err(refusal),
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The whole of a call's trace, as acme can put it together.
    fn walk(&mut self) -> Vec<TracePart> {
        let host = &self.world.hosts[self.acme.0];
        let run = run_of(&self.world, self.acme, Direction::Out).id;
        let events = host.disk.events.range((run, 0)..=(run, u64::MAX));
        let events: Vec<Event> = events.map(|(_, event)| event.clone()).collect();
        let mut walk = TraceWalk::new(host.node().calls_in(&events));
        loop {
            let questions = walk.questions();
            if questions.is_empty() {
                return walk.into_parts();
            }
            for (at, asked) in questions {
                let answer = self.ask(self.acme, asked);
                walk.take(at, answer);
            }
        }
    }
}

fn run_of(world: &World, at: HostId, direction: Direction) -> Run {
    let mut runs = world.hosts[at.0].disk.runs.values();
    let run = runs.find(|run| run.direction == direction);
    run.expect("a run").clone()
}

fn code(refused: &Refusal) -> FailureCode {
    match refused {
        Refusal::Call(failure) => failure.code,
        other => panic!("no failure: {other:?}"),
    }
}

/// What was said, without what differs from question to question.
fn words(refused: &Refusal) -> (FailureCode, String) {
    match refused {
        Refusal::Call(failure) => (failure.code, failure.message.clone()),
        other => panic!("no failure: {other:?}"),
    }
}

fn kinds(shown: &ShownTrace) -> Vec<&str> {
    let kind = |item| match item {
        &TraceItem::Hidden(_) => "-",
        TraceItem::Shown(_, event) => event.kind.as_str(),
    };
    shown.items.iter().map(kind).collect()
}

fn proof(part: &TracePart) -> Result<TraceProof, FailureCode> {
    let answer = part.answer.as_ref().expect("an answer").as_ref();
    answer.map(|(_, proof)| *proof).map_err(code)
}

#[test]
fn nobody_is_shown_anything_until_policy_says_so_and_then_everything_verifies() {
    let (mut cast, call) = Cast::called(1);
    let (acme, lab) = (cast.acme, cast.lab);
    let asked = cast.of(lab, call, "study");
    let refused = cast.ask(acme, asked.clone()).unwrap_err();
    assert_eq!(code(&refused), FailureCode::Denied);

    let allowed = cast.shows(lab, "acme", "*");
    let shown = cast.ask(acme, asked.clone()).unwrap();

    let run = run_of(&cast.world, lab, Direction::In).id;
    let events = cast.world.hosts[lab.0].disk.events.clone();
    let recorded = events.range((run, 0)..=(run, u64::MAX));
    let recorded: Vec<Event> = recorded.map(|(_, event)| event.clone()).collect();
    let told: Vec<Event> = shown
        .items
        .iter()
        .map(|item| match item {
            TraceItem::Shown(_, event) => event.clone(),
            TraceItem::Hidden(_) => panic!("something is hidden: {shown:?}"),
        })
        .collect();
    assert_eq!(told, recorded);
    assert_eq!(proof(&cast.walk()[0]), Ok(TraceProof::Signed));

    cast.world.ask_and_wait(lab, Request::Disallow(allowed));
    assert_eq!(words(&cast.ask(acme, asked).unwrap_err()), words(&refused));
    invariants::check(&mut cast.world);
}

#[test]
fn loops_that_policy_does_not_show_are_digests_that_say_nothing_and_still_verify() {
    let (mut cast, call) = Cast::called(2);
    let (acme, lab) = (cast.acme, cast.lab);
    cast.shows(lab, "acme", "study");
    let asked = cast.of(lab, call, "study");

    let shown = cast.ask(acme, asked).unwrap();

    let told = kinds(&shown);
    assert!(
        told.contains(&"-") && told.contains(&"call.completed"),
        "{told:?}"
    );
    let text = format!("{shown:?}");
    assert!(
        !text.contains("weigh") && !text.contains("genomics"),
        "{text}"
    );
    assert_eq!(shown.onward, []);
    let parts = cast.walk();
    assert_eq!(parts.len(), 1);
    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    invariants::check(&mut cast.world);
}

#[test]
fn a_realm_leads_on_to_those_it_called_and_each_of_them_decides_for_itself() {
    let (mut cast, _) = Cast::called(3);
    let (lab, genomics) = (cast.lab, cast.genomics);
    cast.shows(lab, "acme", "*");

    let parts = cast.walk();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1].from, Some(0));
    assert_eq!(proof(&parts[1]), Err(FailureCode::Denied));

    cast.shows(genomics, "acme", "read");
    let parts = cast.walk();
    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    assert_eq!(proof(&parts[1]), Ok(TraceProof::Signed));

    // A realm above can forbid it; it need not permit it.
    let forbid = r#"forbid (principal is Realm, action == Action::"read-trace", resource);"#;
    cast.world.set_policy(lab, "closed", forbid, true);
    cast.world.run_for(5_000);
    assert_eq!(proof(&cast.walk()[1]), Err(FailureCode::Denied));
    invariants::check(&mut cast.world);
}

#[test]
fn who_did_not_make_a_call_asks_in_vain_without_the_word_of_who_did() {
    let (mut cast, call) = Cast::called(4);
    let (acme, lab, genomics) = (cast.acme, cast.lab, cast.genomics);
    cast.shows(lab, "acme", "*");
    cast.shows(lab, "lab/genomics", "*");
    cast.shows(genomics, "acme", "*");
    let onward = cast.walk()[1].asked.clone();

    // The call was acme's, whatever genomics may see otherwise.
    let asked = cast.of(lab, call, "study");
    let other = cast.ask(genomics, asked).unwrap_err();
    // No such call looks the same.
    let none = cast.of(lab, CallId::new([9; 16]), "study");
    let none = cast.ask(genomics, none).unwrap_err();
    assert_eq!(words(&other), words(&none));
    assert_eq!(code(&none), FailureCode::Expired);

    // A word that is not given, for another call, to somebody else, of somebody else, or is over.
    let without = TraceOf {
        pass: None,
        ..onward.clone()
    };
    assert_eq!(
        code(&cast.ask(acme, without).unwrap_err()),
        FailureCode::Expired
    );
    let (caller, word) = onward.pass.clone().unwrap();
    let said = word.peek().unwrap();
    let forged = |cast: &Cast, by: HostId, said: TracePass| {
        let mut pass = Signed::unsigned(&said);
        cast.world.hosts[by.0].node_key().sign(&mut pass);
        pass
    };
    let elsewhere = TracePass {
        to: caller.clone(),
        ..said.clone()
    };
    let another = TracePass {
        call,
        ..said.clone()
    };
    let over = TracePass {
        until: cast.world.now(genomics).wall,
        ..said.clone()
    };
    let words = [
        (caller.clone(), forged(&cast, acme, said.clone())),
        (cast.scope(acme), forged(&cast, acme, said)),
        (caller.clone(), forged(&cast, lab, elsewhere)),
        (caller.clone(), forged(&cast, lab, another)),
        (caller, forged(&cast, lab, over)),
    ];
    for (at, pass) in words.into_iter().enumerate() {
        let asked = TraceOf {
            pass: Some(pass),
            ..onward.clone()
        };
        let refused = cast.ask(acme, asked).unwrap_err();
        assert_eq!(code(&refused), FailureCode::Expired, "{at}");
    }
    assert!(cast.ask(acme, onward).is_ok());
    invariants::check(&mut cast.world);
}

#[test]
fn a_stranger_to_policy_learns_no_more_of_a_call_than_of_one_that_never_was() {
    let (mut cast, call) = Cast::called(5);
    let billing = cast.world.child(cast.acme, "billing");
    cast.world.run_for(1_000);
    let there = cast.of(cast.lab, call, "study");
    let nowhere = cast.of(cast.lab, CallId::new([9; 16]), "study");
    let hidden = cast.of(cast.lab, call, "nothing");
    let mut said: Vec<FailureCode> = Vec::new();
    for asked in [there, nowhere, hidden] {
        said.push(code(&cast.ask(billing, asked).unwrap_err()));
    }
    assert_eq!(said, [FailureCode::Denied; 3]);
    let log = &cast.world.hosts[cast.lab.0].disk.audit;
    let shown = log
        .iter()
        .filter(|row| String::from_utf8_lossy(&row.entry).contains("trace.shown"));
    assert_eq!(shown.count(), 0);
    invariants::check(&mut cast.world);
}

#[test]
fn a_realm_that_tells_its_trace_anew_is_found_by_its_own_receipt() {
    let (mut cast, _) = Cast::called(6);
    cast.shows(cast.lab, "acme", "*");
    let run = run_of(&cast.world, cast.lab, Direction::In).id;
    let events = &mut cast.world.hosts[cast.lab.0].disk.events;
    let mut told = events.range_mut((run, 0)..=(run, u64::MAX));
    let (_, event) = told
        .find(|(_, event)| event.kind == "call.completed")
        .unwrap();
    event.payload = br#"{"output":{}}"#.to_vec().into();

    assert_eq!(proof(&cast.walk()[0]), Ok(TraceProof::Differs));

    let events = &mut cast.world.hosts[cast.lab.0].disk.events;
    let last = events.range((run, 0)..=(run, u64::MAX)).next_back();
    let cut: Vec<_> = last.map(|(at, _)| *at).into_iter().collect();
    let before: Vec<_> = cut.iter().map(|(run, index)| (*run, index - 1)).collect();
    for at in cut.into_iter().chain(before) {
        events.remove(&at);
    }
    assert_eq!(proof(&cast.walk()[0]), Ok(TraceProof::Differs));
}

#[test]
fn what_a_realm_adds_behind_its_receipt_proves_no_history_of_others() {
    let (mut cast, _) = Cast::called(12);
    let (lab, genomics) = (cast.lab, cast.genomics);
    cast.shows(lab, "acme", "*");
    cast.shows(genomics, "acme", "*");
    assert_eq!(proof(&cast.walk()[1]), Ok(TraceProof::Signed));
    let run = run_of(&cast.world, genomics, Direction::In).id;
    let told = &mut cast.world.hosts[genomics.0].disk.events;
    let mut told = told.range_mut((run, 0)..=(run, u64::MAX));
    let done = told.find(|(_, event)| event.kind == "call.completed");
    done.unwrap().1.payload = br#"{"output":{}}"#.to_vec().into();
    let parts = cast.walk();
    assert_eq!(proof(&parts[1]), Ok(TraceProof::Differs));
    let Some(Ok((shown, _))) = &parts[1].answer else {
        panic!("nothing is shown")
    };

    // lab says that it was returned once more, with what its child tells now.
    let root = TraceRoot::of(&shown.items, shown.items.len() as u64).unwrap();
    let run = run_of(&cast.world, lab, Direction::In).id;
    let events = &mut cast.world.hosts[lab.0].disk.events;
    let told = events.range((run, 0)..=(run, u64::MAX));
    let told: Vec<Event> = told.map(|(_, event)| event.clone()).collect();
    let call = parts[1].asked.call;
    let mut of_call = told.iter().filter(|event| event.call == call);
    let returned = of_call.find(|event| event.kind == "call.returned").unwrap();
    let payload = json!({ "traceRoot": root.to_string() });
    let index = told.len() as u64;
    let added = Event {
        index,
        payload: payload.to_string().into_bytes().into(),
        ..returned.clone()
    };
    events.insert((run, index), added);

    let parts = cast.walk();
    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    assert_eq!(proof(&parts[1]), Ok(TraceProof::Differs));

    // A realm that differs from its receipt proves nothing of others; they are asked all the same.
    let events = &mut cast.world.hosts[lab.0].disk.events;
    let mut told = events.range_mut((run, 0)..=(run, u64::MAX));
    let done = told.find(|(_, event)| event.kind == "call.completed");
    done.unwrap().1.payload = br#"{"output":{}}"#.to_vec().into();
    let parts = cast.walk();
    assert_eq!(proof(&parts[0]), Ok(TraceProof::Differs));
    assert_eq!(proof(&parts[1]), Ok(TraceProof::Unsigned));
}

#[test]
fn a_run_that_went_on_after_restarts_has_a_receipt_for_all_its_events() {
    let mut cast = Cast::new(11);
    let (acme, lab) = (cast.acme, cast.lab);
    cast.world.allow(lab, "acme", "*");
    let slow = Loops::composite("slow", &["weigh", "rest", "weigh"]);
    let steps = [Loops::idempotent("rest", 4_000), slow];
    cast.world.apply(lab, &steps);
    cast.shows(lab, "acme", "*");

    let asked = cast.world.ask(acme, World::invoke("slow@lab", json!({})));
    for _ in 0..2 {
        cast.world.run_for(2_000);
        cast.world.crash_for(lab, 500);
    }
    let Response::Invoked(ended) = cast.world.wait_for(acme, asked) else {
        panic!("not invoked");
    };

    assert!(ended.result.is_ok(), "{ended:?}");
    cast.world.run_for(1_000);
    let parts = cast.walk();
    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    let Some(Ok((shown, _))) = &parts[0].answer else {
        panic!("nothing is shown")
    };
    let told = kinds(shown);
    let restarts = told.iter().filter(|kind| **kind == "run.restarted");
    assert_eq!(restarts.count(), 2, "{told:?}");
    invariants::check(&mut cast.world);
}

#[test]
fn a_realm_that_cannot_be_reached_is_named_and_the_others_are_shown() {
    let (mut cast, _) = Cast::called(7);
    let (lab, genomics) = (cast.lab, cast.genomics);
    cast.shows(lab, "acme", "*");
    cast.shows(genomics, "acme", "*");
    cast.world.crash(genomics);
    cast.world.run_for(20_000);

    let parts = cast.walk();

    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    let lost = proof(&parts[1]).unwrap_err();
    assert!(
        matches!(
            lost,
            FailureCode::Offline | FailureCode::Timeout | FailureCode::NoRoute
        ),
        "{lost}"
    );
}

#[test]
fn who_passes_questions_and_answers_on_learns_neither_what_is_asked_about_nor_what_is_shown() {
    let (mut cast, _) = Cast::called(8);
    let (acme, lab, genomics) = (cast.acme, cast.lab, cast.genomics);
    cast.shows(lab, "acme", "*");
    cast.shows(genomics, "acme", "*");
    let asked = cast.walk()[1].asked.clone();
    cast.world.wire.clear();
    cast.world.tap = true;

    let shown = cast.ask(acme, asked.clone()).unwrap();

    assert!(!shown.items.is_empty());
    let wire = std::mem::take(&mut cast.world.wire);
    let mut passed = Vec::new();
    for (from, to, bytes) in &wire {
        if let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) {
            passed.push((*from, *to, envelope.peek().unwrap().kind));
        }
        for name in [
            asked.call.as_bytes().as_slice(),
            shown.run.as_bytes(),
            b"\"loopId\"",
        ] {
            let told = bytes.windows(name.len()).any(|at| at == name);
            assert!(!told, "{from:?} tells {to:?} of {name:?}");
        }
    }
    assert!(passed.contains(&(acme, lab, Kind::TraceAsked)));
    assert!(passed.contains(&(lab, genomics, Kind::TraceAsked)));
    assert!(passed.contains(&(genomics, lab, Kind::TraceShown)));
    // The canary of the input went the same way.
    invariants::check(&mut cast.world);
}

#[test]
fn a_long_trace_comes_in_pages_and_too_long_a_one_not_at_all() {
    let mut cast = Cast::new(9);
    let (acme, lab) = (cast.acme, cast.lab);
    let steps: Vec<&str> = std::iter::repeat_n("weigh", 200).collect();
    cast.world.apply(lab, &[Loops::composite("long", &steps)]);
    let long = json!({"text": "a".repeat(400)});
    let ended = cast.world.call(acme, "long@lab", long);
    assert!(ended.result.is_ok(), "{ended:?}");
    cast.world.run_for(1_000);
    cast.shows(lab, "acme", "*");
    cast.world.wire.clear();
    cast.world.tap = true;

    let parts = cast.walk();

    assert_eq!(proof(&parts[0]), Ok(TraceProof::Signed));
    let pages = cast.world.wire.iter().filter(|(_, _, bytes)| {
        let frame = Frame::decode(bytes);
        matches!(frame, Ok(Frame::Envelope(envelope)) if envelope.peek().unwrap().kind == Kind::TraceShown)
    });
    assert!(pages.count() > 2);
    let run = run_of(&cast.world, lab, Direction::In).id;
    let disk = &mut cast.world.hosts[lab.0].disk;
    let last = disk.events[&(run, 0)].clone();
    for index in 0..3_000 {
        disk.events.entry((run, index)).or_insert_with(|| Event {
            index,
            ..last.clone()
        });
    }
    assert_eq!(proof(&cast.walk()[0]), Err(FailureCode::TooLarge));
}

#[test]
fn more_questions_than_a_side_may_ask_are_turned_away_with_a_time_to_ask_again() {
    let (mut cast, call) = Cast::called(10);
    cast.shows(cast.lab, "acme", "*");
    let asked = cast.of(cast.lab, call, "study");
    let request = || Request::Trace(Box::new(asked.clone()));
    let requests = std::iter::repeat_with(request).take(60).collect();
    let from = cast.acme;
    cast.world.wire.clear();
    cast.world.tap = true;
    let controls = cast.world.ask_together(from, requests);

    let mut shown = 0;
    for control in controls {
        match cast.world.wait_for(from, control) {
            Response::TraceShown(_) => shown += 1,
            Response::Refused(Refusal::Call(failure)) => {
                assert_eq!(failure.code, FailureCode::Overloaded);
                assert!(failure.retry_after_ms.is_some());
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    let turned_away = cast.world.wire.iter().filter(|(_, _, bytes)| {
        let frame = Frame::decode(bytes);
        matches!(frame, Ok(Frame::Envelope(envelope)) if envelope.peek().unwrap().kind == Kind::Failure)
    });
    assert!(turned_away.count() >= 20);
    assert!(shown >= 40, "{shown}");
    let other = cast.of(cast.lab, call, "study");
    let other = cast.ask(cast.genomics, other).unwrap_err();
    assert_eq!(
        code(&other),
        FailureCode::Denied,
        "another side has its own"
    );
    invariants::check(&mut cast.world);
}

#[test]
fn erased_content_is_not_taken_for_a_lie_and_a_restart_keeps_the_salts() {
    let (mut cast, _) = Cast::called(11);
    let lab = cast.lab;
    cast.shows(lab, "acme", "*");
    cast.world.crash(lab);
    cast.world.start(lab);
    cast.world.run_for(20_000);
    assert_eq!(proof(&cast.walk()[0]), Ok(TraceProof::Signed));

    let asked = realm_node::EraseAsked {
        run: run_of(&cast.world, lab, Direction::In),
        keys: Vec::new(),
        by: "ada".to_owned(),
        why: None,
        dry_run: false,
    };
    cast.world
        .ask_and_wait(lab, Request::Erase(Box::new(asked)));
    cast.world.run_for(1_000);
    assert_eq!(proof(&cast.walk()[0]), Ok(TraceProof::Erased));
}
