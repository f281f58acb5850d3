//! Entries of the audit log.

use realm_client::api::AuditEntry;

use super::{Row, moment, text};

impl Row for AuditEntry {
    const HEADER: &'static [&'static str] = &[
        "ENTRY", "AT", "ACTION", "SUBJECT", "REALM", "PERSON", "OUTCOME", "RUN", "CALL", "ERROR",
        "CONTRACT", "RECEIPT", "INPUT", "OUTPUT", "DIGEST",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        self.index.to_string()
    }

    fn cells(&self) -> Vec<String> {
        let outcome = self.outcome.as_str();
        let person = match self.erased {
            true => "erased".to_owned(),
            false => text(self.person.as_ref()),
        };
        vec![
            self.index.to_string(),
            moment(self.at),
            self.action.clone(),
            text(self.subject.as_ref()),
            text(self.realm.as_ref()),
            person,
            match self.times {
                Some(times) => format!("{outcome} x {times}"),
                None => outcome.to_owned(),
            },
            text(self.run_id.as_ref()),
            text(self.call_id.as_ref()),
            text(self.error.as_ref()),
            text(self.contract.as_ref()),
            text(self.receipt.as_ref()),
            text(self.input_digest.as_ref()),
            text(self.output_digest.as_ref()),
            self.digest.clone(),
        ]
    }
}
