//! Corpora as text: one input a line, so that what is kept can be read and compared.
//!
//! A line is a JSON string where the input is UTF-8 without control characters but tabs and line
//! ends, else hexadecimal. `# why` before a line says what that input once found; it is then kept
//! for ever.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

/// One input that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The input.
    pub bytes: Vec<u8>,
    /// What it found, if it found anything.
    pub found: Option<String>,
}

/// Where a parser's corpus is kept, below the repository's root.
pub fn path(parser: &str) -> PathBuf {
    Path::new("tests/fuzz/corpora").join(format!("{parser}.txt"))
}

/// Reads a corpus; gives the first line that is neither, if there is one.
///
/// # Errors
/// The line.
pub fn read(text: &str) -> Result<Vec<Input>, String> {
    let mut inputs = Vec::new();
    let mut found = None;
    for line in text.lines() {
        if let Some(why) = line.strip_prefix("# ") {
            found = Some(why.to_owned());
            continue;
        }
        let bytes = input(line).ok_or_else(|| line.to_owned())?;
        inputs.push(Input {
            bytes,
            found: found.take(),
        });
    }
    Ok(inputs)
}

fn input(line: &str) -> Option<Vec<u8>> {
    if line.starts_with('"') {
        return serde_json::from_str(line).ok().map(String::into_bytes);
    }
    HEXLOWER.decode(line.as_bytes()).ok()
}

/// Writes a corpus: what found something first, then the shortest first.
pub fn write(mut inputs: Vec<Input>) -> String {
    inputs.sort_by_key(|input| {
        (
            input.found.is_none(),
            input.bytes.len(),
            input.bytes.clone(),
        )
    });
    let mut text = String::new();
    for input in &inputs {
        if let Some(why) = &input.found {
            text.push_str(&format!("# {why}\n"));
        }
        text.push_str(&line(&input.bytes));
        text.push('\n');
    }
    text
}

fn line(bytes: &[u8]) -> String {
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control() && !"\t\r\n".contains(c));
    match std::str::from_utf8(bytes).ok().filter(is_text) {
        Some(text) if !text.is_empty() => serde_json::Value::from(text).to_string(),
        _ => HEXLOWER.encode(bytes),
    }
}
