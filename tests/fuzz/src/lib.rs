//! What every fuzz target is made of.

mod mutation;

pub use libfuzzer_sys;

use data_encoding::BASE64URL_NOPAD;
use libfuzzer_sys::fuzzer_mutate;
use realm_parsers::Form;
use realm_protocol::Digest;

use mutation::Chance;

/// What a ticket's text begins with.
const TICKET: &[u8] = b"realm-ticket-v1:";
/// Bytes of the checksum that ends a ticket.
const CHECKSUM_BYTES: usize = 4;

/// Makes the target of a parser.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        use $crate::libfuzzer_sys;

        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::judge($name, bytes));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate($name, data, size, max_size, seed)
        });
    };
}

/// Judges an input.
pub fn judge(parser: &str, bytes: &[u8]) {
    let parser = realm_parsers::find(parser).expect("a parser of this name");
    (parser.judge)(bytes);
}

/// Makes another input in place; gives its size. One time in four, and wherever the input is not
/// of the parser's form, libFuzzer changes bytes as it likes.
pub fn mutate(parser: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let parser = realm_parsers::find(parser).expect("a parser of this name");
    let mut chance = Chance::new(seed);
    let made = match parser.form {
        _ if chance.one_in(4) => None,
        Form::Cbor => mutation::mutated(&data[..size], &mut chance),
        Form::Ticket => ticket(&data[..size], &mut chance),
        Form::Text => None,
    };
    match made.filter(|made| made.len() <= max_size) {
        Some(made) => {
            data[..made.len()].copy_from_slice(&made);
            made.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
}

/// Changes what a ticket says, and makes its checksum fit.
fn ticket(text: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(TICKET)?).ok()?;
    let content = bytes.get(..bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    let mut made = mutation::mutated(content, chance)?;
    let checksum = Digest::of(&[&made]);
    made.extend(&checksum.as_bytes()[..CHECKSUM_BYTES]);
    Some([TICKET, BASE64URL_NOPAD.encode(&made).as_bytes()].concat())
}
