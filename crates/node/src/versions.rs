//! Which wire version is spoken over a link.

use realm_protocol::{FailureCode, link::Versions};
use realm_router::LinkId;

use crate::{Node, Refused};

impl Node {
    /// Agrees with a neighbour on a version, or closes the link and tells both sides why.
    pub(crate) fn refuses_versions(&mut self, id: LinkId, theirs: Versions) -> bool {
        let mine = Versions::SPOKEN;
        let common = mine.common(theirs);
        if let Some(link) = self.links.get_mut(&id) {
            link.version = common;
        }
        if common.is_none() {
            self.counters.refuse(Refused::Version);
            self.note_turned_away(id, &not_common(theirs, mine));
            let code = Some(FailureCode::VersionMismatch);
            self.close(id, code, &not_common(mine, theirs));
        }
        common.is_none()
    }
}

/// Why two realms do not understand each other, for the one that is here.
fn not_common(there: Versions, here: Versions) -> String {
    format!("no wire version in common: {there} is spoken there, {here} here")
}
