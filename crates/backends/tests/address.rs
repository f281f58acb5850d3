//! Where an HTTP agent may not be.

use realm_backends::address::{check, target};
use realm_executor::BackendError;

const BLOCKED: [&str; 46] = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1:8080/x",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.1.1/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::1]/",
    "http://[2001:db8::1]/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[100::1]/",
];

const METADATA: [&str; 16] = [
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://169.254.170.2/",
    "http://169.254.170.23/",
    "https://168.63.129.16/",
    "http://[fd00:ec2::23]/",
    "http://[fd20:ce::254]/",
];

const REFUSED: [&str; 12] = [
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "data:text/plain,x",
    "unix:/run/docker.sock",
    "http://user@example.org/",
    "http://user:password@example.org/",
    "http://:password@example.org/",
    "http://example.org@127.0.0.1/",
    "//example.org/",
    "/relative",
    "",
];

#[test]
fn addresses_that_are_not_public_are_blocked_in_every_spelling() {
    for url in BLOCKED {
        assert!(
            matches!(target(url, &[]), Err(BackendError::Blocked { .. })),
            "{url}"
        );
    }
}

#[test]
fn metadata_services_are_never_reached_even_where_allowed() {
    for url in METADATA {
        let refused = target(url, &[]).unwrap_err();
        assert!(
            matches!(refused, BackendError::Metadata { .. }),
            "{url}: {refused}"
        );
    }
    let allowed = ["169.254.169.254:80".to_owned()];
    assert!(matches!(
        target("http://169.254.169.254/", &allowed),
        Err(BackendError::Metadata { .. })
    ));
}

#[test]
fn other_schemes_and_urls_with_users_are_refused() {
    for url in REFUSED {
        assert!(
            matches!(target(url, &[]), Err(BackendError::Refused { .. })),
            "{url}"
        );
    }
}

#[test]
fn public_addresses_and_names_may_be_called() {
    for url in [
        "https://example.org/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://172.32.0.1/",
    ] {
        assert!(target(url, &[]).is_ok(), "{url}");
    }
}

#[test]
fn the_operator_allows_one_host_and_port_and_no_other() {
    let allowed = ["127.0.0.1:11434".to_owned(), "LocalHost:80".to_owned()];

    assert!(
        target("http://127.0.0.1:11434/api", &allowed)
            .unwrap()
            .private
    );
    assert!(target("http://localhost/", &allowed).unwrap().private);
    assert!(target("http://127.0.0.1:11435/api", &allowed).is_err());
    assert!(target("http://127.0.0.2:11434/api", &allowed).is_err());
    assert!(!target("https://localhost:81/", &allowed).unwrap().private);
}

#[test]
fn plain_http_is_refused_except_for_a_host_and_port_that_are_allowed() {
    let allowed = ["agent.local:8080".to_owned()];

    for url in [
        "http://example.org/",
        "http://8.8.8.8/",
        "http://agent.local:8081/",
    ] {
        let refused = target(url, &allowed).unwrap_err();

        assert!(matches!(refused, BackendError::Refused { .. }), "{url}");
        let text = refused.to_string();
        assert!(
            text.contains("https://") && text.contains("allowPrivate"),
            "{text}"
        );
    }
    assert!(target("http://agent.local:8080/", &allowed).is_ok());
    assert!(target("https://example.org/", &allowed).is_ok());
}

#[test]
fn a_blocked_address_names_what_would_allow_it() {
    let refused = check("agent.local:9000", "10.1.2.3".parse().unwrap(), false).unwrap_err();

    let text = refused.to_string();

    assert!(
        text.contains("10.1.2.3") && text.contains("allowPrivate: [agent.local:9000]"),
        "{text}"
    );
}
