//! Data on stdout, in the format that was asked for.

mod yaml;

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use serde::Serialize;
use serde_json::Value;

use crate::{cli::Format, escape};

/// One part of what people read.
#[derive(Clone, Debug)]
pub enum Block {
    /// Columns under a header; nothing without rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// Names and values, aligned.
    Fields(Vec<(&'static str, String)>),
    /// Text as it is.
    Text(String),
}

/// What a command can print.
pub trait Show: Serialize {
    /// What `-o name` prints.
    fn names(&self) -> Vec<String>;

    /// What people read.
    fn blocks(&self, wide: bool) -> Vec<Block>;

    /// What `-o ndjson` prints, one a line; none for the value itself.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }
}

/// Writes a value in a format, with a line break at its end unless it is empty.
///
/// # Errors
/// `serde_json`'s error when the value has no JSON form.
pub fn render<T: Show + ?Sized>(value: &T, format: Format) -> Result<String, serde_json::Error> {
    let text = match format {
        Format::Table => blocks(&value.blocks(false)),
        Format::Wide => blocks(&value.blocks(true)),
        Format::Json => json(&serde_json::to_value(value)?)?,
        Format::Yaml => yaml::write(&serde_json::to_value(value)?),
        Format::Ndjson => ndjson(value)?,
        Format::Name => lines(value.names().iter().map(|name| escape::line(name))),
    };
    Ok(text)
}

/// Writes a JSON document for people, safe for a terminal.
///
/// # Errors
/// `serde_json`'s.
pub fn json(value: &Value) -> Result<String, serde_json::Error> {
    Ok(format!(
        "{}\n",
        escape::json(&serde_json::to_string_pretty(value)?)
    ))
}

/// Writes a JSON document on one line, safe for a terminal.
///
/// # Errors
/// `serde_json`'s.
pub fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    Ok(format!(
        "{}\n",
        escape::json(&serde_json::to_string(value)?)
    ))
}

fn ndjson<T: Show + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    match value.items() {
        Some(items) => items.iter().map(json_line).collect(),
        None => json_line(value),
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

fn blocks(blocks: &[Block]) -> String {
    let written = blocks.iter().map(block).filter(|text| !text.is_empty());
    written.collect::<Vec<_>>().join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(text) if text.is_empty() => String::new(),
        Block::Text(text) => format!("{}\n", escape::text(text.trim_end_matches('\n'))),
        Block::Fields(fields) => fields_text(fields),
        Block::Table(_, rows) if rows.is_empty() => String::new(),
        Block::Table(header, rows) => table(header, rows),
    }
}

fn fields_text(fields: &[(&'static str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&'static str, String)| {
        format!("{name:width$}  {}", escape::line(value))
            .trim_end()
            .to_owned()
    };
    lines(fields.iter().map(line))
}

fn table(header: &[&'static str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| escape::line(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(table.lines().map(|line| line.trim_end().to_owned()))
}
