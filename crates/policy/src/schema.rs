//! The Cedar schema: what policies can talk about.

use std::sync::LazyLock;

use cedar_policy::{EntityTypeName, Schema, Validator};

/// The schema that every policy is checked against, in Cedar's own syntax.
pub const SCHEMA: &str = r#"// A realm, by its scope: the root's id, then the path. Its parent is the scope one level up.
entity Realm in [Realm];

// A loop, as LOOP@SCOPE. Its parent is the realm that owns it.
entity Loop in [Realm] { name: String };

// now: Unix time in seconds. answer: the message answers a request.
type Circumstances = { now: Long, answer: Bool };
// approved: how many people of the caller's realm have approved exactly this call.
type Call = { now: Long, answer: Bool, approved: Long };

action invoke appliesTo { principal: [Realm], resource: [Loop], context: Call };
action relay appliesTo { principal: [Realm], resource: [Realm], context: Circumstances };
action discover appliesTo { principal: [Realm], resource: [Realm, Loop], context: Circumstances };
action announce appliesTo { principal: [Realm], resource: [Loop], context: Circumstances };
action bid appliesTo { principal: [Realm], resource: [Loop], context: Circumstances };
action award appliesTo { principal: [Realm], resource: [Loop], context: Circumstances };
action join appliesTo { principal: [Realm], resource: [Realm], context: Circumstances };
"#;

pub(crate) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant, parsed by every test")]
    let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA).expect("the schema is Cedar");
    Validator::new(schema)
});

pub(crate) static REALM: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Realm"));
pub(crate) static LOOP: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Loop"));
pub(crate) static ACTION: LazyLock<EntityTypeName> = LazyLock::new(|| entity_type("Action"));

fn entity_type(name: &'static str) -> EntityTypeName {
    #[expect(clippy::expect_used, reason = "only called with plain identifiers")]
    name.parse().expect("an identifier")
}
