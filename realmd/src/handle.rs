//! How everything in the daemon speaks to the one loop that owns the node.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use realm_executor::{SecretLoops, Tariff};
use realm_node::{Node, Part, Rate, Request, Response};
use realm_protocol::{Label, journal::Run};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Who asks over the local API: it lets in nobody but the realm's owner.
pub(crate) const OWNER: &str = "owner";
/// Orders waiting for the loop; at the bound whoever asks waits.
const ORDERS: usize = 256;
/// Longest wait for what was recorded to become durable.
const SETTLED: Duration = Duration::from_millis(100);

/// Something for the loop to do.
pub(crate) enum Order {
    /// Ask the node, and answer when it has.
    Ask(Request, Reply<Response>),
    /// Call a loop, show what its output is being made of, and answer when there is the end.
    Stream(Request, watch::Sender<Shown>, Reply<Response>),
    /// Call a loop, and answer when the run is durable, or ended before.
    Begin(Request, Reply<Begun>),
    /// Answer when everything recorded so far is durable.
    Settle(oneshot::Sender<()>),
    /// Look at the node.
    Read(Box<dyn FnOnce(&Node) + Send>),
    /// Tickets name these addresses first from now on.
    Advertise(Vec<realm_net::Multiaddr>),
    /// Models cost this from now on, by backend.
    Tariffs(BTreeMap<String, Tariff>),
    Secrets(SecretLoops),
    /// Calls begin as often as this from now on.
    Rates(Vec<Rate>),
    /// These roots hear the names of people from now on.
    HearNames(BTreeSet<Label>),
}

/// Takes an answer inside the loop, with the node it came from: the loop may end right after.
pub(crate) type Reply<T> = Box<dyn FnOnce(&Node, T) + Send>;

/// How a detached call began.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It runs.
    Running(Box<Run>),
    /// It ended at once, or was refused.
    Ended(Box<Response>),
}

/// What a call has shown of the text that its output is being made of. The node bounds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) number: u64,
    pub(crate) text: String,
}

impl Shown {
    /// Adds a part; one of a later text begins anew.
    pub(crate) fn add(&mut self, part: &Part) {
        if part.number != self.number {
            self.number = part.number;
            self.text.clear();
        }
        self.text.push_str(&part.text);
    }
}

/// The loop has ended.
#[derive(Clone, Copy, Debug, Error)]
#[error("the realm is shutting down")]
pub(crate) struct Gone;

/// Gives orders to the loop. Clones speak to the same loop.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    orders: mpsc::Sender<Order>,
    urgent: mpsc::Sender<Order>,
}

/// What the loop is told, by how soon it looks.
pub(crate) struct Orders {
    /// What begins work, or waits for it.
    pub(crate) usual: mpsc::Receiver<Order>,
    /// What stops work, and looks at it: before everything else, and whatever else waits.
    pub(crate) urgent: mpsc::Receiver<Order>,
}

/// Makes a handle and the loop's end of it.
pub(crate) fn channel() -> (Handle, Orders) {
    let (orders, usual) = mpsc::channel(ORDERS);
    let (urgent, soon) = mpsc::channel(ORDERS);
    let orders_of_both = Orders {
        usual,
        urgent: soon,
    };
    (Handle { orders, urgent }, orders_of_both)
}

impl Order {
    /// Whether it stops work, lets it go on, or only looks: it never waits behind what begins work.
    fn is_urgent(&self) -> bool {
        match self {
            Self::Read(_) => true,
            Self::Ask(request, _) => is_urgent(request),
            Self::Stream(..)
            | Self::Begin(..)
            | Self::Settle(_)
            | Self::Advertise(_)
            | Self::Tariffs(_)
            | Self::Secrets(_)
            | Self::Rates(_)
            | Self::HearNames(_) => false,
        }
    }
}

fn is_urgent(request: &Request) -> bool {
    match request {
        Request::By(_, request) => is_urgent(request),
        Request::May(_)
        | Request::Know(_)
        | Request::Halt(_)
        | Request::Unhalt(_)
        | Request::Cancel(_)
        | Request::Pause(_)
        | Request::Resume(..)
        | Request::Decide(_)
        | Request::ResetBreaker(_)
        | Request::Revoke(_)
        | Request::RemovePeer(_)
        | Request::Disallow(_) => true,
        _ => false,
    }
}

impl Handle {
    /// Asks the node and waits for its answer.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, Gone> {
        self.ask_and(request, |_, answer| answer).await
    }

    /// As [`Handle::ask`]; looks at the node as it is when it answers. `look` must be quick.
    pub(crate) async fn ask_and<T: Send + 'static>(
        &self,
        request: Request,
        look: impl FnOnce(&Node, Response) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = looking(look);
        self.give(Order::Ask(request, reply)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Calls a loop; gives what it shows meanwhile, and where its end will be. Dropping what is shown
    /// takes the call back.
    pub(crate) async fn stream_and<T: Send + 'static>(
        &self,
        request: Request,
        look: impl FnOnce(&Node, Response) -> T + Send + 'static,
    ) -> Result<(watch::Receiver<Shown>, oneshot::Receiver<T>), Gone> {
        let (reply, answer) = looking(look);
        let (show, shown) = watch::channel(Shown::default());
        self.give(Order::Stream(request, show, reply)).await?;
        Ok((shown, answer))
    }

    /// Asks for what makes a run, and waits only until that is durable. `look` must be quick.
    pub(crate) async fn begin_and<T: Send + 'static>(
        &self,
        request: Request,
        look: impl FnOnce(&Node, Begun) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = looking(look);
        self.give(Order::Begin(request, reply)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Waits until the store holds everything that happened so far, so that people read their own
    /// writes: the traces of what was answered may trail by 50 ms. A disk that is slower than
    /// [`SETTLED`] is not waited for.
    pub(crate) async fn settled(&self) -> Result<(), Gone> {
        let (reply, settled) = oneshot::channel();
        self.give(Order::Settle(reply)).await?;
        match tokio::time::timeout(SETTLED, settled).await {
            Ok(settled) => settled.map_err(|_| Gone),
            Err(_) => Ok(()),
        }
    }

    /// Looks at the node inside the loop. `look` must be quick.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let look = move |node: &Node| {
            // Nobody waits any more if whoever asked went away.
            let _ = reply.send(look(node));
        };
        self.give(Order::Read(Box::new(look))).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Names the addresses that tickets begin with.
    pub(crate) async fn advertise(&self, addresses: Vec<realm_net::Multiaddr>) -> Result<(), Gone> {
        self.give(Order::Advertise(addresses)).await
    }

    /// Says what models cost from now on.
    pub(crate) async fn tariffs(&self, tariffs: BTreeMap<String, Tariff>) -> Result<(), Gone> {
        self.give(Order::Tariffs(tariffs)).await
    }

    /// Lets these loops alone have secrets from now on.
    pub(crate) async fn secrets(&self, secrets: SecretLoops) -> Result<(), Gone> {
        self.give(Order::Secrets(secrets)).await
    }

    /// Lets calls begin as often as this from now on.
    pub(crate) async fn rates(&self, rates: Vec<Rate>) -> Result<(), Gone> {
        self.give(Order::Rates(rates)).await
    }

    /// Lets these roots alone hear the names of people from now on.
    pub(crate) async fn hear_names(&self, roots: BTreeSet<Label>) -> Result<(), Gone> {
        self.give(Order::HearNames(roots)).await
    }

    async fn give(&self, order: Order) -> Result<(), Gone> {
        let orders = match order.is_urgent() {
            true => &self.urgent,
            false => &self.orders,
        };
        orders.send(order).await.map_err(|_| Gone)
    }
}

/// A reply that looks before it is sent on. Whoever asked may have gone.
fn looking<A, T: Send + 'static>(
    look: impl FnOnce(&Node, A) -> T + Send + 'static,
) -> (Reply<A>, oneshot::Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    let reply = move |node: &Node, answer: A| {
        let _ = sender.send(look(node, answer));
    };
    (Box::new(reply), receiver)
}
