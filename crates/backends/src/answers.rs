//! What others answer, read apart from any exchange: for those who try the readers with bytes that
//! nobody has thought of.

pub use crate::{
    ldap::apart::directory,
    mcp::apart::{Told, server},
    models::apart::{Shown, model},
    oidc::apart::{Said, provider},
};
