//! People of a directory: a real `slapd` behind TLS, groups in groups, and what becomes of who leaves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    api::start_listening,
    limit::{PATIENCE, output_within, skip, within},
    people::ask_as,
    person::Person,
};

const SUFFIX: &str = "dc=example,dc=org";
const INSTALL: &str = "people of a directory need slapd: apt-get install slapd ldap-utils openssl";

/// A directory of a test: its folder, its ports, its process.
struct Slapd {
    dir: PathBuf,
    tls: u16,
    plain: u16,
    child: Option<Child>,
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let paths = folders.map(|folder| Path::new(folder).join(program));
    paths.into_iter().find(|path| path.exists())
}

fn run(program: &str, words: &[&str], input: &str) -> String {
    let mut command = Command::new(find(program).unwrap());
    command.args(words).stdin(Stdio::null());
    let output = output_within(PATIENCE, command, input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {words:?}: {said}");
    said
}

impl Slapd {
    /// A directory with a few people and groups; none where the programs are missing.
    fn new(dir: &Path) -> Option<Self> {
        let needed = ["slapd", "slapadd", "ldapmodify", "openssl"];
        if needed.iter().any(|program| find(program).is_none()) {
            skip(INSTALL);
            return None;
        }
        let dir = dir.join("slapd");
        fs::create_dir_all(dir.join("db")).unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        let (key, certificate) = (path("key.pem"), path("cert.pem"));
        let words = [
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days"],
            ["2", "-subj", "/CN=localhost", "-keyout", &key, "-out"],
        ];
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        let rest = [
            &certificate,
            "-addext",
            names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ];
        run("openssl", &[&words.concat()[..], &rest].concat(), "");
        let schemas = ["core", "cosine", "inetorgperson", "nis"];
        let schemas = schemas.map(|name| format!("include /etc/ldap/schema/{name}.schema\n"));
        let config = format!(
            "{}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {}\n\
             TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n\
             database mdb\nsuffix \"{SUFFIX}\"\nrootdn \"cn=admin,{SUFFIX}\"\nrootpw admin\n\
             directory {}\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"cn=realm,{SUFFIX}\" read by * none\n",
            schemas.concat(),
            path("slapd.pid"),
            path("db"),
        );
        fs::write(path("slapd.conf"), config).unwrap();
        fs::write(path("people.ldif"), ldif()).unwrap();
        run(
            "slapadd",
            &["-f", &path("slapd.conf"), "-l", &path("people.ldif")],
            "",
        );
        // Both at once, so that they differ.
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [tls, plain] = ports.map(|free| free.local_addr().unwrap().port());
        let mut slapd = Self {
            dir,
            tls,
            plain,
            child: None,
        };
        slapd.start();
        Some(slapd)
    }

    /// Runs it, until it says that it serves.
    fn start(&mut self) {
        let (tls, plain) = (self.tls, self.plain);
        let addresses = format!("ldaps://127.0.0.1:{tls} ldap://127.0.0.1:{plain}");
        let mut child = Command::new(find("slapd").unwrap())
            .args(["-d", "stats", "-h", &addresses, "-f"])
            .arg(self.dir.join("slapd.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        self.child = Some(child);
        within(PATIENCE, "slapd starts", move || {
            let starts = said.any(|line| line.unwrap().contains("slapd starting"));
            assert!(starts, "slapd did not start");
            // What it says later has to go somewhere.
            std::thread::spawn(move || said.for_each(drop));
            // It says so a moment before it listens.
            for port in [tls, plain] {
                while TcpStream::connect(("127.0.0.1", port)).is_err() {
                    std::thread::yield_now();
                }
            }
        });
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Changes the directory, as its administrator.
    fn change(&self, ldif: &str) {
        let certificate = self.dir.join("cert.pem").display().to_string();
        let url = format!("ldaps://127.0.0.1:{}", self.tls);
        let mut command = Command::new(find("ldapmodify").unwrap());
        command
            .args(["-x", "-H", &url, "-w", "admin", "-D"])
            .arg(format!("cn=admin,{SUFFIX}"))
            .env("LDAPTLS_CACERT", certificate);
        let output = output_within(PATIENCE, command, ldif);
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Alice is on call, and whoever is on call is staff; Carol looks; Bob is there, and no more.
fn ldif() -> String {
    let top =
        format!("dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n");
    let own = format!(
        "dn: cn=realm,{SUFFIX}\nobjectClass: organizationalRole\n\
         objectClass: simpleSecurityObject\nuserPassword: searching\n\n"
    );
    let person = |name: &str| {
        format!(
            "dn: uid={name},{SUFFIX}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\n\
             userPassword: {name}-secret\n\n"
        )
    };
    let group = |name: &str, member: &str| {
        format!("dn: cn={name},{SUFFIX}\nobjectClass: groupOfNames\nmember: {member},{SUFFIX}\n\n")
    };
    [
        top,
        own,
        person("alice"),
        person("bob"),
        person("carol"),
        group("oncall", "uid=alice"),
        group("staff", "cn=oncall"),
        group("auditors", "uid=carol"),
    ]
    .concat()
}

/// Adds to a realm's configuration where its people are.
fn configure(owner: &Person, slapd: &Slapd, url: &str) {
    let home = owner.home("lab");
    let password = home.join("keys/ldap.password");
    fs::write(&password, "searching\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let certificate = slapd.dir.join("cert.pem").display().to_string();
    let config = format!(
        "\n[ldap]\nurl = \"{url}\"\nca = \"{certificate}\"\nbase = \"{SUFFIX}\"\n\
         bind = \"cn=realm,{SUFFIX}\"\npassword = \"file:keys/ldap.password\"\n\
         [groups.staff]\nfrom = \"ldap\"\ngroup = \"CN=Staff, DC=example, DC=org\"\n\
         roles = [\"operator\"]\n\
         [groups.auditors]\nfrom = \"ldap\"\ngroup = \"cn=auditors,{SUFFIX}\"\n\
         roles = [\"viewer\"]\nrealms = [\"lab\"]\n\
         [groups.elsewhere]\nfrom = \"ldap\"\ngroup = \"cn=staff,{SUFFIX}\"\n\
         roles = [\"owner\"]\nrealms = [\"lab/genomics\"]\n"
    );
    let mut file = fs::File::options()
        .append(true)
        .open(home.join("realm.toml"))
        .unwrap();
    file.write_all(config.as_bytes()).unwrap();
}

fn sign_in(address: &str, name: &str, password: &str) -> (u16, Value) {
    let body = json!({"name": name, "password": password});
    ask_as(address, None, "POST", "/v1/sign-in", &body)
}

#[test]
fn people_of_a_directory_do_what_their_groups_let_them_until_they_leave_or_it_is_down() {
    let owner = Person::new();
    let Some(mut slapd) = Slapd::new(owner.dir()) else {
        return;
    };
    owner.ctl("init lab").ok();
    configure(&owner, &slapd, &format!("ldaps://127.0.0.1:{}", slapd.tls));
    let (daemon, address) = start_listening(&owner, &owner.home("lab"));
    let spent = owner.sh_loop(
        "lab",
        "spend",
        "once",
        "cat > /dev/null; echo 1 >> spent; echo '{}'\n",
    );
    let spent = || fs::read_to_string(spent.join("spent")).unwrap_or_default();
    let steps = "id: main\nversion: 1.0.0\nkind: composite\ninputSchema: {type: object}\n\
                 outputSchema: {}\ncomposite:\n  steps:\n    - loopId: spend\n\
                 \x20   - loopId: spend\n      approval: {}\n";
    let file = owner.write("main/loop.yaml", steps);
    owner.ctl(&format!("apply -f {}", file.display())).ok();
    let none = json!({});

    // Whoever has no name, no password, a wrong one, or no group here is not let in.
    for (name, password) in [
        ("alice", ""),
        ("alice", "wrong"),
        ("", "alice-secret"),
        ("mallory", "mallory-secret"),
        ("*", "alice-secret"),
        ("alice)(uid=*", "alice-secret"),
        ("bob", "bob-secret"),
    ] {
        let (status, problem) = sign_in(&address, name, password);
        let refused = (401, &json!("RLM-0527"));
        assert_eq!((status, &problem["code"]), refused, "{name}: {problem}");
    }
    let (status, carol) = sign_in(&address, "carol", "carol-secret");
    assert_eq!(
        (status, &carol["roles"]),
        (200, &json!(["viewer"])),
        "{carol}"
    );
    let (status, alice) = sign_in(&address, "ALICE", "alice-secret");
    assert_eq!(
        (status, &alice["roles"]),
        (200, &json!(["operator"])),
        "{alice}"
    );
    assert_eq!(alice["name"], "alice@ldap");
    let (carol, alice) = (carol["token"].as_str(), alice["token"].as_str());

    // The roles are those of the groups, and the groups may lie in each other.
    let invoke = json!({"loop": "main", "input": {}, "detach": true});
    let asked = |who, method, path: &str, body: &Value| ask_as(&address, who, method, path, body);
    assert_eq!(asked(carol, "GET", "/v1/runs", &none).0, 200);
    assert_eq!(asked(carol, "POST", "/v1/invoke", &invoke).0, 403);
    assert_eq!(asked(alice, "POST", "/v1/allow", &none).0, 403);
    let (status, begun) = asked(alice, "POST", "/v1/invoke", &invoke);
    assert_eq!(status, 202, "{begun}");
    let run = begun["runId"].as_str().unwrap();
    let waits = owner.ctl(&format!("run wait {run}"));
    assert_eq!(waits.code, 10, "{waits:?}");
    assert_eq!(spent(), "1\n");
    let (_, shown) = asked(carol, "GET", "/v1/people/alice@ldap", &none);
    assert_eq!(
        shown["groups"][0], "CN=Staff, DC=example, DC=org",
        "{shown}"
    );

    // Who leaves while the run is paused stops it at its next step.
    slapd.change(&format!(
        "dn: cn=oncall,{SUFFIX}\nchangetype: modify\nreplace: member\nmember: uid=bob,{SUFFIX}\n"
    ));
    daemon.reload(1);
    assert_eq!(asked(alice, "GET", "/v1/runs", &none).0, 403);
    let id = owner.ctl("approval ls -o name").ok();
    owner.ctl(&format!("approval approve {id}")).ok();
    let ended = owner.ctl(&format!("run wait {run}"));
    ended.fails(6, &["no group of alice@ldap lets them run loops any more"]);
    assert_eq!(spent(), "1\n");

    // Nothing is let be while the directory is down, but what it has no say in.
    slapd.stop();
    daemon.reload(2);
    let (status, problem) = asked(carol, "GET", "/v1/runs", &none);
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("RLM-0528")),
        "{problem}"
    );
    assert_eq!(sign_in(&address, "carol", "carol-secret").0, 503);
    let doctor = owner.ctl("doctor");
    assert!(doctor.out.contains("directory ldap: "), "{doctor:?}");
    owner.ctl("status").ok();
    slapd.start();
    assert_eq!(asked(carol, "GET", "/v1/runs", &none).0, 200);

    // Who is gone is gone, and who signs out is too.
    let (_, again) = sign_in(&address, "carol", "carol-secret");
    let other = again["token"].as_str();
    assert_eq!(
        asked(other, "DELETE", "/v1/sign-in", &none).1,
        json!({"ended": true})
    );
    assert_eq!(asked(other, "GET", "/v1/runs", &none).0, 401);
    slapd.change(&format!("dn: uid=carol,{SUFFIX}\nchangetype: delete\n"));
    daemon.reload(3);
    assert_eq!(asked(carol, "GET", "/v1/runs", &none).0, 401);
    for _ in 0..5 {
        assert_eq!(sign_in(&address, "bob", "wrong").0, 401);
    }
    let (status, problem) = sign_in(&address, "bob", "bob-secret");
    let waits = problem["detail"].as_str().unwrap();
    assert!(
        status == 401 && waits.contains("too many times"),
        "{problem}"
    );
    let log = owner.ctl("audit ls --action person. --limit 100").ok();
    for action in ["person.signedIn", "person.refused", "person.signedOut"] {
        assert!(log.contains(action), "no {action} in {log}");
    }
    let traced = owner.ctl("audit ls --person alice@ldap").ok();
    assert!(traced.contains("run.ended"), "{traced}");

    // Whoever is erased is signed out, and the log says by whom.
    owner.ctl("erase person alice@ldap --why asked").ok();
    assert_eq!(asked(alice, "GET", "/v1/runs", &none).0, 401);
    let log = owner.ctl("audit ls --person alice@ldap -o json").ok();
    assert!(log.contains("signed out by owner"), "{log}");
    daemon.stop();
}

#[test]
fn a_directory_is_asked_behind_tls_alone_and_only_if_its_certificate_is_right() {
    let owner = Person::new();
    let Some(slapd) = Slapd::new(owner.dir()) else {
        return;
    };
    owner.ctl("init lab").ok();
    configure(&owner, &slapd, &format!("ldap://localhost:{}", slapd.plain));
    let (daemon, address) = start_listening(&owner, &owner.home("lab"));

    // By StartTLS.
    let (status, alice) = sign_in(&address, "alice", "alice-secret");
    assert_eq!(status, 200, "{alice}");

    // And from the command line, where what is shown from then on is this user's alone.
    let url = format!("--url http://{address}");
    let login = format!("{url} login alice --password-file -");
    owner.ctl_with(&login, "wrong\n").fails(6, &["RLM-0527"]);
    owner
        .ctl(&format!("{url} people ls"))
        .fails(6, &["RLM-0524"]);
    let said = owner.ctl_with(&login, "alice-secret\n").ok();
    assert!(
        said.contains("alice@ldap") && said.contains("operator"),
        "{said}"
    );
    let kept = owner
        .dir()
        .join(format!(".config/realm/sign-ins/{address}.json"));
    let token: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert!(!said.contains(token["token"].as_str().unwrap()), "{said}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(kept.parent().unwrap())), (0o600, 0o700));
    let people = owner.ctl(&format!("{url} people ls")).ok();
    assert!(people.contains("alice@ldap"), "{people}");
    let shown = owner.ctl(&format!("{url} people show alice@ldap")).ok();
    assert!(shown.contains("CN=Staff, DC=example, DC=org"), "{shown}");
    owner
        .ctl(&format!("{url} disallow none"))
        .fails(6, &["RLM-0526"]);
    owner.ctl(&format!("{url} logout")).ok();
    assert!(!kept.exists());
    owner
        .ctl(&format!("{url} people ls"))
        .fails(6, &["RLM-0524"]);
    let far = owner.ctl("--url http://192.0.2.1:7421 people ls");
    far.fails(2, &["no address of this machine", "ssh -L"]);

    // Another's certificate.
    let file = owner.home("lab").join("realm.toml");
    let right = fs::read_to_string(&file).unwrap();
    let lines = right.lines().filter(|line| !line.starts_with("ca = "));
    fs::write(
        &file,
        lines.map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    daemon.reload(1);
    let (status, problem) = sign_in(&address, "alice", "alice-secret");
    assert_eq!(status, 503, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("TLS"),
        "{problem}"
    );

    // A port that speaks TLS is no port for StartTLS, nor the other way round.
    for (scheme, port) in [("ldap", slapd.tls), ("ldaps", slapd.plain)] {
        let usual = format!("ldap://localhost:{}", slapd.plain);
        fs::write(
            &file,
            right.replace(&usual, &format!("{scheme}://localhost:{port}")),
        )
        .unwrap();
        daemon.reload(if scheme == "ldap" { 2 } else { 3 });
        assert_eq!(
            sign_in(&address, "alice", "alice-secret").0,
            503,
            "{scheme}"
        );
    }
    daemon.stop();
}
