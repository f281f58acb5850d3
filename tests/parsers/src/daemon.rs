//! What the daemon alone reads.

/// A `realm.toml`.
pub(crate) fn config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(problems) = realmd::check_config(text)
    {
        assert!(!problems.is_empty(), "refused for no reason");
    }
}
