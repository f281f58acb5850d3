//! Text from elsewhere, made safe for a terminal.

/// Removes control characters, and those that turn the direction of text; keeps line breaks and
/// tabs.
pub(crate) fn text(text: &str) -> String {
    text.chars().filter(|c| !is_unsafe(*c)).collect()
}

/// As [`text`], on one line: line breaks and tabs become spaces.
pub(crate) fn line(line: &str) -> String {
    let spaced = line.chars().map(|c| {
        if matches!(c, '\n' | '\r' | '\t') {
            ' '
        } else {
            c
        }
    });
    spaced.filter(|c| !is_unsafe(*c)).collect()
}

/// Writes unsafe characters of a JSON text as `\uXXXX`; the document stays the same.
pub(crate) fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn is_unsafe(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || matches!(c, '\u{2028}' | '\u{2029}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_moves_the_cursor_or_turns_the_text() {
        let hostile = "a\u{1b}[2J\u{9b}31mb\r\u{202e}c\u{7}\nd";

        assert_eq!(text(hostile), "a[2J31mbc\nd");
        assert_eq!(line(hostile), "a[2J31mb c d");
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let document = serde_json::json!({ "a\u{9b}": "b\u{202e}\u{7f}" });

        let escaped = json(&document.to_string());

        assert!(escaped.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            document
        );
    }
}
