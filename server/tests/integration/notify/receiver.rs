//! An HTTP receiver that stores its requests and behaves as configured.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::common::eventually;

/// What it does with one request.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    /// With this text.
    Saying(u16, &'static str),
    /// With an additional header.
    With(u16, &'static str, String),
    /// Closes the connection after the request.
    Cut,
    /// Never answers.
    Silence,
    /// Answers after a delay.
    Slow(Duration),
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
    /// The body as received, which may not be text.
    pub bytes: Vec<u8>,
    pub at_ms: i64,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

#[derive(Default)]
struct State {
    got: Vec<Got>,
    /// Behaviour for the next requests; 200 when the list is empty.
    script: VecDeque<Answer>,
}

/// See the module. Ends on drop.
pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start() -> Self {
        Self::scripted(&[]).await
    }

    /// Behaves like this for the first requests, then answers 200.
    pub async fn scripted(script: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { got: Vec::new(), script: script.iter().cloned().collect() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Receiver { url, state, task }
    }

    /// The requests so far.
    pub fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    /// Sets the behaviour for the next requests.
    pub fn then(&self, answers: &[Answer]) {
        self.state.lock().unwrap().script = answers.iter().cloned().collect();
    }

    /// Waits until this many requests have arrived, and returns them.
    pub async fn got_count(&self, count: usize) -> Vec<Got> {
        eventually(&format!("{count} requests at a receiver"), async || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
        .await
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let answer = {
            let mut state = state.lock().unwrap();
            state.got.push(request);
            state.script.pop_front().unwrap_or(Answer::Status(200))
        };
        let text = match answer {
            Answer::Status(status) => format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok"),
            Answer::Saying(status, words) => {
                format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{words}", words.len())
            }
            Answer::With(status, name, value) => {
                format!("HTTP/1.1 {status} x\r\n{name}: {value}\r\ncontent-length: 0\r\n\r\n")
            }
            Answer::Cut => return,
            Answer::Silence => std::future::pending().await,
            Answer::Slow(wait) => {
                tokio::time::sleep(wait).await;
                "HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
        match line.trim().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    Some(Got { path, headers, body: text, bytes: body, at_ms: crate::common::now_ms() })
}
