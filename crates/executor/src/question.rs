//! What a call asks people while it is at work, and what they have said.
//!
//! A tool whose loop says whom it may ask (`asks`) answers with a [`Question`] instead of an output. It is asked
//! again once people have said something, and is given all its questions with their answers.

use realm_protocol::{json as strict, limits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a call asks people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What people read.
    question: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<Value>,
}

/// What people have said of a request for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whether they agree.
    pub granted: bool,
    /// Who has said so.
    pub people: Vec<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a tool has answered.
pub(crate) enum Reply {
    /// What it was asked for.
    Output(Value),
    /// That people are to answer first.
    Question(Question),
}

/// What one call has asked people, and what they have said.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Interview {
    answers: Vec<Answered>,
    /// What they have not answered yet.
    open: Option<Question>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    #[serde(flatten)]
    question: Question,
    #[serde(flatten)]
    said: Said,
}

impl Reply {
    /// Reads `{"output": …}` or `{"ask": {"question": …, "about": …}}`. What a loop with state answers beside its
    /// output is left where it is.
    ///
    /// # Errors
    /// What does not read, one line a fault.
    pub(crate) fn read(answer: Value, keeps: bool) -> Result<Self, Vec<String>> {
        let wanted = "a loop that asks people answers {output} or {ask: {question, about}}";
        let Value::Object(mut object) = answer else {
            return Err(vec![format!("(root): {wanted}")]);
        };
        if let Some(asked) = object.remove("ask") {
            return match object.is_empty() {
                true => Question::read(asked).map(Self::Question),
                false => Err(vec![format!("(root): {wanted}, and not both")]),
            };
        }
        if keeps {
            return Ok(Self::Output(Value::Object(object)));
        }
        match object.remove("output") {
            Some(output) if object.is_empty() => Ok(Self::Output(output)),
            _ => Err(vec![format!("(root): {wanted}")]),
        }
    }
}

impl Question {
    fn read(asked: Value) -> Result<Self, Vec<String>> {
        let read: Result<Self, _> = serde_json::from_value(asked);
        let read = read.map_err(|error| vec![format!("/ask: {error}")])?;
        let mut faults = Vec::new();
        if !(1..=limits::QUESTION_CHARS).contains(&read.question.chars().count()) {
            let most = limits::QUESTION_CHARS;
            faults.push(format!("/ask/question: it has 1 to {most} characters"));
        }
        let about = read
            .about
            .as_ref()
            .map_or(0, |about| strict::to_bytes(about).len());
        if about > limits::QUESTION_BYTES {
            let most = limits::QUESTION_BYTES;
            faults.push(format!("/ask/about: it has at most {most} bytes"));
        }
        match faults.is_empty() {
            true => Ok(read),
            false => Err(faults),
        }
    }
}

impl Interview {
    /// Asks something more; gives whether that is within its bounds.
    pub(crate) fn ask(&mut self, question: Question) -> bool {
        let within = self.answers.len() < limits::QUESTIONS;
        self.open = within.then_some(question);
        within
    }

    /// What people are shown. The number makes each question a request of its own.
    pub(crate) fn shown(&self) -> Option<Value> {
        let Question { question, about } = self.open.as_ref()?;
        let mut shown = json!({"question": question, "number": self.answers.len() + 1});
        if let (Some(about), Some(members)) = (about, shown.as_object_mut()) {
            members.insert("about".to_owned(), about.clone());
        }
        Some(shown)
    }

    /// Takes what people have said; gives whether something was open.
    pub(crate) fn answer(&mut self, said: Said) -> bool {
        let asked = self.open.take();
        let answered = asked.map(|question| Answered { question, said });
        let was_open = answered.is_some();
        self.answers.extend(answered);
        was_open
    }

    /// What the tool is given.
    pub(crate) fn answers(&self) -> Value {
        json!(self.answers)
    }

    /// What is written down of it; nothing before the first question.
    pub(crate) fn to_state(&self) -> Option<Value> {
        let begun = self.open.is_some() || !self.answers.is_empty();
        begun.then(|| json!(self))
    }

    /// Reads what [`Interview::to_state`] wrote.
    pub(crate) fn from_state(state: &Value) -> Option<Self> {
        serde_json::from_value(state.clone()).ok()
    }
}
