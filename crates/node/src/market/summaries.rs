//! What the realms below can bid for, so that announcements stay away from those that cannot help.

use std::collections::BTreeMap;

use realm_broadcast::Capabilities;
use realm_executor::Registered;
use realm_protocol::{
    Label, LoopId,
    broadcast::Summary,
    link::{Frame, Records},
};
use realm_router::{LinkId, Relation};

use crate::{Node, Refused};

/// Summaries of this realm's neighbours, and the one that its parent has of it.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    children: BTreeMap<Label, Capabilities>,
    told: Option<(LinkId, Summary)>,
}

impl Summaries {
    /// What a child has said that it can do with all below it.
    pub(super) fn of_child(&self, label: &Label) -> Option<&Capabilities> {
        self.children.get(label)
    }
}

impl Node {
    /// A child says what it can do with all below it.
    pub(crate) fn take_summary(&mut self, relation: &Relation, summary: &Summary) {
        let Relation::Child(label) = relation else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Ok(capabilities) = Capabilities::read(summary) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let children = &mut self.market.summaries.children;
        children.insert(label.clone(), capabilities);
        children.retain(|label, _| self.kin.children.contains_key(label));
        self.share_summary();
    }

    /// Tells the parent what this realm can do with all below it, if that is news on this link.
    pub(crate) fn share_summary(&mut self) {
        let Some(link) = self.routes.link_to(&Relation::Parent) else {
            return;
        };
        let admitted = self.links.get(&link).is_some_and(|link| link.admitted);
        let told = (link, self.summary().write());
        if !admitted || self.market.summaries.told.as_ref() == Some(&told) {
            return;
        }
        let records = Records {
            summary: Some(told.1.clone()),
            ..Records::default()
        };
        self.market.summaries.told = Some(told);
        self.send_promise(link, &Frame::Records(records));
    }

    /// What the parent was told last has not reached it.
    pub(crate) fn summary_unsent(&mut self) {
        self.market.summaries.told = None;
    }

    fn summary(&self) -> Capabilities {
        let bidding = self
            .registry
            .iter()
            .filter(|it| it.manifest.bid.is_some())
            .flat_map(|it| names(it));
        let mut summary = Capabilities::of(bidding);
        for child in self.market.summaries.children.values() {
            summary.join(child);
        }
        if self.kin.children.keys().any(|label| self.is_silent(label)) {
            summary.join(&Capabilities::everything());
        }
        summary
    }

    /// Whether a child is there and has not said what it can do with all below it.
    fn is_silent(&self, label: &Label) -> bool {
        let link = self.routes.link_to(&Relation::Child(label.clone()));
        let link = link.and_then(|link| self.links.get(&link));
        link.is_some_and(|link| link.admitted) && self.market.summaries.of_child(label).is_none()
    }
}

/// What a loop is announced by.
fn names(registered: &Registered) -> impl Iterator<Item = &str> {
    let manifest = &registered.manifest;
    let ids = std::iter::once(&manifest.id).chain(&manifest.aliases);
    ids.chain(&manifest.capabilities).map(LoopId::as_str)
}
