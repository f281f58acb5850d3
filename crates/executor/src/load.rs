//! Files become manifests: LSEM, our own form, the LoopStacks sketch, agents, stacks and realms of the LoopStacks
//! Platform, and InterRealm's capabilities and meshes, in YAML or JSON.

mod approval;
mod body;
mod broadcast;
mod budget;
mod capability;
mod commands;
mod container;
mod document;
pub(crate) mod duration;
mod json_text;
mod mesh;
mod mesh_policies;
mod model_tools;
mod node;
mod object;
mod platform;
mod platform_realm;
mod problem;
mod references;
mod retry;
mod route;
mod schemas;
mod sketch;
mod states;
mod steps;
mod values;
mod yaml_text;

use std::sync::Arc;

use serde_json::Value;

use crate::{Manifest, Origin, Stack};
use document::Reader;
use node::Node;

pub use mesh::Mesh;
pub use platform_realm::PlatformRealm;
pub use problem::Problem;

/// Bytes in one file; more is refused.
const FILE_BYTES: usize = 1024 * 1024;

/// What a file defines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Loops.
    pub loops: Vec<Manifest>,
    /// Stacks, which become loops once it is known who has their capabilities:
    /// [`crate::Registry::plan_stacks`].
    pub stacks: Vec<Stack>,
    /// Routes of the realms of meshes.
    pub meshes: Vec<Mesh>,
    /// What realms of the LoopStacks Platform are restricted to.
    pub realms: Vec<PlatformRealm>,
}

/// Reads every loop of a file. `files` gives the text of a file that a schema names with
/// `{$file: …}`, relative to this one.
///
/// # Errors
/// Every problem of every document, with line and column.
pub fn load(
    file_name: &str,
    text: &str,
    files: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Vec<Problem>> {
    let file: Arc<str> = file_name.into();
    let documents = parse(&file, text).map_err(|problem| vec![problem])?;
    if documents.is_empty() {
        let origin = Origin {
            file,
            line: 1,
            column: 1,
        };
        return Err(vec![Problem::at(
            &origin,
            "file.empty",
            "the file holds no document",
        )]);
    }
    let mut reader = Reader::new(file, files);
    for document in &documents {
        reader.read(document);
    }
    reader.finish()
}

/// Reads one manifest in our own form.
pub(crate) fn from_value(document: &Value) -> Result<Manifest, Vec<Problem>> {
    let mut reader = Reader::new("".into(), &|_| None);
    reader.read(&Node::from_value(document));
    // What a route announces comes after it.
    let mut loops = reader.finish()?.loops.into_iter();
    loops.next().ok_or_else(Vec::new)
}

fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Node>, Problem> {
    let start = Origin {
        file: file.clone(),
        line: 1,
        column: 1,
    };
    if text.len() > FILE_BYTES {
        let what = format!("the file has more than {FILE_BYTES} bytes");
        return Err(Problem::at(&start, "file.size", what));
    }
    let json = if file.ends_with(".yaml") || file.ends_with(".yml") {
        false
    } else {
        file.ends_with(".json") || text.trim_start().starts_with('{')
    };
    if json {
        json_text::parse(file, text).map(|document| vec![document])
    } else {
        yaml_text::parse(file, text)
    }
}
