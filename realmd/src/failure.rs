//! How a command fails: code, message, causes, places and what helps, on standard error.

use std::{
    error::Error,
    fmt::{self, Write as _},
};

use realm_client::catalogue::Code;

/// An error that knows its catalogue entry and what helps against it.
pub(crate) trait Explained: Error {
    /// The catalogue entry.
    fn code(&self) -> Code;

    /// A command or change that helps.
    fn help(&self) -> Option<String> {
        None
    }

    /// The faults at their places in files.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }
}

/// A fault at its place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// File as the person named it, or a variable's name.
    pub(crate) file: String,
    /// Line and column from 1, where known.
    pub(crate) at: Option<(usize, usize)>,
    /// What is wrong.
    pub(crate) what: String,
    /// The line, and how many of its characters are at fault.
    pub(crate) snippet: Option<(String, usize)>,
    /// What helps.
    pub(crate) hint: Option<String>,
}

/// A failed command, ready to be printed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    text: String,
}

impl<E: Explained + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = format!("error[{}]: {error}\n", error.code());
        let mut cause = error.source();
        while let Some(source) = cause {
            push(&mut text, format_args!("  caused by: {source}\n"));
            cause = source.source();
        }
        for place in error.places() {
            push(&mut text, format_args!("{place}"));
        }
        if let Some(help) = error.help() {
            push(&mut text, format_args!("help: {help}\n"));
        }
        Self {
            code: error.code(),
            text,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => writeln!(f, "  {}:{line}:{column}: {}", self.file, self.what)?,
            None => writeln!(f, "  {}: {}", self.file, self.what)?,
        }
        if let (Some((line, column)), Some((snippet, width))) = (self.at, &self.snippet) {
            let number = line.to_string();
            let (gap, indent) = (
                " ".repeat(number.len()),
                " ".repeat(column.saturating_sub(1)),
            );
            writeln!(f, "    {number} | {snippet}")?;
            writeln!(f, "    {gap} | {indent}{}", "^".repeat((*width).max(1)))?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "    help: {hint}"),
            None => Ok(()),
        }
    }
}

/// Writes to memory, which cannot fail.
fn push(text: &mut String, arguments: fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}
