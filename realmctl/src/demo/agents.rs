//! Who does the work in the story: programs that know nothing of realms.

mod prices;
mod variants;

pub(super) use prices::serve as serve_prices;
pub(super) use variants::run as call_variants;
