use super::*;

fn homes(dir: &Path, names: &[&str]) -> Homes {
    for name in names {
        let home = dir.join("realm").join(name);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("realm.toml"), "").unwrap();
    }
    Homes::new(&Environment {
        data_home: Some(dir.to_owned()),
        config_home: Some(dir.join("config")),
        ..Environment::default()
    })
    .unwrap()
}

fn named(name: &str) -> Selection {
    Selection {
        name: Some(name.to_owned()),
        home: None,
    }
}

#[test]
fn the_only_realm_is_meant_and_of_several_none() {
    let dir = tempfile::tempdir().unwrap();

    assert!(matches!(
        homes(dir.path(), &[]).select(&Selection::default()),
        Err(HomesError::None)
    ));
    let one = homes(dir.path(), &["lab"])
        .select(&Selection::default())
        .unwrap();
    assert_eq!(one.name, "lab");
    let several = homes(dir.path(), &["acme"])
        .select(&Selection::default())
        .unwrap_err();
    assert!(matches!(&several, HomesError::Several(names) if names == &["acme", "lab"]));
    assert_eq!(several.code(), Code::RealmUnnamed);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_context() {
    let dir = tempfile::tempdir().unwrap();
    let mut homes = homes(dir.path(), &["acme", "lab", "mercy"]);

    homes.set_context("acme").unwrap();
    assert_eq!(homes.select(&Selection::default()).unwrap().name, "acme");
    homes.realm_home = Some(PathBuf::from("lab"));
    assert_eq!(homes.select(&Selection::default()).unwrap().name, "lab");
    assert_eq!(homes.select(&named("mercy")).unwrap().name, "mercy");
}

#[test]
fn an_unknown_name_is_an_error_that_lists_what_exists() {
    let dir = tempfile::tempdir().unwrap();
    let homes = homes(dir.path(), &["lab"]);

    let error = homes.select(&named("lbb")).unwrap_err();

    assert_eq!(
        error.to_string(),
        "no realm named `lbb` on this machine; there is lab"
    );
    assert!(matches!(
        homes.select(&named("../lab")),
        Err(HomesError::Name(_))
    ));
    assert!(homes.set_context("lbb").is_err());
}
