//! A policy in a few words.

use super::count;

/// Characters of a policy's text in a list.
const SUMMARY: usize = 72;

/// What a policy that `allow` wrote permits; how any other begins; and of one that does not compile, why.
pub(super) fn summary(cedar: &str) -> String {
    if let Some(problem) = realm_policy::check(cedar).first() {
        return format!("denies everything, for it does not compile: {problem}");
    }
    let permit = || {
        let caller = after(cedar, "@caller(\"")?;
        let action = after(cedar, "Action::\"")?;
        let like = after(cedar, "resource.name like \"");
        let one = || after(cedar, "Loop::\"")?.split('@').next();
        let what = like.or_else(one).unwrap_or("*");
        Some(format!("{caller} may {action} {what}"))
    };
    let begins = || {
        let said = cedar.trim_start().trim_start_matches('/');
        let words: Vec<&str> = said.split_whitespace().collect();
        let text = words.join(" ");
        let cut: String = text.chars().take(SUMMARY).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        format!("{cut}{more}")
    };
    permit()
        .filter(|_| count(cedar) == 1)
        .unwrap_or_else(begins)
}

/// The text between these words and the next quote.
fn after<'a>(cedar: &'a str, words: &str) -> Option<&'a str> {
    cedar.split_once(words)?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use realm_policy::{Action, Allow, allow_policy};

    use super::*;

    #[test]
    fn a_list_says_what_a_permission_permits_and_how_other_text_begins() {
        let root = realm_protocol::RealmId::new([7; 32]);
        let scope = crate::api::views::root(root);
        let allow = |pattern: &str| Allow {
            caller: scope.clone().into(),
            action: Action::Invoke,
            pattern: pattern.to_owned(),
            owner: scope.clone(),
            expires: None,
            caller_name: "mercy".to_owned(),
        };
        let said = |pattern: &str| summary(&allow_policy(&allow(pattern)).1);

        assert_eq!(said("greet"), "mercy may invoke greet");
        assert_eq!(said("report-*"), "mercy may invoke report-*");
        assert_eq!(said("*"), "mercy may invoke *");
        assert_eq!(summary("// Nobody.\n"), "Nobody.");
        assert_eq!(
            summary("forbid (principal,\n action, resource);"),
            "forbid (principal, action, resource);"
        );
        let broken = summary("forbad (principal, action, resource);");
        assert!(
            broken.starts_with("denies everything, for it does not compile: 1:1: "),
            "{broken}"
        );
    }
}
