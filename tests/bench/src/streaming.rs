//! Output that is shown while a model writes it: how late a word is, here and one realm away, and the
//! memory of a daemon with a thousand streams.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use realm_client::{Client, StreamItem, api::InvokeRequest};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    load::Times,
    realms::{Daemon, Ground},
    report::Report,
    resources::rss_kb,
    row::Row,
};

/// Streams at once.
pub(crate) const STREAMS: usize = 1_000;
/// Words of one answer, and the time between two: as fast as a fast model.
const WORDS: usize = 400;
const PAUSE: Duration = Duration::from_millis(10);

/// A model of this program: each word is the time at which it was written.
#[derive(Debug)]
struct Model {
    url: String,
    /// Whether its answers may end.
    end: watch::Sender<bool>,
    _served: JoinSet<()>,
}

impl Model {
    /// Serves on a free port; `words` each answer.
    async fn start(begun: Instant, words: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = listener.local_addr()?.to_string();
        let (end, may_end) = watch::channel(true);
        let mut served = JoinSet::new();
        served.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let may_end = may_end.clone();
                answers.spawn(async move {
                    // Whoever hangs up has had enough.
                    let _ = answer(stream, begun, words, may_end).await;
                });
                while answers.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            url,
            end,
            _served: served,
        })
    }

    /// A daemon's configuration of it.
    fn section(&self) -> String {
        let url = &self.url;
        format!(
            "\n[backends.fast]\nformat = \"openai\"\nurl = \"http://{url}/v1\"\nallow_private = [\"{url}\"]\n\
             model = \"clock\"\n"
        )
    }
}

/// Answers one request, by events.
async fn answer(
    stream: TcpStream,
    begun: Instant,
    words: usize,
    mut may_end: watch::Receiver<bool>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line).await? > 0, "cut off");
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for number in 0..words {
        if number > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let written = format!("{} ", begun.elapsed().as_nanos());
        let event =
            json!({"model": "clock", "choices": [{"index": 0, "delta": {"content": written}}]});
        stream
            .write_all(format!("data: {event}\n\n").as_bytes())
            .await?;
    }
    may_end.wait_for(|may| *may).await?;
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let end = format!("data: {last}\n\ndata: [DONE]\n\n");
    stream.write_all(end.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

/// A loop whose model is the mock, which finds every text of the same kind.
pub(crate) const SAY: &str = "id: say\nversion: 1.0.0\nkind: prompt\ndescription: Says what it is.\n\
                              inputSchema: {type: object}\noutputSchema: {type: object}\neffects: none\n\
                              prompt: {template: 'Classify: {{data}}', variables: [data]}\n";

/// A loop that shows what the model writes.
const TELL: &str = "id: tell\nversion: 1.0.0\nkind: prompt\ndescription: Tells the time.\n\
                    inputSchema: {type: object}\noutputSchema: {type: object}\neffects: none\n\
                    prompt: {template: 'The time?', variables: [], maxTokens: 4000}\nbackend: {id: fast}\n";

fn request(address: &str) -> InvokeRequest {
    InvokeRequest {
        input: json!({}),
        ..crate::whole::request(address)
    }
}

/// Words of a stream to a caller of the realm that asks the model, and to one a realm away.
pub(crate) async fn hops(ground: &Ground, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let model = Model::start(begun, WORDS).await?;
    let root = ground.daemon("root", "").await?;
    let callee = ground.daemon("callee", &model.section()).await?;
    callee.join(root.invite("callee").await?).await?;
    callee.allow("root").await?;
    callee.apply(TELL).await?;
    let ways = [
        ("stream-0", &callee, "tell"),
        ("stream-1", &root, "tell@root/callee"),
    ];
    for (job, daemon, address) in ways {
        let asked = request(address);
        // The first call brings contracts and sessions.
        words(&daemon.client, &asked, begun).await?;
        let late = words(&daemon.client, &asked, begun).await?;
        ensure!(late.len() > WORDS / 2, "{job}: only {} parts", late.len());
        let took = PAUSE.saturating_mul(u32::try_from(WORDS)?);
        report.add(Times::new(late, took).row(job, 1, None));
    }
    Ok(())
}

/// How late each part of one stream was, by its last word; nanoseconds.
async fn words(client: &Client, asked: &InvokeRequest, begun: Instant) -> Result<Vec<u64>> {
    let mut stream = client.invoke_streaming(asked).await?;
    let mut late = Vec::new();
    while let Some(item) = stream.next().await? {
        match item {
            StreamItem::Part(part) => {
                let now = u64::try_from(begun.elapsed().as_nanos())?;
                let last = part.text.split_whitespace().last();
                let written: u64 = last.context("a part without a word")?.parse()?;
                late.push(now.saturating_sub(written));
            }
            StreamItem::End(result) => {
                ensure!(result.output.is_some(), "it failed: {:?}", result.error);
                return Ok(late);
            }
            StreamItem::Event(_) => {}
        }
    }
    anyhow::bail!("the stream ended early")
}

/// A daemon before and while a thousand callers are shown what a model writes.
pub(crate) async fn memory(ground: &Ground, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let model = Model::start(begun, 20).await?;
    let daemon = ground.daemon("one", &model.section()).await?;
    daemon.apply(TELL).await?;
    let asked = Arc::new(request("tell"));
    words(&daemon.client, &asked, begun).await?;
    report.add(resident(0, &daemon)?);
    model.end.send_replace(false);
    let streams = (0..STREAMS).map(|_| opened(&daemon, &asked));
    let streams = try_join_all(streams).await?;
    report.add(resident(STREAMS, &daemon)?);
    model.end.send_replace(true);
    for mut stream in streams {
        while let Some(item) = stream.next().await? {
            if let StreamItem::End(result) = item {
                ensure!(result.output.is_some(), "it failed: {:?}", result.error);
            }
        }
    }
    Ok(())
}

/// A stream of which something has been seen.
async fn opened(daemon: &Daemon, asked: &InvokeRequest) -> Result<realm_client::RunEvents> {
    let mut stream = daemon.client.invoke_streaming(asked).await?;
    loop {
        let item = stream.next().await?.context("a stream ended early")?;
        if matches!(item, StreamItem::Part(_)) {
            return Ok(stream);
        }
        ensure!(!matches!(item, StreamItem::End(_)), "not a word: {item:?}");
    }
}

fn resident(streams: usize, daemon: &Daemon) -> Result<Row> {
    Ok(Row {
        job: "streams-1000".to_owned(),
        in_flight: streams,
        rss_kb: Some(rss_kb(daemon.pid()?)?),
        ..Row::default()
    })
}
