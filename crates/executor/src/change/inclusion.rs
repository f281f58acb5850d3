//! Whether everything that one schema accepts is accepted by another.

use std::{collections::BTreeSet, sync::LazyLock};

use realm_protocol::limits;
use serde_json::{Map, Value};

use super::{
    Difference, Verdict,
    bound::Bound,
    finite,
    keywords::{self, Rule, Types},
    reference::{Document, References},
};

/// Pairs of schemas compared; past them it is not decided.
const PAIRS: usize = 10_000;
/// Nesting that is followed; deeper it is not decided.
const DEPTH: usize = 128;

/// The schema that accepts everything.
pub(super) static ANYTHING: Value = Value::Bool(true);

/// The same, as an object.
static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// Which schema of a contract is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The new one has to accept what the old one did.
    Input,
    /// The old one has to accept what the new one does.
    Output,
}

/// One comparison: everything that `sub` accepts, `sup` has to accept.
pub(super) struct Inclusion<'a> {
    pub(super) side: Side,
    pub(super) sub: Document<'a>,
    pub(super) sup: Document<'a>,
    /// Whether definitions are the same in both documents and refer to nothing else.
    same_definitions: bool,
    compared: BTreeSet<(*const Value, *const Value)>,
    differences: Vec<Difference>,
}

/// A place in the schemas: its pointer, and how deep it is.
#[derive(Clone)]
pub(super) struct At {
    pointer: String,
    depth: usize,
}

impl At {
    pub(super) fn below(&self, steps: &[&str]) -> Self {
        let mut pointer = self.pointer.clone();
        for step in steps {
            pointer.push('/');
            pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        }
        Self {
            pointer,
            depth: self.depth.saturating_add(1),
        }
    }
}

impl<'a> Inclusion<'a> {
    pub(super) fn new(side: Side, sub: &'a Value, sup: &'a Value) -> Self {
        let (sub, sup) = (Document::new(sub), Document::new(sup));
        Self {
            side,
            same_definitions: sub.shares_definitions(&sup),
            sub,
            sup,
            compared: BTreeSet::new(),
            differences: Vec::new(),
        }
    }

    /// Compares the whole documents.
    pub(super) fn decide(&mut self) -> Vec<Difference> {
        let (sub, sup) = (self.sub.root, self.sup.root);
        let at = At {
            pointer: match self.side {
                Side::Input => "/inputSchema".to_owned(),
                Side::Output => "/outputSchema".to_owned(),
            },
            depth: 0,
        };
        if sub != sup {
            if self.sub.dialect() == self.sup.dialect() && self.sub.is_of_known_dialect() {
                self.compare(sub, sup, &at);
            } else {
                self.unknown(
                    &at,
                    "$schema names another dialect, or one that is not known",
                );
            }
        }
        std::mem::take(&mut self.differences)
    }

    pub(super) fn compare(&mut self, sub: &'a Value, sup: &'a Value, at: &At) {
        if self.differences.len() >= limits::DIFFERENCES || self.are_same(sub, sup) {
            return;
        }
        if at.depth > DEPTH || self.compared.len() >= PAIRS {
            return self.unknown(at, "nested too deep to be compared");
        }
        let resolved = self.sub.resolve(sub).zip(self.sup.resolve(sup));
        let Some((sub, sup)) = resolved else {
            return self.unknown(at, "has a $ref that is not followed here");
        };
        // What was compared above needs no second look: an instance is finite, and each turn of a
        // schema that refers to itself goes one step deeper into it.
        if !self.compared.insert((sub, sup)) {
            return;
        }
        match (sub, sup) {
            (_, Value::Bool(true)) | (Value::Bool(false), _) => {}
            (_, Value::Bool(false)) => self.differs(at, "allowed", "not allowed"),
            (Value::Bool(true), Value::Object(sup)) => self.restricts(&NOTHING, sup, at),
            (Value::Object(sub), Value::Object(sup)) => self.restricts(sub, sup, at),
            _ => self.unknown(at, "is no schema"),
        }
    }

    /// Every keyword of `sup` has to follow from `sub`.
    fn restricts(&mut self, sub: &'a Map<String, Value>, sup: &'a Map<String, Value>, at: &At) {
        if let Some(values) = finite::values(sub) {
            return self.all_accepted(&values, sub, sup, at);
        }
        let Some((types, wanted)) = Types::of(sub).zip(Types::of(sup)) else {
            return self.unknown(at, "has a type that is not known");
        };
        if !wanted.contain(types) {
            return self.differs(at, &types.to_string(), &wanted.to_string());
        }
        for (name, value) in sup {
            let (about, rule) = keywords::rule(name);
            if !types.meets(about) {
                continue;
            }
            let below = at.below(&[name]);
            match rule {
                Rule::Says | Rule::Structure => {}
                Rule::Bound(bound) => self.bound(bound, sub, sup, &below),
                Rule::Same(adding) => self.same(sub.get(name), value, adding, &below),
                Rule::Chooses => {
                    let choice = keywords::told(value);
                    self.differs(&below, "any value of the type", &choice);
                }
                Rule::Together(names) => self.together(names, sub, sup, &below),
                Rule::Whole => self.unknown(&below, "depends on the keywords beside it"),
            }
        }
        if types.meets(Types::OBJECT) {
            self.objects(sub, sup, at);
        }
        if types.meets(Types::ARRAY) {
            self.arrays(sub, sup, at);
        }
    }

    /// A keyword that is not understood has to be there in the same words.
    fn same(&mut self, sub: Option<&Value>, sup: &Value, adding: Verdict, at: &At) {
        match sub {
            Some(sub) if self.are_same(sub, sup) => {}
            Some(_) => self.unknown(at, "differs, and whether it matters is not decided"),
            None if adding == Verdict::Breaking => {
                self.differs(at, "absent", &keywords::told(sup));
            }
            None => self.unknown(
                at,
                "is on one side only, and whether it matters is not decided",
            ),
        }
    }

    /// Keywords that mean something together have to be there in the same words.
    pub(super) fn together(
        &mut self,
        names: &[&str],
        sub: &Map<String, Value>,
        sup: &Map<String, Value>,
        at: &At,
    ) {
        let same = |name: &&str| match (sub.get(*name), sup.get(*name)) {
            (Some(sub), Some(sup)) => self.are_same(sub, sup),
            (sub, sup) => sub.is_none() && sup.is_none(),
        };
        if !names.iter().all(same) {
            let names = names.join(", ");
            self.unknown(
                at,
                &format!("{names} differ, and whether it matters is not decided"),
            );
        }
    }

    fn bound(&mut self, bound: Bound, sub: &Map<String, Value>, sup: &Map<String, Value>, at: &At) {
        match bound.follows(sub, sup) {
            Some(true) => {}
            Some(false) => self.differs(at, &bound.told(sub), &bound.told(sup)),
            None => self.unknown(at, "is no number that can be compared"),
        }
    }

    /// Whether two schemas are the same, whatever their documents.
    pub(super) fn are_same(&self, sub: &Value, sup: &Value) -> bool {
        sub == sup
            && match References::of(sub) {
                References::None => true,
                References::Definitions => self.same_definitions,
                References::Other => false,
            }
    }

    pub(super) fn differs(&mut self, at: &At, sub: &str, sup: &str) {
        let (was, is) = match self.side {
            Side::Input => (sub, sup),
            Side::Output => (sup, sub),
        };
        self.note(at, format!("was {was}, is {is}"), Verdict::Breaking);
    }

    pub(super) fn unknown(&mut self, at: &At, what: &str) {
        self.note(at, what.to_owned(), Verdict::Unknown);
    }

    pub(super) fn note(&mut self, at: &At, what: String, verdict: Verdict) {
        if self.differences.len() < limits::DIFFERENCES {
            self.differences.push(Difference {
                pointer: at.pointer.clone(),
                what,
                verdict,
            });
        }
    }
}
