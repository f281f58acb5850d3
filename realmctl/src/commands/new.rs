//! `new`: writes a loop's folder that works as it is.

mod templates;

use std::{fs, io, path::Path};

use crate::{
    cli::{Language, NewCommand},
    failure::Failure,
    session::Session,
};

/// Writes the folder, prints its files, says what comes next.
pub(crate) fn run(session: &Session, command: NewCommand) -> Result<(), Failure> {
    let NewCommand::Loop { id, lang, dir } = command;
    check_id(&id)?;
    let folder = dir.join(&id);
    fs::create_dir_all(&dir).map_err(|error| Failure::File(dir.clone(), error))?;
    fs::create_dir(&folder).map_err(|error| Failure::File(folder.clone(), error))?;
    let mut listed = String::new();
    for (name, text) in files(&id, lang) {
        let path = folder.join(name);
        write_new(&path, &text).map_err(|error| Failure::File(path.clone(), error))?;
        listed.push_str(&format!("{}\n", path.display()));
    }
    session.print_text(&listed)?;
    session.say(&format!("next: realmctl apply -f {}", folder.display()));
    session.say(&format!(
        "then: realmctl invoke {id} {}",
        templates::example(lang)
    ));
    Ok(())
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;

    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())
}

/// The id is also a folder's name, and stands unquoted in YAML.
fn check_id(id: &str) -> Result<(), Failure> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts = id.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && id.len() <= 64 && id.chars().all(legal) {
        return Ok(());
    }
    let what = format!("`{id}` cannot be a folder: a letter, then letters, digits and ._-");
    Err(Failure::Usage(what, None))
}

fn files(id: &str, language: Language) -> [(&'static str, String); 4] {
    let (program, source) = templates::program(language);
    [
        ("loop.yaml", templates::definition(id, language)),
        ("in.json", templates::input(language).to_owned()),
        ("out.json", templates::output(language).to_owned()),
        (program, source.to_owned()),
    ]
}

#[cfg(test)]
mod tests;
