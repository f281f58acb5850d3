//! Entries of the audit log.

use realm_client::api::{AuditEntry, ContradictionKind, WitnessView};

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

impl Row for WitnessView {
    const HEADER: &'static [&'static str] = &["REALM", "ENTRIES", "SIGNED", "STANDING", "ROOT"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.realm.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.realm.clone(),
            self.newest.count.to_string(),
            moment(self.newest.signed_at),
            standing(self),
            self.newest.root.clone(),
        ]
    }
}

fn standing(seen: &WitnessView) -> String {
    if let Some(found) = &seen.contradiction {
        let how = match found.kind {
            ContradictionKind::Shorter => "cut short",
            ContradictionKind::Other => "told anew",
        };
        let seen = found.acknowledged_at.map(moment);
        let seen = seen.map_or_else(String::new, |at| format!(", acknowledged {at}"));
        return format!("{how} {}{seen}", moment(found.shown_at));
    }
    match seen.unproven_since {
        Some(since) => format!("unproven since {}", moment(since)),
        None => "grew".to_owned(),
    }
}
