//! The baseline of the fan-out: only axum and a broadcast channel. Every server needs at least this much.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// About the size of a live query's delta.
const MESSAGE_BYTES: usize = 300;
/// The default of 128 KiB per socket would dominate the measurement.
const READ_BUFFER_BYTES: usize = 1024;

/// Sends a numbered message to every socket each second, forever.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let (sender, _) = broadcast::channel::<Utf8Bytes>(16);
    let app = Router::new().route("/ws", any(upgrade)).with_state(sender.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("bare ready on http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        for number in 0_u64.. {
            ticks.tick().await;
            let start = format!("{{\"type\":\"delta\",\"timestamps\":[{number}],\"padding\":\"");
            let padding = "x".repeat(MESSAGE_BYTES.saturating_sub(start.len() + 2));
            // It is no error if there is no receiver yet.
            let _ = sender.send(format!("{start}{padding}\"}}").into());
        }
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn upgrade(upgrade: WebSocketUpgrade, State(sender): State<broadcast::Sender<Utf8Bytes>>) -> Response {
    upgrade.read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0).on_upgrade(async move |mut socket| {
        let mut messages = sender.subscribe();
        while let Ok(message) = messages.recv().await {
            if socket.send(Message::Text(message)).await.is_err() {
                break;
            }
        }
    })
}
