//! A realm's key, handed on.

use realm_crypto::{CertError, SigningKey, commit_to, current_key, incept, succeed};
use realm_protocol::{
    Digest, limits,
    records::{Inception, Signed, Succession, SuccessionReason},
};

use crate::tree::NOW;

const ROUTINE: SuccessionReason = SuccessionReason::Routine;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

fn digest_of(number: u8) -> Digest {
    commit_to(&key(number).public())
}

fn inception() -> Signed<Inception> {
    incept(&key(0), digest_of(1), NOW).1
}

/// Follows the inception with one succession for each reason, by keys 1, 2, 3 ….
fn history(reasons: &[SuccessionReason]) -> Vec<Signed<Succession>> {
    let mut successions = Vec::new();
    for (number, reason) in (1..).zip(reasons) {
        let next = succeed(
            &inception(),
            &successions,
            &key(number),
            digest_of(number + 1),
            *reason,
            NOW,
        );
        successions.push(next);
    }
    successions
}

fn refused(successions: &[Signed<Succession>]) -> CertError {
    let inception = inception();
    current_key(&inception, successions, inception.realm_id()).unwrap_err()
}

#[test]
fn the_key_follows_its_successions_and_a_compromise_voids_what_came_before() {
    let inception = inception();
    let compromised = SuccessionReason::Compromised;

    let current = current_key(
        &inception,
        &history(&[ROUTINE, compromised, ROUTINE]),
        inception.realm_id(),
    );

    let current = current.unwrap();
    assert_eq!(current.key, key(3).public());
    assert_eq!(current.epoch, 3);
    assert_eq!(current.voided_before, Some(2));
}

#[test]
fn two_successions_with_one_number_are_a_fork() {
    let mut forked = history(&[ROUTINE]);
    let other = succeed(&inception(), &[], &key(1), digest_of(7), ROUTINE, NOW);
    forked.push(other);

    assert_eq!(refused(&forked), CertError::Fork(1));
}

#[test]
fn a_forgery_cannot_raise_the_alarm_of_a_fork() {
    let mut forged = history(&[ROUTINE]);
    let mut other = succeed(&inception(), &[], &key(1), digest_of(7), ROUTINE, NOW);
    other.signatures[0][0] ^= 1;
    forged.push(other);

    assert_eq!(refused(&forged), CertError::Signature);
}

#[test]
fn only_the_key_committed_to_succeeds() {
    let thief = succeed(&inception(), &[], &key(9), digest_of(8), ROUTINE, NOW);

    assert_eq!(refused(&[thief]), CertError::Commitment);
}

#[test]
fn successions_are_complete_in_order_and_bounded() {
    let whole = history(&[ROUTINE, ROUTINE]);
    assert_eq!(refused(&whole[1..]), CertError::Order);
    assert_eq!(
        refused(&[whole[0].clone(), whole[0].clone()]),
        CertError::Order
    );

    let long = vec![whole[0].clone(); limits::SUCCESSIONS + 1];

    assert_eq!(refused(&long), CertError::TooMany);
}

#[test]
fn a_history_is_of_the_realm_that_its_inception_names() {
    let inception = inception();
    let (other, _) = incept(&key(5), digest_of(6), NOW);

    assert_eq!(current_key(&inception, &[], other), Err(CertError::Realm));
    let mut unsigned = inception.clone();
    unsigned.signatures.clear();
    let refused = current_key(&unsigned, &[], inception.realm_id());
    assert_eq!(refused, Err(CertError::SignatureCount));
}
