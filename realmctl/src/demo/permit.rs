//! From a denial to the command that permits the call, as the decider's operator would go.

use std::{io, process::Stdio};

use realm_client::api::{Denial, InvokeResult};
use tokio::process::Command;

use super::{cast::Cast, process::this_program};
use crate::failure::Failure;

/// What the realm that denied a call says about it; nothing where none did.
pub(super) async fn why(cast: &Cast, result: &InvokeResult) -> Result<Option<Denial>, Failure> {
    let error = result.error.as_ref();
    let reference = error.and_then(|error| error.reference.as_deref());
    let Some(reference) = reference else {
        return Ok(None);
    };
    let decider = error.and_then(|error| error.realm.as_deref());
    let decider = decider.unwrap_or(reference);
    let asking = cast.client(decider)?.denial(reference);
    cast.ask(decider, asking).await.map(Some)
}

/// Runs exactly the command that the denial suggests, at the realm that denied; gives it.
pub(super) async fn allow(
    cast: &Cast,
    realm: &str,
    denied: Option<&Denial>,
) -> Result<String, Failure> {
    let nothing = || {
        let cause = io::Error::other("no call was denied, or nothing would permit it");
        Failure::System("there is no suggested command", cause)
    };
    let suggestion = denied.and_then(|denial| denial.suggestion.as_ref());
    let suggestion = suggestion.ok_or_else(nothing)?;
    let words = words(suggestion).ok_or_else(nothing)?;
    let running = Command::new(this_program()?)
        .arg("--home")
        .arg(cast.home(realm))
        .args(words)
        .stdin(Stdio::null())
        .output();
    let failed = |error| Failure::System("the suggested command failed", error);
    let output = running.await.map_err(failed)?;
    if output.status.success() {
        return Ok(suggestion.clone());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(failed(io::Error::other(told)))
}

/// What a shell hands to `realmctl`: the words without quotes, up to a comment.
fn words(command: &str) -> Option<Vec<&str>> {
    let mut words = command.split_whitespace();
    words.next().filter(|program| *program == "realmctl")?;
    let words = words.take_while(|word| !word.starts_with('#'));
    Some(words.map(|word| word.trim_matches('\'')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_command_is_read_as_a_shell_reads_it() {
        let command = "realmctl allow mercy/cardiology invoke 'variant-*'   # at lab";

        let read = words(command).unwrap();

        assert_eq!(read, ["allow", "mercy/cardiology", "invoke", "variant-*"]);
        assert_eq!(words("rm -rf /"), None);
    }
}
