//! What the daemon alone reads: its configuration, and what directories, providers, models and servers of
//! tools answer.

use std::collections::BTreeSet;

use realm_backends::{
    Format, ProviderTerms, Secret, ToolDefinition,
    answers::{self, Told},
};
use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolSpec, canonical_json};
use realm_protocol::{CallId, Timestamp, json as strict, limits};
use serde_json::{Value, json};

/// What a server was told, and must not be repeated of it.
const SECRET: &str = "hunter2-hunter2";
/// Bytes that come at once, beside all of them.
const CUTS: [usize; 3] = [1, 7, 64];
/// When the tokens of the seeds were made.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A `realm.toml`.
pub(crate) fn config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(problems) = realmd::check_config(text)
    {
        assert!(!problems.is_empty(), "refused for no reason");
    }
}

/// What a directory answers: nothing is made up, and what is read begins anew with each message.
pub(crate) fn directory(bytes: &[u8]) {
    let Some(texts) = answers::directory(bytes, "uid") else {
        return;
    };
    // A name is given twice; in the form that it is compared in, a byte that is no text takes three.
    let given: usize = texts.iter().map(String::len).sum();
    assert!(given <= bytes.len().saturating_mul(4), "more than was said");
    let twice = [bytes, bytes].concat();
    let again = answers::directory(&twice, "uid").expect("the same twice");
    assert_eq!(again, [texts.as_slice(), &texts].concat());
}

/// What a provider of OpenID Connect answers: what is taken is safe to show and to call.
pub(crate) fn provider(bytes: &[u8]) {
    let Some(said) = answers::provider(bytes, &terms(), NOW) else {
        return;
    };
    let safe = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    assert!(said.addresses.iter().all(|url| safe(url)), "{said:?}");
    if let Some(device) = said.device {
        let pages = [Some(&device.url), device.link.as_ref()];
        assert!(pages.into_iter().flatten().all(|url| safe(url)));
        let plain = |c: char| c.is_ascii_graphic() || c == ' ';
        assert!(device.user_code.chars().all(plain));
        assert!((1_000..=60_000).contains(&device.every_ms));
        assert!(device.lasts_ms <= 30 * 60 * 1_000);
    }
    if let Some(account) = said.account {
        assert!(!account.name.is_empty() && !account.name.contains(char::is_control));
        assert!(account.groups.is_subset(&terms().groups));
    }
}

fn terms() -> ProviderTerms {
    ProviderTerms {
        issuer: "https://id.example".to_owned(),
        client: "realm".to_owned(),
        secret: None,
        scopes: Vec::new(),
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        groups: BTreeSet::from(["nurses".to_owned(), "doctors".to_owned()]),
        allow_private: Vec::new(),
    }
}

/// What a model writes, in every format: it comes to the same wherever it is cut.
pub(crate) fn model(bytes: &[u8]) {
    let request = prompt();
    for format in Format::ALL {
        let whole = answers::model(format, bytes, bytes.len(), &request);
        for cut in CUTS {
            let cut = answers::model(format, bytes, cut, &request);
            assert_eq!(cut.is_ok(), whole.is_ok(), "{format:?}: {cut:?}, {whole:?}");
            if let (Ok(cut), Ok(whole)) = (&cut, &whole) {
                assert_eq!(cut, whole, "{format:?}");
            }
        }
    }
}

fn prompt() -> ModelRequest {
    ModelRequest {
        backend: "office".to_owned(),
        model: None,
        system: None,
        prompt: "Add them.".to_owned(),
        max_tokens: None,
        temperature: None,
        schema: None,
        tools: vec![ToolSpec {
            name: "add".to_owned(),
            description: "Adds.".to_owned(),
            schema: json!({"type": "object"}),
        }],
        turns: Vec::new(),
        key: CallId::new([7; 16]),
        timeout_ms: 1_000,
        stream: true,
    }
}

/// What a server of the Model Context Protocol says: outputs keep their bounds, and failures their secrets.
pub(crate) fn server(bytes: &[u8]) {
    let output_schema = json!({"type": "object", "properties": {"sum": {"type": "number"}}});
    for output_schema in [None, Some(output_schema)] {
        let tool = ToolDefinition {
            name: "add".to_owned(),
            description: None,
            input_schema: json!({"type": "object"}),
            output_schema,
        };
        match answers::server(bytes, &tool, &Secret::new(SECRET)) {
            Some(Told::Tools(tools)) => {
                let mut schemas = tools.iter().map(|tool| &tool.input_schema);
                assert!(schemas.all(is_canonical_once), "{tools:?}");
            }
            Some(Told::Answer(Ok(output))) => kept(&output),
            Some(Told::Answer(Err(error))) => hidden(&error),
            Some(Told::Other) | None => {}
        }
    }
}

/// Whether its canonical form is that of what it reads as: approvals are of digests over it.
fn is_canonical_once(schema: &Value) -> bool {
    let canonical = canonical_json(schema);
    let read = serde_json::from_str(&canonical);
    read.is_ok_and(|read: Value| canonical_json(&read) == canonical)
}

fn kept(output: &BackendOutput) {
    let BackendOutput::Json(output) = output else {
        panic!("no tool gives {output:?}");
    };
    strict::check(output).expect("JSON that is taken everywhere");
    assert!(strict::to_bytes(output).len() <= limits::BACKEND_BYTES);
}

fn hidden(error: &BackendError) {
    let told = error.to_string();
    assert!(!told.contains(SECRET), "{told}");
}
