//! The fake Google as a program of its own.
fn main() {}
