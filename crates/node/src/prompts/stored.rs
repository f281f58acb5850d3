//! What is written down of prompts beside their revisions.

use realm_executor::Share;
use realm_protocol::{Digest, RunId, Timestamp, wire_map};

use crate::{Score, ScoreKind};

wire_map! {
    /// What is known of a prompt beside its revisions.
    #[derive(Default)]
    pub struct StoredPrompt {
        /// The revisions that share its calls; none where the current one gets all.
        0 => shares: Vec<StoredShare>,
        /// How good revisions were found.
        1 => scores: Vec<StoredScores>,
    }
}

wire_map! {
    /// A revision's part of the calls.
    pub struct StoredShare {
        /// The revision.
        0 => digest: Digest,
        /// Its weight.
        1 => weight: u64,
    }
}

wire_map! {
    /// How good a revision was found.
    pub struct StoredScores {
        /// The revision.
        0 => digest: Digest,
        /// How often.
        1 => count: u64,
        /// The sum of all scores.
        2 => total: u64,
        /// The latest of them, the newest last.
        3 => latest: Vec<StoredScore>,
    }
}

wire_map! {
    /// One score.
    pub struct StoredScore {
        /// When it was given.
        0 => at: Timestamp,
        /// Who gave it.
        1 => by: String,
        /// By what it was found.
        2 => kind: String,
        /// In thousandths.
        3 => value: u64,
        /// Why.
        4 => why: Option<String>,
        /// The run that it is about.
        5 => run: Option<RunId>,
    }
}

impl StoredPrompt {
    /// How good a revision was found.
    pub(crate) fn of(&self, digest: Digest) -> Option<&StoredScores> {
        self.scores.iter().find(|scores| scores.digest == digest)
    }
}

impl StoredScores {
    pub(crate) const fn new(digest: Digest) -> Self {
        Self {
            digest,
            count: 0,
            total: 0,
            latest: Vec::new(),
        }
    }
}

impl StoredScore {
    /// The score; none where it does not read.
    pub(crate) fn told(&self) -> Option<Score> {
        let kind = ScoreKind::ALL.into_iter();
        let kind = kind.into_iter().find(|kind| kind.name() == self.kind)?;
        Some(Score {
            at: self.at,
            by: self.by.clone(),
            kind,
            value: self.value,
            why: self.why.clone(),
            run: self.run,
        })
    }
}

impl From<&Share> for StoredShare {
    fn from(share: &Share) -> Self {
        Self {
            digest: share.digest,
            weight: u64::from(share.weight),
        }
    }
}

impl From<&StoredShare> for Share {
    fn from(stored: &StoredShare) -> Self {
        Self {
            digest: stored.digest,
            weight: u32::try_from(stored.weight).unwrap_or(u32::MAX),
        }
    }
}
