//! The table of groups: what those whom a directory knows may do here.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::records::Role;

use crate::config::{GroupConfig, Origin};

/// The table, as it is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(Vec<GroupConfig>);

impl Groups {
    /// Takes what is configured.
    pub(crate) fn of(groups: &BTreeMap<String, GroupConfig>) -> Self {
        Self(groups.values().cloned().collect())
    }

    /// The groups of a directory that the table names.
    pub(crate) fn named(&self, from: Origin) -> BTreeSet<String> {
        let of_it = self.0.iter().filter(|row| row.from == from);
        of_it.map(|row| row.group.clone()).collect()
    }

    /// What people of these groups may do in the realm of this name.
    pub(crate) fn roles(
        &self,
        from: Origin,
        groups: &BTreeSet<String>,
        realm: &str,
    ) -> BTreeSet<Role> {
        let holds = |row: &&GroupConfig| {
            let here = row.realms.is_empty()
                || row
                    .realms
                    .iter()
                    .any(|above| is_below(realm, &above.to_string()));
            row.from == from && groups.contains(&row.group) && here
        };
        let rows = self.0.iter().filter(holds);
        rows.flat_map(|row| row.roles.iter().copied()).collect()
    }
}

/// Whether a realm is another one or stands below it.
fn is_below(realm: &str, above: &str) -> bool {
    let rest = realm.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &str, role: Role, realms: &[&str]) -> GroupConfig {
        GroupConfig {
            from: Origin::Ldap,
            group: group.to_owned(),
            roles: [role].into(),
            realms: realms.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_group_gives_its_roles_in_the_realms_that_it_names_and_below_them() {
        let rows = [
            ("a", row("cn=all", Role::Viewer, &[])),
            ("b", row("cn=heart", Role::Operator, &["mercy/cardiology"])),
            ("c", row("cn=boss", Role::Owner, &["mercy", "lab"])),
        ];
        let rows = rows.map(|(name, row)| (name.to_owned(), row));
        let groups = Groups::of(&rows.into());
        let roles = |of: &[&str], realm: &str| {
            let of = of.iter().map(|&group| group.to_owned()).collect();
            groups.roles(Origin::Ldap, &of, realm)
        };

        assert_eq!(roles(&["cn=all"], "anything"), [Role::Viewer].into());
        for (realm, there) in [
            ("mercy/cardiology", true),
            ("mercy/cardiology/imaging", true),
            ("mercy/cardiology-2", false),
            ("mercy", false),
            ("other/mercy/cardiology", false),
        ] {
            assert_eq!(!roles(&["cn=heart"], realm).is_empty(), there, "{realm}");
        }
        let both = roles(&["cn=all", "cn=boss"], "lab/genomics");
        assert_eq!(both, [Role::Viewer, Role::Owner].into());
        assert_eq!(roles(&["cn=unknown"], "mercy"), BTreeSet::new());
        assert_eq!(roles(&[], "mercy"), BTreeSet::new());
    }
}
