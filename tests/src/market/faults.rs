//! What goes wrong.

use super::*;

impl Market {
    /// Lets something go wrong; with announcers only where `all` may.
    pub(super) fn go_wrong(&mut self, all: bool) {
        let now = self.world.elapsed_ms();
        for (until, a, b) in std::mem::take(&mut self.apart) {
            match until <= now {
                true => self.world.heal(a, b),
                false => self.apart.push((until, a, b)),
            }
        }
        let host = HostId(self.world.random(self.members.len() as u64) as usize);
        match self.world.random(10) {
            _ if !all && self.announcers.contains(&host) => {}
            0 if self.world.is_up(host) => {
                let down = self.world.random(6_000);
                self.world.crash_for(host, down);
                self.crashed.insert(host);
            }
            1 if all => self.kill_an_announcer(),
            2 => {
                let point = self.crash_point(20);
                self.world.crash_points.insert(host, point);
                self.crashed.insert(host);
            }
            3 => {
                if let Some(parent) = self.members[host.0].parent {
                    self.part(host, parent);
                }
            }
            5 if all => self.part_an_announcer(),
            4 => {
                self.world.faults = Faults {
                    loss: self.world.random(80),
                    duplication: self.world.random(150),
                    reordering: self.world.random(300),
                    full: self.world.random(30),
                    latency_ms: self.world.random(120),
                    disk_ms: self.world.random(40),
                };
            }
            _ => {}
        }
    }

    /// Lets an announcer die at one of its next entries, or in one of the phases of its next broadcast.
    fn kill_an_announcer(&mut self) {
        let announcers: Vec<HostId> = self.announcers.iter().copied().collect();
        let host = announcers[self.world.random(announcers.len() as u64) as usize];
        let phases = [
            "broadcast.announced",
            "broadcast.closed",
            "broadcast.leased",
            "broadcast.ended",
        ];
        match phases.get(self.tricks.turn("phase", phases.len() as u64 + 1) as usize) {
            Some(phase) => {
                let point = self.crash_point(1);
                self.world.crash_events.insert(host, (phase, point));
            }
            None => {
                let point = self.crash_point(40);
                self.world.crash_points.insert(host, point);
            }
        }
        self.crashed.insert(host);
    }

    fn crash_point(&mut self, entries: u64) -> CrashPoint {
        CrashPoint {
            entries: 1 + self.world.random(entries),
            durable: self.world.random(3) > 0,
            down_ms: self.world.random(4_000),
        }
    }

    /// Keeps two neighbours apart for a while, with a word or without.
    fn part(&mut self, a: HostId, b: HostId) {
        let until = self.world.elapsed_ms() + self.world.random(6_000);
        match self.world.random(2) {
            0 => self.world.partition(a, b),
            _ => self.world.silence(a, b),
        }
        self.apart.push((until, a, b));
    }

    /// Keeps the announcer of the last broadcast from one of its neighbours while bids come.
    fn part_an_announcer(&mut self) {
        let Some(asked) = self.asked.last() else {
            return;
        };
        let host = asked.host;
        let ledger = Ledger::find(&self.world, host, &asked.canary);
        let open = ledger.is_some_and(|it| it.closed().is_none());
        let ends = self.world.hosts[host.0].links.values();
        let neighbours: Vec<HostId> = ends.map(|end| end.host).collect();
        if open && !neighbours.is_empty() {
            let one = self.world.random(neighbours.len() as u64) as usize;
            self.part(host, neighbours[one]);
            self.tricks.play("parted while bids come");
        }
    }
}
