//! Which neighbours an announcement is passed to: up, across once, down, and never back.

use realm_protocol::{Label, RealmId, RealmPath, Scope, broadcast::Announcement};

use super::Capabilities;

/// The part of a tenth that each level keeps for itself at the least, milliseconds.
const LEAST_MARGIN_MS: u64 = 10;

/// Where an announcement comes from or goes to, seen from one realm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The realm itself.
    Here,
    /// Its parent.
    Parent,
    /// Its child with this label.
    Child(Label),
    /// The peer with this root.
    Peer(RealmId),
}

impl Side {
    /// Behind which neighbour of the realm at `home` a realm stands.
    pub(crate) fn towards(home: &Scope, there: &Scope) -> Self {
        match home.path.next_label(&there.path) {
            _ if home == there => Self::Here,
            Some(label) if home.root == there.root => Self::Child(label),
            _ if home.root != there.root && home.path.is_root() => Self::Peer(there.root),
            _ => Self::Parent,
        }
    }

    /// Where the neighbour stands of the realm at `home`; none where there is no such place.
    pub fn seen_from(&self, home: &Scope) -> Option<Scope> {
        let (root, path) = match self {
            Self::Here => (home.root, home.path.clone()),
            Self::Parent => (home.root, home.path.parent()?),
            Self::Child(label) => (home.root, home.path.child(label).ok()?),
            Self::Peer(root) => (*root, RealmPath::ROOT),
        };
        Some(Scope { root, path })
    }
}

/// A neighbour, as far as passing on is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Where it stands.
    pub side: Side,
    /// What it can do with all below it; none where it has not said.
    pub can: Option<Capabilities>,
    /// Whether there is a link and policy permits to use it for this announcement.
    pub reachable: bool,
}

/// How far an announcement may still go from a realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Levels down.
    pub down: u64,
    /// Levels up.
    pub up: u64,
}

/// One neighbour that an announcement is passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Which.
    pub to: Side,
    /// How far it may go from there.
    pub left: Left,
    /// Until its tally is due, milliseconds.
    pub window_ms: u64,
}

/// Whom an announcement is passed to, and how many it should have been passed to and cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FanOut {
    /// Those it is passed to, in the order of the neighbours.
    pub passes: Vec<Pass>,
    /// Neighbours in its scope without a link, a permission, or time.
    pub unreached: u64,
}

/// Decides whom the realm at `here` passes an announcement to that came from `from`.
pub fn fan_out(
    announcement: &Announcement,
    here: &Scope,
    from: &Side,
    left: Left,
    window_ms: u64,
    neighbours: &[Neighbour],
) -> FanOut {
    let window_ms = window_below(window_ms);
    let mut fan = FanOut {
        passes: Vec::new(),
        unreached: 0,
    };
    for neighbour in neighbours {
        let Some(left) = leg(announcement, here, from, left, &neighbour.side) else {
            continue;
        };
        if !is_named(announcement, here, &neighbour.side) || !can(announcement, neighbour) {
            continue;
        }
        if neighbour.reachable && window_ms > 0 {
            fan.passes.push(Pass {
                to: neighbour.side.clone(),
                left,
                window_ms,
            });
        } else {
            fan.unreached = fan.unreached.saturating_add(1);
        }
    }
    fan
}

/// The time that a realm gives those it passes an announcement to, so that it can answer itself.
pub fn window_below(window_ms: u64) -> u64 {
    window_ms.saturating_sub(window_ms.div_ceil(10).max(LEAST_MARGIN_MS))
}

/// Whether a realm is asked itself.
pub fn is_asked(announcement: &Announcement, here: &Scope) -> bool {
    let named = &announcement.reach.realms;
    named.is_empty()
        || named.iter().any(|scope| scope.contains(here))
        || is_near(announcement, here)
}

/// Whether a realm is so near that it is asked beside those that are named.
fn is_near(announcement: &Announcement, there: &Scope) -> bool {
    let Some(near) = announcement.reach.besides else {
        return false;
    };
    let home = announcement.announcer.scope();
    let pairs = home.path.labels().zip(there.path.labels());
    let shared = pairs.take_while(|(one, other)| one == other).count();
    let beyond = |path: &RealmPath, shared: usize| path.depth().saturating_sub(shared) as u64;
    let (up, down, most) = match home.root == there.root {
        true => (
            beyond(&home.path, shared),
            beyond(&there.path, shared),
            near.down,
        ),
        false => (
            beyond(&home.path, 0),
            beyond(&there.path, 0).saturating_add(1),
            near.across,
        ),
    };
    up <= near.up && down <= most
}

/// How far an announcement may go from a neighbour, if it may go there at all.
fn leg(
    announcement: &Announcement,
    here: &Scope,
    from: &Side,
    left: Left,
    to: &Side,
) -> Option<Left> {
    let reach = &announcement.reach;
    let rising = matches!(from, Side::Here | Side::Child(_));
    match to {
        _ if to == from => None,
        Side::Here => None,
        Side::Child(_) => Some(Left {
            down: left.down.checked_sub(1)?,
            up: 0,
        }),
        Side::Parent if rising => Some(Left {
            down: reach.down,
            up: left.up.checked_sub(1)?,
        }),
        Side::Peer(_) if rising && here.path.is_root() => Some(Left {
            down: reach.across.checked_sub(1)?,
            up: 0,
        }),
        Side::Parent | Side::Peer(_) => None,
    }
}

/// Whether there are realms behind a neighbour that the announcement asks.
fn is_named(announcement: &Announcement, here: &Scope, to: &Side) -> bool {
    let named = &announcement.reach.realms;
    if named.is_empty() {
        return true;
    }
    let near = |root: RealmId, path: RealmPath| is_near(announcement, &Scope { root, path });
    match to {
        Side::Here => is_asked(announcement, here),
        Side::Parent => {
            let parent = here.path.parent();
            named.iter().any(|scope| !here.contains(scope))
                || parent.is_some_and(|path| near(here.root, path))
        }
        Side::Peer(root) => {
            named.iter().any(|scope| scope.root == *root) || near(*root, RealmPath::ROOT)
        }
        Side::Child(label) => here.path.child(label).is_ok_and(|path| {
            let child = Scope {
                root: here.root,
                path,
            };
            let meets = |scope: &Scope| scope.contains(&child) || child.contains(scope);
            named.iter().any(meets) || is_near(announcement, &child)
        }),
    }
}

fn can(announcement: &Announcement, neighbour: &Neighbour) -> bool {
    let Some(can) = &neighbour.can else {
        return true;
    };
    if announcement.capabilities.is_empty() {
        return can.hold(announcement.loop_id.as_str());
    }
    let mut asked = announcement.capabilities.iter();
    asked.all(|capability| can.hold(capability.as_str()))
}
