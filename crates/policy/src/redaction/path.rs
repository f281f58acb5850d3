//! Paths into a JSON document: the part of RFC 9535 that names places.

use super::RedactionError;

/// A way into a document.
#[derive(Clone, Debug)]
pub(super) struct Path {
    steps: Vec<Step>,
}

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of that name.
    Name(String),
    /// The item at that place.
    Index(usize),
    /// Every member and every item.
    Every,
    /// Whatever lies below, however deep, and this value itself.
    Below,
}

impl Step {
    pub(super) fn is_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Every => true,
            Self::Index(_) | Self::Below => false,
        }
    }

    pub(super) fn is_index(&self, index: usize) -> bool {
        match self {
            Self::Index(own) => *own == index,
            Self::Every => true,
            Self::Name(_) | Self::Below => false,
        }
    }
}

/// What is left of the paths after a step that `takes` it. A path never comes twice.
pub(super) fn below<'a>(here: &[&'a [Step]], takes: impl Fn(&Step) -> bool) -> Vec<&'a [Step]> {
    let mut left: Vec<&[Step]> = Vec::new();
    let mut add = |steps: &'a [Step]| {
        let known = left.iter().any(|known| std::ptr::eq(*known, steps));
        if !known {
            left.push(steps);
        }
    };
    for steps in here {
        match steps.split_first() {
            Some((Step::Below, rest)) => {
                add(steps);
                if let Some((step, rest)) = rest.split_first()
                    && takes(step)
                {
                    add(rest);
                }
            }
            Some((step, rest)) if takes(step) => add(rest),
            _ => {}
        }
    }
    left
}

impl Path {
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn read(text: &str) -> Result<Self, RedactionError> {
        let wrong = |left: &str, expected| RedactionError::Path {
            path: text.to_owned(),
            at: text.len().saturating_sub(left.len()),
            expected,
        };
        let mut left = text.strip_prefix('$').ok_or_else(|| wrong(text, "`$`"))?;
        let mut steps = Vec::new();
        while !left.is_empty() {
            let (step, after) = if let Some(after) = left.strip_prefix("..") {
                steps.push(Step::Below);
                match after.strip_prefix('[') {
                    Some(inside) => bracketed(inside).map_err(|(at, why)| wrong(at, why))?,
                    None => dotted(after).map_err(|(at, why)| wrong(at, why))?,
                }
            } else if let Some(after) = left.strip_prefix('.') {
                dotted(after).map_err(|(at, why)| wrong(at, why))?
            } else if let Some(inside) = left.strip_prefix('[') {
                bracketed(inside).map_err(|(at, why)| wrong(at, why))?
            } else {
                return Err(wrong(left, "`.` or `[`"));
            };
            steps.push(step);
            left = after;
        }
        Ok(Self { steps })
    }
}

/// A step and what follows it, or where and why there is none.
type Read<'a> = Result<(Step, &'a str), (&'a str, &'static str)>;

fn dotted(text: &str) -> Read<'_> {
    if let Some(after) = text.strip_prefix('*') {
        return Ok((Step::Every, after));
    }
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || !c.is_ascii());
    let (name, after) = text.split_at(text.find(ends).unwrap_or(text.len()));
    if name.is_empty() {
        return Err((text, "a name or `*`"));
    }
    Ok((Step::Name(name.to_owned()), after))
}

fn bracketed(text: &str) -> Read<'_> {
    let close = |step, after: &'_ str| match after.strip_prefix(']') {
        Some(after) => Ok((step, after.len())),
        None => Err((after.len(), "`]`")),
    };
    let place = |length: usize| {
        text.get(text.len().saturating_sub(length)..)
            .unwrap_or_default()
    };
    let read = if let Some(after) = text.strip_prefix('*') {
        close(Step::Every, after)
    } else if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (name, after) = quoted(text.get(1..).unwrap_or_default(), quote)?;
        close(Step::Name(name), after)
    } else {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = text.split_at(digits);
        match number.parse() {
            Ok(index) => close(Step::Index(index), after),
            Err(_) => Err((text.len(), "a number, a quoted name or `*`")),
        }
    };
    match read {
        Ok((step, length)) => Ok((step, place(length))),
        Err((length, why)) => Err((place(length), why)),
    }
}

/// A name up to its closing quote; a backslash takes the character after it as it is.
fn quoted(text: &str, quote: char) -> Result<(String, &str), (&str, &'static str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Ok((name, text.get(at + c.len_utf8()..).unwrap_or_default()));
        }
        if c == '\\' {
            match characters.next() {
                Some((_, escaped @ ('\\' | '\'' | '"' | '/'))) => name.push(escaped),
                _ => {
                    return Err((
                        text.get(at..).unwrap_or_default(),
                        "a quote or `\\` after `\\`",
                    ));
                }
            }
        } else {
            name.push(c);
        }
    }
    Err((
        text.get(text.len()..).unwrap_or_default(),
        "the closing quote",
    ))
}
