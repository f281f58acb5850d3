//! The table of keys and the typed form agree.

use super::{keys::KEYS, *};

const LEAST: &str = "name = \"lab\"\nlisten = [\"/ip4/127.0.0.1/tcp/1\"]\n";

#[test]
fn the_template_reads_back_with_every_default() {
    let name: Label = "lab".parse().unwrap();
    let listen = vec!["/ip4/0.0.0.0/tcp/7420".parse().unwrap()];

    let read = read(
        "realm.toml",
        &template(&name, &listen, EngineKind::Redb),
        &[],
    )
    .unwrap();

    assert_eq!((read.config.name, read.config.listen), (name, listen));
    assert_eq!(read.config.store.retention_ms, 30 * 24 * 60 * 60 * 1_000);
    let given = KEYS.iter().filter(|key| key.chosen_in().is_none());
    assert_eq!(read.settings.len(), given.count());
}

#[test]
fn the_keys_are_sorted_and_their_defaults_fit() {
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();

    assert_eq!(names, sorted);
    assert!(read("realm.toml", LEAST, &[]).is_ok());
}

#[test]
fn an_unknown_variable_is_a_problem_with_the_one_that_was_meant() {
    let variables = [("REALMD_STORE__RETENTOIN".to_owned(), "7d".to_owned())];

    let problems = match read("realm.toml", LEAST, &variables) {
        Err(ConfigError::Problems(problems)) => problems,
        other => panic!("{other:?}"),
    };

    let hint = problems[0].place.hint.as_deref();
    assert_eq!(hint, Some("did you mean `REALMD_STORE__RETENTION`?"));
}

#[test]
fn text_that_is_no_toml_is_one_problem_at_its_place() {
    let problems = match read("realm.toml", "name = \n", &[]) {
        Err(ConfigError::Problems(problems)) => problems,
        other => panic!("{other:?}"),
    };

    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::ConfigSyntax);
    assert_eq!(problems[0].place.at.map(|(line, _)| line), Some(1));
}

#[test]
fn limits_above_their_defaults_are_found_and_others_are_not() {
    let text = format!("{LEAST}[limits]\nstrangers = 33\npending = 8\nadmission = \"11s\"\n");

    let read = read("realm.toml", &text, &[]).unwrap();

    assert_eq!(
        raised_limits(&read.settings),
        ["limits.admission", "limits.strangers"]
    );
}

#[test]
fn the_defaults_of_limits_are_those_of_the_net() {
    let read = read("realm.toml", LEAST, &[]).unwrap();

    assert_eq!(
        crate::start::net_limits(&read.config.limits),
        realm_net::Limits::default()
    );
}

#[test]
fn a_log_level_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    let read_level = |level: &str| {
        let text = format!("{LEAST}[log]\nlevel = \"{level}\"\n");
        read("realm.toml", &text, &[])
    };
    for right in ["info", "realm=debug,libp2p=warn,error", "INFO"] {
        assert!(read_level(right).is_ok(), "{right}");
    }
    for wrong in ["inof", "realm_node=debgu", "info,waarn", ""] {
        assert!(read_level(wrong).is_err(), "{wrong}");
    }

    let variable = ("REALMD_LOG__LEVEL".to_owned(), "inof".to_owned());
    let error = read("realm.toml", LEAST, &[variable]).unwrap_err();

    let super::ConfigError::Problems(problems) = error else {
        panic!("{error:?}");
    };
    let what = &problems.first().unwrap().place.what;
    assert!(what.contains("did you mean `info`?"), "{what}");
}

const OFFICE: &str = "[backends.office]\nformat = \"openai\"\n";

#[test]
fn a_backend_has_the_name_that_its_owner_chose_and_the_rest_of_its_keys_by_default() {
    let text = format!("{LEAST}{OFFICE}");
    let key = ("REALMD_BACKENDS__OFFICE__KEY", "file:keys/office");
    let variable = (key.0.to_owned(), key.1.to_owned());

    let read = read("realm.toml", &text, &[variable]).unwrap();

    let office = &read.config.backends["office"];
    assert_eq!(office.url, "https://api.openai.com/v1");
    assert_eq!(office.max_tokens, 4096);
    let place = office.key.as_ref().map(ToString::to_string);
    assert_eq!(place.as_deref(), Some("file:keys/office"));
    let entry = entry(&read.settings, "backends.office.key").unwrap();
    assert_eq!(entry.source, "REALMD_BACKENDS__OFFICE__KEY");
}

#[test]
fn a_backend_without_a_format_or_with_its_key_in_the_text_is_refused_and_the_key_not_repeated() {
    for (wrong, what) in [
        (
            "[backends.office]\nmodel = \"m\"\n",
            "`backends.office.format` is missing",
        ),
        (
            "[backends.office]\nformat = \"openai\"\nkey = \"sk-canary\"\n",
            "must say where the key is",
        ),
        (
            "[backends.office]\nformat = \"openai\"\nprice = \"0.15\"\n",
            "must be a currency",
        ),
        (
            "[backends.office]\nformat = \"openai\"\nurl = \"office\"\n",
            "must be an address",
        ),
        (
            "[backends.office]\nformat = \"openai\"\nallow_private = [\"x\"]\n",
            "no host and port",
        ),
        ("[mcp.box]\n", "`[mcp.box]` says nothing"),
        (
            "[prices.small]\nprice = \"USD 1 2\"\n",
            "`prices.small.models` is missing",
        ),
        (
            "[prices.small]\nmodels = []\nprice = \"USD 1 2\"\n",
            "must name one at least",
        ),
        (
            "[prices.a]\nmodels = [\"m\"]\nprice = \"USD 1 2\"\n[prices.b]\nmodels = [\"m\"]\nprice = \"USD 2 3\"\n",
            "`prices.b` names the model `m` of `prices.a`",
        ),
        ("[backends.big]\n", "`[backends.big]` says nothing"),
        (
            "[mcp.box]\ncwd = \"/\"\n",
            "`mcp.box` must have `argv` or `url`, and not both",
        ),
        (
            "[mcp.box]\nargv = [\"a\"]\nurl = \"https://b.example\"\n",
            "`mcp.box` must have `argv` or `url`, and not both",
        ),
        (
            "[mcp.box]\nargv = [\"a\"]\nsecrets = [\"TOKEN=sk-canary\"]\n",
            "`mcp.box.secrets` has a text that is not NAME=file:PATH",
        ),
        ("[backends.Office]\nformat = \"openai\"\n", "is no key"),
    ] {
        let problems = match read("realm.toml", &format!("{LEAST}{wrong}"), &[]) {
            Err(ConfigError::Problems(problems)) => problems,
            other => panic!("{wrong}: {other:?}"),
        };
        let told = &problems[0].place.what;
        assert!(told.contains(what), "{wrong}: {told}");
        assert!(!told.contains("sk-canary"), "{told}");
    }
}

#[test]
fn rates_have_names_and_say_whose_calls_they_are_for() {
    let rates = "[rates.lab]\ncallers = \"lab/genomics\"\nloops = [\"greet\"]\nper_minute = 6\nshared = \"yes\"\n";
    let read_with = |text: &str| read("realm.toml", &format!("{LEAST}{text}"), &[]);

    let read = read_with(rates).unwrap();
    let expected = Rate {
        name: "lab".to_owned(),
        callers: "lab/genomics".parse().ok(),
        loops: ["greet".parse().unwrap()].into(),
        per_minute: 6,
        burst: 1,
        shared: true,
        queue: 0,
    };
    assert_eq!(read.config.rates, [expected]);

    let wrong = rates
        .replace("lab/genomics", "Lab!")
        .replace("greet", "no loop");
    let Err(ConfigError::Problems(problems)) = read_with(&wrong) else {
        panic!("taken");
    };
    assert_eq!(problems.len(), 2, "{problems:?}");
}

const PROVIDER: &str = "[oidc]\nissuer = \"https://id.example.org\"\nclient = \"realm\"\n";

#[test]
fn a_provider_says_where_it_is_and_a_group_is_one_of_what_there_is() {
    let group = "[groups.oncall]\nfrom = \"oidc\"\ngroup = \"oncall\"\nroles = [\"viewer\"]\n";
    let text = format!("{LEAST}{PROVIDER}{group}");
    let oidc = read("realm.toml", &text, &[]).unwrap().config.oidc.unwrap();
    assert_eq!(
        (oidc.name.as_str(), oidc.groups.as_str()),
        ("sub", "groups")
    );
    assert_eq!(oidc.scopes, ["openid", "offline_access"]);
    assert_eq!(oidc.secret, None);

    let with = |line: &str| format!("{PROVIDER}{line}\n");
    for (wrong, what) in [
        (
            group.to_owned(),
            "`groups.oncall` is of people that `oidc.issuer` does not name",
        ),
        (
            PROVIDER.replace("https", "http"),
            "`oidc.issuer` must be the address of a provider",
        ),
        (
            PROVIDER.replace("client = \"realm\"\n", ""),
            "`oidc.client` must be set where `oidc.issuer` is",
        ),
        (
            with("name = \"\""),
            "`oidc.name` must be set where `oidc.issuer` is",
        ),
        (
            with("scopes = [\"groups\"]"),
            "`oidc.scopes` must have `openid`",
        ),
        (
            with("scopes = [\"openid groups\"]"),
            "`openid groups`, which is no scope",
        ),
        (
            with("secret = \"hunter2\""),
            "`oidc.secret` must say where the key is",
        ),
    ] {
        let error = read("realm.toml", &format!("{LEAST}{wrong}"), &[]).unwrap_err();
        let super::ConfigError::Problems(problems) = error else {
            panic!("{error:?}");
        };
        let [problem] = problems.as_slice() else {
            panic!("{what}: {problems:?}");
        };
        assert!(
            problem.place.what.contains(what),
            "{:?}",
            problem.place.what
        );
        assert!(!problem.place.what.contains("hunter2"));
    }
}
