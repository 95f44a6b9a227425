//! What can go wrong at which kind of step: the table, and how often each of its cells was met.
//!
//! A row is a fault, a column a kind of thing that the engine waits for. [`reach`] is the one place that says which cells
//! exist; a cell that does not exist says why. The sweep plays histories until each of the others was met often enough.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $text] $(#[$of])* $variant,)* }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the table.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    /// A kind of thing that the engine waits for.
    Step {
        ListFull = "list, full",
        ListChanges = "list, changes",
        Get = "get",
        Calendar = "calendar",
        Insert = "insert",
        Patch = "patch",
        Delete = "delete",
        Token = "token",
        Known = "known",
        Links = "links",
        Families = "families",
        Outbox = "outbox",
        OtherRead = "other reads",
        SealedRead = "sealed rows",
        Lease = "lease",
        Renew = "renew",
        GrantLease = "lease of a grant",
        SealedWrite = "sealed row written",
        CommitPage = "commit: page",
        CommitSight = "commit: reading",
        CommitDecisions = "commit: decisions",
        CommitSent = "commit: sent",
        CommitAck = "commit: answer",
        CommitEnd = "commit: end of run",
        HostChanges = "CRM: changes",
        HostApply = "CRM: apply",
        HostRead = "CRM: read",
    }
}

kinds! {
    /// Something that goes wrong.
    Trouble {
        CrashBefore = "crash before it",
        CrashAfter = "crash after it",
        AnswerLost = "done, answer lost or no gzip",
        LateSuccess = "timed out, done later",
        Twice = "delivered twice",
        Status400 = "400 invalid",
        TokenExpired = "401 token expired",
        TokenRefused = "401 token refused",
        RateLimit = "403 rateLimitExceeded",
        UserRateLimit = "403 userRateLimitExceeded",
        Quota = "403 quotaExceeded",
        UsageLimits = "403 calendarUsageLimits",
        Forbidden = "403 forbidden",
        Status404 = "404",
        Status409 = "409",
        Status410 = "410",
        Status412 = "412",
        TooMany = "429",
        TooManySeconds = "429 Retry-After: seconds",
        TooManyDate = "429 Retry-After: date",
        Status500 = "500",
        Status502 = "502, a proxy's page",
        Status503 = "503",
        Status504 = "504",
        DoneBut503 = "503 after the work",
        Redirect = "302 to elsewhere",
        Html = "200, a page of HTML",
        Refused = "no connection: DNS, TLS, refused",
        Reset = "connection reset before",
        Slow = "slow bytes up to the time limit",
        ShortBody = "body cut, length wrong",
        TooLarge = "body too large",
        GarbageJson = "garbage for JSON",
        UnknownEnum = "unknown word in a field",
        MissingField = "field missing",
        NullField = "field null",
        BadRule = "rule that is none",
        UnknownZone = "zone that is none",
        EndBeforeStart = "end before start",
        Year1 = "year 1",
        Year9999 = "year 9999",
        OtherEtag = "other etag, same content",
        SameEtag = "same etag, other content",
        LongString = "a text of 1 MB",
        ManyGuests = "3,000 guests",
        DuplicateItems = "items twice on a page",
        ItemMoved = "item moved to next page",
        PageExpired = "page token expired",
        EmptyPage = "empty page, more to come",
        RepeatedPage = "page delivered again",
        EndlessChain = "pages without end",
        EmptyListing = "the calendar suddenly empty",
        HourAhead = "clock 1 h ahead",
        DayAhead = "clock 1 day ahead",
        HourBack = "clock 1 h back",
        DecadeAhead = "clock 10 years ahead, set right",
        Skew = "Google's clock 5 min off",
        Busy = "store busy",
        Full = "disk full",
        StoreFails = "I/O error",
        ReadOnly = "store read-only",
        CrmFails = "the CRM fails",
        CrmHangs = "the CRM hangs for 5 min",
        StoreBack = "store back at an older copy",
        StoreLost = "calsync's rows lost, bound anew",
        StoreCopied = "a copy of the store syncs too",
        SecondWorker = "a second worker",
        LeaseLost = "lease lost to another",
        UserEdits = "people edit meanwhile",
        SettingsChanged = "settings changed",
        Halted = "everything halted meanwhile",
        TokenRevoked = "access revoked",
        Unshared = "calendar unshared",
        ScopeReduced = "scope reduced",
    }
}

impl Trouble {
    /// What befalls a store as a whole is met again and again in histories of its own, and not together with other faults:
    /// what both do together is not claimed yet.
    pub fn comes_alone(self) -> bool {
        matches!(self, Self::StoreBack | Self::StoreLost | Self::StoreCopied)
    }
}

impl Step {
    /// A request to Google.
    pub fn is_request(self) -> bool {
        self <= Self::Token
    }

    /// A request to the calendar API.
    pub fn is_api(self) -> bool {
        self < Self::Token
    }

    fn is_list(self) -> bool {
        matches!(self, Self::ListFull | Self::ListChanges)
    }

    fn is_write(self) -> bool {
        matches!(self, Self::Insert | Self::Patch | Self::Delete)
    }

    fn is_store(self) -> bool {
        self > Self::Token && self < Self::HostChanges
    }

    fn is_host(self) -> bool {
        self >= Self::HostChanges
    }

    /// Only where people connect their accounts.
    pub fn is_of_grants(self) -> bool {
        matches!(self, Self::SealedRead | Self::GrantLease | Self::SealedWrite)
    }

    /// Whether it leaves anything behind, so that dying after it is not dying before the next one.
    fn has_effect(self) -> bool {
        self.is_write() || self == Self::HostApply || (self >= Self::Lease && self <= Self::CommitEnd)
    }

    /// Whether its answer holds events.
    fn shows_events(self) -> bool {
        self.is_list() || matches!(self, Self::Get | Self::Insert | Self::Patch)
    }
}

/// Whether a fault can meet a kind of step; if not, why.
///
/// # Errors
/// Why there is no such cell.
pub fn reach(trouble: Trouble, step: Step) -> Result<(), &'static str> {
    use Trouble as T;
    let only = |can: bool, why: &'static str| if can { Ok(()) } else { Err(why) };
    match trouble {
        T::CrashBefore
        | T::HourAhead
        | T::DayAhead
        | T::HourBack
        | T::DecadeAhead
        | T::SecondWorker
        | T::UserEdits
        | T::SettingsChanged
        | T::Halted
        | T::StoreBack
        | T::StoreLost
        | T::StoreCopied => Ok(()),
        T::CrashAfter => {
            only(step.has_effect(), "a reading leaves nothing: dying after it is dying before the next step")
        }
        T::AnswerLost if step.is_request() => Ok(()),
        T::AnswerLost => only(step.has_effect(), "a reading whose answer is lost is a reading that failed"),
        T::LateSuccess => only(step.is_write(), "only what writes to Google can happen late"),
        T::Twice => {
            only(step.is_write() || step == Step::HostApply, "twice read is once read; a store is no network")
        }
        T::Status404 => only(step.is_api(), "the token endpoint does not say it"),
        T::Status409 => only(step.is_write(), "only writes meet each other"),
        T::Status410 => only(
            step.is_list() || matches!(step, Step::Get | Step::Patch | Step::Delete),
            "neither calendars nor new events are said to be deleted",
        ),
        T::Status412 => only(matches!(step, Step::Patch | Step::Delete), "it names no version"),
        T::DoneBut503 => only(step.is_write(), "without an effect it is a plain 503"),
        T::Status400
        | T::TokenExpired
        | T::TokenRefused
        | T::RateLimit
        | T::UserRateLimit
        | T::Quota
        | T::UsageLimits
        | T::Forbidden => only(step.is_api(), "the calendar API says it, and nobody else"),
        T::TooMany
        | T::TooManySeconds
        | T::TooManyDate
        | T::Status500
        | T::Status502
        | T::Status503
        | T::Status504
        | T::Redirect
        | T::Html
        | T::Refused
        | T::Reset
        | T::Slow
        | T::TooLarge
        | T::Skew => only(step.is_request(), "nothing goes over the wire to Google"),
        T::ShortBody | T::GarbageJson => only(step.is_request() && step != Step::Delete, "there is no body"),
        T::MissingField | T::NullField | T::UnknownZone if step == Step::Calendar => Ok(()),
        T::UnknownEnum
        | T::MissingField
        | T::NullField
        | T::BadRule
        | T::UnknownZone
        | T::EndBeforeStart
        | T::Year1
        | T::Year9999
        | T::OtherEtag
        | T::SameEtag
        | T::LongString
        | T::ManyGuests => only(step.shows_events(), "its answer holds no event"),
        T::DuplicateItems
        | T::ItemMoved
        | T::PageExpired
        | T::EmptyPage
        | T::RepeatedPage
        | T::EndlessChain => only(step.is_list(), "it has no pages"),
        T::EmptyListing => only(
            step == Step::ListFull,
            "no listing of everything: a listing of changes without any is what nothing new looks like",
        ),
        T::Busy | T::StoreFails => only(step.is_store(), "it is no call of the store"),
        T::Full | T::ReadOnly => {
            only(step.is_store() && step.has_effect(), "only writes need room or leave to write")
        }
        T::CrmFails | T::CrmHangs => only(step.is_host(), "it does not ask the CRM"),
        T::LeaseLost => only(step != Step::Lease, "it is not held yet"),
        T::TokenRevoked => only(step.is_request(), "access is used in requests to Google only"),
        T::Unshared | T::ScopeReduced => only(step.is_api(), "rights are asked for in calls of the API only"),
    }
}

/// How often each cell was met.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    hits: BTreeMap<(Trouble, Step), u64>,
    alone: Option<Trouble>,
}

impl Coverage {
    /// From now on only this fault is to be met, or all but those that [come alone](Trouble::comes_alone).
    pub fn meet(&mut self, alone: Option<Trouble>) {
        self.alone = alone;
    }

    /// Another meeting.
    pub fn hit(&mut self, trouble: Trouble, step: Step) {
        *self.hits.entry((trouble, step)).or_default() += 1;
    }

    /// How often this cell was met.
    pub fn of(&self, trouble: Trouble, step: Step) -> u64 {
        self.hits.get(&(trouble, step)).copied().unwrap_or_default()
    }

    /// The cells that were met although [`reach`] says that they do not exist.
    pub fn impossible(&self) -> Vec<(Trouble, Step)> {
        self.hits.keys().copied().filter(|(trouble, step)| reach(*trouble, *step).is_err()).collect()
    }

    /// The cells that exist, are to be met now, and were met less than `wanted` times.
    pub fn open(&self, wanted: u64) -> Vec<(Trouble, Step)> {
        let now = |trouble: Trouble| self.alone.map_or(!trouble.comes_alone(), |alone| alone == trouble);
        cells().filter(|(t, step)| now(*t) && self.of(*t, *step) < wanted).collect()
    }
}

/// All cells that exist.
pub fn cells() -> impl Iterator<Item = (Trouble, Step)> {
    let all = Trouble::ALL.iter().flat_map(|t| Step::ALL.iter().map(|s| (*t, *s)));
    all.filter(|(trouble, step)| reach(*trouble, *step).is_ok())
}

impl fmt::Display for Coverage {
    /// The table: a fault a line, a kind of step a column, `·` where there is no such cell, and below it why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = Trouble::ALL.iter().map(|t| t.name().chars().count()).max().unwrap_or_default();
        for (at, step) in Step::ALL.iter().enumerate() {
            writeln!(f, "{:width$} {}{}", "", "    |".repeat(at), format_args!("    {}", step.name()))?;
        }
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for trouble in Trouble::ALL {
            write!(f, "{:width$} ", trouble.name())?;
            for step in Step::ALL {
                match reach(*trouble, *step) {
                    Ok(()) => write!(f, "{:5}", self.of(*trouble, *step))?,
                    Err(why) => {
                        *reasons.entry(why).or_default() += 1;
                        write!(f, "{:>5}", "·")?;
                    }
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "{} cells; those that do not exist:", cells().count())?;
        for (why, count) in reasons {
            writeln!(f, "{count:5}  {why}")?;
        }
        Ok(())
    }
}
