use super::*;
use realm_protocol::RealmId;

#[test]
fn every_plaintext_fills_a_size_class_with_little_overhead() {
    for length in (0..3_000).chain(limits::BODY_BYTES - 300..=limits::BODY_BYTES) {
        let plaintext = Plaintext {
            source: RealmId::new([1; 32]),
            destination: Some(RealmId::new([2; 32])),
            id: MessageId::new([3; 16]),
            content: Blob::from(vec![7; length]),
            padding: None,
        };
        let bare = cbor::encode(&plaintext).len();

        let committed = encode_padded(&[9; SALT_BYTES], plaintext);
        assert!(committed.starts_with(&[9; SALT_BYTES]));
        assert!(committed.capacity() >= committed.len() + TAG_BYTES);
        let padded = &committed[SALT_BYTES..];

        assert_eq!(
            size_class(padded.len()),
            padded.len(),
            "content of {length}"
        );
        assert!(padded.len() >= CLASS_BYTES);
        assert!(padded.len() * 100 <= bare.max(CLASS_BYTES) * 112);
        let read: Plaintext = cbor::decode(padded).unwrap();
        assert_eq!(read.content.len(), length);
    }
}
