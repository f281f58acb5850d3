//! The agent that the loops under test run: it has an effect, writes that down, and answers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    thread,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::pace::ms;

/// Reads one call from standard input, appends `KEY EFFECT` to the file of effects, and answers
/// with both. The effect is durable before the answer is given: what is in the file has happened.
///
/// # Errors
/// The input is no call, or the file cannot be written.
pub(crate) fn run(effects: &Path) -> anyhow::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let call: Value = serde_json::from_str(&input)?;
    let key = call["key"].as_str().context("the call has no key")?;
    let effect = random()?;
    thread_pause(call["before"].as_u64().unwrap_or_default());
    let mut file = OpenOptions::new().append(true).create(true).open(effects)?;
    // One write, so that lines of agents that run at once do not mix.
    file.write_all(format!("{key} {effect}\n").as_bytes())?;
    file.sync_data()?;
    thread_pause(call["after"].as_u64().unwrap_or_default());
    println!("{}", json!({"key": key, "effect": effect}));
    Ok(())
}

fn thread_pause(milliseconds: u64) {
    #[expect(clippy::disallowed_methods, reason = "the time that real work takes")]
    thread::sleep(ms(milliseconds));
}

fn random() -> io::Result<String> {
    let mut bytes = [0_u8; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
