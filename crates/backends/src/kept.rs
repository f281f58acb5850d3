//! What is kept of what a program wrote: the first bytes of it or the last.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of a program's errors that are kept for a message, the last ones.
pub(crate) const ERROR_BYTES: usize = 4 * 1024;
/// Bytes that are read at once.
pub(crate) const READ_BYTES: usize = 4 * 1024;

/// What was kept of what a program wrote.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    /// Reads to the end and keeps the first bytes, at most `most`.
    pub(crate) async fn head(stream: Option<impl AsyncRead + Unpin>, most: usize) -> Self {
        let mut kept = Self::default();
        read(stream, |bytes| kept.fill(bytes, most)).await;
        kept
    }

    /// Reads to the end and keeps the last bytes, at most `most`.
    pub(crate) async fn tail(stream: Option<impl AsyncRead + Unpin>, most: usize) -> Self {
        let mut kept = Self::default();
        read(stream, |bytes| kept.roll(bytes, most)).await;
        kept
    }

    /// Adds as many of the bytes as there is room for.
    fn fill(&mut self, bytes: &[u8], most: usize) {
        let room = most.saturating_sub(self.bytes.len()).min(bytes.len());
        let (taken, left) = bytes.split_at(room);
        self.bytes.extend_from_slice(taken);
        self.cut |= !left.is_empty();
    }

    /// Adds the bytes and lets the first ones go, until there are `most`.
    pub(crate) fn roll(&mut self, bytes: &[u8], most: usize) {
        self.bytes.extend_from_slice(bytes);
        let over = self.bytes.len().saturating_sub(most);
        self.cut |= over > 0;
        self.bytes.drain(..over);
    }

    /// Whether there was more.
    pub(crate) const fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Its text as the end of a message.
    pub(crate) fn line(&self) -> String {
        self.text().trim_end().to_owned()
    }
}

/// Reads to the end, or until nothing more can be read.
async fn read(stream: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut stream) = stream else {
        return;
    };
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        take(buffer.get(..count).unwrap_or_default());
    }
}
