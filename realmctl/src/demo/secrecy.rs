//! What the relays hold of the patient's record: nothing.

use std::fs;

use realm_client::api::RunQuery;
use serde::Serialize;

use super::{
    canary::{Canary, Search},
    cast::Cast,
    scene::Played,
    story::ROLES,
};
use crate::{failure::Failure, output::json_line};

/// Runs asked for at once.
const PAGE: u32 = 500;
/// Bytes of the smallest store that has something in it.
const STORE_BYTES: usize = 16 * 1024;

/// What the search came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secrecy {
    /// `secrecy`, for whoever reads the JSON.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether the secret is where it belongs and nowhere else.
    pub(super) ok: bool,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
    /// Length of the secret.
    pub(super) canary_bytes: usize,
    /// Who sent it and who got it.
    pub(super) endpoints: Vec<String>,
    /// Who relayed it.
    pub(super) relays: Vec<String>,
    /// Realms whose disks were searched.
    pub(super) realms: usize,
    /// Files that were searched.
    pub(super) files: usize,
    /// Bytes in them.
    pub(super) bytes: usize,
}

/// Searches the journals of those who relayed the secret and the disks of all; `carried` is the
/// call that carried it.
pub(super) async fn search(
    cast: &Cast,
    canary: &Canary,
    carried: &Played,
) -> Result<Secrecy, Failure> {
    let hops = carried.result.hops.clone().unwrap_or_default();
    let (relays, endpoints): (Vec<String>, Vec<String>) = match hops.as_slice() {
        [first, relays @ .., last] => (relays.to_vec(), vec![first.clone(), last.clone()]),
        _ => (Vec::new(), Vec::new()),
    };
    let mut faults = Vec::new();
    if relays.is_empty() {
        faults.push("nobody relayed it".to_owned());
    }
    for half in &carried.recorded {
        // The control: who cannot find the secret where it is proves nothing by not finding it.
        if !canary.is_in(text(half)?.as_bytes()) {
            faults.push(format!("{} does not know its own record", half.realm));
        }
    }
    for relay in &relays {
        if canary.is_in(journal(cast, relay).await?.as_bytes()) {
            faults.push(format!("{relay} has a trace in its journal"));
        }
    }
    let mut found = Search::default();
    for role in ROLES {
        let before = found.bytes;
        canary.search(&cast.home(role.name), &mut found)?;
        if found.bytes - before < STORE_BYTES {
            faults.push(format!("{} has its store elsewhere", role.name));
        }
        canary.search(&cast.log(role.name), &mut found)?;
        faults.extend(errors_logged(cast, role.name)?);
    }
    let Search {
        files,
        bytes,
        traces,
    } = found;
    faults.extend(traces.iter().map(|file| format!("a trace in {file}")));
    Ok(Secrecy {
        kind: "secrecy",
        ok: faults.is_empty(),
        faults,
        canary_bytes: canary.text().len(),
        endpoints,
        relays,
        realms: ROLES.len(),
        files,
        bytes,
    })
}

/// Everything a realm has recorded of calls, opened, as JSON.
async fn journal(cast: &Cast, name: &str) -> Result<String, Failure> {
    let client = cast.client(name)?;
    let query = RunQuery {
        limit: Some(PAGE),
        ..RunQuery::default()
    };
    let mut all = String::new();
    for run in cast.ask(name, client.runs(&query)).await?.items {
        all.push_str(&text(&cast.ask(name, client.trace(&run.id)).await?)?);
    }
    Ok(all)
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    json_line(value).map_err(|error| Failure::Json("a record".to_owned(), error))
}

/// The first error a daemon logged: there should be none.
fn errors_logged(cast: &Cast, name: &str) -> Result<Option<String>, Failure> {
    let path = cast.log(name);
    let log = fs::read_to_string(&path).map_err(|error| Failure::File(path, error))?;
    let error = log.lines().find(|line| line.contains("ERROR"));
    Ok(error.map(|line| format!("{name} logged an error: {line}")))
}
