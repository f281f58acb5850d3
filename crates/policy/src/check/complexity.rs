//! A bound on nesting, checked before anything recursive sees the text.
//!
//! Cedar's parser, validator and destructors recurse over a policy's expression. Without a bound,
//! 12 KiB of brackets or operators could exhaust the stack.

/// Brackets open at once.
const DEPTH: usize = 24;
/// Operators in one policy; each may nest the expression one deeper.
const OPERATORS: usize = 200;

/// Where the text passes a bound, as a byte offset.
pub(super) fn excess(text: &str) -> Option<usize> {
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut in_word = false;
    for (offset, byte) in code(text) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' => (depth, operators) = (0, 0),
            _ => {}
        }
        let word = byte.is_ascii_alphanumeric() || byte == b'_';
        // Words count because `if`, `in`, `is`, `has` and `like` are operators.
        let starts_word = word && !in_word;
        if starts_word || b"([{.!&|+-*<>=".contains(&byte) {
            operators += 1;
        }
        in_word = word;
        if depth > DEPTH || operators > OPERATORS {
            return Some(offset);
        }
    }
    None
}

/// The bytes outside strings and comments.
fn code(text: &str) -> impl Iterator<Item = (usize, u8)> {
    #[derive(Clone, Copy)]
    enum State {
        Code,
        Slash,
        Comment,
        Text,
        Escape,
    }
    let mut state = State::Code;
    text.bytes().enumerate().filter(move |(_, byte)| {
        let code = matches!(state, State::Code | State::Slash);
        state = match (state, byte) {
            (State::Code, b'/') => State::Slash,
            (State::Slash, b'/') => State::Comment,
            (State::Code | State::Slash, b'"') => State::Text,
            (State::Slash | State::Code, _) => State::Code,
            (State::Comment, b'\n') => State::Code,
            (State::Comment, _) => State::Comment,
            (State::Text, b'"') => State::Code,
            (State::Text, b'\\') => State::Escape,
            (State::Text | State::Escape, _) => State::Text,
        };
        code
    })
}
