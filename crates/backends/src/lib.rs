//! Calling models, HTTP agents and child processes: plain async functions.
//!
//! [`Backends`] answers the executor's requests. [`pure`] answers those that need no IO at once,
//! [`mock`] is the model that needs no model, [`Model`] one behind an API, and [`address`] decides which hosts an HTTP agent
//! may have. Dropping a call stops its work: the connection closes, the process group is killed.
//!
//! It must never know realms, routing, or traces.

pub mod address;
mod backends;
mod http;
pub mod mock;
mod models;
mod process;
mod resolver;

pub use backends::{Backends, KEY_HEADER, KEY_VARIABLE, Models, Parts, Pure, pure};
pub use models::{Format, Model, Price, Secret};
pub use process::PATH;
