//! Several workers at once, interleaved step by step.

use super::gate::{Ended, Gate};
use calsync_core::clock::{EntropyExt, SeededEntropy};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// For how many steps one of them goes on before another may: mostly few, and now and then so many that the others seem to sleep.
const STEPS_ON_END: [u64; 6] = [1, 1, 2, 4, 16, 64];

/// A future, and the gate of the process that it runs in. Several may be in one process, and crash with it.
pub(super) struct Worker<'a, T> {
    gate: Arc<Gate>,
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
}

impl<'a, T> Worker<'a, T> {
    pub(super) fn new(gate: &Arc<Gate>, work: impl Future<Output = T> + 'a) -> Self {
        Self { gate: Arc::clone(gate), work: Box::pin(work) }
    }

    /// One step; what became of it where that was the last.
    fn step(&mut self) -> Option<Ended<T>> {
        if self.gate.crashed() {
            return Some(Ended::Crashed);
        }
        match self.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(Ended::Finished(value)),
            Poll::Pending if self.gate.crashed() => Some(Ended::Crashed),
            Poll::Pending => None,
        }
    }
}

/// Polls them by turns, chosen by chance, until each has ended or crashed; `between` runs after every step.
pub(super) fn drive_together<T>(
    workers: Vec<Worker<'_, T>>,
    chance: &SeededEntropy,
    mut between: impl FnMut(),
) -> Vec<Ended<T>> {
    let mut ended: Vec<Option<Ended<T>>> = workers.iter().map(|_| None).collect();
    let mut running: Vec<(usize, Worker<'_, T>)> = workers.into_iter().enumerate().collect();
    while !running.is_empty() {
        let turn = chance.below(running.len() as u64) as usize;
        for _ in 0..STEPS_ON_END[chance.below(STEPS_ON_END.len() as u64) as usize] {
            if let Some(end) = running[turn].1.step() {
                let (number, _) = running.swap_remove(turn);
                ended[number] = Some(end);
                break;
            }
            between();
            // With a new token that nobody else has, whatever comes between two steps is of interest.
            if running[turn].1.gate.refreshing() {
                break;
            }
        }
    }
    ended.into_iter().flatten().collect()
}
