//! Content of runs that is erased, wherever this realm keeps it.

use realm_protocol::{
    Digest, FailureCode, RunId,
    audit::AuditNote,
    cbor,
    journal::{Change, Erased, Run, Table},
};

use crate::{
    CallFailure, Node, Refusal, Response,
    answer::failure_body,
    outbound::{OutCall, Task},
    state::{self, StoredAnswer, StoredKey},
};

/// Content to be erased.
#[derive(Clone, Debug)]
pub struct EraseAsked {
    /// The run, as the store has it.
    pub run: Run,
    /// Rows of idempotency keys, which may hold its answer.
    pub keys: Vec<(Vec<u8>, Vec<u8>)>,
    /// Who asks.
    pub by: String,
    /// Why, for those who read the audit log later.
    pub why: Option<String>,
    /// Whether only to say whether it may be.
    pub dry_run: bool,
}

impl Node {
    /// Erases the content of a run that has ended, and says so in the audit log.
    pub(crate) fn erase(&mut self, asked: EraseAsked) -> Result<Response, Refusal> {
        let EraseAsked {
            run,
            keys,
            by,
            why,
            dry_run,
        } = asked;
        let id = run.id;
        // Its end has still to be told to whoever asked for it.
        let tells = |out: &OutCall| matches!(&out.task, Task::Deliver(it) if it.run == id);
        let told = !self.calls.values().any(|out| tells(out));
        if run.ended.is_none() || self.loop_of_run(id).is_some() || !told {
            return Err(Refusal::UnderWay { run: id });
        }
        if dry_run || run.erased.is_some() {
            return Ok(Response::Done);
        }
        self.forget_late_of(id);
        for (row, value) in keys {
            self.erase_answer(&run, row, &value);
        }
        self.forget_reasons(id);
        let digest = |content: &Option<cbor::Blob>| Some(Digest::of(&[content.as_deref()?]));
        self.audit(AuditNote {
            run: Some(id),
            call: Some(run.call),
            person: Some(by.clone()),
            input: digest(&run.input),
            output: digest(&run.output),
            why,
            ..AuditNote::new("content.erased").about(run.loop_id)
        });
        let at = self.now.wall;
        self.out.change(Change::Erase(id, Erased { at, by }));
        Ok(Response::Done)
    }

    /// Takes the answer of a run out of what is kept under its idempotency key: the key stays used.
    fn erase_answer(&mut self, run: &Run, row: Vec<u8>, value: &[u8]) {
        let Ok(known) = state::read::<StoredKey>(value) else {
            return;
        };
        if known.run != run.id || known.answer.is_none() {
            return;
        }
        let gone = CallFailure::new(FailureCode::Expired, "the answer was erased");
        let known = StoredKey {
            answer: Some(StoredAnswer {
                failed: true,
                content: cbor::encode(&failure_body(&gone, Digest::of(&[]))).into(),
            }),
            ..known
        };
        let position = self.out.position();
        self.serving
            .keep_recent(row.clone(), known.clone(), position);
        self.put_until(Table::Keys, &row, state::write(&known), known.forgotten);
    }
}

/// Whether the row of an idempotency key holds the answer of a run.
pub fn answers_for(value: &[u8], run: RunId) -> bool {
    let known = state::read::<StoredKey>(value);
    known.is_ok_and(|known| known.run == run && known.answer.is_some())
}
