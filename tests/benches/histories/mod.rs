//! Families as the planner meets them, made from a seed, each with what has to be decided about it.
//!
//! The values are as people have them (a title, a place, some text, a reminder, a property of the CRM, now and then guests),
//! and what Google adds to them. One state is changed on one side or on both, never are there two that have nothing in
//! common: so the planner compares as much as it does in earnest.

use super::{GENERATION, Outcome, Provider};
use calsync_core::binding::{Binding, EditOrDelete, Policy, Removal, Scope};
use calsync_core::model::appointment::{read_when, when_value};
use calsync_core::model::{
    Appointment, Attendee, Fields, Occurrence, Person, Record, Recurrence, Reminder, RemoteOccurrence, Slot,
    When, Writable, normalise,
};
use calsync_core::plan::{Action, ids, sighting};
use calsync_core::provider::{Mail, Target};
use calsync_core::store::{Family, Link, LocalMark, RemoteItem, Seen, Which};
use calsync_core::{InstallationId, RecordId, RemoteId, RemoteKey, Zone};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::{Value, json};

const CALENDAR: &str = "amy@example.com";
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/Vancouver", "Australia/Sydney"];

/// A family, and what has to come of it.
pub(crate) struct History {
    pub(crate) family: Family,
    /// What the rows of its plan do, in their order.
    pub(crate) actions: Vec<Action>,
    /// How many of the rows are conflicts.
    pub(crate) conflicts: usize,
    /// What is on one side and linked to nothing.
    pub(crate) unlinked: Vec<(Which, String, Fields)>,
}

/// What befalls a family.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    /// Whether the CRM is calsync's own table.
    pub(crate) own_table: bool,
    /// Whether its plan stores anything.
    pub(crate) stores: bool,
    pub(crate) make: fn(&mut Maker<'_>) -> Outcome<History>,
}

impl Kind {
    const fn new(name: &'static str, make: fn(&mut Maker<'_>) -> Outcome<History>) -> Self {
        Self { name, policy: Policy::Remote, own_table: true, stores: true, make }
    }
}

pub(crate) const KINDS: [Kind; 20] = [
    Kind::new("nothing new but the versions", |maker| maker.single(&[], &[], &[], 0)),
    Kind::new("changed in the calendar", |maker| {
        let unit = maker.units::<1>();
        maker.single(&[], &unit, &[Action::UpdateLocal], 0)
    }),
    Kind {
        own_table: false,
        ..Kind::new("changed in the calendar, the CRM has its own tables", |maker| {
            let unit = maker.units::<1>();
            maker.single(&[], &unit, &[Action::UpdateLocal], 0)
        })
    },
    Kind::new("changed in the CRM", |maker| {
        let unit = maker.units::<1>();
        maker.single(&unit, &[], &[Action::UpdateRemote], 0)
    }),
    Kind::new("different fields changed on both sides", |maker| {
        let [a, b, c, d] = maker.units();
        maker.single(&[a, b], &[c, d], &[Action::Merge], 0)
    }),
    Kind::new("the same field changed on both, the calendar wins", |maker| {
        let unit = maker.units::<1>();
        maker.single(&unit, &unit, &[Action::UpdateLocal], 1)
    }),
    Kind {
        policy: Policy::Local,
        ..Kind::new("the same field changed on both, the CRM wins", |maker| {
            let unit = maker.units::<1>();
            maker.single(&unit, &unit, &[Action::UpdateRemote], 1)
        })
    },
    Kind {
        policy: Policy::Ask,
        stores: false,
        ..Kind::new("the same field changed on both, a person is asked", |maker| {
            let [a, b] = maker.units();
            maker.single(&[a], &[a, b], &[Action::Wait], 1)
        })
    },
    Kind::new("a guest's copy changed in the CRM", |maker| maker.guests_copy()),
    Kind::new("new in the calendar", |maker| maker.new_there()),
    Kind::new("new in the CRM", |maker| maker.new_here()),
    Kind::new("on both sides already", |maker| maker.on_both_sides()),
    Kind::new("deleted in the calendar", |maker| maker.deleted(false, true, &[], Action::DeleteLocal)),
    Kind::new("deleted in the CRM", |maker| maker.deleted(true, false, &[], Action::DeleteRemote)),
    Kind::new("deleted on both sides", |maker| maker.deleted(true, true, &[], None)),
    Kind::new("deleted in the calendar, changed in the CRM", |maker| {
        let unit = maker.units::<1>();
        maker.deleted(false, true, &unit, Action::CreateRemote)
    }),
    Kind::new("deleted in the CRM, changed in the calendar", |maker| {
        let unit = maker.units::<1>();
        maker.deleted(true, false, &unit, Action::CreateLocal)
    }),
    // It stays pending, for the day the flag goes.
    Kind {
        stores: false,
        ..Kind::new("flagged \"don't sync\" and changed on both", |maker| maker.flagged())
    },
    Kind::new("a series of which the title changed", |maker| maker.series_renamed()),
    Kind::new("a series with changed and cancelled occurrences", |maker| maker.series_with_exceptions()),
];

/// The time of all plans.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_796_000_000, 0).unwrap_or_default()
}

pub(crate) fn binding(policy: Policy) -> Binding {
    Binding {
        id: "binding".into(),
        tenant: "tenant".into(),
        agent: CALENDAR.into(),
        provider: "google".into(),
        target: Target { calendar: CALENDAR.into(), subject: CALENDAR.into() },
        direction: Default::default(),
        policy,
        edit_or_delete: EditOrDelete::EditWins,
        mail: Mail::Nobody,
        removal: Removal::Cancel,
        scope: Scope::default(),
        detail: Default::default(),
        private_detail: Default::default(),
        limits: Default::default(),
        paused: false,
        leaving: false,
        created: now(),
        version: 1,
    }
}

/// Makes families; the same seed makes the same ones.
pub(crate) struct Maker<'a> {
    provider: &'a dyn Provider,
    binding: &'a Binding,
    installation: &'a InstallationId,
    dice: u64,
    number: u32,
}

/// Whose values, and which.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Crm,
    Calendar,
}

/// What a person can change of an appointment.
const UNITS: [&str; 8] = [
    "summary",
    "location",
    "description",
    "reminders",
    "when",
    "visibility",
    "property/private/stage",
    "attendee/late@customer.example",
];

impl<'a> Maker<'a> {
    pub(crate) fn new(
        provider: &'a dyn Provider,
        binding: &'a Binding,
        installation: &'a InstallationId,
        seed: u32,
        kind: usize,
    ) -> Self {
        Self { provider, binding, installation, dice: u64::from(seed) << 32 | kind as u64, number: 0 }
    }

    /// A number below `end`, as good as random (splitmix64).
    fn dice(&mut self, end: usize) -> usize {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// Different units to change.
    fn units<const N: usize>(&mut self) -> [&'static str; N] {
        let mut units = UNITS;
        for at in 0..N {
            let with = at + self.dice(UNITS.len() - at);
            units.swap(at, with);
        }
        std::array::from_fn(|at| units[at])
    }

    /// An appointment, weekly or once, as both sides have it.
    fn appointment(&mut self, weekly: bool) -> Outcome<Fields> {
        self.number += 1;
        let number = self.number;
        let zone = Zone::new(ZONES[self.dice(ZONES.len())])?;
        let day = NaiveDate::default() + Duration::days(21_000 + self.dice(700) as i64);
        let when = match self.dice(8) {
            0 if !weekly => When::day(day),
            hour => When::timed(
                day.and_time(chrono::NaiveTime::MIN) + Duration::hours(8 + hour as i64),
                Duration::minutes(60),
                &zone,
            )?,
        };
        let mut appointment = Appointment::new(format!("Visit {number}"), when);
        appointment.location = Some(format!("Dock {}, Harbour Road 7", self.dice(40)));
        let text = "What was agreed on the telephone stands here. ".repeat(1 + self.dice(16));
        appointment.description = Some(format!("Order {number}.\n{text}"));
        appointment.reminders = Some(vec![Reminder { method: "popup".into(), minutes: 10 }]);
        appointment.organizer = Some(Person { email: CALENDAR.into(), name: None });
        appointment.ical_uid = Some(format!("{number}@google.com"));
        appointment.properties.insert("private/crm".into(), format!("order-{number}"));
        if self.dice(4) == 0 {
            for guest in 0..1 + self.dice(4) {
                let address = format!("guest{guest}.of{number}@customer.example");
                appointment.attendees.insert(address, Attendee::default());
            }
        }
        if weekly {
            appointment.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=30".into()]);
        }
        Ok(appointment.to_fields())
    }

    /// A linked appointment with these units changed in the CRM and in the calendar.
    fn single(
        &mut self,
        here: &[&str],
        there: &[&str],
        actions: &[Action],
        conflicts: usize,
    ) -> Outcome<History> {
        let base = self.appointment(false)?;
        let one = self.one();
        let family = Family {
            links: vec![one.link(&base)],
            remote: vec![one.item(Seen::Live(changed(&base, there, Side::Calendar)?), there.len() + 2)],
            local: vec![self.mark(&one, Some(changed(&base, here, Side::Crm)?), true)],
            outbox: Vec::new(),
        };
        Ok(History { family, actions: actions.to_vec(), conflicts, unlinked: Vec::new() })
    }

    fn flagged(&mut self) -> Outcome<History> {
        let [a, b] = self.units();
        let mut history = self.single(&[a], &[b], &[Action::Skip], 0)?;
        for record in history.family.local.iter_mut().filter_map(|mark| mark.record.as_mut()) {
            record.sync = false;
        }
        Ok(history)
    }

    fn guests_copy(&mut self) -> Outcome<History> {
        let mut history = self.single(&["summary", "location"], &[], &[Action::Wait], 0)?;
        history.family.remote[0].writable = Writable::OwnCopy { me: CALENDAR.into() };
        Ok(history)
    }

    fn deleted(
        &mut self,
        here: bool,
        there: bool,
        units: &[&str],
        action: impl Into<Option<Action>>,
    ) -> Outcome<History> {
        let base = self.appointment(false)?;
        let one = self.one();
        let item = match (there, units) {
            (true, _) => one.item(Seen::Gone, 2),
            (false, []) => one.item(Seen::Base, 1),
            (false, units) => one.item(Seen::Live(changed(&base, units, Side::Calendar)?), 2),
        };
        let local = match (here, units) {
            (true, _) => vec![self.mark(&one, None, true)],
            (false, []) => Vec::new(),
            (false, units) => vec![self.mark(&one, Some(changed(&base, units, Side::Crm)?), true)],
        };
        let family = Family { links: vec![one.link(&base)], remote: vec![item], local, outbox: Vec::new() };
        let conflicts = usize::from(!units.is_empty());
        Ok(History { family, actions: action.into().into_iter().collect(), conflicts, unlinked: Vec::new() })
    }

    fn new_there(&mut self) -> Outcome<History> {
        let fields = self.appointment(false)?;
        let item = self.one().item(Seen::Live(copied(&fields)), 1);
        let family = Family { remote: vec![item], ..Family::default() };
        let unlinked = Vec::new();
        Ok(History { family, actions: vec![Action::CreateLocal], conflicts: 0, unlinked })
    }

    fn new_here(&mut self) -> Outcome<History> {
        let fields = of_crm(&self.appointment(false)?);
        let mark = self.mark(&self.one(), Some(fields), true);
        let family = Family { local: vec![mark], ..Family::default() };
        Ok(History { family, actions: vec![Action::CreateRemote], conflicts: 0, unlinked: Vec::new() })
    }

    /// Half of them are known by title and time, half by their UID, with another title.
    fn on_both_sides(&mut self) -> Outcome<History> {
        let there = self.appointment(false)?;
        let mut here = of_crm(&there);
        let by_identity = self.number.is_multiple_of(2);
        if by_identity {
            here = changed(&there, &["summary"], Side::Crm)?;
        }
        let one = self.one();
        let unlinked = vec![
            (Which::Local, one.record.to_string(), copied(&here)),
            (Which::Remote, one.remote.to_string(), copied(&there)),
        ];
        // The link is what the engine proposes for what was paired.
        let family = Family {
            links: vec![sighting::found(&one.remote, one.record.clone())],
            remote: vec![one.item(Seen::Live(there), 1)],
            local: vec![self.mark(&one, Some(here), true)],
            outbox: Vec::new(),
        };
        let actions = vec![Action::Join, Action::UpdateLocal];
        Ok(History { family, actions, conflicts: usize::from(by_identity), unlinked })
    }

    fn series_renamed(&mut self) -> Outcome<History> {
        let base = self.appointment(true)?;
        let series = self.one();
        let mut family = Family {
            links: vec![series.link(&base)],
            remote: vec![series.item(Seen::Live(changed(&base, &["summary"], Side::Calendar)?), 2)],
            ..Family::default()
        };
        for week in 1..=1 + self.dice(5) {
            let (one, base) = self.occurrence(&series, &base, week)?;
            family.links.push(one.link(&changed(&base, &["location"], Side::Calendar)?));
            family.remote.push(one.item(Seen::Base, 1));
        }
        Ok(History { family, actions: vec![Action::UpdateLocal], conflicts: 0, unlinked: Vec::new() })
    }

    /// One occurrence of each sort, after some that were changed before and rest.
    fn series_with_exceptions(&mut self) -> Outcome<History> {
        let base = self.appointment(true)?;
        let series = self.one();
        let mut family = Family {
            links: vec![series.link(&base)],
            remote: vec![series.item(Seen::Base, 1)],
            ..Family::default()
        };
        let resting = self.dice(6);
        let sorts = ["there", "here", "new there", "new here", "cancelled there", "cancelled here", "both"];
        let sorts = std::iter::repeat_n("rests", resting).chain(sorts);
        for (week, sort) in sorts.enumerate() {
            let (one, inherited) = self.occurrence(&series, &base, week + 1)?;
            let base = changed(&inherited, &["location"], Side::Calendar)?;
            let [a, b] = self.units();
            let there = changed(&base, &[a], Side::Calendar)?;
            if !matches!(sort, "new there" | "new here" | "cancelled there") {
                family.links.push(one.link(&base));
            }
            family.remote.push(match sort {
                "there" | "both" => one.item(Seen::Live(there), 2),
                "new there" => one.item(Seen::Live(base.clone()), 2),
                "cancelled there" => one.item(Seen::Gone, 2),
                "new here" => one.item(Seen::Live(copied(&inherited)), 1),
                _ => one.item(Seen::Base, 1),
            });
            match sort {
                "here" => family.local.push(self.mark(&one, Some(changed(&base, &[a], Side::Crm)?), true)),
                "both" => family.local.push(self.mark(&one, Some(changed(&base, &[b], Side::Crm)?), true)),
                "new here" => family.local.push(self.mark(&one, Some(copied(&base)), true)),
                "cancelled here" => {
                    let mut fields = copied(&base);
                    fields.set("status", json!("cancelled"));
                    family.local.push(self.mark(&one, Some(fields), true));
                }
                _ => {}
            }
        }
        let actions = vec![
            Action::UpdateLocal,
            Action::UpdateRemote,
            Action::CreateLocal,
            Action::UpdateRemote,
            Action::DeleteLocal,
            Action::DeleteRemote,
            Action::Merge,
        ];
        Ok(History { family, actions, conflicts: 0, unlinked: Vec::new() })
    }

    /// The names of the appointment that was made last.
    fn one(&self) -> One {
        let record = RecordId::new(format!("{:032x}", u128::from(self.number) << 64 | u128::from(self.dice)));
        let remote = ids::created(self.provider, self.installation, self.binding, &record, 0);
        One { record_root: record.clone(), record, remote, occurrence: None }
    }

    /// An occurrence of a series, and the values that its series puts there.
    fn occurrence(&self, series: &One, fields: &Fields, week: usize) -> Outcome<(One, Fields)> {
        let (when, _) = read_when(fields.get("when").unwrap_or(&Value::Null))?;
        let When::Timed { mut start, .. } = when.clone() else { return Err("a series has a time".into()) };
        start.time += Duration::weeks(week as i64);
        let slot = Slot::Time(start.instant()?);
        let mut inherited = copied(fields);
        inherited.set("when", when_value(&when.moved_to(&slot)?, &Recurrence::default()));
        let one = One {
            record: ids::occurrence_record(&series.record, &slot),
            record_root: series.record.clone(),
            remote: self.provider.occurrence_id(&series.remote, &slot),
            occurrence: Some(RemoteOccurrence { series: series.remote.clone(), slot }),
        };
        Ok((one, inherited))
    }

    /// What the CRM has of it; nothing when it was deleted there.
    fn mark(&self, one: &One, fields: Option<Fields>, sync: bool) -> LocalMark {
        let slot = one.occurrence.as_ref().map(|occurrence| occurrence.slot);
        let record = Record {
            id: one.record.clone(),
            version: "2".into(),
            agent: self.binding.agent.clone(),
            occurrence: slot.map(|slot| Occurrence { series: one.record_root.clone(), slot }),
            fields,
            sync,
            modified: now() - Duration::minutes(5),
        };
        LocalMark::of(&record, true)
    }
}

/// The names of a record on both sides.
struct One {
    record: RecordId,
    record_root: RecordId,
    remote: RemoteId,
    occurrence: Option<RemoteOccurrence>,
}

impl One {
    fn remote_root(&self) -> &RemoteId {
        self.occurrence.as_ref().map_or(&self.remote, |occurrence| &occurrence.series)
    }

    fn link(&self, base: &Fields) -> Link {
        Link {
            record_root: self.record_root.clone(),
            key: RemoteKey::of(&self.remote, self.occurrence.as_ref()),
            remote_root: self.remote_root().clone(),
            slot: self.occurrence.as_ref().map(|occurrence| occurrence.slot),
            base: Some(calsync_core::model::State::Live(copied(base))),
            normaliser: normalise::VERSION,
            version: Some("1".into()),
            revision: Some("\"1\"".into()),
            adopted: false,
            guests_out: false,
            ..sighting::found(&self.remote, self.record.clone())
        }
    }

    /// What was seen of it in the calendar, in which version: the first is the base's.
    fn item(&self, seen: Seen, version: usize) -> RemoteItem {
        let rests = seen == Seen::Base;
        RemoteItem {
            key: RemoteKey::of(&self.remote, self.occurrence.as_ref()),
            id: self.remote.clone(),
            root: self.remote_root().clone(),
            occurrence: self.occurrence.clone(),
            revision: format!("\"{version}\"").into(),
            updated: Some(now() - Duration::minutes(10)),
            writable: Writable::All,
            generation: GENERATION,
            seen,
            pending: !rests,
        }
    }
}

/// The same values in memory of their own.
fn copied(fields: &Fields) -> Fields {
    fields.iter().map(|(unit, value)| (unit.clone(), value.clone())).collect()
}

/// What a CRM has of an appointment that no calendar has seen.
fn of_crm(fields: &Fields) -> Fields {
    let mut fields = copied(fields);
    fields.remove("ical_uid");
    fields.remove("organizer");
    fields
}

/// The values after somebody changed these units on one side; each side changes a unit to a value of its own.
fn changed(fields: &Fields, units: &[&str], side: Side) -> Outcome<Fields> {
    let mut fields = copied(fields);
    let crm = side == Side::Crm;
    let name = if crm { "the CRM" } else { "the calendar" };
    for unit in units {
        let value = match *unit {
            "when" => moved(fields.get("when").unwrap_or(&Value::Null), if crm { 1 } else { 2 })?,
            "reminders" => json!([{ "method": "popup", "minutes": if crm { 15 } else { 30 } }]),
            "visibility" => json!(if crm { "private" } else { "public" }),
            unit if unit.starts_with("attendee/") => {
                json!({ "response": if crm { "accepted" } else { "declined" } })
            }
            unit => {
                let text = fields.get(unit).and_then(Value::as_str).unwrap_or_default();
                json!(format!("{text} As changed in {name}"))
            }
        };
        fields.set(*unit, value);
    }
    Ok(fields)
}

/// So many days or hours later.
fn moved(value: &Value, by: i64) -> Outcome<Value> {
    let (when, recurrence) = read_when(value)?;
    let to = match when.slot()? {
        Slot::Date(date) => Slot::Date(date + Duration::days(by)),
        Slot::Time(instant) => Slot::Time(instant + Duration::hours(by)),
    };
    Ok(when_value(&when.moved_to(&to)?, &recurrence))
}
