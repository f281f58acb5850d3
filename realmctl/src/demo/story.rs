//! Who there is, and what happens.

mod loops;

use serde_json::{Value, json};

pub(super) use loops::Places;

/// One realm.
#[derive(Debug)]
pub(super) struct Role {
    /// Its name: the root's petname and the path.
    pub(super) name: &'static str,
    /// Its loops.
    pub(super) loops: &'static [Definition],
}

/// A loop, and who runs it.
#[derive(Debug)]
pub(super) struct Definition {
    /// The loop's id.
    pub(super) id: &'static str,
    /// Who runs it.
    pub(super) agent: &'static str,
    /// The definition file's name.
    pub(super) file: &'static str,
    /// Its text, once it is known where the agents are.
    pub(super) text: fn(&Places) -> String,
}

/// Everybody; parents before their children.
pub(super) const ROLES: &[Role] = &[
    Role {
        name: "mercy",
        loops: &[Definition {
            id: "summarise",
            agent: "a prompt on the mock backend",
            file: "summarise.json",
            text: loops::summarise,
        }],
    },
    Role {
        name: "mercy/cardiology",
        loops: &[
            Definition {
                id: "work-up",
                agent: "a composite of two others",
                file: "work-up.json",
                text: loops::work_up,
            },
            Definition {
                id: "second-read",
                agent: "a contract that others bid for",
                file: "second-read.yaml",
                text: loops::second_read,
            },
        ],
    },
    Role {
        name: "mercy/cardiology/imaging",
        loops: &[],
    },
    Role {
        name: "mercy/billing",
        loops: &[Definition {
            id: "price",
            agent: "an HTTP agent",
            file: "price.yaml",
            text: loops::price,
        }],
    },
    Role {
        name: "lab",
        loops: &[Definition {
            id: "second-read",
            agent: "a child process that bids",
            file: "second-read-lab.yaml",
            text: loops::second_read_dear,
        }],
    },
    Role {
        name: "lab/genomics",
        loops: &[
            Definition {
                id: "variant-call",
                agent: "a child process",
                file: "variant-call.yaml",
                text: loops::variant_call,
            },
            Definition {
                id: "second-read",
                agent: "a child process that bids",
                file: "second-read-genomics.yaml",
                text: loops::second_read_cheap,
            },
        ],
    },
    Role {
        name: "lab/pathology",
        loops: &[Definition {
            id: "grade-slide",
            agent: "the built-in echo",
            file: "grade-slide.yaml",
            text: loops::grade_slide,
        }],
    },
];

/// The root that invites the other to be its peer, and the other.
pub(super) const PEERS: (&str, &str) = ("lab", "mercy");

/// What a call should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// An output with this text in it.
    Output(&'static str),
    /// A failure with this name, raised by this realm.
    Failure(&'static str, &'static str),
}

/// What happens before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// The realm that denied the call before runs the `allow` that `policy why` prints there.
    AllowAsSuggested,
    /// This realm goes down.
    Stop(&'static str),
}

/// One call.
#[derive(Debug)]
pub(super) struct Scene {
    /// What it shows.
    pub(super) title: &'static str,
    /// What happens before.
    pub(super) before: Before,
    /// Realms on the way, from the caller to the one that has the loop.
    pub(super) way: &'static [&'static str],
    /// What is called there.
    pub(super) loop_id: &'static str,
    /// With what; the argument is the secret in the patient's record.
    pub(super) input: fn(&str) -> Value,
    /// What it should come to.
    pub(super) expected: Expected,
    /// Whether the realm that has the loop records a run.
    pub(super) recorded: bool,
}

impl Scene {
    /// Who calls.
    pub(super) fn caller(&self) -> &'static str {
        self.way.first().copied().unwrap_or_default()
    }

    /// Who has the loop.
    pub(super) fn callee(&self) -> &'static str {
        self.way.last().copied().unwrap_or_default()
    }

    /// What is called, as a user types it.
    pub(super) fn address(&self) -> String {
        format!("{}@{}", self.loop_id, self.callee())
    }
}

/// From a department to the other organisation's.
const ACROSS: &[&str] = &["mercy/cardiology", "mercy", "lab", "lab/genomics"];

/// The story.
pub(super) const SCENES: &[Scene] = &[
    Scene {
        title: "A sibling, through the parent",
        before: Before::Nothing,
        way: &["mercy/cardiology", "mercy", "mercy/billing"],
        loop_id: "price",
        input: |_| json!({"procedures": ["ecg", "echocardiogram"]}),
        expected: Expected::Output("EUR 214.00"),
        recorded: true,
    },
    Scene {
        title: "A child calls its root",
        before: Before::Nothing,
        way: &["mercy/cardiology/imaging", "mercy/cardiology", "mercy"],
        loop_id: "summarise",
        input: |_| json!({"finding": "Ejection fraction 55 percent, no effusion."}),
        expected: Expected::Output("summary"),
        recorded: true,
    },
    Scene {
        title: "One call that makes two more, in two other realms",
        before: Before::Nothing,
        way: &["mercy/cardiology/imaging", "mercy/cardiology"],
        loop_id: "work-up",
        input: |_| json!({"finding": "Septum 17 mm.", "procedures": ["mri", "consultation"]}),
        expected: Expected::Output("EUR 605.00"),
        recorded: true,
    },
    Scene {
        title: "Across organisations, and nobody has permitted it",
        before: Before::Nothing,
        way: ACROSS,
        loop_id: "variant-call",
        input: sample,
        expected: Expected::Failure("Denied", "lab/genomics"),
        recorded: false,
    },
    Scene {
        title: "The same call, after the command that the denial suggests",
        before: Before::AllowAsSuggested,
        way: ACROSS,
        loop_id: "variant-call",
        input: sample,
        expected: Expected::Output("G>A"),
        recorded: true,
    },
    Scene {
        title: "Bad input: the caller knows the contract by now, and nothing leaves",
        before: Before::Nothing,
        way: ACROSS,
        loop_id: "variant-call",
        input: |_| json!({"patient": {"name": "M. Roe"}, "reference": "GATTACA", "reads": ["GATXACA"]}),
        expected: Expected::Failure("SchemaInput", "mercy/cardiology"),
        recorded: false,
    },
    Scene {
        title: "A realm that is down",
        before: Before::Stop("lab/pathology"),
        way: &["mercy/cardiology", "mercy", "lab", "lab/pathology"],
        loop_id: "grade-slide",
        input: |_| json!({"slide": "B-1042"}),
        expected: Expected::Failure("Offline", "lab"),
        recorded: false,
    },
];

/// A patient's record: the reads carry two variants and one error of the sequencer.
fn sample(secret: &str) -> Value {
    json!({
        "patient": {"name": "M. Roe", "born": "1961-04-12", "record": secret},
        "reference": "GCTAAAGACAATTACATAACATACACGTCAGCACGAAACTTGTTGGCCCAGTGTGAATCGCTTA",
        "reads": [
            "GCTAAAGACAATTACATAACTTAC", "GACAATTACATAACTTACACGTCA",
            "TACATAACTTACACGTCAGCACGA", "ACTTACACGTAAGCACGAAACTTG",
            "ACGTCAGCACGAAACTTGTTGACC", "GCACGAAACTTGTTGACCCAGTGT",
            "AACTTGTTGACCCAGTGTGAATCG", "TGTTGACCCAGTGTGAATCGCTTA",
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_the_story_has_a_role_and_the_loop_that_is_called() {
        let places = Places {
            program: "/bin/realmctl".to_owned(),
            prices: "127.0.0.1:1".to_owned(),
            keys: "/tmp/keys".into(),
        };
        for scene in SCENES {
            for name in scene.way {
                assert!(ROLES.iter().any(|role| role.name == *name), "{name}");
            }
            let callee = ROLES.iter().find(|role| role.name == scene.callee());
            let mut loops = callee.unwrap().loops.iter();
            let called = loops.find(|called| called.id == scene.loop_id).unwrap();
            assert!((called.text)(&places).contains(called.id), "{}", called.id);
        }
    }

    #[test]
    fn a_parent_stands_before_its_children() {
        for (at, role) in ROLES.iter().enumerate() {
            if let Some((parent, _)) = role.name.rsplit_once('/') {
                assert!(ROLES.iter().take(at).any(|role| role.name == parent));
            }
        }
    }
}
