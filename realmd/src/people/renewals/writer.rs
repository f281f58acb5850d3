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
    /// Writes until the daemon stops, and the loop with it.
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
            self.write_rows().await;
            self.written.send_replace(turn);
        }
    }

    /// Writes what has changed. What the store did not take waits for the next asking.
    async fn write_rows(&self) {
        while let Some((whose, row)) = self.all.next_row(self.clock.now()) {
            let written = self.handle.ask(Request::KeepSignIns(row)).await;
            if !matches!(written, Ok(Response::Done)) {
                tracing::debug!("what somebody has left is not written down");
                return self.all.not_written(whose);
            }
        }
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

        // A request that is let go, and never goes on; the loop has not answered it.
        let mut gone = pin!(all.write());
        assert_eq!(gone.as_mut().now_or_never(), None);
        let first = asked_for(&mut orders, &mut writing).await;

        let mut next = pin!(all.write());
        assert_eq!(next.as_mut().now_or_never(), None);
        let second = asked_for(&mut orders, &mut writing).await;
        assert_eq!(first, second);
    }
}
