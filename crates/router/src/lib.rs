//! Which link a header goes to next, and who waits for which reply.
//!
//! [`Routes`] holds a realm's links by what stands at their other end, answers where a message
//! goes ([`Routes::next`]) and whether it may have come from where it came
//! ([`Routes::ingress`]). Routes are valley-free: up, across at most once, down; every hop
//! strictly reduces the [`distance`] to the destination. The rest is what endpoints keep:
//! [`Waiting`] for replies, [`ReplayMemory`] for ids already seen, [`Backoff`] for trying again,
//! [`TokenBucket`] for how much a link may send and [`Gcra`] for how often calls may begin. It
//! must never know bodies, loops, policy or sockets.

mod backoff;
mod bucket;
mod gcra;
mod hop;
mod ingress;
mod replay;
mod routes;
mod waiting;

pub use backoff::Backoff;
pub use bucket::TokenBucket;
pub use gcra::{Gcra, Pace};
pub use hop::{first_hop, forward_hop};
pub use ingress::IngressError;
pub use replay::{Replay, ReplayMemory};
pub use routes::{GRACE_MS, LinkId, Next, Relation, Routes, distance};
pub use waiting::{Full, Waiting};
