//! Lets the faults of the [table](super::coverage) meet the steps of a run.
//!
//! Before each run some faults are armed, each for one kind of step; the first such step after a few others meets it. A fault
//! that a refusal of Google stands for is either told although nothing is wrong, where calsync must not believe it without a
//! look, or made true first: nobody is told that an event is gone while it is there, because Google does not lie about that.
//! What an answer showed wrongly is remembered, so that a later version of the event can put it right.

use super::coverage::{Coverage, Step, Trouble};
use bytes::Bytes;
use calsync_core::clock::{EntropyExt, SeededEntropy};
use chrono::Duration;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most faults that meet one run: it must get somewhere.
const PER_RUN: u32 = 4;

/// Something for whoever drives the run, who alone has the world in hand.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub trouble: Trouble,
    /// The event that the step is about, with its calendar.
    pub event: Option<(String, String)>,
}

/// The faults that wait for their step.
#[derive(Debug)]
pub struct Injector(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    chance: SeededEntropy,
    armed: Vec<(Trouble, Step, u64)>,
    left: u32,
    again: Option<(Trouble, Step, u32)>,
    lasting: Option<(Trouble, String)>,
    skew: Duration,
    late: Vec<(u64, http::Request<Bytes>)>,
    carried: Vec<(String, Value)>,
    bent: BTreeSet<(String, String)>,
    unlisted: BTreeSet<String>,
    delivered: BTreeSet<String>,
    coverage: Coverage,
    tale: Vec<String>,
}

impl Injector {
    /// Nothing armed.
    pub fn new(seed: u64, coverage: Coverage) -> Self {
        Self(Mutex::new(Inner {
            chance: SeededEntropy::new(seed ^ 0xfa17),
            armed: Vec::new(),
            left: 0,
            again: None,
            lasting: None,
            skew: Duration::zero(),
            late: Vec::new(),
            carried: Vec::new(),
            bent: BTreeSet::new(),
            unlisted: BTreeSet::new(),
            delivered: BTreeSet::new(),
            coverage,
            tale: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms faults for one run: of about half of the steps that have open cells, one each. A store can be lost only where the CRM
    /// is not in it (`own_tables`).
    pub fn arm(&self, open: &[(Trouble, Step)], own_tables: bool) {
        let mut inner = self.lock();
        inner.armed.clear();
        inner.left = PER_RUN;
        for step in Step::ALL {
            let of: Vec<Trouble> = (open.iter())
                .filter(|(t, s)| s == step && (own_tables || *t != Trouble::StoreLost))
                .map(|(t, _)| *t)
                .collect();
            if of.is_empty() || inner.chance.below(2) == 0 {
                continue;
            }
            let trouble = of[inner.chance.below(of.len() as u64) as usize];
            let skip = [0, 0, 1, 3][inner.chance.below(4) as usize];
            inner.armed.push((trouble, *step, skip));
        }
    }

    /// The run is over: what lasted is over as well.
    pub fn calm(&self) {
        let mut inner = self.lock();
        inner.armed.clear();
        inner.left = 0;
        inner.again = None;
        inner.lasting = None;
        inner.skew = Duration::zero();
    }

    /// The fault that this step meets, if any. `suits` says whether it can meet just this one. Not counted yet.
    pub fn meet(&self, step: Step, suits: impl Fn(Trouble) -> bool) -> Option<Trouble> {
        let mut inner = self.lock();
        if let Some((trouble, of, left)) = inner.again
            && of == step
        {
            inner.again = (left > 1).then_some((trouble, of, left - 1));
            return Some(trouble);
        }
        if inner.left == 0 {
            return None;
        }
        let at = inner.armed.iter().position(|(t, s, _)| *s == step && suits(*t))?;
        if inner.armed[at].2 > 0 {
            inner.armed[at].2 -= 1;
            return None;
        }
        inner.left -= 1;
        Some(inner.armed.remove(at).0)
    }

    /// It took place.
    pub fn hit(&self, trouble: Trouble, step: Step) {
        let mut inner = self.lock();
        inner.coverage.hit(trouble, step);
        inner.tale.push(format!("{} × {}", trouble.name(), step.name()));
    }

    /// There was nothing that it could have met: it waits for the next step of the kind.
    pub fn missed(&self, trouble: Trouble, step: Step) {
        let mut inner = self.lock();
        inner.left += 1;
        inner.armed.push((trouble, step, 0));
    }

    /// A fault of the service tends to hit the repeats of a request as well.
    pub fn perhaps_again(&self, trouble: Trouble, step: Step) {
        let mut inner = self.lock();
        if inner.again.is_none() && inner.chance.below(3) == 0 {
            inner.again = Some((trouble, step, 6));
        }
    }

    /// From now on, to the end of the run.
    pub fn lasts(&self, trouble: Trouble, calendar: &str) {
        self.lock().lasting = Some((trouble, calendar.to_owned()));
    }

    /// What lasts and concerns this calendar.
    pub fn lasting(&self, calendar: &str) -> Option<Trouble> {
        let inner = self.lock();
        inner.lasting.as_ref().filter(|(_, of)| of == calendar).map(|(trouble, _)| *trouble)
    }

    /// Google's clock is off.
    pub fn skew(&self) -> Duration {
        self.lock().skew
    }

    /// Google's clock goes wrong, one way or the other.
    pub fn set_skew(&self) {
        let mut inner = self.lock();
        inner.skew = Duration::minutes(if inner.chance.below(2) == 0 { 5 } else { -5 });
    }

    /// This request arrives after some others.
    pub fn delay(&self, request: http::Request<Bytes>) {
        let mut inner = self.lock();
        let after = inner.chance.below(6);
        inner.late.push((after, request));
    }

    /// The delayed requests that arrive now; all of them where `all`.
    pub fn due(&self, all: bool) -> Vec<http::Request<Bytes>> {
        let mut inner = self.lock();
        let (due, later) =
            std::mem::take(&mut inner.late).into_iter().partition(|(after, _)| all || *after == 0);
        inner.late = later;
        inner.late.iter_mut().for_each(|(after, _)| *after -= 1);
        let due: Vec<(u64, http::Request<Bytes>)> = due;
        due.into_iter().map(|(_, request)| request).collect()
    }

    /// An item goes from this page to the next one.
    pub fn carry(&self, calendar: &str, item: Value) {
        self.lock().carried.push((calendar.to_owned(), item));
    }

    /// Items that come with this page although they belonged to an earlier one.
    pub fn carried(&self, calendar: &str) -> Vec<Value> {
        let mut inner = self.lock();
        let (here, there) =
            std::mem::take(&mut inner.carried).into_iter().partition(|(of, _)| of == calendar);
        inner.carried = there;
        let here: Vec<(String, Value)> = here;
        if !here.is_empty() {
            inner.delivered.insert(calendar.to_owned());
        }
        here.into_iter().map(|(_, item)| item).collect()
    }

    /// This event was shown as it is not.
    pub fn bent(&self, calendar: &str, event: &str) {
        self.lock().bent.insert((calendar.to_owned(), event.to_owned()));
    }

    /// The events that were shown as they are not.
    pub fn take_bent(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.lock().bent)
    }

    /// Something of this calendar comes with no listing of changes.
    pub fn unlisted(&self, calendar: &str) {
        self.lock().unlisted.insert(calendar.to_owned());
    }

    /// A run has ended. If it stopped on the way, what came with a later page than its own may have been lost with that page, which
    /// is listed again without it.
    pub fn ended(&self, whole: bool) {
        let mut inner = self.lock();
        let delivered = std::mem::take(&mut inner.delivered);
        if !whole {
            inner.unlisted.extend(delivered);
        }
    }

    /// The calendars that have to be listed as a whole to be known.
    pub fn take_unlisted(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.lock().unlisted)
    }

    /// A number below `limit`.
    pub fn below(&self, limit: u64) -> u64 {
        self.lock().chance.below(limit)
    }

    /// What was met so far.
    pub fn coverage(&self) -> Coverage {
        self.lock().coverage.clone()
    }

    /// What was met, in order.
    pub fn tale(&self) -> String {
        self.lock().tale.join("; ")
    }
}
