//! Agent ↔ calendar: who is kept in step with what, and under which rules.
//!
//! A binding is settings only; what happened so far is in [`BindingState`]. Settings carry a version, and every transaction
//! that plans a write names the version it was planned under, so that a flag set a moment ago is honoured.

use crate::error::{Error, ErrorKind, Result};
use crate::guard::Accounts;
use crate::hours::ScheduleVersion;
use crate::id::{AgentId, BindingId, CalendarId, Cursor, PageToken, Position, ProviderName, RunId, Tenant};
use crate::limits::{Allowance, Limits};
use crate::model::{EventType, Status, Visibility};
use crate::planted::{self, Fault};
use crate::provider::{Mail, Target};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

pub use crate::detail::{BUSY_TITLE, Detail};
pub use crate::scope::{PAST_DAYS_MAX, Scope};

/// Which way changes flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    TwoWay,
    /// From the CRM to the calendar only.
    ToRemote,
    /// From the calendar to the CRM only.
    FromRemote,
}

impl Direction {
    /// Whether the CRM may be written.
    pub fn writes_local(self) -> bool {
        self != Self::ToRemote
    }

    /// Whether the calendar may be written.
    pub fn writes_remote(self) -> bool {
        self != Self::FromRemote || planted::on(Fault::OneWayIgnored)
    }
}

/// Who wins where both sides changed the same unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The calendar. The default: what a person typed into the calendar last is usually what the meeting is.
    #[default]
    Remote,
    /// The CRM.
    Local,
    /// Whichever was changed later by its own side's clock; the calendar where a time is missing or equal.
    Newest,
    /// Nobody: the record waits until a person answers.
    Ask,
}

/// What happens where one side deleted what the other changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditOrDelete {
    /// The change survives and the record is made again on the other side. The default: nobody's work disappears silently.
    #[default]
    EditWins,
    /// It is deleted on both sides.
    DeleteWins,
    /// A person answers.
    Ask,
}

/// What a deletion in the calendar does to the CRM's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// It is marked as cancelled and keeps its values. The default: a CRM's history is worth more than a tidy list.
    #[default]
    Cancel,
    /// It is deleted.
    Delete,
}

/// One agent ↔ calendar pair and its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its id.
    pub id: BindingId,
    /// Whose data.
    pub tenant: Tenant,
    /// Whose appointments in the CRM.
    pub agent: AgentId,
    /// Which provider.
    pub provider: ProviderName,
    /// Which calendar, on whose behalf.
    pub target: Target,
    /// Which way changes flow.
    pub direction: Direction,
    /// Who wins a conflict.
    pub policy: Policy,
    /// What happens where a change meets a deletion.
    pub edit_or_delete: EditOrDelete,
    /// Who is told by mail about writes to the calendar. Nobody, unless the host authorises it here. Whoever switches it off again
    /// finds the guests who are in the calendar by then in [`Engine::plan_guests_out`](crate::Engine::plan_guests_out).
    pub mail: Mail,
    /// What a deletion in the calendar does to the CRM's record.
    pub removal: Removal,
    /// Which records it is about. Leaving the scope deletes nothing.
    #[serde(default)]
    pub scope: Scope,
    /// How much of an appointment passes between the two sides. Default: everything.
    #[serde(default)]
    pub detail: Detail,
    /// How much of a private one passes, by `visibility` (`private` and `confidential`); never more than of others. Default:
    /// everything, as the CRM is the agent's own and visibility travels along and never widens (G39): a detail that is held
    /// back is one that nobody finds in the CRM. Whose CRM shows an agent's appointments to others, or whose calendar is
    /// shared with people who have no place in the CRM, sets [`Detail::BusyOnly`]: whoever reads on either side then sees
    /// that the time is taken, and the details stay where they were typed.
    #[serde(default)]
    pub private_detail: Detail,
    /// How much one run and one hour may do.
    #[serde(default)]
    pub limits: Limits,
    /// While paused, runs do nothing and keep everything.
    pub paused: bool,
    /// It is being taken apart with what calsync made in the calendar ([`Engine::unbind_deleting`](crate::Engine::unbind_deleting)): no run
    /// decides about it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Counts the changes of these settings.
    pub version: u64,
}

/// What is asked for when a binding is made; everything but agent and calendar has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBinding {
    pub(crate) agent: AgentId,
    pub(crate) direction: Direction,
    pub(crate) calendar: Option<(ProviderName, CalendarId)>,
    pub(crate) subject: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) edit_or_delete: EditOrDelete,
    pub(crate) mail: Mail,
    pub(crate) removal: Removal,
    pub(crate) scope: Scope,
    pub(crate) detail: Detail,
    pub(crate) private_detail: Detail,
    pub(crate) limits: Limits,
}

impl Binding {
    /// Both ways between this agent and the calendar named with [`NewBinding::to`].
    pub fn two_way(agent: impl Into<AgentId>) -> NewBinding {
        NewBinding::new(agent.into(), Direction::TwoWay)
    }

    /// From the CRM to the calendar only.
    pub fn to_remote(agent: impl Into<AgentId>) -> NewBinding {
        NewBinding::new(agent.into(), Direction::ToRemote)
    }

    /// From the calendar to the CRM only.
    pub fn from_remote(agent: impl Into<AgentId>) -> NewBinding {
        NewBinding::new(agent.into(), Direction::FromRemote)
    }
}

impl Binding {
    /// Whether both are to one calendar. The case of its address does not count: people type it in.
    pub fn is_to_calendar_of(&self, other: &Binding) -> bool {
        let calendars = [self, other].map(|binding| binding.target.calendar.as_str());
        self.provider == other.provider && calendars[0].eq_ignore_ascii_case(calendars[1])
    }

    /// What a store says when `self` is to be put while `other` has its calendar.
    pub fn refused_for(&self, other: &BindingId) -> Error {
        Error::new(ErrorKind::Duplicate, "this calendar is bound already")
            .with("calendar", &self.target.calendar)
            .with("binding", other)
            .cure("Use that binding, or unbind it first.")
    }

    /// Whether the settings can be meant.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the setting, and what it can be.
    pub(crate) fn check(&self) -> Result<()> {
        self.scope.check()
    }
}

impl NewBinding {
    fn new(agent: AgentId, direction: Direction) -> Self {
        Self {
            agent,
            direction,
            calendar: None,
            subject: None,
            policy: Policy::default(),
            edit_or_delete: EditOrDelete::default(),
            mail: Mail::default(),
            removal: Removal::default(),
            scope: Scope::default(),
            detail: Detail::default(),
            private_detail: Detail::default(),
            limits: Limits::default(),
        }
    }

    /// The calendar, and the provider it is reached through. Use the calendar's own address, never `primary`: to a service
    /// account that means its own empty calendar.
    pub fn to(mut self, provider: impl Into<ProviderName>, calendar: impl Into<CalendarId>) -> Self {
        self.calendar = Some((provider.into(), calendar.into()));
        self
    }

    /// The address of the person to act for. Default: the agent's id.
    pub fn on_behalf_of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Who wins where both sides changed the same unit. Default: [`Policy::Remote`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What happens where a change meets a deletion. Default: [`EditOrDelete::EditWins`].
    pub fn edit_or_delete(mut self, choice: EditOrDelete) -> Self {
        self.edit_or_delete = choice;
        self
    }

    /// Who is told by mail about writes to the calendar. Default: [`Mail::Nobody`].
    pub fn mail(mut self, mail: Mail) -> Self {
        self.mail = mail;
        self
    }

    /// What a deletion in the calendar does to the CRM's record. Default: [`Removal::Cancel`].
    pub fn removal(mut self, removal: Removal) -> Self {
        self.removal = removal;
        self
    }

    /// Which records the binding is about, as a whole. Default: all, except that what is over is not pushed.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Leaves alone what ended before this day, 1900 to 2200. Default: no limit.
    pub fn since(mut self, day: NaiveDate) -> Self {
        self.scope.since = Some(day);
        self
    }

    /// Leaves alone what ended more than this many days ago, counted anew in every run; at most [`PAST_DAYS_MAX`]. Default:
    /// no limit.
    pub fn past_days(mut self, days: u32) -> Self {
        self.scope.past_days = Some(days);
        self
    }

    /// Also pushes appointments of the CRM that are over already. Default: no, so that nobody is reminded of last year.
    pub fn push_past(mut self, push: bool) -> Self {
        self.scope.push_past = push;
        self
    }

    /// Leaves alone what has one of these statuses, such as [`Status::Tentative`]. Default: none.
    pub fn leave_out_statuses(mut self, statuses: impl IntoIterator<Item = Status>) -> Self {
        self.scope.statuses_left_out.extend(statuses);
        self
    }

    /// Leaves alone what the calendar's own owner declined. Default: it is kept in step, with the answer.
    pub fn leave_out_declined(mut self) -> Self {
        self.scope.declined_left_out = true;
        self
    }

    /// Leaves alone entries of these kinds. Default: none.
    pub fn leave_out_types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.scope.types_left_out.extend(types);
        self
    }

    /// Leaves alone every known kind of entry but these. A kind that this version does not know passes.
    pub fn only_types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.scope.only_types(types);
        self
    }

    /// Leaves alone what has one of these visibilities. Default: none.
    pub fn leave_out_visibilities(mut self, visibilities: impl IntoIterator<Item = Visibility>) -> Self {
        self.scope.visibilities_left_out.extend(visibilities);
        self
    }

    /// How much of an appointment passes between the two sides. Default: [`Detail::Full`].
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// How much of a private appointment passes; never more than of others. Default: [`Detail::Full`], see
    /// [`Binding::private_detail`].
    pub fn private_detail(mut self, detail: Detail) -> Self {
        self.private_detail = detail;
        self
    }

    /// How many deletions one run may make on each side before a person is asked. Default: ten, or ten in a hundred of what is
    /// linked, whichever is more. [`Allowance::NOTHING`] asks about every one.
    pub fn deletions_max(mut self, max: Allowance) -> Self {
        self.limits.crm.delete.per_run = Some(max);
        self.limits.calendar.delete.per_run = Some(max);
        self
    }

    /// How much one run and one hour may do, by side and kind. Default: deletions as [`NewBinding::deletions_max`] says, and
    /// no other limit.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What is known about a binding's progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingState {
    /// Where the listing of the calendar stands.
    pub listing: Listing,
    /// Up to where the CRM's changes are observed.
    pub position: Option<Position>,
    /// How the last runs went.
    pub health: Health,
    /// What the guards counted, hold back, and were allowed.
    #[serde(default)]
    pub guard: Accounts,
    /// Up to where its appointments were held against working hours.
    #[serde(default)]
    pub hours: Option<HoursJudged>,
}

/// Up to where the appointments of a binding were held against working hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursJudged {
    /// The version of the agent's hours.
    pub version: ScheduleVersion,
    /// What starts then or later was not looked at yet.
    pub until: DateTime<Utc>,
}

/// Where the listing of a calendar stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// From the last page of the last complete listing.
    pub cursor: Option<Cursor>,
    /// The listing in progress goes on here.
    pub page: Option<PageToken>,
    /// The listing in progress lists everything.
    pub full: bool,
    /// Counts the full listings; what the last one did not show has an older mark.
    pub generation: u64,
    /// What the last full listing did not show was confirmed.
    pub swept: bool,
    /// The parameters that the cursor belongs to.
    pub fingerprint: String,
}

impl Listing {
    /// Whether the last listing that was begun was seen to its end.
    pub fn complete(&self) -> bool {
        self.cursor.is_some() && self.page.is_none() && self.swept && !self.full
    }
}

/// How the last runs of a binding went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When a run last began.
    pub last_attempt: Option<DateTime<Utc>>,
    /// When a run last saw everything there was to see.
    pub last_success: Option<DateTime<Utc>>,
    /// What kept the last run from being clean; `None` when it was.
    pub last_error: Option<LastError>,
}

/// What kept a run from being clean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: DateTime<Utc>,
    /// In which run.
    pub run: RunId,
    /// What to branch on.
    pub kind: ErrorKind,
    /// What happened and what to do, for a person.
    pub message: String,
}
