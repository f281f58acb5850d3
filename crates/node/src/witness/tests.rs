use realm_protocol::{Digest, RealmId, Timestamp, audit::AuditHead};

use super::{Contradiction, contradicts};

fn head(count: u64, root: u8, at: u64) -> AuditHead {
    AuditHead {
        realm: RealmId::new([1; 32]),
        count,
        root: Digest::new([root; 32]),
        at: Timestamp::from_millis(at),
    }
}

#[test]
fn a_head_follows_one_that_is_no_longer_and_no_other_of_its_length() {
    let known = head(5, 1, 1_000);
    for (shown, expected) in [
        (head(6, 2, 2_000), None),
        (head(5, 1, 2_000), None),
        (head(5, 2, 2_000), Some(Contradiction::Other)),
        (head(4, 2, 2_000), Some(Contradiction::Shorter)),
        // Its clock was set back with its log.
        (head(4, 2, 500), Some(Contradiction::Shorter)),
    ] {
        assert_eq!(contradicts(&known, &shown), expected, "{shown:?}");
    }
}
