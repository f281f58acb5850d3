//! What must not be shown.

use std::{collections::BTreeMap, fmt};

use realm_executor::{BackendError, BackendOutput, BackendReply};
use serde_json::Value;

/// Something that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes what must not be shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text without it. What is shortened is masked before: half a secret is not found any more.
    pub(crate) fn masked(&self, text: &str) -> String {
        match self.0.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.0, "…"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The secrets that loops may name, each as it was read, or why it cannot be had.
pub type NamedSecrets = BTreeMap<String, Result<Secret, String>>;

/// A secret by its name.
///
/// # Errors
/// [`BackendError::NoSecret`].
pub(crate) fn named<'s>(held: &'s NamedSecrets, name: &str) -> Result<&'s Secret, BackendError> {
    let reason = match held.get(name) {
        Some(Ok(secret)) => return Ok(secret),
        Some(Err(reason)) => reason.clone(),
        None => "this realm has none of that name".to_owned(),
    };
    Err(BackendError::NoSecret {
        name: name.to_owned(),
        reason,
    })
}

/// All that one server is told in secret, and may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    /// Takes what there is; the longest is masked first, which another may be a part of.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets: Vec<Secret> = secrets.into_iter().cloned().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        Self(secrets)
    }

    /// Takes one more.
    pub(crate) fn add(&mut self, secret: &Secret) {
        let all = self.0.iter().chain([secret]);
        *self = Self::new(all);
    }

    /// A failure without any of them, wherever it says what somebody else has written.
    pub(crate) fn masked_in(&self, error: BackendError) -> BackendError {
        match error {
            BackendError::Exit { code, stderr } => BackendError::Exit {
                code,
                stderr: self.masked(&stderr),
            },
            BackendError::Signal { signal, stderr } => BackendError::Signal {
                signal,
                stderr: self.masked(&stderr),
            },
            BackendError::BadOutput { reason } => BackendError::BadOutput {
                reason: self.masked(&reason),
            },
            BackendError::Reported {
                message,
                category,
                retry_after_ms,
            } => BackendError::Reported {
                message: self.masked(&message),
                category,
                retry_after_ms,
            },
            other => other,
        }
    }

    /// What a command has printed, without any of them: it may show what it was given.
    pub(crate) fn masked_in_print(&self, mut reply: BackendReply) -> BackendReply {
        if let BackendOutput::Json(output) = &mut reply.output {
            for printed in ["stdout", "stderr"] {
                if let Some(Value::String(text)) = output.get_mut(printed) {
                    *text = self.masked(text);
                }
            }
        }
        reply
    }

    /// A text without any of them.
    pub(crate) fn masked(&self, text: &str) -> String {
        let all = self.0.iter();
        all.fold(text.to_owned(), |text, secret| secret.masked(&text))
    }
}
