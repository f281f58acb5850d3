//! A headless Chromium, spoken to over a pipe in its own debugging protocol.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for an answer. Nothing passes because time does.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Value,
    sent: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium with an empty page; none where there is none.
    pub(crate) fn start() -> Option<Self> {
        if !is_installed() {
            // Past the test runner's capture.
            let said = b"SKIPPED: the page is tested in Chromium: apt-get install chromium\n";
            std::io::stderr().write_all(said).unwrap();
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let command = format!(
            "exec chromium --headless=new --no-sandbox --disable-gpu --no-first-run \
             --disable-dev-shm-usage --window-size=1280,800 --user-data-dir='{}' \
             --remote-debugging-pipe 3<&0 4>&1 1>&2",
            profile.path().display()
        );
        let mut process = Command::new("/bin/sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while output
                .read_until(0, &mut message)
                .is_ok_and(|read| read > 0)
            {
                message.pop();
                let Ok(parsed) = serde_json::from_slice(&message) else {
                    return;
                };
                message.clear();
                if sender.send(parsed).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            input,
            messages,
            session: Value::Null,
            sent: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", target)["sessionId"].clone();
        for domain in ["Runtime", "Log", "Network", "Page"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Opens a page, and waits until it is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        while !self.heard("Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
    }

    /// Evaluates an expression in the page.
    pub(crate) fn ask(&mut self, expression: &str) -> Value {
        let request = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", request);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// The text of the first element.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.ask(&format!("document.querySelector('{selector}').textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// Types a text in place of what a field holds.
    pub(crate) fn type_into(&mut self, selector: &str, text: &str) {
        self.ask(&format!("document.querySelector('{selector}').focus()"));
        self.ask(&format!("document.querySelector('{selector}').select()"));
        if text.is_empty() {
            self.press("Delete");
        } else {
            self.call("Input.insertText", json!({ "text": text }));
        }
    }

    /// Presses a key that writes nothing.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Delete" => 46,
            "z" => 90,
            other => panic!("no code for {other}"),
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let request = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", request);
        }
    }

    /// What the page complained about: errors, exceptions, entries of the log.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let kinds = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ];
        let complaints = self.events.iter();
        let complaints =
            complaints.filter(|event| kinds.iter().any(|kind| event["method"] == *kind));
        complaints.cloned().collect()
    }

    /// The addresses that were asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.events.iter();
        let requests = events.filter(|event| event["method"] == "Network.requestWillBeSent");
        requests
            .map(|event| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    fn heard(&self, method: &str) -> bool {
        self.events.iter().any(|event| event["method"] == method)
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut request = json!({ "id": self.sent, "method": method, "params": params });
        if !self.session.is_null() {
            request["sessionId"] = self.session.clone();
        }
        self.input
            .write_all(format!("{request}\0").as_bytes())
            .unwrap();
        loop {
            let message = self.next();
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn next(&mut self) -> Value {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(error) => panic!("chromium says nothing: {error}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn is_installed() -> bool {
    let version = Command::new("/bin/sh")
        .args(["-c", "command -v chromium"])
        .stdout(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}
