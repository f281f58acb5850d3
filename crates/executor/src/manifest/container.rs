//! Programs that run in a container of their own.

use std::collections::BTreeMap;

use thiserror::Error;

/// A program in a container: JSON on its standard input, JSON on its standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What it is made from.
    pub image: Image,
    /// Program and arguments; none for the image's own.
    pub argv: Option<Vec<String>>,
    /// Environment beside the image's.
    pub env: BTreeMap<String, String>,
    /// When the image is fetched.
    pub pull: Pull,
    /// The engine's network that it joins; none for no network.
    pub network: Option<String>,
    /// What it may take.
    pub limits: ContainerLimits,
    /// Whether it answers in lines: words while it works, and its output last.
    pub lines: bool,
}

/// What one container may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerLimits {
    /// Bytes of memory, with what it writes to its scratch folder.
    pub memory: u64,
    /// Thousandths of a processor.
    pub millicpus: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes of its scratch folder.
    pub scratch: u64,
    /// Bytes of its answer.
    pub output: u64,
}

/// An image by what it consists of, so that no other takes its name: `NAME@sha256:…`, or an image's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(String);

/// A text names no image by its digest.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` names no image by its digest")]
pub struct NotPinned(String);

/// When an image is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Never: without the image the call fails.
    #[default]
    Never,
    /// If it is not there.
    Missing,
    /// Before each call.
    Always,
}

impl Image {
    /// Hexadecimal digits of a digest.
    const DIGITS: usize = 64;
    /// The registry of images that name none.
    const UNNAMED: &str = "docker.io";

    /// The image as engines name it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry that it would be fetched from, as engines read its name; none for an id.
    pub fn registry(&self) -> Option<&str> {
        let (name, _) = self.0.split_once('@')?;
        let named = name.split_once('/').map(|(first, _)| first);
        let named = named.filter(|first| first.contains(['.', ':']) || *first == "localhost");
        Some(named.unwrap_or(Self::UNNAMED))
    }

    /// Whether it is an id, which only an engine that has the image knows.
    pub fn is_id(&self) -> bool {
        self.0.starts_with("sha256:")
    }
}

impl std::str::FromStr for Image {
    type Err = NotPinned;

    fn from_str(text: &str) -> Result<Self, NotPinned> {
        let name = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte)
        };
        let pinned = text.split_once("sha256:").is_some_and(|(before, digest)| {
            let named = match before.strip_suffix('@') {
                Some(before) => !before.is_empty() && before.bytes().all(name),
                None => before.is_empty(),
            };
            let digits = digest.bytes();
            named
                && digest.len() == Self::DIGITS
                && digits.eq(digest.to_ascii_lowercase().bytes())
                && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        match pinned {
            true => Ok(Self(text.to_owned())),
            false => Err(NotPinned(text.to_owned())),
        }
    }
}

impl Pull {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Never, Self::Missing, Self::Always];

    /// The policy's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Missing => "missing",
            Self::Always => "always",
        }
    }
}

impl Default for ContainerLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            memory: 256 * MIB,
            millicpus: 1_000,
            pids: 64,
            scratch: 64 * MIB,
            output: realm_protocol::limits::BACKEND_BYTES as u64,
        }
    }
}
