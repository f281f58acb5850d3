//! Transcripts that somebody has changed: whatever entry it is, it is found and named.

use realm_broadcast::log::Entry;
use realm_evidence::{EvidenceError, examine};
use realm_protocol::{
    broadcast::{Evidence, Transcript},
    cbor::{self, Blob},
};

use super::transcripts::{Part, Story, asking, best, transcript};

/// A broadcast in which winners decline, fail and overcharge before there is an outcome.
fn eventful() -> Vec<Entry> {
    use Part::{Declines, Fails, Gives, Overcharges};
    let parts = [Declines, Fails, Gives(1), Overcharges, Gives(1), Gives(1)];
    Story::new(&best(asking()), &parts).run(u64::MAX).log
}

fn verdict(transcript: Transcript) -> Result<(), EvidenceError> {
    let bytes = cbor::encode(&Evidence::Transcript(transcript));
    examine(&bytes).map(|_| ())
}

/// What is made of a sealed transcript whose entries are changed under its seal.
fn under_the_seal(log: &[Entry], change: impl FnOnce(&mut Vec<Blob>)) -> Option<u64> {
    let mut sealed = transcript(log);
    let mut entries: Vec<Blob> = cbor::decode(&sealed.pages[0]).unwrap();
    change(&mut entries);
    sealed.pages = vec![Blob::from(cbor::encode(&entries))];
    let error = verdict(sealed).unwrap_err();
    error.entry()
}

#[test]
fn an_entry_that_is_changed_removed_or_moved_under_the_seal_is_named() {
    let log = eventful();
    assert_eq!(verdict(transcript(&log)), Ok(()));

    for number in 0..log.len() {
        let named = Some(number as u64);
        let length = cbor::encode(&log[number]).len();
        for byte in [0, length / 2, length - 1] {
            let flipped = under_the_seal(&log, |entries| {
                let mut bytes = entries[number].to_vec();
                bytes[byte] ^= 1;
                entries[number] = Blob::from(bytes);
            });
            assert_eq!(flipped, named, "flipped at byte {byte}");
        }
        let removed = under_the_seal(&log, |entries| {
            entries.remove(number);
        });
        assert_eq!(removed, named, "removed");
        if number > 0 {
            let moved = under_the_seal(&log, |entries| entries.swap(number - 1, number));
            assert_eq!(moved, Some(number as u64 - 1), "moved");
        }
    }
}

#[test]
fn an_announcer_that_seals_a_log_without_an_entry_is_found_out() {
    let log = eventful();

    for number in 0..log.len() {
        let mut less = log.clone();
        let removed = less.remove(number);
        let found = verdict(transcript(&less));
        match removed {
            // Nothing in the file speaks of a bid that came to nothing: its bidder's receipt does.
            Entry::Counted(_) if found.is_ok() => assert_eq!(number, 13),
            // Without its end a broadcast is one that is under way.
            Entry::Finished(_) => assert_eq!(found, Ok(())),
            removed => assert!(found.is_err(), "without {removed:?}"),
        }
    }
}

#[test]
fn an_announcer_that_forges_a_signature_is_found_out_at_that_entry() {
    let log = eventful();

    for number in 0..log.len() {
        let mut forged = log.clone();
        let signature = match &mut forged[number] {
            Entry::Planned(it) => it.rounds[0].signatures.first_mut(),
            Entry::Counted(it) => it.bid.signatures.first_mut(),
            Entry::Answered(it) => it.confirm.as_mut().and_then(|it| it.signatures.first_mut()),
            Entry::Ended(it) => it
                .delivered
                .as_mut()
                .and_then(|it| it.outcome.signatures.first_mut()),
            _ => None,
        };
        let Some(signature) = signature else { continue };
        signature[7] ^= 1;

        let found = verdict(transcript(&forged));

        let named = found.unwrap_err().entry();
        assert_eq!(named, Some(number as u64));
    }
}
