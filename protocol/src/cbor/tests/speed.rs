//! How long the codec takes; a measurement, run by hand in the release profile.

use std::{hint::black_box, time::Instant};

use crate::{
    Envelope, Header,
    cbor::{Blob, Wire, decode, encode},
    link::Frame,
    message::Call,
    samples,
};

/// Turns measured at once.
const TURNS: u32 = 500;

/// Prints the least nanoseconds that one turn took, over some rounds.
fn measure<T>(what: &str, mut turn: impl FnMut() -> T) {
    let mut round = || {
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let start = Instant::now();
        for _ in 0..TURNS {
            black_box(turn());
        }
        start.elapsed().as_nanos() / u128::from(TURNS)
    };
    let least = (0..1_000).map(|_| round()).min().unwrap_or_default();
    println!("{what}: {least} ns");
}

fn read<T: Wire>(bytes: &[u8]) -> T {
    decode(black_box(bytes)).unwrap()
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn the_codec_takes_nanoseconds() {
    let envelope = Envelope {
        body: Blob::from(vec![6; 1_024]),
        ..samples::envelope()
    };
    let header = envelope.peek().unwrap();
    let bytes = Frame::Envelope(envelope.clone()).encode();
    let call = encode(&samples::call());
    println!(
        "an envelope of {} bytes, a header of {}",
        bytes.len(),
        envelope.header.len()
    );

    measure("envelope decode", || Frame::decode(black_box(&bytes)));
    let frame = Frame::Envelope(envelope.clone());
    measure("envelope encode", || black_box(&frame).encode());
    measure("header decode", || read::<Header>(&envelope.header));
    measure("header encode", || encode(black_box(&header)));
    measure("header clone", || black_box(&header).clone());
    measure("header digest", || black_box(&envelope).digest());
    measure("call decode", || read::<Call>(&call));
    let asked = samples::call();
    measure("call encode", || encode(black_box(&asked)));
    measure("relay: decode, header, encode", || {
        let Ok(Frame::Envelope(mut envelope)) = Frame::decode(black_box(&bytes)) else {
            unreachable!("an envelope");
        };
        let header = envelope.peek().unwrap();
        envelope.hop.left -= 1;
        (header, Frame::Envelope(envelope).encode())
    });
}
