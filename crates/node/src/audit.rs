//! The audit log of this realm: entries go into the journal's entry of what they tell of, so that
//! neither is ever there without the other.

mod done;
mod export;
mod growth;

use realm_crypto::SigningKey;
use realm_executor::Decision;
use realm_policy::{AskedPrincipal, Denial};
use realm_protocol::{
    CallId, Digest, FailureCode, RealmId, RunId, Scope, Timestamp,
    audit::{
        AuditEntry, AuditHead, AuditNote, AuditOutcome, AuditRow, Frontier, KeptHead, LeafRange,
        entry_digest,
    },
    cbor,
    journal::{Change, Direction, Run, Status, Table},
    json,
    limits::{AUDIT_HEAD_ENTRIES, AUDIT_HEAD_MS, AUDIT_REFUSALS},
    records::{GrantLink, Signed},
};

use serde_json::Value;

pub use export::{AuditPart, Exported, export_audit};
pub use growth::LogGrowth;

use crate::{
    ApplyReport, CallFailure, LoopAction, Node, PromptChange, Refusal, Request, Response,
    halt::NOT_ABOVE, outbound::Task, people::User, receipts::Kept, serve::Served, state,
};

/// What the store holds of the log that is needed to go on with it.
#[derive(Clone, Debug, Default)]
pub struct AuditTail {
    /// The newest head that was kept, as it was written.
    pub head: Option<Vec<u8>>,
    /// The entries after it, in order.
    pub rows: Vec<AuditRow>,
}

/// The log as far as it has to be in memory.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    realm: Option<RealmId>,
    frontier: Frontier,
    /// Digest of the last entry.
    last: Option<Digest>,
    /// The newest head that was signed.
    head: Option<Signed<AuditHead>>,
    /// How many entries it has.
    signed: u64,
    /// When it was signed, or this process began.
    signed_at: Timestamp,
    /// The entries from the head before on, which stays when the newest is signed anew.
    since_full: LeafRange,
    /// The entries from the newest head on.
    since_signed: LeafRange,
    /// Whether a head is wanted though few entries are new.
    wanted: bool,
    /// Salts come from it.
    seed: [u8; 32],
    now: Timestamp,
    /// Refusals since upkeep was done last.
    refusals: u64,
}

/// What an entry about a run's end says that the run itself does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) realm: Option<Scope>,
    pub(crate) contract: Option<Digest>,
    pub(crate) parent: Option<RunId>,
    pub(crate) person: Option<String>,
    pub(crate) receipt: Option<Kept>,
}

impl AuditLog {
    /// A log that nobody has written to yet; `seed` is fresh and secret.
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self {
            seed: *Digest::of(&[b"realm/1/audit-salt", seed]).as_bytes(),
            ..Self::default()
        }
    }

    /// Goes on with a log.
    pub(crate) fn recover(&mut self, realm: RealmId, tail: AuditTail) {
        self.realm = Some(realm);
        self.signed_at = self.now;
        if let Some(row) = tail.head {
            let kept: Result<KeptHead, _> = state::read(&row);
            let read = kept.and_then(|kept| {
                let head = kept.head.peek()?;
                let frontier = Frontier::from_bytes(head.count, &kept.frontier)?;
                Ok((kept, head, frontier))
            });
            match read {
                Ok((kept, head, frontier)) => {
                    self.frontier = frontier;
                    self.last = Some(kept.last);
                    self.signed = head.count;
                    self.since_full = LeafRange::new(head.count);
                    self.since_signed = LeafRange::new(head.count);
                    self.head = Some(kept.head);
                }
                Err(error) => tracing::error!(%error, "the head of the audit log does not read"),
            }
        }
        for row in tail.rows {
            self.take(entry_digest(&row.entry));
        }
    }

    pub(crate) fn set_time(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Digest of the last entry; 32 zeros where there is none.
    fn previous(&self) -> Digest {
        self.last.unwrap_or(Digest::new([0; 32]))
    }

    fn take(&mut self, digest: Digest) {
        self.frontier.push(digest);
        self.since_full.push(digest);
        self.since_signed.push(digest);
        self.last = Some(digest);
    }

    /// The change that writes something down.
    pub(crate) fn note(&mut self, note: AuditNote) -> Change {
        let index = self.frontier.count();
        let salt = Digest::of(&[&self.seed, &index.to_be_bytes()]).half();
        let row = note.into_row(index, self.previous(), self.now, salt);
        self.take(entry_digest(&row.entry));
        Change::Audit(index, row)
    }

    /// The changes that keep a signed head, if one is due.
    pub(crate) fn sign(&mut self, signer: &SigningKey) -> Vec<Change> {
        let count = self.frontier.count();
        let new = count.saturating_sub(self.signed);
        let wanted = std::mem::take(&mut self.wanted);
        if new < AUDIT_HEAD_ENTRIES && !(wanted && new > 0) {
            return Vec::new();
        }
        let Some(head) = self.head_now(signer) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        // Heads that stand close together are of use only while they are new.
        let full = self.since_full.first();
        let since_signed = std::mem::replace(&mut self.since_signed, LeafRange::new(count));
        if self.signed.saturating_sub(full) >= AUDIT_HEAD_ENTRIES {
            self.since_full = since_signed;
        } else if self.signed > full {
            let close = self.signed.to_be_bytes().to_vec();
            changes.push(Change::Delete(Table::AuditHeads, close));
        }
        let kept = KeptHead {
            head: head.clone(),
            frontier: self.frontier.to_bytes(),
            last: self.previous(),
            since: Some(self.since_full.first()),
            range: Some(self.since_full.to_bytes()),
        };
        changes.push(Change::Put(
            Table::AuditHeads,
            count.to_be_bytes().to_vec(),
            state::write(&kept),
        ));
        self.head = Some(head);
        self.signed = count;
        self.signed_at = self.now;
        changes
    }

    fn head_now(&self, signer: &SigningKey) -> Option<Signed<AuditHead>> {
        self.head_at(&self.frontier, self.now, signer)
    }

    /// Where the log once stood, for a proof: a head without a time, so that nobody can show it as a later one.
    pub(crate) fn head_before(
        &self,
        frontier: &Frontier,
        signer: &SigningKey,
    ) -> Option<Signed<AuditHead>> {
        self.head_at(frontier, Timestamp::from_millis(0), signer)
    }

    fn head_at(
        &self,
        frontier: &Frontier,
        at: Timestamp,
        signer: &SigningKey,
    ) -> Option<Signed<AuditHead>> {
        let mut head = Signed::unsigned(&AuditHead {
            realm: self.realm?,
            count: frontier.count(),
            root: frontier.root(),
            at,
        });
        signer.sign(&mut head);
        Some(head)
    }

    /// The newest head that was signed and kept.
    pub(crate) fn kept_head(&self) -> Option<&Signed<AuditHead>> {
        self.head.as_ref()
    }

    /// Wants a head to be signed with what is written next, or now.
    pub(crate) fn want_head(&mut self) {
        self.wanted = true;
    }

    fn is_stale(&self) -> bool {
        let waiting = self.now.since(self.signed_at) >= AUDIT_HEAD_MS;
        waiting && self.frontier.count() > self.signed
    }

    /// Whether one more refusal gets an entry of its own.
    pub(crate) fn counts_refusal(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals <= AUDIT_REFUSALS
    }
}

/// What is written down of a run that has ended; the run is as it will be stored.
pub(crate) fn of_run(run: &Run, ended: Ended) -> AuditNote {
    let action = match run.direction {
        Direction::Local => "run.ended",
        Direction::Out => "call.made",
        Direction::In => "call.served",
    };
    let failed = run.status == Status::Failed;
    let outcome = match run.status {
        Status::Completed => AuditOutcome::Success,
        Status::Cancelled => AuditOutcome::Cancelled,
        Status::Running | Status::Paused | Status::Failed => AuditOutcome::Failure,
    };
    let digest = |data: &Option<cbor::Blob>| data.as_ref().map(|data| Digest::of(&[data]));
    let completed = run.status == Status::Completed;
    AuditNote {
        outcome,
        error: run.error.clone().filter(|_| failed),
        realm: ended.realm,
        run: Some(run.id),
        call: Some(run.call),
        parent: ended.parent.or(run.parent),
        contract: ended.contract,
        person: ended.person,
        input: digest(&run.input),
        output: digest(&run.output).filter(|_| completed),
        ..with_receipt(AuditNote::new(action), ended.receipt)
            .about(subject(&run.loop_id, run.version.as_deref()))
    }
}

/// What is written down, with the receipt of the call and what it cost.
fn with_receipt(note: AuditNote, kept: Option<Kept>) -> AuditNote {
    match kept {
        Some(kept) => AuditNote {
            receipt: Some(kept.digest),
            kept_receipt: Some(kept.receipt),
            cost: kept.cost,
            ..note
        },
        None => note,
    }
}

fn subject(loop_id: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{loop_id}:{version}"),
        None => loop_id.to_owned(),
    }
}

/// The id of the last grant of a chain, as far as it reads.
fn last_grant(links: &[GrantLink]) -> String {
    let last = links.last().and_then(|link| link.grant.peek().ok());
    last.map_or_else(String::new, |grant| grant.id.to_string())
}

/// Who asked, if it was somebody who uses this realm, or an agent of it.
fn person_of(asker: &AskedPrincipal) -> Option<String> {
    match asker {
        AskedPrincipal::Person { name, .. } => Some(name.clone()),
        AskedPrincipal::Agent { id, .. } => Some(User::Agent(id.clone()).name()),
        AskedPrincipal::Realm(_) | AskedPrincipal::Loop { .. } => None,
    }
}

impl Node {
    /// Writes something down in the audit log, in the same entry of the journal as whatever else
    /// this turn changes.
    pub(crate) fn audit(&mut self, note: AuditNote) {
        self.out.audit(note);
    }

    /// What is written down of something that somebody changes, unless it is written where it is done.
    pub(crate) fn note_of(&self, by: Option<&str>, request: &Request) -> Option<AuditNote> {
        let said = |action, subject: String| {
            Some(AuditNote {
                person: by.map(ToOwned::to_owned),
                ..AuditNote::new(action).about(subject)
            })
        };
        let of_run = |action, run: &RunId, decision: Option<&Decision>| {
            let loop_id = self.loop_of_run(*run)?;
            let subject = decision.map_or_else(
                || loop_id.clone(),
                |decision| {
                    let slot = self.undecided_of(*run).next();
                    let about = slot.map_or(loop_id.clone(), |slot| slot.name);
                    format!("{about} {}", decision.name())
                },
            );
            let (why, output) = match decision {
                Some(Decision::Fail(reason)) => (Some(reason.clone()), None),
                Some(Decision::Output(output)) => (None, Some(output)),
                Some(Decision::Again) | None => (None, None),
            };
            Some(AuditNote {
                run: Some(*run),
                output: output.map(|output| Digest::of(&[&json::to_bytes(output)])),
                why,
                ..said(action, subject)?
            })
        };
        match request {
            Request::Pause(run) => of_run("run.paused", run, None),
            Request::Cancel(run) => of_run("run.cancelled", run, None),
            Request::Resume(run, None) => of_run("run.resumed", run, None),
            Request::Resume(run, decision) => of_run("run.decided", run, decision.as_ref()),
            Request::Allow(asked) if !asked.dry_run => {
                let subject = format!("{} {} {}", asked.caller, asked.action, asked.pattern);
                said("policy.allowed", subject)
            }
            Request::SetPolicy { id, .. } => said("policy.set", id.clone()),
            Request::Disallow(id) => said("policy.disallowed", id.clone()),
            Request::ApplyRate(rate) => said("rate.applied", rate.name.clone()),
            Request::RemoveRate(name) => said("rate.removed", name.clone()),
            Request::RevokeGrant(id) => said("grant.revoked", id.to_string()),
            Request::Acknowledge { realm, why } => Some(AuditNote {
                person: by.map(ToOwned::to_owned),
                realm: Some(realm.clone()),
                why: why.clone(),
                ..AuditNote::new("witness.acknowledged")
            }),
            Request::HoldGrant(links) => said("grant.held", last_grant(links)),
            Request::Revoke(path) => said("child.revoked", path.to_string()),
            Request::RemovePeer(petname) => said("peer.removed", petname.to_string()),
            Request::ForgetState { agent, key } => {
                let subject = subject(agent.as_str(), key.as_deref());
                said("state.removed", subject)
            }
            Request::ResetBreaker(asked) => Some(AuditNote {
                person: Some(asked.by.clone()),
                why: asked.why.clone(),
                ..AuditNote::new("breaker.reset").about(asked.of.to_string())
            }),
            Request::Pin { petname, root } => said("petname.pinned", format!("{petname} {root}")),
            Request::RemoveLoop(asked) => {
                let version = asked.version.as_ref().map(ToString::to_string);
                let subject = subject(asked.id.as_str(), version.as_deref());
                Some(AuditNote {
                    person: Some(asked.by.clone()),
                    ..AuditNote::new("loop.removed").about(subject)
                })
            }
            Request::Prompt(asked) => {
                let (action, version) = match &asked.what {
                    PromptChange::Promote(version) => {
                        ("prompt.promoted", Some(version.to_string()))
                    }
                    PromptChange::PromoteBest(kind) => {
                        let best = self.best_of(self.registry.resolve(&asked.id), *kind).ok();
                        let version = best.map(|best| best.manifest.version.to_string());
                        ("prompt.promoted", version)
                    }
                    PromptChange::Rollback => ("prompt.rolledBack", None),
                    PromptChange::Share(_) => ("prompt.shared", None),
                    PromptChange::Score(_) => return None,
                };
                Some(AuditNote {
                    person: Some(asked.by.clone()),
                    why: asked.why.clone(),
                    ..AuditNote::new(action).about(subject(asked.id.as_str(), version.as_deref()))
                })
            }
            Request::Apply(asked) if !asked.dry_run => Some(AuditNote {
                person: Some(asked.by.clone()),
                why: asked.why.clone(),
                ..AuditNote::new("loop.applied")
            }),
            _ => None,
        }
    }

    /// Writes down what the owner has changed, or was refused.
    pub(crate) fn audit_settled(
        &mut self,
        note: Option<AuditNote>,
        done: &Result<Response, Refusal>,
    ) {
        let Some(note) = note else {
            return;
        };
        match done {
            Ok(Response::Applied(reports)) => {
                let changed = |report: &&ApplyReport| report.action != LoopAction::Unchanged;
                for report in reports.iter().filter(changed) {
                    let version = report.version.to_string();
                    let about = subject(report.id.as_str(), Some(&version));
                    self.audit(AuditNote {
                        action: loop_action(report.action),
                        contract: Some(report.digest),
                        ..note.clone().about(about)
                    });
                }
            }
            Ok(_) => self.audit(note),
            Err(refusal) => self.audit(AuditNote {
                outcome: AuditOutcome::Refusal,
                error: Some(refusal.to_string()),
                ..note
            }),
        }
    }

    /// Writes down that policy has denied something. Of many in a short time some are only counted.
    pub(crate) fn audit_denial(&mut self, denial: &Denial, reference: &str) {
        if !self.out.log().counts_refusal() {
            return;
        }
        let asked = &denial.request;
        let me = self.me.scope();
        self.audit(AuditNote {
            outcome: AuditOutcome::Refusal,
            error: Some(format!("Denied {reference}")),
            realm: asked
                .principal
                .realm()
                .filter(|realm| **realm != me)
                .cloned(),
            person: person_of(&asked.principal),
            ..AuditNote::new("policy.denied").about(format!("{} {}", asked.action, asked.resource))
        });
    }

    /// Writes down that a realm which is not above would have halted this one. It counts as denials do.
    pub(crate) fn audit_refused_halt(&mut self, by: &Scope) {
        if !self.out.log().counts_refusal() {
            return;
        }
        self.audit(AuditNote {
            outcome: AuditOutcome::Refusal,
            error: Some(NOT_ABOVE.to_owned()),
            realm: Some(by.clone()),
            ..AuditNote::new("halt.refused")
        });
    }

    /// What the entry about a run served here says beside the run.
    pub(crate) fn ended_run(
        &self,
        served: &Served,
        contract: Digest,
        receipt: Option<Kept>,
    ) -> Ended {
        let foreign = served.record.direction == Direction::In;
        Ended {
            realm: foreign.then(|| served.caller.clone()),
            contract: Some(contract),
            parent: served.parent,
            person: served.person.clone(),
            receipt,
        }
    }

    /// What the entry about a call made elsewhere says beside the run.
    pub(crate) fn ended_call(&self, call: CallId, contract: Option<Digest>) -> Ended {
        let Some(out) = self.calls.get(&call) else {
            return Ended::default();
        };
        let person = match &out.task {
            Task::Invoke(invoke) => invoke.caller.clone(),
            _ => None,
        };
        Ended {
            realm: Some(out.scope.clone()),
            contract,
            parent: None,
            person,
            receipt: out.receipt.clone(),
        }
    }

    /// Writes down that a call has ended which a run here made.
    pub(crate) fn audit_frame_call(
        &mut self,
        call: CallId,
        result: &Result<Value, CallFailure>,
        contract: Option<Digest>,
    ) {
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &out.task else {
            return;
        };
        let (outcome, error) = match result {
            Ok(_) => (AuditOutcome::Success, None),
            Err(failure) if failure.code == FailureCode::Cancelled => {
                (AuditOutcome::Cancelled, None)
            }
            Err(failure) => (AuditOutcome::Failure, Some(failure.code.name().to_owned())),
        };
        let version = invoke.version.as_deref();
        let note = AuditNote {
            outcome,
            error,
            realm: Some(out.scope.clone()),
            run: Some(invoke.run),
            call: Some(call),
            contract,
            person: invoke.caller.clone(),
            input: Some(Digest::of(&[&invoke.input])),
            output: result
                .as_ref()
                .ok()
                .map(|it| Digest::of(&[&json::to_bytes(it)])),
            ..with_receipt(AuditNote::new("call.made"), out.receipt.clone())
                .about(subject(invoke.address.loop_id.as_str(), version))
        };
        self.audit(note);
    }

    /// Signs a head where one has been due for long, and counts refusals that got no entries.
    pub(crate) fn upkeep_audit(&mut self) {
        let refusals = std::mem::take(&mut self.out.log().refusals);
        let uncounted = refusals.saturating_sub(AUDIT_REFUSALS);
        if uncounted > 0 {
            self.audit(AuditNote {
                outcome: AuditOutcome::Refusal,
                times: Some(uncounted),
                ..AuditNote::new("policy.denied")
            });
        }
        if self.out.log().is_stale() {
            self.out.log().want_head();
        }
    }

    /// The head of the log as it stands, signed; it rests on everything recorded so far.
    pub fn audit_head(&self) -> Option<Signed<AuditHead>> {
        self.out.log_ref().head_now(self.me.signer())
    }

    /// This realm's chain, as evidence carries it.
    pub fn bare_chain(&self) -> Option<cbor::Blob> {
        self.me.chain().map(crate::market::bare)
    }
}

const fn loop_action(action: LoopAction) -> &'static str {
    match action {
        LoopAction::Created => "loop.created",
        LoopAction::Updated => "loop.updated",
        LoopAction::Changed => "loop.changed",
        LoopAction::Unchanged => "loop.unchanged",
        LoopAction::Removed => "loop.removed",
        LoopAction::Staged => "loop.staged",
        LoopAction::Promoted => "prompt.promoted",
        LoopAction::RolledBack => "prompt.rolledBack",
        LoopAction::Shared => "prompt.shared",
    }
}

/// Reads a head as it was kept.
///
/// # Errors
/// [`cbor::CborError`] where it does not read.
pub fn read_head(row: &[u8]) -> Result<KeptHead, cbor::CborError> {
    state::read(row)
}

/// Reads an entry as it was kept.
///
/// # Errors
/// [`cbor::CborError`] where it does not read.
pub fn read_entry(row: &AuditRow) -> Result<AuditEntry, cbor::CborError> {
    cbor::decode(&row.entry)
}
