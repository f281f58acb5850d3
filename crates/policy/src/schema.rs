//! The Cedar schema: what policies can talk about.

use std::sync::LazyLock;

use cedar_policy::{EntityTypeName, Schema, Validator};

/// The schema that every policy is checked against, in Cedar's own syntax.
pub const SCHEMA: &str = r#"// owner, operator, approver, viewer: who has the role. peers: every realm of a tree that this one peers with.
entity Group;

// A realm, by its scope: the root's id, then the path. Its parent is the scope one level up.
entity Realm in [Realm, Group];

// Somebody who uses a realm, as NAME@SCOPE. In the realm, and in the groups of their roles.
entity Person in [Realm, Group] { name: String };

// A loop, as LOOP@SCOPE. Its parent is the realm that owns it.
entity Loop in [Realm] { name: String };

// What a loop uses, as NAME@SCOPE of the loop's realm. An agent, which also calls by itself; a tool, named
// process:PROGRAM, container:IMAGE, mcp:SERVER/TOOL, model:BACKEND or secret:NAME; a host that HTTP is spoken with.
entity Agent in [Realm] { name: String };
entity Tool in [Realm] { name: String };
entity Host in [Realm] { name: String };

// now: Unix time in seconds. answer: the message answers a request.
type Circumstances = { now: Long, answer: Bool };
// approved: how many people of the caller's realm have approved exactly this call. granted: the caller holds
// a grant of the loop's realm for it.
type Call = { now: Long, answer: Bool, approved: Long, granted: Bool };
// by: the loop that calls. tool: its model chose to.
type Step = { now: Long, answer: Bool, by: String, tool: Bool };
// amount: the most that it may cost, in millionths of the currency; without a bound the greatest number
// and no currency.
type Cost = { now: Long, answer: Bool, amount: Long, currency: String };

action invoke appliesTo { principal: [Realm, Person, Agent], resource: [Loop], context: Call };
action step appliesTo { principal: [Realm, Person, Agent], resource: [Loop], context: Step };
action use appliesTo { principal: [Loop], resource: [Agent, Tool, Host], context: Circumstances };
action relay appliesTo { principal: [Realm], resource: [Realm], context: Circumstances };
action discover appliesTo { principal: [Realm], resource: [Realm, Loop], context: Circumstances };
action join appliesTo { principal: [Realm], resource: [Realm], context: Circumstances };
action announce appliesTo { principal: [Realm, Person], resource: [Loop], context: Circumstances };
action bid appliesTo { principal: [Realm], resource: [Loop], context: Circumstances };
action award appliesTo { principal: [Realm], resource: [Loop], context: Circumstances };
action spend appliesTo { principal: [Person, Agent], resource: [Loop], context: Cost };
action approve appliesTo { principal: [Person], resource: [Loop], context: Circumstances };
action "read-trace" appliesTo { principal: [Realm, Person], resource: [Realm, Loop], context: Circumstances };
action "promote-prompt" appliesTo { principal: [Person], resource: [Loop], context: Circumstances };
action administer appliesTo { principal: [Person], resource: [Realm], context: Circumstances };
"#;

pub(crate) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant, parsed by every test")]
    let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA).expect("the schema is Cedar");
    Validator::new(schema)
});

pub(crate) static GROUP: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Group"));
pub(crate) static REALM: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Realm"));
pub(crate) static PERSON: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Person"));
pub(crate) static LOOP: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Loop"));
pub(crate) static AGENT: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Agent"));
pub(crate) static TOOL: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Tool"));
pub(crate) static HOST: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Host"));
pub(crate) static ACTION: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Action"));

fn entity_type(name: &'static str) -> EntityTypeName {
    #[expect(clippy::expect_used, reason = "only called with plain identifiers")]
    name.parse().expect("an identifier")
}
