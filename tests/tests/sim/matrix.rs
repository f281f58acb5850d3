//! Messages of every kind from everywhere, held against `docs/matrix.md`.

#[path = "matrix/here.rs"]
mod here;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{KemKey, Outgoing, seal};
use realm_protocol::{
    CallId, Digest, Envelope, Kind, Phase, Priority, limits,
    link::Frame,
    records::{KemPurpose, KemRecord},
};
use realm_tests::{HostId, Tree, World, invariants};

const TABLE: &str = include_str!("../../../docs/matrix.md");
/// From where a message comes, as the columns of the table.
const COLUMNS: [&str; 4] = ["peer", "child", "parent", "stranger"];

/// The rows of the table that begins with this word, by the kind of message; its columns must be these.
fn table(first: &str, columns: &[&str]) -> BTreeMap<String, Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_matches('|');
        let cells = inner.split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let begins = format!("| {first} |");
    let mut lines = TABLE.lines().skip_while(|line| !line.starts_with(&begins));
    assert_eq!(cells(lines.next().expect("a table"))[1..], *columns);
    let mut rows = BTreeMap::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let mut row = cells(line);
        let kind = row.remove(0).trim_matches('`').to_owned();
        assert_eq!(
            row.len(),
            columns.len(),
            "{kind}: a cell too many or too few"
        );
        assert!(rows.insert(kind.clone(), row).is_none(), "{kind} twice");
    }
    rows
}

/// Which kinds the table lets pass on, by column.
fn rows() -> BTreeMap<String, Vec<bool>> {
    let rows = table("kind", &COLUMNS).into_iter();
    let rows = rows.map(|(kind, row)| {
        let may = row.iter().map(|cell| match cell.as_str() {
            "yes" => true,
            "no" => false,
            other => panic!("{kind}: `{other}` is neither yes nor no"),
        });
        let may = may.collect();
        (kind, may)
    });
    rows.collect()
}

/// A tree, its peer, and a root that its peer knows and it does not.
struct Ground {
    world: World,
    rng: ChaCha8Rng,
    acme: HostId,
    health: HostId,
    imaging: HostId,
    billing: HostId,
    lab: HostId,
    stranger: HostId,
}

impl Ground {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        let imaging = world.child(health, "imaging");
        let billing = world.child(acme, "billing");
        let lab = world.found("lab");
        let stranger = world.found("mallory");
        world.peer(acme, lab);
        world.peer(lab, stranger);
        world.run_for(5_000);
        // Chains are known on both sides.
        for (from, to) in [(lab, "echo@acme/health"), (billing, "echo@acme/health")] {
            let _ = world.call(from, to, serde_json::json!({}));
        }
        Self {
            world,
            rng: ChaCha8Rng::seed_from_u64(seed),
            acme,
            health,
            imaging,
            billing,
            lab,
            stranger,
        }
    }

    /// A message that somebody signs, and that says nothing anybody could read.
    fn message(&mut self, kind: Kind, from: HostId, to: HostId, phase: Phase) -> Envelope {
        let (source, destination) = (&self.world.hosts[from.0], &self.world.hosts[to.0]);
        let (from_place, to_place) = (source.place(), destination.place());
        let kem = KemRecord {
            realm: destination.realm,
            node: destination.node_id,
            key: KemKey::from_secret([2; 32]).public(),
            purpose: KemPurpose::Live,
            not_before: self.world.now(to).wall,
            not_after: self.world.now(to).wall.plus(1_000),
        };
        let out = Outgoing {
            kind,
            source: &from_place,
            destination: &to_place,
            created: self.world.now(from).wall,
            ttl_ms: limits::TTL_MS,
            call: CallId::new([7; 16]),
            answers: (!kind.is_request()).then(|| Digest::of(&[b"a request"])),
            priority: Priority::Normal,
            flags: None,
            max_reply: 0,
            receipt: None,
            content: b"nothing",
        };
        let sealed = seal(&mut self.rng, &source.signer(), &kem, &out).expect("a letter");
        let mut letter = sealed.0;
        letter.phase = phase;
        letter.sign(&source.signer())
    }

    /// Whether a message that comes over the link from one neighbour is passed on to another.
    fn passes(&mut self, envelope: Envelope, [before, at, after]: [HostId; 3]) -> bool {
        let link = self.world.links_between(at, before)[0];
        let header = envelope.header.clone();
        self.world.wire.clear();
        self.world.tap = true;
        self.world
            .inject(at, link, Frame::Envelope(envelope).encode());
        self.world.run_for(100);
        self.world.tap = false;
        let wire = std::mem::take(&mut self.world.wire);
        let carries = |bytes: &[u8]| {
            let frame = Frame::decode(&bytes.to_vec().into());
            matches!(frame, Ok(Frame::Envelope(envelope)) if envelope.header == header)
        };
        let mut passed = wire
            .iter()
            .filter(|(from, to, _)| (*from, *to) == (at, after));
        passed.any(|(_, _, bytes)| carries(bytes))
    }
}

#[test]
fn a_message_of_each_kind_is_passed_on_for_whom_the_matrix_says() {
    let mut ground = Ground::new(710);
    let Ground {
        acme,
        health,
        imaging,
        billing,
        lab,
        stranger,
        ..
    } = ground;
    let mut rows = rows();
    let mut wrong = Vec::new();
    for kind in Kind::ALL.iter().copied() {
        let ways = [
            (lab, health, Phase::Across, [lab, acme, health]),
            (billing, health, Phase::Up, [billing, acme, health]),
            (acme, imaging, Phase::Down, [acme, health, imaging]),
            (stranger, health, Phase::Across, [lab, acme, health]),
        ];
        let expected = rows.remove(kind.name());
        let expected = expected.unwrap_or_else(|| panic!("docs/matrix.md: no row {}", kind.name()));
        for (((from, to, phase, way), name), expected) in
            ways.into_iter().zip(COLUMNS).zip(expected)
        {
            let envelope = ground.message(kind, from, to, phase);
            let passed = ground.passes(envelope, way);
            if passed != expected {
                wrong.push(format!("{} from a {name}: {passed}", kind.name()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(rows.is_empty(), "rows without a kind: {rows:?}");
    for host in [health, imaging] {
        let runs = ground.world.hosts[host.0].disk.runs.values();
        let unread = runs.filter(|run| run.call == CallId::new([7; 16]));
        assert_eq!(unread.count(), 0, "what cannot be read was run");
    }
    invariants::check(&mut ground.world);
}

#[test]
fn nothing_is_passed_on_for_whom_policy_forbids_it_whatever_its_kind() {
    let mut ground = Ground::new(711);
    let (acme, health, billing) = (ground.acme, ground.health, ground.billing);
    let forbid = r#"forbid (principal, action == Action::"relay", resource);"#;
    ground.world.set_policy(acme, "closed", forbid, false);
    for kind in Kind::ALL
        .iter()
        .copied()
        .filter(|kind| *kind != Kind::Resolve)
    {
        let envelope = ground.message(kind, billing, health, Phase::Up);
        let passed = ground.passes(envelope, [billing, acme, health]);
        assert!(!passed, "{}", kind.name());
    }
    invariants::check(&mut ground.world);
}
