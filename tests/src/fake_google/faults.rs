//! Faults on command: what can go wrong between a client and Google, apart from the state that goes wrong.
//!
//! A fault waits in a queue until a request matches it. Faults of the first kind take the place of the answer and no
//! work is done; those of the second let the work happen and spoil what the client sees of it. A third kind bends an
//! event listing in ways that Google's documentation allows.

use serde::{Deserialize, Serialize};

use super::incoming::{Incoming, Route};

/// Something that goes wrong with a request that matches.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only this HTTP method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only this API method.
    #[serde(default)]
    pub route: Option<Route>,
    /// Only this calendar, as the path names it.
    #[serde(default)]
    pub calendar: Option<String>,
    /// Only this event.
    #[serde(default)]
    pub event: Option<String>,
    /// Only requests that write events.
    #[serde(default)]
    pub writes_only: bool,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many are hit. Default: 1.
    #[serde(default = "one")]
    pub times: u32,
}

fn one() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum FaultKind {
    /// The connection breaks before anything was done.
    LostBeforeWork,
    /// The work is done, the connection breaks.
    LostAfterWork,
    /// The answer comes late.
    Slow {
        /// How late.
        milliseconds: u64,
    },
    /// The body ends early.
    Truncated {
        /// After so many bytes.
        bytes: usize,
    },
    /// A status with Google's JSON body, and no work.
    Status {
        /// For example 500, 502, 503.
        code: u16,
    },
    /// A status with a page of a proxy, and no work.
    StatusHtml {
        /// For example 502.
        code: u16,
    },
    /// A status without a body, and no work.
    StatusEmpty {
        /// For example 503.
        code: u16,
    },
    /// A server error although the work was done.
    StatusAfterWork {
        /// For example 503.
        code: u16,
    },
    /// 429 `rateLimitExceeded`.
    TooManyRequests {
        /// The header `Retry-After`: seconds, or an HTTP date.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// A refusal of the caller's choice.
    Refuse {
        /// The HTTP status.
        code: u16,
        /// For example `quotaExceeded`.
        reason: String,
        /// The text.
        #[serde(default)]
        message: String,
    },
    /// 401 `authError` on a token that is good.
    TokenRefused,
    /// 200 with something that is not JSON.
    GarbageJson,
    /// 200 with an HTML page.
    Html,
    /// 302 to somewhere else.
    Redirect {
        /// The address.
        location: String,
    },
    /// 404 as if the calendar were not shared.
    CalendarGone,
    /// A listing delivers this page, and then again under another token.
    RepeatPage,
    /// A listing holds each of its items twice.
    RepeatItems,
    /// A page without items, with a token for the next.
    EmptyPage,
    /// The listing is complete and empty.
    EmptyListing,
}

impl Fault {
    /// A fault that hits the next request, whatever it is.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            route: None,
            calendar: None,
            event: None,
            writes_only: false,
            skip: 0,
            times: 1,
        }
    }

    /// Hits this API method only.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Hits this HTTP method only.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Hits this calendar only.
    #[must_use]
    pub fn calendar(mut self, calendar: &str) -> Self {
        self.calendar = Some(calendar.to_owned());
        self
    }

    /// Hits this event only.
    #[must_use]
    pub fn event(mut self, event: &str) -> Self {
        self.event = Some(event.to_owned());
        self
    }

    /// Hits only requests that write events.
    #[must_use]
    pub fn on_writes(mut self) -> Self {
        self.writes_only = true;
        self
    }

    /// Hits the n-th matching request (from 1 on).
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.skip = nth.saturating_sub(1);
        self
    }

    /// Hits so many matching requests in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, incoming: &Incoming) -> bool {
        let agrees = |wanted: &Option<String>, is: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| is.is_some_and(|is| is == wanted))
        };
        self.route.is_none_or(|route| route == incoming.route)
            && agrees(&self.method, Some(&incoming.method))
            && agrees(&self.calendar, incoming.calendar.as_ref())
            && agrees(&self.event, incoming.event.as_ref())
            && (!self.writes_only || incoming.route.is_write())
            && self.suits(incoming.route)
    }

    /// Faults of listings wait for a listing.
    fn suits(&self, route: Route) -> bool {
        match self.kind {
            FaultKind::RepeatPage
            | FaultKind::RepeatItems
            | FaultKind::EmptyPage
            | FaultKind::EmptyListing => route == Route::ListEvents,
            _ => true,
        }
    }
}

/// The faults that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first fault that is due for this request; those that match and are not due yet count it.
    pub(crate) fn take(&mut self, incoming: &Incoming) -> Option<FaultKind> {
        let mut hit = None;
        for fault in &mut self.0 {
            if fault.times == 0 || !fault.matches(incoming) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if hit.is_none() {
                fault.times -= 1;
                hit = Some(fault.kind.clone());
            }
        }
        self.0.retain(|fault| fault.times > 0);
        hit
    }
}
