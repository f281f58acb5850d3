//! The clock and the pauses of a run: when a kill falls, how long an agent works.

use std::time::{Duration, Instant, SystemTime};

use realm_protocol::Timestamp;

/// The time now, for measuring how long something takes.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a rig measures real time")]
    Instant::now()
}

/// The time now, as records and messages carry it.
pub(crate) fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a rig signs with real time")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Lets load run for a while.
pub(crate) async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a rig strikes at random moments")]
    tokio::time::sleep(time).await;
}

/// Milliseconds as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
