//! Counters as Prometheus reads them.

use std::fmt::Write as _;

use http::header;
use realm_net::Turned;
use realm_node::{BreakerView, Counters, RateView, StandingView};

use super::{Shared, problem::Fail, status::VERSION};
use crate::{config::Origin, people::Asked};

pub(super) async fn metrics(
    daemon: Shared,
) -> Result<([(header::HeaderName, &'static str); 1], String), Fail> {
    let look = |node: &realm_node::Node| {
        let children = node
            .children()
            .iter()
            .filter(|child| child.connected)
            .count();
        let peers = node.peers().iter().filter(|peer| peer.connected).count();
        (
            node.standing(),
            node.counters().clone(),
            children,
            peers,
            node.links().len(),
            node.rates(),
            node.breakers(),
            node.witnessed(),
        )
    };
    let (standing, counters, children, peers, links, rates, breakers, witnessed) =
        daemon.handle.read(look).await?;
    let mut text = Exposition::default();
    text.family("realm_info", "gauge", "Version of the daemon.");
    text.sample("realm_info", Some(("version", VERSION)), 1);
    text.counters(&counters);
    text.turned(&daemon.turned);
    text.standing(&standing);
    text.rates(&rates);
    text.breakers(&breakers);
    text.directories(&daemon.people.borrow().directories.asked());
    let contradicted = witnessed.iter().filter_map(|it| it.contradiction.as_ref());
    let contradicted = contradicted.filter(|found| found.acknowledged.is_none());
    text.gauge(
        "realm_audit_contradicted",
        "Realms whose audit logs are not what they were, and nobody has acknowledged it.",
        contradicted.count() as u64,
    );
    let unproven = witnessed.iter().filter(|it| it.unproven.is_some());
    text.gauge(
        "realm_audit_unproven",
        "Realms that show longer audit logs without proof that they only grew.",
        unproven.count() as u64,
    );
    text.gauge("realm_links", "Links that stand.", links as u64);
    text.gauge(
        "realm_children_connected",
        "Children with a live link.",
        children as u64,
    );
    text.gauge(
        "realm_peers_connected",
        "Peers with a live link.",
        peers as u64,
    );
    let now = daemon.clock.now().wall;
    text.gauge(
        "realm_uptime_seconds",
        "Time since the start.",
        now.since(daemon.started) / 1_000,
    );
    let durable = daemon.durability.borrow().durable.0;
    text.gauge(
        "realm_journal_durable_seq",
        "Last durable journal entry.",
        durable,
    );
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text.0))
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn counters(&mut self, counters: &Counters) {
        for (name, help, value) in [
            (
                "realm_envelopes_delivered_total",
                "Envelopes delivered here.",
                counters.delivered,
            ),
            (
                "realm_envelopes_relayed_total",
                "Envelopes forwarded.",
                counters.relayed,
            ),
            (
                "realm_envelopes_sent_total",
                "Envelopes sent from here.",
                counters.sent,
            ),
            (
                "realm_calls_served_total",
                "Calls served here.",
                counters.served,
            ),
            (
                "realm_calls_overclaimed_total",
                "Calls whose callee said that it used more than it was given.",
                counters.overclaimed,
            ),
        ] {
            self.family(name, "counter", help);
            self.sample(name, None, value);
        }
        let name = "realm_refused_total";
        self.family(name, "counter", "What was refused, by reason.");
        for (reason, count) in &counters.refused {
            self.sample(name, Some(("reason", reason.name())), *count);
        }
    }

    fn turned(&mut self, turned: &Turned) {
        let name = "realm_connections_refused_total";
        let help = "Connections turned away or cut, by reason.";
        self.family(name, "counter", help);
        for (reason, count) in turned.counts() {
            self.sample(name, Some(("reason", reason)), count);
        }
    }

    fn standing(&mut self, standing: &StandingView) {
        self.gauge(
            "realm_calls_outgoing",
            "Calls to other realms.",
            standing.calls_out as u64,
        );
        self.gauge(
            "realm_calls_incoming",
            "Calls run here.",
            standing.calls_in as u64,
        );
        self.gauge(
            "realm_tickets_open",
            "Invitations not used up.",
            standing.open_tickets as u64,
        );
        self.gauge(
            "realm_clock_skew_ms",
            "Difference to neighbours' clocks.",
            standing.skew_ms,
        );
        self.gauge(
            "realm_store_failed",
            "Whether the store has failed.",
            u64::from(standing.store_failed),
        );
        self.gauge(
            "realm_promises_held",
            "Promises that wait for the disk.",
            standing.promises_held as u64,
        );
    }

    fn rates(&mut self, rates: &[RateView]) {
        let name = "realm_rate_refused_total";
        self.family(
            name,
            "counter",
            "Calls refused, by the rate that they exceeded.",
        );
        for view in rates {
            self.sample(name, Some(("rate", &view.rate.name)), view.refused);
        }
        let name = "realm_rate_waited_total";
        self.family(
            name,
            "counter",
            "Calls that waited for their turn, by rate.",
        );
        for view in rates {
            self.sample(name, Some(("rate", &view.rate.name)), view.waited);
        }
    }

    fn breakers(&mut self, breakers: &[BreakerView]) {
        let name = "realm_breaker_open";
        self.family(
            name,
            "gauge",
            "Whom nothing is asked of, because too much has failed.",
        );
        let open = breakers
            .iter()
            .filter(|view| view.standing.opened().is_some());
        for view in open {
            self.sample(name, Some(("breaker", &view.of.to_string())), 1);
        }
    }

    fn directories(&mut self, directories: &[(Origin, Asked)]) {
        let name = "realm_directory_asked_total";
        let help = "Questions to directories of people, by what came of them.";
        self.family(name, "counter", help);
        for (from, asked) in directories {
            let Asked {
                known,
                refused,
                unavailable,
            } = asked;
            for (end, count) in [
                ("known", known),
                ("refused", refused),
                ("unavailable", unavailable),
            ] {
                self.sample(name, Some(("end", &format!("{from}-{end}"))), *count);
            }
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        self.sample(name, None, value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to memory cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Label values here are names of this program or of the configuration, and need no escapes.
    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: u64) {
        let _ = match label {
            Some((key, label)) => writeln!(self.0, "{name}{{{key}=\"{label}\"}} {value}"),
            None => writeln!(self.0, "{name} {value}"),
        };
    }
}
