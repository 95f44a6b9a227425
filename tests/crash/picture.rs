//! What the two sides hold, and what was done to get there, for comparing.

use super::stage::{AMY, Stage, records};
use calsync_core::clock::Clock;
use calsync_core::model::Record;
use calsync_testkit::sim::gate::now;
use calsync_testkit::sim::{Shown, shown_by, shown_in_crm};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the two sides hold at rest, and what was done to get there.
pub(crate) struct Picture {
    /// What people see.
    pub(crate) shown: Vec<String>,
    /// Google's events, deleted ones as well.
    events: Vec<Value>,
    /// The CRM's records, deleted ones as well.
    records: Vec<Value>,
    /// How many mails of a kind somebody got about an event.
    pub(crate) mails: BTreeMap<String, usize>,
    /// How often an event was written, by the method.
    writes: BTreeMap<String, usize>,
    /// Values that lost a conflict.
    pub(crate) lost: Vec<String>,
}

impl Picture {
    /// Lets everything come to rest and takes the picture.
    pub(crate) fn at_rest(stage: &Stage) -> Self {
        let engine = &stage.come_to_rest();
        let (from, to) = (stage.clock.now() - Duration::days(100), stage.clock.now() + Duration::days(100));
        let google = stage.google();
        let (mut shown, mut events) = (Vec::new(), Vec::new());
        for binding in &stage.bindings {
            let agent = binding.agent.as_str();
            let there = shown_by(&google, agent, from, to);
            assert_eq!(shown_in_crm(engine, agent, from, to), there, "C1: the two sides differ");
            shown.extend(there.iter().map(|shown| line(agent, shown)));
            events.extend(google.events(agent).map(essence));
        }
        let tenant = "default".into();
        let mut lost = Vec::new();
        for binding in &stage.bindings {
            let journal = engine.store().journal(&tenant, &binding.id, None, 1_000);
            lost.extend(
                now(journal)
                    .unwrap()
                    .into_iter()
                    .filter_map(|entry| entry.lost.map(|lost| format!("{}: {}", entry.record, json!(lost)))),
            );
        }
        lost.sort();
        let (mut mails, mut writes) = (BTreeMap::new(), BTreeMap::new());
        for mail in google.mails() {
            *mails.entry(format!("{:?} {} {}", mail.kind, mail.recipient, mail.event)).or_default() += 1;
        }
        for write in google.journal().iter().filter(|entry| entry.wrote()) {
            let of = format!("{} {}", write.method, write.event.as_deref().unwrap_or_default());
            *writes.entry(of).or_default() += 1;
        }
        drop(google);
        let mut records: Vec<Value> = records(engine).iter().map(record).collect();
        records.sort_by_key(|record| record["id"].to_string());
        Self { shown, events, records, mails, writes, lost }
    }

    /// Compares it with how it is without a crash.
    pub(crate) fn check(&self, calm: &Self, what: &str) {
        assert_eq!(self.shown, calm.shown, "C6: what people see, after {what}");
        assert_eq!(self.events, calm.events, "C3, C6: Google's events, after {what}");
        assert_eq!(self.records, calm.records, "C3, C6: the CRM's records, after {what}");
        assert_eq!(self.lost, calm.lost, "C2: what lost a conflict, after {what}");
        assert_eq!(self.writes, calm.writes, "C5: writes to Google, after {what}");
        for (mail, count) in &self.mails {
            let least = calm.mails.get(mail).copied().unwrap_or(0);
            assert!(*count <= least, "C7: {count} instead of {least} of {mail}, after {what}");
        }
    }
}

/// An event without what tells when and by which operation it was written.
fn essence(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        for name in ["etag", "updated", "created", "sequence"] {
            fields.remove(name);
        }
    }
    if let Some(private) = event.pointer_mut("/extendedProperties/private").and_then(Value::as_object_mut) {
        private.retain(|name, _| name != "calsyncOperation");
    }
    event
}

/// A record without what tells when it was written: its version, and what Google says about when its event was made.
fn record(record: &Record) -> Value {
    let mut fields = json!(record.fields);
    if let Some(extra) = fields.pointer_mut("/extra").and_then(Value::as_object_mut) {
        extra.remove("created");
    }
    json!({"id": record.id, "agent": record.agent, "occurrence": record.occurrence, "fields": fields})
}

fn line(agent: &str, shown: &Shown) -> String {
    let start: DateTime<Utc> = shown.start.parse().unwrap();
    let who = if agent == AMY { "" } else { "bob: " };
    let place = if shown.location.is_empty() { String::new() } else { format!(" @{}", shown.location) };
    format!("{who}{} {}{place}", start.format("%m-%d %H:%M"), shown.summary)
}
