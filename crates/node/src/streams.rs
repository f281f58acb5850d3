//! Output that is shown while it is being made, to callers here and elsewhere: text that nothing rests on.

use std::collections::BTreeMap;

use realm_crypto::Verified;
use realm_protocol::{
    CallId, Digest, Header, Kind, RealmId, RunId, Tick, cbor, limits, message::StreamItem,
};
use realm_router::TokenBucket;

use crate::{
    ControlId, Effect, Node, Part, Refused,
    answer::{Remote, Responder},
    deliver::{Pending, open_answer},
    intake::kibs,
    outbound::{Origin, Task},
    relay::Release,
    timers::Timer,
};

/// What a run here has shown of the text under way.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    number: u64,
    text: String,
    watchers: Vec<Watcher>,
    /// When the next parts leave for other realms at the earliest.
    next: Tick,
}

/// Who is shown a run's output while it is being made.
#[derive(Debug)]
pub(crate) struct Watcher {
    who: Who,
    /// Bytes of the text that it has been sent.
    sent: usize,
}

#[derive(Debug)]
enum Who {
    Local(ControlId),
    /// A caller elsewhere, and the most bytes of one text that it takes.
    Remote(Box<Remote>, usize),
}

impl Stream {
    /// Adds to a text, or begins the next; one that is full takes no more.
    fn add(&mut self, number: u64, text: &str) {
        if number > self.number {
            self.number = number;
            self.text.clear();
            for watcher in &mut self.watchers {
                watcher.sent = 0;
            }
        }
        if number == self.number {
            let room = limits::STREAM_BYTES.saturating_sub(self.text.len());
            self.text.push_str(start_of(text, room));
        }
    }

    /// Whether a caller of this root is shown it.
    pub(crate) fn has_watcher_of(&self, root: RealmId) -> bool {
        let mut watchers = self.watchers.iter();
        watchers
            .any(|held| matches!(&held.who, Who::Remote(remote, _) if remote.source.root == root))
    }

    /// Shows it no longer to whoever waited under this, and has been told that it stands still.
    pub(crate) fn turn_away(&mut self, responder: &Responder) {
        match responder {
            Responder::Remote(remote) => self.leave(remote.call, remote.source.realm),
            Responder::Local(local) => self.watchers.retain(
                |held| !matches!(held.who, Who::Local(control) if control == local.control),
            ),
            Responder::Leased(_) | Responder::Asked(_) => {}
        }
    }

    /// Shows it no longer to a caller elsewhere.
    pub(crate) fn leave(&mut self, call: CallId, realm: Option<RealmId>) {
        self.watchers.retain(|held| match &held.who {
            Who::Remote(remote, _) => remote.call != call || remote.source.realm != realm,
            Who::Local(_) => true,
        });
    }

    fn is_behind(&self) -> bool {
        let mut watchers = self.watchers.iter();
        watchers.any(|watcher| watcher.sent < self.most_for(&watcher.who))
    }

    /// Bytes of the text that there are for somebody.
    fn most_for(&self, who: &Who) -> usize {
        match who {
            Who::Local(_) => self.text.len(),
            Who::Remote(_, most) => self.text.len().min(*most),
        }
    }

    /// The next part for a watcher, if there is one.
    fn next_for(&mut self, watcher: usize, most: usize, run: RunId) -> Option<StreamItem> {
        let (number, there) = {
            let watcher = self.watchers.get(watcher)?;
            (self.number, self.most_for(&watcher.who))
        };
        let watcher = self.watchers.get_mut(watcher)?;
        let rest = self.text.get(watcher.sent..)?;
        let rest = start_of(rest, there.saturating_sub(watcher.sent).min(most));
        if rest.is_empty() {
            return None;
        }
        let offset = watcher.sent;
        watcher.sent = offset.saturating_add(rest.len());
        Some(StreamItem {
            run,
            number,
            offset: offset as u64,
            text: rest.to_owned(),
        })
    }
}

/// As much of a text as has at most so many bytes.
fn start_of(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// What a call of this realm's has been shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    number: u64,
    bytes: u64,
}

impl Shown {
    /// What is new in a part, and where in its text; nothing of one before which some is missing.
    fn take<'a>(&mut self, part: &'a StreamItem) -> Option<(u64, &'a str)> {
        if part.number < self.number {
            return None;
        }
        let known = if part.number > self.number {
            0
        } else {
            self.bytes
        };
        let skip = usize::try_from(known.checked_sub(part.offset)?).ok()?;
        let new = part.text.get(skip..).filter(|new| !new.is_empty())?;
        let bytes = known.saturating_add(new.len() as u64);
        if bytes > limits::STREAM_BYTES as u64 {
            return None;
        }
        *self = Self {
            number: part.number,
            bytes,
        };
        Some((known, new))
    }
}

/// Bytes around the text of a part: its header, what seals it and its frame.
const AROUND: usize = 640;

/// How much of parts other realms are sent.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    roots: BTreeMap<RealmId, TokenBucket>,
    /// Parts of all calls that need not wait for a pause.
    at_once: Option<TokenBucket>,
}

impl Paces {
    /// Whether a part of so many bytes may leave for a root now.
    fn permits(&mut self, root: RealmId, bytes: usize, now: Tick) -> bool {
        let (rate, burst) = limits::STREAM_RATE;
        let fresh = || TokenBucket::new(rate, burst, now);
        let bucket = self.roots.entry(root).or_insert_with(fresh);
        bucket.take_many(kibs(bytes.saturating_add(AROUND)), now)
    }

    /// Whether a part may leave before its call's pause is over.
    fn spare_a_pause(&mut self, now: Tick) -> bool {
        let (rate, burst) = limits::STREAM_AT_ONCE;
        let fresh = || TokenBucket::new(rate, burst, now);
        self.at_once.get_or_insert_with(fresh).take(now)
    }

    /// Forgets those who are sent nothing.
    fn retain(&mut self, served: impl Fn(RealmId) -> bool) {
        self.roots.retain(|root, _| served(*root));
    }
}

impl Responder {
    /// Whether it wants to see the output while it is being made.
    pub(crate) fn wants_stream(&self) -> bool {
        match self {
            Self::Local(local) => local.stream,
            Self::Remote(remote) => remote.stream.is_some(),
            Self::Leased(_) | Self::Asked(_) => false,
        }
    }

    /// Who waits under it, if they want to see the output while it is being made.
    pub(crate) fn watcher(&self) -> Option<Watcher> {
        let who = match self {
            Self::Local(local) if local.stream => Who::Local(local.control),
            Self::Remote(remote) => {
                let most = usize::try_from(remote.stream?).unwrap_or(usize::MAX);
                Who::Remote(Box::new(remote.as_ref().clone()), most)
            }
            _ => return None,
        };
        Some(Watcher { who, sent: 0 })
    }
}

impl Watcher {
    /// Whether both are attempts at one call.
    fn is_of(&self, other: &Self) -> bool {
        match (&self.who, &other.who) {
            (Who::Remote(mine, _), Who::Remote(theirs, _)) => {
                mine.call == theirs.call && mine.source.realm == theirs.source.realm
            }
            (Who::Local(mine), Who::Local(theirs)) => mine == theirs,
            _ => false,
        }
    }
}

impl Node {
    /// Shows a run's output to who waits for it, from the start of the text under way. There are no
    /// more of them than wait.
    pub(crate) fn watch(&mut self, run: RunId, watcher: Option<Watcher>) {
        let Some(watcher) = watcher else {
            return;
        };
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let stream = served.stream.get_or_insert_default();
        stream.watchers.retain(|held| !held.is_of(&watcher));
        stream.watchers.push(watcher);
        self.executor.show(run);
        self.show(run);
    }

    /// Some of the text that a run's output is being made of.
    pub(crate) fn run_shows(&mut self, run: RunId, number: u64, text: &str) {
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        if let Some(stream) = &mut served.stream {
            stream.add(number, text);
            self.show(run);
        }
    }

    /// Sends watchers what they have not seen: those here at once, those in this tree as long as
    /// not too much is shown, those elsewhere now and then. Of a run that is halted nothing leaves.
    pub(crate) fn show(&mut self, run: RunId) {
        if self.executor.is_halted(run) {
            return self.timers.cancel(&Timer::Stream(run));
        }
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let Some(stream) = &mut served.stream else {
            return;
        };
        for watcher in 0..stream.watchers.len() {
            let Some(Who::Local(control)) = stream.watchers.get(watcher).map(|held| &held.who)
            else {
                continue;
            };
            let control = *control;
            if let Some(part) = stream.next_for(watcher, usize::MAX, run) {
                self.out.emit(Effect::Part(control, part.into()));
            }
        }
        if stream.is_behind() {
            let now = self.now.tick;
            let own = stream.has_watcher_of(self.me.root());
            let waits = stream.next > now && !(own && self.paces.spare_a_pause(now));
            let at = if waits { stream.next } else { now };
            self.timers.set_earlier(Timer::Stream(run), at);
        }
    }

    /// Sends each watcher elsewhere its next part.
    pub(crate) fn show_elsewhere(&mut self, run: RunId) {
        let now = self.now.tick;
        self.send_parts(run, |root, bytes, paces| paces.permits(root, bytes, now));
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        if let Some(stream) = &mut served.stream {
            stream.next = now.plus(limits::STREAM_PAUSE_MS);
            if stream.is_behind() {
                self.timers.set(Timer::Stream(run), stream.next);
            }
        }
    }

    /// Sends what is left of a run's text before its end is told, where that is one part.
    pub(crate) fn show_rest(&mut self, run: RunId) {
        if self.timers.is_set(&Timer::Stream(run)) {
            self.timers.cancel(&Timer::Stream(run));
            self.send_parts(run, |_, _, _| true);
        }
        let served = &self.serving;
        self.paces.retain(|root| served.watches_from(root));
    }

    fn send_parts(&mut self, run: RunId, mut may: impl FnMut(RealmId, usize, &mut Paces) -> bool) {
        let me = self.me.root();
        let mut leaving = Vec::new();
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let Some(stream) = &mut served.stream else {
            return;
        };
        for watcher in 0..stream.watchers.len() {
            let Some(held) = stream.watchers.get(watcher) else {
                continue;
            };
            let Who::Remote(remote, _) = &held.who else {
                continue;
            };
            let most = limits::STREAM_ITEM_BYTES;
            let left = stream.most_for(&held.who).saturating_sub(held.sent);
            let root = remote.source.root;
            if left == 0 || !(root == me || may(root, left.min(most), &mut self.paces)) {
                continue;
            }
            let remote = remote.clone();
            if let Some(part) = stream.next_for(watcher, most, run) {
                leaving.push((remote, part));
            }
        }
        for (remote, part) in leaving {
            let content = cbor::encode(&part);
            self.reply(&remote, Kind::StreamItem, &content, Release::Now);
        }
    }

    /// What parts of a call's output are opened with that was accepted.
    pub(crate) fn accepted_as(&self, header: &Header) -> Option<&Pending> {
        let held = self
            .calls
            .get(&header.call)
            .filter(|_| header.kind == Kind::StreamItem);
        held?.accepted_as.as_deref()
    }

    /// Takes a part of the output of a call of this realm's.
    pub(crate) fn take_stream_item(&mut self, verified: &Verified, answers: Digest) {
        let header = verified.header();
        let accepted = self.accepted_as(header);
        let Some(pending) = self.waiting.get(&answers).or(accepted) else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Some(opened) = open_answer(verified, pending) else {
            return self.counters.refuse(Refused::Sealed);
        };
        let (Some(call), true) = (pending.call(), header.source.scope() == *pending.asked()) else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Ok(item) = cbor::decode::<StreamItem>(opened.content()) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let Some(Task::Invoke(invoke)) = self.calls.get_mut(&call).map(|out| &mut out.task) else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Some(shown) = &mut invoke.stream else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Some((offset, text)) = shown.take(&item) else {
            return;
        };
        let part = Part {
            run: invoke.run,
            number: item.number,
            offset,
            text: text.to_owned(),
        };
        match invoke.origin {
            Origin::Control(control) => self.out.emit(Effect::Part(control, part)),
            Origin::Frame => {
                self.executor
                    .part(call, part.number, part.text, &self.registry, self.now);
            }
            Origin::Restart => {}
        }
    }

    /// Whoever asked for a streamed call has gone: what nobody else waits for is taken back.
    pub(crate) fn asker_gone(&mut self, control: ControlId) {
        const REASON: &str = "its caller has gone";
        if let Some(run) = self.serving.waited_for_alone(control) {
            return self.executor.cancel(run, REASON, self.now);
        }
        if self.leave_line(|held| held.is_streamed_to(control)) {
            return;
        }
        let mut calls = self.calls.iter();
        let of_control = calls.find(|(_, out)| match &out.task {
            Task::Invoke(invoke) => invoke.origin == Origin::Control(control),
            _ => false,
        });
        let call: Option<CallId> = of_control.map(|(call, _)| *call);
        if let Some(call) = call {
            self.cancel_call(call, REASON);
        }
    }
}

impl From<StreamItem> for Part {
    fn from(item: StreamItem) -> Self {
        Self {
            run: item.run,
            number: item.number,
            offset: item.offset,
            text: item.text,
        }
    }
}

#[cfg(test)]
mod tests;
