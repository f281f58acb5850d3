//! `generate`: a typed client for the loops that this realm may call.

use std::fs;

use super::visible;
use crate::{cli::GenerateArgs, failure::Failure, generate, session::Session};

/// Loops in one client at most.
const LOOPS: usize = 1_000;

/// Writes it to a file, or prints it.
pub(crate) async fn run(session: &Session, args: GenerateArgs) -> Result<(), Failure> {
    let GenerateArgs { loops, lang, out } = args;
    let daemon = session.daemon().await?;
    let mut details = Vec::new();
    for address in &loops {
        let (id, realm) = match address.split_once('@') {
            Some((id, realm)) => (id, Some(realm.to_owned())),
            None => (address.as_str(), None),
        };
        details.push(visible::detail(&daemon, id, realm).await?);
    }
    if loops.is_empty() {
        let left_out;
        (details, left_out) = visible::details(&daemon, LOOPS).await?;
        if left_out > 0 {
            session.say(&format!(
                "{LOOPS} loops are in the client, and {left_out} more are not: name those that you want"
            ));
        }
    }
    let text = generate::client(lang, &daemon.home.name, &details);
    let Some(path) = out else {
        return session.print_text(&text);
    };
    fs::write(&path, text).map_err(|error| Failure::File(path.clone(), error))?;
    session.say(&format!("{} loops in {}", details.len(), path.display()));
    Ok(())
}
