//! What realms say in a broadcast, and what they write down of it.

use realm_broadcast::{
    Closed, announcer::recompute, bidder::Held, check_announcement, log::Entry, open_transcript,
};
use realm_protocol::{
    broadcast::{
        Announce, Announcement, Award, Bid, Close, Confirm, Deliver, Evidence, Lease, Outcome,
        OutcomeAck, Summary, Tally, Transcript, Verdict, Withdraw, WorkProgress,
    },
    cbor::{self, Blob},
    limits,
    records::Signed,
};

use crate::wire::one_encoding;

/// An announcement that may be followed lies within every limit.
pub(crate) fn announcement(bytes: &[u8]) {
    one_encoding::<Tally>(bytes);
    one_encoding::<Summary>(bytes);
    let announce = one_encoding::<Announce>(bytes);
    let inside = announce.and_then(|it| one_encoding::<Announcement>(&it.announcement.payload));
    for it in inside.into_iter().chain(one_encoding(bytes)) {
        if check_announcement(&it).is_err() {
            continue;
        }
        let (rule, limits) = (&it.rule, &it.limits);
        assert!((1..=2).contains(&it.round) && it.depth <= limits::CALL_DEPTH);
        assert!((1..=limits::WINDOW_MAX_MS).contains(&it.window_ms));
        assert!((1..=limits::RUN_MS).contains(&it.execution_ms));
        assert!((1..=limits::AWARDS).contains(&rule.awards));
        assert!(rule.min_bids <= rule.max_bids && rule.max_bids <= limits::BIDS as u64);
        assert!(it.capabilities.len() <= limits::CAPABILITIES);
        assert!(it.capabilities.is_sorted_by(|a, b| a < b));
        assert!(it.reach.realms.len() <= limits::NAMED_SCOPES);
        assert!(limits.price.is_none() || limits.currency.is_some());
        assert!(it.aggregation.min_results <= rule.awards);
    }
}

/// Everything between a bid and the end of the work that it has won.
pub(crate) fn bid(bytes: &[u8]) {
    one_encoding::<Bid>(bytes);
    if let Some(signed) = one_encoding::<Signed<Bid>>(bytes) {
        assert_eq!(signed.peek().ok(), one_encoding::<Bid>(&signed.payload));
    }
    one_encoding::<Award>(bytes);
    one_encoding::<Confirm>(bytes);
    one_encoding::<Signed<Confirm>>(bytes);
    one_encoding::<Lease>(bytes);
    one_encoding::<WorkProgress>(bytes);
    one_encoding::<Outcome>(bytes);
    if let Some(deliver) = one_encoding::<Deliver>(bytes) {
        one_encoding::<Outcome>(&deliver.outcome.payload);
    }
    one_encoding::<OutcomeAck>(bytes);
    one_encoding::<Withdraw>(bytes);
}

/// A close that can be joined has as many digests as its verdict says.
pub(crate) fn close(bytes: &[u8]) {
    one_encoding::<Verdict>(bytes);
    let Some(close) = one_encoding::<Close>(bytes) else {
        return;
    };
    if let Ok(closed) = Closed::join(&[close]) {
        assert_eq!(closed.digests.len() as u64, closed.verdict.counted);
        assert_eq!(closed.winners.len(), closed.verdict.winners.len());
    }
}

/// What an announcer or a bidder has written down, entry by entry or as a page of them.
pub(crate) fn log(bytes: &[u8]) {
    one_encoding::<Held>(bytes);
    one_encoding::<Entry>(bytes);
    let page: Vec<Blob> = cbor::decode(bytes).unwrap_or_default();
    let entries: Option<Vec<Entry>> = page.iter().map(|it| one_encoding(it)).collect();
    follow(&entries.unwrap_or_default());
}

/// A file of evidence.
pub(crate) fn evidence(bytes: &[u8]) {
    one_encoding::<Evidence>(bytes);
    let examined = realm_evidence::examine(bytes);
    assert_eq!(examined.is_ok(), realm_evidence::examine(bytes).is_ok());
    if let Some(transcript) = one_encoding::<Transcript>(bytes)
        && let Ok(entries) = open_transcript(&transcript)
    {
        follow(&entries);
    }
}

/// What follows from a log ranks every bid that counts, once.
fn follow(entries: &[Entry]) {
    let Ok(recomputed) = recompute(entries) else {
        return;
    };
    let ranked = &recomputed.ranking.ranked;
    assert_eq!(ranked.len(), recomputed.accounts.len());
    assert!(
        (1..)
            .zip(&recomputed.accounts)
            .all(|(rank, it)| it.rank == rank)
    );
}
