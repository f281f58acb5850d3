use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{
    ber::{self, tag},
    *,
};

const BOUND: u8 = 0x61;
const ENTRY: u8 = 0x64;
const SEARCHED: u8 = 0x65;
const ALICE: &str = "uid=alice,ou=people,dc=x";

fn terms(kind: DirectoryKind, groups: &[&str]) -> DirectoryTerms {
    DirectoryTerms {
        url: "ldaps://directory.example".to_owned(),
        authorities: None,
        bind: "cn=realm,dc=x".to_owned(),
        password: Secret::new("own"),
        base: "dc=x".to_owned(),
        kind,
        name_attribute: "uid".to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
    }
}

fn said(number: u32, tag: u8, content: Vec<u8>) -> Vec<u8> {
    let number = ber::number(tag::INTEGER, number);
    ber::all(tag::SEQUENCE, [number, ber::tagged(tag, &content)])
}

fn done(number: u32, tag: u8, code: u32) -> Vec<u8> {
    let result = [
        ber::number(tag::ENUMERATED, code),
        ber::text(tag::OCTETS, ""),
        ber::text(tag::OCTETS, ""),
    ];
    said(number, tag, result.concat())
}

fn entry(number: u32, dn: &str, names: &[&str]) -> Vec<u8> {
    let values = names.iter().map(|name| ber::text(tag::OCTETS, name));
    let attribute = [ber::text(tag::OCTETS, "uid"), ber::all(tag::SET, values)];
    let attributes = ber::all(tag::SEQUENCE, [ber::all(tag::SEQUENCE, attribute)]);
    let content = [ber::text(tag::OCTETS, dn), attributes];
    said(number, ENTRY, content.concat())
}

/// What a search finds.
fn found(number: u32, entries: &[(&str, &[&str])]) -> Vec<u8> {
    let entries = entries.iter().map(|(dn, names)| entry(number, dn, names));
    let mut all = entries.collect::<Vec<_>>().concat();
    all.extend(done(number, SEARCHED, 0));
    all
}

/// Looks somebody up at a directory that gives these answers, one a question; gives the questions too.
async fn look_up(
    terms: &DirectoryTerms,
    (name, password): (&str, Option<&str>),
    answers: Vec<Vec<u8>>,
) -> (Result<Account, DirectoryError>, Vec<Vec<u8>>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let mut conversation = Conversation::new(near);
    let asking = async {
        let told = Lookup {
            terms,
            conversation: &mut conversation,
        };
        let told = told.run(name, password).await;
        drop(conversation);
        told
    };
    tokio::join!(asking, answer(far, answers))
}

async fn answer(mut stream: DuplexStream, answers: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut questions = Vec::new();
    let mut answers = answers.into_iter();
    let mut read = Vec::new();
    loop {
        while let Ok(Some(size)) = ber::size(&read)
            && read.len() >= size
        {
            questions.push(read.drain(..size).collect());
            match answers.next() {
                Some(answer) => {
                    let _ = stream.write_all(&answer).await;
                }
                None => return questions,
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return questions,
            Ok(_) => {}
        }
    }
}

fn account(name: &str, groups: &[&str]) -> Account {
    Account {
        name: name.to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
    }
}

#[tokio::test]
async fn groups_that_lie_in_groups_are_found_and_a_circle_ends() {
    let (team, staff) = ("cn=Team,ou=groups,dc=x", "cn=staff,ou=groups,dc=x");
    let terms = terms(DirectoryKind::Standard, &[staff, "cn=other,dc=x"]);
    let answers = vec![
        done(1, BOUND, 0),
        found(2, &[(ALICE, &["Alice", "Al"])]),
        found(3, &[(team, &[])]),
        found(4, &[("CN=Staff, OU=groups, DC=x", &[])]),
        found(5, &[(team, &[])]),
        done(6, BOUND, 0),
    ];

    let (told, _) = look_up(&terms, ("ALICE", Some("right")), answers).await;
    // However they write it, and whichever of their names they use, they are one person.
    assert_eq!(told, Ok(account("al", &[staff])));
}

#[tokio::test]
async fn active_directory_is_asked_about_each_group_and_follows_them_by_itself() {
    let (one, other) = ("cn=a,dc=x", "cn=b,dc=x");
    let terms = terms(DirectoryKind::ActiveDirectory, &[one, other]);
    let answers = vec![
        done(1, BOUND, 0),
        found(2, &[(ALICE, &["alice"])]),
        found(3, &[]),
        found(4, &[(ALICE, &[])]),
    ];

    let (told, questions) = look_up(&terms, ("alice", None), answers).await;
    assert_eq!(told, Ok(account("alice", &[other])));
    let asks = |question: &Vec<u8>, text: &str| {
        question
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(asks(&questions[1], BIT) && asks(&questions[2], IN_CHAIN));
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_none_is_never_shown() {
    let terms = terms(DirectoryKind::Standard, &[]);
    let answers = |code| {
        vec![
            done(1, BOUND, 0),
            found(2, &[(ALICE, &["alice"])]),
            found(3, &[]),
            done(4, BOUND, code),
        ]
    };
    for code in [19, 32, 48, 49, 53] {
        let (told, _) = look_up(&terms, ("alice", Some("wrong")), answers(code)).await;
        assert_eq!(told, Err(DirectoryError::Refused), "{code}");
    }
    let (told, questions) = look_up(&terms, ("alice", Some("")), answers(0)).await;
    assert_eq!(told, Err(DirectoryError::Refused));
    assert_eq!(questions.len(), 3);

    // The same before anything is connected to.
    let directory = Directory::new(terms).expect("a directory");
    let empty = directory.sign_in("alice", "").await;
    assert_eq!(empty, Err(DirectoryError::Refused));
    for name in ["", "a\0b", &"a".repeat(NAME + 1)] {
        let told = directory.sign_in(name, "right").await;
        assert_eq!(told, Err(DirectoryError::Refused), "{name:?}");
    }
}

#[tokio::test]
async fn a_directory_that_lies_is_not_believed() {
    let terms = terms(DirectoryKind::Standard, &["cn=a,dc=x"]);
    let long = [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff][..], &[0; 64]].concat();
    let many: Vec<String> = (0..GROUPS).map(|n| format!("cn={n},dc=x")).collect();
    let many: Vec<(&str, &[&str])> = many.iter().map(|dn| (dn.as_str(), &[][..])).collect();
    let alice: &[(&str, &[&str])] = &[(ALICE, &["alice"])];
    let lies: [(&str, Vec<Vec<u8>>); 9] = [
        ("another question's answer", vec![done(9, BOUND, 0)]),
        (
            "an answer of another kind",
            vec![entry(1, ALICE, &["alice"])],
        ),
        ("no LDAP", vec![b"HTTP/1.1 400 Bad Request\r\n".to_vec()]),
        ("a length without end", vec![long]),
        (
            "another entry",
            vec![done(1, BOUND, 0), found(2, &[(ALICE, &["bob"])])],
        ),
        (
            "an entry without a name",
            vec![done(1, BOUND, 0), found(2, &[("", &["alice"])])],
        ),
        (
            "more than was asked for",
            vec![
                done(1, BOUND, 0),
                found(
                    2,
                    &[(ALICE, &["alice"]), ("uid=b", &["b"]), ("uid=c", &["c"])],
                ),
            ],
        ),
        (
            "too many groups",
            vec![done(1, BOUND, 0), found(2, alice), found(3, &many)],
        ),
        (
            "a search that was not finished",
            vec![done(1, BOUND, 0), found(2, alice), done(3, SEARCHED, 4)],
        ),
    ];
    for (lie, answers) in lies {
        let (told, _) = look_up(&terms, ("alice", None), answers).await;
        let unavailable = matches!(told, Err(DirectoryError::Unavailable { .. }));
        assert!(unavailable, "{lie}: {told:?}");
    }

    for (found, what) in [
        (found(2, &[]), "nobody"),
        (
            found(2, &[(ALICE, &["alice"]), ("uid=b", &["alice"])]),
            "two of one name",
        ),
    ] {
        let (told, _) = look_up(&terms, ("alice", None), vec![done(1, BOUND, 0), found]).await;
        assert_eq!(told, Err(DirectoryError::Refused), "{what}");
    }
}

#[test]
fn a_directory_is_a_host_behind_tls_and_nothing_else() {
    for right in [
        "ldaps://dc.example",
        "ldap://dc.example:3389/",
        "ldaps://[::1]:6360",
    ] {
        assert!(is_directory_url(right), "{right}");
    }
    for wrong in [
        "",
        "dc.example",
        "http://dc.example",
        "ldapi:///run/slapd",
        "ldaps://user:secret@dc.example",
        "ldaps://dc.example/dc=x",
        "ldaps:///",
    ] {
        assert!(!is_directory_url(wrong), "{wrong}");
    }
}
