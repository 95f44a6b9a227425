//! A worker to be killed: runs all bindings of a store again and again, and says at each request how far it is.
//!
//! ```sh
//! crash-worker http://127.0.0.1:4112 calsync.db 300 amy@example.com bob@example.com
//! ```
//!
//! The arguments are the address of a fake Google, the store, by how many seconds its clock is ahead (so that the lease of a
//! worker that was killed has run out without anybody waiting for it), and the people: the names of the providers, whose
//! refresh tokens are made of them. Each line on standard output is one step: `run`, `request` and `answer`, the last two with
//! the method, or `token`. It ends when it is
//! killed, or when something goes wrong that being killed does not explain.

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::clock::{Clock, SystemClock};
use calsync_core::engine::Engine;
use calsync_core::http::{ReqwestTransport, Transport, TransportError};
use calsync_core::{Error, ErrorKind, Result, Secret};
use calsync_google::{Endpoints, Google, OAuthClient};
use calsync_sqlite::SqliteStore;
use calsync_testkit::marked::{CLIENT_SECRET, refresh_token};
use chrono::{DateTime, Utc};
use std::convert::Infallible;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    calsync_testkit::keep_logs();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("crash-worker: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work(std::env::args().skip(1).collect())) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("crash-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn work(arguments: Vec<String>) -> Result<Infallible> {
    let usage = || {
        let usage = "usage: crash-worker BASE_URL STORE CLOCK_AHEAD_SECONDS PERSON...";
        Error::new(ErrorKind::Config, usage)
    };
    let [base, store, ahead, people @ ..] = arguments.as_slice() else { return Err(usage()) };
    let ahead = Duration::from_secs(ahead.parse().map_err(|_| usage())?);
    let clock = Arc::new(AheadClock(ahead));
    let store = SqliteStore::builder(store).clock(clock.clone()).open().await?;
    let mut engine = Engine::builder(store).clock(clock.clone());
    let transport = Arc::new(TellingTransport(ReqwestTransport::new()?));
    for person in people {
        let client = OAuthClient { id: "client".into(), secret: Secret::new(CLIENT_SECRET) };
        let google = Google::refresh_token(client, Secret::new(refresh_token(person)))
            .endpoints(Endpoints::under(base)?)
            .transport(transport.clone())
            .clock(clock.clone())
            .page_size(4)
            .build()?;
        engine = engine.provider(person.as_str(), google);
    }
    let engine = engine.page_records_max(3).build()?;
    loop {
        for binding in engine.bindings().await? {
            tell("run");
            engine.run(&binding).await?;
        }
    }
}

/// The system's clock, ahead by a fixed time.
#[derive(Debug)]
struct AheadClock(Duration);

#[async_trait]
impl Clock for AheadClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

/// Says before each request that it leaves, and after it that its answer is there.
#[derive(Debug)]
struct TellingTransport(ReqwestTransport);

#[async_trait]
impl Transport for TellingTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let token = request.uri().path().ends_with("/token");
        let what = if token { "token".to_owned() } else { request.method().to_string() };
        tell(&format!("request {what}"));
        let answer = self.0.send(request).await;
        tell(&format!("answer {what}"));
        answer
    }
}

/// One line, at once. A parent that does not listen any more is no reason to end: it is about to kill.
fn tell(step: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{step}").and_then(|()| out.flush());
}
