//! Calling models, agents, child processes and MCP servers: plain async functions.
//!
//! [`Backends`] answers the executor's requests. [`pure`] answers those that need no IO at once,
//! [`mock`] is the model that needs no model, [`Model`] one behind an API, [`Server`] one of the Model
//! Context Protocol, [`Attached`] the agents that have come by themselves, and [`address`] decides which
//! hosts may be called. Dropping a call stops its work: the connection closes, the process group is killed.
//!
//! It must never know realms, routing, or traces.

pub mod address;
pub mod answers;
pub mod attached;
mod backends;
mod containers;
mod http;
mod kept;
mod ldap;
mod mcp;
pub mod mock;
mod models;
mod oidc;
mod opened;
mod parts;
mod people;
mod pieces;
mod process;
mod progress;
mod resolver;
mod sandbox;
mod secret;
mod words;

pub use attached::Attached;
pub use backends::{Backends, KEY_HEADER, KEY_VARIABLE, Models, Pure, pure};
pub use containers::{ContainerRules, EngineView};
pub use ldap::{Directory, DirectoryKind, DirectoryTerms, is_directory_url};
pub use mcp::{Server, Servers, ToolDefinition, tool_fault};
pub use models::{Format, Model};
pub use oidc::{Device, DeviceAnswer, Provider, ProviderTerms, Renewal, is_issuer};
pub use opened::{Opened, OpenedHost, ParseOpenedError};
pub use parts::{Parts, Written};
pub use people::{Account, DirectoryError};
pub use process::{PATH, ProcessRules};
pub use progress::Progress;
pub use sandbox::{Launcher, confine_if_asked};
pub use secret::{NamedSecrets, Secret};
