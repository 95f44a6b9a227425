//! calsync-google
