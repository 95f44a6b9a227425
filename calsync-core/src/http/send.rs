//! Sending: the one place that adds a token, repeats, counts and gives up.
//!
//! Every call of calsync is safe to repeat: reads are, creations carry an id of their own, changes and deletions carry the
//! expected revision. So a failure is repeated here as long as its [`Retry`] says that this can help, attempts are left, and
//! the deadline of the run has not passed. If any attempt may have arrived, the final error says so. A 401 is answered by
//! one new token and one repeat. Nothing of a request or an answer is logged but method, path template, status and reason.

use super::call::{BaseUrl, Call};
use super::retry::{Backoff, next_wait};
use super::{Transport, TransportError};
use crate::clock::{Clock, Entropy, EntropyExt};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::provider::Effort;
use crate::secret::Secret;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Gives access tokens. Implementations cache them and renew them ahead of their end.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token to act for `subject` with.
    async fn token(&self, subject: &str, effort: &Effort) -> Result<Secret>;

    /// The service refused this token: forget it, unless it was replaced meanwhile.
    fn refused(&self, subject: &str, token: &Secret);
}

/// Sends calls to one API.
#[derive(Clone)]
pub struct Sender {
    base: BaseUrl,
    transport: Arc<dyn Transport>,
    tokens: Option<Arc<dyn TokenSource>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backoff: Backoff,
}

impl Sender {
    /// Sends to `base` without credentials, until [`Sender::with_tokens`].
    pub fn new(
        base: BaseUrl,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { base, transport, tokens: None, clock, entropy, backoff: Backoff::default() }
    }

    /// Adds a bearer token to every request.
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenSource>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Other bounds of repeating. Default: [`Backoff::default`].
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Where this sends to.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends one call on behalf of `subject`.
    ///
    /// # Errors
    /// What the service said last, or [`ErrorKind::Limit`] when the run's time is up before the first attempt.
    pub async fn send<C: Call>(&self, call: &C, subject: &str, effort: &Effort) -> Result<C::Output> {
        let mut attempt = 0;
        let mut renewed = false;
        let mut maybe_sent = false;
        loop {
            attempt += 1;
            if effort.deadline().is_some_and(|deadline| self.clock.monotonic() >= deadline) {
                let error = Error::new(ErrorKind::Limit, "the run's time is up").later();
                return Err(if maybe_sent { error.maybe_sent() } else { error });
            }
            let mut request = call.request(&self.base)?;
            let token = match &self.tokens {
                Some(tokens) => Some(tokens.token(subject, effort).await.map_err(|e| mark(e, maybe_sent))?),
                None => None,
            };
            if let Some(token) = &token {
                let value = http::HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
                let mut value =
                    value.map_err(|_| Error::new(ErrorKind::Config, "the access token cannot be sent"))?;
                value.set_sensitive(true);
                request.headers_mut().insert(http::header::AUTHORIZATION, value);
            }
            effort.spend();
            let outcome = match self.transport.send(request).await {
                Ok(answer) => {
                    tracing::debug!(
                        call = call_name(call),
                        status = answer.status().as_u16(),
                        attempt,
                        "answered"
                    );
                    call.parse(&answer)
                }
                Err(error) => Err(lost(error)),
            };
            let error = match outcome {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            maybe_sent |= error.may_have_been_sent();
            if error.kind() == ErrorKind::Unauthorized
                && !renewed
                && let (Some(tokens), Some(token)) = (&self.tokens, &token)
            {
                renewed = true;
                tokens.refused(subject, token);
                continue;
            }
            let asked = match error.retry() {
                Retry::Never => return Err(mark(error, maybe_sent)),
                Retry::Later => None,
                Retry::After(wait) => Some(wait),
            };
            let Some(wait) = next_wait(&self.backoff, attempt, asked, self.entropy.below(u64::MAX)) else {
                return Err(mark(error, maybe_sent));
            };
            let too_late =
                effort.deadline().is_some_and(|deadline| self.clock.monotonic() + wait >= deadline);
            if too_late || wait > Duration::from_secs(120) {
                return Err(mark(error, maybe_sent));
            }
            tracing::debug!(call = call_name(call), kind = error.kind().as_str(), attempt, ?wait, "waiting");
            self.clock.sleep(wait).await;
        }
    }
}

/// Says where it sends to. What is below keeps requests or tokens in ways that this cannot know, so it is not printed.
impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("base", &self.base).field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

fn mark(error: Error, maybe_sent: bool) -> Error {
    if maybe_sent { error.maybe_sent() } else { error }
}

fn lost(error: TransportError) -> Error {
    let kind = if error.limit { ErrorKind::Limit } else { ErrorKind::Unavailable };
    let mut lost = Error::new(kind, "no answer from the service").with("cause", &error.message);
    if !error.limit {
        lost = lost.later();
    }
    if error.maybe_sent { lost.maybe_sent() } else { lost }
}

/// The type's name only: the values of a call may be content.
fn call_name<C: Call>(_: &C) -> &'static str {
    let name = std::any::type_name::<C>();
    name.rsplit("::").next().unwrap_or(name)
}
