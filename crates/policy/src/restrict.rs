//! Cedar for what files of other systems restrict: all of it forbids, but for what they let a realm call.

use std::collections::BTreeMap;

use realm_protocol::{Scope, records::Role};

use crate::generate::{literal, realm};

/// What is let be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restraint {
    /// Loops by their names, in which `*` stands for anything.
    Loops {
        /// By everybody; none for any.
        everybody: Option<Vec<String>>,
        /// By realms and all below them.
        by_realm: Vec<(Scope, Vec<String>)>,
        /// By nobody, whatever else says.
        nobody: Vec<String>,
    },
    /// Of people, those with these roles, each the loops of its patterns.
    Roles(BTreeMap<Role, Vec<String>>),
    /// Calls that come from there and go there: the realm and those below it.
    Within(Scope),
    /// Calls that come from exactly this realm or its people, and stay in it and those below.
    Alone(Scope),
    /// Nothing.
    Nothing,
}

/// What calls, finds, announces and is awarded loops.
const TRADE: &str = r#"action in [
    Action::"invoke", Action::"discover", Action::"announce", Action::"bid", Action::"award"
  ]"#;

/// Writes a policy that lets only that be, in a realm and those below it but for what the spared ones offer. `about`
/// says for people what it is.
pub fn restrict_policy(about: &str, me: &Scope, restraint: &Restraint, spared: &[Scope]) -> String {
    let spared = spared
        .iter()
        .map(|scope| format!("resource in {}", realm(scope)));
    let spared: Vec<String> = spared.collect();
    let mut texts = Vec::new();
    match restraint {
        Restraint::Loops {
            everybody,
            by_realm,
            nobody,
        } => {
            if let Some(everybody) = everybody {
                let all = names(everybody).into_iter();
                let lets = all.chain(by_realm.iter().filter_map(by_caller));
                texts.push(forbid_but("principal", lets, &spared));
            }
            texts.extend(names(nobody).map(|named| forbid_these(&named, &spared)));
            texts.extend(by_realm.iter().filter_map(|let_in| permit(me, let_in)));
        }
        Restraint::Roles(roles) => {
            let lets = roles.iter().filter_map(|(role, loops)| {
                Some(format!(
                    "principal in Group::\"{role}\" && ({})",
                    names(loops)?
                ))
            });
            texts.push(forbid_but("principal is Person", lets, &spared));
        }
        Restraint::Within(scope) => {
            let within = realm(scope);
            let lets = format!("principal in {within} && resource in {within}");
            texts.push(forbid_but("principal", [lets].into_iter(), &spared));
        }
        Restraint::Alone(scope) => {
            let me = realm(scope);
            let lets = format!("(principal is Person || principal == {me}) && resource in {me}");
            texts.push(forbid_but("principal", [lets].into_iter(), &spared));
        }
        Restraint::Nothing => {
            texts.push(forbid_but("principal", std::iter::empty(), &spared));
        }
    }
    let about = literal(about);
    let texts = texts
        .iter()
        .map(|text| format!("@restricts({about})\n{text}"));
    texts.collect::<Vec<_>>().join("\n")
}

fn by_caller((caller, loops): &(Scope, Vec<String>)) -> Option<String> {
    Some(format!(
        "principal in {} && ({})",
        realm(caller),
        names(loops)?
    ))
}

fn forbid_but(who: &str, lets: impl Iterator<Item = String>, spared: &[String]) -> String {
    let lets: Vec<String> = lets.chain(spared.iter().cloned()).collect();
    forbid(who, "", &lets)
}

fn forbid_these(named: &str, spared: &[String]) -> String {
    forbid("principal", &format!("\nwhen {{ {named} }}"), spared)
}

fn forbid(who: &str, when: &str, unless: &[String]) -> String {
    let unless = match unless.is_empty() {
        true => String::new(),
        false => format!("\nunless {{ {} }}", unless.join(" || ")),
    };
    format!("forbid (\n  {who},\n  {TRADE},\n  resource is Loop\n){when}{unless};\n")
}

fn permit(me: &Scope, (caller, loops): &(Scope, Vec<String>)) -> Option<String> {
    let (caller, me, named) = (realm(caller), realm(me), names(loops)?);
    Some(format!(
        "permit (\n  principal is Realm in {caller},\n  action in [Action::\"invoke\", Action::\"discover\"],\n  \
         resource is Loop in {me}\n)\nwhen {{ {named} }};\n"
    ))
}

/// Whether a loop's name is one of them; none where there is no pattern.
fn names(patterns: &[String]) -> Option<String> {
    let like = patterns
        .iter()
        .map(|pattern| format!("resource.name like {}", literal(pattern)));
    let like: Vec<String> = like.collect();
    (!like.is_empty()).then(|| like.join(" || "))
}
