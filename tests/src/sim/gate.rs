//! Every place where the engine waits for something outside itself, as a gate that a simulation controls.
//!
//! A store, a transport and a clock are wrapped so that each call passes the gate before its effect and again after it. At a
//! gate the executor may let other things happen (a user edits, another worker goes on), or crash the process: the future is
//! simply not polled again and dropped. So a crash is possible before the effect, and after the effect with the answer lost.

use async_trait::async_trait;
use calsync_core::Result;
use calsync_core::clock::{Clock, Entropy, SeededEntropy};
use chrono::{DateTime, Utc};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::coverage::{Step, Trouble};
use super::injector::{Injector, Order};
use crate::tapped_store::{Tap, TappedStore};
use calsync_core::store::Batch;
use calsync_core::{Error, ErrorKind};

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
    /// Between asking Google for a new token and giving the grant back to others.
    refreshing: bool,
    /// Whose new token it has that nobody else has yet.
    news: Option<String>,
    /// After so many gates of that it crashes.
    crash_refreshing: Option<u64>,
    /// Faults that meet steps, and whether they meet those of this process.
    injector: Option<(Arc<Injector>, bool)>,
    /// What the driver has to do before it goes on.
    orders: Vec<Order>,
    /// What happens once the effect of the step is there.
    afterwards: Option<(Trouble, Step)>,
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

    /// As [`Gate::crash_after`], from the next request for a new token on.
    pub fn crash_in_a_refresh(&self, n: u64) {
        self.lock().crash_refreshing = Some(n);
    }

    /// Nothing crashes any more.
    pub fn open(&self) {
        let mut state = self.lock();
        state.crash_at = None;
        state.crashed = false;
        state.crash_refreshing = None;
    }

    /// Google is about to be asked for a new token.
    pub fn refreshes(&self) {
        let mut state = self.lock();
        state.refreshing = true;
        if let Some(n) = state.crash_refreshing.take() {
            state.crash_at = Some(state.passed + n);
        }
    }

    /// Google gave a new token for this account.
    pub fn hears_of(&self, account: &str) {
        self.lock().news = Some(account.to_owned());
    }

    /// Whether the process is at a new token that nobody else has yet.
    pub fn refreshing(&self) -> bool {
        self.lock().refreshing
    }

    /// Whether it has one of this account.
    pub fn has_news_of(&self, account: &str) -> bool {
        self.lock().news.as_deref() == Some(account)
    }

    /// From now on nobody else gets a turn at it.
    pub fn let_nobody_in(&self) {
        self.lock().yields = false;
    }

    /// How many gates were passed.
    pub fn passed(&self) -> u64 {
        self.lock().passed
    }

    /// Whether the process is dead: its future must be dropped.
    pub fn crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Faults come from here; those that last concern this process as well if they do not meet its steps.
    pub fn attach(&self, injector: Arc<Injector>, meets: bool) {
        self.lock().injector = Some((injector, meets));
    }

    /// Where faults come from.
    pub fn injector(&self) -> Option<Arc<Injector>> {
        self.lock().injector.as_ref().map(|(injector, _)| Arc::clone(injector))
    }

    /// What the driver has to do now.
    pub fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.lock().orders)
    }

    /// Lets whoever drives the run do this before it goes on.
    pub(super) async fn order(&self, order: Order) {
        self.lock().orders.push(order);
        YieldOnce(false).await;
    }

    /// The process is dead.
    pub async fn die(&self) {
        self.lock().crashed = true;
        std::future::pending::<()>().await;
    }

    /// Meets what is armed for a step. What can happen anywhere happens here; the rest is for the caller.
    pub async fn meet(
        &self,
        step: Step,
        event: Option<(String, String)>,
        suits: impl Fn(Trouble) -> bool,
    ) -> Option<(Trouble, Arc<Injector>)> {
        let (injector, meets) = self.lock().injector.clone()?;
        if !meets {
            return None;
        }
        let trouble = injector.meet(step, suits)?;
        match trouble {
            Trouble::CrashBefore => {
                injector.hit(trouble, step);
                self.die().await;
            }
            Trouble::CrashAfter => {
                self.lock().afterwards = Some((trouble, step));
                return None;
            }
            // The process dies, and whoever drove it does the rest.
            Trouble::StoreBack | Trouble::StoreLost => {
                injector.hit(trouble, step);
                self.lock().orders.push(Order { trouble, event });
                self.die().await;
            }
            _ if is_order(trouble) => {
                injector.hit(trouble, step);
                self.order(Order { trouble, event }).await;
                return None;
            }
            _ => {}
        }
        Some((trouble, injector))
    }

    /// The effect of a step is there.
    pub(super) async fn happened(&self) -> Result<()> {
        let (afterwards, injector) = {
            let mut state = self.lock();
            (state.afterwards.take(), state.injector.clone())
        };
        if let (Some((trouble, step)), Some((injector, _))) = (afterwards, injector) {
            injector.hit(trouble, step);
            if trouble == Trouble::CrashAfter {
                self.die().await;
            }
            return Err(Error::new(ErrorKind::Store, "the store was lost before it answered").later());
        }
        Ok(())
    }

    /// A call of the CRM: fails, or is left to the caller.
    ///
    /// # Errors
    /// The CRM's, or the connection's to it.
    pub async fn host(&self, step: Step) -> Result<Option<Trouble>> {
        match self.meet(step, None, |_| true).await {
            Some((trouble @ Trouble::CrmFails, injector)) => {
                injector.hit(trouble, step);
                Err(Error::new(ErrorKind::Host, "the CRM is being restarted").later())
            }
            Some((trouble, injector)) => {
                injector.hit(trouble, step);
                Ok(Some(trouble))
            }
            None => Ok(None),
        }
    }

    /// After a call of the CRM.
    ///
    /// # Errors
    /// The answer is lost.
    pub async fn host_answers(&self, trouble: Option<Trouble>) -> Result<()> {
        self.happened().await?;
        match trouble {
            Some(Trouble::AnswerLost) => {
                Err(Error::new(ErrorKind::Host, "the CRM's answer was lost").later())
            }
            _ => Ok(()),
        }
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

    /// Somebody sets the clock; nothing passes.
    pub fn jump(&self, by: chrono::Duration) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0 += by;
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

const LEASE_OF_GRANT: &str = "lease of a grant";

const GATED: [&str; 6] = ["lease", LEASE_OF_GRANT, "renew", "release", "families", "record_changes"];

fn is_gated(call: &str) -> bool {
    call.starts_with("commit") || GATED.contains(&call) || call.contains("sealed")
}

/// What happens around a step and not to it, by whoever drives the run.
fn is_order(trouble: Trouble) -> bool {
    use Trouble as T;
    matches!(
        trouble,
        T::HourAhead
            | T::DayAhead
            | T::HourBack
            | T::DecadeAhead
            | T::SecondWorker
            | T::CrmHangs
            | T::StoreCopied
            | T::LeaseLost
            | T::UserEdits
            | T::SettingsChanged
            | T::Halted
            | T::TokenRevoked
    )
}

fn step_of(call: &str) -> Option<Step> {
    Some(match call {
        "known" => Step::Known,
        "links" => Step::Links,
        "families" | "family" => Step::Families,
        "outbox" => Step::Outbox,
        "lease" => Step::Lease,
        "renew" => Step::Renew,
        LEASE_OF_GRANT => Step::GrantLease,
        _ if call.starts_with("put_sealed") || call.starts_with("take_sealed") => Step::SealedWrite,
        _ if call.contains("sealed") => Step::SealedRead,
        "commit of a page" => Step::CommitPage,
        "commit of a reading" => Step::CommitSight,
        "commit of decisions" => Step::CommitDecisions,
        "commit of what is sent" => Step::CommitSent,
        "commit of answers" => Step::CommitAck,
        "commit of the end" => Step::CommitEnd,
        "commit" | "release" => return None,
        _ => Step::OtherRead,
    })
}

#[async_trait]
impl Tap for Arc<Gate> {
    async fn before(&self, call: &'static str) -> Result<()> {
        if is_gated(call) {
            self.pass().await;
        }
        let Some(step) = step_of(call) else { return Ok(()) };
        let Some((trouble, injector)) = self.meet(step, None, |_| true).await else { return Ok(()) };
        let kind = match trouble {
            Trouble::Busy => ErrorKind::StoreBusy,
            Trouble::Full => ErrorKind::StoreFull,
            Trouble::ReadOnly => ErrorKind::StoreReadOnly,
            Trouble::StoreFails => ErrorKind::Store,
            _ => {
                self.lock().afterwards = Some((trouble, step));
                return Ok(());
            }
        };
        injector.hit(trouble, step);
        Err(Error::new(kind, "the store fails, as it is told to").later())
    }

    async fn after(&self, call: &'static str) -> Result<()> {
        if is_gated(call) {
            self.pass().await;
        }
        if call == "release" {
            let mut state = self.lock();
            (state.refreshing, state.news) = (false, None);
        }
        if step_of(call).is_none() {
            return Ok(());
        }
        self.happened().await
    }

    fn lease(&self, lease: &str) -> &'static str {
        if lease.starts_with("google-grant:") { LEASE_OF_GRANT } else { "lease" }
    }

    /// Transactions by what they are for, as far as it shows.
    fn name(&self, batch: &Batch) -> &'static str {
        let groups = &batch.groups;
        let sent = |entry: &calsync_core::store::Entry| entry.state == calsync_core::store::EntryState::Sent;
        if batch.put_binding.is_some() {
            "commit"
        } else if batch.release {
            "commit of the end"
        } else if batch.settings.is_none() {
            let marks = groups.iter().any(|group| group.outbox.iter().any(sent));
            if batch.fence.is_none() {
                "commit"
            } else if marks {
                "commit of what is sent"
            } else {
                "commit of answers"
            }
        } else if groups
            .iter()
            .any(|g| !(g.outbox.is_empty() && g.records.is_empty() && g.journal.is_empty()))
        {
            // First: what they come to is counted in the binding's state, in the same transaction.
            "commit of decisions"
        } else if batch.state.is_some() {
            "commit of a page"
        } else {
            "commit of a reading"
        }
    }
}
