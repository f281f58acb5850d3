//! Files become manifests: LSEM, our own form, and the LoopStacks sketch, in YAML or JSON.

mod body;
mod broadcast;
mod document;
pub(crate) mod duration;
mod json_text;
mod model_tools;
mod node;
mod object;
mod problem;
mod references;
mod retry;
mod schemas;
mod sketch;
mod steps;
mod values;
mod yaml_text;

use std::sync::Arc;

use serde_json::Value;

use crate::{Manifest, Origin};
use document::Reader;
use node::Node;

pub use problem::Problem;

/// Bytes in one file; more is refused.
const FILE_BYTES: usize = 1024 * 1024;

/// Reads every loop of a file. `files` gives the text of a file that a schema names with
/// `{$file: …}`, relative to this one.
///
/// # Errors
/// Every problem of every document, with line and column.
pub fn load(
    file_name: &str,
    text: &str,
    files: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Manifest>, Vec<Problem>> {
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
    let manifests: Vec<Manifest> = documents
        .iter()
        .filter_map(|document| reader.read(document))
        .collect();
    reader.finish(manifests)
}

/// Reads one manifest in our own form.
pub(crate) fn from_value(document: &Value) -> Result<Manifest, Vec<Problem>> {
    let mut reader = Reader::new("".into(), &|_| None);
    let read = reader.read(&Node::from_value(document));
    let mut manifests = reader.finish(read.into_iter().collect())?;
    manifests.pop().ok_or_else(Vec::new)
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
