//! `explain`: fields of a definition, and errors.

mod fields;

use realm_client::catalogue::Code;

use self::fields::{FIELDS, Field};
use crate::{failure::Failure, session::Session, show::Explained};

/// Explains an error code or a field.
pub(crate) fn run(session: &Session, topic: &str) -> Result<(), Failure> {
    session.print(&explain(topic)?)
}

fn explain(topic: &str) -> Result<Explained, Failure> {
    if topic.to_ascii_uppercase().starts_with("RLM-") {
        return Ok(error(topic.parse()?));
    }
    let found = FIELDS.iter().find(|field| field.path == topic);
    found.map(field).ok_or_else(|| unknown(topic))
}

fn error(code: Code) -> Explained {
    Explained {
        topic: code.to_string(),
        title: code.title().to_owned(),
        text: code.page().to_owned(),
        exit_code: Some(code.exit().code()),
    }
}

fn field(field: &Field) -> Explained {
    let prefix = format!("{}.", field.path);
    let below = |inner: &&Field| {
        let rest = inner.path.strip_prefix(&prefix);
        rest.is_some_and(|rest| !rest.contains('.'))
    };
    let inner: Vec<_> = FIELDS.iter().filter(below).collect();
    let mut text = format!("{}\n\nTakes: {}.", field.meaning, field.takes);
    if !inner.is_empty() {
        text.push_str("\n\nFields:\n");
    }
    for inner in inner {
        let name = inner.path.rsplit('.').next().unwrap_or(inner.path);
        text.push_str(&format!("  {name:16} {}\n", inner.meaning));
    }
    Explained {
        topic: field.path.to_owned(),
        title: field.title.to_owned(),
        text: text.trim_end().to_owned(),
        exit_code: None,
    }
}

fn unknown(topic: &str) -> Failure {
    let mut parent = topic;
    let known = loop {
        parent = match parent.rsplit_once('.') {
            Some((parent, _)) => parent,
            None => break "loop",
        };
        if FIELDS.iter().any(|field| field.path == parent) {
            break parent;
        }
    };
    let what = format!("nothing is known of `{topic}`");
    Failure::Usage(what, Some(format!("realmctl explain {known}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_parent_and_every_error_its_page() {
        for field in FIELDS {
            let parent = field
                .path
                .rsplit_once('.')
                .map_or("loop", |(parent, _)| parent);
            assert!(explain(parent).is_ok(), "{} lacks {parent}", field.path);
        }
        for code in Code::ALL {
            assert!(explain(&code.to_string().to_lowercase()).is_ok());
        }
    }

    #[test]
    fn a_misspelt_field_leads_to_the_fields_beside_it() {
        let failure = explain("loop.limits.timout").unwrap_err();

        assert!(crate::failure::tell(&failure).contains("realmctl explain loop.limits"));
    }
}
