//! Strangers on the port that other realms use.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
};

use realm_net::{Config, Event, Limits, Multiaddr};
use realm_protocol::NodeId;

use crate::{limit::PATIENCE, person::Person};

#[test]
fn strangers_and_garbage_are_cut_off_and_neighbours_do_not_notice() {
    let (mercy, lab) = (Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let ticket = lab.ctl("invite --peer --allow echo").ok();
    mercy.ctl_with("join -", &ticket).ok();
    let status = lab.ctl("status -o json").json();
    let listen = status["listen"].as_array().unwrap();
    let mut addresses = listen.iter().filter_map(|address| address.as_str());
    let is_tcp_here = |address: &&str| address.starts_with("/ip4/") && address.contains("/tcp/");
    let address = addresses.find(is_tcp_here).unwrap();
    let port = address.rsplit('/').next().unwrap().parse().unwrap();

    // Who says nothing, garbage, half a handshake, or another protocol, is disconnected.
    let mut noise: Vec<u8> = b"\x13/multistream/1.0.0\n\x07/noise\n".to_vec();
    noise.extend([0xff; 4096]);
    let sent = [
        Vec::new(),
        vec![0xff; 65_536],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        noise,
    ];
    let cut = sent.map(|bytes| thread::spawn(move || is_cut(port, &bytes)));

    // So is a stranger who shakes hands well, and then says nothing or no frame at all.
    let node = status["node"].as_str().unwrap().parse().unwrap();
    let address: Multiaddr = address.parse().unwrap();
    let strangers = [None, Some(vec![0xff; 4096])].map(|frame| {
        let address = address.clone();
        thread::spawn(move || stranger_is_cut(node, address, frame))
    });

    for stranger in strangers {
        assert!(stranger.join().unwrap());
    }
    for cut in cut {
        cut.join().unwrap();
    }
    assert_eq!(
        mercy.ctl("invoke echo@lab text=hello").ok(),
        r#"{"text":"hello"}"#
    );
    let metrics = lab_daemon.api().get("/metrics").body;
    let counter = r#"realm_connections_refused_total{reason="handshake"} "#;
    let counted = metrics.lines().find_map(|line| line.strip_prefix(counter));
    // Whoever dials several addresses at once gives up all but one of them: also counted.
    assert!(counted.unwrap().parse::<u64>().unwrap() >= 4, "{metrics}");
    lab_daemon.stop();
    mercy_daemon.stop();
}

/// Sends bytes, and waits for the end of the connection.
fn is_cut(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).ok();
    let ended = stream
        .read_to_end(&mut Vec::new())
        .map_err(|error| error.kind());
    let late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
    assert!(
        !ended.is_err_and(|kind| late.contains(&kind)),
        "never cut off"
    );
}

/// Dials as a node that nobody knows, sends a frame, and waits until the link is down.
fn stranger_is_cut(node: NodeId, address: Multiaddr, frame: Option<Vec<u8>>) -> bool {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (net, mut events) = realm_net::start(Config {
            seed: [1 + u8::from(frame.is_some()); 32].into(),
            listen: Vec::new(),
            limits: Limits::default(),
        })
        .unwrap();
        net.dial(realm_net::DialId(1), node, vec![address]).unwrap();
        let mut up = None;
        let down = async {
            while let Some(event) = events.recv().await {
                match event {
                    // The link's ends are kept: only the other side can end it.
                    Event::Up { outbox, inbox, .. } => {
                        if let Some(frame) = frame.clone() {
                            outbox.try_send(frame.into()).unwrap();
                        }
                        up = Some((outbox, inbox));
                    }
                    Event::Down { .. } => return up.is_some(),
                    Event::DialFailed { error, .. } => panic!("{error}"),
                    _ => {}
                }
            }
            false
        };
        tokio::time::timeout(PATIENCE, down).await.unwrap()
    })
}
