//! `realmd key`: what the keys are, their passphrase, and the ceremonies.

use std::path::{Path, PathBuf};

use realm_client::{Exit, api::Time};
use realm_protocol::{Digest, Timestamp, records::SuccessionReason};
use serde_json::json;

use super::{print_json, print_lines};
use crate::{
    ceremony::{self, CeremonyError, Handover},
    cli::Format,
    clock::Clock,
    config,
    environment::Environment,
    failure::Failure,
    home::{
        Home, HomeLock, keyfile,
        keys::{self, HomeKeys, PublicKeys},
        passphrase::{PassphraseSource, Unlock},
        protect::{self, Protected},
        sealed::Seal,
    },
    secrets,
};

/// Shows which keys there are, where, and since when; never a secret.
pub(crate) fn show(dir: &Path, unlock: &Unlock, output: Format) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let public = PublicKeys::read(&home)?;
    let since = since(&public);
    let next = next_key(&public);
    let time = |at: Timestamp| Time::from_millis(at.as_millis());
    let place = |name: &str| {
        if ceremony::is_here(&home, name) || keyfile::staged(&home.keys(), name).exists() {
            "keys/"
        } else if unlock.credential(name).is_some() {
            "credential"
        } else {
            "elsewhere"
        }
    };
    let cert = &public.node_cert;
    if output.is_json() {
        return print_json(
            &json!({
                "realm": public.realm_id(), "node": cert.node,
                "passphrase": public.lock.is_some(),
                "realmKey": {
                    "public": hex(&public.current.key), "number": public.current.epoch,
                    "since": since.map(time), "where": place(keys::REALM),
                },
                "nextKeyDigest": next,
                "nodeKey": {"where": place(keys::NODE)},
                "storeKey": {"where": place(keys::STORE)},
                "nodeCertificate": {
                    "serial": cert.serial, "from": time(cert.not_before),
                    "until": time(cert.not_after),
                },
                "realmKeyHere": place(keys::REALM) != "elsewhere",
            }),
            output,
        );
    }
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
    print_lines(&[
        ("realm", public.realm_id().to_string()),
        ("node", cert.node.to_string()),
        (
            "realm key",
            format!(
                "{}   number {} since {}, {}",
                hex(&public.current.key),
                public.current.epoch,
                or_unknown(since.map(|at| time(at).to_string())),
                place(keys::REALM)
            ),
        ),
        (
            "next key",
            format!(
                "SHA-256 {}   in the recovery file",
                or_unknown(next.map(|digest| digest.to_string()))
            ),
        ),
        ("node key", place(keys::NODE).to_owned()),
        ("store key", place(keys::STORE).to_owned()),
        (
            "certificate",
            format!(
                "of the node, from {} until {}; a daemon with the realm key renews it",
                time(cert.not_before),
                time(cert.not_after)
            ),
        ),
        (
            "passphrase",
            match public.lock {
                Some(_) => "set",
                None => "none: the key files are plain",
            }
            .to_owned(),
        ),
    ])
}

/// When the realm key in use took over.
fn since(public: &PublicKeys) -> Option<Timestamp> {
    match public.identity.successions.last() {
        Some(last) => last.peek().ok().map(|record| record.created),
        None => public
            .identity
            .inception
            .peek()
            .ok()
            .map(|record| record.created),
    }
}

/// The digest of the key that takes over next.
fn next_key(public: &PublicKeys) -> Option<Digest> {
    match public.identity.successions.last() {
        Some(last) => last.peek().ok().map(|record| record.next_key),
        None => public
            .identity
            .inception
            .peek()
            .ok()
            .map(|record| record.next_key),
    }
}

fn hex(key: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(key)
}

/// Sets, changes or removes the passphrase of the key files.
pub(crate) fn passphrase(
    dir: &Path,
    unlock: &Unlock,
    new: Option<PassphraseSource>,
    output: Format,
) -> Result<Exit, Failure> {
    let (home, _lock, keys) = open(dir, unlock)?;
    let was = keys.wrapping.is_some();
    let (now, wrapped) = match new {
        Some(source) => ("set", protect::protect(&home, &keys, &source.choose()?)?),
        None => {
            protect::unprotect(&home, &keys)?;
            ("removed", Protected::AsBefore)
        }
    };
    let anew = wrapped == Protected::Anew;
    if output.is_json() {
        let told = json!({"passphrase": now, "before": was, "wrappedAnew": anew});
        return print_json(&told, output);
    }
    let next = match now {
        "set" if !anew => {
            "a key file is elsewhere, so the keys stay under the wrapping key they had: put it \
             back and set the passphrase again to change that"
        }
        "set" => "the daemon needs it at every start: --passphrase-file FILE, or a credential",
        _ => "the key files are plain: encrypt the disk that holds them",
    };
    print_lines(&[("passphrase", now), ("note", next)])
}

/// Seals the secrets that files hold, each in its place; stops at the first that cannot be.
pub(crate) fn seal(
    dir: &Path,
    unlock: &Unlock,
    files: &[PathBuf],
    output: Format,
) -> Result<Exit, Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let keys = HomeKeys::read(&home, unlock)?;
    let seal = Seal::of(&keys);
    for file in files {
        secrets::seal(&seal, file)?;
    }
    if output.is_json() {
        return print_json(&json!({"sealed": files}), output);
    }
    let note = match keys.wrapping {
        Some(_) => "they open with the passphrase alone; a running daemon reads them as before",
        None => {
            "the key files beside them are plain: realmctl key passphrase --new-passphrase-file FILE"
        }
    };
    let sealed = files
        .iter()
        .map(|file| ("sealed", file.display().to_string()));
    let lines: Vec<_> = sealed.chain([("note", note.to_owned())]).collect();
    print_lines(&lines)
}

/// What `key rotate` is told.
pub(crate) struct Rotation {
    /// The recovery file, whose key takes over.
    pub(crate) recovery: PathBuf,
    /// Where the next recovery key goes.
    pub(crate) next: Option<PathBuf>,
    /// Whether everything older is void at once.
    pub(crate) compromised: bool,
    /// Public records to work on instead of a home's, and where the new ones go.
    pub(crate) elsewhere: Option<(PathBuf, PathBuf)>,
}

impl Rotation {
    fn handover(&self, next: PathBuf, name: String) -> Handover {
        Handover {
            recovery: self.recovery.clone(),
            next,
            reason: if self.compromised {
                SuccessionReason::Compromised
            } else {
                SuccessionReason::Routine
            },
            name,
        }
    }

    /// Beside the old recovery file, under a name of its own.
    fn next(&self, successions: usize) -> PathBuf {
        self.next.clone().unwrap_or_else(|| {
            let number = successions.saturating_add(2);
            let mut name = self.recovery.clone().into_os_string();
            name.push(format!("-{number}"));
            PathBuf::from(name)
        })
    }
}

/// Hands the realm to its recovery key.
pub(crate) fn hand_over(
    dir: &Path,
    environment: &Environment,
    unlock: &Unlock,
    rotation: &Rotation,
    output: Format,
) -> Result<Exit, Failure> {
    let (home, _lock, keys) = open(dir, unlock)?;
    let name = config::load(&home.config(), &environment.settings)?
        .config
        .name;
    let next = rotation.next(keys.identity.successions.len());
    let next = ceremony::verify_recovery(&next, &home)?;
    let handover = rotation.handover(next.clone(), name.to_string());
    let (handed, key) = ceremony::hand_over(&keys.identity, &handover, Clock::wall())?;
    let here = keys.realm.is_some();
    ceremony::install(&home, &keys, &handed, here.then_some(&key))?;
    ceremony::note_recovery(&home, &next)?;
    protect::settle(&home, &HomeKeys::read(&home, unlock)?)?;
    handed_over(&handed, &next, rotation, here, output)
}

/// Hands a realm over where its home is not: on a machine without a network, say.
pub(crate) fn hand_over_elsewhere(
    rotation: &Rotation,
    (from, to): &(PathBuf, PathBuf),
    output: Format,
) -> Result<Exit, Failure> {
    let identity = keys::read_identity(from)?;
    let next = rotation.next(identity.successions.len());
    let handover = rotation.handover(next.clone(), identity.inception.realm_id().to_string());
    let (handed, _) = ceremony::hand_over(&identity, &handover, Clock::wall())?;
    ceremony::write_out(to, &handed)?;
    handed_over(&handed, &next, rotation, false, output)
}

fn handed_over(
    identity: &keys::Identity,
    next: &Path,
    rotation: &Rotation,
    here: bool,
    output: Format,
) -> Result<Exit, Failure> {
    let number = identity.successions.len();
    let realm = identity.inception.realm_id();
    let used = rotation.recovery.display().to_string();
    if output.is_json() {
        return print_json(
            &json!({
                "realm": realm, "number": number, "compromised": rotation.compromised,
                "recovery": next, "realmKeyHere": here,
            }),
            output,
        );
    }
    let old = if here {
        format!("{used} has been used: its key is the realm key now; shred -u {used}")
    } else {
        format!("the key in {used} is the realm key now; keep it where the realm key is kept")
    };
    print_lines(&[
        ("realm", realm.to_string()),
        ("realm key", format!("number {number}")),
        (
            "recovery",
            format!("{}   keep it off this machine", next.display()),
        ),
        ("old file", old),
        (
            "next",
            if rotation.elsewhere.is_some() {
                "bring the records back, and there: realmctl key install FILE".to_owned()
            } else {
                "start the daemon: neighbours follow by themselves".to_owned()
            },
        ),
    ])
}

/// Certifies the node that public records name, where the realm key is.
pub(crate) fn certify(
    identity: &Path,
    key: &Path,
    out: &Path,
    output: Format,
) -> Result<Exit, Failure> {
    let identity = keys::read_identity(identity)?;
    let certified = ceremony::certify(&identity, key, Clock::wall())?;
    ceremony::write_out(out, &certified)?;
    report_certificate(
        &certified,
        "next",
        "bring it back, and there: realmctl key install FILE",
        output,
    )
}

/// Takes in public records that were signed elsewhere.
pub(crate) fn install(
    dir: &Path,
    unlock: &Unlock,
    file: &Path,
    output: Format,
) -> Result<Exit, Failure> {
    let (home, _lock, keys) = open(dir, unlock)?;
    let brought = ceremony::read_certified(file, &keys.identity)?;
    ceremony::install(&home, &keys, &brought, None)?;
    let handed = brought.successions.len() > keys.identity.successions.len();
    if handed && keys.realm.is_some() {
        // The key that was here has been succeeded: it is of no use to anybody but a thief.
        let path = home.keys().join(keys::REALM);
        keyfile::remove(&path).map_err(|source| CeremonyError::Write { path, source })?;
    }
    report_certificate(&brought, "next", "start the daemon", output)
}

fn report_certificate(
    identity: &keys::Identity,
    title: &'static str,
    next: &str,
    output: Format,
) -> Result<Exit, Failure> {
    let cert = identity.node_cert.peek().ok();
    let until = cert.map(|cert| Time::from_millis(cert.not_after.as_millis()));
    let realm = identity.inception.realm_id();
    if output.is_json() {
        return print_json(&json!({"realm": realm, "until": until}), output);
    }
    let until = until.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
    print_lines(&[
        ("realm", realm.to_string()),
        ("certificate", format!("of the node, until {until}")),
        (title, next.to_owned()),
    ])
}

/// Takes the home for this process alone, reads its keys, and ends what a crash interrupted.
fn open(dir: &Path, unlock: &Unlock) -> Result<(Home, HomeLock, HomeKeys), Failure> {
    let home = Home::new(dir);
    home.verify()?;
    let lock = HomeLock::acquire(&home)?;
    let keys = HomeKeys::read(&home, unlock)?;
    protect::settle(&home, &keys)?;
    Ok((home, lock, keys))
}
