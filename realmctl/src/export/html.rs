//! One page that needs nothing else: no network, no fonts, no other file.

use data_encoding::BASE64;
use realm_client::trace::TraceTree;
use sha2::{Digest as _, Sha256};

use super::Document;
use crate::escape;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes a trace as a page. Its policy lets nothing run but its own script, and nothing load.
///
/// # Errors
/// `serde_json`'s.
pub fn html(tree: &TraceTree) -> Result<String, serde_json::Error> {
    let summary = &tree.trace.run.summary;
    let digest: [u8; 32] = Sha256::digest(SCRIPT).into();
    let values = [
        ("{{hash}}", BASE64.encode(&digest)),
        (
            "{{title}}",
            text(&format!("{} {}", summary.loop_id, summary.id)),
        ),
        ("{{style}}", STYLE.to_owned()),
        ("{{script}}", SCRIPT.to_owned()),
        (
            "{{data}}",
            data(&serde_json::to_string(&Document::new(tree))?),
        ),
    ];
    Ok(filled(PAGE, &values))
}

/// Fills in the places of a template, each once and from left to right, so that nothing filled in
/// is taken for a place.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let place = values.iter().find_map(|(name, value)| {
            let name = name.strip_prefix("{{")?;
            Some((after.strip_prefix(name)?, value))
        });
        match place {
            Some((after, value)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// JSON that cannot end the element it stands in.
fn data(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in escape::json(json).chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
    out
}

fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape::line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}
