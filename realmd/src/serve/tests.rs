use std::sync::Arc;

use axum::routing::{get, post};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use realm_client::api::routes;
use tokio::sync::Notify;

use super::*;

/// Asks for a route by a connection of its own.
async fn ask(socket: &Path, method: &str, path: &str) -> StatusCode {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("host", "realm")
        .header("connection", "close");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let (answer, ended) = tokio::join!(sender.send_request(request), driver);
    ended.unwrap();
    answer.unwrap().status()
}

#[tokio::test]
async fn who_wants_a_short_answer_gets_it_while_all_room_is_taken_by_those_who_wait() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waits = {
        let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
        move || async move {
            begun.notify_one();
            end.notified().await;
        }
    };
    let router = Router::new()
        .route(routes::INVOKE, post(waits))
        .route(routes::STATUS, get(async || {}));
    let room = Room { all: 1, at_once: 1 };
    let stop = CancellationToken::new();
    let people = watch::channel(Arc::new(People::nobody())).1;
    let listener = Socket::new(bind(&socket).unwrap(), people);
    let served = serve_within(room, listener, router, stop.clone());
    let long = ask(&socket, "POST", routes::INVOKE);
    let others = async {
        begun.notified().await;
        let looked = ask(&socket, "GET", routes::STATUS).await;
        let refused = ask(&socket, "POST", routes::INVOKE).await;
        end.notify_one();
        (looked, refused)
    };
    let asking = async {
        let asked = tokio::join!(long, others);
        stop.cancel();
        asked
    };

    let (answers, ()) = tokio::join!(asking, served);

    let (ok, full) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answers, (ok, (ok, full)));
}
