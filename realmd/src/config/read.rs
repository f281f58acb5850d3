//! From text and variables to settings, with every problem at its place.

use std::ops::Range;

use realm_client::catalogue::Code;
use toml_edit::{Document, Item, Table, TableLike, Value as Toml};

use super::{
    ConfigError, Configured, Problem, Setting, Source,
    keys::{self, KEYS, Key},
    nearest, typed,
    value::{self, Settings},
};
use crate::{environment::PREFIX, failure::Place};

/// Reads the file's text, lays the variables over it, and fills in the defaults.
///
/// # Errors
/// [`ConfigError::Problems`] with every problem at once.
pub(crate) fn read(
    file: &str,
    text: &str,
    environment: &[(String, String)],
) -> Result<Configured, ConfigError> {
    let mut reading = Reading {
        file,
        text,
        settings: Settings::new(),
        problems: Vec::new(),
    };
    match Document::parse(text) {
        Ok(document) => reading.table(document.as_table(), ""),
        Err(error) => {
            let what = error.message().trim().replace('\n', "; ");
            reading.problem(Code::ConfigSyntax, error.span(), what, None);
        }
    }
    for (name, value) in environment {
        reading.variable(name, value);
    }
    reading.fill_in();
    reading.servers();
    reading.people();
    reading.groups();
    reading.prices();
    if !reading.problems.is_empty() {
        return Err(ConfigError::Problems(reading.problems));
    }
    let settings = reading.settings;
    // None only if the table names a key that the typed form reads differently.
    let config = typed(&settings).ok_or_else(|| ConfigError::Problems(Vec::new()))?;
    Ok(Configured { config, settings })
}

struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    settings: Settings,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn table(&mut self, table: &Table, prefix: &str) {
        for (name, item) in table {
            let span = table.key(name).and_then(toml_edit::Key::span);
            self.item(&dotted(prefix, name), item, span);
        }
    }

    fn item(&mut self, name: &str, item: &Item, span: Option<Range<usize>>) {
        if let Some(key) = keys::find(name) {
            return match item {
                Item::Value(value) => self.value((key, name), value, span),
                _ => self.wrong(span, format!("`{name}` must be a value, not a section")),
            };
        }
        let table = item.as_table_like();
        if table.is_some_and(TableLike::is_empty) && keys::is_named_section(name) {
            let what = format!("`[{name}]` says nothing");
            let hint = "write what it is, as docs/loops.md shows, or leave it out".to_owned();
            return self.problem(Code::ConfigValue, span, what, Some(hint));
        }
        match item {
            Item::Table(table) if keys::is_section(name) => self.table(table, name),
            Item::Value(Toml::InlineTable(table)) if keys::is_section(name) => {
                for (inner, item) in TableLike::iter(table) {
                    let span = TableLike::key(table, inner).and_then(toml_edit::Key::span);
                    self.item(&dotted(name, inner), item, span);
                }
            }
            _ if keys::is_section(name) => self.wrong(span, format!("`{name}` must be a section")),
            _ => self.unknown(name, span),
        }
    }

    fn value(
        &mut self,
        (key, name): (&'static Key, &str),
        value: &Toml,
        name_span: Option<Range<usize>>,
    ) {
        let span = value.span().or(name_span);
        match value::check(key.kind, value) {
            Ok(value) => {
                let line = span.map_or(0, |span| position(self.text, span.start).0);
                let source = Source::File(line);
                let name = name.to_owned();
                self.settings.insert(name, Setting { value, source });
            }
            Err(what) => self.wrong(span, format!("`{name}` {what}")),
        }
    }

    fn wrong(&mut self, span: Option<Range<usize>>, what: String) {
        self.problem(Code::ConfigValue, span, what, None);
    }

    fn unknown(&mut self, name: &str, span: Option<Range<usize>>) {
        let hint = meant(name).map(|meant| format!("did you mean `{meant}`?"));
        self.problem(
            Code::ConfigUnknownKey,
            span,
            format!("`{name}` is no key"),
            hint,
        );
    }

    fn problem(
        &mut self,
        code: Code,
        span: Option<Range<usize>>,
        what: String,
        hint: Option<String>,
    ) {
        let at = span.as_ref().map(|span| position(self.text, span.start));
        let snippet = span.zip(at).map(|(span, (line, column))| {
            let line = self.text.lines().nth(line - 1).unwrap_or_default();
            let rest = line.chars().count().saturating_sub(column - 1);
            let width = self.text.get(span).map_or(1, |text| text.chars().count());
            (line.to_owned(), width.min(rest))
        });
        let file = self.file.to_owned();
        let place = Place {
            file,
            at,
            what,
            snippet,
            hint,
        };
        self.problems.push(Problem { code, place });
    }

    /// Takes `REALMD_SECTION__KEY`: lists are separated by commas.
    fn variable(&mut self, name: &str, text: &str) {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            return;
        };
        let dotted = rest.to_ascii_lowercase().replace("__", ".");
        let Some(key) = keys::find(&dotted) else {
            let hint = meant(&dotted).map(|meant| format!("did you mean `{}`?", variable(meant)));
            return self.variable_problem(Code::ConfigUnknownKey, name, "names no key", hint);
        };
        match value::check(key.kind, &as_toml(key.kind, text)) {
            Ok(value) => {
                let source = Source::Variable(name.to_owned());
                self.settings.insert(dotted, Setting { value, source });
            }
            Err(what) => self.variable_problem(Code::ConfigValue, name, &what, None),
        }
    }

    fn variable_problem(&mut self, code: Code, name: &str, what: &str, hint: Option<String>) {
        let place = Place {
            file: name.to_owned(),
            at: None,
            what: what.to_owned(),
            snippet: None,
            hint,
        };
        self.problems.push(Problem { code, place });
    }

    fn fill_in(&mut self) {
        for key in KEYS {
            for name in self.names_of(key) {
                self.fill(key, name);
            }
        }
    }

    /// The dotted names that a key has here: its own, or one for each name that the owner chose.
    fn names_of(&self, key: &Key) -> Vec<String> {
        match key.chosen_in() {
            None => vec![key.name.to_owned()],
            Some(section) => value::chosen(&self.settings, section)
                .map(|chosen| key.name_for(chosen))
                .collect(),
        }
    }

    fn fill(&mut self, key: &'static Key, name: String) {
        if self.settings.contains_key(&name) {
            return;
        }
        let default = key.default.and_then(|text| text.parse::<Toml>().ok());
        match default.and_then(|value| value::check(key.kind, &value).ok()) {
            Some(value) => {
                let source = Source::Default;
                self.settings.insert(name, Setting { value, source });
            }
            // A wrong value of it was reported already.
            None if self.names(&name) => {}
            None => {
                let what = format!("`{name}` is missing");
                self.problem(Code::ConfigValue, None, what, None);
            }
        }
    }

    /// An MCP server is a program or has an address; loops call a server by a name that no model has.
    fn servers(&mut self) {
        let ids: Vec<String> = value::chosen(&self.settings, "mcp")
            .map(str::to_owned)
            .collect();
        for id in ids {
            let is_set = |name: &str| {
                let setting = self.settings.get(&format!("mcp.{id}.{name}"));
                setting.is_some_and(|setting| match &setting.value {
                    value::Value::Texts(texts) => !texts.is_empty(),
                    value::Value::Text(text) => !text.is_empty(),
                    _ => false,
                })
            };
            let (argv, url) = (is_set("argv"), is_set("url"));
            if argv == url && !self.names(&format!("mcp.{id}.argv")) {
                let what = format!("`mcp.{id}` must have `argv` or `url`, and not both");
                self.wrong(None, what);
            }
            if value::chosen(&self.settings, "backends").any(|other| other == id) {
                let what = format!("`mcp.{id}` has the id of `backends.{id}`");
                self.wrong(None, what);
            }
        }
    }

    /// A model has one price.
    fn prices(&mut self) {
        let mut priced: Vec<(String, String)> = Vec::new();
        for name in value::chosen(&self.settings, "prices") {
            let setting = self.settings.get(&format!("prices.{name}.models"));
            if let Some(value::Value::Texts(models)) = setting.map(|setting| &setting.value) {
                priced.extend(models.iter().map(|model| (model.clone(), name.to_owned())));
            }
        }
        priced.sort();
        let mut others = priced.windows(2);
        if let Some([(model, one), (_, other)]) =
            others.find(|pair| matches!(pair, [a, b] if a.0 == b.0))
        {
            let what = format!("`prices.{other}` names the model `{model}` of `prices.{one}`");
            self.wrong(None, what);
        }
    }

    /// A user of the machine is one person.
    fn people(&mut self) {
        let mut users: Vec<(String, String)> = Vec::new();
        for name in value::chosen(&self.settings, "people") {
            let setting = self.settings.get(&format!("people.{name}.uid"));
            if let Some(value::Value::Text(uid)) = setting.map(|setting| &setting.value)
                && !uid.is_empty()
            {
                users.push((uid.clone(), name.to_owned()));
            }
        }
        users.sort();
        let mut others = users.windows(2);
        if let Some([(uid, one), (_, other)]) =
            others.find(|pair| matches!(pair, [a, b] if a.0 == b.0))
        {
            let what = format!("`people.{other}` has the uid of `people.{one}`, {uid}");
            self.wrong(None, what);
        }
    }

    /// What people sign in at says all that it needs, and a group is one of what there is.
    fn groups(&mut self) {
        for (place, needed) in [
            ("ldap.url", &["ldap.base", "ldap.bind", "ldap.password"][..]),
            ("oidc.issuer", &["oidc.client", "oidc.name", "oidc.groups"]),
        ] {
            for key in needed {
                if self.is_set(place) && !self.is_set(key) && !self.names(key) {
                    self.wrong(None, format!("`{key}` must be set where `{place}` is"));
                }
            }
        }
        let chosen = value::chosen(&self.settings, "groups").map(str::to_owned);
        for name in chosen.collect::<Vec<_>>() {
            let place = match self.text(&format!("groups.{name}.from")) {
                "ldap" => "ldap.url",
                "oidc" => "oidc.issuer",
                // It was reported already.
                _ => continue,
            };
            if !self.is_set(place) && !self.names(place) {
                let what = format!("`groups.{name}` is of people that `{place}` does not name");
                self.wrong(None, what);
            }
        }
    }

    /// The text of a key; empty where there is none.
    fn text(&self, key: &str) -> &str {
        match self.settings.get(key).map(|setting| &setting.value) {
            Some(value::Value::Text(text)) => text,
            _ => "",
        }
    }

    fn is_set(&self, key: &str) -> bool {
        !self.text(key).is_empty()
    }

    /// Whether a problem is about this key, or the text could not be read at all.
    fn names(&self, key: &str) -> bool {
        let quoted = format!("`{key}`");
        let about = |problem: &Problem| {
            problem.code == Code::ConfigSyntax || problem.place.what.starts_with(&quoted)
        };
        self.problems.iter().any(about)
    }
}

fn dotted(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// The key that was probably meant: by its whole name, or by its last part.
fn meant(name: &str) -> Option<&'static str> {
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    let by_last = || {
        let wanted = name.rsplit('.').next().unwrap_or(name);
        KEYS.iter()
            .map(|key| key.name)
            .find(|key| last(key) == wanted)
    };
    let names = KEYS.iter().map(|key| key.name);
    let sections = ["store", "limits", "log"];
    nearest(name, names.chain(sections)).or_else(by_last)
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// A variable's text as the TOML value that its key takes.
fn as_toml(kind: keys::Kind, text: &str) -> Toml {
    let text = text.trim();
    match kind {
        keys::Kind::Addresses
        | keys::Kind::Hosts
        | keys::Kind::OpenedHosts
        | keys::Kind::Paths
        | keys::Kind::Patterns
        | keys::Kind::Arguments
        | keys::Kind::Names
        | keys::Kind::Roots
        | keys::Kind::Roles
        | keys::Kind::Scopes
        | keys::Kind::RealmNames
        | keys::Kind::Variables
        | keys::Kind::SecretVariables => {
            // A regular expression may have commas, and so may an argument.
            let between = match kind {
                keys::Kind::Patterns | keys::Kind::Arguments | keys::Kind::Variables => '\n',
                _ => ',',
            };
            let items = text
                .split(between)
                .map(str::trim)
                .filter(|item| !item.is_empty());
            Toml::Array(items.collect())
        }
        keys::Kind::Number(..) => text.parse::<i64>().map_or_else(|_| text.into(), Toml::from),
        _ => text.into(),
    }
}

/// Line and column of an offset, both from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}
