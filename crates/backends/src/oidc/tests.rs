//! Against a provider that says whatever it is told to.

mod signed;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use realm_protocol::{Tick, Timestamp};
use serde_json::{Value, json};

use super::*;

const START: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    tick: Tick::from_millis(5_000),
};
const MINUTE: u64 = 60 * 1_000;

fn later(millis: u64) -> Now {
    Now {
        wall: START.wall.plus(millis),
        tick: START.tick.plus(millis),
    }
}

/// A request that came in: its path, its `Authorization`, its body.
type Asked = (String, String, String);

#[derive(Debug, Default)]
struct Script {
    answers: BTreeMap<&'static str, (u16, String)>,
    asked: Vec<Asked>,
}

/// A provider of a test.
struct Fake {
    issuer: String,
    script: Arc<Mutex<Script>>,
}

fn locked(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fake {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let told = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &told);
            }
        });
        let fake = Self { issuer, script };
        fake.says("/.well-known/openid-configuration", fake.metadata());
        fake.says("/keys", json!({"keys": [signed::ed25519("one").public()]}));
        fake
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "device_authorization_endpoint": at("/device"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/user"),
        })
    }

    fn says(&self, path: &'static str, what: Value) {
        self.answers(path, 200, what.to_string());
    }

    fn refuses(&self, path: &'static str, reason: &str) {
        self.answers(path, 400, json!({"error": reason}).to_string());
    }

    fn answers(&self, path: &'static str, status: u16, body: String) {
        locked(&self.script).answers.insert(path, (status, body));
    }

    /// What was asked since the last time, of one path.
    fn asked(&self, path: &str) -> Vec<Asked> {
        let all = std::mem::take(&mut locked(&self.script).asked);
        all.into_iter().filter(|asked| asked.0 == path).collect()
    }

    fn terms(&self) -> ProviderTerms {
        ProviderTerms {
            issuer: self.issuer.clone(),
            client: "realm".to_owned(),
            secret: Some(Secret::new("a secret:of ours")),
            scopes: vec!["openid".to_owned(), "offline_access".to_owned()],
            name_claim: "email".to_owned(),
            groups_claim: "realm_access.roles".to_owned(),
            groups: ["oncall", "staff"].map(str::to_owned).into(),
            allow_private: vec![self.issuer.trim_start_matches("http://").to_owned()],
        }
    }

    fn provider(&self) -> Provider {
        Provider::new(self.terms())
    }

    /// Claims that are right just now.
    fn claims(&self, now: Now) -> Value {
        let seconds = now.wall.as_millis() / 1_000;
        json!({
            "iss": self.issuer, "sub": "u-1", "aud": "realm", "iat": seconds, "exp": seconds + 300,
            "email": "ann@example.org", "email_verified": true, "realm_access": {"roles": ["oncall", "others"]},
        })
    }

    /// Tokens with these claims.
    fn gives(&self, claims: &Value, refresh: &str) {
        let token = signed::ed25519("one").token(claims);
        let tokens = json!({"access_token": "a-1", "token_type": "Bearer", "refresh_token": refresh, "id_token": token});
        self.says("/token", tokens);
    }

    /// Somebody who has signed in.
    async fn signed_in(&self, provider: &Provider) -> Renewal {
        self.gives(&self.claims(START), "r-1");
        match provider.ask(&Secret::new("d"), START).await.unwrap() {
            DeviceAnswer::SignedIn(_, renewal) => renewal,
            other => panic!("{other:?}"),
        }
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .next()
            .map_or(String::new(), |(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let body = String::from_utf8(body).unwrap();
    let (status, said) = {
        let mut script = locked(script);
        let said = script.answers.get(path.as_str()).cloned();
        script.asked.push((path, header("authorization"), body));
        said.unwrap_or((404, String::new()))
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nLocation: http://169.254.169.254/\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        said.len()
    );
    // Whoever has read enough hangs up.
    let _ = reader.get_mut().write_all((head + &said).as_bytes());
}

fn reason<T: fmt::Debug>(answer: Result<T, DirectoryError>) -> String {
    match answer {
        Err(DirectoryError::Unavailable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn somebody_signs_in_by_a_code_and_every_answer_on_the_way_is_its_own() {
    let fake = Fake::new();
    let provider = fake.provider();
    fake.says(
        "/device",
        json!({
            "device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example.org/device",
            "verification_uri_complete": "https://id.example.org/device?code=WDJB-MJHT", "expires_in": 600,
        }),
    );
    let device = provider.begin(START).await.unwrap();
    assert_eq!(device.user_code, "WDJB-MJHT");
    assert_eq!(device.url, "https://id.example.org/device");
    assert_eq!((device.every_ms, device.lasts_ms), (5_000, 600_000));
    let (_, shown, form) = fake.asked("/device").remove(0);
    assert_eq!(form, "scope=openid+offline_access");
    // `realm` and `a+secret%3Aof+ours`, as forms write them.
    assert_eq!(shown, "Basic cmVhbG06YStzZWNyZXQlM0FvZitvdXJz");

    for (said, answer) in [
        ("authorization_pending", DeviceAnswer::Waiting),
        ("slow_down", DeviceAnswer::SlowDown),
        ("access_denied", DeviceAnswer::Denied),
        ("expired_token", DeviceAnswer::Expired),
    ] {
        fake.refuses("/token", said);
        assert_eq!(provider.ask(&device.code, START).await, Ok(answer));
    }
    fake.refuses("/token", "invalid_client");
    let wrong = reason(provider.ask(&device.code, START).await);
    assert!(
        wrong.contains("refuses this realm: invalid_client"),
        "{wrong}"
    );

    fake.gives(&fake.claims(START), "r-1");
    let answer = provider.ask(&device.code, START).await.unwrap();
    let DeviceAnswer::SignedIn(account, _) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(account.name, "ann@example.org");
    assert_eq!(account.groups, ["oncall".to_owned()].into());
}

#[tokio::test]
async fn a_code_that_cannot_be_shown_or_a_page_that_is_not_safe_is_not_shown() {
    let fake = Fake::new();
    let provider = fake.provider();
    for (code, page) in [
        ("", "https://id.example.org/"),
        ("A\u{1b}[2J", "https://id.example.org/"),
        ("AB", "http://id.example.org/"),
        ("AB", "javascript:alert(1)"),
    ] {
        let said = json!({"device_code": "d", "user_code": code, "verification_uri": page, "expires_in": 600});
        fake.says("/device", said);
        assert!(provider.begin(START).await.is_err(), "{code} {page}");
    }
}

#[tokio::test]
async fn whoever_has_signed_in_is_asked_for_again_by_what_came_last() {
    let fake = Fake::new();
    let provider = fake.provider();
    let mut renewal = fake.signed_in(&provider).await;

    let mut claims = fake.claims(later(MINUTE));
    claims["realm_access"]["roles"] = json!(["staff"]);
    fake.gives(&claims, "r-2");
    fake.asked("");
    let account = provider.renew(&mut renewal, later(MINUTE)).await.unwrap();
    assert_eq!(account.groups, ["staff".to_owned()].into());
    assert_eq!(
        fake.asked("/token")[0].2,
        "grant_type=refresh_token&refresh_token=r-1"
    );

    // What comes with an answer that is not believed is good all the same, and what was shown before it no more.
    claims["sub"] = json!("u-2");
    fake.gives(&claims, "r-3");
    let other = reason(provider.renew(&mut renewal, later(MINUTE)).await);
    assert!(other.contains("somebody else"), "{other}");
    fake.answers("/token", 503, String::new());
    fake.asked("");
    let down = reason(provider.renew(&mut renewal, later(MINUTE)).await);
    assert!(down.contains("503"), "{down}");
    assert_eq!(
        fake.asked("/token")[0].2,
        "grant_type=refresh_token&refresh_token=r-3"
    );

    fake.refuses("/token", "invalid_grant");
    let gone = provider.renew(&mut renewal, later(MINUTE)).await;
    assert_eq!(gone, Err(DirectoryError::Refused));
}

#[tokio::test]
async fn what_a_token_does_not_say_is_asked_for_of_the_same_person() {
    let fake = Fake::new();
    let provider = fake.provider();
    let mut renewal = fake.signed_in(&provider).await;
    fake.says(
        "/token",
        json!({"access_token": "a-2", "token_type": "Bearer"}),
    );
    let said = |sub: &str| json!({"sub": sub, "email": "ann@example.org", "email_verified": true, "realm_access": {"roles": "staff"}});

    fake.says("/user", said("u-1"));
    fake.asked("");
    let account = provider.renew(&mut renewal, START).await.unwrap();
    assert_eq!(account.groups, ["staff".to_owned()].into());
    assert_eq!(fake.asked("/user")[0].1, "Bearer a-2");
    fake.says("/user", said("u-2"));
    let other = reason(provider.renew(&mut renewal, START).await);
    assert!(other.contains("somebody else"), "{other}");

    // Without such a word, and without a token, nobody signs in.
    let none = reason(provider.ask(&Secret::new("d"), START).await);
    assert!(none.contains("no refresh token"), "{none}");
    fake.says(
        "/token",
        json!({"access_token": "a-2", "refresh_token": "r"}),
    );
    let none = reason(provider.ask(&Secret::new("d"), START).await);
    assert!(none.contains("no ID token"), "{none}");
}

#[tokio::test]
async fn an_address_that_may_be_typed_by_anybody_is_nobodys_name() {
    let fake = Fake::new();
    let provider = fake.provider();
    let mut claims = fake.claims(START);
    for (verified, in_) in [
        (json!(null), false),
        (json!(false), false),
        (json!("true"), false),
        (json!(true), true),
    ] {
        claims["email_verified"] = verified;
        fake.gives(&claims, "r");
        assert_eq!(provider.ask(&Secret::new("d"), START).await.is_ok(), in_);
    }
    for name in [
        json!("a\nb"),
        json!("realm:x"),
        json!(""),
        json!(7),
        json!("x".repeat(257)),
    ] {
        claims["email"] = name;
        fake.gives(&claims, "r");
        let wrong = reason(provider.ask(&Secret::new("d"), START).await);
        assert!(wrong.contains("oidc.name"), "{wrong}");
    }
}

#[tokio::test]
async fn a_provider_that_says_what_cannot_be_right_of_itself_is_not_used() {
    let fake = Fake::new();
    let of_itself = "/.well-known/openid-configuration";
    for (key, value, why) in [
        (
            "issuer",
            json!("https://id.example.org"),
            "calls itself otherwise",
        ),
        (
            "device_authorization_endpoint",
            Value::Null,
            "no device flow",
        ),
        (
            "token_endpoint",
            json!("http://id.example.org/token"),
            "plain http",
        ),
        (
            "token_endpoint",
            json!("https://169.254.169.254/token"),
            "169.254.169.254",
        ),
        ("jwks_uri", json!("https://10.0.0.1/keys"), "10.0.0.1"),
        (
            "userinfo_endpoint",
            json!("ftp://id.example.org"),
            "only http and https",
        ),
        ("jwks_uri", Value::Null, "lacks what it must have"),
    ] {
        let mut metadata = fake.metadata();
        metadata[key] = value;
        fake.says(of_itself, metadata);
        let wrong = reason(fake.provider().begin(START).await);
        assert!(wrong.contains(why), "{key}: {wrong}");
        assert!(fake.provider().reach(START).await.is_err());
    }
    let huge = format!("{{\"issuer\": \"{}\"}}", "x".repeat(256 * 1024));
    for (status, body, why) in [
        (200, huge, "262144"),
        (302, String::new(), "302"),
        (200, "<html>".to_owned(), "no JSON"),
    ] {
        fake.answers(of_itself, status, body);
        let wrong = reason(fake.provider().begin(START).await);
        assert!(wrong.contains(why), "{wrong}");
    }
    fake.says(of_itself, fake.metadata());
    assert_eq!(fake.provider().reach(START).await, Ok(()));

    // Plain http is for addresses of this machine alone, also where others are allowed.
    let mut terms = fake.terms();
    terms.issuer = "http://10.0.0.1:80".to_owned();
    terms.allow_private.push("10.0.0.1:80".to_owned());
    let wrong = reason(Provider::new(terms).begin(START).await);
    assert!(wrong.contains("no https://"), "{wrong}");
    for (issuer, right) in [
        ("https://id.example.org", true),
        ("https://id.example.org/realms/mercy", true),
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080", false),
        ("http://id.example.org", false),
        ("https://a:b@id.example.org", false),
        ("https://id.example.org/?a", false),
        ("id.example.org", false),
    ] {
        assert_eq!(is_issuer(issuer), right, "{issuer}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_once_a_minute() {
    let fake = Fake::new();
    let provider = fake.provider();
    fake.signed_in(&provider).await;
    let two = |now| {
        let token = signed::ed25519("two").token(&fake.claims(now));
        fake.says(
            "/token",
            json!({"access_token": "a", "refresh_token": "r", "id_token": token}),
        );
    };
    fake.asked("");
    for (after, questions) in [(0, 1), (MINUTE - 1, 0), (MINUTE, 1)] {
        two(later(after));
        let wrong = reason(provider.ask(&Secret::new("d"), later(after)).await);
        assert!(wrong.contains("a key that it does not show"), "{wrong}");
        assert_eq!(fake.asked("/keys").len(), questions, "after {after}");
    }
    // A new key is taken, and one that is shown no more is good for an hour at most.
    fake.says(
        "/keys",
        json!({"keys": [{"kty": "new"}, signed::ed25519("two").public()]}),
    );
    two(later(2 * MINUTE));
    assert!(
        provider
            .ask(&Secret::new("d"), later(2 * MINUTE))
            .await
            .is_ok()
    );
    fake.says("/keys", json!({"keys": []}));
    for (after, good) in [(61 * MINUTE, true), (62 * MINUTE, false)] {
        two(later(after));
        assert_eq!(
            provider.ask(&Secret::new("d"), later(after)).await.is_ok(),
            good
        );
    }
}

#[tokio::test]
async fn a_secret_is_shown_as_the_provider_wants_it_and_none_where_there_is_none() {
    let fake = Fake::new();
    let mut metadata = fake.metadata();
    metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    fake.says("/.well-known/openid-configuration", metadata);
    fake.refuses("/token", "authorization_pending");
    let code = Secret::new("d");
    assert_eq!(
        fake.provider().ask(&code, START).await,
        Ok(DeviceAnswer::Waiting)
    );
    let (_, shown, form) = fake.asked("/token").remove(0);
    assert_eq!(shown, "");
    assert!(
        form.ends_with("&client_id=realm&client_secret=a+secret%3Aof+ours"),
        "{form}"
    );

    let mut terms = fake.terms();
    terms.secret = None;
    assert_eq!(
        Provider::new(terms).ask(&code, START).await,
        Ok(DeviceAnswer::Waiting)
    );
    let (_, shown, form) = fake.asked("/token").remove(0);
    assert!(
        shown.is_empty() && form.ends_with("&client_id=realm"),
        "{form}"
    );
}
