//! Bids of this realm, and files that prove how a broadcast went.

use std::collections::BTreeMap;

use realm_client::{
    api::{
        BidQuery, BidSummary, BidderTrust, EvidenceFile, Page, Problem, TranscriptQuery, TrustEvent,
    },
    catalogue::Code,
};
use realm_node::{BidView, NoTranscript, Node};
use realm_protocol::{
    BroadcastId, CallId, Digest, RunId, Timestamp, cbor::Blob, journal::Event, journal::Table,
    json, limits,
};

use super::{
    Answer, Shared,
    extract::{Params, Segment, invalid, page_size},
    problem::Fail,
    realms::place,
    runs::{EVENTS, blocking, found, run_id},
    views::{short, time},
};

/// Entries of a run's broadcasts that are read at most.
const ENTRIES: usize = limits::TRANSCRIPT_ENTRIES * limits::TRANSCRIPT_PAGES;

pub(super) async fn list(
    daemon: Shared,
    Params(query): Params<BidQuery>,
) -> Answer<Page<BidSummary>> {
    let BidQuery { limit } = query;
    let limit = page_size(limit);
    daemon.handle.settled().await?;
    let bids = blocking(&daemon, move |store| {
        let mut bids = Vec::new();
        store.each_record(Table::Bids, |_, value| {
            bids.extend(BidView::read(value));
            if bids.len() > limit {
                bids.remove(0);
            }
        })?;
        bids.reverse();
        Ok(bids)
    });
    let bids = bids.await?;
    let items = daemon
        .handle
        .read(move |node| bids.iter().map(|bid| summary(node, bid)).collect());
    Ok(axum::Json(Page {
        items: items.await?,
        next: None,
    }))
}

fn summary(node: &Node, view: &BidView) -> BidSummary {
    let BidView {
        announcement,
        bid,
        digest,
        awarded,
        closed,
        receipt: _,
    } = view;
    BidSummary {
        bid: digest.to_string(),
        broadcast_id: announcement.broadcast.to_string(),
        announcer: node.name_of(&announcement.announcer.scope()),
        loop_id: announcement.loop_id.to_string(),
        agent: bid.agent.to_string(),
        currency: bid.price.as_ref().map(|price| price.currency.clone()),
        price_micros: bid.micros(),
        time_ms: bid.time_ms,
        confidence: bid.confidence,
        created_at: time(bid.created),
        awarded: *awarded,
        closed: *closed,
    }
}

pub(super) async fn bidders(daemon: Shared) -> Answer<Page<BidderTrust>> {
    let known = daemon.handle.read(Node::bidders).await?;
    let items = known.into_iter().map(|known| BidderTrust {
        realm_id: known.realm.to_string(),
        trust: known.trust,
        events: known.events.into_iter().map(trust_event).collect(),
        newcomers: known.newcomers,
    });
    Ok(axum::Json(Page {
        items: items.collect(),
        next: None,
    }))
}

fn trust_event((conduct, at, trust): (&str, Timestamp, u64)) -> TrustEvent {
    TrustEvent {
        conduct: conduct.to_owned(),
        at: time(at),
        trust,
    }
}

pub(super) async fn receipt(daemon: Shared, Segment(bid): Segment) -> Answer<EvidenceFile> {
    let wanted: Digest = bid
        .parse()
        .map_err(|_| invalid(&format!("`{}` is no bid", short(&bid))))?;
    daemon.handle.settled().await?;
    let view = blocking(&daemon, move |store| {
        let mut view = None;
        store.each_record(Table::Bids, |key, value| {
            if key.ends_with(wanted.as_bytes()) {
                view = BidView::read(value);
            }
        })?;
        Ok(view)
    });
    let none = || {
        let problem = Problem::new(
            Code::NotFound,
            format!("this realm has made no bid {wanted}"),
        );
        Fail::from(problem.with_hint("realmctl bid ls"))
    };
    let view = view.await?.ok_or_else(none)?;
    let broadcast = view.announcement.broadcast;
    let receipt = view.receipt;
    let evidence = daemon.handle.read(move |node| node.evidence_of(receipt));
    Ok(axum::Json(file(broadcast, &evidence.await?)))
}

pub(super) async fn transcript(
    daemon: Shared,
    Segment(id): Segment,
    Params(query): Params<TranscriptQuery>,
) -> Answer<EvidenceFile> {
    let TranscriptQuery { call, reader } = query;
    let id = run_id(&id)?;
    let wanted: Option<CallId> = match call {
        None => None,
        Some(call) => {
            let read = call.parse();
            Some(read.map_err(|_| invalid(&format!("`{}` is no call", short(&call))))?)
        }
    };
    let reader = place(&daemon, reader).await?;
    daemon.handle.settled().await?;
    found(&daemon, id).await?;
    let mut calls = blocking(&daemon, move |store| {
        let mut entries = Entries::default();
        let mut from = 0_u64;
        loop {
            let read = store.events(id, from, EVENTS)?;
            from = from.saturating_add(read.len() as u64);
            let last = read.len() < EVENTS;
            read.iter().for_each(|event| entries.take(event, wanted));
            if last {
                return Ok(entries.by_call);
            }
        }
    })
    .await?;
    let several = calls.len() > 1;
    let (call, entries) = calls.pop_first().ok_or_else(|| no_broadcast(id))?;
    if several {
        let problem = Problem::new(
            Code::RequestInvalid,
            format!("run {id} has announced several broadcasts"),
        );
        let hint = format!("name one by its call, such as {call}");
        return Err(Fail::from(problem.with_hint(hint)).about(id));
    }
    let broadcast = BroadcastId::new(*call.as_bytes());
    let made = daemon.handle.read(move |node| match reader {
        Some(reader) => node.view(broadcast, &entries, &reader),
        None => node.transcript(broadcast, &entries),
    });
    let evidence = made.await?.map_err(|error| unmade(&error).about(id))?;
    Ok(axum::Json(file(broadcast, &evidence)))
}

/// The entries of a run's broadcasts, by the calls that they are.
#[derive(Default)]
struct Entries {
    by_call: BTreeMap<CallId, Vec<Blob>>,
    read: usize,
}

impl Entries {
    fn take(&mut self, event: &Event, wanted: Option<CallId>) {
        let concerned = wanted.is_none_or(|call| call == event.call);
        if !event.kind.starts_with("broadcast.") || !concerned || self.read > ENTRIES {
            return;
        }
        let payload = json::parse(&event.payload).ok();
        let entry = payload.as_ref().and_then(|it| it.get("entry")?.as_str());
        if let Some(entry) = entry.and_then(Blob::from_base64) {
            self.read = self.read.saturating_add(1);
            self.by_call.entry(event.call).or_default().push(entry);
        }
    }
}

fn no_broadcast(id: RunId) -> Fail {
    Fail::new(Code::NotFound, format!("run {id} has announced no work")).about(id)
}

fn unmade(error: &NoTranscript) -> Fail {
    let problem = Problem::new(Code::TraceTooLong, error.to_string());
    match error {
        NoTranscript::Redacted => Problem::new(Code::RequestInvalid, error.to_string())
            .with_hint("realmctl config explain traces.redact")
            .into(),
        NoTranscript::Unreadable(_) | NoTranscript::Faulty(_) => {
            Problem::new(Code::StoreCorrupt, error.to_string())
                .with_hint("realmd store check")
                .into()
        }
        NoTranscript::UnderWay => Problem::new(Code::RequestInvalid, error.to_string())
            .with_hint("realmctl run wait RUN")
            .into(),
        NoTranscript::NoBidder => Problem::new(Code::NotFound, error.to_string())
            .with_hint("realmctl bid ls --run RUN")
            .into(),
        NoTranscript::Transcript(_) => problem.into(),
    }
}

fn file(broadcast: BroadcastId, evidence: &Blob) -> EvidenceFile {
    EvidenceFile {
        broadcast_id: broadcast.to_string(),
        evidence: evidence.to_base64(),
    }
}
