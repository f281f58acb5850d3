//! Distinguished names, in one form each, so that two ways of writing one are equal.

/// The form that names are compared in: lower case, without spaces around the parts, every escaped
/// byte as itself behind one backslash. What is no name stays different from every one that is.
pub(super) fn canonical(dn: &str) -> String {
    let mut parts = vec![Vec::new()];
    let mut bytes = dn.trim().bytes().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = byte == b'\\';
        let byte = match escaped {
            true => unescape(&mut bytes),
            false => byte,
        };
        let splits = matches!(byte, b',' | b'+' | b'=') && !escaped;
        if splits {
            parts.push(vec![(byte, false)]);
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push((byte, escaped));
        }
    }
    let written: Vec<u8> = parts.iter().flat_map(|part| trimmed(part)).collect();
    String::from_utf8_lossy(&written).to_lowercase()
}

/// The byte that an escape stands for: two digits, or the one that follows.
fn unescape(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> u8 {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    let Some(first) = bytes.next() else {
        return b'\\';
    };
    let second = bytes.peek().copied();
    match (digit(first), second.and_then(digit)) {
        (Some(high), Some(low)) => {
            bytes.next();
            high << 4 | low
        }
        _ => first,
    }
}

/// A part without the spaces around it. What has a meaning when it stands alone is escaped.
fn trimmed(part: &[(u8, bool)]) -> Vec<u8> {
    let is_space = |(byte, escaped): &(u8, bool)| *byte == b' ' && !escaped;
    let start = part
        .iter()
        .position(|it| !is_space(it))
        .unwrap_or(part.len());
    let end = part
        .iter()
        .rposition(|it| !is_space(it))
        .map_or(start, |at| at + 1);
    let kept = part.get(start..end).unwrap_or_default();
    let written = |(byte, escaped): &(u8, bool)| match *escaped && is_special(*byte) {
        true => vec![b'\\', *byte],
        false => vec![*byte],
    };
    kept.iter().flat_map(written).collect()
}

const fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b'+' | b'=' | b'\\' | b'"' | b'<' | b'>' | b';' | b'#' | b' '
    )
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn two_ways_of_writing_one_name_are_equal_and_two_names_are_not() {
        let name = canonical("cn=On Call,ou=Groups,dc=example,dc=org");
        for same in [
            "CN=on call, OU=groups, DC=Example , DC=org",
            "cn = On Call,ou=Groups,dc=example,dc=org",
            "cn=On\\20Call,ou=Groups,dc=example,dc=org",
        ] {
            // An escaped space is one that nobody takes away, and no other name.
            assert_eq!(canonical(same).replace("\\ ", " "), name, "{same}");
        }
        assert_eq!(canonical("cn=a\\,b,dc=x"), canonical("cn=a\\2Cb,dc=x"));
        assert_eq!(canonical("cn=\\c3\\a9,dc=x"), canonical("cn=é,dc=x"));
        for other in ["cn=a,b,dc=x", "cn=a,cn=b,dc=x", "cn=ab,dc=x", "cn=a\\,b"] {
            assert_ne!(canonical(other), canonical("cn=a\\,b,dc=x"), "{other}");
        }
    }
}
