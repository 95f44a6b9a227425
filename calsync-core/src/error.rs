//! One error for the whole library, and a small kind to branch on.
//!
//! A kind exists because a caller does something different. Everything else is context for a person: what happened, to which
//! record, whether it will be tried again, and what to do. Errors carry ids, numbers and the provider's reason codes;
//! never a token, never the content of an appointment, never the body of an answer from a token endpoint.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What went wrong, as far as a caller reacts differently to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The settings, a key file or an argument cannot work as given.
    Config,
    /// The provider does not accept the credential; a person has to reconnect or repair it.
    Unauthorized,
    /// The credential is good but may not do this.
    Forbidden,
    /// The clock of this machine is too far off for the provider to accept an assertion.
    Clock,
    /// No such thing, or no access to it: providers do not tell the two apart.
    NotFound,
    /// It existed and was deleted.
    Gone,
    /// The incremental cursor is no longer valid: list in full.
    CursorExpired,
    /// Something with that id exists already.
    Duplicate,
    /// The record moved since it was read.
    PreconditionFailed,
    /// Too many requests; later is fine.
    RateLimited,
    /// A limit of hours or days is used up.
    QuotaExhausted,
    /// The network or the service failed; whether a write arrived may be unknown.
    Unavailable,
    /// The provider or the CRM refuses this very record as it is.
    Invalid,
    /// The answer made no sense.
    Protocol,
    /// A bound of calsync was reached: size, depth, count or time.
    Limit,
    /// The store is locked by somebody else.
    StoreBusy,
    /// The disk or the database is full.
    StoreFull,
    /// The store cannot be written.
    StoreReadOnly,
    /// The store was written by a newer version of calsync.
    StoreNewer,
    /// The store belongs to another environment.
    StoreEnvironment,
    /// The store failed in another way, or holds what it never should.
    Store,
    /// Another worker has the lease, or took it over.
    LeaseLost,
    /// An operator stopped all writing; it goes on when they say so.
    Halted,
    /// The CRM's own side failed.
    Host,
    /// A rule of calsync would have been broken; the run stopped before it was.
    Invariant,
}

impl ErrorKind {
    /// The kind in the words of an error message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "configuration",
            Self::Unauthorized => "authorisation",
            Self::Forbidden => "permission",
            Self::Clock => "clock",
            Self::NotFound => "not found",
            Self::Gone => "deleted",
            Self::CursorExpired => "cursor expired",
            Self::Duplicate => "duplicate",
            Self::PreconditionFailed => "changed meanwhile",
            Self::RateLimited => "rate limit",
            Self::QuotaExhausted => "quota used up",
            Self::Unavailable => "unavailable",
            Self::Invalid => "refused record",
            Self::Protocol => "unexpected answer",
            Self::Limit => "limit",
            Self::StoreBusy => "store busy",
            Self::StoreFull => "store full",
            Self::StoreReadOnly => "store read-only",
            Self::StoreNewer => "store too new",
            Self::StoreEnvironment => "store of another environment",
            Self::Store => "store",
            Self::LeaseLost => "lease",
            Self::Halted => "halted",
            Self::Host => "CRM",
            Self::Invariant => "invariant",
        }
    }
}

/// Whether trying the same thing again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without a change by somebody.
    Never,
    /// Yes, after a wait of calsync's choice.
    Later,
    /// Yes, but not before this much time has passed.
    After(Duration),
}

/// What happened, to which record, whether it will be tried again, and what to do about it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    reason: Option<String>,
    retry: Retry,
    sent: bool,
    cure: Option<Cow<'static, str>>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that will not be retried, until [`Error::later`] or [`Error::after`] says otherwise.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            reason: None,
            retry: Retry::Never,
            sent: false,
            cure: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Trying again later can help.
    pub fn later(mut self) -> Self {
        self.0.retry = Retry::Later;
        self
    }

    /// Trying again can help, but not before `wait` has passed.
    pub fn after(mut self, wait: Duration) -> Self {
        self.0.retry = Retry::After(wait);
        self
    }

    /// The request may have reached the other side: whether the write happened is unknown.
    pub fn maybe_sent(mut self) -> Self {
        self.0.sent = true;
        self
    }

    /// The provider's own reason code, for example `rateLimitExceeded`.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// What a person can do about it.
    pub fn cure(mut self, cure: impl Into<Cow<'static, str>>) -> Self {
        self.0.cure = Some(cure.into());
        self
    }

    /// An id or a number that says where it happened; never content, never a secret.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// The error below this one.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Whether the request may have taken effect although it failed.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent
    }

    /// What happened, without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The provider's own reason code, if it gave one.
    pub fn reason_code(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What a person can do about it, if anything.
    pub fn cure_text(&self) -> Option<&str> {
        self.0.cure.as_deref()
    }

    /// Ids and numbers that say where it happened.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "{}: {}", inner.kind.as_str(), inner.message)?;
        if let Some(reason) = &inner.reason {
            write!(f, " [{reason}]")?;
        }
        for (i, (name, value)) in inner.context.iter().enumerate() {
            write!(f, "{}{name} {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !inner.context.is_empty() {
            f.write_str(")")?;
        }
        match inner.retry {
            Retry::Never => {}
            Retry::Later => f.write_str("; will be tried again")?,
            Retry::After(wait) => write!(f, "; will be tried again in {} s", wait.as_secs().max(1))?,
        }
        if let Some(cure) = &inner.cure {
            write!(f, ". {cure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(source) = &self.0.source {
            write!(f, " <- {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

/// The result of nearly everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_where_whether_it_is_retried_and_what_to_do() {
        let error = Error::new(ErrorKind::Forbidden, "Google refuses to show this calendar")
            .reason("requiredAccessLevel")
            .with("calendar", "amy@example.com")
            .after(Duration::from_secs(90))
            .cure("Share the calendar with the service account, level \"Make changes to events\".");
        assert_eq!(
            error.to_string(),
            "permission: Google refuses to show this calendar [requiredAccessLevel] (calendar amy@example.com); \
             will be tried again in 90 s. Share the calendar with the service account, level \"Make changes to events\"."
        );
    }

    #[test]
    fn an_error_is_no_larger_than_a_pointer() {
        assert_eq!(std::mem::size_of::<Error>(), std::mem::size_of::<usize>());
    }
}
