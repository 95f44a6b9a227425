//! Runnable examples of calsync; each opens with how to run it.
