//! Prompts as sources: which version is called, who shares the calls, and how good each was found.

mod stored;

use std::{collections::BTreeMap, sync::Arc};

use realm_executor::{Body, Registered, Share, ShareError};
use realm_protocol::{Digest, LoopId, RunId, Timestamp, journal::Table, limits};

use crate::{ApplyReport, LoopAction, Node, Refusal, Response, state};
use stored::{StoredPrompt, StoredScore, StoredScores, StoredTally};

/// A perfect score.
pub const BEST_SCORE: u64 = 1_000;

/// Something to be done with a prompt.
#[derive(Clone, Debug)]
pub struct PromptAsked {
    /// The prompt.
    pub id: LoopId,
    /// What.
    pub what: PromptChange,
    /// Who asks, for the history.
    pub by: String,
    /// Why, for the history.
    pub why: Option<String>,
}

/// What is done with a prompt.
#[derive(Clone, Debug)]
pub enum PromptChange {
    /// Calls that name no version get this one from now on.
    Promote(semver::Version),
    /// They get the one that has the best mean of scores of this kind.
    PromoteBest(ScoreKind),
    /// They get the one again that they got before.
    Rollback,
    /// Versions share them by weight.
    Share(Vec<(semver::Version, u32)>),
    /// A version was found so good.
    Score(ScoreGiven),
}

/// How good a version was found.
#[derive(Clone, Debug)]
pub struct ScoreGiven {
    /// The version; none for the current one.
    pub version: Option<semver::Version>,
    /// From nought to [`BEST_SCORE`].
    pub value: u64,
    /// By what.
    pub kind: ScoreKind,
    /// The run that it is about, if it is about one.
    pub run: Option<RunId>,
}

/// By what a score was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScoreKind {
    /// A person said so.
    Person,
    /// An evaluation found it.
    Evaluation,
    /// What came of it showed it.
    Outcome,
}

impl ScoreKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Person, Self::Evaluation, Self::Outcome];

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Evaluation => "evaluation",
            Self::Outcome => "outcome",
        }
    }

    /// The kind of that name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A version of a prompt.
#[derive(Clone, Debug)]
pub struct PromptVersion {
    /// Its last revision.
    pub registered: Arc<Registered>,
    /// Whether it is the current one.
    pub current: bool,
    /// Its part of the calls that name no version, of the sum of all versions' parts.
    pub weight: u32,
    /// How good it was found, by each kind of scores that there are of it.
    pub means: Vec<Mean>,
    /// The latest scores, the newest last.
    pub scores: Vec<Score>,
}

/// How good a version was found by scores of one kind. What people say, what evaluations find and what comes of calls are
/// no measures of the same, and have no mean together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mean {
    /// By what.
    pub kind: ScoreKind,
    /// How often.
    pub count: u64,
    /// The mean, from nought to [`BEST_SCORE`].
    pub mean: u64,
}

/// One score of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// When it was given.
    pub at: Timestamp,
    /// Who gave it.
    pub by: String,
    /// By what it was found.
    pub kind: ScoreKind,
    /// From nought to [`BEST_SCORE`].
    pub value: u64,
    /// Why.
    pub why: Option<String>,
    /// The run that it is about, if it is about one.
    pub run: Option<RunId>,
}

/// What is known of prompts beside their revisions.
pub(crate) type Prompts = BTreeMap<LoopId, StoredPrompt>;

impl Node {
    pub(crate) fn change_prompt(&mut self, asked: PromptAsked) -> Result<Response, Refusal> {
        let PromptAsked { id, what, by, why } = asked;
        let id = self.registry.resolve(&id).clone();
        let current = self.prompt_named(&id)?;
        let why = why.map(|why| why.chars().take(limits::REASON_CHARS).collect::<String>());
        match what {
            PromptChange::Promote(version) => {
                let found = self.version_of(&id, &version)?;
                self.make_current(&found, LoopAction::Promoted, (&by, why))
            }
            PromptChange::PromoteBest(kind) => {
                let found = self.best_of(&id, kind)?;
                self.make_current(&found, LoopAction::Promoted, (&by, why))
            }
            PromptChange::Rollback => {
                let before = self.before(&id, current.digest);
                let found = before.ok_or_else(|| Refusal::NotFound {
                    what: "earlier version",
                    name: id.to_string(),
                })?;
                self.make_current(&found, LoopAction::RolledBack, (&by, why))
            }
            PromptChange::Share(parts) => self.share_calls(&id, parts, (&by, why)),
            PromptChange::Score(given) => {
                let found = match &given.version {
                    Some(version) => self.version_of(&id, version)?,
                    None => current,
                };
                self.score(&id, found.digest, given, (by, why));
                Ok(Response::Done)
            }
        }
    }

    /// The prompts, by id.
    pub fn prompts(&self) -> impl Iterator<Item = &Arc<Registered>> {
        let all = self.registry.iter();
        all.filter(|known| matches!(known.manifest.body, Body::Prompt(_)))
    }

    /// The versions of a prompt, the newest first; none if there is no such prompt.
    pub fn prompt_versions(&self, id: &LoopId) -> Vec<PromptVersion> {
        let id = self.registry.resolve(id);
        let Ok(current) = self.prompt_named(id) else {
            return Vec::new();
        };
        let shares = self.registry.shares(id);
        let known = self.prompts.get(id);
        let versions = self.registry.versions(id).into_iter();
        let versions = versions.map(|registered| {
            let digest = registered.digest;
            let is_current = digest == current.digest;
            let mut shares = shares.iter();
            let weight = match shares.len() {
                0 => u32::from(is_current),
                _ => shares
                    .find(|share| share.digest == digest)
                    .map_or(0, |share| share.weight),
            };
            let scores = known.and_then(|known| known.of(digest));
            PromptVersion {
                registered: registered.clone(),
                current: is_current,
                weight,
                means: scores.map_or_else(Vec::new, |scores| {
                    let mut means: Vec<Mean> = scores
                        .kinds()
                        .iter()
                        .filter_map(StoredTally::told)
                        .collect();
                    means.sort_by_key(|mean| mean.kind);
                    means
                }),
                scores: scores.map_or_else(Vec::new, |scores| {
                    scores.latest.iter().filter_map(StoredScore::told).collect()
                }),
            }
        });
        versions.collect()
    }

    fn prompt_named(&self, id: &LoopId) -> Result<Arc<Registered>, Refusal> {
        let found = self.registry.get(id);
        let prompt = found.filter(|known| matches!(known.manifest.body, Body::Prompt(_)));
        prompt.cloned().ok_or_else(|| Refusal::NotFound {
            what: "prompt",
            name: id.to_string(),
        })
    }

    fn version_of(
        &self,
        id: &LoopId,
        version: &semver::Version,
    ) -> Result<Arc<Registered>, Refusal> {
        let found = self.registry.find(id, Some(&version.to_string()));
        found.cloned().ok_or_else(|| Refusal::NotFound {
            what: "version",
            name: format!("{id} {version}"),
        })
    }

    /// The version with the best mean of scores of a kind; of equals the current one, or else the newest.
    pub(crate) fn best_of(&self, id: &LoopId, kind: ScoreKind) -> Result<Arc<Registered>, Refusal> {
        let versions = self.prompt_versions(id).into_iter().enumerate();
        let scored = versions.filter_map(|(place, version)| {
            let mean = version.means.iter().find(|mean| mean.kind == kind)?.mean;
            let order = (mean, version.current, std::cmp::Reverse(place));
            Some((order, version.registered))
        });
        let best = scored.max_by_key(|(order, _)| *order);
        best.map(|(_, best)| best).ok_or_else(|| Refusal::NotFound {
            what: "version",
            name: format!("{id} that has a score of kind {}", kind.name()),
        })
    }

    /// The revision that was the current one before this one.
    fn before(&self, id: &LoopId, current: Digest) -> Option<Arc<Registered>> {
        let changes = self.loop_history(id).rev();
        let made_current = changes.filter(|change| change.action.makes_current());
        let mut others = made_current.filter(|change| change.digest != current);
        others.find_map(|change| {
            let mut versions = self.registry.kept(id).iter();
            let kept =
                versions.find(|kept| kept.offered && kept.registered.digest == change.digest);
            kept.map(|kept| kept.registered.clone())
        })
    }

    fn make_current(
        &mut self,
        revision: &Arc<Registered>,
        action: LoopAction,
        (by, why): (&str, Option<String>),
    ) -> Result<Response, Refusal> {
        let id = &revision.manifest.id;
        let mut after = self.registry_to_change();
        let manifest = realm_executor::Manifest::clone(&revision.manifest);
        after.insert(manifest).map_err(|error| {
            let problem = format!("{id}: {error}");
            Refusal::Loops(vec![problem])
        })?;
        self.check_needs(&after)?;
        let report = self.report(id, &after);
        let report = report.map(|report| match report.action {
            LoopAction::Unchanged => report,
            _ => ApplyReport { action, ..report },
        });
        let reports: Vec<ApplyReport> = report.into_iter().collect();
        self.take_registry(after, &reports, by, why);
        Ok(Response::Applied(reports))
    }

    fn share_calls(
        &mut self,
        id: &LoopId,
        parts: Vec<(semver::Version, u32)>,
        (by, why): (&str, Option<String>),
    ) -> Result<Response, Refusal> {
        let mut shares = Vec::new();
        for (version, weight) in parts {
            let digest = self.version_of(id, &version)?.digest;
            shares.push(Share { digest, weight });
        }
        let shared = self.registry.share(id, shares);
        shared.map_err(|error| match error {
            ShareError::NotFound => Refusal::NotFound {
                what: "version",
                name: id.to_string(),
            },
            other => Refusal::Shares(other),
        })?;
        let report = self.registry.get(id).map(|current| ApplyReport {
            id: id.clone(),
            version: current.manifest.version.clone(),
            digest: current.digest,
            action: LoopAction::Shared,
            replaces: None,
        });
        if let Some(report) = report {
            self.note_change(&report, by, why);
        }
        self.write_prompt(id);
        Ok(Response::Done)
    }

    fn score(
        &mut self,
        id: &LoopId,
        digest: Digest,
        given: ScoreGiven,
        (by, why): (String, Option<String>),
    ) {
        let score = StoredScore {
            at: self.wall(),
            by,
            kind: given.kind.name().to_owned(),
            value: given.value.min(BEST_SCORE),
            why,
            run: given.run,
        };
        let known = self.prompts.entry(id.clone()).or_default();
        let mut all = known.scores.iter_mut();
        let scores = match all.find(|scores| scores.digest == digest) {
            Some(scores) => scores,
            None => {
                known.scores.push(StoredScores::new(digest));
                let Some(scores) = known.scores.last_mut() else {
                    return;
                };
                scores
            }
        };
        scores.add(score);
        self.write_prompt(id);
    }

    /// Forgets why people have scored a run so: it may say what the run was about.
    pub(crate) fn forget_reasons(&mut self, run: RunId) {
        let mut changed = Vec::new();
        for (id, known) in &mut self.prompts {
            let latest = known.scores.iter_mut().flat_map(|it| &mut it.latest);
            let about = latest.filter(|it| it.run == Some(run) && it.why.is_some());
            if about.map(|score| score.why = None).count() > 0 {
                changed.push(id.clone());
            }
        }
        for id in changed {
            self.write_prompt(&id);
        }
    }

    /// Writes down what is known of a prompt beside its revisions; of those that are gone, nothing.
    pub(crate) fn write_prompt(&mut self, id: &LoopId) {
        let registry = &self.registry;
        let shares = registry.shares(id).to_vec();
        let had = self.prompts.contains_key(id);
        let known = self.prompts.entry(id.clone()).or_default();
        known.shares = shares.iter().map(Into::into).collect();
        let is_there = |digest: &Digest| registry.by_digest(digest).is_some();
        known.scores.retain(|scores| is_there(&scores.digest));
        let row = id.as_str().as_bytes();
        if known.shares.is_empty() && known.scores.is_empty() {
            self.prompts.remove(id);
            if had {
                self.delete(Table::Prompts, row);
            }
        } else {
            let value = state::write(known);
            self.put(Table::Prompts, row, value);
        }
    }

    /// Takes up what was written down of prompts, once the loops are there.
    pub(crate) fn recover_prompts(&mut self, rows: Vec<(Vec<u8>, StoredPrompt)>) {
        for (row, known) in rows {
            let id = std::str::from_utf8(&row).ok();
            let Some(id) = id.and_then(|id| id.parse::<LoopId>().ok()) else {
                tracing::error!("what is stored of a prompt does not read");
                continue;
            };
            let shares: Vec<Share> = known.shares.iter().map(Into::into).collect();
            if !shares.is_empty()
                && let Err(error) = self.registry.share(&id, shares)
            {
                tracing::error!(%id, %error, "the current version gets all calls");
            }
            self.prompts.insert(id, known);
        }
    }
}
