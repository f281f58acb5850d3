//! Who does the work in the story: programs that know nothing of realms.

mod prices;
mod second_read;
mod variants;

pub(super) use prices::serve as serve_prices;
pub(super) use second_read::run as second_read;
pub(super) use variants::run as call_variants;
