//! Two heads of a realm's audit log that cannot both be of a log that only grew.

use realm_protocol::{
    Digest, RealmId, Timestamp,
    audit::{AuditContradiction, AuditHead, Contradiction},
    records::Signed,
};
use serde::Serialize;
use thiserror::Error;

use crate::chains::{Chains, SignatureError};

/// What two heads show of the log of a realm that has signed both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContradictionAccount {
    /// The realm.
    pub realm: RealmId,
    /// How the second contradicts the first.
    pub how: Contradiction,
    /// The first.
    pub known: HeadAccount,
    /// The second.
    pub shown: HeadAccount,
    /// When the second was shown, as the witness says. Nobody has signed that.
    pub at: Timestamp,
}

/// Where a log stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadAccount {
    /// How many entries there were.
    pub count: u64,
    /// The root of the tree of all of them.
    pub root: Digest,
    /// When that was signed.
    pub signed: Timestamp,
}

/// Why two heads show nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ContradictionError {
    /// There is no chain beside them, or it does not hold.
    #[error("the realm's chain: {0}")]
    Chain(#[source] SignatureError),
    /// A head is not the realm's.
    #[error("the {which} head: {error}")]
    Head {
        /// The first or the second.
        which: &'static str,
        /// Why it proves nothing.
        #[source]
        error: SignatureError,
    },
    /// The heads are of two realms.
    #[error("the two heads are of two realms")]
    Realms,
    /// The second may follow the first.
    #[error(
        "a log with {known} entries may go on to one with {shown}: the two heads contradict nothing"
    )]
    None {
        /// How many entries the first has.
        known: u64,
        /// How many the second.
        shown: u64,
    },
    /// The shorter one was signed first.
    #[error(
        "the shorter head was not signed after the longer one: nothing shows that the log was cut short"
    )]
    Earlier,
}

/// Examines two heads.
pub(crate) fn examine(
    found: &AuditContradiction,
) -> Result<ContradictionAccount, ContradictionError> {
    let claimed = |which, head: &Signed<AuditHead>| {
        let read = head.peek();
        read.map_err(|error| ContradictionError::Head {
            which,
            error: error.into(),
        })
    };
    let (known, shown) = (
        claimed("first", &found.known)?,
        claimed("second", &found.shown)?,
    );
    if known.realm != shown.realm {
        return Err(ContradictionError::Realms);
    }
    let realm = known.realm;
    let unproven = || ContradictionError::Chain(SignatureError::Unproven(Some(realm)));
    let chain = found.chain.as_ref().ok_or_else(unproven)?;
    let mut chains = Chains::default();
    chains
        .prove(chain, known.at.max(shown.at))
        .map_err(ContradictionError::Chain)?;
    for (which, head) in [("first", &found.known), ("second", &found.shown)] {
        let checked = chains.check_of(head, realm);
        checked.map_err(|error| ContradictionError::Head { which, error })?;
    }
    let none = match shown.count < known.count {
        true => ContradictionError::Earlier,
        false => ContradictionError::None {
            known: known.count,
            shown: shown.count,
        },
    };
    let how = known.contradicted_by(&shown).ok_or(none)?;
    // A head of a proof has no time.
    let later = known.is_dated() && shown.at > known.at;
    if how == Contradiction::Shorter && !later {
        return Err(ContradictionError::Earlier);
    }
    let account = |head: AuditHead| HeadAccount {
        count: head.count,
        root: head.root,
        signed: head.at,
    };
    Ok(ContradictionAccount {
        realm,
        how,
        known: account(known),
        shown: account(shown),
        at: found.at,
    })
}
