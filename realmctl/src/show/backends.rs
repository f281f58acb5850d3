//! Model backends and MCP servers.

use realm_client::api::{BackendView, ImageView, ModelToolView, ToolView};

use super::{Row, rows, text};
use crate::output::{Block, Show};

impl Row for BackendView {
    const HEADER: &'static [&'static str] =
        &["BACKEND", "FORMAT", "MODEL", "PRICE", "FAULT", "AT", "KEY"];
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
            text(self.url.as_ref().or(self.argv.as_ref())),
            text(self.key.as_ref()),
        ]
    }
}

impl Show for BackendView {
    fn names(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let tokens = self.max_tokens.map(|tokens| tokens.to_string());
        let mut fields = vec![
            ("backend", self.id.clone()),
            ("format", self.format.clone()),
        ];
        match &self.argv {
            Some(argv) => fields.push(("argv", argv.clone())),
            None => fields.push(("url", text(self.url.as_ref()))),
        }
        fields.push(("key", text(self.key.as_ref())));
        if !matches!(self.format.as_str(), "mcp" | "docker") {
            fields.extend([
                ("model", text(self.model.as_ref())),
                ("tokens", text(tokens.as_ref())),
                ("price", text(self.price.as_ref())),
            ]);
        }
        fields.push(("fault", text(self.fault.as_ref())));
        let mut blocks = vec![Block::Fields(fields)];
        if !self.tools.is_empty() {
            blocks.push(rows(&self.tools, wide));
        }
        if !self.images.is_empty() {
            blocks.push(rows(&self.images, wide));
        }
        blocks
    }
}

impl Row for ImageView {
    const HEADER: &'static [&'static str] = &["IMAGE", "LOOPS", "FAULT"];
    const NARROW: usize = 3;

    fn name(&self) -> String {
        self.image.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.image.clone(),
            self.loops.join(", "),
            text(self.fault.as_ref()),
        ]
    }
}

impl Row for ModelToolView {
    const HEADER: &'static [&'static str] =
        &["TOOL", "LOOP", "STATE", "DESCRIPTION", "FAULT", "DIGEST"];
    const NARROW: usize = 5;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.loop_id.clone(),
            self.state.name().to_owned(),
            text(self.description.as_ref()),
            text(self.fault.as_ref()),
            self.digest.clone(),
        ]
    }
}

impl Row for ToolView {
    const HEADER: &'static [&'static str] = &["TOOL", "STATE", "LOOPS", "DESCRIPTION", "DIGEST"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state.name().to_owned(),
            self.loops.join(", "),
            text(self.description.as_ref()),
            self.digest.clone(),
        ]
    }
}
