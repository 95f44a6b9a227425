//! The way to the fake Google: a gate before and after each request, and what goes wrong between.
//!
//! Two kinds of disturbance: rates, drawn anew for each request, for histories in which anything may fail at any time; and what
//! an [injector](super::injector) has armed, for those that are directed at one fault and one kind of request.

use super::coverage::{Step, Trouble};
use super::gate::{Gate, SimClock};
use super::injector::{Injector, Order};
use super::refreshes::{self, Refreshes};
use super::wire::{self, Sent};
use crate::fake_google::{Delivery, FakeGoogle, Fault as Injected, FaultKind, Route};
use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::clock::{Clock, EntropyExt, SeededEntropy};
use calsync_core::http::{Transport, TransportError};
use std::sync::{Arc, Mutex, MutexGuard};

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
    /// What is known of tokens that were given anew.
    pub refreshes: Arc<Mutex<Refreshes>>,
    /// When it fails.
    pub chance: Arc<SeededEntropy>,
    /// Sees every exchange that took place.
    pub watch: Option<Watch>,
}

#[async_trait]
impl Transport for SimTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let refresh = refreshes::is_one(&request);
        if refresh {
            self.gate.refreshes();
        }
        self.gate.pass().await;
        if let Some(injector) = self.gate.injector() {
            return self.send_disturbed(request, &injector).await;
        }
        let fault = self.fault();
        let lost = |maybe_sent| TransportError {
            message: "the connection broke".into(),
            maybe_sent,
            limit: false,
            fault: Default::default(),
        };
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
                Fault::TokensExpire => {
                    fake.expire_access_tokens();
                    self.refreshes().none_is_good_any_more();
                }
                Fault::SyncTokensExpire => fake.expire_sync_tokens(),
                _ => {}
            }
            let (method, path) = (request.method().clone(), request.uri().to_string());
            let body = request.body().clone();
            let answer = fake.handle(self.clock.now(), request);
            if let Some(watch) = self.watch {
                watch(&method, &path, &body, answer.response.status().as_u16(), answer.response.body());
            }
            let arrives = !matches!(fault, Fault::LostAnswer | Fault::CutAnswer);
            if refresh && let Some(account) = fake.journal().last().and_then(|entry| entry.subject.as_deref())
            {
                self.refreshes().given(account, self.clock.now(), &self.gate, arrives);
                self.gate.hears_of(account);
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
    fn refreshes(&self) -> MutexGuard<'_, Refreshes> {
        self.refreshes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn handle(&self, injector: &Injector, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let now = self.clock.now() + injector.skew();
        self.fake.lock().unwrap_or_else(std::sync::PoisonError::into_inner).handle(now, request).response
    }

    /// As [`Transport::send`], with the faults that are armed.
    async fn send_disturbed(
        &self,
        request: http::Request<Bytes>,
        injector: &Arc<Injector>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let about = wire::About::of(&request);
        for late in injector.due(false) {
            self.handle(injector, late);
        }
        if let Some(answer) = wire::lasting(&about, injector, &self.clock) {
            return Ok(answer);
        }
        let event = about.event.clone().map(|event| (about.calendar.clone(), event));
        let met = self.gate.meet(about.step, event.clone(), |trouble| about.suits(trouble)).await;
        let trouble = met.map(|(trouble, _)| trouble);
        if let Some(trouble @ (Trouble::Status404 | Trouble::Status410)) = trouble
            && wire::must_be_true(trouble, about.step)
        {
            // Made true by whoever has the world in hand, and told then.
            self.gate.order(Order { trouble, event }).await;
        }
        let sent = {
            let lists = about.step == Step::ListFull;
            let mut fake = self.fake.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let sent = wire::before(trouble, &about, &request, injector, &mut fake, &self.clock);
            if lists && injector.lasting(&about.calendar) == Some(Trouble::EmptyListing) {
                fake.inject(Injected::new(FaultKind::EmptyListing).on(Route::ListEvents));
            }
            sent
        };
        let answer = match sent {
            Sent::Answered(answer) => answer,
            Sent::Broken(error) => return Err(error),
            Sent::Goes => {
                let twice = (trouble == Some(Trouble::Twice)).then(|| wire::copy(&request));
                let answer = self.handle(injector, request);
                match twice {
                    Some(request) => self.handle(injector, request),
                    None => answer,
                }
            }
        };
        self.gate.pass().await;
        // The only error there is a store's.
        let _ = self.gate.happened().await;
        wire::after(trouble, &about, answer, injector, &self.clock)
    }

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
