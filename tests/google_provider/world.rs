//! A Workspace on paper: the fake Google, two people, a service account, and the provider in front of them.

use calsync_core::clock::{Clock, ManualClock, SeededEntropy};
use calsync_core::model::{Fields, RemoteRecord, Unit};
use calsync_core::provider::{
    Effort, Item, Mail, Next, Provider, Receipt, Start, Target, Write, WriteAction,
};
use calsync_core::{Cursor, Result};
use calsync_google::{Google, GoogleBuilder, SCOPE_EVENTS, ServiceAccountKey};
use calsync_testkit::fake_google::{FakeGoogle, FakeTransport};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const AMY: &str = "amy@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const ROBOT: &str = "sync@p1.iam.gserviceaccount.com";
pub(crate) const NUMBER: &str = "104567890123456789012";
pub(crate) const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) transport: FakeTransport,
    pub(crate) google: Google,
}

pub(crate) fn key() -> ServiceAccountKey {
    let key = json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM,
        "client_email": ROBOT, "client_id": NUMBER, "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    });
    ServiceAccountKey::from_json(&key.to_string()).unwrap()
}

/// A Workspace with Amy and Bob, and a service account that may act for both.
pub(crate) fn world() -> World {
    world_with(Google::service_account(key()), |_| {})
}

pub(crate) fn world_with(builder: GoogleBuilder, arrange: impl FnOnce(&mut FakeGoogle)) -> World {
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let mut fake = FakeGoogle::new();
    for person in [AMY, BOB] {
        fake.account(person);
        fake.set_zone(person, "America/Vancouver");
    }
    fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
    fake.delegate(NUMBER, &[SCOPE_EVENTS]);
    arrange(&mut fake);
    let transport = FakeTransport::new(fake, clock.clone());
    let google = builder
        .transport(Arc::new(transport.clone()))
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7)))
        .build()
        .unwrap();
    World { clock, transport, google }
}

pub(crate) fn target(person: &str) -> Target {
    Target { calendar: person.into(), subject: person.into() }
}

/// The newest records of a listing by key, and its cursor.
pub(crate) type Listing = (BTreeMap<String, RemoteRecord>, Cursor);

impl World {
    pub(crate) fn fake(&self) -> std::sync::MutexGuard<'_, FakeGoogle> {
        self.transport.google()
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.advance(Duration::from_secs(1));
        self.clock.now()
    }

    pub(crate) async fn list_of(&self, target: &Target, since: Option<Cursor>) -> Result<Listing> {
        let (mut records, mut token) = (BTreeMap::new(), None);
        for _ in 0..1000 {
            let start = match &since {
                None => Start::Full(token),
                Some(cursor) => Start::Since(cursor.clone(), token),
            };
            let page = self.google.list(target, &start, &Effort::default()).await?;
            for item in page.items {
                match item {
                    Item::Record(record) => records.insert(record.key().to_string(), record),
                    Item::Unreadable { id, reason, .. } => panic!("{id}: {reason}"),
                };
            }
            match page.next {
                Next::More(next) => token = Some(next),
                Next::Done(cursor) => return Ok((records, cursor)),
            }
        }
        panic!("a listing without an end");
    }

    pub(crate) async fn list(&self, since: Option<Cursor>) -> Result<Listing> {
        self.list_of(&target(AMY), since).await
    }

    pub(crate) async fn get_of(&self, target: &Target, id: &str) -> Result<Option<RemoteRecord>> {
        match self.google.get(target, &id.into(), &Effort::default()).await? {
            Some(Item::Record(record)) => Ok(Some(record)),
            Some(Item::Unreadable { reason, .. }) => panic!("{reason}"),
            None => Ok(None),
        }
    }

    pub(crate) async fn get(&self, id: &str) -> Option<RemoteRecord> {
        self.get_of(&target(AMY), id).await.unwrap()
    }

    pub(crate) async fn write_to(
        &self,
        target: &Target,
        operation: &str,
        mail: Mail,
        action: WriteAction,
    ) -> Result<Receipt> {
        self.clock.advance(Duration::from_secs(1));
        let write = Write { operation: operation.into(), mail, action };
        self.google.write(target, &write, &Effort::default()).await
    }

    pub(crate) async fn write(&self, operation: &str, action: WriteAction) -> Result<RemoteRecord> {
        match self.write_to(&target(AMY), operation, Mail::Nobody, action).await? {
            Receipt::Written(record) => Ok(record),
            Receipt::Deleted => panic!("deleted"),
        }
    }

    pub(crate) fn create(&self, seed: u8, fields: &Fields) -> WriteAction {
        WriteAction::Create { id: self.google.create_id(&[seed; 32]), fields: fields.clone() }
    }

    pub(crate) fn user_insert(&self, event: Value) {
        let now = self.now();
        self.fake().user_insert(now, AMY, &event).unwrap();
    }
}

pub(crate) fn fields(values: Value) -> Fields {
    let mut all = json!({
        "summary": "Site visit",
        "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "America/Vancouver"},
    });
    for (name, value) in values.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object().unwrap().iter().map(|(unit, value)| (unit.as_str().into(), value.clone())).collect()
}

pub(crate) fn update(record: &RemoteRecord, units: &[&str], fields: Fields) -> WriteAction {
    WriteAction::Update {
        id: record.id.clone(),
        revision: Some(record.revision.clone()),
        units: units.iter().map(|unit| Unit::from(*unit)).collect(),
        fields,
        revive: false,
    }
}

pub(crate) fn delete(record: &RemoteRecord) -> WriteAction {
    WriteAction::Delete { id: record.id.clone(), revision: Some(record.revision.clone()) }
}

pub(crate) fn hour(id: &str, day: u32) -> Value {
    json!({
        "id": id, "summary": id,
        "start": {"dateTime": format!("2026-12-{day:02}T09:00:00"), "timeZone": "America/Vancouver"},
        "end": {"dateTime": format!("2026-12-{day:02}T10:00:00"), "timeZone": "America/Vancouver"},
    })
}

pub(crate) fn live(record: &RemoteRecord) -> &Fields {
    record.state.fields().expect("alive")
}

/// The units in which the two differ, apart from those that the provider owns.
pub(crate) fn differences(written: &Fields, read: &Fields) -> BTreeSet<Unit> {
    let owned = calsync_core::model::appointment::PROVIDER_OWNED;
    written.diff(read).into_iter().filter(|unit| !owned.contains(&unit.as_str())).collect()
}
