//! Every place where the engine waits for something outside itself, as a gate that a simulation controls.
//!
//! A store, a transport and a clock are wrapped so that each call passes the gate before its effect and again after it. At a
//! gate the executor may let other things happen (a user edits, another worker goes on), or crash the process: the future is
//! simply not polled again and dropped. So a crash is possible before the effect, and after the effect with the answer lost.

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::Result;
use calsync_core::clock::{Clock, Entropy, EntropyExt, SeededEntropy};
use calsync_core::http::{Transport, TransportError};
use chrono::{DateTime, Utc};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::fake_google::{Delivery, FakeGoogle};
use crate::tapped_store::{Tap, TappedStore};

/// Counts the gates passed, and closes one of them for good.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    passed: u64,
    crash_at: Option<u64>,
    crashed: bool,
    yields: bool,
}

impl Gate {
    /// A gate that lets everything pass, and gives the executor the chance to do something else at each (`yields`).
    pub fn new(yields: bool) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(GateState { yields, ..GateState::default() }) })
    }

    /// The `n`-th gate from now on is never passed.
    pub fn crash_after(&self, n: u64) {
        let mut state = self.lock();
        state.crash_at = Some(state.passed + n);
        state.crashed = false;
    }

    /// Nothing crashes any more.
    pub fn open(&self) {
        let mut state = self.lock();
        state.crash_at = None;
        state.crashed = false;
    }

    /// How many gates were passed.
    pub fn passed(&self) -> u64 {
        self.lock().passed
    }

    /// Whether the process is dead: its future must be dropped.
    pub fn crashed(&self) -> bool {
        self.lock().crashed
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Passes the gate, or never returns.
    pub async fn pass(&self) {
        let (crash, yields) = {
            let mut state = self.lock();
            state.passed += 1;
            let crash = state.crash_at.is_some_and(|at| state.passed >= at);
            state.crashed |= crash;
            (crash, state.yields)
        };
        if crash {
            std::future::pending::<()>().await;
        }
        if yields {
            YieldOnce(false).await;
        }
    }
}

struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What became of a process.
#[derive(Debug)]
pub enum Ended<T> {
    /// It came to its end.
    Finished(T),
    /// It crashed at a gate.
    Crashed,
}

/// Polls a future on this thread until it ends or its gate crashes it; `between` runs at every gate.
pub fn drive<T>(gate: &Gate, future: impl Future<Output = T>, mut between: impl FnMut()) -> Ended<T> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Ended::Finished(value),
            Poll::Pending if gate.crashed() => return Ended::Crashed,
            Poll::Pending => between(),
        }
    }
}

/// Polls a future that waits for nothing.
///
/// # Panics
/// When it waits after all.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("this future was not to wait"),
    }
}

/// A clock that only sleeping and the simulation move.
#[derive(Debug)]
pub struct SimClock(Mutex<(DateTime<Utc>, Duration)>);

impl SimClock {
    /// A clock that reads `now`.
    pub fn new(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new((now, Duration::ZERO))))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reading.0 += chrono::Duration::from_std(by).unwrap_or_default();
        reading.1 += by;
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// How often what goes wrong on the way to Google and back, in thousandths of all requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultRates {
    /// The request never arrives.
    pub lost_request: u64,
    /// The work is done, the answer is lost.
    pub lost_answer: u64,
    /// The work is done, the answer is cut in the middle.
    pub cut_answer: u64,
    /// 503 without any work done.
    pub unavailable: u64,
    /// 429, with `Retry-After` half of the time.
    pub rate_limited: u64,
    /// 403 `rateLimitExceeded`.
    pub rate_forbidden: u64,
    /// All access tokens die.
    pub tokens_expire: u64,
    /// All sync tokens die.
    pub sync_tokens_expire: u64,
    /// A proxy answers 200 with a page of its own.
    pub html: u64,
}

/// Sees an exchange: method, path, body, status and body of the answer.
pub type Watch = fn(&http::Method, &str, &[u8], u16, &[u8]);

/// A way to the fake Google that passes a gate before and after each request, and fails now and then.
#[derive(Debug)]
pub struct SimTransport {
    /// The other end.
    pub fake: Arc<Mutex<FakeGoogle>>,
    /// What time it is there.
    pub clock: Arc<SimClock>,
    /// The gate.
    pub gate: Arc<Gate>,
    /// How often it fails.
    pub rates: Arc<Mutex<FaultRates>>,
    /// When it fails.
    pub chance: Arc<SeededEntropy>,
    /// Sees every exchange that took place.
    pub watch: Option<Watch>,
}

#[async_trait]
impl Transport for SimTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.gate.pass().await;
        let fault = self.fault();
        let lost =
            |maybe_sent| TransportError { message: "the connection broke".into(), maybe_sent, limit: false };
        let plain = |status: u16, body: &'static str| {
            let response =
                http::Response::builder().status(status).header("content-type", "application/json");
            response.body(Bytes::from_static(body.as_bytes())).map_err(|_| lost(true))
        };
        match fault {
            Fault::LostRequest => return Err(lost(true)),
            Fault::Unavailable => return plain(503, "busy"),
            Fault::RateLimited => {
                return plain(
                    429,
                    r#"{"error":{"code":429,"message":"Rate Limit Exceeded","errors":[{"domain":"usageLimits","reason":"rateLimitExceeded","message":"Rate Limit Exceeded"}]}}"#,
                );
            }
            Fault::RateForbidden => {
                return plain(
                    403,
                    r#"{"error":{"code":403,"message":"User Rate Limit Exceeded","errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded","message":"User Rate Limit Exceeded"}]}}"#,
                );
            }
            Fault::Html => return plain(200, "<html>please log in</html>"),
            _ => {}
        }
        let answer = {
            let mut fake = self.fake.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match fault {
                Fault::TokensExpire => fake.expire_access_tokens(),
                Fault::SyncTokensExpire => fake.expire_sync_tokens(),
                _ => {}
            }
            let (method, path) = (request.method().clone(), request.uri().to_string());
            let body = request.body().clone();
            let answer = fake.handle(self.clock.now(), request);
            if let Some(watch) = self.watch {
                watch(&method, &path, &body, answer.response.status().as_u16(), answer.response.body());
            }
            answer
        };
        // A crash here is one whose request was carried out.
        self.gate.pass().await;
        match (fault, answer.delivery) {
            (Fault::LostAnswer, _) | (_, Delivery::LostAfterWork | Delivery::LostBeforeWork) => {
                Err(lost(true))
            }
            (Fault::CutAnswer, _) | (_, Delivery::Truncated { .. }) => Err(lost(true)),
            (_, Delivery::Whole | Delivery::Slow { .. }) => Ok(answer.response),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    LostRequest,
    LostAnswer,
    CutAnswer,
    Unavailable,
    RateLimited,
    RateForbidden,
    TokensExpire,
    SyncTokensExpire,
    Html,
}

impl SimTransport {
    fn fault(&self) -> Fault {
        let rates = *self.rates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut roll = self.chance.below(1000);
        for (rate, fault) in [
            (rates.lost_request, Fault::LostRequest),
            (rates.lost_answer, Fault::LostAnswer),
            (rates.cut_answer, Fault::CutAnswer),
            (rates.unavailable, Fault::Unavailable),
            (rates.rate_limited, Fault::RateLimited),
            (rates.rate_forbidden, Fault::RateForbidden),
            (rates.tokens_expire, Fault::TokensExpire),
            (rates.sync_tokens_expire, Fault::SyncTokensExpire),
            (rates.html, Fault::Html),
        ] {
            if roll < rate {
                return fault;
            }
            roll -= rate;
        }
        Fault::None
    }
}

/// Random bytes that are the same for the same seed, shared by whoever holds them.
#[derive(Clone, Debug)]
pub struct SharedEntropy(pub Arc<SeededEntropy>);

impl Entropy for SharedEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// A store that passes a gate before and after each call that writes, or that a decision hangs on.
pub type SimStore<S> = TappedStore<S, Arc<Gate>>;

const GATED: [&str; 6] = ["commit", "lease", "renew", "release", "families", "record_changes"];

#[async_trait]
impl Tap for Arc<Gate> {
    async fn before(&self, call: &'static str) -> Result<()> {
        if GATED.contains(&call) {
            self.pass().await;
        }
        Ok(())
    }

    async fn after(&self, call: &'static str) {
        if GATED.contains(&call) {
            self.pass().await;
        }
    }
}
