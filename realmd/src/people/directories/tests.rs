use realm_protocol::limits::PERSON_READ_MS;

use super::*;
use crate::config::GroupConfig;

/// A directory that says what it is told to.
#[derive(Debug, Default)]
struct Told(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    down: bool,
    questions: usize,
    people: BTreeMap<String, BTreeSet<String>>,
}

impl Told {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn puts(&self, name: &str, groups: &[&str]) {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        self.state().people.insert(name.to_owned(), groups);
    }

    fn answer(&self, name: &str) -> Result<Account, DirectoryError> {
        let mut state = self.state();
        state.questions += 1;
        if state.down {
            let reason = "it is down".to_owned();
            return Err(DirectoryError::Unavailable { reason });
        }
        let groups = state.people.get(name).ok_or(DirectoryError::Refused)?;
        Ok(Account {
            name: name.to_owned(),
            groups: groups.clone(),
        })
    }
}

impl Source for Arc<Told> {
    fn sign_in<'a>(&'a self, name: &'a str, password: &'a str) -> Looking<'a> {
        Box::pin(async move {
            match password {
                "right" => self.answer(name),
                _ => Err(DirectoryError::Refused),
            }
        })
    }

    fn account<'a>(&'a self, name: &'a str, _: Now) -> Looking<'a> {
        Box::pin(async move { self.answer(name) })
    }
}

const START: Tick = Tick::from_millis(5_000);

fn directories(told: &Arc<Told>) -> Directories {
    let row = GroupConfig {
        from: Origin::Ldap,
        group: "cn=oncall".to_owned(),
        roles: [Role::Operator].into(),
        realms: Vec::new(),
    };
    let groups = Groups::of(&[("oncall".to_owned(), row)].into());
    let source: Arc<dyn Source> = Arc::new(Arc::clone(told));
    Directories::new(vec![(Origin::Ldap, Ok(source))], groups)
}

fn at(millis: u64) -> (&'static str, Now) {
    let now = Now {
        tick: START.plus(millis),
        ..Now::default()
    };
    ("mercy", now)
}

#[tokio::test]
async fn a_reading_is_believed_for_a_minute_and_not_a_moment_longer() {
    let told = Arc::new(Told::default());
    told.puts("ann", &["cn=oncall"]);
    let all = directories(&told);
    let signed_in = all.sign_in(Origin::Ldap, ("ann", "right"), at(0)).await;
    let (ann, reading) = signed_in.unwrap();
    assert_eq!(ann.to_string(), "ann@ldap");
    assert_eq!(reading.roles, [Role::Operator].into());

    // Whoever loses the group, and a directory that is down, show when the minute is over.
    told.puts("ann", &[]);
    let half = PERSON_READ_MS / 2;
    let later = all.read(&ann, half, at(half - 1)).await;
    assert_eq!(later.unwrap().roles, [Role::Operator].into());
    let last = all.read(&ann, PERSON_READ_MS, at(PERSON_READ_MS - 1)).await;
    assert_eq!(last.unwrap().roles, [Role::Operator].into());
    assert_eq!(told.state().questions, 1);
    let over = all.read(&ann, PERSON_READ_MS, at(PERSON_READ_MS)).await;
    assert_eq!(over.unwrap().roles, BTreeSet::new());
    assert_eq!(told.state().questions, 2);
}

#[tokio::test]
async fn nothing_is_let_be_while_a_directory_is_down_and_whoever_is_gone_is_gone() {
    let told = Arc::new(Told::default());
    told.puts("ann", &["cn=oncall"]);
    let all = directories(&told);
    let (ann, _) = all
        .sign_in(Origin::Ldap, ("ann", "right"), at(0))
        .await
        .unwrap();
    let (once, twice) = (at(PERSON_READ_MS), at(2 * PERSON_READ_MS));

    told.state().down = true;
    for _ in 0..2 {
        let read = all.read(&ann, PERSON_READ_MS, once).await;
        assert!(
            matches!(read, Err(DirectoryError::Unavailable { .. })),
            "{read:?}"
        );
    }
    let reached = all.reach(at(0).1).await;
    assert!(reached[0].1.is_err(), "{reached:?}");
    told.state().down = false;
    let back = all.read(&ann, PERSON_READ_MS, once).await;
    assert_eq!(back.unwrap().roles, [Role::Operator].into());
    assert_eq!(all.reach(at(0).1).await, [(Origin::Ldap, Ok(()))]);

    told.state().people.clear();
    assert_eq!(
        all.read(&ann, PERSON_READ_MS, twice).await,
        Err(DirectoryError::Refused)
    );
    assert_eq!(all.reading(&ann), None);
    let wrong = all.sign_in(Origin::Ldap, ("ann", "wrong"), twice).await;
    assert_eq!(wrong, Err(DirectoryError::Refused));
    let (_, asked) = all.asked()[0];
    assert_eq!((asked.known, asked.refused, asked.unavailable), (3, 2, 3));
}

#[tokio::test]
async fn a_name_that_the_directory_gives_to_another_is_nobodys() {
    #[derive(Debug)]
    struct Other;
    impl Source for Other {
        fn account<'a>(&'a self, _: &'a str, _: Now) -> Looking<'a> {
            let name = "eve".to_owned();
            let groups = BTreeSet::from(["cn=oncall".to_owned()]);
            Box::pin(async { Ok(Account { name, groups }) })
        }
    }
    let source: Arc<dyn Source> = Arc::new(Other);
    let all = Directories::new(vec![(Origin::Ldap, Ok(source))], Groups::default());
    let ann = Member::named("ann@ldap").unwrap();

    assert_eq!(
        all.read(&ann, PERSON_READ_MS, at(0)).await,
        Err(DirectoryError::Refused)
    );
    for nobody in ["ann", "ann@nis", "ann@", ""] {
        assert_eq!(Member::named(nobody), None, "{nobody}");
    }
}

#[tokio::test]
async fn a_name_that_the_provider_gives_to_a_second_person_changes_nothing_for_the_first() {
    let row = GroupConfig {
        from: Origin::Oidc,
        group: "oncall".to_owned(),
        roles: [Role::Operator].into(),
        realms: Vec::new(),
    };
    let groups = Groups::of(&[("oncall".to_owned(), row)].into());
    let all = Directories {
        provider: Some(Ok(Arc::new(Members::unasked()))),
        ..Directories::new(Vec::new(), groups)
    };
    let took = |subject: &str, groups: &[&str], millis: u64| {
        let account = Account {
            name: "ann".to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        };
        let renewal = Renewal::new(subject, Secret::new("r"));
        let (realm, now) = at(millis);
        all.take_in((account, renewal), START.plus(60_000), (realm, now.tick))
    };
    let ann = Member::named("ann@oidc").unwrap();
    // Whom no group lets do anything leaves nothing.
    let (_, none) = took("u-2", &["others"], 0).unwrap();
    assert_eq!(none.roles, BTreeSet::new());
    assert_eq!(all.reading(&ann), None);

    let (who, first) = took("u-1", &["oncall"], 1).unwrap();
    assert_eq!((who, &first.roles), (ann.clone(), &[Role::Operator].into()));
    assert_eq!(took("u-2", &["oncall"], 2), Err(DirectoryError::Refused));
    assert_eq!(
        took("u-2", &["others"], 2).unwrap().1.roles,
        BTreeSet::new()
    );
    assert_eq!(all.reading(&ann), Some(first));
    assert!(took("u-1", &["oncall"], 3).is_ok());
    // Until nobody is called so any more.
    assert!(took("u-2", &["oncall"], 60_000).is_ok());
}
