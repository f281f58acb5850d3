//! A run's trace as a file for other programs and other people.
//!
//! [`html`] is one page that needs nothing else, [`json`] the whole trace with its frames, [`csv`]
//! a row a frame for a spreadsheet, [`otlp`] a span a frame for collectors of OpenTelemetry.

mod csv;
mod html;
mod json;
mod otlp;

pub use csv::{audit_csv, csv};
pub use html::html;
pub use json::{Document, ExportedFrame, FORMAT, json};
pub use otlp::{SCHEMA_URL, otlp};
