//! Which loops are tools of other programs.

use std::str::FromStr;

use clap::Args;

use super::BudgetArgs;

/// Serve loops as tools.
#[derive(Args, Debug)]
pub struct McpArgs {
    /// The tools: LOOP or LOOP@REALM, `*` standing for anything; none for all that this realm may call.
    #[arg(value_name = "LOOP")]
    pub loops: Vec<Chosen>,
    /// What each call may use.
    #[command(flatten)]
    pub budget: BudgetArgs,
}

/// Loops by their names, here or in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The name, in which `*` stands for anything.
    pub pattern: String,
    /// The realm; none for this one.
    pub realm: Option<String>,
}

impl FromStr for Chosen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pattern, realm) = match text.split_once('@') {
            Some((_, "")) => return Err("a realm follows the `@`: count@lab"),
            Some((pattern, realm)) => (pattern, Some(realm.to_owned())),
            None => (text, None),
        };
        match pattern {
            "" => {
                Err("a loop is named by its id, in which `*` stands for anything: count, pay-*@lab")
            }
            pattern => Ok(Self {
                pattern: pattern.to_owned(),
                realm,
            }),
        }
    }
}

impl Chosen {
    /// Whether a loop of its realm is meant.
    pub(crate) fn takes(&self, id: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = id.strip_prefix(first) else {
            return false;
        };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_chosen_by_names_in_which_a_star_stands_for_anything() {
        for (text, realm, takes, not) in [
            ("count", None, vec!["count"], vec!["counts", "a-count"]),
            (
                "count@lab/dna",
                Some("lab/dna"),
                vec!["count"],
                vec!["count@lab/dna"],
            ),
            (
                "pay-*",
                None,
                vec!["pay-", "pay-rent"],
                vec!["pay", "repay-rent"],
            ),
            ("*@lab", Some("lab"), vec!["", "any/thing"], vec![]),
            (
                "a*b*c",
                None,
                vec!["abc", "a-b-b-c"],
                vec!["ac", "acb", "abcd"],
            ),
        ] {
            let chosen: Chosen = text.parse().unwrap();
            assert_eq!(chosen.realm.as_deref(), realm, "{text}");
            assert!(takes.iter().all(|id| chosen.takes(id)), "{text}");
            assert!(!not.iter().any(|id| chosen.takes(id)), "{text}");
        }
        for wrong in ["", "@lab", "count@"] {
            assert!(wrong.parse::<Chosen>().is_err(), "{wrong}");
        }
    }
}
