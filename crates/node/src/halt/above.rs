//! Halts of the realms above: what this realm does for others, or through the tree, stands still.

use realm_crypto::Opened;
use realm_protocol::{
    FailureCode, Kind, RealmId, Scope, Timestamp, cbor,
    halt::{Halt, HaltAck},
    limits, wire_map,
};

use super::{StoredHalt, views::from_above};
use crate::{CallFailure, Node, Refused, answer::failure_body, relay::Release};

/// Why a halt is refused.
pub(crate) const NOT_ABOVE: &str = "only a realm above may halt this one";

/// What of this realm a realm above may halt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HaltedFromAbove {
    /// What it does for other realms, and asks of them: its own work is its owner's.
    #[default]
    Tree,
    /// Everything.
    All,
}

wire_map! {
    /// The newest word of a realm above.
    pub struct StoredAbove {
        /// The realm.
        0 => realm: RealmId,
        /// Where it stands.
        1 => scope: Scope,
        /// The number of the word.
        2 => number: u64,
        /// Whether it lets this realm stand still.
        3 => halted: bool,
        /// And every realm below.
        4 => subtree: bool,
        /// Whose word it was first.
        5 => by: Scope,
        /// Why.
        6 => why: Option<String>,
        /// When it came.
        7 => at: Timestamp,
    }
}

impl Node {
    /// A realm above lets this one stand still, or go on. Whoever is not above is refused.
    pub(crate) fn take_halt(&mut self, opened: &Opened) {
        let header = opened.header();
        let Ok(halt) = cbor::decode::<Halt>(opened.content()) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let Some(realm) = self.realm_above(&header.source) else {
            self.counters.refuse(Refused::Certificate);
            self.audit_refused_halt(&header.source.scope());
            return self.answer_halt(opened, None);
        };
        let scope = header.source.scope();
        let known = self.halts.above.get(&realm).map(|known| known.number);
        if known.is_none_or(|known| known < halt.number) {
            self.heed_word(realm, scope, halt);
        }
        self.answer_halt(opened, Some(realm));
    }

    /// The realm at a place, if it is above this one and may speak for the tree.
    fn realm_above(&self, place: &realm_protocol::Place) -> Option<RealmId> {
        let mut above = self.me.chain()?.ancestors().iter();
        let found = above.find(|above| {
            place.root == self.me.root() && above.path == place.path && above.issue
        })?;
        let same = place.realm == Some(found.realm) && place.node == Some(found.node);
        (same && found.realm != self.me.realm()).then_some(found.realm)
    }

    fn heed_word(&mut self, realm: RealmId, scope: Scope, halt: Halt) {
        let Halt {
            number,
            halted,
            subtree,
            by,
            why,
        } = halt;
        let why = why.map(|why| why.chars().take(limits::REASON_CHARS).collect::<String>());
        let from = self.name_of(&scope);
        tracing::warn!(%from, halted, "a realm above says what stands still");
        let word = StoredAbove {
            realm,
            scope,
            number,
            halted,
            subtree,
            by,
            why: why.clone(),
            at: self.wall(),
        };
        self.halts.above.insert(realm, word);
        if halted {
            self.heed_halts();
        }
        let what = from_above(subtree);
        self.note_halt_change((halted, what.to_owned()), from, why);
        if !halted {
            self.heed_halts();
        }
        self.tell_below();
    }

    /// Words of realms that are above no more are no words any more.
    pub(crate) fn forget_no_longer_above(&mut self) {
        let Some(chain) = self.me.chain() else {
            return;
        };
        let above: Vec<RealmId> = chain.ancestors().iter().map(|above| above.realm).collect();
        let held = self.halts.above.len();
        self.halts.above.retain(|realm, _| above.contains(realm));
        if self.halts.above.len() < held {
            let what = "what realms above said that are above no more".to_owned();
            self.note_halt_change((false, what), "realmd".to_owned(), None);
            self.heed_halts();
        }
    }

    /// Says how this realm stands, once that is durable; to whoever is not above, that it is denied.
    fn answer_halt(&mut self, opened: &Opened, above: Option<RealmId>) {
        let header = opened.header();
        let Some(reply_key) = opened.reply_key() else {
            return;
        };
        let (kind, content) = match above.and_then(|realm| self.halts.above.get(&realm)) {
            Some(word) => (Kind::HaltAck, cbor::encode(&self.halt_ack(word))),
            None => {
                let denied = CallFailure::new(FailureCode::Denied, NOT_ABOVE);
                let body = failure_body(&denied, opened.digest());
                (Kind::Failure, cbor::encode(&body))
            }
        };
        let letter = self.seal_reply(
            (&header.source, header.call, opened.digest()),
            reply_key,
            kind,
            (&content, limits::BODY_BYTES as u64),
        );
        if let Some(letter) = letter {
            self.launch_when(letter, Release::Durable);
        }
    }

    fn halt_ack(&self, word: &StoredAbove) -> HaltAck {
        let (mut confirmed, mut open, mut unnamed) = match word.subtree {
            true => self.confirmations(word.halted),
            false => (Vec::new(), Vec::new(), 0),
        };
        for named in [&mut confirmed, &mut open] {
            let over = named.len().saturating_sub(limits::HALT_NAMES);
            named.truncate(limits::HALT_NAMES);
            unnamed = unnamed.saturating_add(over as u64);
        }
        HaltAck {
            number: word.number,
            halted: word.halted,
            runs: self.halted_runs() as u64,
            own: self.config.halted_from_above == HaltedFromAbove::All,
            confirmed,
            open,
            unnamed,
        }
    }
}

impl super::Halts {
    /// The word of a realm above that this one stands still by.
    pub(crate) fn said_above(&self) -> Option<&StoredAbove> {
        self.above.values().find(|word| word.halted)
    }

    /// The word of a realm above that everything below this one stands still by.
    pub(crate) fn below_by(&self) -> Option<&StoredAbove> {
        let mut above = self.above.values();
        above.find(|word| word.halted && word.subtree)
    }
}

impl StoredAbove {
    pub(crate) fn as_halt(&self, by: String) -> StoredHalt {
        StoredHalt::new(by, self.at, self.why.clone())
    }
}
