//! Who may call what, worked out from what owners have asked for, and from nothing a node says.
//!
//! An owner's edit counts as possible from the moment it is asked, and as certain once it is
//! acknowledged: a crash in between may have lost it. A call is wrong where no possible state of
//! the edits permits it.

use std::collections::BTreeMap;

use realm_node::{ControlId, GrantView, Response};
use realm_protocol::{GrantId, LoopId, RealmId, Timestamp, records::Grant};

use serde_json::Value;

use crate::{HostId, World};

/// What a policy document of an owner says about its loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Everybody may call the loop.
    Permit,
    /// Nobody may.
    Forbid,
    /// Nothing.
    Silence,
}

/// A document about one loop: of an owner for itself, or for every realm below.
type Document = (HostId, &'static str, bool);

#[derive(Debug)]
struct Allowed {
    owner: HostId,
    caller: String,
    pattern: String,
    until: Option<Timestamp>,
}

#[derive(Debug)]
enum Edit {
    Word(Document, Word),
    Revoke(HostId),
    TakeBack(HostId, GrantId),
}

/// The edits that owners have asked for.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    names: BTreeMap<HostId, String>,
    allowed: Vec<Allowed>,
    /// What each document may say now, the newest last.
    words: BTreeMap<Document, Vec<Word>>,
    /// Realms that are certainly revoked.
    revoked: Vec<HostId>,
    /// What realms have granted each other.
    given: Vec<GrantView>,
    /// What realms have certainly taken back. Of what others have given, the realm whose loops it is for
    /// need not know.
    taken_back: Vec<(HostId, GrantId)>,
    asked: BTreeMap<(HostId, ControlId), Edit>,
    /// Whether every edit has had the time to reach whom it concerns.
    pub(crate) settled: bool,
}

impl Grants {
    /// Takes a realm by its full name. What owns no name here is not judged.
    pub(crate) fn enlist(&mut self, host: HostId, name: &str) {
        self.names.insert(host, name.to_owned());
    }

    /// The owner asks to permit a realm and all below it loops by a pattern.
    pub(crate) fn allow(
        &mut self,
        owner: HostId,
        caller: &str,
        pattern: &str,
        until: Option<Timestamp>,
    ) {
        self.allowed.push(Allowed {
            owner,
            caller: caller.to_owned(),
            pattern: pattern.to_owned(),
            until,
        });
    }

    /// The owner asks to say something about one loop.
    pub(crate) fn say(
        &mut self,
        control: ControlId,
        (owner, loop_id, subtree): (HostId, &'static str, bool),
        word: Word,
    ) {
        let document = (owner, loop_id, subtree);
        let words = self.words.entry(document).or_insert(vec![Word::Silence]);
        words.push(word);
        self.asked
            .insert((owner, control), Edit::Word(document, word));
    }

    /// A parent asks to revoke a child.
    pub(crate) fn revoke(&mut self, control: ControlId, parent: HostId, child: HostId) {
        self.asked.insert((parent, control), Edit::Revoke(child));
    }

    /// A request is answered: an edit that is done is certain.
    pub(crate) fn answered(&mut self, id: HostId, control: ControlId, response: &Response) {
        if let Response::Granted(view) = response {
            self.given.push((**view).clone());
        }
        let Some(edit) = self.asked.remove(&(id, control)) else {
            return;
        };
        if !matches!(response, Response::Done) {
            return;
        }
        match edit {
            Edit::Word(document, word) => {
                let words = self.words.entry(document).or_default();
                let last = words.iter().rposition(|known| *known == word);
                words.drain(..last.unwrap_or(0));
            }
            Edit::Revoke(child) => self.revoked.push(child),
            Edit::TakeBack(by, grant) => self.taken_back.push((by, grant)),
        }
    }

    /// A realm asks to take back what it has granted.
    pub(crate) fn take_back(&mut self, control: ControlId, by: HostId, grant: GrantId) {
        self.asked.insert((by, control), Edit::TakeBack(by, grant));
    }

    /// How many calls may begin by each grant that bounds it.
    pub(crate) fn bounds(&self) -> BTreeMap<GrantId, u64> {
        let all = self.given.iter().flat_map(|view| &view.chain);
        all.filter_map(|grant| Some((grant.id, grant.uses?)))
            .collect()
    }

    /// Whether a realm may hold a grant of the owner's for a loop.
    pub(crate) fn is_granted(
        &self,
        caller: RealmId,
        (owner, realm): (HostId, RealmId),
        loop_id: &LoopId,
        now: Timestamp,
    ) -> bool {
        let whole = |view: &GrantView| {
            let first = view.chain.first().map(|first| first.issuer);
            let gone = |grant: &Grant| self.taken_back.contains(&(owner, grant.id));
            first == Some(realm) && !view.chain.iter().any(gone)
        };
        let mut given = self.given.iter().filter(|view| whole(view));
        given.any(|view| {
            let last = &view.grant;
            last.holder == caller && last.takes(loop_id) && last.is_good_at(now)
        })
    }

    /// Whether a realm has certainly been revoked.
    pub(crate) fn is_revoked(&self, child: HostId) -> bool {
        self.revoked.contains(&child)
    }

    /// Whether the caller may be permitted the owner's loop at the owner's time `now`.
    pub(crate) fn may(
        &self,
        (caller, owner): (HostId, HostId),
        loop_id: &str,
        now: Timestamp,
    ) -> bool {
        let (Some(from), Some(to)) = (self.names.get(&caller), self.names.get(&owner)) else {
            return true;
        };
        let permitted = root(from) == root(to)
            || self.says(owner, loop_id, false, Word::Permit)
            || self
                .allowed
                .iter()
                .any(|allowed| allowed.owner == owner && allowed.covers(from, loop_id, now));
        let forbidden = self.certainly_forbids(owner, loop_id, false)
            || self.settled && self.above(to).any(|above| self.stops(above, loop_id, to));
        permitted && !forbidden && !(self.settled && self.is_cut_off(from, to))
    }

    /// The realms above a name, root first.
    fn above<'a>(&'a self, name: &'a str) -> impl Iterator<Item = HostId> + 'a {
        let above = self.names.iter();
        above
            .filter(move |(_, above)| *above != name && within(name, above))
            .map(|(host, _)| *host)
    }

    /// Whether a realm above forbids it, and what it says still gets to the realm of this name.
    fn stops(&self, above: HostId, loop_id: &str, to: &str) -> bool {
        let name = self.names.get(&above).map_or("", String::as_str);
        self.certainly_forbids(above, loop_id, true) && !self.is_cut_off(name, to)
    }

    /// Whether a revoked certificate stands between the two.
    fn is_cut_off(&self, from: &str, to: &str) -> bool {
        let revoked = self.revoked.iter().filter_map(|host| self.names.get(host));
        revoked
            .into_iter()
            .any(|revoked| within(from, revoked) != within(to, revoked))
    }

    fn words(&self, owner: HostId, loop_id: &str, subtree: bool) -> &[Word] {
        let mut words = self.words.iter();
        let document = words
            .find(|((of, about, below), _)| *of == owner && *about == loop_id && *below == subtree);
        document.map_or(&[], |(_, words)| words.as_slice())
    }

    fn says(&self, owner: HostId, loop_id: &str, subtree: bool, word: Word) -> bool {
        self.words(owner, loop_id, subtree).contains(&word)
    }

    fn certainly_forbids(&self, owner: HostId, loop_id: &str, subtree: bool) -> bool {
        let words = self.words(owner, loop_id, subtree);
        !words.is_empty() && words.iter().all(|word| *word == Word::Forbid)
    }
}

/// The chain of grants that each run began by, the first first.
pub(crate) fn uses(world: &World) -> impl Iterator<Item = Vec<Value>> {
    let events = world
        .hosts
        .iter()
        .flat_map(|host| host.disk.events.values());
    let uses = events.filter(|event| event.kind == "grant.used");
    uses.map(|event| {
        let payload: Value = serde_json::from_slice(&event.payload).expect("JSON");
        payload["grants"].as_array().expect("a chain").clone()
    })
}

impl Allowed {
    fn covers(&self, caller: &str, loop_id: &str, now: Timestamp) -> bool {
        let matches = self.pattern == "*" || self.pattern == loop_id;
        within(caller, &self.caller) && matches && self.until.is_none_or(|until| now < until)
    }
}

fn root(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Whether a name is another, or lies below it.
fn within(name: &str, above: &str) -> bool {
    name.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
