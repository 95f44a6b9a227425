//! The accounts of the guards: what was done, what that leaves, what is held back, and what was confirmed. Pure.
//!
//! The rule it keeps (C9): within one run, and within one hour, no side of a binding sees more writes of a kind than its
//! [`Limits`] allow, except for what a person confirmed. What was done in the hour, what is held back and what was
//! confirmed is kept in [`Accounts`], which is part of the binding's state and is stored in the transaction that plans the
//! writes. So a crash forgets none of it: a run that starts anew has the same hour behind it, and of a confirmation it has
//! left what was not used.
//!
//! A confirmation allows one thing once: so many writes of one kind on one side. The run that begins to use it ends it,
//! whether it used all of it or not. Only after a crash does the next run have the rest. What was confirmed does not count
//! against the limits, or one confirmed clearing would bar every deletion for an hour.
//!
//! Nothing is decided here about records. Which of them wait is said by the plan
//! ([`FamilyPlan::held`](crate::plan::FamilyPlan::held)).

use crate::limits::{Kind, Limits};
use crate::plan::{Action, Row};
use crate::planted::{self, Fault};
use crate::store::Which;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many titles a report of something held back names.
pub const TITLES_MAX: usize = 5;
/// For how long a confirmation waits to be used.
pub const CONFIRMED_FOR: TimeDelta = TimeDelta::hours(24);
/// The steps in which an hour is counted.
const STEP: TimeDelta = TimeDelta::minutes(5);
/// A listing is not believed when it lacks more than this many of what is linked
const MISSING_COUNT: u64 = 10;
/// and more than this many in a hundred.
const MISSING_PERCENT: u64 = 50;

/// One kind of write on one side.
pub type Place = (Which, Kind);

const PLACES: [Place; 6] = [
    (Which::Local, Kind::Create),
    (Which::Local, Kind::Update),
    (Which::Local, Kind::Delete),
    (Which::Remote, Kind::Create),
    (Which::Remote, Kind::Update),
    (Which::Remote, Kind::Delete),
];

fn index((side, kind): Place) -> usize {
    let kind = match kind {
        Kind::Create => 0,
        Kind::Update => 1,
        Kind::Delete => 2,
    };
    if side == Which::Local { kind } else { kind + 3 }
}

/// Counts by side and kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally([u64; 6]);

impl Tally {
    /// What the rows of one family's plan come to. With `single`, each occurrence stands for itself: its series is not kept
    /// in step.
    pub fn of(rows: &[Row], single: bool) -> Self {
        let mut tally = Self::default();
        // Joining writes to neither side by itself.
        let new = || rows.iter().filter(|row| row.writes() && !row.again && row.action != Action::Join);
        for row in new().filter(|row| single || row.slot.is_none()) {
            tally.add(row_place(row), 1);
        }
        // Changed occurrences are one change of their series, where that is not counted for itself already.
        for row in new().filter(|row| !single && row.slot.is_some()) {
            let (side, _) = row_place(row);
            if Kind::ALL.iter().all(|kind| tally.get((side, *kind)) == 0) {
                tally.add((side, Kind::Update), 1);
            }
        }
        tally
    }

    /// How many of one kind on one side.
    pub fn get(&self, place: Place) -> u64 {
        self.0[index(place)]
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any of these kinds is counted.
    pub fn meets(&self, kinds: Kinds) -> bool {
        PLACES.iter().any(|place| kinds.has(*place) && self.get(*place) > 0)
    }

    /// What is counted, by side and kind.
    pub fn places(self) -> impl Iterator<Item = Place> {
        PLACES.into_iter().filter(move |place| self.get(*place) > 0)
    }

    pub(crate) fn add(&mut self, place: Place, count: u64) {
        let at = &mut self.0[index(place)];
        *at = at.saturating_add(count);
    }

    pub(crate) fn take(&mut self, place: Place, count: u64) {
        let at = &mut self.0[index(place)];
        *at = at.saturating_sub(count);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for place in PLACES {
            self.add(place, other.get(place));
        }
    }
}

/// Where and what a row writes first; what a merge owes the other side is planned and counted in the next pass.
fn row_place(row: &Row) -> Place {
    let kind = match row.action {
        Action::CreateLocal | Action::CreateRemote => Kind::Create,
        Action::DeleteLocal | Action::DeleteRemote => Kind::Delete,
        Action::UpdateLocal
        | Action::UpdateRemote
        | Action::Merge
        | Action::Join
        | Action::Wait
        | Action::Skip => Kind::Update,
    };
    (row.action.side(), kind)
}

/// A set of kinds of writes, by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds([bool; 6]);

impl Kinds {
    /// Those that have a limit.
    pub fn limited(limits: &Limits) -> Self {
        let mut kinds = Self::default();
        for place in PLACES {
            kinds.0[index(place)] = limits.of(place.0, place.1).is_set();
        }
        kinds
    }

    /// Whether it is one of them.
    pub fn has(&self, place: Place) -> bool {
        self.0[index(place)]
    }

    pub(crate) fn put(&mut self, place: Place) {
        self.0[index(place)] = true;
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Place> {
        PLACES.into_iter().filter(move |place| self.has(*place))
    }
}

/// Why something is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// More than one run may do.
    Run,
    /// More than may be done in an hour.
    Hour,
    /// A listing of the whole calendar did not show most of what is linked, twice in a row.
    Listing,
}

/// Writes that are held back, all of one kind on one side, and why. [`Engine::confirm`](crate::Engine::confirm) lets them go
/// once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The side that would have been written.
    pub side: Which,
    /// What would have been done there. With [`Over::Listing`] it is what would follow if the listing were right.
    pub kind: Kind,
    /// Why it was not.
    pub over: Over,
    /// How many series and single records are concerned; with [`Over::Listing`], how many records the listing lacked.
    pub planned: u64,
    /// How many are allowed.
    pub allowed: u64,
    /// How many of those were done before, in this run or this hour.
    pub done: u64,
    /// How many records are linked.
    pub linked: u64,
    /// The titles of the first of them, up to [`TITLES_MAX`]; `None` for private ones.
    pub titles: Vec<Option<String>>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { planned, allowed, done, linked, .. } = self;
        let one = *planned == 1;
        let what = match (self.side, self.kind) {
            (Which::Local, Kind::Create) => "new in the CRM",
            (Which::Local, Kind::Update) => "changed in the CRM",
            (Which::Local, Kind::Delete) => "removed in the CRM",
            (Which::Remote, Kind::Create) => "new in the calendar",
            (Which::Remote, Kind::Update) => "changed in the calendar",
            (Which::Remote, Kind::Delete) => "deleted in the calendar",
        };
        let records = if one { "record" } else { "records" };
        match self.over {
            Over::Run | Over::Hour => {
                let span = if self.over == Over::Run { "one run" } else { "one hour" };
                write!(
                    f,
                    "{planned} {records} would have been {what} and {} held back, because {span} may do {allowed} of that \
                     ({linked} linked",
                    if one { "is" } else { "are" },
                )?;
                if *done > 0 {
                    write!(f, ", {done} done before")?;
                }
                f.write_str(")")?;
            }
            Over::Listing => write!(
                f,
                "the calendar was listed as a whole, twice, and did not show {planned} of {linked} linked records; that \
                 is not believed, and none of them was removed in the CRM"
            )?,
        }
        if !self.titles.is_empty() {
            let titles: Vec<String> = (self.titles.iter())
                .map(|title| {
                    title.as_ref().map_or_else(|| "(private)".to_owned(), |title| format!("{title:?}"))
                })
                .collect();
            let more = *planned > self.titles.len() as u64;
            write!(f, ": {}{}", titles.join(", "), if more { ", …" } else { "" })?;
        }
        f.write_str(
            ". If that is right, confirm it (Engine::confirm) and run again; if not, nothing is lost: ",
        )?;
        f.write_str(match (self.over, self.side) {
            (Over::Listing, _) => {
                "see whether the calendar was emptied, or is shared differently, and bring it back"
            }
            (_, Which::Local) => "put the calendar right and run again",
            (_, Which::Remote) => "put the CRM right and run again",
        })
    }
}

/// What a person allowed, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// On which side.
    pub side: Which,
    /// What.
    pub kind: Kind,
    /// A listing that lacks so many, rather than so many writes.
    pub listing: bool,
    /// So many, less what was done under it.
    pub left: u64,
    /// Not later than this.
    pub until: DateTime<Utc>,
    /// A run began to use it: no later one may, unless that run died.
    pub used: bool,
}

/// What was counted in a few minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    from: DateTime<Utc>,
    tally: Tally,
}

/// What the guards of a binding keep from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    #[serde(default)]
    hour: Vec<Step>,
    /// What the last run held back.
    #[serde(default)]
    pub held: Vec<Held>,
    /// What a person confirmed and no run has used up.
    #[serde(default)]
    pub confirmed: Vec<Confirmed>,
}

impl Accounts {
    /// What was done in the last hour, and up to five minutes more.
    pub fn last_hour(&self, now: DateTime<Utc>) -> Tally {
        let mut tally = Tally::default();
        for step in self.hour.iter().filter(|step| step.counts(now) && !planted::on(Fault::HourForgotten)) {
            tally.add_all(&step.tally);
        }
        tally
    }

    pub(crate) fn count(&mut self, tally: &Tally, now: DateTime<Utc>) {
        self.hour.retain(|step| step.counts(now));
        let from = now.duration_trunc(STEP).unwrap_or(now);
        match self.hour.iter_mut().find(|step| step.from == from) {
            Some(step) => step.tally.add_all(tally),
            None => self.hour.push(Step { from, tally: *tally }),
        }
    }

    /// Takes back what was counted a moment ago and was not done after all.
    pub(crate) fn uncount(&mut self, place: Place, count: u64) {
        if let Some(step) = self.hour.iter_mut().max_by_key(|step| step.from) {
            step.tally.take(place, count);
        }
    }

    /// How many of these writes a confirmation still allows.
    pub(crate) fn confirmed(&self, place: Place, now: DateTime<Utc>) -> u64 {
        self.find(place, false).filter(|it| now < it.until).map_or(0, |it| it.left)
    }

    /// How many linked records a confirmed listing may lack.
    pub(crate) fn confirmed_missing(&self, now: DateTime<Utc>) -> u64 {
        let it = self.find((Which::Local, Kind::Delete), true);
        it.filter(|it| now < it.until).map_or(0, |it| it.left)
    }

    fn find(&self, place: Place, listing: bool) -> Option<&Confirmed> {
        self.confirmed.iter().find(|it| (it.side, it.kind, it.listing) == (place.0, place.1, listing))
    }

    pub(crate) fn spend(&mut self, place: Place, count: u64) {
        if planted::on(Fault::ConfirmationNotUsedUp) {
            return;
        }
        let confirmed = &mut self.confirmed;
        if let Some(it) =
            confirmed.iter_mut().find(|it| (it.side, it.kind, it.listing) == (place.0, place.1, false))
        {
            it.left = it.left.saturating_sub(count);
            it.used = true;
        }
    }

    pub(crate) fn unspend(&mut self, place: Place, count: u64) {
        let confirmed = &mut self.confirmed;
        if let Some(it) =
            confirmed.iter_mut().find(|it| (it.side, it.kind, it.listing) == (place.0, place.1, false))
        {
            it.left = it.left.saturating_add(count);
        }
    }

    /// The listing that was confirmed is dealt with.
    pub(crate) fn listing_done(&mut self) {
        self.confirmed.retain(|it| !it.listing);
    }

    /// At the end of a run: what it held back, and nothing left of what it used.
    pub(crate) fn close(&mut self, held: &[Held], now: DateTime<Utc>) {
        self.held = held.to_vec();
        self.confirmed.retain(|it| !it.used && now < it.until);
    }

    /// Writes a person's confirmation down; `false` when nothing like that is held back.
    ///
    /// A listing that is confirmed brings its deletions along: they are what the person was asked about.
    pub(crate) fn confirm(&mut self, held: &Held, now: DateTime<Utc>) -> bool {
        let is_it = |it: &Held| (it.side, it.kind, it.over) == (held.side, held.kind, held.over);
        let Some(at) = self.held.iter().position(|it| is_it(it) && held.planned <= it.planned) else {
            return false;
        };
        self.held.remove(at);
        for listing in [held.over == Over::Listing, false] {
            self.confirmed.retain(|it| (it.side, it.kind, it.listing) != (held.side, held.kind, listing));
            self.confirmed.push(Confirmed {
                side: held.side,
                kind: held.kind,
                listing,
                left: held.planned,
                until: now + CONFIRMED_FOR,
                used: false,
            });
        }
        true
    }
}

impl Step {
    /// Part of the last hour, or of a future that a clock set back has left behind; what is further off than that is nonsense.
    fn counts(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.from;
        age < TimeDelta::hours(1) + STEP && age > -TimeDelta::hours(1)
    }
}

/// What may still be done of one kind on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Under the limits.
    pub left: u64,
    /// Under a confirmation.
    pub confirmed: u64,
    over: Over,
    allowed: u64,
    done: u64,
}

/// What becomes of all writes of one kind on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are done.
    Allowed,
    /// They are done, because a person said so.
    Confirmed,
    /// They wait.
    Held,
}

impl Room {
    /// Of a kind that has a limit; `run` and `hour` are what was done so far.
    pub(crate) fn new(
        limits: &Limits,
        place: Place,
        linked: u64,
        run: u64,
        hour: u64,
        confirmed: u64,
    ) -> Option<Self> {
        let limit = limits.of(place.0, place.1);
        let room = |over, allowed: u64, done: u64| Self {
            left: allowed.saturating_sub(done),
            confirmed,
            over,
            allowed,
            done,
        };
        let per_run = limit.per_run.map(|allowance| room(Over::Run, allowance.of(linked), run));
        let per_hour = limit.per_hour.map(|allowance| room(Over::Hour, allowance.of(linked), hour));
        per_run.into_iter().chain(per_hour).min_by_key(|room| room.left)
    }

    pub(crate) fn verdict(&self, planned: u64) -> Verdict {
        if planned <= self.left {
            Verdict::Allowed
        } else if planned <= self.confirmed {
            Verdict::Confirmed
        } else {
            Verdict::Held
        }
    }

    pub(crate) fn held(&self, place: Place, planned: u64, linked: u64, titles: Vec<Option<String>>) -> Held {
        let (side, kind) = place;
        let Self { over, allowed, done, .. } = *self;
        Held { side, kind, over, planned, allowed, done, linked, titles }
    }
}

/// Writes that wait until all of their kind are counted.
#[derive(Debug, Default)]
pub(crate) struct Waitlist {
    pub linked: u64,
    rooms: BTreeMap<Place, Room>,
    pub planned: Tally,
    titles: BTreeMap<Place, Vec<Option<String>>>,
    /// Where the families are found again that may be carried out: never more of a kind than are allowed, and one.
    pub roots: Vec<(Which, String)>,
}

impl Waitlist {
    pub(crate) fn new(linked: u64, rooms: BTreeMap<Place, Room>) -> Self {
        Self { linked, rooms, ..Self::default() }
    }

    /// Counts a family; the kinds of which there are too many by now.
    pub(crate) fn count(&mut self, tally: &Tally, rows: &[Row]) -> Kinds {
        self.planned.add_all(tally);
        for place in self.rooms.keys().filter(|place| tally.get(**place) > 0) {
            let titles = self.titles.entry(*place).or_default();
            for row in rows.iter().filter(|row| row.writes() && !row.again && row_place(row) == *place) {
                if titles.len() < TITLES_MAX {
                    titles.push(row.summary.clone());
                }
            }
        }
        self.held()
    }

    /// The kinds of which there are too many.
    pub(crate) fn held(&self) -> Kinds {
        self.those(Verdict::Held)
    }

    /// The kinds that are done because they were confirmed.
    pub(crate) fn under_confirmation(&self) -> Kinds {
        self.those(Verdict::Confirmed)
    }

    fn those(&self, verdict: Verdict) -> Kinds {
        let mut kinds = Kinds::default();
        for (place, room) in &self.rooms {
            if room.verdict(self.planned.get(*place)) == verdict {
                kinds.put(*place);
            }
        }
        kinds
    }

    /// Whether there is room for `tally` after `spent`.
    pub(crate) fn fits(&self, spent: &Tally, tally: &Tally) -> bool {
        self.rooms.iter().all(|(place, room)| {
            let more = tally.get(*place);
            let most = match room.verdict(self.planned.get(*place)) {
                Verdict::Allowed => room.left,
                Verdict::Confirmed => room.confirmed,
                Verdict::Held => 0,
            };
            more == 0 || spent.get(*place).saturating_add(more) <= most
        })
    }

    /// What is held back, for the report.
    pub(crate) fn report(&self) -> Vec<Held> {
        let held = self.held();
        let places = self.rooms.iter().filter(|(place, _)| held.has(**place));
        places
            .map(|(place, room)| {
                let titles = self.titles.get(place).cloned().unwrap_or_default();
                room.held(*place, self.planned.get(*place), self.linked, titles)
            })
            .collect()
    }
}

/// How many of `linked` records a full listing may lack and still be believed.
pub(crate) fn missing_max(linked: u64) -> u64 {
    MISSING_COUNT.max(linked.saturating_mul(MISSING_PERCENT) / 100)
}

#[cfg(test)]
mod tests;
