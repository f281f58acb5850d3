//! `invoke`: calls a loop.

mod take_back;

use std::io;

use realm_client::{
    Exit, RunEvents, StreamItem,
    api::{CallError, InvokeRequest, InvokeResult, InvokeStatus, Time},
};
use serde_json::{Map, Value};

use super::watch;
use crate::{
    cli::{Format, InvokeArgs, Key, Span},
    environment,
    failure::Failure,
    files,
    interrupt::interrupted,
    session::{Daemon, Session},
};
pub(crate) use take_back::take_back;

/// Calls a loop, and prints its output.
pub(crate) async fn run(session: &Session, args: InvokeArgs) -> Result<(), Failure> {
    let session = &session.watching(args.watch);
    let request = InvokeRequest {
        input: input(args.input.as_deref(), &args.members)?,
        address: args.address,
        version: args.version,
        timeout_ms: session.global.timeout.map(Span::as_millis),
        idempotency_key: args.idempotency_key.map(Key::into_text),
        detach: args.detach || args.watch,
        store: args.store,
        stream: false,
        budget: args.budget.into_budget(),
        backend: None,
    };
    let daemon = session.daemon().await?;
    let asked = Time::from_millis(environment::now_millis());
    let answer = async {
        if args.stream {
            let events = daemon.ask(daemon.client.invoke_streaming(&request)).await?;
            return show_parts(session, &daemon, events).await;
        }
        let result = daemon.ask(daemon.client.invoke(&request)).await?;
        if args.watch {
            return watch::until_end(session, &daemon, result).await;
        }
        Ok(result)
    };
    tokio::select! {
        biased;
        result = answer => finish(session, result?),
        () = interrupted() => {
            if !args.detach {
                take_back(session, &daemon, &request, asked).await;
            }
            Err(Failure::Interrupted)
        }
    }
}

/// Shows the output while it is being made, on stderr, or as an object a line where that is the format.
async fn show_parts(
    session: &Session,
    daemon: &Daemon,
    mut events: RunEvents,
) -> Result<InvokeResult, Failure> {
    let mut number = None;
    loop {
        let item = daemon.ask(events.next()).await?;
        match item {
            Some(StreamItem::Part(part)) if session.format() == Format::Ndjson => {
                session.print(&part)?;
            }
            Some(StreamItem::Part(part)) => {
                if number.is_some_and(|number| number != part.number) {
                    session.write("\n");
                }
                number = Some(part.number);
                session.write(&part.text);
            }
            Some(StreamItem::Event(_)) => {}
            Some(StreamItem::End(result)) => {
                if number.is_some() {
                    session.write("\n");
                }
                return Ok(*result);
            }
            None => {
                let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(Failure::System("the daemon hung up before the end", ended));
            }
        }
    }
}

/// Prints a result; one that is an error becomes the command's failure.
pub(super) fn finish(session: &Session, result: InvokeResult) -> Result<(), Failure> {
    if result.status == InvokeStatus::Running && !result.approvals.is_empty() {
        for approval in &result.approvals {
            session.say(&format!(
                "waits for approval: realmctl approval show {approval}"
            ));
        }
        session.print_text(&format!("{}\n", result.run_id))?;
        return Err(Failure::Told(Exit::Approval));
    }
    if result.status == InvokeStatus::Running {
        session.say(&format!(
            "running; for its result: realmctl run show {}",
            result.run_id
        ));
        return session.print_text(&format!("{}\n", result.run_id));
    }
    let whole = !matches!(session.format(), Format::Table | Format::Wide);
    if whole || result.status == InvokeStatus::Ok {
        session.print(&result)?;
    }
    if result.status == InvokeStatus::Ok {
        return Ok(());
    }
    session.detail(&format!("run {}", result.run_id));
    let error = result.error.unwrap_or_else(|| CallError {
        code: String::new(),
        name: "LoopFailed".to_owned(),
        message: "the call failed, and nothing says why".to_owned(),
        details: Vec::new(),
        realm: result.realm,
        reference: None,
        retry_after_ms: None,
        help: None,
    });
    Err(Failure::Call(Box::new(error)))
}

/// The input: what `-i` gives, with the members over it.
pub(super) fn input(input: Option<&str>, members: &[String]) -> Result<Value, Failure> {
    let base = match input {
        None => Value::Object(Map::new()),
        Some(argument) => value(argument, "the input")?,
    };
    if members.is_empty() {
        return Ok(base);
    }
    let Value::Object(mut object) = base else {
        let what = "members can only be added to an input that is an object".to_owned();
        return Err(Failure::Usage(what, None));
    };
    for member in members {
        let (name, value) = split(member)?;
        object.insert(name, value);
    }
    Ok(Value::Object(object))
}

/// What an argument gives: JSON, `@FILE`, or `-` for stdin.
pub(super) fn value(argument: &str, name: &str) -> Result<Value, Failure> {
    json(&files::argument(argument)?, name)
}

fn split(member: &str) -> Result<(String, Value), Failure> {
    let Some((name, value)) = member.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        let what = format!("`{member}` is no member: name=text or name:=JSON");
        return Err(Failure::Usage(what, None));
    };
    match name.strip_suffix(':') {
        Some(name) => Ok((name.to_owned(), json(value, &format!("`{name}`"))?)),
        None => Ok((name.to_owned(), Value::from(value))),
    }
}

fn json(text: &str, name: &str) -> Result<Value, Failure> {
    realm_client::json::parse(text.as_bytes())
        .map_err(|error| Failure::Json(name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_texts_or_json_and_lie_over_the_input() {
        let members = ["a=1".to_owned(), "b:=[1]".to_owned(), "c=x=y".to_owned()];

        let input = input(Some(r#"{"a": 0, "z": true}"#), &members).unwrap();

        assert_eq!(input, json!({"a": "1", "z": true, "b": [1], "c": "x=y"}));
    }

    #[test]
    fn what_is_no_member_or_no_object_is_refused() {
        for wrong in [
            "a",
            "=1",
            "a:=x",
            "a:=12345678901234567890123",
            "a:={\"b\": 1, \"b\": 2}",
        ] {
            assert!(input(None, &[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(input(Some("[1]"), &["a=1".to_owned()]).is_err());
    }

    #[test]
    fn a_key_given_twice_is_refused_at_its_place() {
        let refused = input(Some("{\"a\": 1,\n \"a\": 2}"), &[]).unwrap_err();

        let Failure::Json(name, error) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(name, "the input");
        let text = error.to_string();
        assert!(text.contains("a") && text.contains("line 2"), "{text}");
    }
}
