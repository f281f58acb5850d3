//! `halt` and `unhalt`.

use realm_client::{
    Exit,
    api::{BelowHalt, HaltRequest, HaltState, UnhaltRequest},
};

use crate::{
    cli::{HaltArgs, UnhaltArgs},
    failure::Failure,
    session::Session,
};

/// Lets something stand still, and shows what does.
pub(crate) async fn halt(session: &Session, args: HaltArgs) -> Result<u8, Failure> {
    let HaltArgs {
        all: _,
        loop_id,
        only,
        subtree,
        why,
        wait,
        show,
    } = args;
    if show {
        let daemon = session.daemon().await?;
        return told(session, &daemon.ask(daemon.client.halts()).await?);
    }
    let daemon = session.daemon_to_change().await?;
    let back = match (&loop_id, only.as_ref().or(subtree.as_ref())) {
        (Some(id), _) => format!("realmctl unhalt --loop {id}"),
        (None, Some(realm)) => format!("realmctl unhalt --only {realm}"),
        (None, None) => "realmctl unhalt".to_owned(),
    };
    let request = HaltRequest {
        loop_id,
        realm: only,
        subtree,
        why,
        wait_ms: Some(wait.as_millis()),
    };
    let state = daemon.ask(daemon.client.halt(&request)).await?;
    let code = told(session, &state)?;
    session.say(&format!("back again: {back}"));
    Ok(code)
}

/// Lets something go on.
pub(crate) async fn unhalt(session: &Session, args: UnhaltArgs) -> Result<u8, Failure> {
    let UnhaltArgs {
        all: _,
        loop_id,
        run,
        only,
        why,
        wait,
    } = args;
    let daemon = session.daemon_to_change().await?;
    let request = UnhaltRequest {
        loop_id,
        run,
        realm: only,
        why,
        wait_ms: Some(wait.as_millis()),
    };
    told(session, &daemon.ask(daemon.client.unhalt(&request)).await?)
}

/// Shows what stands still; whether every realm below has confirmed is the exit code.
fn told(session: &Session, state: &HaltState) -> Result<u8, Failure> {
    session.print(state)?;
    Ok(match state.below.iter().all(BelowHalt::is_settled) {
        true => 0,
        false => Exit::RealmUnreachable.code(),
    })
}
