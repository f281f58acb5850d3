//! A request's address.

use std::fmt::Display;

use crate::api::routes;

/// A path with its query.
pub(super) struct Address {
    text: String,
    separator: char,
}

impl Address {
    pub(super) fn new(path: &str) -> Self {
        Self {
            text: path.to_owned(),
            separator: '?',
        }
    }

    pub(super) fn add(&mut self, name: &str, value: Option<impl Display>) {
        let Some(value) = value else { return };
        self.text.push(self.separator);
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&routes::encode(&value.to_string()));
        self.separator = '&';
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
