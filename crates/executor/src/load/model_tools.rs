//! The loops that a model may call.

use realm_protocol::limits;

use super::{
    document::{Reader, Rule, rule},
    node::Node,
    object::{self, Object},
};
use crate::{Call, ModelTool};

/// Letters of a tool's name at most, as the APIs of models take them.
const NAME: usize = 64;

impl Reader<'_> {
    pub(super) fn model_tools(&mut self, node: &Node) -> Option<Vec<ModelTool>> {
        const RULE: Rule = rule!("prompt.tools");
        let items = self.items(node, RULE)?;
        if items.len() > limits::MODEL_TOOLS {
            let what = format!("a model is offered at most {} tools", limits::MODEL_TOOLS);
            self.problem(node.at, RULE, what);
        }
        let mut names = Vec::new();
        let mut read = Vec::new();
        for item in items {
            read.push(self.model_tool(item, &mut names));
        }
        read.into_iter().collect()
    }

    fn model_tool(&mut self, node: &Node, names: &mut Vec<String>) -> Option<ModelTool> {
        let mut object = Object::of(self, node, rule!("prompt.tools"))?;
        let name = object.need(self, "name", rule!("prompt.tools.name"));
        let name = name.and_then(|node| self.tool_name(node, names));
        let description = object.text(self, "description", rule!("prompt.tools.description"));
        let described = object.get("inputSchema").is_some();
        let input_schema = match described {
            true => Some(self.schema(
                &mut object,
                "inputSchema",
                rule!("prompt.tools.inputSchema"),
            )?),
            false => None,
        };
        // The site's sketch has its own word for it.
        let address = object.get("loopRef");
        let address = address.or_else(|| object.need(self, "loopId", rule!("prompt.tools.loopId")));
        let loop_id = address.and_then(|node| self.parsed(node, rule!("prompt.tools.loopId")));
        let loop_version = self.step_version(&mut object);
        let digest = object
            .get("digest")
            .map(|node| self.parsed(node, rule!("prompt.tools.digest")));
        let retry = self.retry(&mut object);
        let timeout_ms = self.span(&mut object, "timeout", rule!("prompt.tools.timeout"));
        let budget = self.budget(&mut object);
        let approval = self.approval(&mut object);
        let origin = self.origin(object.at);
        object.finish(self);
        Some(ModelTool {
            name: name?,
            description: description.map(str::to_owned),
            input_schema,
            call: Call {
                loop_id: loop_id?,
                loop_version,
                digest: match digest {
                    Some(read) => Some(read?),
                    None => None,
                },
                input_mapping: None,
                for_each: None,
                retry,
                timeout_ms,
                fallback: None,
                budget,
                approval,
                origin,
            },
        })
    }

    fn tool_name(&mut self, node: &Node, names: &mut Vec<String>) -> Option<String> {
        const RULE: Rule = rule!("prompt.tools.name");
        let name = object::text(self, node, RULE)?;
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=NAME).contains(&name.len()) || !name.chars().all(letter) {
            let what = format!("a tool's name has 1 to {NAME} letters, digits, `-` and `_`");
            self.problem(node.at, RULE, what);
        }
        if names.iter().any(|known| known == name) {
            self.problem(node.at, RULE, format!("`{name}` is another tool already"));
        }
        names.push(name.to_owned());
        Some(name.to_owned())
    }
}
