//! Clients that take more than their share of connections.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::http::Service;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_gives_its_place_up() {
    let config = "[server]\nmax_connections = 1\nwrite_timeout_seconds = 1\n";
    let service = Service::start_as("api", config).await;
    let mut deaf = TcpStream::connect(service.authority()).await.unwrap();
    // More answers than the buffers of both ends hold.
    let requests = format!("GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", service.authority()).repeat(200);
    deaf.write_all(requests.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;

    // The only place is taken until the deaf client is let go.
    let api = service.client();
    let answer = tokio::time::timeout(Duration::from_secs(20), api.get("/livez")).await;
    assert_eq!(answer.expect("the place is free again").status, 200);
    drop(deaf);
}
