//! Telling people over a webhook: a real receiver, which is out of order at first.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::{limit::PATIENCE, person::Person};

/// A request that came.
struct Came {
    headers: Vec<String>,
    told: Value,
}

impl Came {
    /// The value of a header, whose name is given in small letters.
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// Answers one request after another with these statuses; gives what came.
fn receive(listener: TcpListener, statuses: &'static [&'static str]) -> mpsc::Receiver<Came> {
    let (tell, came) = mpsc::channel();
    thread::spawn(move || {
        for status in statuses {
            tell.send(take(&listener, status)).unwrap();
        }
    });
    came
}

/// Takes one request and answers it.
fn take(listener: &TcpListener, status: &str) -> Came {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(&stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => headers.push(line.to_owned()),
        }
    }
    let mut came = Came {
        headers,
        told: Value::Null,
    };
    let length = came.header("content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    came.told = serde_json::from_slice(&body).unwrap();
    answer(&stream, status);
    came
}

fn answer(mut stream: &TcpStream, status: &str) {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
}

#[test]
fn a_halt_is_told_over_a_webhook_again_where_it_was_not_taken() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = receiver.local_addr().unwrap();
    let person = Person::new();
    let daemon = person.realm("acme");
    daemon.stop();
    let key = person.write("hook", "kept-to-ourselves");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let config = person.home("acme").join("realm.toml");
    let text = fs::read_to_string(&config).unwrap();
    let notify = format!(
        "\n[notify]\nwebhook = \"http://{at}/realm\"\nallow_private = [\"{at}\"]\nkey = \"file:{}\"\n",
        key.display()
    );
    fs::write(&config, text + &notify).unwrap();
    let statuses = &[
        "503 Service Unavailable",
        "204 No Content",
        "204 No Content",
        "204 No Content",
    ];
    let came = receive(receiver, statuses);
    let next = || came.recv_timeout(PATIENCE).unwrap();
    let daemon = person.start("acme");

    person.ctl("halt --why drill").ok();
    let (refused, taken) = (next(), next());
    daemon.stop();
    let _daemon = person.start("acme");
    let again = next();
    person.ctl("unhalt").ok();
    let lifted = next();

    assert_eq!(refused.told, taken.told);
    let once = refused.header("idempotency-key");
    assert!(once.is_some() && once == taken.header("idempotency-key"));
    assert_ne!(once, lifted.header("idempotency-key"));
    assert_eq!(
        taken.header("authorization"),
        Some("Bearer kept-to-ourselves")
    );
    assert_eq!(taken.told["event"], "halt.begun");
    assert_eq!(taken.told["why"], "drill");
    for member in ["event", "what", "by", "why", "at"] {
        assert_eq!(again.told[member], taken.told[member], "{member}");
    }
    assert_eq!(again.told["again"], true);
    assert_eq!(lifted.told["event"], "halt.lifted");
    for told in [&taken.told, &lifted.told] {
        assert_eq!(told["realm"], "acme");
        assert!(told["by"].is_string() && told["what"].is_string(), "{told}");
    }
}
