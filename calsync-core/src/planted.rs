//! Faults on purpose, for tests only: what shows that our tests would notice a broken promise.
//!
//! Each [`Fault`] is one wrong decision at the very line where a promise is kept: a version that is not named, a check that is
//! left out, an edit that forgets its journal. A test plants one, plays a scenario that passes without it, and has to see that
//! scenario fail at the assertion that says the promise. A promise whose fault nobody notices is a promise that nobody tests.
//!
//! Without the feature `planted` there is nothing of this but the function [`on`], which is constant, so that the compiler takes
//! the faults out again. The feature is for calsync's own tests; nothing else may turn it on, and `tests/planted/` checks that.
//! The module is public because calsync's other crates keep promises too; it is no part of what calsync offers.
//!
//! A fault holds for the thread that planted it, as long as its guard lives: tests beside it run unharmed. What a store does
//! on a thread of its own is out of reach.

/// Names the faults, each with the promise that it breaks.
macro_rules! faults {
    ($($(#[doc = $says:literal])+ $name:ident: $promise:literal,)+) => {
        /// A wrong decision that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $says])+ $name,)+
        }

        #[cfg(feature = "planted")]
        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The promise that it breaks.
            pub fn promise(self) -> &'static str {
                match self {
                    $(Self::$name => $promise,)+
                }
            }

            /// What it does wrong.
            pub fn says(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($says),+).trim_ascii(),)+
                }
            }
        }
    };
}

faults! {
    /// A one-sided edit of one unit counts as an edit of the whole record: the policy decides about all of it.
    WholeRecordWins: "C2",
    /// The value that lost a conflict is not kept.
    LoserNotKept: "C2",
    /// A change is sent without the version that it was made from.
    ChangeWithoutVersion: "C2",
    /// A deletion is sent without the version that it was decided from.
    DeletionWithoutVersion: "C2",
    /// A write whose answer was lost is taken for done, whatever reading back says.
    DoubtTakenForDone: "C2",
    /// The version of the CRM's record that a write was made from is not compared when it is committed.
    OverwrittenUnseen: "C2",
    /// What both sides have already is not looked for.
    NothingJoined: "C3",
    /// Of several records that may be the same, the first two are joined.
    FirstOnesJoined: "C3",
    /// A stamp is believed without the id that proves it, and a copy of an event passes for the event.
    CopiedStampBelieved: "C3",
    /// What is made anew in the calendar gets the id of what was deleted there.
    IncarnationForgotten: "C4",
    /// What a full listing lacks is deleted, whatever reading it by id says.
    AbsenceIsDeletion: "C4",
    /// A listing that shows what was deleted is believed without reading it.
    StalePageBelieved: "C4",
    /// That a binding is being taken apart is not stored, and what was deleted for that counts as deleted by somebody.
    LeavingForgotten: "C4",
    /// A request leaves before it is stored that it may have.
    SentUnmarked: "C6",
    /// Values are compared as they were written, not in their canonical form.
    ComparedAsWritten: "C5 C21",
    /// Guests are mailed although the binding does not say so.
    MailWithoutLeave: "C7",
    /// Guests are mailed about what is only put in step.
    MailAboutJoining: "C7",
    /// Guests are mailed about what is over.
    MailAboutThePast: "C7",
    /// A second copy of a meeting is made with its guests.
    CopyWithGuests: "C7",
    /// The cursor is committed before the page that it closes.
    CursorBeforeItsPage: "C8",
    /// A run that failed stores the cursor that it holds, whether its page was committed or not.
    CursorOfAFailedRun: "C8",
    /// Nothing is counted before it is done.
    NothingCounted: "C9",
    /// What was done in the last hour is forgotten.
    HourForgotten: "C9",
    /// A confirmation is good for more than once.
    ConfirmationNotUsedUp: "C9",
    /// A listing that suddenly lacks most of what is linked is believed.
    EmptyListingBelieved: "C9",
    /// The flag "don't sync" is not looked at.
    FlagIgnored: "C10",
    /// What was read is not compared when the write that follows from it is committed.
    FlagReadTooEarly: "C10",
    /// A calendar that may only be read is written.
    ReadOnlyWritten: "C10",
    /// A binding from the calendar to the CRM writes to the calendar.
    OneWayIgnored: "C10",
    /// Settings that were changed meanwhile are not noticed.
    SettingsUnchecked: "C10",
    /// A change of one occurrence is written to its series.
    OccurrenceEditsSeries: "C11",
    /// A series that was cut short is not asked what became of its later occurrences.
    CutOffUnasked: "C11",
    /// A deleted series takes an edited occurrence along.
    EditedOccurrenceGoesAlong: "C11",
    /// A wall time loses its zone and is taken for UTC.
    ZoneDropped: "C12",
    /// The bindings of one tenant are those of all.
    TenantLeftOut: "C13",
    /// A record that cannot be read spoils its page.
    UnreadableSpoilsItsPage: "C13",
    /// A transaction goes through without its lease.
    FenceUnchecked: "C14",
    /// What was refused for good is sent again and again.
    RefusedForEver: "C15",
    /// A run with an error counts as a success.
    ErrorIsSuccess: "C16",
    /// How long the service asked to wait is not heeded.
    WaitIgnored: "C17",
    /// Details of private appointments are let in.
    DetailsLetIn: "C18",
    /// A run that dies does not leave to the next one what is still to be held against working hours.
    HoursNotOwed: "C20",
    /// What cannot be held against working hours counts as within them.
    UnjudgedIsInside: "C20",
    /// What leaves the scope is deleted in the calendar.
    LeavingScopeDeletes: "C22",
    /// What a reviewer deselected is done by the next run.
    DeselectedDone: "plan",
    /// A plan is carried out although its ground moved.
    MovedGroundApplied: "plan",
    /// The kill switch is not looked at.
    HaltIgnored: "halt",
    /// A service account's key that names another token endpoint is taken.
    KeyOfAnotherEndpoint: "S1",
    /// A service account's key of another universe is taken.
    KeyOfAnotherUniverse: "S1",
    /// An OAuth client's file that names another token endpoint is taken.
    ClientOfAnotherEndpoint: "S1",
    /// A redirect is followed, and what was sent goes along.
    RedirectFollowed: "S3",
    /// A state that came back is read and not used up.
    StateNotUsedUp: "S5",
    /// Of several who take a row at once each gets it.
    TakenByMany: "S5",
    /// A state is good in any browser session.
    SessionNotCompared: "S5",
    /// A consent can be begun without a browser session.
    NoSessionTaken: "S5",
    /// A state is good for ever.
    StateNeverEnds: "S5",
    /// A state is kept as it is.
    StateInTheClear: "S5",
    /// A consent that was begun with one OAuth client is finished with another.
    ClientNotCompared: "S5",
    /// Consent is asked for without a challenge.
    ChallengeNotSent: "S5",
    /// A code is exchanged without its verifier.
    VerifierNotSent: "S5",
    /// A redirect URI need not be one of the OAuth client's.
    RedirectNotCompared: "S5",
    /// A browser is sent back to wherever is asked for.
    TargetNotCompared: "S5",
    /// Whoever consents is taken for the expected person.
    AccountNotCompared: "S6",
    /// Whoever wants a token in one process asks for one of their own.
    NobodyWaits: "S7",
    /// A grant is refreshed without a lease.
    RefreshedUnleased: "S7",
    /// A grant that was refused is marked without reading it again.
    MarkedUnread: "S7",
    /// A grant that was refused is asked for again and again.
    RefusalNotKept: "S7",
    /// The version of a sealed row is not compared when it is put.
    VersionNotCompared: "S7",
    /// A rotation counts as a write of each row.
    RotationIsAWrite: "S7",
    /// A refreshed token is stored over whatever is there by then.
    RefreshOverwrites: "S7",
    /// A refreshed token is used before it is stored.
    UsedUnstored: "S7",
    /// A new refresh token does not take the old one's place.
    OldTokenKept: "S7",
    /// A grant that was taken back counts its versions from one again.
    VersionsBeginAgain: "S7",
    /// A secret is stored as it is.
    NotEncrypted: "S8",
    /// Every seal has the same nonce.
    NonceRepeated: "S8",
    /// A seal fits any tenant.
    FitsAnyTenant: "S8",
    /// A seal fits any kind of row.
    FitsAnyKind: "S8",
    /// A seal fits any name.
    FitsAnyName: "S8",
    /// A seal fits any version of its row.
    FitsAnyVersion: "S8",
    /// Without a master key a row is kept without its secret, and nobody is told.
    SecretLostUntold: "S8",
    /// A row is put whether or not the key that sealed it still stands.
    KeyMayBeGone: "S8",
    /// A data key that is on its way out still seals.
    OldKeyNotRetired: "S8",
    /// A rotation drops keys that are still needed.
    NeededKeyDropped: "S8",
    /// A rotation that was interrupted counts as done.
    InterruptedIsDone: "S8",
    /// A rotation counts as finished although rows could not be opened.
    FailureIsFinished: "S8",
    /// A data key counts as wrapped by the current master key, whichever wrapped it.
    MasterNotCompared: "S8",
    /// A dry run writes.
    DryRunWrites: "S8",
    /// A secret prints.
    SecretPrinted: "S9",
    /// An answer that makes no sense is quoted.
    AnswerQuoted: "S9",
    /// What a refusal echoes is quoted.
    EchoQuoted: "S9",
    /// A scope that was not granted counts as granted.
    MissingIsGranted: "S10",
    /// Consent is asked for scopes that open more than is needed.
    WiderIsAsked: "S10",
    /// Of what is granted all is asked for, needed or not.
    SpareIsAsked: "S10",
    /// What is granted for nothing is not told.
    SpareUntold: "S10",
    /// Who disconnects leaves their tokens behind.
    TokensLeft: "S11",
    /// A grant is forgotten here and stays at the provider.
    NotRevoked: "S11",
    /// What is in memory outlives a grant that was taken back.
    StillRemembered: "S11",
    /// A tenant that leaves takes its grants along and nothing else.
    TenantNotForgotten: "S11",
    /// A tenant that is forgotten leaves its data keys behind.
    DataKeyLeft: "S11",
    /// A connection is not told in the history.
    ConnectedUntold: "S20",
    /// An invitation that has connected somebody works again.
    LinkWorksTwice: "invitation",
    /// An invitation works beside a newer one.
    OlderLinkWorks: "invitation",
    /// An invitation works for ever.
    LinkNeverEnds: "invitation",
    /// An invitation is not looked at again when the browser comes back.
    LinkNotReadAgain: "invitation",
    /// The signature of an invitation is not compared.
    SignatureNotCompared: "invitation",
}

#[cfg(not(feature = "planted"))]
pub use sound::on;

#[cfg(not(feature = "planted"))]
mod sound {
    /// Whether this fault is planted: never.
    #[inline(always)]
    pub const fn on(_: super::Fault) -> bool {
        false
    }

    // Known while it is compiled, so that nothing of a fault is left in a release.
    const _: () = assert!(!on(super::Fault::NothingCounted));
}

#[cfg(feature = "planted")]
pub use garden::{Planted, on, plant};

#[cfg(feature = "planted")]
mod garden {
    use super::Fault;
    use std::cell::Cell;
    use std::marker::PhantomData;

    thread_local! {
        /// The fault of this thread, and how often it was met.
        static HERE: Cell<Option<(Fault, u64)>> = const { Cell::new(None) };
    }

    /// Whether this fault is planted on this thread.
    pub fn on(fault: Fault) -> bool {
        let Some((planted, met)) = HERE.get() else { return false };
        if planted == fault {
            HERE.set(Some((planted, met + 1)));
        }
        planted == fault
    }

    /// Plants a fault on this thread, in the place of any other, until the guard is dropped.
    #[must_use]
    pub fn plant(fault: Fault) -> Planted {
        HERE.set(Some((fault, 0)));
        Planted { of_this_thread: PhantomData }
    }

    /// A fault that is planted.
    #[derive(Debug)]
    pub struct Planted {
        of_this_thread: PhantomData<*const ()>,
    }

    impl Planted {
        /// How often the line of the fault was met since it was planted.
        pub fn met(&self) -> u64 {
            HERE.get().map_or(0, |(_, met)| met)
        }
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            HERE.set(None);
        }
    }
}
