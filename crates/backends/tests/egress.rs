//! Every form of address against every kind of call that leaves the daemon, in a network namespace where
//! every address of the internet is this machine: whatever is dialled is accepted, and seen.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use realm_backends::{
    Backends, Format, Model, Opened, Parts, Progress, Provider, ProviderTerms, Server,
};
use realm_executor::{BackendError, BackendRequest, ModelRequest, Prices};
use realm_protocol::{CallId, Digest, Now, is_public};
use serde_json::json;
use tokio::sync::mpsc;

/// Addresses inside, each tried in every notation.
const INSIDE: [[u8; 4]; 26] = [
    [127, 0, 0, 1],
    [127, 255, 255, 254],
    [0, 0, 0, 0],
    [0, 1, 2, 3],
    [10, 0, 0, 1],
    [10, 255, 255, 255],
    [172, 16, 0, 1],
    [172, 31, 255, 254],
    [192, 168, 0, 1],
    [192, 168, 255, 254],
    [169, 254, 1, 1],
    [169, 254, 169, 254],
    [169, 254, 170, 2],
    [100, 64, 0, 1],
    [100, 127, 255, 254],
    [100, 100, 100, 200],
    [192, 0, 0, 1],
    [192, 0, 0, 192],
    [192, 0, 2, 1],
    [192, 88, 99, 1],
    [198, 18, 0, 1],
    [198, 51, 100, 1],
    [203, 0, 113, 1],
    [224, 0, 0, 1],
    [240, 0, 0, 1],
    [255, 255, 255, 255],
];
/// What is no notation of the above.
const OTHERS: [&str; 74] = [
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::FFFF:A9FE:A9FE]/",
    "https://[0:0:0:0:0:ffff:10.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2002:a00:1::1]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[2001:10::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[fc00::1]/",
    "https://[fd00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[febf::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[ff0e::1]/",
    "https://[5f00::1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[fe80::1%25lo]/",
    "https://[::1%25lo]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://0x/",
    "https://127.0.0.1./",
    "https://127.0.0.1:443/",
    "https://127.0.0.1:8443/",
    "https://１２７.０.０.１/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.%31/",
    "https://0x7f.0.0x0.1/",
    "https://0177.0.0.01/",
    "https://00000000177.0.0.1/",
    "https://user@127.0.0.1/",
    "https://user:word@127.0.0.1/",
    "https://example.com@127.0.0.1/",
    "https://example.com:443@127.0.0.1/",
    "https://example.com%2f@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@example.com/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1?@example.com/",
    "https:127.0.0.1",
    "https:/127.0.0.1",
    "https:///127.0.0.1",
    "https:\\\\127.0.0.1\\",
    "HTTPS://127.0.0.1/",
    " https://127.0.0.1/ ",
    "ht\ntps://127.0.\t0.1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1:80/_x",
    "file:///etc/passwd",
    "unix:/run/realmd.sock",
    "ws://127.0.0.1/",
];
/// Names whose addresses the test gives: inside, first outside and then inside, and both at once.
const NAMES: [&str; 4] = [
    "https://inside.test/",
    "https://metadata.test/",
    "https://rebinds.test/",
    "https://rebinds.test:8443/",
];
/// An address outside, as everything may reach it.
const OUTSIDE: [u8; 4] = [93, 184, 216, 34];
const PORTS: [u16; 6] = [80, 443, 8080, 8443, 9000, 9001];

fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for [a, b, c, d] in INSIDE {
        let whole = u32::from_be_bytes([a, b, c, d]);
        let low = u16::from_be_bytes([c, d]);
        forms.extend([
            format!("https://{a}.{b}.{c}.{d}/"),
            format!("http://{a}.{b}.{c}.{d}/"),
            format!("https://{whole}/"),
            format!("https://0x{whole:x}/"),
            format!("https://0{whole:o}/"),
            format!("https://{a}.{b}.{low}/"),
        ]);
    }
    forms.extend(OTHERS.iter().chain(&NAMES).map(|form| (*form).to_owned()));
    forms
}

#[test]
fn no_form_of_an_address_inside_is_reached_by_any_kind_of_call() {
    let program = std::env::current_exe().unwrap();
    let unshare = match rustix::process::geteuid().is_root() {
        true => "-n",
        false => "-rn",
    };
    // Before anything else: the namespace has a loopback and no way out.
    let script = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo \
                  && ip -6 route add local ::/0 dev lo && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args([unshare, "sh", "-c", script]);
    command
        .arg(program)
        .args(["inside", "--exact", "--ignored", "--nocapture"]);
    let output = command.stdin(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| !output.stdout.is_empty()) else {
        // Past the test runner's capture.
        let said = b"SKIPPED: addresses inside need unshare, ip, and a kernel that gives network namespaces\n";
        std::io::stderr().write_all(said).unwrap();
        return;
    };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(told.contains("1 passed"), "{told}");
}

/// Whether this process is in a namespace of nothing but a loopback.
fn is_alone() -> bool {
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let mut names = devices.lines().filter_map(|line| line.split_once(':'));
    names.all(|(name, _)| matches!(name.trim(), "lo" | "sit0" | "tunl0" | "ip6tnl0"))
}

/// What was dialled.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<SocketAddr>>>);

impl Seen {
    /// Takes every connection to a port, and answers with a redirect inside.
    fn listen(&self, port: u16) {
        // One listener for both families.
        let listener = TcpListener::bind(("::", port)).unwrap();
        let seen = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let to = stream.local_addr().unwrap();
                let to = SocketAddr::new(to.ip().to_canonical(), to.port());
                seen.0.lock().unwrap().push(to);
                let mut asked = [0; 65_536];
                let _ = stream.read(&mut asked);
                let _ = stream.write_all(
                    b"HTTP/1.1 307 Elsewhere\r\nlocation: http://169.254.169.254:9001/x\r\n\
                      content-length: 0\r\nconnection: close\r\n\r\n",
                );
            }
        });
    }

    fn take(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Answers questions for names, as the machine's own servers of names.
fn answer_names() {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "));
    let servers: Vec<IpAddr> = servers.filter_map(|ip| ip.trim().parse().ok()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    for server in [servers, vec!["127.0.0.1".parse().unwrap()]].concat() {
        let Ok(socket) = UdpSocket::bind((server, 53)) else {
            continue;
        };
        let asked = Arc::clone(&asked);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let answer = name_answer(&question[..length], number);
                let _ = socket.send_to(&answer, from);
            }
        });
    }
}

fn name_answer(question: &[u8], number: usize) -> Vec<u8> {
    let has = |part: &[u8]| question.windows(part.len()).any(|window| window == part);
    let kind = question
        .get(question.len().saturating_sub(4)..)
        .map(|end| end[1]);
    let ends_plain = !has(b"\0\0\x29");
    let addresses: Vec<[u8; 4]> = match () {
        () if kind != Some(1) && ends_plain => Vec::new(),
        () if has(b"inside") => vec![[10, 0, 0, 1], [127, 0, 0, 1]],
        () if has(b"metadata") => vec![[169, 254, 169, 254]],
        () if has(b"rebinds") => match number % 3 {
            0 => vec![OUTSIDE],
            1 => vec![[127, 0, 0, 1]],
            _ => vec![[10, 0, 0, 1], OUTSIDE],
        },
        () => Vec::new(),
    };
    let end = question[12..].iter().position(|byte| *byte == 0).unwrap() + 12 + 5;
    let mut answer = question[..end].to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[6..8].copy_from_slice(&[0, addresses.len() as u8]);
    answer[8..12].copy_from_slice(&[0; 4]);
    for address in addresses {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address);
    }
    answer
}

/// Every kind of call that goes where it is told, and whether its answer is wanted while it is written. A webhook's
/// notice is a call of an agent with the key of its channel.
const KINDS: [(&str, bool); 13] = [
    ("agent", false),
    ("agent", true),
    ("webhook", false),
    ("openai", false),
    ("openai", true),
    ("responses", false),
    ("responses", true),
    ("anthropic", false),
    ("anthropic", true),
    ("ollama", false),
    ("ollama", true),
    ("mcp", false),
    ("oidc", false),
];

/// Asks a provider of people for what it says of itself.
async fn ask_provider(issuer: &str, allow_private: &[String]) -> Result<(), BackendError> {
    let provider = Provider::new(ProviderTerms {
        issuer: issuer.to_owned(),
        client: "realm".to_owned(),
        secret: None,
        scopes: vec!["openid".to_owned()],
        name_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        groups: BTreeSet::new(),
        allow_private: allow_private.to_vec(),
    });
    let reached = provider.reach(Now::default()).await;
    reached.map_err(|_| BackendError::Refused {
        reason: "the provider cannot be asked",
    })
}

async fn call(
    (kind, stream): (&str, bool),
    url: &str,
    allow_private: &[String],
) -> Result<(), BackendError> {
    if kind == "oidc" {
        return ask_provider(url, allow_private).await;
    }
    let backends = Backends::new();
    let (key, timeout_ms) = (CallId::new([7; 16]), 5_000);
    let request = match Format::named(kind) {
        Some(format) => {
            let model = Model {
                format,
                url: url.to_owned(),
                key: None,
                model: Some("m".to_owned()),
                max_tokens: 9,
                allow_private: allow_private.to_vec(),
                price: None,
                prices: Prices::new(),
            };
            backends.set_models([("box".to_owned(), model)].into());
            BackendRequest::Model(Box::new(ModelRequest {
                backend: "box".to_owned(),
                model: None,
                system: None,
                prompt: "?".to_owned(),
                max_tokens: None,
                temperature: None,
                schema: None,
                tools: Vec::new(),
                turns: Vec::new(),
                stream,
                key,
                timeout_ms,
            }))
        }
        None if kind == "mcp" => {
            let server = Server::Http {
                url: url.to_owned(),
                key: None,
                allow_private: allow_private.to_vec(),
            };
            backends.set_servers([("box".to_owned(), server)].into());
            BackendRequest::Mcp {
                server: "box".to_owned(),
                tool: "t".to_owned(),
                digest: Some(Digest::of(&[])),
                input: json!({}),
                timeout_ms,
            }
        }
        None => BackendRequest::Http {
            url: url.to_owned(),
            headers: match kind {
                "webhook" => [("authorization".to_owned(), "Bearer k".to_owned())].into(),
                _ => BTreeMap::new(),
            },
            bearer: None,
            secrets: BTreeMap::new(),
            key,
            body: json!({}),
            stream,
            timeout_ms,
            allow_private: allow_private.to_vec(),
        },
    };
    let opened = allow_private.iter().map(|host| host.parse().unwrap());
    backends.set_opened(Opened::new(opened.collect()));
    // Nothing is ever written: whoever reads along only makes it another kind of call.
    let (to, _written) = mpsc::channel(1);
    let parts = stream.then(|| Parts::new(key, to));
    let answered = backends.call_telling(request, parts.as_ref(), Progress::default());
    answered.await.map(drop)
}

#[test]
#[ignore = "runs in a namespace that the test above makes"]
fn inside() {
    if !is_alone() {
        return;
    }
    let seen = Seen::default();
    PORTS.iter().for_each(|port| seen.listen(*port));
    answer_names();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let run = |kind, url: &str, allowed: &[String]| runtime.block_on(call(kind, url, allowed));
    let forms = forms();
    assert!(forms.len() >= 200, "{}", forms.len());

    // Whoever asks nobody is let in, wherever that is.
    for inside in [
        "10.255.255.255:443",
        "169.254.169.254:80",
        "[fd00:ec2::254]:443",
    ] {
        let mut stream = TcpStream::connect(inside).unwrap();
        stream.write_all(b"?").unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
        assert_eq!(seen.take(), [inside.parse().unwrap()]);
    }

    // Nothing inside is dialled, whatever it is called.
    for form in &forms {
        for kind in KINDS {
            let answered = run(kind, form, &[]);
            assert!(answered.is_err(), "{kind:?} {form:?}");
            let dialled = seen.take();
            let all_outside = dialled.iter().all(|to| is_public(to.ip()));
            assert!(
                all_outside,
                "{kind:?} {form:?} reached {dialled:?}: {answered:?}"
            );
        }
    }

    // What is outside is, so that the above shows something; and what is allowed by name, but not where it
    // redirects to. Metadata services are not, though they be allowed.
    for kind in KINDS {
        let [a, b, c, d] = OUTSIDE;
        let _ = run(kind, &format!("https://{a}.{b}.{c}.{d}/"), &[]);
        assert!(!seen.take().is_empty(), "{kind:?}");
        let allowed = ["127.0.0.1:9000".to_owned()];
        assert!(
            run(kind, "http://127.0.0.1:9000/", &allowed).is_err(),
            "{kind:?}"
        );
        let dialled = seen.take();
        assert!(!dialled.is_empty(), "{kind:?}");
        let all = dialled.iter().all(|to| to.port() == 9000);
        assert!(all, "{kind:?} followed to {dialled:?}");
        let metadata = ["169.254.169.254:9000", "metadata.test:9000"];
        for host in metadata {
            let allowed = metadata.map(str::to_owned);
            assert!(run(kind, &format!("http://{host}/"), &allowed).is_err());
            assert_eq!(seen.take(), [], "{kind:?} {host}");
        }
    }
}
