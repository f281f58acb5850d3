//! Which policies depend on the time.

/// Whether policies of this text may decide otherwise at another time: whether it names `context.now`, or
/// the context for anything but another attribute by its name. Texts may be nested deeply, so they are not
/// walked as trees.
pub(crate) fn sees_time(text: &str) -> bool {
    let after = text.split("context").skip(1);
    after.map(str::trim_start).any(|after| {
        let attribute = after
            .strip_prefix('.')
            .or_else(|| after.strip_prefix("has "));
        let named = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let attribute = attribute.map_or("", str::trim_start);
        let end = attribute.find(|char| !named(char));
        let name = attribute.get(..end.unwrap_or(attribute.len()));
        name.is_none_or(|name| name.is_empty() || name == "now")
    })
}
