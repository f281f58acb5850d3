//! Calls that are kept for a child which its parent lets stand still.

use realm_node::{HaltAsked, HaltOf, UnhaltAsked, UnhaltOf};

use super::*;

fn done(clinic: &mut Clinic, asked: Request) {
    let answer = clinic.world.ask_and_wait(clinic.acme, asked);
    assert!(matches!(answer, Response::Done), "{answer:?}");
}

fn halts(name: &str) -> Request {
    Request::Halt(HaltAsked {
        of: HaltOf::Realm(name.parse().unwrap()),
        by: "owner".to_owned(),
        why: None,
    })
}

fn lifts() -> Request {
    Request::Unhalt(UnhaltAsked {
        of: UnhaltOf::All,
        by: "owner".to_owned(),
        why: None,
    })
}

#[test]
fn what_is_kept_for_or_from_a_halted_child_is_given_once_the_halt_is_lifted() {
    for (seed, name) in [(976, "acme/health"), (977, "acme/billing")] {
        let mut clinic = clinic(seed);
        let (acme, health) = (clinic.acme, clinic.health);
        clinic.world.mute_halts(acme, health);
        clinic.world.mute_halts(acme, clinic.billing);
        clinic.take_down();
        let asked = clinic.ask(clinic.billing, 1, DAY_MS);
        clinic.world.run_for(30_000);
        assert_eq!(clinic.kept(), 1, "{name}");

        done(&mut clinic, halts(name));
        clinic.world.start(health);
        clinic.world.run_for(HOUR_MS);

        let effects = |clinic: &Clinic| clinic.world.effects.values().sum::<u64>();
        assert_eq!((clinic.kept(), effects(&clinic)), (1, 0), "{name}");
        done(&mut clinic, lifts());
        clinic.world.hear_halts(acme, health);
        clinic.world.hear_halts(acme, clinic.billing);
        let ended = clinic.end(clinic.billing, asked);
        assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})), "{name}");
        clinic.world.run_for(60_000);
        assert_eq!((clinic.kept(), effects(&clinic)), (0, 1), "{name}");
        invariants::check(&mut clinic.world);
    }
}
