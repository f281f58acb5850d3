//! The local API without the product's client: bytes over the socket.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
};

use serde_json::Value;

use crate::limit::PATIENCE;

/// A daemon's socket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    path: PathBuf,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Requires a problem document with this status; gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.kind, "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "code"] {
            assert!(problem[member].is_string(), "{member}: {problem}");
        }
        problem
    }
}

impl Socket {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Opens a connection on which nothing waits for ever.
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends these bytes, and reads the answer to its end.
    #[track_caller]
    pub(crate) fn exchange(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // The other side may answer and close before it has read everything.
        stream.write_all(request.as_bytes()).ok();
        let mut head = BufReader::new(stream);
        let (status, kind, length) = read_head(&mut head);
        let mut body = String::new();
        match length {
            Some(length) => head.take(length).read_to_string(&mut body).unwrap(),
            None => head.read_to_string(&mut body).unwrap(),
        };
        Answer { status, kind, body }
    }

    /// Listens to a run, from its first event or after the event with this index.
    #[track_caller]
    pub(crate) fn events(&self, run: &str, after: Option<u64>) -> Events {
        let last = after
            .map(|index| format!("Last-Event-ID: {index}\r\n"))
            .unwrap_or_default();
        let mut stream = self.connect();
        let request = format!("GET /v1/runs/{run}/events HTTP/1.1\r\nHost: x\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let (status, kind, _) = read_head(&mut stream);
        assert_eq!((status, kind.as_str()), (200, "text/event-stream"));
        Events { stream }
    }
}

fn read_head(stream: &mut BufReader<UnixStream>) -> (u16, String, Option<u64>) {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let (mut kind, mut length) = (String::new(), None);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => kind = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().ok(),
            _ => {}
        }
    }
    (
        status.unwrap_or_else(|| panic!("no status: `{line}`")),
        kind,
        length,
    )
}

/// A stream of server-sent events.
pub(crate) struct Events {
    stream: BufReader<UnixStream>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Iterator for Events {
    type Item = Event;

    /// Waits for the next event; none when the stream is closed.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut kind, mut data) = (None, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ").or_else(|| line.split_once(':')) {
                Some(("id", value)) => id = value.parse().ok(),
                Some(("event", value)) => kind = value.to_owned(),
                Some(("data", value)) => data.push_str(value),
                // Chunk sizes and comments stand on lines of their own.
                Some(_) => {}
                None if line.is_empty() && !data.is_empty() => {
                    let data = serde_json::from_str(&data).unwrap();
                    return Some(Event { id, kind, data });
                }
                None if line == "0" => return None,
                None => {}
            }
        }
    }
}
