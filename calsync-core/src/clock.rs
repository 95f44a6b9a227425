//! Time and chance, from outside.
//!
//! This is the only file that asks the operating system for the time or for random bytes. Everything else is handed a
//! [`Clock`] and an [`Entropy`], so that a seeded run is the same run twice, and a simulation owns both. Wall time is for data
//! and for status; waiting and lease limits use the monotonic reading, which no clock change moves.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// What time it is, and how to wait.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Wall time. It may jump, also backwards.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some moment in the past; never goes back.
    fn monotonic(&self) -> Duration;
    /// Returns when `duration` has passed. Safe to cancel.
    async fn sleep(&self, duration: Duration);
}

/// Random bytes.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Helpers that every [`Entropy`] has.
pub trait EntropyExt: Entropy {
    /// 128 random bits in 32 hexadecimal digits.
    fn hex(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// A number below `bound`, near enough to even for jitter; 0 when `bound` is 0.
    fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        if bound == 0 { 0 } else { u64::from_le_bytes(bytes) % bound }
    }
}

impl<E: Entropy + ?Sized> EntropyExt for E {}

/// The operating system's clock, waiting on tokio's timer.
#[cfg(feature = "system")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "system")]
#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The operating system's random numbers.
#[cfg(feature = "system")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

#[cfg(feature = "system")]
impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no random numbers to give: nothing that needs one may go on with guessable bytes.
    #[allow(clippy::expect_used)]
    fn fill(&self, bytes: &mut [u8]) {
        use ring::rand::SecureRandom;
        ring::rand::SystemRandom::new().fill(bytes).expect("the operating system has no random numbers");
    }
}

/// A clock that stands still until told otherwise; sleeping moves it. For tests and simulations.
#[derive(Debug)]
pub struct ManualClock(Mutex<(DateTime<Utc>, Duration)>);

impl ManualClock {
    /// A clock that reads `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new((now, Duration::ZERO)))
    }

    /// Lets time pass on both readings.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.lock();
        reading.0 += chrono::Duration::from_std(by).unwrap_or(chrono::Duration::MAX);
        reading.1 += by;
    }

    /// Sets wall time, as an administrator or a time server would; the monotonic reading does not notice.
    pub fn set(&self, now: DateTime<Utc>) {
        self.lock().0 = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (DateTime<Utc>, Duration)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.lock().1
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Random bytes that are the same for the same seed (SplitMix64). For tests and simulations; not for secrets.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
