//! Who writes down what people of a provider have left: one task, row after row, so that the last one stays and nobody
//! who goes away holds up the others.

use std::sync::Arc;

use realm_node::{Request, Response};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Renewals;
use crate::{clock::Clock, handle::Handle};

/// Writes rows when it is asked to.
#[derive(Debug)]
pub(crate) struct Writer {
    all: Arc<Renewals>,
    handle: Handle,
    clock: Clock,
    asked: watch::Receiver<u64>,
    /// Up to which asking everything is on the disk.
    written: watch::Sender<u64>,
}

impl Default for Renewals {
    /// Nothing, and nobody writes it down.
    fn default() -> Self {
        let (_, written) = watch::channel(0);
        Self {
            held: Default::default(),
            asked: Default::default(),
            written,
        }
    }
}

impl Renewals {
    /// Nothing, which the writer writes down from now on.
    pub(crate) fn written_by(handle: Handle, clock: Clock) -> (Arc<Self>, Writer) {
        let (written, told) = watch::channel(0);
        let all = Arc::new(Self {
            written: told,
            ..Self::default()
        });
        let writer = Writer {
            asked: all.asked.subscribe(),
            all: Arc::clone(&all),
            handle,
            clock,
            written,
        };
        (all, writer)
    }
}

impl Writer {
    /// Writes until the daemon stops, or the loop takes no more.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.asked.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            let turn = *self.asked.borrow_and_update();
            // Whoever waits hears that nothing more is written.
            if !self.write_rows().await {
                return;
            }
            self.written.send_replace(turn);
        }
    }

    /// Writes what has changed, and tells whether the store has taken all of it: where it has not, the realm is stopping.
    async fn write_rows(&self) -> bool {
        while let Some((whose, row)) = self.all.next_row(self.clock.now()) {
            let written = self.handle.ask(Request::KeepSignIns(row)).await;
            if !matches!(written, Ok(Response::Done)) {
                tracing::debug!("what somebody has left is not written down");
                self.all.not_written(whose);
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt as _;
    use realm_backends::{Renewal, Secret};

    use super::*;
    use crate::{
        handle::{Order, Orders, channel},
        people::digest,
    };

    /// The key of the row that the loop is asked to keep next, while the writer writes; the loop does not answer.
    async fn asked_for(
        orders: &mut Orders,
        writing: &mut (impl Future<Output = ()> + Unpin),
    ) -> realm_protocol::Digest {
        let order = tokio::select! {
            biased;
            order = orders.usual.recv() => order,
            () = writing => panic!("the writer has ended"),
        };
        match order {
            Some(Order::Ask(Request::KeepSignIns(row), _)) => row.key,
            _ => panic!("another order"),
        }
    }

    #[tokio::test]
    async fn whoever_goes_away_while_a_row_is_written_holds_up_nobody_and_the_row_is_not_lost() {
        let (handle, mut orders) = channel();
        let clock = Clock::start();
        let (all, writer) = Renewals::written_by(handle, clock);
        let (now, whose) = (
            clock.now().tick,
            ["https://id", "realm", "ann"].map(str::to_owned),
        );
        let until = now.plus(10_000_000);
        all.hold(
            whose.clone(),
            Renewal::new("a1", Secret::new("first")),
            until,
            now,
        )
        .unwrap();
        all.begin(&whose, digest("shown"), until, now);
        let mut writing = pin!(writer.run(CancellationToken::new()));

        // A request that is let go, and never goes on.
        assert_eq!(pin!(all.write()).now_or_never(), None);
        let asked = asked_for(&mut orders, &mut writing).await;

        // The loop ends before it has answered.
        writing.await;
        let kept = all.next_row(clock.now()).map(|(_, row)| row.key);
        assert_eq!(kept, Some(asked));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_row_that_the_loop_does_not_take_hears_the_end_and_not_that_it_is_written()
     {
        let (handle, orders) = channel();
        let clock = Clock::start();
        let (all, writer) = Renewals::written_by(handle, clock);
        let now = clock.now().tick;
        let whose = ["https://id", "realm", "ann"].map(str::to_owned);
        let until = now.plus(10_000_000);
        let renewal = Renewal::new("a1", Secret::new("first"));
        all.hold(whose.clone(), renewal, until, now).unwrap();
        all.begin(&whose, digest("shown"), until, now);
        drop(orders);

        let wrote = async { tokio::join!(writer.run(CancellationToken::new()), all.write()) };
        wrote.await;

        assert_eq!(*all.written.borrow(), 0);
        assert!(all.written.has_changed().is_err());
    }
}
