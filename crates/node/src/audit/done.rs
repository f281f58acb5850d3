//! What the daemon has done, in the audit log.

use realm_protocol::audit::{AuditNote, AuditOutcome};

use crate::{Node, Note, SignInEnd, SignInNote};

impl Node {
    /// Writes down what the daemon has done.
    pub(crate) fn audit_done(&mut self, note: Note) {
        let note = match note {
            Note::SignIn(note) => return self.audit_sign_in(note),
            Note::BackedUp { person, path } => AuditNote {
                person: Some(person),
                ..AuditNote::new("realm.backedUp").about(path)
            },
            Note::Configured(Ok(changed)) => AuditNote {
                why: (!changed.is_empty()).then(|| changed.join(" ")),
                ..AuditNote::new("config.read")
            },
            Note::Configured(Err(error)) => AuditNote {
                outcome: AuditOutcome::Failure,
                error: Some(error),
                ..AuditNote::new("config.read")
            },
            Note::Removed { runs, kept_ms } => AuditNote {
                times: Some(runs),
                ..AuditNote::new("run.forgotten").about(format!("{} s", kept_ms / 1_000))
            },
        };
        self.audit(note);
    }

    /// Writes down what became of a sign-in. Of many refusals the rest are counted, as those of policy are.
    fn audit_sign_in(&mut self, note: SignInNote) {
        let (action, outcome, why) = match note.what {
            SignInEnd::Begun => ("person.signedIn", AuditOutcome::Success, None),
            SignInEnd::Refused(why) => ("person.refused", AuditOutcome::Refusal, Some(why)),
            SignInEnd::Ended(why) => ("person.signedOut", AuditOutcome::Success, Some(why)),
        };
        if outcome == AuditOutcome::Refusal && !self.out.log().counts_refusal() {
            return;
        }
        self.audit(AuditNote {
            outcome,
            why,
            person: Some(note.person),
            ..AuditNote::new(action)
        });
    }
}
