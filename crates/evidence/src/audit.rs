//! A part of a realm's audit log: that nothing in it was removed, changed, moved or added since its
//! node signed it.

use realm_protocol::{
    Digest, RealmId, Timestamp,
    audit::{AuditDetails, AuditEntry, AuditExport, AuditHead, AuditItem, Frontier, entry_digest},
    cbor::{self, CborError},
    limits::{AUDIT_HEADS, AUDIT_ITEMS, AUDIT_PAGES},
    records::Signed,
};
use serde::Serialize;
use thiserror::Error;

use crate::chains::{Chains, SignatureError};

/// What a part of an audit log shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditAccount {
    /// The realm.
    pub realm: RealmId,
    /// The place of the first entry.
    pub first: u64,
    /// How many entries the log has where the part ends.
    pub count: u64,
    /// The root of the tree of all of them.
    pub root: Digest,
    /// When that was signed.
    pub signed: Timestamp,
    /// How many entries it shows.
    pub shown: u64,
    /// How many of these have lost who asked and what about.
    pub erased: u64,
    /// Of how many it has digests alone.
    pub hidden: u64,
    /// How many heads were checked, the last included.
    pub heads: u64,
    /// When the first entry that is shown was written.
    pub since: Option<Timestamp>,
    /// When the last one was.
    pub until: Option<Timestamp>,
}

/// What is wrong with a part of an audit log. Entries go by their places in the whole log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AuditError {
    /// There is no chain in it, or it does not hold.
    #[error("the realm's chain: {0}")]
    Chain(#[source] SignatureError),
    /// A head is not the realm's.
    #[error("the head signed at {count} entries: {error}")]
    Head {
        /// How many entries it says there are.
        count: u64,
        /// Why it proves nothing.
        #[source]
        error: SignatureError,
    },
    /// A head is of another realm, or lies outside the part.
    #[error("the head signed at {count} entries does not belong to this part of the log")]
    Misplaced {
        /// How many entries it says there are.
        count: u64,
    },
    /// More than may be.
    #[error(
        "an export has at most {AUDIT_PAGES} pages of {AUDIT_ITEMS} entries, and {AUDIT_HEADS} heads"
    )]
    TooLong,
    /// A page does not read.
    #[error("page {page} does not read: {error}")]
    Page {
        /// Which, from 0.
        page: usize,
        /// Why.
        #[source]
        error: CborError,
    },
    /// What stands before the first entry is not what was signed.
    #[error("what is said of the log before entry {first} is not what was signed")]
    Before {
        /// The first entry.
        first: u64,
    },
    /// An entry does not read.
    #[error("entry {entry} does not read: {error}")]
    Unreadable {
        /// Which.
        entry: u64,
        /// Why.
        #[source]
        error: CborError,
    },
    /// An entry is not there.
    #[error("entry {entry} is missing")]
    Missing {
        /// Which.
        entry: u64,
    },
    /// Another entry stands in its place.
    #[error("in the place of entry {entry} stands entry {found}")]
    Moved {
        /// Whose place it is.
        entry: u64,
        /// Which one stands there.
        found: u64,
    },
    /// There is one more than was signed.
    #[error("entry {entry} is one more than was signed")]
    Superfluous {
        /// Which.
        entry: u64,
    },
    /// An entry is not the one that was signed.
    #[error("entry {entry} was changed")]
    Changed {
        /// Which.
        entry: u64,
    },
    /// The details beside an entry are not its own.
    #[error("the details of entry {entry} were changed")]
    Details {
        /// Which.
        entry: u64,
    },
    /// The witness is no head of this realm.
    #[error("the witness is of the realm {0}")]
    OtherRealm(RealmId),
    /// A head that was signed before has more entries.
    #[error(
        "the log ends with {count} entries, and a head that was signed no later has {witnessed}: it was cut short, or \
         an older one was put back"
    )]
    Short {
        /// How many entries there are.
        count: u64,
        /// How many there were.
        witnessed: u64,
    },
    /// The part is older than the witness, so that there is nothing to hold against it.
    #[error(
        "this part was signed before the witness, which has {witnessed} entries: export it anew"
    )]
    Older {
        /// How many entries the witness has.
        witnessed: u64,
    },
    /// The part begins after the witness.
    #[error("this part begins after the {witnessed} entries of the witness: export a longer one")]
    Later {
        /// How many entries the witness has.
        witnessed: u64,
    },
    /// The realm has signed two stories.
    #[error(
        "the first {count} entries are others than a head says that the realm signed: it has told two stories"
    )]
    Fork {
        /// How many entries the head has.
        count: u64,
    },
    /// Entries lead to another root than was signed.
    #[error("something in entries {from} to {to} was changed")]
    Between {
        /// The first that may have been.
        from: u64,
        /// The last.
        to: u64,
    },
}

impl AuditError {
    /// The place in the log of the entry that is wrong, if it is one.
    pub const fn entry(&self) -> Option<u64> {
        match self {
            Self::Unreadable { entry, .. }
            | Self::Missing { entry }
            | Self::Moved { entry, .. }
            | Self::Superfluous { entry }
            | Self::Changed { entry }
            | Self::Details { entry } => Some(*entry),
            _ => None,
        }
    }
}

/// One place of the log as it was found.
struct Place {
    digest: Digest,
    entry: Option<AuditEntry>,
    erased: bool,
}

/// Examines a part of a log.
pub(crate) fn examine(export: &AuditExport) -> Result<AuditAccount, AuditError> {
    let head = signed_head(export)?;
    let frontier = before(export, &head)?;
    let places = places(export)?;
    counted(&places, export.first, head.count)?;
    linked(export, &places, &head, &frontier)?;
    let heads = rooted(export, &places, &head, frontier)?;
    let shown = places.iter().filter_map(|place| place.entry.as_ref());
    let mut times = shown.clone().map(|entry| entry.at);
    Ok(AuditAccount {
        realm: head.realm,
        first: export.first,
        count: head.count,
        root: head.root,
        signed: head.at,
        shown: shown.clone().count() as u64,
        erased: places.iter().filter(|place| place.erased).count() as u64,
        hidden: places.iter().filter(|it| it.entry.is_none()).count() as u64,
        heads,
        since: times.clone().next(),
        until: times.next_back(),
    })
}

/// Holds a part that was examined against a head that somebody has kept: the last one of another
/// export of the same log.
pub(crate) fn witnessed(export: &AuditExport, witness: &AuditExport) -> Result<(), AuditError> {
    let (head, kept) = (signed_head(export)?, signed_head(witness)?);
    let (count, witnessed) = (head.count, kept.count);
    if kept.realm != head.realm {
        return Err(AuditError::OtherRealm(kept.realm));
    }
    if witnessed > count {
        return Err(match kept.at <= head.at {
            true => AuditError::Short { count, witnessed },
            false => AuditError::Older { witnessed },
        });
    }
    if witnessed < export.first {
        return Err(AuditError::Later { witnessed });
    }
    let mut frontier = before(export, &head)?;
    for place in places(export)? {
        if frontier.count() == witnessed {
            break;
        }
        frontier.push(place.digest);
    }
    match frontier.root() == kept.root {
        true => Ok(()),
        false => Err(AuditError::Fork { count: witnessed }),
    }
}

/// The head that it ends with, after every signature was checked.
fn signed_head(export: &AuditExport) -> Result<AuditHead, AuditError> {
    let unsigned = |error: SignatureError| AuditError::Head { count: 0, error };
    let claimed = export.head.peek().map_err(|error| unsigned(error.into()))?;
    let chain = export.chain.as_ref();
    let chain = chain.ok_or(AuditError::Chain(SignatureError::Unproven(Some(
        claimed.realm,
    ))))?;
    let mut chains = Chains::default();
    chains.prove(chain, claimed.at).map_err(AuditError::Chain)?;
    let check = |head: &Signed<AuditHead>, count| {
        let checked = chains.check_of(head, claimed.realm);
        checked.map_err(|error| AuditError::Head { count, error })
    };
    let head = check(&export.head, claimed.count)?;
    if export.heads.len() > AUDIT_HEADS.saturating_add(1) {
        return Err(AuditError::TooLong);
    }
    let mut least = export.first;
    for earlier in &export.heads {
        let read = earlier.peek().map_err(|error| unsigned(error.into()))?;
        let count = read.count;
        check(earlier, count)?;
        if read.realm != head.realm || count < least || count > head.count {
            return Err(AuditError::Misplaced { count });
        }
        least = count;
    }
    Ok(head)
}

/// The tree before the first entry: empty, or as a head says that was signed there.
fn before(export: &AuditExport, head: &AuditHead) -> Result<Frontier, AuditError> {
    let first = export.first;
    let wrong = || AuditError::Before { first };
    let frontier = Frontier::from_bytes(first, &export.frontier).map_err(|_| wrong())?;
    if first == 0 {
        let none = export.previous == Digest::new([0; 32]);
        return none.then_some(frontier).ok_or_else(wrong);
    }
    let mut signed = export.heads.iter().chain([&export.head]);
    let signed = signed.any(|signed| {
        let signed = signed.peek();
        signed.is_ok_and(|signed| signed.count == first && signed.root == frontier.root())
    });
    (signed && first <= head.count)
        .then_some(frontier)
        .ok_or_else(wrong)
}

fn places(export: &AuditExport) -> Result<Vec<Place>, AuditError> {
    if export.pages.len() > AUDIT_PAGES {
        return Err(AuditError::TooLong);
    }
    let mut places = Vec::new();
    for (page, encoded) in export.pages.iter().enumerate() {
        let items: Vec<AuditItem> =
            cbor::decode(encoded).map_err(|error| AuditError::Page { page, error })?;
        if items.len() > AUDIT_ITEMS {
            return Err(AuditError::TooLong);
        }
        for item in items {
            let at = export.first.saturating_add(places.len() as u64);
            places.push(place(item, at)?);
        }
    }
    Ok(places)
}

/// Reads what stands in a place, if it says that it belongs there.
fn place(item: AuditItem, at: u64) -> Result<Place, AuditError> {
    let unreadable = |error| AuditError::Unreadable { entry: at, error };
    let (encoded, digest) = match (item.entry, item.digest) {
        (Some(entry), None) => {
            let digest = entry_digest(&entry);
            (entry, digest)
        }
        (None, Some(digest)) if item.details.is_none() => {
            return Ok(Place {
                digest,
                entry: None,
                erased: false,
            });
        }
        _ => return Err(unreadable(CborError::Expected("an entry or its digest"))),
    };
    let entry: AuditEntry = cbor::decode(&encoded).map_err(unreadable)?;
    match entry.index {
        index if index == at.saturating_add(1) => return Err(AuditError::Missing { entry: at }),
        index if index != at => {
            return Err(AuditError::Moved {
                entry: at,
                found: index,
            });
        }
        _ => {}
    }
    if let Some(details) = &item.details {
        if AuditDetails::digest(details) != entry.details {
            return Err(AuditError::Details { entry: at });
        }
        cbor::decode::<AuditDetails>(details).map_err(unreadable)?;
    }
    Ok(Place {
        digest,
        entry: Some(entry),
        erased: item.details.is_none(),
    })
}

/// There are as many entries as the head says.
fn counted(places: &[Place], first: u64, count: u64) -> Result<(), AuditError> {
    let next = first.saturating_add(places.len() as u64);
    match next.cmp(&count) {
        std::cmp::Ordering::Less => Err(AuditError::Missing { entry: next }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(AuditError::Superfluous { entry: count }),
    }
}

/// Every entry names the one before it. Where one does not, either of the two was changed: the earlier
/// one where the later is as it was, by the word of the entry after it or of the signed root.
fn linked(
    export: &AuditExport,
    places: &[Place],
    head: &AuditHead,
    frontier: &Frontier,
) -> Result<(), AuditError> {
    let names = |at: usize, digest: Digest| {
        let entry = places.get(at).and_then(|place| place.entry.as_ref());
        entry.map(|entry| entry.previous == digest)
    };
    let mut previous = export.previous;
    for (at, place) in places.iter().enumerate() {
        if names(at, previous) == Some(false) {
            let entry = export.first.saturating_add(at as u64);
            let followed = match names(at.saturating_add(1), place.digest) {
                Some(named) => named,
                None => leads(places, at, head, frontier),
            };
            return Err(match entry.checked_sub(1).filter(|_| followed) {
                Some(earlier) if at > 0 => AuditError::Changed { entry: earlier },
                Some(_) => AuditError::Before { first: entry },
                None => AuditError::Changed { entry },
            });
        }
        previous = place.digest;
    }
    Ok(())
}

/// Whether the signed root comes of what an entry says of the item before it.
fn leads(places: &[Place], at: usize, head: &AuditHead, frontier: &Frontier) -> bool {
    let named = places.get(at).and_then(|place| place.entry.as_ref());
    let mut frontier = frontier.clone();
    for (number, place) in places.iter().enumerate() {
        let before = number.saturating_add(1) == at;
        let named = named.filter(|_| before).map(|entry| entry.previous);
        frontier.push(named.unwrap_or(place.digest));
    }
    frontier.root() == head.root
}

/// The entries lead to the root of every head. Gives the number of heads.
fn rooted(
    export: &AuditExport,
    places: &[Place],
    head: &AuditHead,
    mut frontier: Frontier,
) -> Result<u64, AuditError> {
    let earlier = export.heads.iter().filter_map(|signed| signed.peek().ok());
    let heads: Vec<AuditHead> = earlier.chain([head.clone()]).collect();
    let mut places = places.iter();
    let mut right = export.first;
    for signed in &heads {
        while frontier.count() < signed.count {
            let Some(place) = places.next() else {
                return Err(AuditError::Missing {
                    entry: frontier.count(),
                });
            };
            frontier.push(place.digest);
        }
        if frontier.root() != signed.root {
            let to = signed.count.saturating_sub(1);
            // Every entry but the last is named by the one after it.
            let last = signed.count == head.count;
            return Err(match right == to || last && all_shown(export) {
                true => AuditError::Changed { entry: to },
                false => AuditError::Between { from: right, to },
            });
        }
        right = signed.count;
    }
    Ok(heads.len() as u64)
}

fn all_shown(export: &AuditExport) -> bool {
    let items = export
        .pages
        .iter()
        .map(|page| cbor::decode::<Vec<AuditItem>>(page));
    let mut items = items.flat_map(Result::unwrap_or_default);
    items.all(|item| item.entry.is_some())
}
