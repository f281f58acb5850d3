//! The ticket's text form: what `invite` prints and `join` takes.
//!
//! `realm-ticket-v1:`, then base64url without padding of the ticket's CBOR and the first four
//! bytes of its SHA-256. The checksum finds slips of copying; it proves nothing.

use realm_protocol::{
    cbor::CborError,
    records::{Ticket, TicketKind},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::{
    api::{InviteKind, Time},
    catalogue::Code,
    line::{self, LineError},
};

/// What every ticket of this version begins with.
pub const PREFIX: &str = "realm-ticket-v1:";

/// Longest text that is read, bytes.
pub const TEXT_BYTES: usize = 8 * 1024;

/// Why a text is no ticket.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TicketError {
    /// It does not begin with [`PREFIX`], or is longer than any ticket.
    #[error("not a ticket: it must begin with `{PREFIX}`")]
    NotATicket,
    /// It begins like a ticket of another version.
    #[error("a ticket of another version: `{0}`")]
    Version(String),
    /// A character is not base64url, or the text is cut.
    #[error("the ticket is damaged or cut")]
    Damaged,
    /// The checksum does not fit.
    #[error("the ticket's checksum does not fit; a character was changed or lost")]
    Checksum,
    /// The bytes are no ticket.
    #[error("the ticket does not say what a ticket says")]
    Content(#[from] CborError),
}

impl TicketError {
    /// The catalogue entry.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotATicket | Self::Damaged | Self::Content(_) => Code::TicketMalformed,
            Self::Checksum => Code::TicketChecksum,
            Self::Version(_) => Code::TicketVersion,
        }
    }
}

/// A ticket without its secret, for people to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketView {
    /// The invitation's id.
    pub id: String,
    /// What it invites to.
    pub kind: InviteKind,
    /// The child's label, or what the inviter would like to be called.
    pub label: String,
    /// The inviting realm's name, as its inviter has it.
    pub name: String,
    /// The inviting realm's id.
    pub realm: String,
    /// Id of the root of its tree.
    pub root: String,
    /// Id of the node to be believed at the addresses.
    pub node: String,
    /// Addresses, the best first.
    pub addresses: Vec<String>,
    /// When it is no longer good.
    pub expires_at: Time,
}

/// Writes a ticket as one line. The line holds the ticket's secret.
pub fn encode(ticket: &Ticket) -> String {
    line::write(PREFIX, ticket)
}

/// Reads a ticket; white space around it is ignored.
///
/// # Errors
/// [`TicketError`] says whether the text is no ticket, another version's, or damaged.
pub fn decode(text: &str) -> Result<Ticket, TicketError> {
    line::read(PREFIX, TEXT_BYTES, text).map_err(|error| match error {
        LineError::Prefix if text.len() > TEXT_BYTES => TicketError::NotATicket,
        LineError::Prefix => foreign(text.trim()),
        LineError::Damaged => TicketError::Damaged,
        LineError::Checksum => TicketError::Checksum,
        LineError::Content(error) => TicketError::Content(error),
    })
}

/// Reads a ticket for people: everything but its secret.
///
/// # Errors
/// As [`decode`].
pub fn show(text: &str) -> Result<TicketView, TicketError> {
    let ticket = decode(text)?;
    let (kind, label) = match ticket.kind {
        TicketKind::Child(label) => (InviteKind::Child, label),
        TicketKind::Peer(label) => (InviteKind::Peer, label),
    };
    let name = if ticket.path.is_root() {
        ticket.petname.to_string()
    } else {
        format!("{}/{}", ticket.petname, ticket.path)
    };
    Ok(TicketView {
        id: ticket.id.to_string(),
        kind,
        label: label.to_string(),
        name,
        realm: ticket.realm.to_string(),
        root: ticket.root.to_string(),
        node: ticket.node.to_string(),
        addresses: ticket.addresses,
        expires_at: Time::from_millis(ticket.expires.as_millis()),
    })
}

fn foreign(text: &str) -> TicketError {
    match text.split_once(':') {
        Some((version, _)) if version.starts_with("realm-ticket-") => {
            TicketError::Version(version.chars().take(40).collect())
        }
        _ => TicketError::NotATicket,
    }
}

#[cfg(test)]
mod tests;
