//! Model backends.

use realm_client::api::BackendView;

use super::{Row, text};
use crate::output::{Block, Show};

impl Row for BackendView {
    const HEADER: &'static [&'static str] =
        &["BACKEND", "FORMAT", "MODEL", "PRICE", "FAULT", "URL", "KEY"];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.format.clone(),
            text(self.model.as_ref()),
            text(self.price.as_ref()),
            text(self.fault.as_ref()),
            text(self.url.as_ref()),
            text(self.key.as_ref()),
        ]
    }
}

impl Show for BackendView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let tokens = self.max_tokens.map(|tokens| tokens.to_string());
        vec![Block::Fields(vec![
            ("backend", self.id.clone()),
            ("format", self.format.clone()),
            ("url", text(self.url.as_ref())),
            ("model", text(self.model.as_ref())),
            ("key", text(self.key.as_ref())),
            ("tokens", text(tokens.as_ref())),
            ("price", text(self.price.as_ref())),
            ("fault", text(self.fault.as_ref())),
        ])]
    }
}
