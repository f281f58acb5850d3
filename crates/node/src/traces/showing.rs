//! What this realm shows of the runs that it served: to who made the call, or has its word, what policy permits.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{Opened, ReplyKey, SigningKey, verify};
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, Digest, FailureCode, Kind, LoopAddress, LoopId, Place, RunId, Scope, Tick,
    audit::AuditNote,
    cbor,
    journal::{Direction, Event, Run, Table},
    json, limits,
    records::Signed,
    trace::{Onward, TraceAsked, TraceItem, TracePass, TraceShown, event_digest},
};
use realm_router::TokenBucket;
use serde_json::Value;

use super::Recounts;
use crate::{
    CallFailure, Effect, LookId, Node, Refused,
    answer::failure_body,
    relay::Release,
    state::{self, standing},
};

/// Domain of the secret that salts come from.
const SECRET_TAG: &[u8] = b"realm/1/trace-secret";
/// What is said of a call of which there is nothing to show, whatever the reason.
const NOTHING: &str = "there is no run of that call that its asker may ask about";

/// A run that was served for another realm, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedRun {
    /// The run.
    pub run: Run,
    /// Its events from the first on.
    pub events: Vec<Event>,
    /// Whether these are all: no more are read than are shown.
    pub whole: bool,
}

impl ServedRun {
    /// Chooses the run of those with a call's id, and reads its events, as many as are shown. `events` reads
    /// some of a run from one on; none is the end.
    ///
    /// # Errors
    /// Those of `events`.
    pub fn read<E>(
        runs: Vec<Run>,
        peer: &str,
        mut events: impl FnMut(RunId, u64) -> Result<Vec<Event>, E>,
    ) -> Result<Option<Self>, E> {
        let served =
            |run: &Run| run.direction == Direction::In && run.peer.as_deref() == Some(peer);
        let Some(run) = runs.into_iter().rfind(served) else {
            return Ok(None);
        };
        let (mut all, mut bytes) = (Vec::new(), 0_usize);
        loop {
            let more: Vec<Event> = events(run.id, all.len() as u64)?;
            let end = more.is_empty();
            bytes = more
                .iter()
                .fold(bytes, |sum, event| sum.saturating_add(event.payload.len()));
            all.extend(more);
            let whole = all.len() <= limits::TRACE_EVENTS && bytes <= limits::TRACE_BYTES;
            if end || !whole {
                return Ok(Some(Self {
                    run,
                    events: all,
                    whole,
                }));
            }
        }
    }
}

/// What showing traces rests on.
#[derive(Debug)]
pub(crate) struct Traces {
    /// What salts come from, once that is written down: it stays, whatever becomes of keys.
    pub(crate) kept: Option<[u8; 32]>,
    /// What is written down if nothing is yet.
    fresh: [u8; 32],
    reading: BTreeMap<LookId, Reading>,
    askers: BTreeMap<Scope, TokenBucket>,
    pub(super) recounts: Recounts,
}

/// A question while its run is read from the store.
#[derive(Debug)]
struct Reading {
    asker: Asker,
    asked: TraceAsked,
    loop_id: LoopId,
}

/// Who is answered.
#[derive(Debug)]
struct Asker {
    place: Place,
    question: CallId,
    digest: Digest,
    reply_key: ReplyKey,
    max_reply: u64,
}

impl Traces {
    pub(crate) fn new(signer: &SigningKey) -> Self {
        let secret = Digest::of(&[SECRET_TAG, &[0], &*signer.seed()]);
        Self {
            kept: None,
            fresh: *secret.as_bytes(),
            reading: BTreeMap::new(),
            askers: BTreeMap::new(),
            recounts: Recounts::default(),
        }
    }

    fn salt(&self, run: RunId, index: u64) -> [u8; 16] {
        let secret = self.kept.as_ref().unwrap_or(&self.fresh);
        Digest::of(&[secret, run.as_bytes(), &index.to_be_bytes()]).half()
    }

    /// The digest of an event, which nobody guesses.
    pub(super) fn digest_of(&self, event: &Event) -> Digest {
        event_digest(&self.salt(event.run, event.index), event)
    }

    /// Takes a question of one neighbour's side.
    ///
    /// # Errors
    /// Milliseconds until the next is taken.
    fn admit(&mut self, side: Scope, now: Tick) -> Result<(), u64> {
        let (rate, burst) = limits::TRACE_RATE;
        if self.reading.len() >= limits::TRACE_READS {
            return Err(1_000 / rate);
        }
        if self.askers.len() >= limits::TRACE_ASKERS && !self.askers.contains_key(&side) {
            // Who has asked for nothing for a while is counted from the beginning again.
            let idle = |bucket: &TokenBucket| {
                let mut bucket = *bucket;
                bucket.take_many(burst, now)
            };
            self.askers.retain(|_, bucket| !idle(bucket));
            if self.askers.len() >= limits::TRACE_ASKERS {
                return Err(1_000 / rate);
            }
        }
        let fresh = || TokenBucket::new(rate, burst, now);
        let bucket = self.askers.entry(side).or_insert_with(fresh);
        match bucket.take(now) {
            true => Ok(()),
            false => Err(bucket.retry_after_ms(now)),
        }
    }
}

/// Which loop of which realm a frame is a call of.
type Frames = BTreeMap<CallId, (Scope, LoopId)>;

/// What one asker may see, decided once for each loop.
struct Seen<'a> {
    asker: &'a Scope,
    decided: BTreeMap<(Scope, LoopId), bool>,
}

impl Node {
    /// The digest of an event of a run that is served for another realm, as it is written down.
    pub(crate) fn digest_event(&mut self, event: &Event) -> Digest {
        if self.traces.kept.is_none() {
            let secret = *self.traces.kept.insert(self.traces.fresh);
            self.put(Table::Standing, standing::TRACES, state::write(&secret));
        }
        self.traces.digest_of(event)
    }

    /// Another realm asks what it may see of the run that served a call. Policy is asked first, by what the
    /// question says alone: who may see nothing learns nothing, not even whether there was such a call.
    pub(crate) fn take_trace_asked(&mut self, opened: &Opened) {
        let header = opened.header();
        let (Ok(asked), Some(reply_key)) = (
            cbor::decode::<TraceAsked>(opened.content()),
            opened.reply_key(),
        ) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let asker = Asker {
            place: header.source.clone(),
            question: header.call,
            digest: opened.digest(),
            reply_key: reply_key.clone(),
            max_reply: header.max_reply,
        };
        let scope = header.source.scope();
        if let Err(wait) = self.traces.admit(self.trust.side_of(&scope), self.now.tick) {
            self.counters.refuse(Refused::Overloaded);
            let what = "too many questions for traces";
            let failure = CallFailure {
                retry_after_ms: Some(wait),
                ..CallFailure::new(FailureCode::Overloaded, what)
            };
            return self.refuse_trace(&asker, &failure);
        }
        let loop_id = self.registry.resolve(&asked.loop_id).clone();
        if let Err(failure) = self.permit_trace(&scope, &loop_id) {
            return self.refuse_trace(&asker, &failure);
        }
        let caller = match &asked.caller {
            None => scope,
            Some(caller) if self.has_word(caller, &asked, &scope) => caller.clone(),
            Some(_) => return self.nothing_to_show(&asker),
        };
        let look = self.next_look();
        let (call, peer) = (asked.call, self.name_of(&caller));
        let reading = Reading {
            asker,
            asked,
            loop_id,
        };
        self.traces.reading.insert(look, reading);
        // What is not durable yet is not read.
        self.out.promise(Effect::ReadRun(look, call, peer));
    }

    fn permit_trace(&mut self, asker: &Scope, id: &LoopId) -> Result<(), CallFailure> {
        let owner = self.me.scope();
        let resource = Resource::Loop { owner: &owner, id };
        let now = self.now.wall;
        let Err(denial) = self
            .rules
            .decide(Action::ReadTrace, asker, resource, false, now)
        else {
            return Ok(());
        };
        self.counters.refuse(Refused::Denied);
        let known = self.rules.reference_of(&denial);
        let reference = known.unwrap_or_else(|| self.remember_denial(denial));
        Err(CallFailure::denied(reference))
    }

    /// Whether a caller has said that the asker may ask about its call.
    fn has_word(&mut self, caller: &Scope, asked: &TraceAsked, asker: &Scope) -> bool {
        let now = self.now.wall;
        let (Some(pass), Some(chain)) = (&asked.pass, self.trust.chain(caller, now)) else {
            return false;
        };
        let Ok(said) = verify::<TracePass>(pass, &[*chain.node().as_bytes()]) else {
            return false;
        };
        let longest = limits::TRACE_PASS_MS.saturating_add(limits::CLOCK_SKEW_MS);
        said.call == asked.call
            && said.to == *asker
            && said.until > now
            && said.until.since(now) <= longest
    }

    /// The store has read a run that is asked about.
    pub(crate) fn handle_run_read(&mut self, look: LookId, found: Option<ServedRun>) {
        if self.recounted(look, found.as_ref()) {
            return;
        }
        let Some(reading) = self.traces.reading.remove(&look) else {
            return;
        };
        let meant = |found: &ServedRun| {
            found.run.call == reading.asked.call && found.run.loop_id == reading.loop_id.as_str()
        };
        let Some(found) = found.filter(meant) else {
            return self.nothing_to_show(&reading.asker);
        };
        if !found.whole {
            let what = format!(
                "a run is shown that has {} events and {} bytes at most",
                limits::TRACE_EVENTS,
                limits::TRACE_BYTES
            );
            let failure = CallFailure::new(FailureCode::TooLarge, what);
            return self.refuse_trace(&reading.asker, &failure);
        }
        self.audit(AuditNote {
            subject: Some(found.run.loop_id.clone()),
            realm: Some(reading.asker.place.scope()),
            run: Some(found.run.id),
            call: Some(found.run.call),
            ..AuditNote::new("trace.shown")
        });
        let page = self.page_of(&reading, &found);
        let asker = reading.asker;
        let letter = self.seal_reply(
            (&asker.place, asker.question, asker.digest),
            &asker.reply_key,
            Kind::TraceShown,
            (&cbor::encode(&page), asker.max_reply),
        );
        if let Some(letter) = letter {
            self.launch_when(letter, Release::Durable);
        }
    }

    /// One page of a run's events, from where the asker has got to.
    fn page_of(&mut self, reading: &Reading, found: &ServedRun) -> TraceShown {
        let asker = reading.asker.place.scope();
        let frames = self.frames_of(found);
        let mut seen = Seen {
            asker: &asker,
            decided: BTreeMap::new(),
        };
        let mut page = TraceShown {
            run: found.run.id,
            items: Vec::new(),
            more: false,
            onward: Vec::new(),
            erased: found.run.erased.is_some(),
        };
        let (mut bytes, mut led) = (0_usize, BTreeSet::new());
        let after = reading.asked.after.unwrap_or_default();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        for event in found.events.iter().skip(after) {
            let salt = self.traces.salt(event.run, event.index);
            let shown = self.shows(&mut seen, event, &frames);
            let hidden = || TraceItem::Hidden(event_digest(&salt, event));
            let mut item = match shown {
                true => TraceItem::Shown(salt, event.clone()),
                false => hidden(),
            };
            let mut long = cbor::encode(&item).len();
            if long > limits::TRACE_PAGE_BYTES {
                item = hidden();
                long = cbor::encode(&item).len();
            }
            let onward = (shown && event.kind == "call.sent" && led.len() < limits::TRACE_ONWARD)
                .then(|| frames.get(&event.call))
                .flatten()
                .filter(|_| !led.contains(&event.call))
                .map(|(to, loop_id)| self.lead_on(event.call, to, loop_id, &asker));
            bytes = bytes
                .saturating_add(long)
                .saturating_add(onward.as_ref().map_or(0, |led| cbor::encode(led).len()));
            if bytes > limits::TRACE_PAGE_BYTES && !page.items.is_empty() {
                page.more = true;
                break;
            }
            led.extend(onward.as_ref().map(|onward| onward.call));
            page.onward.extend(onward);
            page.items.push(item);
        }
        page
    }

    /// The loops that the frames of a run are calls of, as its events say.
    fn frames_of(&self, found: &ServedRun) -> Frames {
        let own = found.run.loop_id.parse().ok();
        let own = own.map(|id| (found.run.call, (self.me.scope(), id)));
        let mut frames: Frames = own.into_iter().collect();
        for event in &found.events {
            let begins = matches!(event.kind.as_str(), "call.started" | "call.sent");
            if begins && let Some(called) = self.called_in(event) {
                frames.entry(event.call).or_insert(called);
            }
        }
        frames
    }

    /// The loop that an event names, with its realm.
    pub(super) fn called_in(&self, event: &Event) -> Option<(Scope, LoopId)> {
        let payload = json::parse(&event.payload).ok()?;
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        let address: LoopAddress = text("loopId")?.parse().ok()?;
        let realm = match text("realm") {
            Some(realm) => Some(realm.parse().ok()?),
            None => address.realm,
        };
        let scope = match realm {
            Some(realm) => self.resolve_name(&realm).ok()?,
            None => self.me.scope(),
        };
        Some((scope, address.loop_id))
    }

    /// Whether an asker may see an event: its frame's, and one that it tells of.
    fn shows(&mut self, seen: &mut Seen<'_>, event: &Event, frames: &Frames) -> bool {
        // Who approved or halted, and why, is told to those alone who hear what people here are called.
        let of_people = event.kind.starts_with("approval.") || event.kind.starts_with("halt.");
        if of_people && !self.hears_names(seen.asker.root) {
            return false;
        }
        let own = frames.get(&event.call).cloned();
        if !own.is_some_and(|own| self.shows_loop(seen, own)) {
            return false;
        }
        if !matches!(event.kind.as_str(), "child.started" | "child.completed") {
            return true;
        }
        let told = match self.called_in(event) {
            Some(called) => Some(called),
            None => child_of(event).and_then(|child| frames.get(&child).cloned()),
        };
        told.is_some_and(|told| self.shows_loop(seen, told))
    }

    fn shows_loop(&mut self, seen: &mut Seen<'_>, (owner, id): (Scope, LoopId)) -> bool {
        let key = (owner, id);
        if let Some(decided) = seen.decided.get(&key) {
            return *decided;
        }
        let (owner, id) = &key;
        let resource = Resource::Loop { owner, id };
        let now = self.now.wall;
        let decided = self
            .rules
            .decide(Action::ReadTrace, seen.asker, resource, false, now)
            .is_ok();
        seen.decided.insert(key, decided);
        decided
    }

    /// Lets an asker ask about a call that this realm has made of another one.
    fn lead_on(&self, call: CallId, to: &Scope, loop_id: &LoopId, asker: &Scope) -> Onward {
        let mut pass = Signed::unsigned(&TracePass {
            call,
            to: asker.clone(),
            until: self.now.wall.plus(limits::TRACE_PASS_MS),
        });
        self.me.signer().sign(&mut pass);
        Onward {
            call,
            to: to.clone(),
            loop_id: loop_id.clone(),
            pass,
        }
    }

    fn nothing_to_show(&mut self, asker: &Asker) {
        self.refuse_trace(asker, &CallFailure::new(FailureCode::Expired, NOTHING));
    }

    fn refuse_trace(&mut self, asker: &Asker, failure: &CallFailure) {
        let content = cbor::encode(&failure_body(failure, asker.digest));
        let letter = self.seal_reply(
            (&asker.place, asker.question, asker.digest),
            &asker.reply_key,
            Kind::Failure,
            (&content, limits::BODY_BYTES as u64),
        );
        if let Some(letter) = letter {
            self.launch(letter);
        }
    }
}

/// The frame that an event of its caller tells of.
fn child_of(event: &Event) -> Option<CallId> {
    let payload = json::parse(&event.payload).ok()?;
    payload.get("childCallId")?.as_str()?.parse().ok()
}
