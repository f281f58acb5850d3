//! Policies from files, and why they decide as they do.

use crate::person::Person;

#[test]
fn a_policy_from_a_file_decides_until_another_takes_its_place_and_a_broken_one_changes_nothing() {
    let owner = Person::new();
    owner.ctl("init lab").ok();
    let _daemon = owner.start("lab");
    owner.ctl("new loop greet").ok();
    owner.ctl("apply -f greet").ok();
    let apply = |text: &str, more: &str| {
        let file = owner.write("quiet.cedar", text);
        owner.ctl(&format!("policy apply {} {more}", file.display()))
    };
    let forbid = r#"forbid (principal is Person, action == Action::"invoke", resource is Loop)
        when { resource.name == "greet" };"#;
    let question = "policy why person=owner invoke greet -o json";
    let levels = |answer: &str, policies: &[&str]| serde_json::json!([{"level": "own", "answer": answer, "policies": policies, "errors": []}]);

    assert!(apply(forbid, "--dry-run").ok().contains("would add quiet"));
    owner.ctl("invoke greet name=Ada").ok();
    let why = owner.ctl(question).json();
    assert_eq!(why["got"], "permit");
    assert_eq!(why["levels"], levels("permits", &["roles"]));

    let realms = r#"forbid (principal is Realm, action == Action::"invoke", resource is Loop)
        when { resource.name == "greet" };"#;
    let file = owner.write("later.cedar", realms);
    let shadow = owner
        .ctl(&format!("policy shadow {} -o json", file.display()))
        .json();
    assert_eq!(shadow["changes"].as_array().unwrap().len(), 1, "{shadow}");
    let change = &shadow["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"]),
        (&"permit".into(), &"deny".into())
    );
    assert_eq!(
        (&change["times"], &change["determining"]),
        (&1.into(), &serde_json::json!(["later"]))
    );
    owner.ctl("invoke greet name=Ada").ok();

    assert!(apply(forbid, "").ok().contains("added quiet"));
    let denied = ["policy does not let owner invoke", "policy why "];
    owner.ctl("invoke greet name=Ada").fails(6, &denied);
    let why = owner.ctl(question).json();
    assert_eq!(why["got"], "deny");
    assert_eq!(why["levels"], levels("forbids", &["quiet"]));
    assert_eq!(why["suggestion"], "realmctl disallow quiet");

    for (broken, said) in [
        ("forbid (principal", "unexpected"),
        (
            "forbid (principal, action, resource) when { context.later };",
            "later",
        ),
    ] {
        apply(broken, "").fails(3, &["what was in force stays in force", said]);
        owner.ctl("invoke greet name=Ada").fails(6, &denied);
    }
    apply(forbid, "--id roles").fails(2, &["always there"]);

    let other = forbid.replace("greet", "other");
    assert!(apply(&other, "").ok().contains("replaced quiet"));
    owner.ctl("invoke greet name=Ada").ok();
    owner.ctl("disallow quiet").ok();
    apply(forbid, "").ok();
    let opens = owner.write("opens.cedar", &forbid.replace("forbid", "permit"));
    let check = owner.ctl(&format!("policy check {} -o json", opens.display()));
    let says = "`opens` permits what `quiet` forbids in part: what is forbidden stays forbidden";
    assert_eq!(check.json()["warnings"][0]["message"], says);
    owner.ctl("disallow quiet").ok();
    let twice = format!("{forbid}\n{forbid}");
    let file = owner.write("twice.cedar", &twice);
    let check = owner.ctl(&format!("policy check {}", file.display()));
    check.ok();
    let why = owner
        .ctl("policy why loop=greet use host=api.example.org -o json")
        .json();
    assert_eq!(why["levels"], levels("permits", &["uses"]));
    let why = owner
        .ctl("policy why person=eve read-trace lab -o json")
        .json();
    assert_eq!(
        (&why["got"], &why["levels"]),
        (&"deny".into(), &levels("silent", &[]))
    );
}
