//! Which versions of runc hold a container.

/// Whether programs can break out of containers that this version of runc starts (CVE-2025-31133, -52565, -52881).
/// What does not read is taken to be one of them.
pub(super) fn leaks(version: &str) -> bool {
    let (numbers, rest) = match version.find(|letter: char| !matches!(letter, '0'..='9' | '.')) {
        Some(at) => version.split_at(at),
        None => (version, ""),
    };
    let mut parts = numbers.split('.').map(str::parse::<u64>);
    let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return true;
    };
    let candidate = rest.strip_prefix("-rc.");
    match (major, minor, patch) {
        (1, 2, patch) => patch < 8,
        (1, 3, patch) => patch < 3,
        (1, 4, 0) => candidate.is_some_and(|number| {
            let digits = number.split(|letter: char| !letter.is_ascii_digit()).next();
            digits
                .and_then(|digits| digits.parse().ok())
                .is_none_or(|number: u64| number < 3)
        }),
        (major, minor, _) => (major, minor) < (1, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_programs_break_out_of_are_known() {
        for version in [
            "1.1.5+ds1",
            "1.0.0-rc93",
            "0.1.1",
            "1.2.0",
            "1.2.7",
            "1.3.0-rc.1",
            "1.3.2",
            "1.4.0-rc.2",
            "",
            "x",
            "1.2",
        ] {
            assert!(leaks(version), "{version}");
        }
        for version in [
            "1.2.8",
            "1.2.9",
            "1.3.3",
            "1.3.3+ds1",
            "1.4.0-rc.3",
            "1.4.0",
            "1.5.1",
            "2.0.0",
        ] {
            assert!(!leaks(version), "{version}");
        }
    }
}
