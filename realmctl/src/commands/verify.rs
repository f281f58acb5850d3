//! `verify`, and what else asks what a file proves.

use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use realm_client::Exit;
use realm_evidence::{EvidenceError, Finding, examine, examine_witnessed};

use crate::{failure::Failure, files, session::Session, show::Verdict};

/// Checks a file, also against what a witness has kept; gives the exit code.
pub(crate) fn run(session: &Session, file: &Path, witness: Option<&Path>) -> Result<u8, Failure> {
    let bytes = files::evidence(file)?;
    let name = file.display().to_string();
    let Some(witness) = witness else {
        return judge(session, &bytes, &name);
    };
    let kept = files::evidence(witness)?;
    say(session, &judged(examine_witnessed(&bytes, &kept), &name)?)
}

/// Says what bytes prove; gives the exit code.
pub(super) fn judge(session: &Session, bytes: &[u8], name: &str) -> Result<u8, Failure> {
    say(session, &verdict(bytes, name)?)
}

fn say(session: &Session, verdict: &Verdict) -> Result<u8, Failure> {
    session.print(verdict)?;
    let exit = if verdict.right { Exit::Ok } else { Exit::Other };
    Ok(exit.code())
}

/// The verdict on bytes that are evidence.
pub(super) fn verdict(bytes: &[u8], name: &str) -> Result<Verdict, Failure> {
    judged(examine(bytes), name)
}

fn judged(found: Result<Finding, EvidenceError>, name: &str) -> Result<Verdict, Failure> {
    match found {
        Ok(finding) => Ok(Verdict::right(finding)),
        Err(error) if error.is_verdict() => Ok(Verdict::wrong(&error)),
        Err(error) => Err(no_evidence(name, &error)),
    }
}

fn no_evidence(name: &str, error: &EvidenceError) -> Failure {
    let what = format!("{name}: {error}");
    let help = "realmctl run transcript RUN --out FILE".to_owned();
    Failure::Usage(what, Some(help))
}

/// The bytes of evidence that the daemon gave.
pub(super) fn bytes(evidence: &str) -> Result<Vec<u8>, Failure> {
    let decoded = BASE64URL_NOPAD.decode(evidence.as_bytes());
    decoded.map_err(|_| Failure::Usage("the daemon's evidence does not read".to_owned(), None))
}
