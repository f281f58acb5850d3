//! A bound on nesting, checked before anything recursive sees the text.
//!
//! Cedar's parser recurses on brackets and on `if`, with some 50 KiB of stack a level in an
//! unoptimised build, and checks no bound of its own: a short text of brackets would end the
//! process. Chains of operators do no such harm; a long one fails when it is evaluated, which
//! denies.

/// Brackets open at once, the policy's own among them, and `if`s before in the same policy.
const LEVELS: usize = 12;

/// Where the text passes the bound, as a byte offset.
pub(super) fn excess(text: &str) -> Option<usize> {
    let (mut brackets, mut ifs) = (0_usize, 0_usize);
    let mut word = Vec::new();
    for (offset, byte) in code(text) {
        match byte {
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 => ifs = 0,
            _ => {}
        }
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            word.push(byte);
        } else {
            ifs += usize::from(word == b"if");
            word.clear();
        }
        if brackets + ifs > LEVELS {
            return Some(offset);
        }
    }
    None
}

#[derive(Clone, Copy)]
enum State {
    Code,
    Slash,
    Comment,
    Text,
    Escape,
}

impl State {
    const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Code, b'/') => Self::Slash,
            (Self::Slash, b'/') => Self::Comment,
            (Self::Code | Self::Slash, b'"') => Self::Text,
            (Self::Text, b'\\') => Self::Escape,
            (Self::Text, b'"') => Self::Code,
            (Self::Text | Self::Escape, _) => Self::Text,
            (Self::Comment, b'\n' | b'\r') => Self::Code,
            (Self::Comment, _) => Self::Comment,
            (Self::Code | Self::Slash, _) => Self::Code,
        }
    }
}

/// The bytes outside strings and comments, and the quote that ends a string's place.
fn code(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut state = State::Code;
    text.bytes().enumerate().filter(move |(_, byte)| {
        let before = state;
        state = state.after(*byte);
        matches!(before, State::Code | State::Slash)
    })
}
