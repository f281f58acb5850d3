//! What of its agent's state a loop is given.

use std::{fmt, str::FromStr};

use realm_protocol::{LoopId, limits};
use serde_json::Value;
use thiserror::Error;

/// The state that a loop's calls are given, and may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateUse {
    /// Whose state it is; none for the agent that is attached, or what the loop is called.
    pub agent: Option<LoopId>,
    /// The keys.
    pub keys: Vec<StateKey>,
}

/// A key, in which `{{NAME}}` stands for a member of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateKey(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Member(String),
}

/// A text is no key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is no key of a state: 1 to {max} of letters, digits and `._/-`, with members of the input as `{{{{NAME}}}}`",
    max = limits::STATE_KEY_BYTES
)]
pub struct NotAKey(String);

impl FromStr for StateKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let wrong = || NotAKey(text.to_owned());
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, tail) = after.split_once("}}").ok_or_else(wrong)?;
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return Err(wrong());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Member(name.to_owned()));
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        let fits = pieces.iter().all(|piece| match piece {
            Piece::Text(text) => is_key(text, true),
            Piece::Member(_) => true,
        });
        match fits && !pieces.is_empty() {
            true => Ok(Self(pieces)),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(pieces) = self;
        pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Member(name) => write!(f, "{{{{{name}}}}}"),
        })
    }
}

/// Whether a text, or a part of one, can be a key. What comes from an input has no `/`, so that it stays where
/// the owner put it.
fn is_key(text: &str, slash: bool) -> bool {
    let known =
        |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || slash && byte == b'/';
    (1..=limits::STATE_KEY_BYTES).contains(&text.len()) && text.bytes().all(known)
}

impl StateUse {
    /// The keys that a call with this input is given.
    ///
    /// # Errors
    /// What of the input cannot stand in a key, one line a fault.
    pub(crate) fn keys_for(&self, input: &Value) -> Result<Vec<String>, Vec<String>> {
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for key in &self.keys {
            match key.fill(input) {
                Ok(key) => keys.push(key),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            Ok(keys)
        } else {
            Err(faults)
        }
    }
}

impl StateKey {
    fn fill(&self, input: &Value) -> Result<String, String> {
        let mut key = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Member(name) => {
                    let text = match input.get(name) {
                        Some(Value::String(text)) => text.clone(),
                        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
                        _ => String::new(),
                    };
                    if !is_key(&text, false) {
                        return Err(format!(
                            "/{name}: it stands in a key of a state, which takes letters, digits and `._-`"
                        ));
                    }
                    key.push_str(&text);
                }
            }
        }
        match is_key(&key, true) {
            true => Ok(key),
            false => Err(format!(
                "the key of a state would have more than {} bytes",
                limits::STATE_KEY_BYTES
            )),
        }
    }
}
