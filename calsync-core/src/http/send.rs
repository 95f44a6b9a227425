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

    /// The one account that calendars are shared with, if there is one, as far as it is known without asking: who meets an error mends it
    /// by sharing a calendar with that. Default: none.
    fn account(&self) -> Option<String> {
        None
    }
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

    /// The one account that acts for everybody, as its tokens know it.
    pub fn account(&self) -> Option<String> {
        self.tokens.as_ref()?.account()
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
        f.debug_struct("Sender")
            .field("base", &self.base)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SeededEntropy};
    use bytes::Bytes;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    /// What the service does, one word an attempt.
    #[derive(Debug)]
    struct Service {
        script: Mutex<VecDeque<&'static str>>,
        tokens: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Transport for Service {
        async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
            let token = request.headers().get("authorization").map(|v| v.to_str().expect("text").to_owned());
            self.tokens.lock().expect("whole").extend(token);
            let word = self.script.lock().expect("whole").pop_front().expect("a word for every attempt");
            let lost = |maybe_sent, limit| {
                Err(TransportError { message: word.into(), maybe_sent, limit, fault: Default::default() })
            };
            match word {
                "refused" => lost(false, false),
                "lost" => lost(true, false),
                "large" => lost(true, true),
                _ => Ok(http::Response::new(Bytes::from_static(word.as_bytes()))),
            }
        }
    }

    /// Reads the word as what the service said.
    #[derive(Debug)]
    struct Ask;

    impl Call for Ask {
        type Output = ();

        fn request(&self, base: &BaseUrl) -> Result<http::Request<Bytes>> {
            Ok(http::Request::get(base.as_str()).body(Bytes::new()).expect("a request"))
        }

        fn parse(&self, answer: &http::Response<Bytes>) -> Result<()> {
            let error = |kind| Error::new(kind, "told");
            Err(match std::str::from_utf8(answer.body()).expect("a word") {
                "fine" => return Ok(()),
                "slower" => error(ErrorKind::RateLimited).later(),
                "in 7 s" => error(ErrorKind::RateLimited).after(Duration::from_secs(7)),
                "in hours" => error(ErrorKind::QuotaExhausted).after(Duration::from_secs(3600)),
                "broken" => error(ErrorKind::Unavailable).later().maybe_sent(),
                "moved" => error(ErrorKind::PreconditionFailed),
                "who?" => error(ErrorKind::Unauthorized),
                other => panic!("{other}"),
            })
        }
    }

    #[derive(Debug, Default)]
    struct Tokens(Mutex<u32>);

    #[async_trait]
    impl TokenSource for Tokens {
        async fn token(&self, subject: &str, _: &Effort) -> Result<Secret> {
            Ok(Secret::new(format!("neversay-{subject}-{}", self.0.lock().expect("whole"))))
        }

        fn refused(&self, _: &str, _: &Secret) {
            *self.0.lock().expect("whole") += 1;
        }
    }

    struct World {
        clock: Arc<ManualClock>,
        service: Arc<Service>,
        sender: Sender,
        effort: Effort,
    }

    fn world(script: &[&'static str]) -> World {
        crate::captured::begin();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().expect("an instant")));
        let service = Arc::new(Service {
            script: Mutex::new(script.iter().copied().collect()),
            tokens: Mutex::default(),
        });
        let base = BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address");
        let sender = Sender::new(base, service.clone(), clock.clone(), Arc::new(SeededEntropy::new(3)))
            .with_tokens(Arc::new(Tokens::default()));
        World { clock, service, sender, effort: Effort::default() }
    }

    impl World {
        async fn send(&self) -> Result<()> {
            self.sender.send(&Ask, "amy", &self.effort).await
        }

        fn left(&self) -> usize {
            self.service.script.lock().expect("whole").len()
        }
    }

    #[track_caller]
    fn failed(result: Result<()>, kind: ErrorKind, maybe_sent: bool) -> Error {
        let error = result.expect_err("no success");
        assert_eq!((error.kind(), error.may_have_been_sent()), (kind, maybe_sent), "{error}");
        error
    }

    #[tokio::test]
    async fn what_can_help_is_repeated_and_every_attempt_is_counted() {
        let world = world(&["slower", "broken", "refused", "fine"]);
        world.send().await.expect("success");
        assert_eq!(world.effort.requests(), 4);
        assert!(world.clock.monotonic() < Duration::from_millis(500 + 1000 + 2000));
    }

    #[tokio::test]
    async fn what_cannot_help_is_not_repeated() {
        let world = world(&["moved", "fine"]);
        failed(world.send().await, ErrorKind::PreconditionFailed, false);
        assert_eq!(world.left(), 1);
    }

    #[tokio::test]
    async fn attempts_are_bounded() {
        let world = world(&["broken"; 6]);
        let error = failed(world.send().await, ErrorKind::Unavailable, true);
        assert_eq!((world.left(), error.retry()), (1, Retry::Later));
    }

    #[tokio::test]
    async fn the_service_s_own_wait_is_kept_and_one_that_is_too_long_is_handed_on() {
        let short = world(&["in 7 s", "fine"]);
        short.send().await.expect("success");
        assert!(short.clock.monotonic() >= Duration::from_secs(7));
        let long = world(&["in hours", "fine"]);
        let error = failed(long.send().await, ErrorKind::QuotaExhausted, false);
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(3600)));
        assert_eq!((long.left(), long.clock.monotonic()), (1, Duration::ZERO));
    }

    #[tokio::test]
    async fn nothing_starts_after_the_deadline_and_no_wait_crosses_it() {
        let mut crossing = world(&["in 7 s", "fine"]);
        crossing.effort = Effort::until(Duration::from_secs(5));
        let error = failed(crossing.send().await, ErrorKind::RateLimited, false);
        assert_eq!((crossing.left(), error.retry()), (1, Retry::After(Duration::from_secs(7))));
        let mut late = world(&["fine"]);
        late.effort = Effort::until(Duration::from_secs(5));
        late.clock.advance(Duration::from_secs(5));
        failed(late.send().await, ErrorKind::Limit, false);
        assert_eq!((late.left(), late.effort.requests()), (1, 0));
    }

    #[tokio::test]
    async fn a_token_that_is_refused_is_replaced_once_without_waiting() {
        let once = world(&["who?", "fine"]);
        once.send().await.expect("success");
        assert_eq!(
            *once.service.tokens.lock().expect("whole"),
            ["Bearer neversay-amy-0", "Bearer neversay-amy-1"]
        );
        assert_eq!(once.clock.monotonic(), Duration::ZERO);
        let twice = world(&["who?", "who?", "fine"]);
        failed(twice.send().await, ErrorKind::Unauthorized, false);
        assert_eq!(twice.left(), 1);
    }

    #[tokio::test]
    async fn a_write_that_may_have_happened_once_may_have_happened_whatever_came_later() {
        failed(world(&["lost", "moved"]).send().await, ErrorKind::PreconditionFailed, true);
        failed(world(&["broken", "who?", "who?"]).send().await, ErrorKind::Unauthorized, true);
        failed(world(&["refused", "moved"]).send().await, ErrorKind::PreconditionFailed, false);
        let mut late = world(&["lost", "fine"]);
        late.effort = Effort::until(Duration::from_millis(1));
        failed(late.send().await, ErrorKind::Unavailable, true);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_not_asked_for_again() {
        let world = world(&["large", "fine"]);
        let error = failed(world.send().await, ErrorKind::Limit, true);
        assert_eq!((world.left(), error.retry()), (1, Retry::Never));
    }

    #[test]
    fn a_sender_prints_no_token() {
        assert!(!format!("{:?}", world(&[]).sender).contains("amy"));
    }
}
