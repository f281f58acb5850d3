//! Key files: behind a passphrase, handed on, certified elsewhere.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use realm_backends::Secret;
use realm_crypto::{PassphraseError, SigningKey};
use realm_protocol::records::SuccessionReason;
use tempfile::TempDir;

use super::{NOW, founded_with};
use crate::{
    ceremony::{self, CeremonyError, Handover},
    home::{
        Home, keyfile,
        keys::{self, HomeKeys, KeysError, PublicKeys},
        passphrase::{CREDENTIAL, PassphraseSource, PassphraseSourceError, Unlock},
        protect::{self, Protected},
        sealed::{Seal, SealError},
    },
    secrets::{self, SecretReader},
};

/// A home behind the passphrase `open sesame`, with its recovery file.
fn protected(place: &TempDir) -> (Home, PathBuf) {
    let recovery = place.path().join("lab.recovery");
    let passphrase = Some(zeroize::Zeroizing::new(b"open sesame".to_vec()));
    let home = founded_with(place.path(), "lab", Some(recovery.clone()), passphrase);
    (home, recovery)
}

fn with(place: &TempDir, passphrase: &str) -> Unlock {
    let path = place.path().join(format!("{passphrase}.txt"));
    fs::write(&path, format!("{passphrase}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Unlock {
        passphrase: Some(PassphraseSource::File(path)),
        credentials: None,
    }
}

/// The seeds of all keys as they would stand in a file.
fn secrets(keys: &HomeKeys) -> Vec<String> {
    let realm = keys.realm.as_ref().unwrap().seed();
    let all = [realm, keys.node.seed(), keys.store.clone()];
    all.iter()
        .map(|key| data_encoding::HEXLOWER.encode(&**key))
        .collect()
}

fn holds_any(home: &Home, secrets: &[String]) -> bool {
    let files = fs::read_dir(home.keys()).unwrap();
    let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let texts: Vec<String> = texts
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect();
    texts
        .iter()
        .any(|text| secrets.iter().any(|secret| text.contains(secret)))
}

#[test]
fn keys_behind_a_passphrase_open_with_it_alone_and_stand_nowhere() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    home.verify().unwrap();

    let keys = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap();

    assert!(!holds_any(&home, &secrets(&keys)));
    let wrong = HomeKeys::read(&home, &with(&place, "open barley")).unwrap_err();
    let source = PassphraseError::Wrong;
    assert!(matches!(wrong, KeysError::Locked { source: found, .. } if found == source));
    let none = HomeKeys::read(&home, &Unlock::default()).unwrap_err();
    assert!(matches!(
        none,
        KeysError::Passphrase(PassphraseSourceError::NoSource)
    ));
    assert_eq!(
        PublicKeys::read(&home).unwrap().node_cert.node,
        keys.node.node_id()
    );
}

#[test]
fn a_passphrase_is_set_changed_and_removed_and_the_keys_stay_the_same() {
    let place = TempDir::new().unwrap();
    let home = founded_with(place.path(), "lab", None, None);
    let plain = HomeKeys::read(&home, &Unlock::default()).unwrap();
    let keys = secrets(&plain);
    assert!(holds_any(&home, &keys));

    protect::protect(&home, &plain, b"first").unwrap();
    assert!(!holds_any(&home, &keys));
    let first = HomeKeys::read(&home, &with(&place, "first")).unwrap();
    protect::protect(&home, &first, b"second").unwrap();
    assert!(HomeKeys::read(&home, &with(&place, "first")).is_err());
    let second = HomeKeys::read(&home, &with(&place, "second")).unwrap();
    assert_eq!(secrets(&second), keys);
    protect::unprotect(&home, &second).unwrap();

    let again = HomeKeys::read(&home, &Unlock::default()).unwrap();
    assert_eq!(secrets(&again), keys);
    assert!(!home.keys().join(keys::LOCK).exists());
}

#[test]
fn a_crash_between_any_two_files_leaves_keys_that_open_and_is_ended_later() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let unlock = with(&place, "open sesame");
    let whole = HomeKeys::read(&home, &unlock).unwrap();
    let secrets = secrets(&whole);
    let wrapped = |name: &str| fs::read(home.keys().join(name)).unwrap();
    let files = keys::SECRETS.map(|name| (name, wrapped(name)));
    protect::unprotect(&home, &whole).unwrap();
    let plain = keys::SECRETS.map(|name| (name, wrapped(name)));
    let lock = whole.wrapping.as_ref().unwrap();
    let lock = lock.lock(
        &mut crate::random::rng().unwrap(),
        whole.realm_id(),
        b"open sesame",
    );
    let lock = realm_protocol::cbor::encode(&lock.unwrap());

    for done in 0..=3 {
        keyfile::replace(&home.keys().join(keys::LOCK), &lock).unwrap();
        for (index, (name, _)) in files.iter().enumerate() {
            let (_, bytes) = if index < done {
                &files[index]
            } else {
                &plain[index]
            };
            keyfile::replace(&home.keys().join(name), bytes).unwrap();
        }

        let found = HomeKeys::read(&home, &unlock).unwrap();
        assert_eq!(super::keys::secrets(&found), secrets, "{done} wrapped");
        protect::settle(&home, &found).unwrap();

        assert!(!holds_any(&home, &secrets), "{done} wrapped");
    }
}

/// Whether what wrapped the keys before opens the file of the node key now.
fn opens_node(home: &Home, before: &HomeKeys) -> bool {
    let path = home.keys().join(keys::NODE);
    let held = keyfile::KeyFile::read(&path).unwrap();
    let wrapping = before.wrapping.as_ref();
    held.open(&path, before.realm_id(), keys::NODE, wrapping)
        .is_ok()
}

#[test]
fn a_changed_passphrase_leaves_nothing_that_the_old_one_ever_opened() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let before = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap();
    let old_lock = fs::read(home.keys().join(keys::LOCK)).unwrap();

    let done = protect::protect(&home, &before, b"second").unwrap();

    assert_eq!(done, Protected::Anew);
    assert!(!opens_node(&home, &before));
    let after = HomeKeys::read(&home, &with(&place, "second")).unwrap();
    assert_eq!(secrets(&after), secrets(&before));
    // With a copy of the old lock, the old passphrase opens nothing that lies here now.
    fs::write(home.keys().join(keys::LOCK), old_lock).unwrap();
    let thief = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap_err();
    assert!(matches!(thief, KeysError::Foreign { .. }), "{thief:?}");
}

#[test]
fn while_a_key_file_is_elsewhere_it_goes_on_to_open_after_a_change_of_passphrase() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let drawer = place.path().join("drawer");
    let file = home.keys().join(keys::REALM);
    fs::rename(&file, &drawer).unwrap();
    let before = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap();

    let done = protect::protect(&home, &before, b"second").unwrap();
    fs::rename(&drawer, &file).unwrap();

    assert_eq!(done, Protected::AsBefore);
    let after = HomeKeys::read(&home, &with(&place, "second")).unwrap();
    assert!(after.realm.is_some());
}

#[test]
fn a_crash_in_a_change_of_passphrase_leaves_keys_that_open_with_one_of_the_two() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let unlock = with(&place, "open sesame");
    let before = HomeKeys::read(&home, &unlock).unwrap();
    let seeds = secrets(&before);
    let names = [keys::SECRETS.as_slice(), &[keys::LOCK]].concat();
    let read = |name: &str| fs::read(home.keys().join(name)).unwrap();
    let old: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect();
    protect::protect(&home, &before, b"second").unwrap();
    let new: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect();
    let second = with(&place, "second");

    // The first steps put the keys beside their files, the next the lock in place, the last ones
    // the keys in theirs.
    for steps in 0..=7 {
        for (name, bytes) in names.iter().zip(&old) {
            keyfile::replace(&home.keys().join(name), bytes).unwrap();
        }
        for (name, bytes) in keys::SECRETS.iter().zip(&new).take(steps) {
            keyfile::replace(&keyfile::rewrapped(&home.keys(), name), bytes).unwrap();
        }
        if steps > 3 {
            keyfile::replace(&home.keys().join(keys::LOCK), &new[3]).unwrap();
        }
        for (name, bytes) in keys::SECRETS.iter().zip(&new).take(steps.saturating_sub(4)) {
            keyfile::replace(&home.keys().join(name), bytes).unwrap();
            keyfile::remove(&keyfile::rewrapped(&home.keys(), name)).unwrap();
        }
        let unlock = if steps > 3 { &second } else { &unlock };

        let found = HomeKeys::read(&home, unlock).unwrap();
        assert_eq!(secrets(&found), seeds, "{steps} steps");
        protect::settle(&home, &found).unwrap();

        let settled = HomeKeys::read(&home, unlock).unwrap();
        assert_eq!(secrets(&settled), seeds, "{steps} steps, settled");
        let waiting = |name: &&str| keyfile::rewrapped(&home.keys(), name).exists();
        assert!(!keys::SECRETS.iter().any(waiting), "{steps} steps");
    }
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused() {
    let place = TempDir::new().unwrap();
    let unlock = with(&place, "secret");
    let Some(PassphraseSource::File(path)) = &unlock.passphrase else {
        unreachable!("made so")
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();

    let refused = unlock.passphrase().unwrap_err();

    assert!(matches!(
        refused,
        PassphraseSourceError::LooseMode { mode: 0o644, .. }
    ));
}

#[test]
fn credentials_give_the_passphrase_and_whole_keys() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let folder = place.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(CREDENTIAL), "open sesame").unwrap();
    fs::rename(home.keys().join(keys::NODE), folder.join(keys::NODE)).unwrap();
    let unlock = Unlock {
        passphrase: None,
        credentials: Some(folder),
    };

    let keys = HomeKeys::read(&home, &unlock).unwrap();

    assert_eq!(
        PublicKeys::read(&home).unwrap().node_cert.node,
        keys.node.node_id()
    );
}

fn handover(recovery: &std::path::Path, reason: SuccessionReason) -> Handover {
    Handover {
        recovery: recovery.to_owned(),
        next: recovery.with_extension("next"),
        reason,
        name: "lab".to_owned(),
    }
}

#[test]
fn the_recovery_key_takes_over_and_a_crash_leaves_the_old_key_or_the_new() {
    let place = TempDir::new().unwrap();
    let (home, recovery) = protected(&place);
    let unlock = with(&place, "open sesame");
    let before = HomeKeys::read(&home, &unlock).unwrap();
    let handover = handover(&recovery, SuccessionReason::Routine);

    let (handed, key) = ceremony::hand_over(&before.identity, &handover, NOW).unwrap();
    // A crash before the records are in place: the old key goes on to count.
    let waiting = keyfile::staged(&home.keys(), keys::REALM);
    fs::write(&waiting, data_encoding::HEXLOWER.encode(&*key.seed())).unwrap();
    let crashed = HomeKeys::read(&home, &unlock).unwrap();
    assert_eq!(secrets(&crashed), secrets(&before));
    protect::settle(&home, &crashed).unwrap();
    assert!(!waiting.exists());
    // A crash just after: the new one counts, and takes its place later.
    ceremony::install(&home, &before, &handed, Some(&key)).unwrap();
    let after = HomeKeys::read(&home, &unlock).unwrap();
    assert_eq!(*after.realm.as_ref().unwrap().seed(), *key.seed());
    protect::settle(&home, &after).unwrap();

    assert!(!waiting.exists());
    let settled = HomeKeys::read(&home, &unlock).unwrap();
    assert_eq!(settled.realm_id(), before.realm_id());
    assert_eq!(settled.identity.verify().unwrap().0.epoch, 1);
    assert!(!holds_any(&home, &secrets(&settled)));
    // The old recovery key is spent; the new one is next.
    let spent = ceremony::hand_over(&settled.identity, &handover, NOW).unwrap_err();
    assert!(matches!(spent, CeremonyError::NotCommitted { .. }));
    let next = super::keys::handover(&handover.next, SuccessionReason::Compromised);
    let next = Handover {
        next: place.path().join("third"),
        ..next
    };
    ceremony::hand_over(&settled.identity, &next, NOW).unwrap();
}

#[test]
fn a_home_without_the_realm_key_takes_in_what_is_certified_where_the_key_is() {
    let place = TempDir::new().unwrap();
    let home = founded_with(place.path(), "lab", None, None);
    let drawer = place.path().join("drawer.key");
    fs::rename(home.keys().join(keys::REALM), &drawer).unwrap();
    let keys = HomeKeys::read(&home, &Unlock::default()).unwrap();
    assert!(keys.realm.is_none());
    let (out, later) = (
        place.path().join("certified"),
        NOW.plus(60 * 24 * 3_600_000),
    );

    let certified = ceremony::certify(&keys.identity, &drawer, later).unwrap();
    ceremony::write_out(&out, &certified).unwrap();
    let brought = ceremony::read_certified(&out, &keys.identity).unwrap();
    ceremony::install(&home, &keys, &brought, None).unwrap();

    let renewed = PublicKeys::read(&home).unwrap().node_cert;
    assert!(renewed.not_after > later);
    let older = place.path().join("older");
    ceremony::write_out(&older, &keys.identity).unwrap();
    let refused = ceremony::read_certified(&older, &brought).unwrap_err();
    assert!(matches!(refused, CeremonyError::NotOurs { .. }));
    let stranger = place.path().join("stranger.key");
    let seed = SigningKey::from_seed(&[9; 32]).seed();
    fs::write(&stranger, data_encoding::HEXLOWER.encode(&*seed)).unwrap();
    let refused = ceremony::certify(&keys.identity, &stranger, later).unwrap_err();
    assert!(matches!(refused, CeremonyError::NotRealmKey { .. }));
}

#[test]
fn an_old_folder_of_keys_is_not_taken_for_a_continuation() {
    let place = TempDir::new().unwrap();
    let (home, recovery) = protected(&place);
    let before = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap();
    let handover = handover(&recovery, SuccessionReason::Routine);
    let (handed, _) = ceremony::hand_over(&before.identity, &handover, NOW).unwrap();
    let old = place.path().join("old");
    ceremony::write_out(&old, &before.identity).unwrap();

    let refused = ceremony::read_certified(&old, &handed).unwrap_err();

    assert!(matches!(refused, CeremonyError::NotOurs { .. }));
}

#[test]
fn a_sealed_secret_opens_for_its_realm_under_its_name_alone_and_stands_nowhere() {
    let place = TempDir::new().unwrap();
    let (home, _) = protected(&place);
    let keys = HomeKeys::read(&home, &with(&place, "open sesame")).unwrap();
    let seal = Seal::of(&keys);
    let write = |name: &str, text: &str| {
        let path = home.keys().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let path = write("model", "sk-canary\n");

    secrets::seal(&seal, &path).unwrap();

    assert!(!holds_any(&home, &["sk-canary".to_owned()]));
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let read = |home: &Home, seal: Option<Seal>, place: &str| {
        let reader = SecretReader::new(home, None, seal);
        reader.read(&place.parse().unwrap())
    };
    let opened = read(&home, Some(seal.clone()), "file:keys/model");
    assert_eq!(opened, Ok(Secret::new("sk-canary")));
    fs::copy(&path, home.keys().join("other")).unwrap();
    let renamed = read(&home, Some(seal.clone()), "file:keys/other").unwrap_err();
    assert!(renamed.contains("realmctl key seal"), "{renamed}");
    let elsewhere = TempDir::new().unwrap();
    let (other, _) = protected(&elsewhere);
    let others = HomeKeys::read(&other, &with(&elsewhere, "open sesame")).unwrap();
    assert!(read(&home, Some(Seal::of(&others)), "file:keys/model").is_err());
    assert!(read(&home, None, "file:keys/model").is_err());
    let looked = SecretReader::new(&home, None, None).look(&"file:keys/model".parse().unwrap());
    assert_eq!(looked, Ok(()), "`check` opens none");

    let again = secrets::seal(&seal, &path).unwrap_err();
    assert!(matches!(again, SealError::Already(_)));
    let two = write("two", "first\nsecond\n");
    let refused = secrets::seal(&seal, &two).unwrap_err();
    assert!(matches!(refused, SealError::NoSecret { .. }));
    assert_eq!(fs::read_to_string(two).unwrap(), "first\nsecond\n");
}
