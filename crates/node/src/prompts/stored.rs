//! What is written down of prompts beside their revisions.

use realm_executor::Share;
use realm_protocol::{Digest, RunId, Timestamp, limits, wire_map};

use crate::{Mean, Score, ScoreKind};

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
        /// How often and how good by each kind; absent in what earlier versions wrote.
        4 => kinds: Option<Vec<StoredTally>>,
    }
}

wire_map! {
    /// How good a revision was found by one kind of scores.
    pub struct StoredTally {
        /// The kind.
        0 => kind: String,
        /// How often.
        1 => count: u64,
        /// The sum of the scores.
        2 => total: u64,
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
            kinds: Some(Vec::new()),
        }
    }

    /// Counts a score, and keeps it among the latest.
    pub(crate) fn add(&mut self, score: StoredScore) {
        self.count = self.count.saturating_add(1);
        self.total = self.total.saturating_add(score.value);
        let mut kinds = self.kinds();
        tally(&mut kinds, &score);
        self.kinds = Some(kinds);
        self.latest.push(score);
        let surplus = self.latest.len().saturating_sub(limits::SCORES);
        self.latest.drain(..surplus);
    }

    /// How often and how good by each kind. Of what an earlier version wrote only the latest scores tell their kind.
    pub(crate) fn kinds(&self) -> Vec<StoredTally> {
        self.kinds.clone().unwrap_or_else(|| {
            let mut kinds = Vec::new();
            for score in &self.latest {
                tally(&mut kinds, score);
            }
            kinds
        })
    }
}

fn tally(kinds: &mut Vec<StoredTally>, score: &StoredScore) {
    let of_kind = |tally: &StoredTally| tally.kind == score.kind;
    if let Some(tally) = kinds.iter_mut().find(|tally| of_kind(tally)) {
        tally.count = tally.count.saturating_add(1);
        tally.total = tally.total.saturating_add(score.value);
        return;
    }
    kinds.push(StoredTally {
        kind: score.kind.clone(),
        count: 1,
        total: score.value,
    });
}

impl StoredTally {
    /// The mean; none where the kind does not read.
    pub(crate) fn told(&self) -> Option<Mean> {
        Some(Mean {
            kind: ScoreKind::named(&self.kind)?,
            count: self.count,
            mean: self.total.checked_div(self.count)?,
        })
    }
}

impl StoredScore {
    /// The score; none where it does not read.
    pub(crate) fn told(&self) -> Option<Score> {
        Some(Score {
            at: self.at,
            by: self.by.clone(),
            kind: ScoreKind::named(&self.kind)?,
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
