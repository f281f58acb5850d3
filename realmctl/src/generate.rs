//! Typed clients in other languages for the loops that a realm may call, from their contracts.
//!
//! `types` reads contracts into the few shapes that languages share; what a schema says beyond them is left
//! to the realm, which checks every input and output. `typescript` and `python` write them down.

mod names;
mod python;
mod types;
mod typescript;

use realm_client::api::LoopDetail;
use serde_json::Value;

use crate::{cli::ClientLanguage, show::Row as _};
use names::{Names, pascal};
use types::{Reader, Record, Type};

/// A loop as clients have it.
struct Method {
    /// `loop` or `loop@realm`.
    address: String,
    version: String,
    effects: String,
    description: Option<String>,
    input: Named,
    output: Named,
}

/// What a loop takes or gives, by a name of its own.
struct Named {
    name: String,
    shape: Type,
}

/// Names that the clients' own parts have, or their languages.
const TAKEN: [&str; 9] = [
    "Any", "Array", "Caller", "Literal", "Loops", "None", "Promise", "Protocol", "Record",
];

/// Writes a client for these loops.
pub fn client(language: ClientLanguage, realm: &str, loops: &[LoopDetail]) -> String {
    let mut names = Names::without(&TAKEN);
    let mut records = Vec::new();
    let methods: Vec<Method> = loops
        .iter()
        .map(|detail| method(detail, &mut names, &mut records))
        .collect();
    let note =
        format!("The loops that `{realm}` may call. Written by `realmctl generate`; do not edit.");
    match language {
        ClientLanguage::Typescript => typescript::write(&note, &records, &methods),
        ClientLanguage::Python => python::write(&note, &records, &methods),
    }
}

fn method(detail: &LoopDetail, names: &mut Names, records: &mut Vec<Record>) -> Method {
    let summary = &detail.summary;
    let name = pascal(&summary.name());
    let mut named = |schema: &Value, role: &str| {
        let name = names.free(&format!("{name}{role}"));
        let shape = Reader::new(schema, names, records).root(&name);
        Named { name, shape }
    };
    Method {
        address: summary.name(),
        version: summary.version.clone(),
        effects: summary.effects.clone(),
        description: summary.description.clone(),
        input: named(&detail.input_schema, "Input"),
        output: named(&detail.output_schema, "Output"),
    }
}
