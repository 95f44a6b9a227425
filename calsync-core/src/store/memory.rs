//! A store in memory.

/// A store in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryStore;
