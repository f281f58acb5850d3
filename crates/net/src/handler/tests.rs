use super::*;

#[tokio::test]
async fn a_panic_in_a_connections_task_is_told() {
    let connection = ConnectionId::new_unchecked(7);
    let (panicked, mut told) = mpsc::channel(1);
    let handler = Handler::new(connection, Arc::new(Limits::default()), panicked);

    let task = tokio::runtime::Handle::current().spawn(async move {
        let _handler = handler;
        panic!("a bug in a dependency");
    });

    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(told.recv().await, Some(connection));
}
