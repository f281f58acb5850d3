//! Who uses the realm, and signing in.

use realm_client::api::{PersonSource, PersonView, PseudonymView, SignedOut, Time};
use serde::Serialize;

use super::{Row, moment, moment_or};
use crate::output::{Block, Show};

/// A sign-in that is good, without what must not be shown.
#[derive(Debug, Serialize)]
pub struct Login {
    /// Who has signed in.
    pub name: String,
    /// What they may do.
    pub roles: Vec<String>,
    /// Until when.
    pub until: Time,
}

impl Show for Login {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Fields(vec![
            ("person", self.name.clone()),
            ("roles", self.roles.join(", ")),
            ("until", moment(self.until)),
        ])]
    }
}

impl Show for SignedOut {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let ended = if self.ended { "yes" } else { "there was none" };
        vec![Block::Fields(vec![("ended", ended.to_owned())])]
    }
}

impl Row for PersonView {
    const HEADER: &'static [&'static str] = &["PERSON", "FROM", "ROLES", "UNTIL", "READ", "GROUPS"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            from(self),
            self.roles.join(", "),
            moment_or(self.until),
            moment_or(self.read),
            self.groups.join("; "),
        ]
    }
}

impl Row for PseudonymView {
    const HEADER: &'static [&'static str] = &["PSEUDONYM", "PERSON", "AT"];
    const NARROW: usize = 3;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.pseudonym.clone(),
            self.name.clone(),
            self.realm.clone(),
        ]
    }
}

impl Show for PersonView {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = vec![
            ("person", self.name.clone()),
            ("from", from(self)),
            ("roles", self.roles.join(", ")),
        ];
        fields.extend(self.groups.iter().map(|group| ("group", group.clone())));
        fields.extend(self.read.map(|read| ("groups read", moment(read))));
        fields.extend(self.sign_ins.map(|count| ("sign-ins", count.to_string())));
        fields.extend(self.until.map(|until| ("until", moment(until))));
        vec![Block::Fields(fields)]
    }
}

/// What says who somebody is, and how they show it.
fn from(person: &PersonView) -> String {
    let by = match person.source {
        PersonSource::Ldap => return "ldap".to_owned(),
        PersonSource::Oidc => return "oidc".to_owned(),
        PersonSource::Config => (person.uid, person.token),
    };
    match by {
        (Some(uid), true) => format!("uid {uid}, token"),
        (Some(uid), false) => format!("uid {uid}"),
        (None, true) => "token".to_owned(),
        (None, false) => "config".to_owned(),
    }
}
