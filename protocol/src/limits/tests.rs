use super::*;
use crate::samples;

macro_rules! values {
    ($($name:ident)*) => { &[$((stringify!($name), format!("{:?}", $name))),*] };
}

/// Name and what stands in the source above it, in the order of the source.
fn documented() -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let mut doc = String::new();
    for line in include_str!("../limits.rs").lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            doc.push_str(if doc.is_empty() { "" } else { " " });
            doc.push_str(text);
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, _) = rest.split_once(':').unwrap();
            entries.push((name.to_owned(), std::mem::take(&mut doc)));
        } else {
            doc.clear();
        }
    }
    entries
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.to_owned();
    }
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_limits_in_the_specification_are_those_in_the_code() {
    let values: &[(&str, String)] = values![
        WIRE_VERSION FRAME_BYTES HEADER_BYTES BODY_BYTES CHAIN_BYTES RECORD_BYTES POLICY_BYTES
        CBOR_DEPTH CBOR_ITEMS CBOR_MAP_KEYS JSON_DEPTH PATH_DEPTH PATH_BYTES LABEL_BYTES
        LOOP_ID_BYTES HOPS CURRENCIES CALL_DEPTH SUCCESSIONS MERKLE_SIBLINGS TTL_MS STORABLE_TTL_MS
        CLOCK_SKEW_MS CALL_MS CALL_MAX_MS ACCEPT_AFTER_MS RATED_CALLERS RATED_CALLERS_PER_ROOT RATED_AGAIN_MS RATES RATE_NAME_BYTES RATE_PER_MINUTE RATE_BURST RATE_QUEUE BREAKERS BREAKER_MS BREAKER_MAX_MS ACCEPTED ACCEPTED_SHARE DELIVERY_MS
        LOOP_SHARES SCORES STREAM_BYTES STREAM_ITEM_BYTES STREAM_AT_ONCE STREAM_PAUSE_MS STREAM_RATE STREAM_TAKEN ATTEMPTS KEY_KEPT_MS REPLAY_IDS REPLAY_IDS_SHARE STORED_REPLAY_IDS
        STORED_REPLAY_IDS_SHARE SESSION_WINDOW SESSION_MESSAGES SESSION_RENEW_MESSAGES SESSION_MS
        SESSION_RENEW_MS SESSIONS SESSIONS_SHARE SESSIONS_PER_NODE BEAT_MS BEATS_MISSED ADMISSION_MS
        CHILD_CERT_MS CHILD_RENEW_MS NODE_CERT_MS NODE_WARN_MS KEM_LIVE_MS KEM_GRACE_MS
        KEM_STORED_MS KEM_STORED_GRACE_MS KEM_RECORDS PEERING_MS TICKET_MS CHILDREN PEERS TICKETS
        REVOCATIONS REVOCATION_LISTS REVOCATION_LISTS_SHARE REVOCATION_LISTS_BYTES REVOCATION_LISTS_SHARE_BYTES PETNAMES ADDRESSES CALLS CALLS_PER_PEER CALLS_SHARES UNSENT_BYTES UNSENT_BYTES_SHARE PAUSED PAUSED_SHARE
        CHAINS CHAINS_SHARE CHAINS_BYTES HISTORIES HISTORIES_SHARE HISTORIES_OWN_TREE CONTRACTS PEER_RATE
        CHILD_RATE CHAIN_WAITERS CHAIN_WAITERS_SHARE CHAIN_WAIT_MS TAKEN_BACK TAKEN_BACK_SHARE CUSTODY CUSTODY_SHARE CUSTODY_BYTES
        CUSTODY_SHARE_BYTES CUSTODY_BYTES_IN_ALL CUSTODY_SHARE_BYTES_IN_ALL CUSTODY_RATE
        CUSTODY_WINDOW LOOPS LOOP_VERSIONS LOOP_REVISIONS LOOP_REVISIONS_IN_ALL PROMPT_BYTES LOOPS_REMOVED
        LOOP_ALIASES LOOP_CHANGES DIFFERENCES SCHEMA_BYTES TRACED_BYTES FRAMES MODEL_TURNS
        MODEL_TURNS_MAX MODEL_CALLS MODEL_TOOLS SERVER_TOOLS ROUTE_TARGETS ROUTE_WEIGHT CONVERSATION_BYTES RUN_FRAMES MACHINE_STEPS ITEMS
        ITEMS_AT_A_TIME RETRIES APPROVALS APPROVERS APPROVAL_MS APPROVALS_DECIDED REASON_CHARS RUN_MS BACKEND_BYTES COMMANDS ARGV ARGUMENT_BYTES COMMAND_BYTES STATE_KEYS_AT_ONCE STATE_KEY_BYTES STATE_VALUE_BYTES STATE_KEYS STATE_AGENTS
        STATE_BYTES QUESTIONS QUESTION_CHARS QUESTION_BYTES ATTACHED ATTACHED_LOOPS ATTACHED_CALLS ATTACHED_ASKS
        ATTACHED_EARLY_MS ATTACHED_SILENCE_MS ATTACHED_CANCELLED_MS ATTACH_MS PROGRESS_BYTES PROGRESS HALTED_LOOPS HALTED_REALMS HALT_NAMES RUNS_LET_GO
        HALT_CHANGES BID_BYTES WORK_BYTES BIDS BIDS_PER_ROOT BID_MS WINDOW_MS
        WINDOW_MAX_MS CAPABILITIES NAMED_SCOPES AWARDS EPOCHS WEIGHT FIELD_DEPTH CONFIRM_MS
        LEASE_GRACE_MS WITHDRAW_MS OFFSHOOTS SUMMARY_BYTES CLOSE_DIGESTS CLOSE_BIDS TRANSCRIPT_ENTRIES
        TRANSCRIPT_PAGES RECEIPTS ANNOUNCEMENTS_PER_ROOT ANNOUNCERS ANNOUNCERS_SHARE ANNOUNCE_RATE OFFERS OFFERS_PER_ROOT OUTCOME_SENDS AWARD_SENDS CLOSE_ASKS CLOSES TRUSTED GRANT_LINKS GRANT_LOOPS GRANTS GRANTS_HELD GRANTS_COUNTED GRANTS_COUNTED_SHARE GRANT_MS PERSON_READ_MS PEOPLE_KNOWN REDACTIONS
        REDACTION_BYTES REDACTION_PROGRAM_BYTES AUDIT_TEXT_BYTES AUDIT_HEAD_ENTRIES AUDIT_HEAD_MS
        AUDIT_ITEMS AUDIT_PAGES AUDIT_HEADS AUDIT_ENTRIES AUDIT_REFUSALS WITNESSED WITNESS_HEADS RECEIPT_ITEMS RECEIPT_PAGES
        RECEIPT_CHAINS RECEIPT_SIGNERS RECEIPT_SIGNERS_SHARE RECEIPT_SIGNER_KEPT_MS
    ];
    let documented = documented();
    let names: Vec<&str> = documented.iter().map(|(name, _)| name.as_str()).collect();
    let listed: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, listed, "a limit is missing from this test");

    let table = samples::table(
        "| limit | value | what happens there |",
        values.len(),
        |at| {
            let (name, doc) = &documented[at];
            let doc = doc.replace("[`", "`").replace("`]", "`");
            format!("| `{name}` | {} | {doc} |", grouped(&values[at].1))
        },
    );

    samples::assert_in_spec("limits.md", &table);
}
