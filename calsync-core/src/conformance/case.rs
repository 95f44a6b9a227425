//! How cases are run: each on an empty store, all of them, and then the broken ones are named.

use super::store::Ground;
use crate::clock::ManualClock;
use crate::store::Store;
use std::any::Any;
use std::fmt::Write;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A promise, in words and as a test.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: for<'a> fn(&'a Ground) -> Running<'a>,
}

/// A list of cases, named like their functions.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        vec![$($crate::conformance::case::Case { name: stringify!($name), run: |ground| Box::pin($name(ground)) }),+]
    };
}
pub(super) use cases;

pub(super) async fn run(cases: &[Case], make: impl AsyncFn(Arc<ManualClock>) -> Arc<dyn Store>) {
    let mut broken = Vec::new();
    for case in cases {
        let attempt = async {
            let clock = Arc::new(ManualClock::new(super::store::START));
            let ground = Ground::new(make(clock.clone()).await, clock).await;
            (case.run)(&ground).await;
        };
        if let Err(found) = caught(attempt).await {
            broken.push((case.name.replace('_', " "), found));
        }
    }
    if !broken.is_empty() {
        let mut report = format!("{} of {} promises are broken", broken.len(), cases.len());
        for (name, found) in broken {
            let _ = write!(report, "\n- {name}:\n  {}", found.replace('\n', "\n  "));
        }
        panic!("{report}");
    }
}

/// The panic of a future as text.
async fn caught(attempt: impl Future<Output = ()>) -> Result<(), String> {
    let mut attempt = pin!(attempt);
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(panic) => Poll::Ready(Err(words(&*panic))),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}
