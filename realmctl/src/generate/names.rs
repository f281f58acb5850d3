//! Names that other languages take.

use std::collections::BTreeSet;

/// Names that are taken.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Of which these are taken already.
    pub(super) fn without(taken: &[&str]) -> Self {
        Self(taken.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The name, or the name with the first number that makes it free.
    pub(super) fn free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 2_u32;
        while !self.0.insert(free.clone()) {
            free = format!("{name}{number}");
            number = number.saturating_add(1);
        }
        free
    }
}

/// The words of a name: what stands between other signs, and from one capital to the next.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in text.chars() {
        let begins = letter.is_ascii_uppercase() && small;
        small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if begins || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `count-words` as `CountWords`.
pub(super) fn pascal(text: &str) -> String {
    let capital = |word: &String| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    let name: String = words(text).iter().map(capital).collect();
    legal(name, "Loop")
}

/// `count-words` as `countWords`.
pub(super) fn camel(text: &str) -> String {
    let name = pascal(text);
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

/// `count-words` as `count_words`.
pub(super) fn snake(text: &str) -> String {
    legal(words(text).join("_").to_ascii_lowercase(), "loop_")
}

/// A name begins with a letter.
fn legal(name: String, prefix: &str) -> String {
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("{prefix}{name}"),
    }
}

/// Whether a text is a name as it stands.
pub(super) fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
