//! The fake as a transport, so that the real provider talks to it without a socket.
//!
//! What the fake says about the delivery of an answer becomes what a client on a real network would see: a lost or cut
//! answer is a broken connection, and nobody can tell from it whether the work was done.

use super::{Answer, Delivery, FakeGoogle};
use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::clock::Clock;
use calsync_core::http::{BODY_BYTES_MAX, Transport, TransportError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A [`FakeGoogle`] behind calsync's transport. Clones share it.
#[derive(Clone, Debug)]
pub struct FakeTransport {
    google: Arc<Mutex<FakeGoogle>>,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
}

impl FakeTransport {
    /// In front of `google`, whose time is what `clock` says.
    pub fn new(google: FakeGoogle, clock: Arc<dyn Clock>) -> Self {
        Self { google: Arc::new(Mutex::new(google)), clock, body_bytes_max: BODY_BYTES_MAX }
    }

    /// Answers larger than this are refused, as the real transport refuses those beyond [`BODY_BYTES_MAX`].
    pub fn body_bytes_max(mut self, body_bytes_max: usize) -> Self {
        self.body_bytes_max = body_bytes_max;
        self
    }

    /// The fake, to arrange it and to look at what happened. Not to be held while the provider is being waited for.
    pub fn google(&self) -> MutexGuard<'_, FakeGoogle> {
        self.google.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for FakeTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let Answer { response, delivery } = self.google().handle(self.clock.now(), request);
        let broken = |message: &str| {
            Err(TransportError {
                message: message.to_owned(),
                maybe_sent: true,
                limit: false,
                fault: Default::default(),
            })
        };
        match delivery {
            Delivery::Whole => {}
            Delivery::LostAfterWork | Delivery::LostBeforeWork => return broken("failed: connection reset"),
            Delivery::Truncated { .. } => return broken("the answer broke off: unexpected end of file"),
            Delivery::Slow { pause } => {
                self.clock.sleep(pause.min(PATIENCE)).await;
                if pause > PATIENCE {
                    return broken("timed out: operation timed out");
                }
            }
        }
        if response.body().len() > self.body_bytes_max {
            let message = format!("the answer is larger than {} bytes", self.body_bytes_max);
            return Err(TransportError { message, maybe_sent: true, limit: true, fault: Default::default() });
        }
        Ok(response)
    }
}
