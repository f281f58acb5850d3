//! How fast a child that is back is given what was kept for it.

use super::*;

/// How often the wire is looked at, milliseconds.
const STEP_MS: u64 = 20;
/// When all must have been given, milliseconds.
const GIVEN_MS: u64 = 60_000;

impl Clinic {
    /// Lets a step of time pass; gives how many kept calls were given to the child meanwhile, and of how many
    /// it said that it has them.
    fn give_for_a_step(&mut self) -> (usize, usize) {
        self.world.run_for(STEP_MS);
        let given = self.stored_calls_to(self.health).len();
        let wire = std::mem::take(&mut self.world.wire);
        let said = wire.iter().filter(|(from, _, _)| *from == self.health);
        let taken =
            said.filter(|(_, _, bytes)| matches!(Frame::decode(bytes), Ok(Frame::Taken(_))));
        (given, taken.count())
    }
}

#[test]
fn a_child_that_is_back_is_given_its_calls_at_a_pace_and_few_at_a_time() {
    let mut clinic = clinic(965);
    clinic.take_down();
    let calls = limits::CUSTODY_SHARE;
    let asked: Vec<_> = (0..calls as u64)
        .map(|n| clinic.ask(clinic.billing, n, HOUR_MS))
        .collect();
    clinic.world.run_for(60_000);
    assert_eq!(clinic.kept(), calls);
    let (rate, burst) = limits::CUSTODY_RATE;
    clinic.world.tap = true;
    clinic.world.start(clinic.health);

    let (mut given, mut taken, mut most, mut since) = (0, 0, 0, 0);
    for _ in 0..GIVEN_MS / STEP_MS {
        let (more, fewer) = clinic.give_for_a_step();
        given += more;
        taken += fewer;
        if given > 0 {
            since += STEP_MS;
        }
        let may = u64::from(burst) + u64::from(rate) * since / 1_000;
        assert!(given as u64 <= may, "{given} given after {since} ms");
        most = most.max(given.saturating_sub(taken));
    }

    assert_eq!((given, taken), (calls, calls));
    assert!(most <= limits::CUSTODY_WINDOW, "{most} were under way");
    assert_eq!(clinic.kept(), 0);
    for control in asked {
        assert!(clinic.end(clinic.billing, control).result.is_ok());
    }
    invariants::check(&mut clinic.world);
}
