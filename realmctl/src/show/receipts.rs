//! Receipts of calls, and what they come to.

use realm_client::api::Time;
use realm_evidence::{Bill, CallAccount, CallsAccount, Used};

use super::{
    Row,
    evidence::{place, price},
    moment, rows, text,
};
use crate::output::Block;

/// What receipts show: a few fields, what they come to, and each.
pub(super) fn blocks(account: &CallsAccount, wide: bool) -> Vec<Block> {
    let time = |millis| moment(Time::from_millis(millis));
    let mut fields = vec![
        ("realm", account.realm.to_string()),
        ("signed", time(account.signed.as_millis())),
        ("receipts", account.receipts.len().to_string()),
    ];
    if let Some(statement) = &account.statement {
        fields.push(("all of", place(&statement.peer, wide)));
        fields.push(("from", time(statement.since.as_millis())));
        fields.push(("to", time(statement.until.as_millis())));
    }
    let unmatched = account.unmatched.map(|count| count.to_string());
    fields.extend(unmatched.map(|count| ("not at the witness", count)));
    vec![
        Block::Fields(fields),
        rows(&account.bills, wide),
        rows(&account.receipts, wide),
    ]
}

impl Row for Bill {
    const HEADER: &'static [&'static str] = &[
        "CALLER",
        "CALLEE",
        "RECEIPTS",
        "SUCCESSES",
        "MONEY",
        "TOKENS",
        "CALLS",
        "UNPRICED",
    ];
    const NARROW: usize = 7;

    fn name(&self) -> String {
        format!("{} {}", self.caller, self.callee)
    }

    fn cells(&self) -> Vec<String> {
        vec![
            place(&self.caller, false),
            place(&self.callee, false),
            self.receipts.to_string(),
            self.successes.to_string(),
            money(&self.counted),
            self.counted.tokens.to_string(),
            self.counted.calls.to_string(),
            self.counted.unpriced.to_string(),
        ]
    }
}

impl Row for CallAccount {
    const HEADER: &'static [&'static str] = &[
        "CALL", "ENDED", "CALLER", "CALLEE", "LOOP", "OUTCOME", "MONEY", "TOKENS", "CALLS",
        "ERROR", "RUN", "PARENT", "ROOT", "RECEIPT",
    ];
    const NARROW: usize = 9;

    fn name(&self) -> String {
        self.call.to_string()
    }

    fn cells(&self) -> Vec<String> {
        let error = self.error.map(|code| code.name().to_owned());
        vec![
            self.call.to_string(),
            moment(Time::from_millis(self.ended.as_millis())),
            place(&self.caller, false),
            place(&self.callee, false),
            self.loop_id.clone(),
            self.outcome.name().to_lowercase(),
            money(&self.counted),
            self.counted.tokens.to_string(),
            self.counted.calls.to_string(),
            text(error.as_ref()),
            self.run.to_string(),
            self.parent.to_string(),
            self.root.to_string(),
            self.receipt.to_string(),
        ]
    }
}

fn money(used: &Used) -> String {
    let amounts: Vec<String> = used
        .money
        .iter()
        .map(|(currency, micros)| price(Some(currency), *micros))
        .collect();
    match amounts.is_empty() {
        true => "-".to_owned(),
        false => amounts.join(", "),
    }
}
