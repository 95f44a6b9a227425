//! A store that fails: from the n-th call on, as a database does that is closed or read half-way.

use async_trait::async_trait;
use calsync_core::{Error, Result};
use calsync_testkit::tapped_store::{Tap, TappedStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Debug)]
pub(crate) struct Shaky {
    /// So many calls succeed; negative for all.
    good: Arc<AtomicI64>,
    error: fn() -> Error,
    once: bool,
}

/// Fails from then on.
pub(crate) fn failing<S>(inner: S, good: Arc<AtomicI64>, error: fn() -> Error) -> TappedStore<S, Shaky> {
    TappedStore { inner, tap: Shaky { good, error, once: false } }
}

/// Fails one call only, as a database does that is busy for a moment or full for this one row.
#[allow(dead_code, reason = "each test program uses its own part")]
pub(crate) fn failing_once<S>(inner: S, good: Arc<AtomicI64>, error: fn() -> Error) -> TappedStore<S, Shaky> {
    TappedStore { inner, tap: Shaky { good, error, once: true } }
}

#[async_trait]
impl Tap for Shaky {
    async fn before(&self, _call: &'static str) -> Result<()> {
        match self.good.load(Ordering::Relaxed) {
            0 => {
                if self.once {
                    self.good.store(-1, Ordering::Relaxed);
                }
                Err((self.error)())
            }
            good if good > 0 => {
                self.good.store(good - 1, Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
