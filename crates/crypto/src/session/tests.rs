use rand_core::SeedableRng as _;

use super::*;
use crate::body::hpke_seal;

#[test]
fn a_session_seals_no_more_than_it_may() {
    let mut rng = rand_chacha::ChaCha8Rng::from_seed([1; 32]);
    let kem = crate::KemKey::generate(&mut rng);
    let (_, exported) = hpke_seal(&mut rng, &kem.public(), b"header", b"body").unwrap();
    let reply_key = exported.reply_key(Digest::new([0; 32]), Digest::new([1; 32]));
    let (mine, theirs) = (Ephemeral::generate(&mut rng), Ephemeral::generate(&mut rng));
    let answer = Digest::of(&[b"answer"]);
    let session = Session::derive(Side::Caller, &reply_key, answer, &mine, &theirs.public());
    let mut session = session.unwrap();
    session.next = limits::SESSION_MESSAGES - 1;

    assert_eq!(session.take_counter(), Some(limits::SESSION_MESSAGES - 1));
    assert_eq!(session.take_counter(), None);
    let beyond = session.decrypt(limits::SESSION_MESSAGES, b"", b"");
    assert_eq!(beyond.err(), Some(Unopened::Replayed));
}
